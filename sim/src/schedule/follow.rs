//! Follows a path through the model: what the model did, the real code does.

use super::{Halt, ReplayDiverged, Strategy, describe};
use crate::host::Alternative;
use crate::kernel::Kernel;

/// Takes what a path says, alternative by alternative; after its end, the first one.
#[derive(Clone, Debug)]
pub struct Follow {
    path: Vec<Alternative>,
    next: usize,
}

impl Follow {
    /// Follows this path.
    pub fn new(path: Vec<Alternative>) -> Self {
        Self { path, next: 0 }
    }
}

impl Strategy for Follow {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        let Some(&wanted) = self.path.get(self.next) else { return Ok(0) };
        self.next += 1;
        alternatives.iter().position(|&it| it == wanted).ok_or_else(|| {
            let here = alternatives.iter().map(|&it| describe(kernel, it));
            ReplayDiverged {
                step: self.next as u64,
                number: self.next,
                recorded: describe(kernel, wanted),
                index: 0,
                here: here.collect::<Vec<_>>().join(", "),
            }
            .into()
        })
    }

    fn passed(&mut self, _only: Alternative) {
        self.next += 1;
    }
}
