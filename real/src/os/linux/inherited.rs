//! What a worker process inherits from the process that started it.

use std::any::Any;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::io::{Errno, FdFlags};

use super::descriptor::{self, Descriptor};
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
    /// What it was taken up as, for as long as somebody here has it.
    Taken(Weak<dyn Any + Send + Sync>),
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
    take_up(exported, |owned| Ok(descriptor::Shared::new(owned))).map(Descriptor::from)
}

/// Takes up an inherited semaphore.
pub(super) fn semaphore(exported: Exported) -> io::Result<Semaphore> {
    take_up(exported, semaphore::Mapping::map)?.semaphore(exported.index)
}

/// Takes up inherited memory.
pub(super) fn mapping(exported: Exported) -> io::Result<shared::Mapping> {
    take_up(exported, shared::Shared::open).map(shared::Mapping::from)
}

/// `EBADF` where nothing of that name was inherited, it was dropped since, or is something else.
fn take_up<T: Send + Sync + 'static>(
    exported: Exported,
    open: impl FnOnce(OwnedFd) -> io::Result<T>,
) -> io::Result<Arc<T>> {
    let mut table = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = match table.remove(&exported.descriptor).ok_or(Errno::BADF)? {
        Inherited::Waiting(owned) => Arc::new(open(owned).map_err(|_| Errno::BADF)?),
        Inherited::Taken(weak) => {
            weak.upgrade().and_then(|any| any.downcast().ok()).ok_or(Errno::BADF)?
        }
    };
    let weak = Arc::downgrade(&taken);
    table.insert(exported.descriptor, Inherited::Taken(weak));
    Ok(taken)
}
