//! What a worker process inherits from the process that started it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::{Errno, FdFlags};

use super::descriptor::{Descriptor, WeakDescriptor};
use super::process::WORKER_FLAG;
use super::semaphore::{self, Semaphore};
use super::shared;
use crate::codec;
use crate::os::{Exported, Start};

/// Descriptors that this process inherited. Only these can be taken up, so that no bytes that
/// somebody sends give away a descriptor which somebody else here owns.
static INHERITED: Mutex<BTreeMap<RawFd, Inherited>> = Mutex::new(BTreeMap::new());

/// An inherited descriptor, and who owns it by now.
enum Inherited {
    Waiting(OwnedFd),
    Descriptor(WeakDescriptor),
    Semaphores(semaphore::WeakMapping),
    Memory(shared::WeakMapping),
}

/// What this process was started with, where it was started as a worker; nothing when it was asked
/// for before. For those who run their workers over an [`Os`](crate::os::Os) of their own instead
/// of by [`init`](crate::init); to be called before anything else.
///
/// # Errors
/// What the system says where the descriptors that the start names are not there.
pub fn inherited_start() -> Option<io::Result<Start>> {
    static ASKED: AtomicBool = AtomicBool::new(false);
    if ASKED.swap(true, Ordering::Relaxed) {
        return None;
    }
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != WORKER_FLAG {
        return None;
    }
    let descriptor = arguments.next().and_then(|number| number.to_str()?.parse().ok());
    Some(descriptor.ok_or_else(|| Errno::INVAL.into()).and_then(read_start))
}

fn read_start(descriptor: RawFd) -> io::Result<Start> {
    let mut bytes = Vec::new();
    File::from(adopt(descriptor)?).read_to_end(&mut bytes)?;
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let (worker, argument, inherit, daemon) =
        codec::from_bytes::<(String, Vec<u8>, Vec<Exported>, bool)>(&bytes).map_err(invalid)?;
    let mut table = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    for exported in &inherit {
        if let Entry::Vacant(vacant) = table.entry(exported.descriptor) {
            vacant.insert(Inherited::Waiting(adopt(exported.descriptor)?));
        }
    }
    Ok(Start { worker, argument, inherit, daemon })
}

/// Becomes the owner of a descriptor that the start of this process left open, and keeps it from
/// this process's own children.
fn adopt(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor <= 2 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: not -1, and borrowed for this one call, which only says whether it is open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and nobody here owns it: the start of this process left it open for the
    // reader of this list, which takes each number once, before the program does anything.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Takes up an inherited descriptor.
pub(super) fn descriptor(exported: Exported) -> io::Result<Descriptor> {
    take_up(exported, |inherited| match inherited {
        Inherited::Waiting(owned) => {
            let descriptor = Descriptor::new(owned);
            Some((Inherited::Descriptor(descriptor.downgrade()), descriptor))
        }
        Inherited::Descriptor(weak) => {
            let descriptor = weak.upgrade()?;
            Some((Inherited::Descriptor(weak), descriptor))
        }
        Inherited::Semaphores(_) | Inherited::Memory(_) => None,
    })
}

/// Takes up an inherited semaphore.
pub(super) fn semaphore(exported: Exported) -> io::Result<Semaphore> {
    let mapping = take_up(exported, |inherited| match inherited {
        Inherited::Waiting(owned) => {
            let mapping = Arc::new(semaphore::Mapping::map(owned).ok()?);
            Some((Inherited::Semaphores(Arc::downgrade(&mapping)), mapping))
        }
        Inherited::Semaphores(weak) => {
            let mapping = weak.upgrade()?;
            Some((Inherited::Semaphores(weak), mapping))
        }
        Inherited::Descriptor(_) | Inherited::Memory(_) => None,
    })?;
    mapping.semaphore(exported.index)
}

/// Takes up inherited memory.
pub(super) fn mapping(exported: Exported) -> io::Result<shared::Mapping> {
    let shared = take_up(exported, |inherited| match inherited {
        Inherited::Waiting(owned) => {
            let shared = Arc::new(shared::Shared::open(owned).ok()?);
            Some((Inherited::Memory(Arc::downgrade(&shared)), shared))
        }
        Inherited::Memory(weak) => {
            let shared = weak.upgrade()?;
            Some((Inherited::Memory(weak), shared))
        }
        Inherited::Descriptor(_) | Inherited::Semaphores(_) => None,
    })?;
    Ok(shared.into())
}

/// `EBADF` where nothing of that name was inherited, it was dropped since, or is something else.
fn take_up<T>(
    exported: Exported,
    take: impl FnOnce(Inherited) -> Option<(Inherited, T)>,
) -> io::Result<T> {
    let mut table = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    let inherited = table.remove(&exported.descriptor).ok_or(Errno::BADF)?;
    let (kept, taken) = take(inherited).ok_or(Errno::BADF)?;
    table.insert(exported.descriptor, kept);
    Ok(taken)
}
