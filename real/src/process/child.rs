//! A child process.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::{ThisProcess, passing};
use crate::codec::{self, CodecError};
use crate::interrupted::uninterrupted;
use crate::os::{Awaited, Exit, Os, Signal, Site, Start, Wait};
use crate::timeout::Timeout;

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The argument cannot be encoded.
    #[error("the argument of the process cannot be encoded: {0}")]
    Argument(#[source] CodecError),
    /// This process is a daemon (CPython's `AssertionError`, `LC7`).
    #[error("a daemon starts no process; start it from a process that is none")]
    Daemonic,
    /// The system refused; `EBADF` where a queue in the argument has a closed end.
    #[error("the process was not started: {0}")]
    Io(#[from] io::Error),
}

/// A child process that was started.
///
/// Dropping it does nothing: the process goes on, and leaving this process waits for it.
#[derive(Clone, Debug)]
pub struct Process<O: Os> {
    os: O,
    child: Arc<Child<O>>,
}

pub(super) struct Child<O: Os> {
    process: O::Process,
    daemon: bool,
    exit: Mutex<Option<Exit>>,
}

impl<O: Os> std::fmt::Debug for Child<O> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Child").field("exit", &self.exit()).finish_non_exhaustive()
    }
}

impl<O: Os> Child<O> {
    pub(super) fn exit(&self) -> Option<Exit> {
        *self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_daemon(&self) -> bool {
        self.daemon
    }

    pub(super) async fn signal(&self, os: O, signal: Signal, site: Site) -> io::Result<()> {
        os.process_signal(&self.process, signal, site).await
    }

    pub(super) async fn wait(&self, os: O, wait: Wait, site: Site) -> io::Result<Option<Exit>> {
        let exit = uninterrupted(|| os.process_wait(&self.process, wait, site)).await?;
        if exit.is_some() {
            *self.exit.lock().unwrap_or_else(PoisonError::into_inner) = exit;
        }
        Ok(exit)
    }
}

impl<O: Os> Process<O> {
    /// Starts a process that runs the worker of this name with this argument.
    ///
    /// Queues in the argument are inherited.
    ///
    /// Step: `process.start`.
    ///
    /// # Errors
    /// Where the argument cannot be encoded, where a queue in it has a closed end (`EBADF`), and
    /// what the system says where it starts no process.
    pub async fn start<A: Serialize>(
        this: &ThisProcess<O>,
        worker: &str,
        argument: A,
    ) -> Result<Self, StartError> {
        Self::start_as(this, worker, argument, false).await
    }

    /// The same for a daemon: this process ends it by SIGTERM when it leaves, before it waits for
    /// it (`LC1`). What the daemon has not sent by then is lost, and a queue that it is writing into
    /// is lost to all (`LC8`, `X12`).
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn start_daemon<A: Serialize>(
        this: &ThisProcess<O>,
        worker: &str,
        argument: A,
    ) -> Result<Self, StartError> {
        Self::start_as(this, worker, argument, true).await
    }

    async fn start_as<A: Serialize>(
        this: &ThisProcess<O>,
        worker: &str,
        argument: A,
        daemon: bool,
    ) -> Result<Self, StartError> {
        let os = this.os();
        if this.is_daemon() {
            return Err(StartError::Daemonic);
        }
        let (encoded, inherit) = passing::while_starting(|| codec::to_bytes(&argument));
        let start = Start {
            worker: worker.to_owned(),
            argument: encoded.map_err(StartError::Argument)?,
            inherit,
            daemon,
        };
        let process = os.process_start(&start, Site::new("process.start")).await?;
        // The argument owned what the child inherits until here.
        drop(argument);
        let child = Arc::new(Child { process, daemon, exit: Mutex::new(None) });
        this.add_child(Arc::clone(&child));
        Ok(Self { os, child })
    }

    /// What [`wait`](crate::connection::wait) waits for: that the process has ended, as CPython's
    /// `sentinel`.
    pub fn awaited(&self) -> Awaited<'_, O> {
        Awaited::Ended(&self.child.process)
    }

    /// Waits until the process has ended; `None` where it has not in time (`LC6`).
    ///
    /// Step: `process.join`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn join(&self, timeout: Timeout) -> io::Result<Option<Exit>> {
        let wait = timeout.starting_now(self.os);
        self.child.wait(self.os, wait, Site::new("process.join")).await
    }

    /// Whether the process has not ended (`LC7`).
    ///
    /// Step: `process.poll`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn is_alive(&self) -> io::Result<bool> {
        let exit = self.child.wait(self.os, Wait::Try, Site::new("process.poll")).await?;
        Ok(exit.is_none())
    }

    /// Asks the process to end: SIGTERM, which ends it at once unless it handles it (`LC5`).
    /// Nothing where it has ended.
    ///
    /// Step: `process.terminate`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn terminate(&self) -> io::Result<()> {
        self.child.signal(self.os, Signal::Terminate, Site::new("process.terminate")).await
    }

    /// Ends the process at once: SIGKILL. Nothing where it has ended.
    ///
    /// Step: `process.kill`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn kill(&self) -> io::Result<()> {
        self.child.signal(self.os, Signal::Kill, Site::new("process.kill")).await
    }

    /// How the process ended, as CPython's `exitcode` says it: its code, or the signal's number
    /// below zero (`LC4`). `None` until a [`join`](Self::join) has found it ended.
    pub fn exit_code(&self) -> Option<i32> {
        self.child.exit().map(|exit| match exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => -signal,
        })
    }
}
