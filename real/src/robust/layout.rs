//! Where what stands in the memory of a queue.

use crate::os::shared::CellId;

/// The first cell: what the queue is. It is written before anybody else has the memory.
pub(super) const ABOUT: CellId = CellId(0);
/// The lock of those who put, and the position behind the last item (`tail`).
pub(super) const WRITE: CellId = CellId(1);
/// The lock of those who get, and the position of the first item (`head`).
pub(super) const READ: CellId = CellId(2);
/// The event that the front reader sleeps on.
pub(super) const ITEMS: CellId = CellId(3);
/// The event that the front writer sleeps on.
pub(super) const SPACE: CellId = CellId(4);
/// So many cells there are.
pub(super) const CELLS: u16 = 5;

/// What a place in the ring is counted in, in bytes. Every record begins at a whole one.
pub(super) const UNIT: u64 = 8;

/// How many items have passed by so far, and how many units: both wrap around. It is one value, so
/// that one store commits both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position(pub(super) u64);

impl Position {
    fn new(items: u32, units: u32) -> Self {
        Self(u64::from(items) << 32 | u64::from(units))
    }

    fn items(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn units(self) -> u32 {
        self.0 as u32
    }

    /// The place in the ring, in bytes. The ring's size divides the number at which units wrap.
    pub(super) fn place(self) -> u64 {
        u64::from(self.units()) * UNIT
    }

    /// This position after one item more, with so many units.
    pub(super) fn after(self, units: u32) -> Self {
        Self::new(self.items().wrapping_add(1), self.units().wrapping_add(units))
    }

    /// What lies between an earlier position and this one.
    pub(super) fn since(self, earlier: Self) -> Between {
        Between {
            items: self.items().wrapping_sub(earlier.items()),
            units: self.units().wrapping_sub(earlier.units()),
        }
    }
}

/// What lies between two positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Between {
    pub(super) items: u32,
    pub(super) units: u32,
}

impl Between {
    /// Whether a ring of so many units can hold it, with every item in one unit at least.
    pub(super) fn is_possible(self, ring: u32) -> bool {
        self.units <= ring && self.items <= self.units && (self.items > 0) == (self.units > 0)
    }
}

/// The header of a record: the length of its payload in bytes, and a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(pub(super) u64);

/// In the upper half of every header: something else there is no header.
const MARK: u64 = 0x6d69_6470;

impl Header {
    pub(super) fn new(length: u32) -> Self {
        Self(MARK << 32 | u64::from(length))
    }

    /// The length; none where it is no header.
    pub(super) fn length(self) -> Option<u32> {
        (self.0 >> 32 == MARK).then_some(self.0 as u32)
    }
}

/// The units of a record with so long a payload.
pub(super) fn units(length: u32) -> u32 {
    1 + length.div_ceil(UNIT as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Positions wrap around, and what lies between two of them does not change with that.
        #[test]
        fn what_lies_between_does_not_depend_on_where_it_begins(
            start: u64,
            lengths in prop::collection::vec(0u32..100_000, 0..20),
        ) {
            let head = Position(start);
            let tail = lengths.iter().fold(head, |tail, &length| tail.after(units(length)));
            let units: u32 = lengths.iter().map(|&length| units(length)).sum();
            prop_assert_eq!(tail.since(head), Between { items: lengths.len() as u32, units });
            prop_assert!(tail.since(head).is_possible(units));
            prop_assert!(units == 0 || !tail.since(head).is_possible(units - 1));
            prop_assert!(units == 0 || !head.since(tail).is_possible(1 << 20));
        }

        #[test]
        fn a_header_says_its_length_and_other_bytes_are_none(length: u32, other: u64) {
            prop_assert_eq!(Header::new(length).length(), Some(length));
            let is_header = other == Header::new(other as u32).0;
            prop_assert_eq!(Header(other).length().is_some(), is_header);
            prop_assert!(u64::from(units(length)) * UNIT >= u64::from(length) + UNIT);
        }
    }
}
