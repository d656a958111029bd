//! The critical point: the last choice that made the harm unavoidable.

use std::fmt;

use super::Shrinker;
use super::bench::{Bench, Candidate, DRAWN};
use super::course::By;
use super::order::next_list;
use super::target::Target;
use crate::host::Alternative;
use crate::kernel::{Kernel, SimulatedOs};
use crate::schedule::{Drawn, Halt, Strategy, describe};
use crate::subject::Subject;
use crate::sweep::Runner;

/// The most continuations of one beginning that are tried.
const CONTINUATIONS_MAX: u64 = 300;

/// How sure it is that every continuation shows the harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuations {
    /// There are no others than these.
    All(u64),
    /// So many were tried.
    Tried(u64),
}

impl fmt::Display for Continuations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(1) => formatter.write_str("in the only continuation"),
            Self::All(all) => write!(formatter, "in all {all} continuations"),
            Self::Tried(tried) => write!(formatter, "in {tried} tried"),
        }
    }
}

/// The last choice that made the harm unavoidable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Critical {
    /// Before this choice the harm could be avoided, after it no more.
    Choice {
        /// Which choice of the case, from 1.
        number: usize,
        /// What was chosen.
        chosen: String,
        /// What would have avoided it.
        instead: String,
        /// How sure it is that nothing after it avoids it.
        continuations: Continuations,
    },
    /// Every schedule of the shrunk case shows the harm.
    Always(Continuations),
    /// The question makes no sense for such a failure, and why.
    None(&'static str),
}

impl fmt::Display for Critical {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Choice { chosen, instead, continuations, .. } => write!(
                formatter,
                "{chosen}; instead {instead} would have avoided it (after it the harm shows \
                 {continuations})"
            ),
            Self::Always(continuations) => {
                write!(formatter, "none: every schedule shows it ({continuations})")
            }
            Self::None(why) => write!(formatter, "none: {why}"),
        }
    }
}

/// Whether the harm can still be avoided.
enum Fate {
    /// By a continuation that makes this choice next.
    Avoidable(Option<usize>),
    Unavoidable(Continuations),
}

impl<Q: Subject<SimulatedOs>> Shrinker<'_, Q> {
    /// Finds it by halving: once the harm is unavoidable it stays so.
    pub(super) fn critical(&mut self, best: &Candidate, choices: &[usize]) -> Critical {
        match self.bench.target {
            Target::Divergence(_) => {
                return Critical::None("the code differs from its model, whatever is chosen then");
            }
            Target::Panic(_) => return Critical::None("a panic is a mistake by itself"),
            Target::Hazard(_) | Target::Guarantee(_) => {}
        }
        let mut runner = self.bench.runner(&best.scenario);
        let bench = &mut self.bench;
        let (mut low, mut high) = (0, choices.len());
        let mut avoids = match bench.fate(&mut runner, best, &[]) {
            Fate::Unavoidable(continuations) => return Critical::Always(continuations),
            Fate::Avoidable(next) => next,
        };
        let mut sure = Continuations::All(1);
        // Avoidable after `low` choices, unavoidable after `high`.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match bench.fate(&mut runner, best, &choices[..middle]) {
                Fate::Avoidable(next) => (low, avoids) = (middle, next),
                Fate::Unavoidable(continuations) => (high, sure) = (middle, continuations),
            }
        }
        let mut positions = choices[..low].to_vec();
        let chosen = bench.text_at(&mut runner, best, &positions, choices[low]);
        let Some(instead) = avoids else {
            return Critical::None("no single choice was found that avoids it");
        };
        let instead = bench.text_at(&mut runner, best, &positions, instead);
        positions.push(choices[low]);
        Critical::Choice { number: low + 1, chosen, instead, continuations: sure }
    }
}

impl<Q: Subject<SimulatedOs>> Bench<'_, Q> {
    /// Whether every continuation of these choices shows the harm: all of them where they are few,
    /// else some that are drawn.
    fn fate(&mut self, runner: &mut Runner<'_>, best: &Candidate, begun: &[usize]) -> Fate {
        let mut more: Vec<usize> = Vec::new();
        for tried in 1..=CONTINUATIONS_MAX {
            let by = By::Continued { begun, offsets: &more };
            let run = self.run(runner, &best.case, by);
            if run.shown.is_none() && !run.is_endless {
                return Fate::Avoidable(run.notes.choices.get(begun.len()).copied());
            }
            let fan = run.notes.alternatives.get(begun.len()..).unwrap_or_default();
            if !next_list(&mut more, fan) {
                return Fate::Unavoidable(Continuations::All(tried));
            }
        }
        let length = u32::try_from(best.cost.actions).unwrap_or(u32::MAX);
        for number in 0..CONTINUATIONS_MAX {
            let name = DRAWN[(number % DRAWN.len() as u64) as usize];
            let mut strategy = Begun { begun, next: 0, by: Drawn::new(name, 1, number, length) };
            let run = self.run(runner, &best.case, By::Strategy(&mut strategy));
            if run.shown.is_none() && !run.is_endless {
                return Fate::Avoidable(run.notes.choices.get(begun.len()).copied());
            }
        }
        Fate::Unavoidable(Continuations::Tried(2 * CONTINUATIONS_MAX))
    }

    /// What stands at a position after these choices.
    fn text_at(
        &mut self,
        runner: &mut Runner<'_>,
        best: &Candidate,
        begun: &[usize],
        position: usize,
    ) -> String {
        let mut look = Look { begun, next: 0, position, text: String::new() };
        runner.run_with::<Q>(&best.case, &mut look, None);
        look.text
    }
}

/// Some choices by their positions, and the rest drawn.
struct Begun<'a> {
    begun: &'a [usize],
    next: usize,
    by: Drawn,
}

impl Strategy for Begun<'_> {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        self.next += 1;
        match self.begun.get(self.next - 1) {
            Some(position) => {
                let position = position % alternatives.len();
                self.by.passed(alternatives[position]);
                Ok(position)
            }
            None => self.by.choose(kernel, alternatives),
        }
    }

    fn passed(&mut self, only: Alternative) {
        self.by.passed(only);
    }
}

/// Some choices by their positions, then a look at what could be chosen, and the end.
struct Look<'a> {
    begun: &'a [usize],
    next: usize,
    position: usize,
    text: String,
}

impl Strategy for Look<'_> {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        self.next += 1;
        if let Some(position) = self.begun.get(self.next - 1) {
            return Ok(position % alternatives.len());
        }
        self.text = describe(kernel, alternatives[self.position % alternatives.len()]);
        Err(Halt::Redundant.into())
    }
}
