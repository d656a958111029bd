//! What a case does to a run at named sites: kills, holds, short transfers, interruptions.

use midput_model::program::{LaneId, ProcessId, Program, Signal};
use midput_model::site::Site;
use midput_scenarios::{KillPoint, Place};

use super::Alternative;
use crate::case::{Fault, FaultKind};
use crate::kernel::{Grant, Kernel, Parked, Record};

/// A site with its lane resolved, so that comparing costs little.
#[derive(Clone, Debug)]
struct Target {
    lane: LaneId,
    step: String,
    occurrence: u32,
    offset: u32,
}

impl Target {
    fn new(site: &Site, lane: LaneId) -> Self {
        Self { lane, step: site.step.clone(), occurrence: site.occurrence, offset: site.offset }
    }

    fn is_step(&self, lane: LaneId, step: &str, occurrence: u32) -> bool {
        self.lane == lane && self.occurrence == occurrence && self.step == step
    }
}

#[derive(Clone, Debug)]
struct ArmedKill {
    process: ProcessId,
    signal: Signal,
    target: Target,
    place: Place,
    /// The lane has come to the place: it does no further step until the kill.
    reached: bool,
    done: bool,
    /// Its transfer was cut short by force, for the kill to land inside it.
    injected: bool,
}

#[derive(Clone, Debug)]
struct ArmedFault {
    target: Target,
    kind: FaultKind,
    done: bool,
}

/// A kill that landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// Which of the case's kills.
    pub index: usize,
    /// Whether it was brought about by a transfer cut short by force, which the kernel itself
    /// never leaves.
    pub injected: bool,
}

/// What a search may do at any step, beside what the lanes do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anywhere {
    /// Whom it may kill.
    pub victims: Vec<ProcessId>,
    /// By which signals.
    pub signals: Vec<Signal>,
    /// How often, in all.
    pub kills_left: u8,
    /// How many transfers it may cut short after one byte, and waiting calls it may interrupt, in
    /// all.
    pub faults_left: u8,
}

impl Anywhere {
    /// What it may do here, in a fixed order.
    pub(super) fn list(&self, kernel: &Kernel, enabled: u64, out: &mut Vec<Alternative>) {
        if self.faults_left > 0 {
            for lane in (0u8..).take(kernel.lane_count()).map(LaneId) {
                if enabled & (1 << lane.0) != 0 {
                    if kernel.natural_bytes(lane).is_some_and(|bytes| bytes > 1) {
                        out.push(Alternative::ShortHere(lane));
                    }
                } else if kernel.is_interruptible(lane) {
                    out.push(Alternative::InterruptHere(lane));
                }
            }
        }
        if self.kills_left > 0 {
            for &process in &self.victims {
                if kernel.process_state(process).is_alive() {
                    let kill = |&signal| Alternative::KillHere(process, signal);
                    out.extend(self.signals.iter().map(kill));
                }
            }
        }
    }
}

/// The directives of a case while it runs.
#[derive(Clone, Debug, Default)]
pub struct Directives {
    /// What a search may do at any step; nothing in the run of a case.
    pub anywhere: Option<Anywhere>,
    kills: Vec<ArmedKill>,
    holds: Vec<Target>,
    faults: Vec<ArmedFault>,
}

impl Directives {
    /// The directives of a case over the lanes of a program. A site whose lane the program does
    /// not have at the start belongs to a thread that the subject starts: it is looked up by
    /// name in `lanes`.
    pub fn new(
        program: &Program,
        kills: &[KillPoint],
        holds: &[Site],
        faults: &[Fault],
    ) -> Result<Self, UnknownLane> {
        let lanes = program.lanes();
        let target = |site: &Site| {
            let found = (0u8..).zip(&lanes).find(|(_, lane)| lane.name == site.lane);
            let (index, _) = found.ok_or_else(|| UnknownLane { lane: site.lane.clone() })?;
            Ok(Target::new(site, LaneId(index)))
        };
        let kills = kills.iter().map(|kill| {
            if usize::from(kill.process.0) >= program.processes.len() {
                return Err(UnknownLane { lane: format!("P{}", kill.process.0) });
            }
            Ok(ArmedKill {
                process: kill.process,
                signal: kill.signal,
                target: target(&kill.site)?,
                place: kill.place,
                reached: false,
                done: false,
                injected: false,
            })
        });
        let faults = faults.iter().map(|fault| {
            Ok(ArmedFault { target: target(&fault.site)?, kind: fault.kind, done: false })
        });
        Ok(Self {
            anywhere: None,
            kills: kills.collect::<Result<_, _>>()?,
            holds: holds.iter().map(target).collect::<Result<_, _>>()?,
            faults: faults.collect::<Result<_, _>>()?,
        })
    }

    /// Whether there is nothing to heed in a run.
    pub(crate) fn is_empty(&self) -> bool {
        self.kills.is_empty()
            && self.holds.is_empty()
            && self.faults.is_empty()
            && self.anywhere.is_none()
    }

    /// A search kills here.
    pub(super) fn kill_here(&mut self) {
        if let Some(anywhere) = &mut self.anywhere {
            anywhere.kills_left = anywhere.kills_left.saturating_sub(1);
        }
    }

