//! What a sweep must reach at least once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kill::as_text;
use crate::nearest::one_of;
use crate::{Hazard, OutcomeName};

/// Something that a sweep must reach at least once; else its scenario has shown nothing.
///
/// ```
/// use midput_scenarios::Goal;
///
/// let goal: Goal = "kill P1.feed write-body".parse().unwrap();
/// assert_eq!(goal.to_string(), "kill P1.feed write-body");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Goal {
    /// `kill P1.feed write-body`: a kill landed at that step, at any occurrence, offset and place.
    Kill {
        /// The lane's name.
        lane: String,
        /// The step's name.
        step: String,
    },
    /// `kill holding wlock`: the victim of a kill held that lock.
    KillHolding(Lock),
    /// `hazard H5`: a run showed that harm.
    Hazard(Hazard),
    /// `blocked P0.main read-body`: a run ended with the lane blocked for ever in that step.
    Blocked {
        /// The lane's name.
        lane: String,
        /// The step's name.
        step: String,
    },
    /// `result P0.main Empty`: an operation of the lane had that outcome.
    Result {
        /// The lane's name.
        lane: String,
        /// Which outcome.
        outcome: OutcomeName,
    },
    /// `all ended`: every process of a run ended.
    AllEnded,
}

/// A lock that processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lock {
    /// `wlock`, which a feeder holds while it writes a frame.
    Write,
    /// `rlock`, which a consumer holds while it waits for a frame and reads it.
    Read,
    /// `condlock`, which guards the counter of a joinable queue.
    Condition,
}

impl Lock {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Condition];

    /// `wlock`, `rlock` or `condlock`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "wlock",
            Self::Read => "rlock",
            Self::Condition => "condlock",
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { lane, step } => write!(formatter, "kill {lane} {step}"),
            Self::KillHolding(lock) => write!(formatter, "kill holding {}", lock.name()),
            Self::Hazard(hazard) => write!(formatter, "hazard {hazard}"),
            Self::Blocked { lane, step } => write!(formatter, "blocked {lane} {step}"),
            Self::Result { lane, outcome } => write!(formatter, "result {lane} {outcome}"),
            Self::AllEnded => formatter.write_str("all ended"),
        }
    }
}

/// Why a text names no goal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoGoal {
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl FromStr for Goal {
    type Err = NoGoal;

    fn from_str(text: &str) -> Result<Self, NoGoal> {
        parse_goal(text).map_err(|reason| NoGoal { reason })
    }
}

fn parse_goal(text: &str) -> Result<Goal, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match *words.as_slice() {
        ["all", "ended"] => Ok(Goal::AllEnded),
        ["kill", "holding", name] => {
            let found = Lock::ALL.into_iter().find(|lock| lock.name() == name);
            let unknown =
                || format!("unknown lock '{name}'; {}", one_of(name, Lock::ALL.map(Lock::name)));
            found.map(Goal::KillHolding).ok_or_else(unknown)
        }
        ["kill", lane, step] => Ok(Goal::Kill { lane: lane.to_owned(), step: step.to_owned() }),
        ["blocked", lane, step] => {
            Ok(Goal::Blocked { lane: lane.to_owned(), step: step.to_owned() })
        }
        ["hazard", hazard] => {
            hazard.parse().map(Goal::Hazard).map_err(|error: crate::NoHazard| error.to_string())
        }
        ["result", lane, outcome] => {
            let outcome = outcome.parse().map_err(|error: crate::NoOutcome| error.to_string())?;
            Ok(Goal::Result { lane: lane.to_owned(), outcome })
        }
        _ => Err(format!(
            "'{text}' is no goal; write 'kill LANE STEP', 'kill holding wlock', 'hazard H5', \
             'blocked LANE STEP', 'result LANE OUTCOME' or 'all ended'"
        )),
    }
}

as_text!(Goal);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn goal() -> impl Strategy<Value = Goal> {
        let lane = || "P[0-9]\\.[a-z]{1,5}";
        let step = || "[a-z._-]{1,8}";
        prop_oneof![
            (lane(), step()).prop_map(|(lane, step)| Goal::Kill { lane, step }),
            proptest::sample::select(Lock::ALL.to_vec()).prop_map(Goal::KillHolding),
            prop::sample::select(Hazard::ALL.to_vec()).prop_map(Goal::Hazard),
            (lane(), step()).prop_map(|(lane, step)| Goal::Blocked { lane, step }),
            (lane(), "[a-z][a-z0-9#]{0,3}")
                .prop_map(|(lane, name)| Goal::Result { lane, outcome: OutcomeName::Item(name) }),
            Just(Goal::AllEnded),
        ]
    }

    proptest! {
        #[test]
        fn a_goal_reads_back_from_its_text(goal in goal()) {
            prop_assert_eq!(goal.to_string().parse::<Goal>().unwrap(), goal);
        }
    }

    #[test]
    fn a_wrong_goal_says_what_would_be_right() {
        for (text, hint) in [
            ("kill", "is no goal"),
            ("kill holding wlok", "did you mean 'wlock'?"),
            ("hazard H16", "H1"),
            ("result P0.main Emty", "did you mean 'Empty'?"),
        ] {
            let error = text.parse::<Goal>().unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
