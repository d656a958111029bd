//! Shrinking: from a failing case to a small one that still shows the same.
//!
//! Kills and faults are taken away first, then processes, operations and sizes, and at last the
//! schedule is made plain: few preemptions, few steps. Whatever is taken away, the same failure
//! must show again; where the old schedule does not fit any more, a few others are tried. All of
//! it depends on the case alone, within a budget of runs.
//!
//! ```
//! use midput_sim::shrink::{Budget, shrink};
//! use midput_sim::subject::Classic;
//! use midput_sim::sweep::Runner;
//!
//! let scenario = midput_scenarios::parse(
//!     "mine/torn",
//!     r#"
//! why = "A producer dies inside a large write, and nothing is allowed to come of it."
//! [queue.jobs]
//! maxsize = 4
//! [process.P0]
//! main = ["start P1", "start P2", "get timeout=50ms", "get timeout=50ms"]
//! [process.P1]
//! main = ["put a 100kB"]
//! [process.P2]
//! main = ["put b 10B"]
//! "#,
//! )
//! .unwrap();
//! let case = "midput case 1\nscenario mine/torn\nsubject classic\ndrawn seed 0x1 case 0\n\
//!             time patient\nkill P1 SIGKILL before P1.feed write-body[1]\n";
//! let shrunk =
//!     shrink::<Classic<_>>(&scenario, &case.parse().unwrap(), Budget::default(), &mut |_| ());
//! let shrunk = shrunk.unwrap();
//! assert_eq!(shrunk.case.program.unwrap().program.processes.len(), 2);
//! ```

use std::fmt;
use std::marker::PhantomData;

use midput_scenarios::Scenario;

use crate::case::Case;
use crate::kernel::SimulatedOs;
use crate::schedule::{Drawn, Replay};
use crate::subject::Subject;
use crate::sweep::CaseOutcome;

use bench::{Bench, Candidate, Cost};
use course::{By, Noted, Notes};

pub use critical::{Continuations, Critical};
pub use emit::{NotAlone, emit_rust, run_alone};
pub use target::Target;

mod bench;
mod course;
mod critical;
mod emit;
mod order;
mod parts;
mod program;
mod target;

/// Rounds over all axes, at most: what is gone in one lets more go in the next.
const ROUNDS: usize = 4;

/// How much is tried.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// The most runs. The critical point is looked for with as many again.
    pub runs_max: u64,
    /// Asked between runs; `true` ends it with what has been found.
    pub stop: &'a dyn Fn() -> bool,
}

impl Default for Budget<'_> {
    /// 8,000 runs, whatever time they take: a second or less in a release build.
    fn default() -> Self {
        Self { runs_max: 8000, stop: &|| false }
    }
}

/// A smaller case that was accepted. Its text is `34 -> 19 steps  without P2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The steps until the harm showed, before it.
    pub before: u64,
    /// And after it.
    pub after: u64,
    /// What is smaller.
    pub what: String,
}

impl fmt::Display for Accepted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {} steps  {}", self.before, self.after, self.what)
    }
}

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The small case, with its choices, and with its own program where that is smaller.
    pub case: Case,
    /// What it shows.
    pub outcome: CaseOutcome,
    /// What was kept.
    pub target: Target,
    /// Steps until the harm showed in the case as it was found.
    pub before: u64,
    /// Steps until it shows in the small one.
    pub after: u64,
    /// How many runs it took.
    pub runs: u64,
    /// The last choice that made the harm unavoidable.
    pub critical: Critical,
}

/// Why a case cannot be shrunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotShrunk {
    /// It shows nothing.
    #[error("the case does not fail in simulation; there is nothing to shrink")]
    Passes,
    /// It fails in a way that a smaller case cannot show.
    #[error("a case that fails so is not shrunk: {0}")]
    Kind(String),
    /// What was found does not show it when it is replayed.
    #[error("the shrunk case does not show the same when replayed; this is a mistake in midput")]
    Lost,
}

/// Shrinks a failing case of a scenario. `told` is told of each smaller case that is accepted.
///
/// # Errors
/// Where the case does not fail, or fails in a way that cannot be shrunk.
pub fn shrink<Q: Subject<SimulatedOs>>(
    scenario: &Scenario,
    case: &Case,
    budget: Budget<'_>,
    told: &mut dyn FnMut(&Accepted),
) -> Result<Shrunk, NotShrunk> {
    let scenario = case.scenario_or(scenario);
    let mut shrinker = Shrinker::<Q>::new(scenario, case, budget, told)?;
    let before = shrinker.best.cost.shown;
    shrinker.all_axes();
    shrinker.conclude(scenario, case, before)
}

