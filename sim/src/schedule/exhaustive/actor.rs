//! Everybody who can act, by a number below 256.

use midput_model::program::{LaneId, ProcessId, Signal};

use crate::host::Alternative;
use crate::kernel::Kernel;

/// The most lanes that a search can tell apart.
pub(crate) const LANES_MAX: usize = 48;
/// The most processes.
pub(crate) const PROCESSES_MAX: usize = 16;

/// The most kills, and the most interruptions, that a case names.
const DIRECTED_MAX: usize = 7;

const EXPIRE: usize = LANES_MAX;
const SHORT: usize = EXPIRE + LANES_MAX;
const INTERRUPT: usize = SHORT + LANES_MAX;
const DIE: usize = INTERRUPT + LANES_MAX;
const KILL: usize = DIE + PROCESSES_MAX;
const TERMINATE: usize = KILL + PROCESSES_MAX;
pub(super) const PASS: usize = TERMINATE + PROCESSES_MAX;
const DIRECTED_KILL: usize = PASS + 1;
const DIRECTED_INTERRUPT: usize = DIRECTED_KILL + DIRECTED_MAX;

/// A program has more of something than a search can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an exhaustive search tells {most} {of} apart, and here are {count}: give the scenario fewer, or \
     let 'midput check' draw its schedules"
)]
pub struct TooMany {
    /// Of what.
    pub of: &'static str,
    /// So many.
    pub count: usize,
    /// At most so many can be told apart.
    pub most: usize,
}

impl TooMany {
    /// Whether there is a number for each lane and process.
    ///
    /// # Errors
    /// What there are too many of.
    pub(crate) fn check(lanes: usize, processes: usize) -> Result<(), Self> {
        Self::check_one("lanes", lanes, LANES_MAX)?;
        Self::check_one("processes", processes, PROCESSES_MAX)
    }

    fn check_one(of: &'static str, count: usize, most: usize) -> Result<(), Self> {
        if count > most { Err(Self { of, count, most }) } else { Ok(()) }
    }
}

/// Whether there is a number for each who may act here.
pub(super) fn check(kernel: &Kernel, alternatives: &[Alternative]) -> Result<(), TooMany> {
    TooMany::check(kernel.lane_count(), kernel.process_count())?;
    for alternative in alternatives {
        match *alternative {
            Alternative::Kill(index) => {
                TooMany::check_one("kills of a case", index + 1, DIRECTED_MAX)?;
            }
            Alternative::Interrupt(index) => {
                TooMany::check_one("interruptions of a case", index + 1, DIRECTED_MAX)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The number of whoever acts in an alternative that was [checked](check).
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
        Alternative::Kill(index) => DIRECTED_KILL + index,
        Alternative::Interrupt(index) => DIRECTED_INTERRUPT + index,
    }
}

/// The lane that an actor is, if it is one.
pub(super) fn lane_of(actor: usize) -> Option<LaneId> {
    (actor < LANES_MAX).then_some(LaneId(actor as u8))
}

/// The lane whose step an actor does or disturbs, if it does so.
pub(super) fn lane_acted_on(actor: usize) -> Option<LaneId> {
    (actor < DIE).then_some(LaneId((actor % LANES_MAX) as u8))
}

/// The process that an actor kills at once, if it is such a kill.
pub(super) fn killed_by(actor: usize) -> Option<ProcessId> {
    let kills = (KILL..PASS).contains(&actor);
    kills.then(|| ProcessId(((actor - KILL) % PROCESSES_MAX) as u8))
}

#[cfg(test)]
mod tests {
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
                (0..DIRECTED_MAX)
                    .flat_map(|index| [Alternative::Kill(index), Alternative::Interrupt(index)]),
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

    #[test]
    fn more_than_can_be_told_apart_is_refused() {
        assert_eq!(TooMany::check(LANES_MAX, PROCESSES_MAX), Ok(()));
        let lanes = TooMany::check(LANES_MAX + 1, 1).unwrap_err().to_string();
        assert!(lanes.contains("48 lanes") && lanes.contains("are 49"), "{lanes}");
        let processes = TooMany::check(1, PROCESSES_MAX + 1).unwrap_err().to_string();
        assert!(processes.contains("16 processes"), "{processes}");
        let kernel = Kernel::new();
        let last = [Alternative::Kill(DIRECTED_MAX - 1), Alternative::Interrupt(DIRECTED_MAX - 1)];
        assert_eq!(check(&kernel, &last), Ok(()));
        for beyond in [Alternative::Kill(DIRECTED_MAX), Alternative::Interrupt(DIRECTED_MAX)] {
            let error = check(&kernel, &[beyond]).unwrap_err();
            assert_eq!((error.count, error.most), (8, 7));
        }
    }
}
