//! Probabilistic concurrency testing: random priorities and few places where they change.
//!
//! A bug of depth `d` is one that shows as soon as `d` pairs of steps come in just the wrong order.
//! With `n` actors and a run of `k` choices, a case finds it with a probability of at least
//! `1 / (n * k^(d - 1))`, whatever the program does otherwise (Burckhardt et al., ASPLOS 2010).

use super::places::Places;
use super::{Halt, Random, Strategy};
use crate::host::Alternative;
use crate::kernel::Kernel;

/// Lanes, their timers, dying processes, kills and interruptions: each kind has its part.
const ACTORS: usize = 256;
/// Drawn priorities are above those that a place of change gives.
const DRAWN: u32 = 1 << 31;

/// Whoever has the highest priority goes first.
#[derive(Clone, Debug)]
pub struct Pct {
    random: Random,
    /// By actor; 0 is not drawn yet.
    priorities: [u32; ACTORS],
    /// Where who goes first falls behind: the place drawn i-th gives priority i.
    changes: Places,
    choices: u32,
}

impl Pct {
    /// Looks for bugs of this depth in runs of about `length` choices.
    pub fn new(mut random: Random, depth: u8, length: u32) -> Self {
        let changes = Places::draw(&mut random, usize::from(depth.saturating_sub(1)), length);
        Self { random, priorities: [0; ACTORS], changes, choices: 0 }
    }

    /// The position of the alternative that has the highest priority. Among equals it is the first.
    fn first(&mut self, alternatives: &[Alternative]) -> usize {
        let mut first = (0, 0);
        for (index, &alternative) in alternatives.iter().enumerate() {
            let priority = &mut self.priorities[actor(alternative)];
            if *priority == 0 {
                *priority = DRAWN + self.random.below(DRAWN as usize) as u32;
            }
            if *priority > first.1 {
                first = (index, *priority);
            }
        }
        first.0
    }
}

impl Strategy for Pct {
    fn choose(
        &mut self,
        _kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        self.choices += 1;
        let mut first = self.first(alternatives);
        for change in 0..self.changes.count() {
            if self.changes.at(change) != self.choices {
                continue;
            }
            self.priorities[actor(alternatives[first])] = 1 + change as u32;
            first = self.first(alternatives);
        }
        // A lane goes on with its priority. Every wait has a timer of its own.
        if !matches!(alternatives[first], Alternative::Lane(_)) {
            self.priorities[actor(alternatives[first])] = 0;
        }
        Ok(first)
    }
}

/// Whose priority decides about an alternative.
fn actor(alternative: Alternative) -> usize {
    match alternative {
        Alternative::Lane(lane) => usize::from(lane.0 % 64),
        Alternative::Expire(lane) => 64 + usize::from(lane.0 % 64),
        Alternative::Die(process) => 128 + usize::from(process.0 % 64),
        Alternative::Kill(index) => 192 + index % 32,
        Alternative::Interrupt(index) => 224 + index % 32,
        // What a search may do anywhere is no case's: these have the timers' places.
        Alternative::Pass => 64,
        Alternative::KillHere(process, _) => 128 + usize::from(process.0 % 64),
        Alternative::ShortHere(lane) | Alternative::InterruptHere(lane) => {
            64 + usize::from(lane.0 % 64)
        }
    }
}
