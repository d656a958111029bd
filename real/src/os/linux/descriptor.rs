//! Ends of pipes and of pairs of sockets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::os::Exported;

/// One end of a pipe or of a pair of sockets. Clones are the same end; it is closed for all of them at once, or with the
/// last of them.
#[derive(Clone, Debug)]
pub struct Descriptor {
    shared: Arc<Shared>,
}

/// What all clones share: none once it is closed.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Option<Arc<OwnedFd>>>);

impl Shared {
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self(Mutex::new(Some(Arc::new(descriptor))))
    }
}

impl From<Arc<Shared>> for Descriptor {
    fn from(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

/// A pipe whose ends no program that is started by other means inherits.
pub(super) fn pipe() -> io::Result<(Descriptor, Descriptor)> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Descriptor::new(reader), Descriptor::new(writer)))
}

/// A pair of stream sockets, likewise.
pub(super) fn socket_pair() -> io::Result<(Descriptor, Descriptor)> {
    let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    let (first, second) = rustix::net::socketpair(family, SocketType::STREAM, flags, None)?;
    Ok((Descriptor::new(first), Descriptor::new(second)))
}

/// Takes over a descriptor that was made by other means.
impl From<OwnedFd> for Descriptor {
    fn from(descriptor: OwnedFd) -> Self {
        Self::new(descriptor)
    }
}

impl Descriptor {
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self { shared: Arc::new(Shared::new(descriptor)) }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<OwnedFd>>> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open descriptor, kept open for as long as the caller uses it.
    pub(super) fn open(&self) -> io::Result<Arc<OwnedFd>> {
        self.slot().clone().ok_or_else(|| Errno::BADF.into())
    }

    /// Closes it for every clone. A call that is blocked in it keeps the kernel's object until it
    /// returns, as the kernel itself would.
    pub(super) fn close(&self) {
        let taken = self.slot().take();
        drop(taken);
    }

    pub(super) fn export(&self) -> io::Result<Exported> {
        Ok(Exported { descriptor: self.open()?.as_raw_fd(), index: 0 })
    }
}