    /// A search disturbs a lane here.
    pub(super) fn disturb_here(&mut self) {
        if let Some(anywhere) = &mut self.anywhere {
            anywhere.faults_left = anywhere.faults_left.saturating_sub(1);
        }
    }

    /// A lane has come to a step: is it a place where a kill waits for it?
    pub(crate) fn arrived(&mut self, lane: LaneId, parked: &Parked) {
        for kill in self.kills.iter_mut().filter(|kill| !kill.done) {
            let here = kill.target.is_step(lane, parked.site.name, parked.occurrence);
            let offset = parked.site.offset as u64;
            kill.reached |= match kill.place {
                Place::Before => here && offset == 0,
                Place::At => here && offset == u64::from(kill.target.offset),
                Place::Blocked | Place::After => false,
            };
        }
    }

    /// A step was done: is a kill due right after it?
    pub(crate) fn did(&mut self, record: &Record, completes: bool) {
        for kill in self.kills.iter_mut().filter(|kill| !kill.done) {
            let here = kill.target.is_step(record.lane, record.site.name, record.occurrence);
            kill.reached |= here && completes && kill.place == Place::After;
        }
    }

    /// A transfer was cut short by force, for a kill to land inside it.
    pub(crate) fn forced(&mut self, record: &Record) {
        for kill in self.kills.iter_mut().filter(|kill| kill.place == Place::At) {
            kill.injected |= kill.target.is_step(record.lane, record.site.name, record.occurrence);
        }
    }

    /// Whether a lane does no step: a kill waits for it, or a hold keeps it.
    pub(crate) fn keeps(&self, lane: LaneId, parked: &Parked) -> bool {
        let waits = |kill: &ArmedKill| !kill.done && kill.reached && kill.target.lane == lane;
        let held = |hold: &Target| {
            hold.is_step(lane, parked.site.name, parked.occurrence) && parked.site.offset == 0
        };
        self.kills.iter().any(waits) || self.holds.iter().any(held)
    }

    /// The kills that can land now.
    pub(crate) fn due(&self, kernel: &Kernel, enabled: u64) -> impl Iterator<Item = usize> {
        self.kills.iter().enumerate().filter_map(move |(index, kill)| {
            let alive = kernel.process_state(kill.process).is_alive();
            let blocked = kill.place == Place::Blocked
                && enabled & (1 << kill.target.lane.0) == 0
                && kernel.parked(kill.target.lane).is_some_and(|parked| {
                    kill.target.is_step(kill.target.lane, parked.site.name, parked.occurrence)
                });
            (alive && !kill.done && (kill.reached || blocked)).then_some(index)
        })
    }

    /// The interruptions whose lane waits at their site now, in a call that a signal can
    /// interrupt.
    pub(crate) fn interruptions(
        &self,
        kernel: &Kernel,
        waiting: u64,
    ) -> impl Iterator<Item = usize> {
        self.faults.iter().enumerate().filter_map(move |(index, fault)| {
            let Target { lane, occurrence, ref step, .. } = fault.target;
            let waits = waiting & (1 << lane.0) != 0
                && kernel.is_interruptible(lane)
                && kernel.parked(lane).is_some_and(|parked| {
                    parked.site.name == step && parked.occurrence == occurrence
                });
            (!fault.done && fault.kind == FaultKind::Interrupt && waits).then_some(index)
        })
    }

    /// The lane that an interruption hits, which is done now.
    pub(crate) fn interrupt(&mut self, index: usize) -> LaneId {
        let fault = &mut self.faults[index];
        fault.done = true;
        fault.target.lane
    }

    /// The victim and signal of a kill, which is done now.
    pub(crate) fn land(&mut self, index: usize) -> (ProcessId, Signal) {
        let kill = &mut self.kills[index];
        kill.done = true;
        (kill.process, kill.signal)
    }

    /// Which kills have landed.
    pub fn landed(&self) -> Vec<Landed> {
        let done = self.kills.iter().enumerate().filter(|(_, kill)| kill.done);
        done.map(|(index, kill)| Landed { index, injected: kill.injected }).collect()
    }

    /// How the lane's next step is let, where a kill inside it or a fault says so.
    pub(crate) fn grant(&mut self, lane: LaneId, parked: &Parked) -> Grant {
        let offset = u32::try_from(parked.site.offset).unwrap_or(u32::MAX);
        for fault in self.faults.iter_mut().filter(|fault| !fault.done) {
            let here = fault.target.is_step(lane, parked.site.name, parked.occurrence);
            if here && fault.target.offset <= offset {
                fault.done = true;
                return match fault.kind {
                    FaultKind::Short(bytes) => Grant::Short(bytes),
                    FaultKind::Interrupt => Grant::Interrupted,
                };
            }
        }
        for kill in self.kills.iter().filter(|kill| !kill.done && kill.place == Place::At) {
            let here = kill.target.is_step(lane, parked.site.name, parked.occurrence);
            if here && kill.target.offset > offset {
                return Grant::Limited(kill.target.offset - offset);
            }
        }
        Grant::Plain
    }
}

/// A site names a lane or a process that the program does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program has no lane or process '{lane}'; see 'midput list sites'")]
pub struct UnknownLane {
    /// The name.
    pub lane: String,
}
