//! G7: a call with a timeout ends within it.

use super::guarantee::{Guarantee, Violation};
use super::ledger::{Fact, Ledger};
use crate::event::End;

/// Judged where a call is seen to wait past its deadline (Q9), and at the end where one that may
/// wait for a limited time only is blocked for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Timeouts;

impl Timeouts {
    #[inline]
    pub(super) fn observe(&self, fact: Fact) -> Option<Violation> {
        let Fact::Overdue { lane } = fact else {
            return None;
        };
        Some(Violation::new(Guarantee::G7, "a call waits past its deadline").lane(lane))
    }

    pub(super) fn conclude(&self, ledger: &Ledger, end: &End) -> Option<Violation> {
        let text = "a call with a timeout is blocked for ever";
        end.blocked
            .iter()
            .find(|blocked| !blocked.leaving && ledger.is_limited(blocked.lane))
            .map(|blocked| Violation::new(Guarantee::G7, text).lane(blocked.lane))
    }
}
