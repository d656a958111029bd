//! Another strategy's choices, up to a site.

use midput_model::program::LaneId;
use midput_model::site::Site;

use super::{Halt, Strategy};
use crate::host::Alternative;
use crate::kernel::Kernel;

/// Ends the run where a lane has come to a site and has not done its step.
pub struct Until<'a> {
    by: &'a mut dyn Strategy,
    site: Site,
    /// Whether it came there.
    pub reached: bool,
}

impl<'a> Until<'a> {
    /// Chooses as `by` does, until `site`.
    pub fn new(by: &'a mut dyn Strategy, site: Site) -> Self {
        Self { by, site, reached: false }
    }

    fn is_here(&self, kernel: &Kernel) -> bool {
        let mut lanes = (0u8..).take(kernel.lane_count()).map(LaneId);
        let lane = lanes.find(|&lane| kernel.lane_name(lane) == self.site.lane);
        lane.and_then(|lane| kernel.parked(lane)).is_some_and(|parked| {
            parked.site.name == self.site.step
                && parked.occurrence == self.site.occurrence
                && parked.site.offset >= self.site.offset as usize
        })
    }
}

impl Strategy for Until<'_> {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        if self.is_here(kernel) {
            self.reached = true;
            return Err(Halt::Redundant.into());
        }
        if let ([only], false) = (alternatives, self.by.wants_every_step()) {
            self.by.passed(*only);
            return Ok(0);
        }
        self.by.choose(kernel, alternatives)
    }

    fn wants_every_step(&self) -> bool {
        true
    }

    fn ended(&mut self, kernel: &Kernel) {
        // It may stand there when nothing more can happen.
        self.reached |= self.is_here(kernel);
        self.by.ended(kernel);
    }

    fn passed(&mut self, only: Alternative) {
        self.by.passed(only);
    }
}
