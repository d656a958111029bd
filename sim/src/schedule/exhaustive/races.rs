//! Which acts of a run could have come in another order, and what is to be explored therefore.
//!
//! Whoever acts, or comes to a step that it has to wait for, is held against the acts before: the
//! latest that touches the same, and that it could have come before, is reversed. What is to be
//! explored at that act's node is all that came after it without needing it, and then the later
//! act. An act that made the later one possible (a post that a wait was waiting for) cannot be
//! reversed: what lies before it is asked. And whoever could act and cannot any more, because of
//! what was done, is to be explored where it still could.
//!
//! Whether a lane that came to its step only later could have done it earlier is not known without
//! running it; it is taken to be so. Where it then waits, the run goes on as it can (a wait may
//! expire there), and is broken off as redundant only where nobody else is awake.

use midput_model::program::LaneId;

use super::Exhaustive;
use super::actor::{PASS, lane_acted_on, lane_of};
use super::wakeup::{Act, Begins, insert};
use crate::kernel::{Bits, Footprint, Kernel, lane_bits};

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
    pub(super) fn insert(&mut self, event: usize) {
        self.0[event / 64] |= 1 << (event % 64);
    }

    pub(super) fn contains(&self, event: usize) -> bool {
        self.0[event / 64] & (1 << (event % 64)) != 0
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(own, other)| own & other != 0)
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }
}

/// Somebody who acts after others, or cannot any more, and could have come first.
#[derive(Clone, Debug)]
pub(super) struct Race {
    act: Act,
    /// It comes after so many events of the path.
    end: usize,
    /// The event that it cannot come before: that which led its lane to this step.
    arrival: Option<usize>,
    /// The events that it is to come before, once they are known, without those where that is
    /// settled.
    reversed: Option<Vec<usize>>,
}

