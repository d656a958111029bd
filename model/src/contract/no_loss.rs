//! G4: while nobody is killed, no accepted item is lost.

use super::guarantee::{Guarantee, Violation};
use super::ledger::Ledger;
use crate::event::End;

/// Judged at the end of a history without a kill. An accepted item that nobody got is lost for
/// certain where a get on its queue waits for ever, where a get that was alone and began after
/// its producer had ended found nothing, or where a later item of the same producer was got and
/// no get was under way any more. Dropping what is unsent by `cancel_join_thread` (Q16) is loss.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NoLoss;

impl NoLoss {
    pub(super) fn conclude(&self, ledger: &Ledger, end: &End) -> Option<Violation> {
        if ledger.has_fault() {
            return None;
        }
        let text = "an accepted item was lost although nobody was killed";
        ledger.queues().find_map(|queue| {
            // A process may leave while a thread of it is in a get, which takes its item along.
            let item = ledger.lost_beyond_gets(queue, end)?;
            Some(Violation::new(Guarantee::G4, text).queue(queue).item(Some(item)))
        })
    }
}
