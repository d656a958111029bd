//! Who decides at a choice.

use crate::host::Alternative;
use crate::kernel::Kernel;

mod bounded;
mod drawn;
mod exhaustive;
mod follow;
mod name;
mod pct;
mod places;
mod portfolio;
mod random;
mod replay;
mod until;

pub use bounded::Bounded;
pub use drawn::Drawn;
pub use exhaustive::{Exhaustive, ExhaustiveOptions, Stood, Tally, TooMany};
pub use follow::Follow;
pub use name::{PLACES_MAX, StrategyName, UnknownStrategy};
pub use pct::Pct;
pub use portfolio::{PORTFOLIO, Strategies};
pub use random::Random;
pub use replay::{Clamped, Replay, ReplayDiverged};
pub use until::Until;

/// Why a strategy ends a run. It is boxed where it is an error, so that a choice is two words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// What was recorded does not fit what is here.
    Diverged(ReplayDiverged),
    /// What follows here was explored before.
    Redundant,
    /// A search cannot tell apart all who act.
    TooMany(TooMany),
}

impl From<TooMany> for Box<Halt> {
    fn from(too_many: TooMany) -> Self {
        Self::new(Halt::TooMany(too_many))
    }
}

impl From<ReplayDiverged> for Box<Halt> {
    fn from(diverged: ReplayDiverged) -> Self {
        Self::new(Halt::Diverged(diverged))
    }
}

/// Who decides at a choice between several alternatives. Where there is only one, nobody is asked.
pub trait Strategy {
    /// The position of what happens next.
    ///
    /// # Errors
    /// Where the run ends here: what was recorded does not fit, or nothing new follows.
    fn choose(&mut self, kernel: &Kernel, alternatives: &[Alternative])
    -> Result<usize, Box<Halt>>;

    /// The position of the lane that steps next among these, `count` in all: what it is asked where nothing else
    /// can happen, which is most often so.
    ///
    /// # Errors
    /// As for [`choose`](Self::choose).
    fn choose_lane(
        &mut self,
        kernel: &Kernel,
        lanes: u64,
        _count: usize,
    ) -> Result<usize, Box<Halt>> {
        self.choose(kernel, &crate::host::lanes(lanes))
    }

    /// Whether it is asked even where there is only one alternative, in the run that begins now.
    fn wants_every_step(&self) -> bool {
        false
    }

    /// The run is over.
    fn ended(&mut self, _kernel: &Kernel) {}

    /// What happened without a choice.
    fn passed(&mut self, _only: Alternative) {}
}

/// An alternative in words: `P1.feed write-body[1]`, `P1 dies`, `kill 1`.
pub fn describe(kernel: &Kernel, alternative: Alternative) -> String {
    crate::host::describe(kernel, 0, 1, alternative).text(kernel)
}

#[cfg(test)]
mod tests;
