//! What there is to explain, by its id.

use std::fmt;

use midput_model::contract::Guarantee;

use crate::nearest::nearest;
use crate::{FEEDER_STEPS, Hazard, PROGRAM_STEPS, Rule};

/// Something with a name that a report, a trace or a table may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A known harm, such as `H3`.
    Hazard(Hazard),
    /// A clause of the contract, such as `G6`.
    Guarantee(Guarantee),
    /// A rule of the semantics, such as `WF4`.
    Rule(&'static Rule),
    /// A step of the protocols, such as `write-body`.
    Step(&'static str),
}

impl Topic {
    /// Every topic, kind by kind.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        let new = |step: &&&str| !PROGRAM_STEPS.contains(step);
        let steps = PROGRAM_STEPS.iter().chain(FEEDER_STEPS.iter().filter(new));
        let hazards = Hazard::ALL.into_iter().map(Self::Hazard);
        let guarantees = Guarantee::ALL.into_iter().map(Self::Guarantee);
        let rules = Rule::ALL.iter().map(Self::Rule);
        hazards.chain(guarantees).chain(rules).chain(steps.map(|step| Self::Step(step)))
    }

    /// The topic with this id, in whatever case, or the hazard with this name.
    ///
    /// # Errors
    /// Where there is none: what the text may have meant.
    pub fn find(text: &str) -> Result<Self, NoTopic> {
        let is_named = |topic: &Self| match topic {
            Self::Hazard(hazard) => hazard.name().eq_ignore_ascii_case(text),
            _ => false,
        };
        let fits = |topic: &Self| topic.to_string().eq_ignore_ascii_case(text) || is_named(topic);
        Self::all().find(fits).ok_or_else(|| {
            let names: Vec<String> = Self::all().map(|topic| topic.to_string()).collect();
            let ids = names.iter().map(String::as_str).chain(Hazard::ALL.map(Hazard::name));
            let near = nearest(text, ids);
            let hint = if near.is_empty() {
                "'midput explain' lists what there is".to_owned()
            } else {
                format!("did you mean '{}'?", near.join("' or '"))
            };
            NoTopic { text: text.to_owned(), hint }
        })
    }
}

impl fmt::Display for Topic {
    /// Its id.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hazard(hazard) => hazard.fmt(formatter),
            Self::Guarantee(guarantee) => guarantee.fmt(formatter),
            Self::Rule(rule) => formatter.write_str(rule.id),
            Self::Step(step) => formatter.write_str(step),
        }
    }
}

/// Why a text names nothing that can be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is called '{text}'; {hint}")]
pub struct NoTopic {
    /// The text.
    pub text: String,
    /// What would be right.
    pub hint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_found_by_its_id_and_no_two_share_one() {
        for topic in Topic::all() {
            let id = topic.to_string();
            assert_eq!(Topic::find(&id), Ok(topic), "{id}");
            assert_eq!(Topic::find(&id.to_lowercase()), Ok(topic), "{id}");
        }
        assert_eq!(Topic::find("Frame-Torn"), Ok(Topic::Hazard(Hazard::H6)));
    }

    #[test]
    fn what_is_near_is_suggested() {
        for (text, near) in [("H16", "'H1'"), ("wirte-body", "'write-body'"), ("MQ9", "'MQ1'")] {
            let error = Topic::find(text).unwrap_err().to_string();
            assert!(error.contains(near), "{error}");
        }
    }
}
