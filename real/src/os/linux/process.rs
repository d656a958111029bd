//! Processes: this program again, as a worker.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::MemfdFlags;
use rustix::io::{Errno, FdFlags};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};

use super::poll;
use crate::codec;
use crate::os::{Exit, Signal, Start, Wait};

/// The first argument of a worker process; the second is the descriptor of what it was started
/// with.
pub(super) const WORKER_FLAG: &str = "--midput-worker";

/// Whether this program would run a worker if it were started as one.
static ALLOWED: AtomicBool = AtomicBool::new(false);

/// Says that this program looks at [`inherited_start`](super::inherited_start) first, so that it
/// may start processes.
pub fn allow_start() {
    ALLOWED.store(true, Ordering::Relaxed);
}

/// A child process. Dropping it leaves the process alone.
#[derive(Clone, Debug)]
pub struct Process {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pidfd: OwnedFd,
    identifier: u32,
    exit: Mutex<Option<Exit>>,
}

impl Process {
    /// The number by which the system knows it, which belongs to it until it was waited for.
    pub fn identifier(&self) -> u32 {
        self.shared.identifier
    }

    pub(super) fn start(start: &Start) -> io::Result<Self> {
        if !ALLOWED.load(Ordering::Relaxed) {
            let message = "processes can be started only after midput_real::init, \
                           which must come first in main";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let message = message(start)?;
        let mut inherit: Vec<RawFd> = vec![message.as_raw_fd()];
        inherit.extend(start.inherit.iter().map(|exported| exported.descriptor));
        if inherit.iter().any(|&descriptor| descriptor < 0) {
            return Err(Errno::BADF.into());
        }
        let mut command = Command::new("/proc/self/exe");
        if let Some(name) = std::env::args_os().next() {
            command.arg0(name);
        }
        command.arg(WORKER_FLAG).arg(message.as_raw_fd().to_string());
        let keep_open = move || {
            for &descriptor in &inherit {
                // SAFETY: not -1, and borrowed for this one call; a closed one is an error.
                let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
                rustix::io::fcntl_setfd(borrowed, FdFlags::empty())?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec it makes system calls only: no lock, no allocation.
        unsafe { command.pre_exec(keep_open) };
        let mut child = command.spawn()?;
        match pidfd(child.id()) {
            Ok(pidfd) => {
                let (identifier, exit) = (child.id(), Mutex::new(None));
                Ok(Self { shared: Arc::new(Shared { pidfd, identifier, exit }) })
            }
            Err(error) => {
                // Nobody could ever wait for it.
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    pub(super) fn wait(&self, wait: Wait) -> io::Result<Option<Exit>> {
        if let Some(exit) = *self.exit() {
            return Ok(Some(exit));
        }
        if !poll::readable(&self.shared.pidfd, wait)? {
            return Ok(None);
        }
        let mut exit = self.exit();
        if exit.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let status =
                rustix::process::waitid(WaitId::PidFd(self.shared.pidfd.as_fd()), options)?;
            *exit = status.and_then(|status| {
                let signal = || status.terminating_signal().map(Exit::Signal);
                status.exit_status().map(Exit::Code).or_else(signal)
            });
        }
        Ok(*exit)
    }

    /// It can be read once the process has ended, waited for or not.
    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.shared.pidfd
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        match rustix::process::pidfd_send_signal(&self.shared.pidfd, signal) {
            // It has ended, and was waited for.
            Err(Errno::SRCH) => Ok(()),
            result => Ok(result?),
        }
    }

    fn exit(&self) -> std::sync::MutexGuard<'_, Option<Exit>> {
        self.shared.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The child is not waited for yet, so that the number is its own.
fn pidfd(identifier: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(identifier).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// What the worker reads first, as a memory file that it inherits.
fn message(start: &Start) -> io::Result<File> {
    let parts = (&start.worker, &start.argument, &start.inherit, start.daemon);
    let bytes = codec::to_bytes(&parts).map_err(io::Error::other)?;
    let mut file = File::from(rustix::fs::memfd_create("midput-start", MemfdFlags::CLOEXEC)?);
    file.write_all(&bytes)?;
    file.rewind()?;
    Ok(file)
}

/// SIGINT, which a terminal sends to all processes of its foreground, does nothing to this one.
pub(crate) fn ignore_interrupts() -> io::Result<()> {
    // SAFETY: no handler is installed, so that nothing runs when the signal comes.
    match unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Ends this process at once: no finalizer, no flush.
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: nothing runs in this process afterwards.
    unsafe { libc::_exit(code) }
}
