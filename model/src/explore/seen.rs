//! The set of fingerprints seen: open addressing, in a fixed order, eight bytes an entry.

/// A set of 64-bit fingerprints, in ascending order with gaps.
///
/// A fingerprint belongs at the place that is the same part of the table as the fingerprint is of
/// all numbers, or in the next one behind it that keeps the order. So a search for what is not
/// there ends at the first larger one, even where most places are used, and growing is one walk
/// through both tables from the front to the back.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// 0 is a free place. Behind the last place that belongs to any fingerprint are those that
    /// have been pushed over the end.
    places: Vec<u64>,
    /// The places that belong to fingerprints.
    capacity: usize,
    used: usize,
}

const CAPACITY_AT_FIRST: usize = 1 << 10;

impl Seen {
    pub(super) fn new() -> Self {
        Self { places: vec![0; CAPACITY_AT_FIRST], capacity: CAPACITY_AT_FIRST, used: 0 }
    }

    /// Adds a fingerprint; false where it was there before.
    pub(super) fn insert(&mut self, fingerprint: u64) -> bool {
        let fingerprint = nonzero(fingerprint);
        let place = self.find(fingerprint);
        match self.places.get(place) {
            Some(&found) if found == fingerprint => return false,
            Some(0) => self.places[place] = fingerprint,
            _ => self.push_in(place, fingerprint),
        }
        self.used += 1;
        // At four fifths the runs of used places are still short.
        if self.used * 5 > self.capacity * 4 {
            self.grow();
        }
        true
    }

    pub(super) fn contains(&self, fingerprint: u64) -> bool {
        let fingerprint = nonzero(fingerprint);
        self.places.get(self.find(fingerprint)) == Some(&fingerprint)
    }

    /// Brings the places of these fingerprints into the processor's cache. The reads wait for
    /// nothing but memory, and so for all of it at once.
    pub(super) fn touch(&self, fingerprints: impl Iterator<Item = u64>) {
        let place = |it| self.places[home(it, self.capacity)];
        std::hint::black_box(fingerprints.fold(0, |read, it| read ^ place(it)));
    }

    /// The place of a fingerprint, or the one where it has to come.
    fn find(&self, fingerprint: u64) -> usize {
        let home = home(fingerprint, self.capacity);
        let smaller = |&&found: &&u64| found != 0 && found < fingerprint;
        home + self.places[home..].iter().take_while(smaller).count()
    }

    /// Puts a fingerprint into a used place; those from there to the next free one move on.
    fn push_in(&mut self, place: usize, fingerprint: u64) {
        let run = self.places[place..].iter().take_while(|&&found| found != 0).count();
        let free = place + run;
        if free == self.places.len() {
            self.places.push(0);
        }
        self.places.copy_within(place..free, place + 1);
        self.places[place] = fingerprint;
    }

    fn grow(&mut self) {
        self.capacity *= 2;
        let mut places = vec![0; self.capacity];
        let mut next = 0;
        for &fingerprint in self.places.iter().filter(|&&fingerprint| fingerprint != 0) {
            next = home(fingerprint, self.capacity).max(next);
            match places.get_mut(next) {
                Some(place) => *place = fingerprint,
                None => places.push(fingerprint),
            }
            next += 1;
        }
        self.places = places;
    }
}

/// 0 marks a free place, so the fingerprint 0 is taken for 1.
fn nonzero(fingerprint: u64) -> u64 {
    fingerprint.max(1)
}

/// The place where a fingerprint belongs.
fn home(fingerprint: u64, capacity: usize) -> usize {
    ((u128::from(fingerprint) * capacity as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_put_in_and_nothing_else() {
        let mut seen = Seen::new();
        // Small numbers all belong in the first place and the largest in the last: the worst case.
        let values = (2..3002u64).map(|n| if n % 2 == 0 { u64::MAX - n } else { n });
        for value in values.clone() {
            assert!(!seen.contains(value), "{value}");
            assert!(seen.insert(value), "{value}");
            assert!(!seen.insert(value), "{value}");
        }
        assert!(values.clone().all(|value| seen.contains(value)));
        assert!(!seen.contains(u64::MAX - 3002));
        assert_eq!(seen.used, 3000);
        assert!(!seen.contains(0) && seen.insert(0) && seen.contains(0) && !seen.insert(0));
    }
}
