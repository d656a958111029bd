//! Processes.

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::os::linux::Linux;
use crate::process;
use crate::timeout::Timeout;
use crate::worker::{Outcome, registered_name, this_process};
use crate::{CodecError, block_on};

/// A process that runs a worker: CPython's `multiprocessing.Process`, by starting this program
/// anew (CPython's start method `spawn`).
///
/// Dropping it does nothing; leaving this process waits for it.
#[derive(Clone, Debug)]
pub struct Process {
    process: process::Process<Linux>,
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The function is not among those that `init` was given.
    #[error("'{worker}' is no worker of this program; name it in midput_real::init first in main")]
    Unregistered {
        /// The function's path.
        worker: &'static str,
    },
    /// The argument cannot be encoded.
    #[error("the argument of the process cannot be encoded: {0}")]
    Argument(#[source] CodecError),
    /// This process is a daemon (CPython's `AssertionError`, `LC7`).
    #[error("a daemon starts no process; start it from a process that is none")]
    Daemonic,
    /// The system refused; `EBADF` where a queue or connection in the argument is closed here.
    #[error("the process was not started: {0}")]
    Io(#[from] io::Error),
}

/// Why the handle of a process was not given up.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// It has not ended (CPython's `ValueError`).
    #[error("the process is still running; join or terminate it before closing it")]
    Running(Process),
    /// The system refused.
    #[error("whether the process has ended is unknown: {0}")]
    Io(#[from] io::Error),
}

fn name_of<F: 'static>(worker: &F) -> Result<&'static str, StartError> {
    let worker = std::any::type_name_of_val(worker);
    registered_name::<F>().ok_or(StartError::Unregistered { worker })
}

impl From<process::StartError> for StartError {
    fn from(error: process::StartError) -> Self {
        match error {
            process::StartError::Argument(error) => Self::Argument(error),
            process::StartError::Daemonic => Self::Daemonic,
            process::StartError::Io(error) => Self::Io(error),
        }
    }
}

impl Process {
    /// Starts a process that runs this function with this argument (a tuple for several).
    ///
    /// Queues and connections in the argument are inherited: they are the same there as here.
    ///
    /// # Errors
    /// Where [`init`](crate::init) has not run or was not given the function, where the argument
    /// cannot be encoded or holds a queue or connection that is closed here, and what the system
    /// says.
    pub fn start<F, A, R>(worker: F, argument: A) -> Result<Self, StartError>
    where
        F: Fn(A) -> R + 'static,
        A: Serialize,
        R: Outcome,
    {
        let name = name_of(&worker)?;
        let process = block_on(process::Process::start(this_process(), name, argument))?;
        Ok(Self { process })
    }

    /// The same for a daemon: leaving this process ends it by SIGTERM, with nothing flushed, where
    /// it would wait for another (`LC1`). A daemon starts no process itself.
    ///
    /// What a daemon was writing into a queue when it is ended is cut off, and the queue is lost to
    /// everybody (`X12`).
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_daemon<F, A, R>(worker: F, argument: A) -> Result<Self, StartError>
    where
        F: Fn(A) -> R + 'static,
        A: Serialize,
        R: Outcome,
    {
        let name = name_of(&worker)?;
        let process = block_on(process::Process::start_daemon(this_process(), name, argument))?;
        Ok(Self { process })
    }

    /// Waits until the process has ended, and says how, as [`exit_code`](Self::exit_code) does.
    ///
    /// It never ends before all that the process put into queues is got or fits into their pipes
    /// (`LC9`): get first, then join.
    ///
    /// # Errors
    /// What the system says.
    pub fn join(&self) -> io::Result<i32> {
        let ended = self.join_within(Timeout::Never)?;
        ended.ok_or_else(|| io::Error::other("the system says no end of the process"))
    }

    /// Waits at most so long; `None` where the process has not ended by then.
    ///
    /// # Errors
    /// What the system says.
    pub fn join_timeout(&self, timeout: Duration) -> io::Result<Option<i32>> {
        self.join_within(Timeout::After(timeout))
    }

    pub(super) fn process(&self) -> &process::Process<Linux> {
        &self.process
    }

    fn join_within(&self, timeout: Timeout) -> io::Result<Option<i32>> {
        block_on(self.process.join(timeout))?;
        Ok(self.process.exit_code())
    }

    /// The code with which the process ended, or below zero the signal that ended it, -9 for
    /// SIGKILL (`LC4`); `None` while it runs.
    ///
    /// # Errors
    /// What the system says.
    pub fn exit_code(&self) -> io::Result<Option<i32>> {
        self.join_within(Timeout::NoWait)
    }

    /// Whether the process has not ended.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_alive(&self) -> io::Result<bool> {
        block_on(self.process.is_alive())
    }

    /// Gives up the handle of a process that has ended. There is nothing left that could be called
    /// on it then; a clone of it is a handle of its own.
    ///
    /// # Errors
    /// Where the process still runs: the handle comes back (`LC7`). What the system says.
    pub fn close(self) -> Result<(), CloseError> {
        match self.is_alive() {
            Ok(false) => Ok(()),
            Ok(true) => Err(CloseError::Running(self)),
            Err(error) => Err(CloseError::Io(error)),
        }
    }

    /// Asks the process to end, by SIGTERM. Unless it handles the signal it ends at once, with
    /// nothing flushed and nothing given back. Nothing where it has ended.
    ///
    /// # Errors
    /// What the system says.
    pub fn terminate(&self) -> io::Result<()> {
        block_on(self.process.terminate())
    }

    /// Ends the process at once, by SIGKILL. Nothing where it has ended.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&self) -> io::Result<()> {
        block_on(self.process.kill())
    }
}
