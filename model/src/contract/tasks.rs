//! G10: after a death `join()` of a joinable queue ends, or says what is missing.

use super::guarantee::{Guarantee, Violation};
use super::ledger::{Call, Ledger};
use crate::event::End;

/// Judged at the end of a history with a kill. `task_done` has nothing to wait for. `join` may wait
/// for ever only where somebody who was not killed could still report what is missing: it holds an
/// item that it has not reported, or an item is there for it to get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tasks;

impl Tasks {
    pub(super) fn conclude(&self, ledger: &Ledger, end: &End) -> Option<Violation> {
        if !ledger.has_fault() {
            return None;
        }
        end.blocked.iter().filter(|blocked| !blocked.leaving).find_map(|blocked| {
            let (queue, text) = match ledger.call(blocked.lane) {
                Call::TaskDone(queue) => (queue, "task_done is blocked for ever after a death"),
                Call::JoinQueue(queue) if !ledger.has_open_task(queue) => {
                    (queue, "join is blocked for ever after a death, and nobody is left to end it")
                }
                _ => return None,
            };
            Some(Violation::new(Guarantee::G10, text).queue(queue).lane(blocked.lane))
        })
    }
}
