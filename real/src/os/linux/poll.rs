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
    loop {
        let limit = match wait {
            Wait::Forever => None,
            Wait::Try => Some(Duration::ZERO),
            Wait::Until(deadline) => Some(deadline.saturating_sub(Linux.now())),
        };
        // A limit beyond the range of the system's clock is none.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
        match rustix::event::poll(&mut polled, limit.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
