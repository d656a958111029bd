//! The choices of a case that has none recorded: drawn from its seed and number by its strategy.

use super::{Bounded, Halt, Pct, Random, Strategy, StrategyName};
use crate::host::Alternative;
use crate::kernel::Kernel;

/// A run of so many times its length is drawn at random from there on: where a lane spins for
/// another one, priorities would have it spin for ever.
const LENGTHS_MAX: u32 = 4;

/// Decides as the strategy of a case does.
#[derive(Clone, Debug)]
pub struct Drawn {
    by: By,
    /// The choices that are left to the strategy, before all is random.
    left: u32,
    /// For what comes after.
    random: Random,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives for a run, on the stack; none is moved")]
enum By {
    Random,
    Pct(Pct),
    Bounded(Bounded),
}

impl Drawn {
    /// The choices of case `number` of a sweep with `seed`, in a run of about `length` choices: the
    /// same on every machine, whichever other cases run.
    pub fn new(name: StrategyName, seed: u64, number: u64, length: u32) -> Self {
        let random = Random::new(seed, number);
        let by = match name {
            StrategyName::Random => By::Random,
            StrategyName::Pct { depth } => By::Pct(Pct::new(random.clone(), depth, length)),
            StrategyName::Bounded { preemptions } => {
                By::Bounded(Bounded::new(random.clone(), preemptions, length))
            }
        };
        Self { by, left: length.saturating_mul(LENGTHS_MAX), random }
    }
}

impl Strategy for Drawn {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        if self.left == 0 {
            return self.random.choose(kernel, alternatives);
        }
        self.left -= 1;
        match &mut self.by {
            By::Random => self.random.choose(kernel, alternatives),
            By::Pct(pct) => pct.choose(kernel, alternatives),
            By::Bounded(bounded) => bounded.choose(kernel, alternatives),
        }
    }

    fn choose_lane(
        &mut self,
        kernel: &Kernel,
        lanes: u64,
        count: usize,
    ) -> Result<usize, Box<Halt>> {
        if matches!(self.by, By::Random) || self.left == 0 {
            return Ok(self.random.below(count));
        }
        self.choose(kernel, &crate::host::lanes(lanes))
    }

    fn passed(&mut self, only: Alternative) {
        match &mut self.by {
            By::Random | By::Pct(_) => {}
            By::Bounded(bounded) => bounded.passed(only),
        }
    }
}
