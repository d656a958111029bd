//! G1: what is got was put into that queue, byte for byte, and is got only once.

use super::guarantee::{Guarantee, Violation};
use super::ledger::{Fact, Ledger, Put};
use crate::program::Outcome;

/// Judged at each return of a get from what is known of the item until then. "Was put" means that
/// its put was called: a fast consumer may have the item before the put has returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Intact;

impl Intact {
    /// Judges an event that the ledger has not noted yet.
    #[inline]
    pub(super) fn observe(&self, before: &Ledger, fact: Fact) -> Option<Violation> {
        let violation = |text| Violation::new(Guarantee::G1, text);
        match fact {
            Fact::Got { lane, queue, item } => {
                let text = if before.queue_of(item) != Some(queue) {
                    "an item was got from a queue that it was not put into"
                } else if before.is_got(item) {
                    "an item was got twice"
                } else if before.put(item) == Put::Not {
                    "an item was got that was not put, or whose put was refused"
                } else {
                    return None;
                };
                Some(violation(text).queue(queue).lane(lane).item(Some(item)))
            }
            Fact::GetEnded { lane, queue, outcome: Outcome::Garbage } => {
                Some(violation("a get returned bytes that nobody put").queue(queue).lane(lane))
            }
            Fact::PutRefused { lane, queue, item, .. } if before.is_got(item) => Some(
                violation("a put was refused although its item was got")
                    .queue(queue)
                    .lane(lane)
                    .item(Some(item)),
            ),
            _ => None,
        }
    }
}
