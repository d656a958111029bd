//! Pictures made by hand, for tests: one queue, whose semaphores are in the order of their making.

use super::picture::{Doing, End, Picture, Pipe, Process, Semaphore, SemaphorePlace, Thread};
use super::roles;

/// The inode of the queue's pipe.
pub(super) const PIPE: u64 = 700;
/// The places of a joinable queue's semaphores.
pub(super) const READ_LOCK: usize = 0;
pub(super) const WRITE_LOCK: usize = 1;
pub(super) const SLOTS: usize = 2;
pub(super) const CONDITION_LOCK: usize = 4;
pub(super) const WOKEN: usize = 6;
pub(super) const WAIT: usize = 7;

/// The processes of a picture, by number; 1 is the parent of the others.
pub(super) struct Draft {
    processes: Vec<Process>,
    values: Vec<u32>,
    bytes: u64,
}

impl Draft {
    /// A queue whose semaphores have these values, with so much in its pipe.
    pub(super) fn new(values: &[u32], bytes: u64) -> Self {
        Self { processes: Vec::new(), values: values.to_vec(), bytes }
    }

    /// One more process, whose threads do this, the first first.
    pub(super) fn process(mut self, threads: &[Doing]) -> Self {
        let pid = u32::try_from(self.processes.len() + 1).unwrap();
        let thread = |(index, doing): (u32, &Doing)| {
            let tid = if index == 0 { pid } else { pid * 100 + index };
            Thread { tid, name: "python3".into(), doing: doing.clone() }
        };
        self.processes.push(Process {
            pid,
            parent: u32::from(pid > 1),
            command: "python3".into(),
            zombie: false,
            threads: (0..).zip(threads).map(thread).collect(),
        });
        self
    }

    /// The picture, with the roles that can be told.
    pub(super) fn picture(self) -> Picture {
        let pids: Vec<u32> = self.processes.iter().map(|it| it.pid).collect();
        let ends = |descriptor| pids.iter().map(|&pid| End { pid, descriptor }).collect();
        let pipe = Pipe {
            inode: PIPE,
            readers: ends(3),
            writers: ends(4),
            bytes: Some(self.bytes),
            capacity: Some(65_536),
        };
        let semaphore = |(inode, &value): (u64, &u32)| Semaphore {
            place: SemaphorePlace { device: "00:1b".into(), inode, offset: 0 },
            name: format!("/dev/shm/sem.{inode}"),
            mapped_by: pids.clone(),
            value: Some(value),
            waiters: Some(0),
            of: None,
            role: None,
            event_wait: false,
        };
        let mut picture = Picture {
            asked: 1,
            semaphores: (10..).zip(&self.values).map(semaphore).collect(),
            pipes: vec![pipe],
            processes: self.processes,
            unread: Vec::new(),
        };
        roles::assign(&mut picture);
        picture
    }
}

/// Blocked in a read that wants so many bytes.
pub(super) fn reads(wants: u64) -> Doing {
    Doing::Reads { pipe: PIPE, wants }
}

/// Blocked in a write.
pub(super) const WRITES: Doing = Doing::Writes { pipe: PIPE, given: 1_000_000 };

/// Waits for a semaphore without a timeout.
pub(super) fn waits(semaphore: usize) -> Doing {
    Doing::Waits { semaphore, limited: false }
}

/// Waits for a child to end.
pub(super) fn joins(child: u32) -> Doing {
    Doing::Joins { child: Some(child), limited: false }
}

/// Waits for a thread of its own, or to be notified.
pub(super) const LOCAL: Doing = Doing::Local { limited: false };
