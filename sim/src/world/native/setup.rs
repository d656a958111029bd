//! What the harness hands to the processes of a run, and how they find it.
//!
//! Nothing is inherited but one variable of the environment: it names objects of the harness,
//! which are opened through `/proc`. So no descriptor can leak into a process that another thread
//! of the harness starts at the same moment, and none of a run that is over can be found.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use midput_model::program::{LaneId, ProcessId, Program, Signal};
use midput_scenarios::Place;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The variable of the environment by which a process knows its run.
pub(super) const VARIABLE: &str = "MIDPUT_NATIVE";

/// An object of the harness: its descriptor there, and its number in the kernel, which no later
/// object under the same descriptor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectName {
    descriptor: i32,
    inode: u64,
}

impl ObjectName {
    pub(super) fn of(descriptor: impl AsFd) -> io::Result<Self> {
        let inode = rustix::fs::fstat(&descriptor)?.st_ino;
        Ok(Self { descriptor: descriptor.as_fd().as_raw_fd(), inode })
    }

    /// Opens the object anew in this process.
    pub(super) fn open(self, harness: u32, flags: OFlags) -> io::Result<OwnedFd> {
        let path = format!("/proc/{harness}/fd/{}", self.descriptor);
        let opened = rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())?;
        if rustix::fs::fstat(&opened)?.st_ino == self.inode {
            Ok(opened)
        } else {
            Err(Errno::STALE.into())
        }
    }
}

/// What [`VARIABLE`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) harness: u32,
    /// A pipe that only the harness can write: its end is the end of every process.
    pub(super) lifeline: ObjectName,
    /// The [`Setup`].
    pub(super) setup: ObjectName,
}

/// What every process of a run knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) program: Program,
    pub(super) subject: String,
    /// Where the sockets of a server are.
    pub(super) directory: PathBuf,
    pub(super) kills: Vec<Kill>,
    pub(super) holds: Vec<Target>,
    pub(super) processes: Vec<ProcessObjects>,
}

/// The harness's objects for one process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ProcessObjects {
    pub(super) log: ObjectName,
    /// A pipe that holds a byte once the process was started.
    pub(super) started: ObjectName,
    /// A file with the process's number once it was started, in its first four bytes.
    pub(super) number: ObjectName,
    /// A pipe whose writing end only the process has, so that its death is the pipe's end.
    pub(super) life: ObjectName,
}

/// A site with its lane resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) lane: LaneId,
    pub(super) step: String,
    pub(super) occurrence: u32,
    pub(super) offset: u32,
}

impl Target {
    pub(super) fn is_step(&self, lane: LaneId, step: &str, occurrence: u32) -> bool {
        self.lane == lane && self.occurrence == occurrence && self.step == step
    }
}

/// A kill of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kill {
    pub(super) index: usize,
    pub(super) victim: ProcessId,
    pub(super) target: Target,
    pub(super) place: Place,
    pub(super) signal: Signal,
}
