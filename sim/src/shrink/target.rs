//! What a case shows, and what every smaller case must show as well.

use std::fmt;

use midput_model::contract::Guarantee;
use midput_scenarios::Hazard;

use crate::check::{Divergence, Observers};
use crate::sweep::{Failure, Verdict};

/// The failure that shrinking keeps: of the same kind, and where a kind has several, the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This hazard.
    Hazard(Hazard),
    /// This guarantee is broken.
    Guarantee(Guarantee),
    /// Code and model part at a step of this name.
    Divergence(String),
    /// A panic with this text.
    Panic(String),
}

impl Target {
    /// What a verdict shows first, where it can be shrunk at all.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let Verdict::Fail(failures) = verdict else { return None };
        failures.iter().find_map(|failure| match failure {
            Failure::Hazard(hazard) => Some(Self::Hazard(*hazard)),
            Failure::Guarantee(violation) => Some(Self::Guarantee(violation.guarantee)),
            Failure::Diverged(divergence) => Some(Self::Divergence(step_of(divergence))),
            Failure::Panicked(text) => Some(Self::Panic(text.clone())),
            Failure::NotTheSameTwice | Failure::Replay(_) | Failure::Inconsistent(_) => None,
        })
    }

    /// Whether a verdict shows it, whatever else it shows.
    pub fn is_shown_by(&self, verdict: &Verdict) -> bool {
        let Verdict::Fail(failures) = verdict else { return false };
        failures.iter().any(|failure| match (self, failure) {
            (Self::Hazard(hazard), Failure::Hazard(other)) => hazard == other,
            (Self::Guarantee(guarantee), Failure::Guarantee(violation)) => {
                *guarantee == violation.guarantee
            }
            (Self::Divergence(step), Failure::Diverged(divergence)) => *step == step_of(divergence),
            (Self::Panic(text), Failure::Panicked(other)) => text == other,
            _ => false,
        })
    }

    /// After how many actions of a run that shows it: a guarantee may be broken in the middle,
    /// everything else shows at the end.
    pub(super) fn shown_after(&self, observers: &Observers) -> u64 {
        let broken = observers.broken.iter().find(|(it, _)| *self == Self::Guarantee(*it));
        broken.map_or(observers.actions, |(_, actions)| *actions)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hazard(hazard) => write!(formatter, "hazard {hazard}"),
            Self::Guarantee(guarantee) => write!(formatter, "guarantee {guarantee}"),
            Self::Divergence(step) => write!(formatter, "divergence at {step}"),
            Self::Panic(_) => formatter.write_str("panic"),
        }
    }
}

/// The name of the step at which code and model part, without its lane and occurrence.
fn step_of(divergence: &Divergence) -> String {
    let at = divergence.at.as_str();
    let step = at.split_once(' ').map_or(at, |(_, step)| step);
    step.split_once('[').map_or(step, |(step, _)| step).to_owned()
}
