//! Waiting until a descriptor can be read.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::Linux;
use crate::os::{Os, Wait};

/// Whether a read would not block: bytes, the end, an error, or for a process its end.
pub(super) fn readable(descriptor: impl AsFd, wait: Wait) -> io::Result<bool> {
    Ok(first_ready(&[descriptor], PollFlags::IN, wait)?.is_some())
}

/// The first of these that is ready for this, or has an error; `None` where the wait is over.
pub(super) fn first_ready(
    descriptors: &[impl AsFd],
    flags: PollFlags,
    wait: Wait,
) -> io::Result<Option<usize>> {
    loop {
        let limit = match wait {
            Wait::Forever => None,
            Wait::Try => Some(Duration::ZERO),
            Wait::Until(deadline) => Some(deadline.saturating_sub(Linux.now())),
        };
        // A limit beyond the range of the system's clock is none.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let polled = descriptors.iter().map(|descriptor| PollFd::new(descriptor, flags));
        let mut polled: Vec<_> = polled.collect();
        match rustix::event::poll(&mut polled, limit.as_ref()) {
            Ok(_) => return Ok(polled.iter().position(|it| !it.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