/// A case while it is shrunk.
struct Shrinker<'a, Q> {
    bench: Bench<'a, Q>,
    best: Candidate,
    told: &'a mut dyn FnMut(&Accepted),
    /// How many smaller cases were accepted.
    accepted: u64,
}

impl<'a, Q: Subject<SimulatedOs>> Shrinker<'a, Q> {
    fn new(
        scenario: &Scenario,
        case: &Case,
        budget: Budget<'a>,
        told: &'a mut dyn FnMut(&Accepted),
    ) -> Result<Self, NotShrunk> {
        let mut bench = Bench {
            target: Target::Panic(String::new()),
            lockstep: case.subject == "classic",
            runs: 0,
            runs_max: budget.runs_max,
            stop: budget.stop,
            actions_max: u64::MAX,
            subject: PhantomData,
        };
        let mut runner = bench.runner(scenario);
        let first = runner.run::<Q>(case, None);
        bench.target = match Target::of(&first.judged.verdict) {
            Some(target) => target,
            None if first.has_failed() => {
                return Err(NotShrunk::Kind(format!("{:?}", first.judged.verdict)));
            }
            None => return Err(NotShrunk::Passes),
        };
        let mut drawn = Drawn::new(case.strategy, case.seed, case.number, case.length);
        let mut replay = case.choices.clone().map(Replay::new);
        let by = match &mut replay {
            Some(replay) => By::Strategy(replay),
            None => By::Strategy(&mut drawn),
        };
        // The choices of candidates are in their courses.
        let bare = Case { choices: Some(Vec::new()), program: None, ..case.clone() };
        let shown = bench.run(&mut runner, &bare, by).shown.ok_or(NotShrunk::Passes)?;
        bench.actions_max = 2 * shown.cost.actions + 100;
        let (course, cost) = (shown.notes.course, shown.cost);
        let best = Candidate { scenario: scenario.clone(), case: bare, course, cost };
        Ok(Self { bench, best, told, accepted: 0 })
    }

    fn accept(&mut self, candidate: Candidate, what: String) {
        let (before, after) = (self.best.cost.shown, candidate.cost.shown);
        self.best = candidate;
        self.accepted += 1;
        (self.told)(&Accepted { before, after, what });
    }

    fn all_axes(&mut self) {
        for _ in 0..ROUNDS {
            let accepted = self.accepted;
            self.faults();
            self.processes();
            self.operations();
            self.sizes();
            self.earlier_kills();
            let parts = self.accepted > accepted;
            self.schedule();
            if !parts || self.bench.is_spent() {
                return;
            }
        }
    }

    /// The shrunk case with its choices, replayed from its text.
    fn conclude(
        mut self,
        scenario: &Scenario,
        case: &Case,
        before: u64,
    ) -> Result<Shrunk, NotShrunk> {
        let best = self.best.clone();
        let mut runner = self.bench.runner(&best.scenario);
        let by = By::Course { wanted: best.course.clone(), exact: true };
        let mut noted = Noted::new(by, u64::MAX);
        noted.notes = Notes::with_texts();
        let notes = self.bench.run_noted(&mut runner, &best.case, noted).notes;
        let is_smaller = best.scenario.program != scenario.program;
        let shrunk = Case {
            choices: notes.texts,
            program: match &case.program {
                Some(_) => Some(Box::new(best.scenario.clone())),
                None => is_smaller.then(|| Box::new(best.scenario.clone())),
            },
            ..best.case.clone()
        };
        let read: Case = shrunk.to_string().parse().map_err(|_| NotShrunk::Lost)?;
        let outcome = self.bench.runner(read.scenario_or(scenario)).run::<Q>(&read, None);
        if !self.bench.target.is_shown_by(&outcome.judged.verdict) {
            return Err(NotShrunk::Lost);
        }
        let critical = self.critical(&best, &notes.choices);
        let Cost { shown: after, .. } = best.cost;
        let target = self.bench.target.clone();
        Ok(Shrunk { case: read, outcome, target, before, after, runs: self.bench.runs, critical })
    }
}
