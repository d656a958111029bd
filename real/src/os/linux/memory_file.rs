//! Files of memory that processes share.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

/// Makes one, all 0, of fixed size for good: an access to its mapping never finds its page gone.
pub(super) fn create(name: &str, length: usize) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create(name, flags)?;
    rustix::fs::ftruncate(&file, length as u64)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// How long one is that somebody else made; `InvalidInput` where it could become shorter.
pub(super) fn length(file: &OwnedFd) -> io::Result<usize> {
    let length = usize::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0);
    match rustix::fs::fcntl_get_seals(file)?.contains(SealFlags::SHRINK) {
        true => Ok(length),
        false => Err(Errno::INVAL.into()),
    }
}
