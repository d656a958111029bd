//! What cases add up to. Tallies of parts add up to the tally of the whole, so that jobs and shards
//! count by themselves and keep no case that passed.

use std::collections::BTreeMap;

use midput_model::program::{Lane, LaneId, Program};
use midput_model::queue::classic::Covered;
use midput_scenarios::{Goal, Hazard, KillPoint};
use serde::{Deserialize, Serialize};

use super::judge::Verdict;
use super::runner::CaseOutcome;
use crate::schedule::StrategyName;

/// What the cases of a sweep are counted against: the same for all its jobs and shards.
#[derive(Clone, Debug)]
pub struct Frame {
    program: Program,
    lanes: Vec<Lane>,
    goals: Vec<Goal>,
    sites: Vec<KillPoint>,
    positions: BTreeMap<KillPoint, usize>,
}

impl Frame {
    /// Counts these kill sites, each once, and whether these goals are reached.
    pub fn new(
        program: &Program,
        goals: Vec<Goal>,
        sites: impl IntoIterator<Item = KillPoint>,
    ) -> Self {
        let mut positions: BTreeMap<KillPoint, usize> =
            sites.into_iter().map(|site| (site, 0)).collect();
        for (index, position) in positions.values_mut().enumerate() {
            *position = index;
        }
        let sites = positions.keys().cloned().collect();
        Self { lanes: program.lanes(), program: program.clone(), goals, sites, positions }
    }

    /// The goals, in the scenario's order.
    pub fn goals(&self) -> &[Goal] {
        &self.goals
    }

    /// The kill sites, in their order.
    pub fn sites(&self) -> &[KillPoint] {
        &self.sites
    }

    fn name(&self, lane: LaneId) -> &str {
        self.lanes.get(usize::from(lane.0)).map_or("?", |lane| lane.name.as_str())
    }
}

/// How often a kill was drawn, and how often it landed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// In so many cases.
    pub drawn: u64,
    /// So many times.
    pub landed: u64,
}

/// What one strategy ran and found. Kept cases count for the strategy that drew them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The cases that it decided.
    pub cases: u64,
    /// How many of them failed.
    pub failing: u64,
    /// The position of the first of these among the cases of the sweep.
    pub first: Option<u64>,
}

impl Found {
    /// Adds what it found elsewhere.
    pub(super) fn extend(&mut self, other: Self) {
        self.cases = self.cases.saturating_add(other.cases);
        self.failing = self.failing.saturating_add(other.failing);
        self.first = self.first.into_iter().chain(other.first).min();
    }
}

/// How a run stood at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    all_ended: bool,
    /// Who was blocked for ever, and in which step.
    blocked: Vec<(LaneId, String)>,
}

impl Standing {
    fn of(outcome: &CaseOutcome) -> Self {
        let blocked = outcome.end.blocked.iter().map(|it| (it.lane, it.step.clone()));
        Self { all_ended: outcome.all_ended, blocked: blocked.collect() }
    }

    fn is_of(&self, outcome: &CaseOutcome) -> bool {
        let blocked = outcome.end.blocked.iter().map(|it| (it.lane, &it.step));
        self.all_ended == outcome.all_ended
            && self.blocked.iter().map(|(lane, step)| (*lane, step)).eq(blocked)
    }

    fn text(&self, frame: &Frame) -> String {
        if self.all_ended {
            return "all ended".to_owned();
        }
        let blocked =
            self.blocked.iter().map(|(lane, step)| format!("{} {step}", frame.name(*lane)));
        match blocked.collect::<Vec<_>>().join(", ") {
            // Nothing is known of the run, or it went on.
            nobody if nobody.is_empty() => "undecided".to_owned(),
            blocked => format!("blocked: {blocked}"),
        }
    }
}

/// What cases add up to.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many there were.
    pub run: u64,
    /// Their steps, all together.
    pub steps: u64,
    /// By kill site of the frame.
    pub sites: Vec<Hits>,
    /// How many cases showed each hazard.
    pub hazards: BTreeMap<Hazard, u64>,
    /// By goal of the frame: whether a case reached it.
    pub goals: Vec<bool>,
    /// The actions of the model that they came to.
    pub covered: Covered,
    /// What each strategy found.
    pub strategies: BTreeMap<StrategyName, Found>,
    /// The failing cases with their positions in the sweep, in this order.
    pub failing: Vec<(u64, CaseOutcome)>,
    /// The position of the first inconclusive case, its reason, and how many there were.
    pub undecided: Option<(u64, String, u64)>,
    endings: Vec<(Standing, u64)>,
}

