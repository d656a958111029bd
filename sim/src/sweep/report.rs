//! What a sweep of one scenario in one world adds up to.

use std::collections::{BTreeMap, BTreeSet};

use midput_model::program::Program;
use midput_scenarios::{Expect, Goal, Hazard, KillPoint, Scenario};

use super::census::Census;
use super::judge::{Failure, Verdict};
use super::runner::{CaseOutcome, SweepOptions};
use crate::schedule::StrategyName;

/// What a sweep adds up to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// `sim` or `native`.
    pub world: &'static str,
    /// The cases that were to run.
    pub planned: u64,
    /// The cases that ran.
    pub run: u64,
    /// Steps, all together.
    pub steps: u64,
    /// How often a kill landed at each step: by lane and step name.
    pub kills: BTreeMap<(String, String), u64>,
    /// For each kill that was drawn: how often, and how often it landed.
    pub sites: BTreeMap<KillPoint, (u64, u64)>,
    /// How many cases showed each hazard.
    pub hazards: BTreeMap<Hazard, u64>,
    /// The goals, and whether each was reached.
    pub goals: Vec<(Goal, bool)>,
    /// What each strategy ran and found, in simulation.
    pub strategies: BTreeMap<StrategyName, Found>,
    /// The failing cases, in their order.
    pub failures: Vec<CaseOutcome>,
    /// The first inconclusive case's reason, and how many there were.
    pub inconclusive: Option<(String, u64)>,
    expect_failure: bool,
    scope: Scope,
}

/// What one strategy ran and found. Kept cases count for the strategy that drew them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The cases that it decided.
    pub cases: u64,
    /// How many of them failed.
    pub failing: u64,
    /// The number of the first of these.
    pub first: Option<u64>,
}

impl Found {
    fn add(&mut self, outcome: &CaseOutcome) {
        self.cases += 1;
        if outcome.has_failed() {
            self.failing += 1;
            self.first = self.first.or(Some(outcome.case.number));
        }
    }
}

/// How much of a scenario a sweep covers, and so what it must have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it: every goal must be reached.
    Whole,
    /// Every kill site, but under no schedule of ours: the goals that are kills must be reached.
    Kills,
    /// A part: what it must reach cannot be asked of it alone.
    Part,
}

impl Scope {
    /// The scope of a sweep of so many cases, in which a shard does its share.
    pub fn of(options: &SweepOptions, census: &Census, scenario: &Scenario, native: bool) -> Self {
        let pinned = !scenario.faults.pinned.is_empty() || scenario.faults.kills_max == 0;
        let sites = if pinned { 1 } else { census.kills.len() as u64 };
        match (options.shard.of > 1 || options.cases < sites, native) {
            (true, _) => Self::Part,
            (false, true) => Self::Kills,
            (false, false) => Self::Whole,
        }
    }
}

impl Report {
    /// Adds up the outcomes of a sweep.
    pub fn new(
        scenario: &Scenario,
        subject: &str,
        world: &'static str,
        planned: u64,
        scope: Scope,
        outcomes: Vec<CaseOutcome>,
    ) -> Self {
        let mut report = Self {
            scenario: scenario.name.clone(),
            world,
            planned,
            run: outcomes.len() as u64,
            steps: 0,
            kills: BTreeMap::new(),
            sites: BTreeMap::new(),
            hazards: BTreeMap::new(),
            goals: scenario
                .goals(subject)
                .iter()
                .filter(|goal| match scope {
                    Scope::Whole => true,
                    Scope::Kills => matches!(goal, Goal::Kill { .. } | Goal::KillHolding(_)),
                    Scope::Part => false,
                })
                .map(|goal| (goal.clone(), false))
                .collect(),
            strategies: BTreeMap::new(),
            failures: Vec::new(),
            inconclusive: None,
            expect_failure: matches!(scenario.expect, Expect::Fail { .. }),
            scope,
        };
        for outcome in outcomes {
            report.add(&scenario.program, outcome);
        }
        report
    }

    fn add(&mut self, program: &Program, outcome: CaseOutcome) {
        self.steps += outcome.steps;
        if self.world == "sim" {
            self.strategies.entry(outcome.case.strategy).or_default().add(&outcome);
        }
        for (kill, _) in &outcome.landed {
            let site = (kill.site.lane.clone(), kill.site.step.clone());
            *self.kills.entry(site).or_default() += 1;
        }
        for kill in &outcome.case.kills {
            let landed = outcome.landed.iter().any(|(other, _)| other == kill);
            let (drawn, lands) = self.sites.entry(kill.clone()).or_default();
            *drawn += 1;
            *lands += u64::from(landed);
        }
        for &hazard in &outcome.judged.hazards {
            *self.hazards.entry(hazard).or_default() += 1;
        }
        for (goal, reached) in &mut self.goals {
            *reached |= reaches(program, goal, &outcome);
        }
        match &outcome.judged.verdict {
            Verdict::Pass => {}
            Verdict::Fail(_) => self.failures.push(outcome),
            Verdict::Inconclusive(reason) => {
                let (_, count) = self.inconclusive.get_or_insert((reason.clone(), 0));
                *count += 1;
            }
        }
    }

