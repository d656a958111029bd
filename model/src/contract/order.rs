//! G2: the items of one producing process come out in the order they went in.

use super::guarantee::{Guarantee, Violation};
use super::ledger::{Fact, Ledger};
use crate::clone::clone_by_field;
use crate::program::{ItemId, LaneId, QueueId};

/// In real time, as far as real time says anything (O1): where x's put had returned before y's was
/// called, and a get had returned y, no get called after that may return x.
///
/// Rows of bits, one for each item: the first row has the items that have been overtaken, and one
/// row for each lane has those that had been when its get was called.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    rows: Box<[u64]>,
    words: usize,
}

clone_by_field!(Order { rows, words });

const OVERTAKEN: usize = 0;

impl Order {
    pub(super) fn new(ledger: &Ledger) -> Self {
        let words = ledger.item_count().div_ceil(64);
        Self { rows: vec![0; words * (1 + ledger.lane_count())].into(), words }
    }

    /// Forgets everything: the guarantee is broken already.
    pub(super) fn forget(&mut self) {
        self.rows.fill(0);
    }

    /// Judges an event that the ledger has not noted yet.
    #[inline]
    pub(super) fn observe(&mut self, before: &Ledger, fact: Fact) -> Option<Violation> {
        match fact {
            Fact::GetCalled { lane, queue } => {
                for item in before.items_of(queue) {
                    if self.has(OVERTAKEN, item) {
                        self.set(row_of(lane), item);
                    }
                }
                None
            }
            Fact::Got { lane, queue, item } => self.got(before, lane, queue, item),
            Fact::GetEnded { lane, .. } => {
                self.clear_row(row_of(lane));
                None
            }
            Fact::Died { process, .. } => {
                for (lane, _) in before.lanes() {
                    if before.process_of(lane) == Some(process) {
                        self.clear_row(row_of(lane));
                    }
                }
                None
            }
            _ => None,
        }
    }

    fn got(
        &mut self,
        before: &Ledger,
        lane: LaneId,
        queue: QueueId,
        item: ItemId,
    ) -> Option<Violation> {
        let late = self.has(row_of(lane), item);
        for earlier in before.items_of(queue) {
            if before.precedes(earlier, item) && !before.is_got(earlier) {
                self.set(OVERTAKEN, earlier);
            }
        }
        self.clear_row(row_of(lane));
        for row in 0..=before.lane_count() {
            self.clear(row, item);
        }
        let text = "an item was got after a later one of the same producer";
        late.then(|| Violation::new(Guarantee::G2, text).queue(queue).lane(lane).item(Some(item)))
    }

    /// The word of an item in a row, and its bit there. An item that the program does not name
    /// has none.
    fn place(&self, row: usize, item: ItemId) -> Option<(usize, u64)> {
        let word = usize::from(item.0) / 64;
        let place = row * self.words + word;
        (word < self.words && place < self.rows.len()).then_some((place, 1 << (item.0 % 64)))
    }

    fn has(&self, row: usize, item: ItemId) -> bool {
        self.place(row, item).is_some_and(|(word, bit)| self.rows[word] & bit != 0)
    }

    fn set(&mut self, row: usize, item: ItemId) {
        if let Some((word, bit)) = self.place(row, item) {
            self.rows[word] |= bit;
        }
    }

    fn clear(&mut self, row: usize, item: ItemId) {
        if let Some((word, bit)) = self.place(row, item) {
            self.rows[word] &= !bit;
        }
    }

    fn clear_row(&mut self, row: usize) {
        let start = row * self.words;
        if let Some(words) = self.rows.get_mut(start..start + self.words) {
            words.fill(0);
        }
    }
}

fn row_of(lane: LaneId) -> usize {
    usize::from(lane.0) + 1
}
