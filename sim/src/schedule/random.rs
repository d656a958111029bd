//! Uniform choices from one ChaCha8 stream for each case.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Halt, Strategy};
use crate::host::Alternative;
use crate::kernel::Kernel;

/// Every alternative is as likely as every other.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The choices of case `case` of a sweep with `seed`: the same on every machine, whichever
    /// other cases run.
    pub fn new(seed: u64, case: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(case);
        Self(generator)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound).unwrap_or(u32::MAX);
        // The high half of a product is as uniform as a remainder and needs no division.
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as usize
    }
}

impl Strategy for Random {
    fn choose(
        &mut self,
        _kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        Ok(self.below(alternatives.len()))
    }

    fn choose_lane(&mut self, _: &Kernel, _: u64, count: usize) -> Result<usize, Box<Halt>> {
        Ok(self.below(count))
    }
}
