//! One call of a protocol, altered: for asking whether checks and scenarios would notice.
//!
//! A [`Mutant`] alters what a step does and leaves the step in its place, with its name: what runs
//! is the code as it is, with one call that does not do what it should. The simulated kernel runs
//! the real code so, and a machine can be altered in the same way, so that what the altered code
//! does can be explored as well.
//!
//! ```
//! use midput_model::mutant::{Change, Mutant};
//!
//! let mutant: Mutant = "skip rlock.release".parse().unwrap();
//! assert_eq!(mutant.alters("rlock.release"), Some(Change::Skip));
//! assert_eq!(mutant.alters("wlock.release"), None);
//! assert_eq!(mutant.to_string(), "skip rlock.release");
//! ```

use std::fmt;
use std::str::FromStr;

/// How a mutant alters a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The call does nothing and answers success: a wait that takes nothing, a post that posts
    /// nothing, a lock that is not taken, a notification that wakes nobody, a poll that says ready
    /// without looking, a write of which no byte arrives.
    Skip,
    /// Taking a lock and giving it back are both skipped: the protocol without that lock.
    Without,
    /// A wait with a deadline loses it.
    Forever,
    /// A wait becomes one try.
    Try,
    /// A transfer that moved only a part is taken for the whole.
    Whole,
}

/// Every way to alter a step, its word, and the steps that it can alter.
const CHANGES: &[(Change, &str, &[&str])] = &[
    (
        Change::Skip,
        "skip",
        &[
            "sem.acquire",
            "sem.release",
            "rlock.acquire",
            "rlock.release",
            "wlock.acquire",
            "wlock.release",
            "notempty.lock",
            "notempty.unlock",
            "notempty.notify",
            "poll",
            "empty.poll",
            "write-frame",
            "write-header",
            "write-body",
            "reader.close",
            "writer.close",
            "feeder.join",
            "thread.join",
            "cond.acquire",
            "cond.release",
            "unfinished.acquire",
            "unfinished.release",
            "sleeping.release",
            "wait.acquire",
            "wait.release",
            "woken.acquire",
            "woken.release",
        ],
    ),
    (Change::Without, "without", &["sem", "rlock", "wlock", "cond"]),
    (Change::Forever, "forever", &["sem.acquire", "rlock.acquire", "poll", "process.join"]),
    (
        Change::Try,
        "try",
        &["sem.acquire", "rlock.acquire", "wlock.acquire", "poll", "process.join"],
    ),
    (Change::Whole, "whole", &["write-frame", "write-header", "write-body"]),
];

/// A step and how it is altered. Its text form is `skip rlock.release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mutant {
    change: Change,
    step: &'static str,
}

impl Mutant {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        CHANGES
            .iter()
            .flat_map(|&(change, _, steps)| steps.iter().map(move |step| Self { change, step }))
    }

    /// How it alters the step of this name, if it does: never [`Change::Without`], which is
    /// [`Change::Skip`] for the steps of its lock.
    pub fn alters(&self, step: &str) -> Option<Change> {
        if self.change != Change::Without {
            return (self.step == step).then_some(self.change);
        }
        let call = step.strip_prefix(self.step)?;
        matches!(call, ".acquire" | ".release").then_some(Change::Skip)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = CHANGES.iter().find(|(change, ..)| *change == self.change);
        write!(formatter, "{} {}", word.map_or("", |(_, word, _)| word), self.step)
    }
}

/// Why a text is no mutant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no mutant: {reason}")]
pub struct NoMutant {
    /// The text.
    pub text: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl FromStr for Mutant {
    type Err = NoMutant;

    fn from_str(text: &str) -> Result<Self, NoMutant> {
        let wrong = |reason| NoMutant { text: text.to_owned(), reason };
        let mut words = text.split_whitespace();
        let (Some(word), Some(step), None) = (words.next(), words.next(), words.next()) else {
            return Err(wrong("it is a change and a step, such as 'skip rlock.release'".into()));
        };
        let found = CHANGES.iter().find(|(_, name, _)| *name == word);
        let Some(&(change, _, steps)) = found else {
            let known: Vec<&str> = CHANGES.iter().map(|(_, name, _)| *name).collect();
            return Err(wrong(format!("the change is one of {}", known.join(", "))));
        };
        match steps.iter().find(|name| **name == step) {
            Some(step) => Ok(Self { change, step }),
            None => Err(wrong(format!("'{word}' goes with {}", steps.join(", ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_reads_back_from_its_text() {
        for mutant in Mutant::all() {
            assert_eq!(mutant.to_string().parse::<Mutant>().unwrap(), mutant);
        }
        assert!(Mutant::all().count() > 40);
    }

    #[test]
    fn what_is_no_mutant_is_refused_with_what_would_be_right() {
        for (text, hint) in [
            ("skip", "such as 'skip rlock.release'"),
            ("skip poll twice", "such as"),
            ("skipp poll", "one of skip, without"),
            ("skip encode", "goes with sem.acquire"),
            ("without wlock.acquire", "goes with sem, rlock, wlock, cond"),
            ("whole read-body", "write-body"),
        ] {
            let error = text.parse::<Mutant>().unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn without_a_lock_both_its_calls_are_skipped() {
        let mutant: Mutant = "without wlock".parse().unwrap();
        assert_eq!(mutant.alters("wlock.acquire"), Some(Change::Skip));
        assert_eq!(mutant.alters("wlock.release"), Some(Change::Skip));
        assert_eq!(mutant.alters("rlock.release"), None);
        assert_eq!("without sem".parse::<Mutant>().unwrap().alters("sem.value"), None);
    }
}
