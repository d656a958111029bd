//! Few preemptions: a lane goes on until it blocks or ends, but for some drawn places.
//!
//! Most bugs need few preemptions, and a run with few of them is easy to read.

use midput_model::program::LaneId;

use super::places::Places;
use super::{Halt, Random, Strategy};
use crate::host::Alternative;
use crate::kernel::Kernel;

/// Whoever ran last goes on, where it can.
#[derive(Clone, Debug)]
pub struct Bounded {
    random: Random,
    /// Among the choices at which who ran last could go on: where another is drawn.
    preemptions: Places,
    running: Option<LaneId>,
    choices: u32,
}

impl Bounded {
    /// At most so many preemptions, in runs of about `length` choices.
    pub fn new(mut random: Random, preemptions: u8, length: u32) -> Self {
        let preemptions = Places::draw(&mut random, usize::from(preemptions), length);
        Self { random, preemptions, running: None, choices: 0 }
    }
}

impl Strategy for Bounded {
    fn choose(
        &mut self,
        _kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        let runs =
            |&it: &Alternative| matches!(it, Alternative::Lane(lane) if Some(lane) == self.running);
        let chosen = match alternatives.iter().position(runs) {
            None => self.random.below(alternatives.len()),
            Some(running) => {
                self.choices += 1;
                if !self.preemptions.holds(self.choices) {
                    running
                } else {
                    let other = self.random.below(alternatives.len() - 1);
                    other + usize::from(other >= running)
                }
            }
        };
        self.passed(alternatives[chosen]);
        Ok(chosen)
    }

    /// Kills, deaths and interruptions take nobody's turn.
    fn passed(&mut self, only: Alternative) {
        if let Alternative::Lane(lane) | Alternative::Expire(lane) = only {
            self.running = Some(lane);
        }
    }
}
