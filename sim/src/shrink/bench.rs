//! Runs candidates and says whether they still show it.

use std::marker::PhantomData;

use midput_scenarios::Scenario;

use super::course::{By, Deviation, Noted, Notes};
use super::target::Target;
use crate::case::Case;
use crate::kernel::SimulatedOs;
use crate::schedule::{Drawn, StrategyName};
use crate::subject::Subject;
use crate::sweep::Runner;

/// A case with the scenario that it runs and the course of its schedule.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub scenario: Scenario,
    /// Its directives; its choices are in the course.
    pub case: Case,
    pub course: Vec<Deviation>,
    pub cost: Cost,
}

/// What is to become less, the first first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    pub preemptions: u32,
    /// Actions until the harm shows.
    pub shown: u64,
    /// Actions of the whole run.
    pub actions: u64,
    pub deviations: usize,
}

/// A run that shows the harm.
pub(super) struct Shown {
    pub cost: Cost,
    pub notes: Notes,
}

/// What one run did.
pub(super) struct Tried {
    /// What was seen, where the harm was.
    pub shown: Option<Shown>,
    /// The alternatives of each switch or choice, for those who enumerate them.
    pub fan: Vec<usize>,
    pub notes: Notes,
    /// Whether it was broken off because it did not end.
    pub is_endless: bool,
}

/// Where candidates are run, within a budget.
pub(super) struct Bench<'a, Q> {
    pub target: Target,
    /// Whether the subject has a model.
    pub lockstep: bool,
    pub runs: u64,
    pub runs_max: u64,
    pub stop: &'a dyn Fn() -> bool,
    /// The most actions of a run.
    pub actions_max: u64,
    pub subject: PhantomData<Q>,
}

impl<Q: Subject<SimulatedOs>> Bench<'_, Q> {
    /// Whether the budget is used up.
    pub(super) fn is_spent(&self) -> bool {
        self.runs >= self.runs_max || (self.stop)()
    }

    pub(super) fn runner<'s>(&self, scenario: &'s Scenario) -> Runner<'s> {
        Runner::new(scenario, self.lockstep)
    }

    /// Runs a case once.
    pub(super) fn run(&mut self, runner: &mut Runner<'_>, case: &Case, by: By<'_>) -> Tried {
        self.run_noted(runner, case, Noted::new(by, self.actions_max))
    }

    pub(super) fn run_noted(
        &mut self,
        runner: &mut Runner<'_>,
        case: &Case,
        mut noted: Noted<'_>,
    ) -> Tried {
        self.runs += 1;
        let outcome = runner.run_with::<Q>(case, &mut noted, None);
        let is_endless = noted.is_endless();
        let fan = std::mem::take(&mut noted.switches);
        let notes = noted.notes;
        let shown = self.target.is_shown_by(&outcome.judged.verdict).then(|| {
            let observers = runner.observers();
            let cost = Cost {
                preemptions: notes.preemptions,
                shown: self.target.shown_after(observers),
                actions: observers.actions,
                deviations: notes.course.len(),
            };
            Shown { cost, notes: notes.clone() }
        });
        Tried { shown, fan, notes, is_endless }
    }

    /// Looks for a schedule of a candidate that shows the harm: along its course, as usual, and so
    /// many drawn ones.
    pub(super) fn search(&mut self, candidate: &Candidate, drawn: u64) -> Option<Candidate> {
        let mut runner = self.runner(&candidate.scenario);
        let found = |shown: Shown| Candidate {
            course: shown.notes.course,
            cost: shown.cost,
            ..candidate.clone()
        };
        for exact in [true, false] {
            let by = By::Course { wanted: candidate.course.clone(), exact };
            if let Some(shown) = self.run(&mut runner, &candidate.case, by).shown {
                return Some(found(shown));
            }
            if candidate.course.is_empty() {
                break;
            }
        }
        if !candidate.course.is_empty()
            && let Some(shown) = self.run(&mut runner, &candidate.case, By::Positions(&[])).shown
        {
            return Some(found(shown));
        }
        let length = u32::try_from(candidate.cost.actions).unwrap_or(u32::MAX);
        for number in 0..drawn {
            if self.is_spent() {
                return None;
            }
            let name = DRAWN[(number % DRAWN.len() as u64) as usize];
            let mut strategy = Drawn::new(name, SEED, number, length);
            let by = By::Strategy(&mut strategy);
            if let Some(shown) = self.run(&mut runner, &candidate.case, by).shown {
                return Some(found(shown));
            }
        }
        None
    }
}

/// What drawn schedules are drawn from: shrinking depends on the case alone.
const SEED: u64 = 0x5eed;
/// Who draws them, in turn: few preemptions are tried as often as many.
pub(super) const DRAWN: [StrategyName; 4] = [
    StrategyName::Bounded { preemptions: 0 },
    StrategyName::Bounded { preemptions: 1 },
    StrategyName::Random,
    StrategyName::Bounded { preemptions: 2 },
];
