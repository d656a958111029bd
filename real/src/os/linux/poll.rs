//! Waiting until descriptors can be read.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::Linux;
use crate::os::{Awaited, Os, Wait};

/// Whether a read would not block: bytes, the end, an error, or for a process its end.
pub(super) fn readable(descriptor: impl AsFd, wait: Wait) -> io::Result<bool> {
    ready(&mut [PollFd::new(&descriptor, PollFlags::IN)], wait)
}

/// The same for each of several, once it is so for one of them.
pub(super) fn any(awaited: &[Awaited<'_, Linux>], wait: Wait) -> io::Result<Vec<bool>> {
    /// A descriptor that stays open for as long as it is waited for.
    enum Kept<'a> {
        Open(Arc<OwnedFd>),
        Process(&'a OwnedFd),
    }

    let kept = awaited.iter().map(|&awaited| match awaited {
        Awaited::Readable(descriptor) => descriptor.open().map(Kept::Open),
        Awaited::Ended(process) => Ok(Kept::Process(process.pidfd())),
    });
    let kept = kept.collect::<io::Result<Vec<_>>>()?;
    let polled = kept.iter().map(|kept| match kept {
        Kept::Open(descriptor) => PollFd::new(&**descriptor, PollFlags::IN),
        Kept::Process(pidfd) => PollFd::new(*pidfd, PollFlags::IN),
    });
    let mut polled: Vec<_> = polled.collect();
    ready(&mut polled, wait)?;
    Ok(polled.iter().map(|polled| !polled.revents().is_empty()).collect())
}

/// Waits until one of them is ready; whether one is.
pub(super) fn ready(polled: &mut [PollFd<'_>], wait: Wait) -> io::Result<bool> {
    loop {
        let limit = match wait {
            Wait::Forever => None,
            Wait::Try => Some(Duration::ZERO),
            Wait::Until(deadline) => Some(deadline.saturating_sub(Linux.now())),
        };
        // A limit beyond the range of the system's clock is none.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match rustix::event::poll(polled, limit.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
