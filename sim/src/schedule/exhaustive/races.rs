//! Which steps of a run could have come in another order, and what is to be explored therefore.

use super::actor::lane_of;
use super::node::Pending;
use super::{Bits, Exhaustive};
use crate::kernel::{Kernel, lane_bits};

/// The most steps of a schedule that can be searched.
pub(super) const EVENTS_MAX: usize = 512;

/// A set of events of one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before([u64; EVENTS_MAX / 64]);

impl Default for Before {
    fn default() -> Self {
        Self([0; EVENTS_MAX / 64])
    }
}

impl Before {
    fn insert(&mut self, event: usize) {
        self.0[event / 64] |= 1 << (event % 64);
    }

    fn contains(&self, event: usize) -> bool {
        self.0[event / 64] & (1 << (event % 64)) != 0
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }
}

impl Exhaustive {
    /// The step chosen last was done: what it has touched is known, and what it races with.
    pub(super) fn finalize(&mut self, kernel: &Kernel) {
        let event = self.depth - 1;
        self.finalized = self.depth;
        if !self.options.reduction {
            return;
        }
        // The lanes that it has started come after it.
        let begun = &self.nodes[event].begun;
        let lanes = (0..kernel.lane_count()).filter(|&lane| kernel.has_begun(lane_id(lane)));
        let started: Bits =
            lanes.filter(|&lane| !begun.contains(lane)).fold(Bits::NONE, Bits::with);
        let mut touches = self.nodes[event].touches;
        started.iter().for_each(|lane| touches = touches.union(&lane_bits(lane_id(lane))));
        self.nodes[event].touches = touches;
        self.nodes[event].before = self.before(event);
        self.race_with_pending(event);
        let moved = self.moved(event, kernel).union(&started);
        for lane in moved.iter().filter(|&lane| kernel.parked(lane_id(lane)).is_some()) {
            let own = lane_bits(lane_id(lane));
            let latest = (0..self.depth).rev().find(|&it| self.nodes[it].touches.meets(&own));
            self.race_with_past(lane, kernel.footprint(lane_id(lane)), latest);
        }
        let enabled = kernel.enabled();
        let freed = |pending: &&Pending| {
            lane_of(pending.actor).is_some() && enabled & (1 << pending.actor) != 0
        };
        let waited = |pending: &&Pending| !self.nodes[event].enabled.contains(pending.actor);
        let freed: Vec<Pending> =
            self.nodes[event].pending.iter().filter(freed).filter(waited).copied().collect();
        for pending in freed.iter().filter(|pending| !moved.contains(pending.actor)) {
            self.race_with_past(pending.actor, pending.touches, Some(event));
        }
    }

    /// The lanes that stand at another step after an event than before it.
    fn moved(&self, event: usize, kernel: &Kernel) -> Bits {
        let touched = self.nodes[event].touches;
        let lanes =
            (0..kernel.lane_count()).filter(|&lane| touched.meets(&lane_bits(lane_id(lane))));
        lanes.fold(Bits::NONE, Bits::with)
    }

    /// The events before one that made a difference to it, directly or not.
    fn before(&self, event: usize) -> Before {
        let mut before = Before::default();
        let touches = self.nodes[event].touches;
        for earlier in (0..event).rev() {
            if !before.contains(earlier) && self.nodes[earlier].touches.meets(&touches) {
                before.add(&self.nodes[earlier].before);
                before.insert(earlier);
            }
        }
        before
    }

    /// Whoever else could have acted when an event happened, and would have touched what it touched,
    /// might have come first. Who stood at a step and could not do it, could not; it is asked about
    /// what it races with when it comes there, and when an event has made it possible.
    fn race_with_pending(&mut self, event: usize) {
        let node = &mut self.nodes[event];
        for index in 0..node.pending.len() {
            let Pending { actor, touches, .. } = node.pending[index];
            let able = actor != node.chosen && node.enabled.contains(actor);
            if able && touches.meets(&node.touches) {
                node.backtrack.insert(actor);
            }
        }
    }

    /// A lane stands at a step that it had not come to before the event `latest`, which may touch
    /// what an earlier event touched although nothing kept it from coming first.
    fn race_with_past(&mut self, lane: usize, touches: Bits, latest: Option<usize>) {
        let mut before = latest.map(|event| self.nodes[event].before).unwrap_or_default();
        latest.into_iter().for_each(|event| before.insert(event));
        let race = (0..self.depth)
            .rev()
            .find(|&event| !before.contains(event) && self.nodes[event].touches.meets(&touches));
        let Some(race) = race else { return };
        // Whoever leads to the lane's step without the event that it races with.
        let leads = |event: &usize| before.contains(*event);
        let node = &self.nodes[race];
        let first: Vec<usize> =
            (race + 1..self.depth).filter(leads).map(|event| self.nodes[event].chosen).collect();
        if node.backtrack.contains(lane) || first.iter().any(|&it| node.backtrack.contains(it)) {
            return;
        }
        let able = std::iter::once(lane).chain(first).find(|&it| node.enabled.contains(it));
        let node = &mut self.nodes[race];
        match able {
            Some(actor) => node.backtrack.insert(actor),
            None => node.backtrack = node.backtrack.union(&node.enabled),
        }
    }
}

fn lane_id(lane: usize) -> midput_model::program::LaneId {
    lane_of(lane).unwrap_or_default()
}
