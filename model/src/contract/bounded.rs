//! G3: never are more than maxsize items accepted and not yet taken.

use super::guarantee::{Guarantee, Violation};
use super::ledger::{Fact, Ledger};

/// Judged at each put that returns, from the items that are certainly inside then: accepted, not
/// got, not absent. Each get under way may already have one, and so may each get that a process
/// died in or that ended with an error. What a killed producer had put may be gone with it, and
/// its room given back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bounded;

impl Bounded {
    /// Judges an event that the ledger has noted.
    #[inline]
    pub(super) fn observe(&self, after: &Ledger, fact: Fact) -> Option<Violation> {
        let Fact::PutAccepted { lane, queue, item } = fact else {
            return None;
        };
        let bound = after.bound(queue)?;
        let certain = after
            .items_of(queue)
            .filter(|&item| after.is_owed(item) && !after.is_absent(item))
            .filter(|&item| !after.is_of_killed(item))
            .count();
        let taken = after.gets_under_way(queue) + after.doubtful_gets(queue);
        let text = "a put was accepted although the queue was full";
        (certain > bound + taken)
            .then(|| Violation::new(Guarantee::G3, text).queue(queue).lane(lane).item(Some(item)))
    }
}
