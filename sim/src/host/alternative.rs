//! What can happen next, and what was chosen.

use arrayvec::ArrayVec;
use midput_model::program::{LaneId, ProcessId, Signal};

use super::Directives;
use crate::kernel::{Kernel, Parked};

/// One thing that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alternative {
    /// A lane does its step.
    Lane(LaneId),
    /// A lane's wait reaches its deadline.
    Expire(LaneId),
    /// A process dies of the signal that it was sent.
    Die(ProcessId),
    /// The case's kill of this index lands.
    Kill(usize),
    /// The case's fault of this index, an interruption, hits a call that waits.
    Interrupt(usize),
    /// Where a search may kill anywhere: nothing of that happens, so that time passes to the next
    /// deadline or the run is over.
    Pass,
    /// Where a search may kill anywhere: it kills this process here.
    KillHere(ProcessId, Signal),
    /// Where a search may disturb anywhere: the lane's transfer moves one byte and returns short.
    ShortHere(LaneId),
    /// Where a search may disturb anywhere: a signal interrupts the lane's call, which waits.
    InterruptHere(LaneId),
}

/// A choice that was made: which of several alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The position among the alternatives.
    pub index: usize,
    /// Of so many.
    pub of: usize,
    /// What was chosen.
    pub alternative: Alternative,
    /// The step that the chosen lane stands at.
    pub step: &'static str,
    /// The n-th time of this step.
    pub occurrence: u32,
}

impl Choice {
    /// What was chosen, in words.
    pub(crate) fn text(&self, kernel: &Kernel) -> String {
        let at =
            |lane: LaneId| format!("{} {}[{}]", kernel.lane_name(lane), self.step, self.occurrence);
        match self.alternative {
            Alternative::Lane(lane) => at(lane),
            Alternative::Expire(lane) => format!("{} expires", at(lane)),
            Alternative::Die(process) => format!("{} dies", kernel.process_name(process)),
            Alternative::Kill(index) => format!("kill {}", index + 1),
            Alternative::Interrupt(index) => format!("interruption {}", index + 1),
            Alternative::Pass => "nothing".to_owned(),
            Alternative::KillHere(process, signal) => {
                format!("{} {}", signal.name(), kernel.process_name(process))
            }
            Alternative::ShortHere(lane) => format!("{} short", at(lane)),
            Alternative::InterruptHere(lane) => format!("{} interrupted", at(lane)),
        }
    }
}

/// The name and the occurrence of the step that a lane stands at.
#[inline(always)]
pub(super) fn place_of(parked: Option<&Parked>) -> (&'static str, u32) {
    parked.map_or(("ended", 0), |parked| (parked.site.name, parked.occurrence))
}

pub(crate) fn describe(
    kernel: &Kernel,
    index: usize,
    of: usize,
    alternative: Alternative,
) -> Choice {
    let (step, occurrence) = match alternative {
        Alternative::Lane(lane)
        | Alternative::Expire(lane)
        | Alternative::ShortHere(lane)
        | Alternative::InterruptHere(lane) => place_of(kernel.parked(lane)),
        Alternative::Die(_) => ("die", 0),
        Alternative::Kill(_) | Alternative::KillHere(..) => ("kill", 0),
        Alternative::Interrupt(_) => ("interruption", 0),
        Alternative::Pass => ("nothing", 0),
    };
    Choice { index, of, alternative, step, occurrence }
}

/// The lanes of a set, as alternatives.
pub(crate) fn lanes(mut can: u64) -> ArrayVec<Alternative, 64> {
    let mut alternatives = ArrayVec::new();
    while can != 0 {
        alternatives.push(Alternative::Lane(first_of(can)));
        can &= can - 1;
    }
    alternatives
}

/// How many lanes a set has.
#[inline(always)]
pub(super) fn count_of(lanes: u64) -> usize {
    /// How many bits a byte has, for the programs of up to eight lanes, which most are.
    const OF_BYTES: [u8; 256] = {
        let mut counts = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            counts[byte] = byte.count_ones() as u8;
            byte += 1;
        }
        counts
    };
    match OF_BYTES.get(lanes as usize) {
        Some(&count) => usize::from(count),
        None => lanes.count_ones() as usize,
    }
}

/// The lane of a set that has so many before it.
#[inline(always)]
pub(super) fn nth_of(lanes: u64, before: usize) -> LaneId {
    let without_first = |lanes: u64| lanes & lanes.wrapping_sub(1);
    // Which one it is, is drawn: a loop of as many turns would be foretold wrongly half the time.
    let one = without_first(lanes);
    let two = without_first(one);
    let left = [lanes, one, two, without_first(two)];
    match left.get(before) {
        Some(&left) => first_of(left),
        None => first_of((0..before).fold(lanes, |left, _| without_first(left))),
    }
}

/// The first of a set of lanes, which has one.
#[inline(always)]
pub(super) fn first_of(lanes: u64) -> LaneId {
    LaneId(lanes.trailing_zeros() as u8)
}

/// What can happen next, in a fixed order: lanes, expiries where time is any, deaths, kills, and
/// where a search may do so, whatever it may do here.
pub(super) fn list(
    kernel: &Kernel,
    enabled: u64,
    kept: u64,
    time_any: bool,
    directives: Option<&Directives>,
    alternatives: &mut Vec<Alternative>,
) {
    alternatives.clear();
    alternatives.extend(lanes(enabled & !kept));
    let waiting = !enabled & !kept;
    if time_any {
        let all = (0u8..).take(kernel.lane_count()).map(LaneId);
        let timed = all.filter(|&lane| waiting & (1 << lane.0) != 0);
        let timed = timed.filter(|&lane| kernel.waits_for_deadline(lane));
        alternatives.extend(timed.map(Alternative::Expire));
    }
    if kernel.signals_under_way() {
        let processes = (0u8..).take(kernel.process_count()).map(ProcessId);
        alternatives.extend(processes.filter(|&it| kernel.is_dying(it)).map(Alternative::Die));
    }
    let Some(directives) = directives else { return };
    alternatives.extend(directives.due(kernel, enabled).map(Alternative::Kill));
    let interruptions = directives.interruptions(kernel, waiting);
    alternatives.extend(interruptions.map(Alternative::Interrupt));
    if let Some(anywhere) = &directives.anywhere {
        let nothing = alternatives.is_empty();
        anywhere.list(kernel, enabled, alternatives);
        if nothing && !alternatives.is_empty() {
            alternatives.insert(0, Alternative::Pass);
        }
    }
}
