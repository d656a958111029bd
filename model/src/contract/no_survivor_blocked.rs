//! G6: after a death a survivor's call stays blocked only where a bounded queue with the same
//! history could not serve it.

use super::guarantee::{Guarantee, Violation};
use super::ledger::Ledger;
use crate::event::End;

/// Judged at the end of a history with a kill. A get must not be blocked while an item is
/// certainly available, a put not while there certainly is room. Where both are blocked, one of
/// them is wrong: a get that is rightly blocked says that the queue is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NoSurvivorBlocked;

impl NoSurvivorBlocked {
    pub(super) fn conclude(&self, ledger: &Ledger, end: &End) -> Option<Violation> {
        if !ledger.has_fault() {
            return None;
        }
        let violation = |text| Violation::new(Guarantee::G6, text);
        let get = ledger.queues().find_map(|queue| {
            let lane = ledger.blocked_gets(queue, end).next()?;
            let text = "a survivor's get is blocked although an item is available";
            (ledger.available(queue) > 0).then(|| violation(text).queue(queue).lane(lane))
        });
        let mut puts = ledger.blocked_puts(end);
        get.or_else(|| {
            puts.find(|&(_, queue)| {
                ledger
                    .bound(queue)
                    .is_none_or(|bound| ledger.occupancy_at_end(queue, end) < bound)
            })
            .map(|(lane, queue)| {
                violation("a survivor's put is blocked although there is room")
                    .queue(queue)
                    .lane(lane)
            })
        })
    }
}
