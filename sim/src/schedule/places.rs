//! A few places among the choices of a run, drawn before it.

use super::name::PLACES_MAX;
use super::random::Random;

/// Drawn places, in no order; two may be the same.
#[derive(Clone, Debug)]
pub(super) struct Places {
    places: [u32; PLACES_MAX],
    count: usize,
}

impl Places {
    /// So many places among choices 1 to `length`.
    pub(super) fn draw(random: &mut Random, count: usize, length: u32) -> Self {
        let mut places = [0; PLACES_MAX];
        let count = count.min(PLACES_MAX);
        for place in &mut places[..count] {
            *place = 1 + random.below(length.max(1) as usize) as u32;
        }
        Self { places, count }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The place that was drawn `index`-th, from 0.
    pub(super) fn at(&self, index: usize) -> u32 {
        self.places[index]
    }

    /// Whether this choice is one of them.
    pub(super) fn holds(&self, choice: u32) -> bool {
        self.places[..self.count].contains(&choice)
    }
}
