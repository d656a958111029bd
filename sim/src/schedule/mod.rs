//! Who decides at a choice.

use midput_model::program::LaneId;

use crate::host::Alternative;
use crate::kernel::Kernel;

mod random;
mod replay;

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
}

/// An alternative in words: `P1.feed write-body[1]`, `P1 dies`, `kill 1`.
pub fn describe(kernel: &Kernel, alternative: Alternative) -> String {
    let at = |lane: LaneId| match kernel.parked(lane) {
        Some(parked) => {
            format!("{} {}[{}]", kernel.lane_name(lane), parked.site.name, parked.occurrence)
        }
        None => kernel.lane_name(lane).to_owned(),
    };
    match alternative {
        Alternative::Lane(lane) => at(lane),
        Alternative::Expire(lane) => format!("{} expires", at(lane)),
        Alternative::Die(process) => format!("{} dies", kernel.process_name(process)),
        Alternative::Kill(index) => format!("kill {}", index + 1),
    }
}