impl Exhaustive {
    /// The act chosen last was done: what it has touched is known.
    pub(super) fn finalize(&mut self, kernel: &Kernel) {
        let event = self.depth - 1;
        // The lanes that it has started come after it.
        let node = &mut self.nodes[event];
        for lane in (0..kernel.lane_count()).filter(|&lane| !node.begun.contains(lane)) {
            if kernel.has_begun(lane_id(lane)) {
                node.touches = node.touches.union(&Footprint::of(lane_bits(lane_id(lane))));
            }
        }
        node.is_seen = !node.touches.is_local() || node.told != kernel.told;
        self.nodes[event].before = self.before(event);
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

    /// Notes what the act chosen last races with: itself, and who cannot act now and might have,
    /// where some of what was done had not been.
    pub(super) fn note_races(&mut self, kernel: &Kernel, enabled: Bits, left_out: &[Act]) {
        let event = self.depth - 1;
        let mut races = std::mem::take(&mut self.nodes[event].races);
        races.clear();
        races.push(self.race(self.nodes[event].act(), event));
        // Who has come to a step that cannot be done now, and a kill that need not be done now.
        let touched = self.nodes[event].touches;
        for lane in (0..kernel.lane_count()).filter(|&lane| !enabled.contains(lane)) {
            if kernel.parked(lane_id(lane)).is_some() {
                let act = Act { actor: lane, touches: kernel.footprint(lane_id(lane)) };
                if touched.meets(&act.touches) {
                    races.push(self.race(act, event + 1));
                }
            }
        }
        for act in left_out.iter().filter(|act| touched.meets(&act.touches)) {
            races.push(self.race(*act, event + 1));
        }
        // Who could act before the event, and cannot after it.
        let node = &self.nodes[event];
        for act in node.able.iter().map(|able| able.act) {
            let moved = lane_acted_on(act.actor)
                .is_some_and(|lane| touched.changes.meets(&lane_bits(lane)));
            let cannot = moved || !enabled.contains(act.actor);
            if act.actor != node.chosen && cannot && act.touches.meets(&touched) {
                let left = vec![event];
                races.push(Race { act, end: event + 1, arrival: None, reversed: Some(left) });
            }
        }
        self.nodes[event].races = races;
    }

    fn race(&self, act: Act, end: usize) -> Race {
        let own = lane_acted_on(act.actor).map(lane_bits).unwrap_or_default();
        let came = |it: &usize| {
            self.nodes[*it].touches.changes.meets(&own) || self.nodes[*it].chosen == act.actor
        };
        Race { act, end, arrival: (0..end).rev().find(came), reversed: None }
    }

    /// The run is over: what is to be explored because of the races in it. Those between events that
    /// it has in common with earlier runs are asked again, where what comes after them may matter.
    pub(super) fn find_races(&mut self, kernel: &Kernel) {
        for event in 0..self.length {
            let mut races = std::mem::take(&mut self.nodes[event].races);
            for race in &mut races {
                let reversed = race.reversed.take();
                let mut reversed = reversed.unwrap_or_else(|| self.reversed(kernel, race));
                reversed.retain(|&it| !self.explore(it, race));
                race.reversed = Some(reversed);
            }
            self.nodes[event].races = races;
        }
    }

    /// The events after one that did not need it, and do not need an act that comes after the first
    /// `end` events.
    fn others(&self, event: usize, act: Act, end: usize) -> Vec<usize> {
        let mut after = Before::default();
        let mut others = Vec::new();
        for other in event + 1..self.length {
            let node = &self.nodes[other];
            if node.before.contains(event) {
                continue;
            }
            if other >= end && (node.touches.meets(&act.touches) || node.before.meets(&after)) {
                after.insert(other);
            } else {
                others.push(other);
            }
        }
        others
    }

    /// The latest events that an act could have come before.
    fn reversed(&self, kernel: &Kernel, race: &Race) -> Vec<usize> {
        let Race { act, end, arrival, .. } = *race;
        let mut settled = arrival.map(|event| self.nodes[event].before).unwrap_or_default();
        arrival.into_iter().for_each(|event| settled.insert(event));
        let mut reversed = Vec::new();
        for event in (0..end).rev() {
            if settled.contains(event) || !self.nodes[event].touches.meets(&act.touches) {
                continue;
            }
            let others = self.others(event, act, end);
            if self.could_come_before(kernel, event, &others, act, arrival) {
                settled.add(&self.nodes[event].before);
                reversed.push(event);
            }
        }
        reversed
    }

    /// Whether an act could be done after what came before an event and the `others`, which came
    /// after it without needing it. Where this cannot be told, it is taken to be so.
    fn could_come_before(
        &self,
        kernel: &Kernel,
        event: usize,
        others: &[usize],
        act: Act,
        arrival: Option<usize>,
    ) -> bool {
        let node = &self.nodes[event];
        if let Some(process) = super::actor::killed_by(act.actor) {
            let lanes = kernel.lanes_of(process);
            let begun = |&other: &usize| self.nodes[other].touches.changes.meets(&lanes);
            return (node.begun.meets(&lanes) || others.iter().any(begun))
                && self.is_last_seen(lanes, (0..event).chain(others.iter().copied()));
        }
        if act.actor == PASS {
            // Time passes only where nobody can act; whoever could and has not still can.
            return !node.able.iter().any(|able| {
                let acts = |&other: &usize| {
                    let other = &self.nodes[other];
                    other.chosen == able.act.actor || other.touches.meets(&able.act.touches)
                };
                able.keeps_time() && !others.iter().any(acts)
            });
        }
        if let Some(lane) = lane_of(node.chosen)
            && act.touches.sees.without(&act.touches.changes).meets(&lane_bits(lane))
        {
            // It waits for the lane's end, which had not come yet.
            return false;
        }
        let arrived = arrival.is_none_or(|arrival| arrival < event);
        let alone = others.iter().all(|&other| !self.nodes[other].touches.meets(&act.touches));
        !(arrived && alone) || node.enabled.contains(act.actor)
    }

    /// The act of a race is to be explored at a node, after what does not need it, unless what was
    /// explored there covers it. Whether that is settled whatever follows in other runs: more that
    /// follows can only wake who has nothing to do with any of it so far.
    fn explore(&mut self, event: usize, race: &Race) -> bool {
        let mut sequence = std::mem::take(&mut self.sequence);
        sequence.clear();
        sequence
            .extend(self.others(event, race.act, race.end).iter().map(|&it| self.nodes[it].act()));
        sequence.push(race.act);
        let node = &mut self.nodes[event];
        let begins = |act: &Act| Some(act.begins(&sequence)).filter(|it| *it != Begins::Not);
        let settled = match node.sleep.iter().rev().find_map(begins) {
            Some(begins) => begins == Begins::AsOne,
            None => insert(&mut node.wakeup, &mut sequence),
        };
        self.sequence = sequence;
        settled
    }
}

fn lane_id(lane: usize) -> LaneId {
    lane_of(lane).unwrap_or_default()
}