    /// Whether the sweep covers so little that its goals are not asked for.
    pub fn is_part(&self) -> bool {
        self.scope == Scope::Part
    }

    /// The cases that were planned and did not run.
    pub fn skipped(&self) -> u64 {
        self.planned - self.run
    }

    /// The kills that landed, all together.
    pub fn kills_landed(&self) -> u64 {
        self.kills.values().sum()
    }

    /// How many of the drawn kill sites were hit at least once, and how many were drawn.
    pub fn sites_landed(&self) -> (usize, usize) {
        let landed = self.sites.values().filter(|(_, lands)| *lands > 0).count();
        (landed, self.sites.len())
    }

    /// The goals that no case reached.
    pub fn missed(&self) -> BTreeSet<String> {
        let missed = self.goals.iter().filter(|(_, reached)| !reached);
        missed.map(|(goal, _)| goal.to_string()).collect()
    }

    /// A canary passes where harm is found, and only harm: any other failure is one of the check.
    fn canary(&self) -> ReportVerdict {
        let other = self.failures.iter().find(|failed| match &failed.judged.verdict {
            Verdict::Fail(failures) => {
                !failures.iter().all(|it| matches!(it, Failure::Hazard(_) | Failure::Guarantee(_)))
            }
            _ => true,
        });
        match (other, self.failures.is_empty()) {
            (Some(failed), _) => ReportVerdict::Fail(format!(
                "it must fail by harm, and fails otherwise in case {}",
                failed.case.number
            )),
            (None, false) => ReportVerdict::Pass,
            (None, true) if self.is_part() || self.skipped() > 0 => {
                ReportVerdict::Inconclusive("it must fail, and this part did not".to_owned())
            }
            (None, true) => ReportVerdict::Fail("it must fail, and nothing was found".to_owned()),
        }
    }

    /// What the sweep says: a canary passes where it fails.
    pub fn verdict(&self) -> ReportVerdict {
        if self.expect_failure {
            return self.canary();
        }
        if !self.failures.is_empty() {
            return ReportVerdict::Fail(format!("{} of {} cases", self.failures.len(), self.run));
        }
        if let Some((reason, count)) = &self.inconclusive {
            return ReportVerdict::Inconclusive(format!("{count} cases: {reason}"));
        }
        if self.run == 0 && self.planned > 0 {
            return ReportVerdict::Inconclusive("no case ran".to_owned());
        }
        let missed = self.missed();
        if missed.is_empty() {
            return ReportVerdict::Pass;
        }
        let missed: Vec<String> = missed.into_iter().collect();
        let text = format!("vacuous, never reached: {}", missed.join("; "));
        if self.skipped() > 0 {
            ReportVerdict::Inconclusive(format!("{} cases skipped; {text}", self.skipped()))
        } else if self.scope == Scope::Kills {
            // Nobody schedules real processes: that they never came by says nothing for sure.
            ReportVerdict::Inconclusive(text)
        } else {
            ReportVerdict::Fail(text)
        }
    }
}

/// What a sweep says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportVerdict {
    /// Nothing was found that must not be, everything was reached that must be.
    Pass,
    /// Why not.
    Fail(String),
    /// Why it cannot be said.
    Inconclusive(String),
}

fn reaches(program: &Program, goal: &Goal, outcome: &CaseOutcome) -> bool {
    let lanes = program.lanes();
    let name = |lane: midput_model::program::LaneId| {
        lanes.get(usize::from(lane.0)).map_or("", |lane| lane.name.as_str())
    };
    match goal {
        Goal::Kill { lane, step } => outcome
            .landed
            .iter()
            .any(|(kill, _)| kill.site.lane == *lane && kill.site.step == *step),
        Goal::KillHolding(lock) => outcome.held.contains(lock.name()),
        Goal::Hazard(hazard) => outcome.judged.hazards.contains(hazard),
        Goal::Blocked { lane, step } => outcome
            .end
            .blocked
            .iter()
            .any(|blocked| name(blocked.lane) == lane && blocked.step == *step),
        Goal::Result { lane, outcome: wanted } => outcome
            .returns
            .iter()
            .any(|(of, result)| name(*of) == lane && wanted.matches(*result, program)),
        Goal::AllEnded => outcome.all_ended,
    }
}
