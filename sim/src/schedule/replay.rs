//! Recorded choices, again.

use super::{Halt, Random, Strategy, describe};
use crate::host::Alternative;
use crate::kernel::Kernel;

/// Where a recorded choice does not fit what is here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "diverged at step {step}: choice {number} of the case does not fit: it chose '{recorded}' \
     (alternative {index}), here are: {here}"
)]
pub struct ReplayDiverged {
    /// At which step of the run, from 1.
    pub step: u64,
    /// Which choice, from 1.
    pub number: usize,
    /// What was recorded.
    pub recorded: String,
    /// At which position.
    pub index: usize,
    /// What could be chosen.
    pub here: String,
}

/// Follows recorded choices strictly: position and text must both fit.
#[derive(Clone, Debug)]
pub struct Replay {
    choices: Vec<(usize, String)>,
    next: usize,
    steps: u64,
    /// Who goes on where a choice does not fit, and where that was.
    then: Option<Random>,
    diverged: Option<ReplayDiverged>,
}

impl Replay {
    /// Follows these choices: position and what stood there.
    pub fn new(choices: Vec<(usize, String)>) -> Self {
        Self { choices, next: 0, steps: 0, then: None, diverged: None }
    }

    /// Goes on at random where a choice does not fit, and where there are no more.
    #[must_use]
    pub fn then(self, random: Random) -> Self {
        Self { then: Some(random), ..self }
    }

    /// Where it went on at random.
    pub fn diverged(&self) -> Option<&ReplayDiverged> {
        self.diverged.as_ref()
    }

    /// How many recorded choices were not needed.
    pub fn left(&self) -> usize {
        self.choices.len().saturating_sub(self.next)
    }
}

impl Strategy for Replay {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        self.steps += 1;
        if let (Some(random), Some(_)) = (&mut self.then, &self.diverged) {
            return Ok(random.below(alternatives.len()));
        }
        let recorded = self.choices.get(self.next).cloned();
        self.next += 1;
        let (index, text) = recorded.unwrap_or((usize::MAX, "the end of the case".to_owned()));
        match alternatives.get(index) {
            Some(&alternative) if describe(kernel, alternative) == text => Ok(index),
            _ => {
                let here = alternatives.iter().map(|&it| describe(kernel, it));
                let diverged = ReplayDiverged {
                    step: self.steps,
                    number: self.next,
                    recorded: text,
                    index,
                    here: here.collect::<Vec<_>>().join(", "),
                };
                let Some(random) = &mut self.then else { return Err(diverged.into()) };
                self.diverged = Some(diverged);
                Ok(random.below(alternatives.len()))
            }
        }
    }

    fn passed(&mut self, _only: Alternative) {
        self.steps += 1;
    }
}

/// Follows any list of numbers: each is taken modulo what there is, and after the last comes the
/// first alternative. So every list is a case, which is what generators and shrinkers need.
#[derive(Clone, Debug)]
pub struct Clamped {
    choices: Vec<u8>,
    next: usize,
}

impl Clamped {
    /// Follows these numbers.
    pub fn new(choices: Vec<u8>) -> Self {
        Self { choices, next: 0 }
    }
}

impl Strategy for Clamped {
    fn choose(
        &mut self,
        _kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        let choice = self.choices.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        Ok(usize::from(choice) % alternatives.len())
    }
}
