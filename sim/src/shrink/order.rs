//! The axis of the schedule: the fewest preemptions, then the fewest steps.

use super::Shrinker;
use super::bench::{Candidate, Shown};
use super::course::{By, Deviation};
use crate::kernel::SimulatedOs;
use crate::subject::Subject;
use crate::sweep::Runner;

/// The most schedules without a preemption that are tried.
const SWITCHES_MAX: u64 = 400;

impl<Q: Subject<SimulatedOs>> Shrinker<'_, Q> {
    /// Leaves out deviations, then looks near by and among the schedules without preemptions.
    pub(super) fn schedule(&mut self) {
        let scenario = self.best.scenario.clone();
        let mut runner = self.bench.runner(&scenario);
        self.fewer_deviations(&mut runner);
        self.without_preemptions(&mut runner);
        while self.one_change(&mut runner) {
            self.fewer_deviations(&mut runner);
        }
    }

    /// Accepts a run where it costs less.
    fn cheaper(&mut self, shown: Option<Shown>, what: &str) -> bool {
        let Some(shown) = shown.filter(|shown| shown.cost < self.best.cost) else { return false };
        let (course, cost) = (shown.notes.course, shown.cost);
        let found = Candidate { course, cost, ..self.best.clone() };
        let text = match cost.preemptions {
            0 => format!("{what}, without preemptions"),
            1 => format!("{what}, with 1 preemption"),
            several => format!("{what}, with {several} preemptions"),
        };
        self.accept(found, text);
        true
    }

    /// Half of the deviations at once, then fewer, then each by itself.
    fn fewer_deviations(&mut self, runner: &mut Runner<'_>) {
        let mut size = self.best.course.len();
        while size > 0 {
            let mut begin = 0;
            while begin < self.best.course.len() && !self.bench.is_spent() {
                let end = (begin + size).min(self.best.course.len());
                let course = &self.best.course;
                let fewer: Vec<Deviation> =
                    course[..begin].iter().chain(&course[end..]).copied().collect();
                let by = By::Course { wanted: fewer, exact: true };
                let tried = self.bench.run(runner, &self.best.case, by);
                if !self.cheaper(tried.shown, "fewer switches") {
                    begin = end;
                }
            }
            size /= 2;
        }
    }

    /// Every schedule in which whoever can go on does, as far as they are not too many.
    fn without_preemptions(&mut self, runner: &mut Runner<'_>) {
        let mut switches: Vec<usize> = Vec::new();
        for _ in 0..SWITCHES_MAX {
            if self.bench.is_spent() {
                return;
            }
            let by = By::Switches(&switches);
            let tried = self.bench.run(runner, &self.best.case, by);
            self.cheaper(tried.shown, "another order");
            if !next_list(&mut switches, &tried.fan) {
                return;
            }
        }
    }

    /// One choice made otherwise, and as usual from there. `true` where something was found.
    fn one_change(&mut self, runner: &mut Runner<'_>) -> bool {
        let course = self.best.course.clone();
        let by = By::Course { wanted: course, exact: true };
        let base = self.bench.run(runner, &self.best.case, by).notes;
        let mut found = false;
        for (place, &of) in base.alternatives.iter().enumerate() {
            for other in (0..of).filter(|&other| other != base.choices[place]) {
                if self.bench.is_spent() {
                    return false;
                }
                let mut positions = base.choices[..place].to_vec();
                positions.push(other);
                let by = By::Positions(&positions);
                let tried = self.bench.run(runner, &self.best.case, by);
                found |= self.cheaper(tried.shown, "another order");
            }
        }
        found
    }
}

/// The next list of positions in the order of counting, where `fan` says how many each place has.
/// `false` after the last.
pub(super) fn next_list(list: &mut Vec<usize>, fan: &[usize]) -> bool {
    list.resize(fan.len(), 0);
    while let Some(last) = list.pop() {
        if last + 1 < fan[list.len()] {
            list.push(last + 1);
            return true;
        }
    }
    false
}
