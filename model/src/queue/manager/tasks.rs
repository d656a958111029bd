//! Who has yet to say `task_done`, and how often.

use crate::program::{Outcome, ProcessId};

/// The unfinished tasks of one queue. The classic form only counts them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tasks {
    /// Puts without a `task_done`.
    pub(super) unfinished: u16,
    /// What each living process took and has not said to be done.
    pub(super) taken: Box<[u16]>,
    /// The same of processes that are gone.
    missing: u16,
    /// `task_done` for what somebody else has taken and will not say himself (`JQ4`).
    for_others: u16,
}

impl Tasks {
    pub(super) fn new(processes: usize) -> Self {
        Self { unfinished: 0, taken: vec![0; processes].into(), missing: 0, for_others: 0 }
    }

    pub(super) fn taken_by(&mut self, process: ProcessId) {
        self.taken[usize::from(process.0)] += 1;
    }

    /// `task_done`, as the closed form counts or as the classic one does.
    pub(super) fn done_by(&mut self, process: ProcessId, closed: bool) -> Outcome {
        let Some(unfinished) = self.unfinished.checked_sub(1) else { return Outcome::TooMany };
        self.unfinished = unfinished;
        if closed {
            match &mut self.taken[usize::from(process.0)] {
                own if *own > 0 => *own -= 1,
                _ if self.missing > 0 => self.missing -= 1,
                _ => self.for_others += 1,
            }
        }
        Outcome::Done
    }

    pub(super) fn gone(&mut self, process: ProcessId) {
        let taken = std::mem::take(&mut self.taken[usize::from(process.0)]);
        let done_by_others = taken.min(self.for_others);
        self.for_others -= done_by_others;
        self.missing += taken - done_by_others;
    }

    /// What a join is told; `None` where it is to wait.
    pub(super) fn verdict(&self) -> Option<Outcome> {
        match self.unfinished {
            0 => Some(Outcome::Done),
            unfinished if unfinished <= self.missing => Some(Outcome::Missing),
            _ => None,
        }
    }
}
