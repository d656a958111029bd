//! What a sweep of one scenario in one world adds up to, as data that a file holds.

use std::collections::{BTreeMap, BTreeSet};

use midput_scenarios::{Expect, Goal, Hazard, KillPoint, World};
use serde::{Deserialize, Serialize};

use super::failure::FailedCase;
use super::jobs::{Shared, SweepEnd};
use super::plan::Sweep;
use super::tally::Found;

mod actions;
mod check;
mod merge;
mod verdict;

pub use actions::{Actions, Model};
pub use check::{CheckReport, Figures, NoReport, Options, ShardTimes};
pub use merge::{MergeError, Named, merge};
pub use verdict::ReportVerdict;

/// What a sweep adds up to: the same for any number of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// Where its cases ran.
    pub world: World,
    /// What tells the sweep from one of another scenario, code or set of kept cases.
    pub fingerprint: String,
    /// How it must end.
    pub expect: Expected,
    /// What the cases of all shards together cover, and so what they must have reached.
    pub scope: Scope,
    /// The cases of all shards together.
    pub planned_in_all: u64,
    /// The cases that were to run.
    pub planned: u64,
    /// The cases that ran.
    pub run: u64,
    /// The cases that did not.
    pub skipped: u64,
    /// Why it ended; of several shards, what cut it short most.
    pub end: SweepEnd,
    /// Steps, all together.
    pub steps: u64,
    /// The kill sites, each with how often it was drawn and how often a kill landed there.
    pub sites: Vec<SiteHits>,
    /// How many cases showed each hazard.
    pub hazards: BTreeMap<Hazard, u64>,
    /// How many cases ended in each way.
    pub endings: BTreeMap<String, u64>,
    /// The goals of the whole, and whether each was reached here.
    pub goals: Vec<GoalReached>,
    /// Which actions of the model were covered.
    pub actions: Actions,
    /// What each strategy ran and found, in simulation.
    pub strategies: BTreeMap<String, Found>,
    /// The failing cases, in their order.
    pub failures: Vec<FailedCase>,
    /// The inconclusive cases, if there are any.
    pub inconclusive: Option<Undecided>,
    /// What all this says.
    pub verdict: ReportVerdict,
}

/// How a check of a scenario must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// Without a violation.
    Pass,
    /// With one: a canary.
    Fail,
}

/// How much of a scenario a sweep covers, all shards together, and so what it must have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of it: every goal must be reached.
    Whole,
    /// Every kill site, but under no schedule of ours: the goals that are kills must be reached.
    Kills,
    /// A part: what it must reach cannot be asked of it.
    Part,
}

/// A kill site, and how often it was hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteHits {
    /// The kill.
    pub kill: KillPoint,
    /// In so many cases.
    pub drawn: u64,
    /// So often.
    pub landed: u64,
}

/// A goal, and whether a case reached it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoalReached {
    /// The goal.
    pub goal: Goal,
    /// Whether.
    pub reached: bool,
}

/// The cases of which nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undecided {
    /// How many.
    pub cases: u64,
    /// The position of the first among the cases of all shards.
    pub position: u64,
    /// Its reason.
    pub why: String,
}

/// Counts that do not add up: a mistake in midput, or a file that was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{scenario} in world {world}: planned {planned} is not run {run} + skipped {skipped}; \
     these figures cannot be trusted"
)]
pub struct Unbalanced {
    /// Of which scenario.
    pub scenario: String,
    /// In which world.
    pub world: World,
    /// The cases that were to run.
    pub planned: u64,
    /// The cases that ran.
    pub run: u64,
    /// The cases that did not.
    pub skipped: u64,
}

