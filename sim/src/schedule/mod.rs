//! Who decides at a choice.

use crate::host::Alternative;
use crate::kernel::Kernel;

mod bounded;
mod drawn;
mod follow;
mod name;
mod pct;
mod places;
mod portfolio;
mod random;
mod replay;

pub use bounded::Bounded;
pub use drawn::Drawn;
pub use follow::Follow;
pub use name::{PLACES_MAX, StrategyName, UnknownStrategy};
pub use pct::Pct;
pub use portfolio::{PORTFOLIO, Strategies};
pub use random::Random;
pub use replay::{Clamped, Replay, ReplayDiverged};

/// Who decides at a choice between several alternatives. Where there is only one, nobody is asked.
pub trait Strategy {
    /// The position of what happens next.
    ///
    /// # Errors
    /// Where what was recorded does not fit what is here.
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, ReplayDiverged>;

    /// What happened without a choice.
    fn passed(&mut self, _only: Alternative) {}
}

/// An alternative in words: `P1.feed write-body[1]`, `P1 dies`, `kill 1`.
pub fn describe(kernel: &Kernel, alternative: Alternative) -> String {
    crate::host::describe(kernel, 0, 1, alternative).text(kernel)
}
