//! G8: after a death a queue with room accepts items again.

use super::guarantee::{Guarantee, Violation};
use super::ledger::{Call, Fact, Ledger};
use crate::clone::clone_by_field;
use crate::event::End;
use crate::program::{LaneId, Outcome, QueueId};

/// Judged at each put that returns `Full` after a kill: it may do so only if the queue can have
/// been full at some time during the call. And at the end for each put that is blocked for ever.
///
/// An item whose producer was killed in its put may be inside: it counts until a get that had the
/// queue to itself found nothing.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Capacity {
    /// For each lane: it is in a put, and there has been room all the time since it was called.
    room: Box<[bool]>,
}

clone_by_field!(Capacity { room });

impl Capacity {
    pub(super) fn new(ledger: &Ledger) -> Self {
        Self { room: vec![false; ledger.lane_count()].into() }
    }

    /// Forgets everything: the guarantee is broken already.
    pub(super) fn forget(&mut self) {
        self.room.fill(false);
    }

    /// Judges an event that the ledger has noted.
    #[inline]
    pub(super) fn observe(&mut self, after: &Ledger, fact: Fact) -> Option<Violation> {
        match fact {
            Fact::PutCalled { lane, queue, .. } => {
                self.set(lane, true);
                // Only here can the queue become fuller.
                self.look(after, queue);
                None
            }
            Fact::PutAccepted { lane, .. } => {
                self.set(lane, false);
                None
            }
            Fact::PutRefused { lane, queue, item, outcome } => {
                let room = self.room.get(usize::from(lane.0)).copied().unwrap_or(false);
                self.set(lane, false);
                let text = "a put found the queue full although there was room all the time";
                (room && outcome == Outcome::Full && after.has_fault()).then(|| {
                    Violation::new(Guarantee::G8, text).queue(queue).lane(lane).item(Some(item))
                })
            }
            Fact::Died { process, .. } => {
                for (lane, _) in after.lanes() {
                    if after.process_of(lane) == Some(process) {
                        self.set(lane, false);
                    }
                }
                None
            }
            _ => None,
        }
    }

    pub(super) fn conclude(&self, ledger: &Ledger, end: &End) -> Option<Violation> {
        if !ledger.has_fault() {
            return None;
        }
        let text = "a put waits for ever although there is room";
        ledger
            .blocked_puts(end)
            .find(|&(_, queue)| {
                ledger.bound(queue).is_none_or(|bound| ledger.occupancy_at_end(queue, end) < bound)
            })
            .map(|(lane, queue)| Violation::new(Guarantee::G8, text).queue(queue).lane(lane))
    }

    fn look(&mut self, after: &Ledger, queue: QueueId) {
        let Some(bound) = after.bound(queue) else {
            return;
        };
        for (lane, call) in after.lanes() {
            if let Call::Put { queue: other, item } = call
                && other == queue
                && after.occupancy_max(queue, Some(item)) >= bound
            {
                self.set(lane, false);
            }
        }
    }

    fn set(&mut self, lane: LaneId, room: bool) {
        if let Some(place) = self.room.get_mut(usize::from(lane.0)) {
            *place = room;
        }
    }
}
