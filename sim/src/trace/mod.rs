//! Traces: what a run did, one event a line.
//!
//! A run notes plain data ([`TraceLog`]); text is made of it only when somebody asks.

use midput_model::event::Event;
use midput_model::os::process::ProcessState;
use midput_model::program::{LaneId, ProcessId, Signal};
use midput_model::site::Site;

use crate::kernel::{Kernel, Record};

mod text;

pub use text::{Story, render};

/// What a kernel object showed after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A counter's value, or the bytes in a pipe.
    Value(u32),
    /// A lock that nobody holds.
    Free,
    /// A lock that this process holds.
    Held(ProcessId),
    /// A lock that this process held when it died.
    Orphaned(ProcessId),
}

/// One thing that a run did.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A lane did a step.
    Step(Record),
    /// A call, a return, the beginning of leaving, or a death.
    History(Event),
    /// A process was killed from outside.
    Kill(ProcessId, Signal),
    /// At the end, a lane stands at a step that it cannot do.
    Blocked(LaneId, Site),
}

/// One thing that a run did, with what the kernel's objects showed after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened.
    pub what: What,
    /// The state of the objects, in the order of [`TraceLog::columns`].
    pub cells: Vec<Cell>,
}

/// What a run did, from its beginning.
#[derive(Clone, Debug, Default)]
pub struct TraceLog {
    /// The objects' names.
    pub columns: Vec<String>,
    /// The lanes' names, by id.
    pub lanes: Vec<String>,
    /// The processes' names, by id.
    pub processes: Vec<String>,
    /// Everything, in order.
    pub entries: Vec<Entry>,
    /// Whether no column is kept: where a server owns the queues nobody else shares an object.
    pub without_columns: bool,
}

impl TraceLog {
    pub(crate) fn note(&mut self, kernel: &Kernel, record: Option<&Record>) {
        if self.columns.is_empty() && !self.without_columns {
            // The last made comes first: of the classic queue that is `sem wlock rlock`.
            self.columns.extend(kernel.semaphores.iter().rev().map(|it| it.role.to_owned()));
            self.columns.extend(kernel.pipes.iter().map(|_| "pipe".to_owned()));
        }
        let cells = cells(kernel);
        if let Some(record) = record {
            self.push(What::Step(*record), &cells);
        }
        for event in &kernel.events {
            self.push(What::History(*event), &cells);
        }
    }

    pub(crate) fn killed(&mut self, kernel: &Kernel, process: ProcessId, signal: Signal) {
        self.push(What::Kill(process, signal), &cells(kernel));
    }

    pub(crate) fn end(&mut self, kernel: &Kernel) {
        self.lanes.clear();
        self.processes.clear();
        let lanes = (0u8..).take(kernel.lane_count()).map(LaneId);
        self.lanes.extend(lanes.clone().map(|lane| kernel.lane_name(lane).to_owned()));
        let processes = (0u8..).take(kernel.process_count()).map(ProcessId);
        self.processes.extend(processes.map(|it| kernel.process_name(it).to_owned()));
        let cells = cells(kernel);
        for lane in lanes.filter(|&lane| !kernel.is_idle(lane)) {
            if let Some(parked) = kernel.parked(lane) {
                let site = Site {
                    lane: kernel.lane_name(lane).to_owned(),
                    step: parked.site.name.to_owned(),
                    occurrence: parked.occurrence,
                    offset: u32::try_from(parked.site.offset).unwrap_or(u32::MAX),
                };
                self.push(What::Blocked(lane, site), &cells);
            }
        }
    }

    fn push(&mut self, what: What, cells: &[Cell]) {
        let cells = if self.without_columns { Vec::new() } else { cells.to_vec() };
        self.entries.push(Entry { what, cells });
    }
}

fn cells(kernel: &Kernel) -> Vec<Cell> {
    let semaphores = kernel.semaphores.iter().rev().map(|semaphore| match semaphore.holder {
        Some(holder) => {
            let process = kernel.process_of(holder);
            match kernel.process_state(process) {
                ProcessState::Dead(_) | ProcessState::Reaped(_) => Cell::Orphaned(process),
                _ => Cell::Held(process),
            }
        }
        None if semaphore.is_lock() => Cell::Free,
        None => Cell::Value(semaphore.semaphore.value()),
    });
    let pipes = kernel.pipes.iter().map(|pipe| Cell::Value(pipe.pipe.available()));
    semaphores.chain(pipes).collect()
}
