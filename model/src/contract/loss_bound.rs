//! G5: a death loses at most the puts that had not returned, and one item for each get that the
//! victim was in.

use super::guarantee::{Guarantee, Violation};
use super::ledger::Ledger;
use crate::event::End;

/// Judged at the end of a history with a kill, by the evidence of loss that
/// [`NoLoss`](super::no_loss::NoLoss) describes. Puts that had not returned are not owed to
/// anybody; of the others as many may be missing as there are gets whose process died in them, each
/// one whose put had been called by then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LossBound;

impl LossBound {
    pub(super) fn conclude(&self, ledger: &Ledger, end: &End) -> Option<Violation> {
        if !ledger.has_fault() {
            return None;
        }
        let text = "more items were lost than the dead were in the middle of getting";
        ledger.queues().find_map(|queue| {
            let item = ledger.lost_beyond_gets(queue, end)?;
            Some(Violation::new(Guarantee::G5, text).queue(queue).item(Some(item)))
        })
    }
}