impl Tally {
    /// The tally of no case.
    pub fn new(frame: &Frame) -> Self {
        Self {
            run: 0,
            steps: 0,
            sites: vec![Hits::default(); frame.sites.len()],
            hazards: BTreeMap::new(),
            goals: vec![false; frame.goals.len()],
            covered: Covered::default(),
            strategies: BTreeMap::new(),
            failing: Vec::new(),
            undecided: None,
            endings: Vec::new(),
        }
    }

    /// Counts one more case, which comes after those that were counted.
    pub fn add(&mut self, frame: &Frame, position: u64, outcome: CaseOutcome) {
        self.run += 1;
        self.steps += outcome.steps;
        for kill in &outcome.case.kills {
            if let Some(&site) = frame.positions.get(kill) {
                self.sites[site].drawn += 1;
            }
        }
        for (kill, _) in &outcome.landed {
            if let Some(&site) = frame.positions.get(kill) {
                self.sites[site].landed += 1;
            }
        }
        for &hazard in &outcome.judged.hazards {
            *self.hazards.entry(hazard).or_default() += 1;
        }
        for (goal, reached) in frame.goals.iter().zip(&mut self.goals) {
            *reached = *reached || reaches(frame, goal, &outcome);
        }
        self.covered.extend(&outcome.covered);
        let failed = outcome.has_failed();
        let first = failed.then_some(position);
        let found = Found { cases: 1, failing: u64::from(failed), first };
        self.strategies.entry(outcome.case.strategy).or_default().extend(found);
        match self.endings.iter_mut().find(|(standing, _)| standing.is_of(&outcome)) {
            Some((_, cases)) => *cases += 1,
            None => self.endings.push((Standing::of(&outcome), 1)),
        }
        match &outcome.judged.verdict {
            Verdict::Pass => {}
            Verdict::Fail(_) => self.failing.push((position, outcome)),
            Verdict::Inconclusive(why) => {
                let first = self.undecided.get_or_insert_with(|| (position, why.clone(), 0));
                first.2 += 1;
            }
        }
    }

    /// Counts the cases of another tally, which come after those that were counted here.
    pub fn append(&mut self, other: Self) {
        self.run += other.run;
        self.steps += other.steps;
        for (mine, theirs) in self.sites.iter_mut().zip(other.sites) {
            mine.drawn += theirs.drawn;
            mine.landed += theirs.landed;
        }
        for (hazard, cases) in other.hazards {
            *self.hazards.entry(hazard).or_default() += cases;
        }
        for (mine, theirs) in self.goals.iter_mut().zip(other.goals) {
            *mine |= theirs;
        }
        self.covered.extend(&other.covered);
        for (strategy, found) in other.strategies {
            self.strategies.entry(strategy).or_default().extend(found);
        }
        for (standing, cases) in other.endings {
            match self.endings.iter_mut().find(|(mine, _)| *mine == standing) {
                Some((_, mine)) => *mine += cases,
                None => self.endings.push((standing, cases)),
            }
        }
        self.failing.extend(other.failing);
        match (&mut self.undecided, other.undecided) {
            (Some((_, _, mine)), Some((_, _, theirs))) => *mine += theirs,
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
    }

    /// How many cases ended in each way, in words.
    pub fn endings(&self, frame: &Frame) -> BTreeMap<String, u64> {
        let mut endings = BTreeMap::new();
        for (standing, cases) in &self.endings {
            *endings.entry(standing.text(frame)).or_default() += cases;
        }
        endings
    }

    /// How many different things were seen: actions of the model, kill sites that were hit,
    /// hazards, endings. It grows with every case that brings something new.
    pub(super) fn variety(&self) -> usize {
        let hit = self.sites.iter().filter(|hits| hits.landed > 0).count();
        self.covered.len() + hit + self.hazards.len() + self.endings.len()
    }
}

fn reaches(frame: &Frame, goal: &Goal, outcome: &CaseOutcome) -> bool {
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
            .any(|blocked| frame.name(blocked.lane) == lane && blocked.step == *step),
        Goal::Result { lane, outcome: wanted } => outcome
            .returns
            .iter()
            .any(|(of, result)| frame.name(*of) == lane && wanted.matches(*result, &frame.program)),
        Goal::AllEnded => outcome.all_ended,
    }
}