impl Report {
    pub(super) fn of(sweep: &Sweep<'_>, shared: &Shared) -> Result<Self, Unbalanced> {
        let (scenario, frame, tally) = (sweep.scenario, &sweep.frame, &shared.tally);
        let sites = frame.sites().iter().zip(&tally.sites);
        let goals = frame.goals().iter().zip(&tally.goals);
        let failures = tally.failing.iter();
        let undecided = tally.undecided.clone();
        let world = sweep.world.name();
        // Nobody decides at the choices of real processes.
        let strategies = tally.strategies.iter().filter(|_| sweep.world == World::Sim);
        let report = Self {
            scenario: scenario.name.clone(),
            world: sweep.world,
            fingerprint: sweep.fingerprint(),
            expect: match scenario.expect {
                Expect::Pass => Expected::Pass,
                Expect::Fail { .. } => Expected::Fail,
            },
            scope: sweep.scope,
            planned_in_all: sweep.planned_in_all(),
            planned: sweep.planned(),
            run: tally.run,
            skipped: shared.skipped,
            end: shared.end,
            steps: tally.steps,
            sites: sites
                .map(|(kill, hits)| SiteHits {
                    kill: kill.clone(),
                    drawn: hits.drawn,
                    landed: hits.landed,
                })
                .collect(),
            hazards: tally.hazards.clone(),
            endings: tally.endings(frame),
            goals: goals
                .map(|(goal, &reached)| GoalReached { goal: goal.clone(), reached })
                .collect(),
            actions: Actions::seen(&tally.covered),
            strategies: strategies.map(|(name, found)| (name.to_string(), *found)).collect(),
            failures: failures
                .map(|(position, outcome)| FailedCase::of(scenario, world, *position, outcome))
                .collect(),
            inconclusive: undecided.map(|(position, why, cases)| Undecided {
                cases,
                position,
                why,
            }),
            verdict: ReportVerdict::Pass,
        };
        report.sealed()
    }

    /// The report with its verdict.
    ///
    /// # Errors
    /// Where its counts do not add up.
    fn sealed(mut self) -> Result<Self, Unbalanced> {
        self.balance()?;
        self.verdict = self.judge();
        Ok(self)
    }

    /// Holds that what was planned was run or skipped.
    ///
    /// # Errors
    /// [`Unbalanced`], where it was not.
    pub fn balance(&self) -> Result<(), Unbalanced> {
        let Self { planned, run, skipped, .. } = *self;
        if run.checked_add(skipped) == Some(planned) && planned <= self.planned_in_all {
            return Ok(());
        }
        let (scenario, world) = (self.scenario.clone(), self.world);
        Err(Unbalanced { scenario, world, planned, run, skipped })
    }

    /// Whether these cases are so few that their goals are not asked for.
    pub fn is_part(&self) -> bool {
        self.scope == Scope::Part || self.planned < self.planned_in_all
    }

    /// The kills that landed, all together.
    pub fn kills_landed(&self) -> u64 {
        self.sites.iter().map(|site| site.landed).sum()
    }

    /// How many of the kill sites were hit at least once, and how many there are.
    pub fn sites_landed(&self) -> (usize, usize) {
        let landed = self.sites.iter().filter(|site| site.landed > 0).count();
        (landed, self.sites.len())
    }

    /// The goals that no case reached.
    pub fn missed(&self) -> BTreeSet<String> {
        let missed = self.goals.iter().filter(|goal| !goal.reached);
        missed.map(|goal| goal.goal.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use midput_scenarios::Scenario;

    use super::*;
    use crate::sweep::tally::Tally;
    use crate::sweep::{Census, SweepOptions};

    /// What the threads counted is held against what was planned, which they did not count.
    #[test]
    fn cases_that_were_neither_run_nor_skipped_are_an_error() {
        let scenarios: Vec<Scenario> = midput_scenarios::builtin();
        let census = Census::default();
        let options = SweepOptions::default();
        let sweep = Sweep::new(&scenarios[0], World::Sim, &census, options, Vec::new(), true);
        let report = |skipped| {
            let tally = Tally::new(&sweep.frame);
            Report::of(&sweep, &Shared { tally, skipped, end: SweepEnd::Budget })
        };
        assert_eq!(report(512).map(|report| report.planned), Ok(512));
        let error = report(511).unwrap_err();
        assert_eq!((error.planned, error.run, error.skipped), (512, 0, 511));
    }
}
