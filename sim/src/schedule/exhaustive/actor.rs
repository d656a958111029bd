//! Everybody who can act, by a number below 256.

use midput_model::program::{LaneId, Signal};

use crate::host::Alternative;

/// The most lanes that a search can tell apart.
pub(crate) const LANES_MAX: usize = 48;
/// The most processes.
pub(crate) const PROCESSES_MAX: usize = 16;

const EXPIRE: usize = LANES_MAX;
const SHORT: usize = EXPIRE + LANES_MAX;
const INTERRUPT: usize = SHORT + LANES_MAX;
const DIE: usize = INTERRUPT + LANES_MAX;
const KILL: usize = DIE + PROCESSES_MAX;
const TERMINATE: usize = KILL + PROCESSES_MAX;
const PASS: usize = TERMINATE + PROCESSES_MAX;
const DIRECTED_KILL: usize = PASS + 1;
const DIRECTED_INTERRUPT: usize = DIRECTED_KILL + 7;

/// The number of whoever acts in an alternative.
pub(super) fn actor_of(alternative: Alternative) -> usize {
    match alternative {
        Alternative::Lane(lane) => usize::from(lane.0),
        Alternative::Expire(lane) => EXPIRE + usize::from(lane.0),
        Alternative::ShortHere(lane) => SHORT + usize::from(lane.0),
        Alternative::InterruptHere(lane) => INTERRUPT + usize::from(lane.0),
        Alternative::Die(process) => DIE + usize::from(process.0),
        Alternative::KillHere(process, Signal::Kill) => KILL + usize::from(process.0),
        Alternative::KillHere(process, Signal::Terminate) => TERMINATE + usize::from(process.0),
        Alternative::Pass => PASS,
        Alternative::Kill(index) => DIRECTED_KILL + index.min(6),
        Alternative::Interrupt(index) => DIRECTED_INTERRUPT + index.min(6),
    }
}

/// The lane that an actor is, if it is one.
pub(super) fn lane_of(actor: usize) -> Option<LaneId> {
    (actor < LANES_MAX).then_some(LaneId(actor as u8))
}

#[cfg(test)]
mod tests {
    use midput_model::program::ProcessId;

    use super::*;

    #[test]
    fn no_two_actors_share_a_number() {
        let lanes = (0..LANES_MAX as u8).map(LaneId);
        let processes = (0..PROCESSES_MAX as u8).map(ProcessId);
        let mut all: Vec<usize> = lanes
            .flat_map(|lane| {
                [
                    Alternative::Lane(lane),
                    Alternative::Expire(lane),
                    Alternative::ShortHere(lane),
                    Alternative::InterruptHere(lane),
                ]
            })
            .chain(processes.flat_map(|process| {
                [
                    Alternative::Die(process),
                    Alternative::KillHere(process, Signal::Kill),
                    Alternative::KillHere(process, Signal::Terminate),
                ]
            }))
            .chain(
                (0..7).flat_map(|index| [Alternative::Kill(index), Alternative::Interrupt(index)]),
            )
            .chain([Alternative::Pass])
            .map(actor_of)
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.last().is_some_and(|&last| last < 256));
    }
}
