//! The set of fingerprints seen: open addressing, in a fixed order, eight bytes an entry.

/// A set of 64-bit fingerprints.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// A power of two of places; 0 is free.
    places: Vec<u64>,
    used: usize,
}

const PLACES_AT_FIRST: usize = 1 << 10;

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            places: vec![0; PLACES_AT_FIRST],
            used: 0,
        }
    }

    /// Adds a fingerprint; false where it was there before.
    pub(super) fn insert(&mut self, fingerprint: u64) -> bool {
        let fingerprint = nonzero(fingerprint);
        let place = find(&self.places, fingerprint);
        if self.places[place] == fingerprint {
            return false;
        }
        self.places[place] = fingerprint;
        self.used += 1;
        // At three fifths the runs of used places are still short.
        if self.used * 5 > self.places.len() * 3 {
            self.grow();
        }
        true
    }

    pub(super) fn contains(&self, fingerprint: u64) -> bool {
        let fingerprint = nonzero(fingerprint);
        self.places[find(&self.places, fingerprint)] == fingerprint
    }

    fn grow(&mut self) {
        let mut places = vec![0; self.places.len() * 2];
        for &fingerprint in self.places.iter().filter(|&&fingerprint| fingerprint != 0) {
            let place = find(&places, fingerprint);
            places[place] = fingerprint;
        }
        self.places = places;
    }
}

/// 0 marks a free place, so the fingerprint 0 is taken for 1.
fn nonzero(fingerprint: u64) -> u64 {
    fingerprint.max(1)
}

/// The place of a fingerprint, or the free one where it belongs. There always is a free place.
fn find(places: &[u64], fingerprint: u64) -> usize {
    let mask = places.len() - 1;
    let mut place = fingerprint as usize & mask;
    while places[place] != 0 && places[place] != fingerprint {
        place = (place + 1) & mask;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_put_in_and_nothing_else() {
        let mut seen = Seen::new();
        // Multiples of a large power of two all belong in one place: the worst case.
        let values = (2..3002u64).map(|n| if n % 2 == 0 { n << 40 } else { n });
        for value in values.clone() {
            assert!(!seen.contains(value), "{value}");
            assert!(seen.insert(value), "{value}");
            assert!(!seen.insert(value), "{value}");
        }
        assert!(values.clone().all(|value| seen.contains(value)));
        assert!(!seen.contains(3002 << 40));
        assert_eq!(seen.used, 3000);
        assert!(!seen.contains(0) && seen.insert(0) && seen.contains(0) && !seen.insert(0));
    }
}
