//! The verdict on one case.

use std::collections::BTreeSet;

use midput_model::contract::Violation;
use midput_scenarios::{Hazard, Scenario};

use crate::check::Divergence;

/// Why a case fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The code did what its model does not.
    Diverged(Divergence),
    /// A hazard that the scenario does not allow.
    Hazard(Hazard),
    /// A guarantee is broken, and no allowed hazard that was seen accounts for it.
    Guarantee(Violation),
    /// The same case did not do the same twice.
    NotTheSameTwice,
    /// The recorded choices do not fit.
    Replay(String),
    /// The code panicked.
    Panicked(String),
    /// The logs of real processes agree with no interleaving of the model.
    Inconsistent(String),
}

impl Failure {
    /// A word for it, the same for failures of the same kind.
    pub fn kind(&self) -> String {
        match self {
            Self::Diverged(_) => "divergence".to_owned(),
            Self::Hazard(hazard) => format!("hazard {hazard}"),
            Self::Guarantee(violation) => format!("guarantee {}", violation.guarantee),
            Self::NotTheSameTwice => "not the same twice".to_owned(),
            Self::Replay(_) => "replay".to_owned(),
            Self::Panicked(_) => "panic".to_owned(),
            Self::Inconsistent(_) => "inconsistent".to_owned(),
        }
    }
}

/// Pass, fail or inconclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found that is not allowed.
    Pass,
    /// Something was.
    Fail(Vec<Failure>),
    /// It cannot be said, and why.
    Inconclusive(String),
}

impl Verdict {
    /// The kinds of its failures; none where it is no failure.
    pub fn kinds(&self) -> Vec<String> {
        match self {
            Self::Fail(failures) => failures.iter().map(Failure::kind).collect(),
            Self::Pass | Self::Inconclusive(_) => Vec::new(),
        }
    }
}

/// A case's verdict and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The hazards that the run showed.
    pub hazards: BTreeSet<Hazard>,
    /// The guarantees that it broke.
    pub violations: Vec<Violation>,
}

/// Judges hazards and broken guarantees by what the scenario allows its subject.
pub fn judge(
    scenario: &Scenario,
    subject: &str,
    hazards: BTreeSet<Hazard>,
    violations: Vec<Violation>,
) -> Judged {
    let allowed = scenario.allowed(subject);
    let mut failures: Vec<Failure> =
        hazards.difference(&allowed).copied().map(Failure::Hazard).collect();
    for &violation in &violations {
        // A hazard accounts for what it breaks: allowed it is no failure, else it is one already.
        if !hazards.iter().any(|hazard| hazard.guarantees().contains(&violation.guarantee)) {
            failures.push(Failure::Guarantee(violation));
        }
    }
    let verdict = if failures.is_empty() { Verdict::Pass } else { Verdict::Fail(failures) };
    Judged { verdict, hazards, violations }
}
