//! Semaphores shared between processes: `sem_t` in a memory file that children inherit.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use super::{Linux, memory_file};
use crate::os::{Exported, Os, SemaphoreSpecification, Wait};

/// A semaphore shared between processes, without an owner: nobody posts it for the dead.
#[derive(Clone, Debug)]
pub struct Semaphore {
    mapping: Arc<Mapping>,
    index: usize,
    maximum: u32,
}

/// One semaphore in shared memory.
#[repr(C)]
struct Slot {
    semaphore: UnsafeCell<libc::sem_t>,
    /// Written before anybody else has the memory.
    maximum: UnsafeCell<u32>,
}

/// A memory file of semaphores, mapped for as long as anybody uses one of them.
#[derive(Debug)]
pub(super) struct Mapping {
    file: OwnedFd,
    base: NonNull<Slot>,
    count: usize,
}

// SAFETY: the mapping is shared memory that no thread owns, and it is unmapped only by the last
// owner's drop. What is in it is used through the functions of sem_t, which are made for several
// threads and processes, and a maximum that nobody writes after its creation.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is the one that `map` mapped, and no reference into it outlives this
        // value, because every use goes through it. Unmapping a whole mapping does not fail.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.length()) };
    }
}

/// Makes semaphores in one memory file.
pub(super) fn create<const N: usize>(
    specifications: [SemaphoreSpecification; N],
) -> io::Result<[Semaphore; N]> {
    let file = memory_file::create("midput-semaphores", N * size_of::<Slot>())?;
    let mapping = Arc::new(Mapping::map(file)?);
    for (index, specification) in specifications.iter().enumerate() {
        let slot = mapping.slot(index)?.as_ptr();
        // SAFETY: the slot lies in the mapping, which nobody else knows yet; zeroed memory is a
        // valid u32.
        unsafe { (*slot).maximum.get().write(specification.maximum) };
        // SAFETY: as above, and a sem_t may be anything before it is initialised.
        checked(unsafe { libc::sem_init((*slot).semaphore.get(), 1, specification.value) })?;
    }
    let mut index = 0;
    Ok(specifications.map(|specification| {
        index += 1;
        let mapping = Arc::clone(&mapping);
        Semaphore { mapping, index: index - 1, maximum: specification.maximum }
    }))
}

impl Mapping {
    /// Maps a file that holds semaphores; `InvalidInput` where it cannot.
    pub(super) fn map(file: OwnedFd) -> io::Result<Self> {
        let length = memory_file::length(&file)?;
        let count = length / size_of::<Slot>();
        if count == 0 || length % size_of::<Slot>() != 0 {
            return Err(Errno::INVAL.into());
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let base = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, &file, 0)?
        };
        let base = NonNull::new(base.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { file, base, count })
    }

    fn length(&self) -> usize {
        self.count * size_of::<Slot>()
    }

    fn slot(&self, index: usize) -> io::Result<NonNull<Slot>> {
        if index >= self.count {
            return Err(Errno::INVAL.into());
        }
        // SAFETY: the index is within the mapping.
        Ok(unsafe { self.base.add(index) })
    }

    /// The semaphore at this index.
    pub(super) fn semaphore(self: &Arc<Self>, index: u32) -> io::Result<Semaphore> {
        let index = usize::try_from(index).map_err(|_| Errno::INVAL)?;
        let slot = self.slot(index)?.as_ptr();
        // SAFETY: the slot lies in the mapping, and nobody writes the maximum after its creation.
        let maximum = unsafe { (*slot).maximum.get().read() };
        Ok(Semaphore { mapping: Arc::clone(self), index, maximum })
    }
}

impl Semaphore {
    /// The `sem_t`, valid for as long as this semaphore is borrowed.
    fn raw(&self) -> io::Result<*mut libc::sem_t> {
        let slot = self.mapping.slot(self.index)?.as_ptr();
        // SAFETY: the slot lies in the mapping, which this semaphore keeps.
        Ok(unsafe { (*slot).semaphore.get() })
    }

    /// One try first, then the wait; a signal starts it again with the same deadline (`SL1`).
    pub(super) fn wait(&self, wait: Wait) -> io::Result<bool> {
        let raw = self.raw()?;
        // SAFETY: an initialised sem_t of a mapping that outlives the call.
        if taken(|| unsafe { libc::sem_trywait(raw) })? {
            return Ok(true);
        }
        match wait {
            Wait::Try => Ok(false),
            // SAFETY: as above.
            Wait::Forever => taken(|| unsafe { libc::sem_wait(raw) }),
            Wait::Until(deadline) => {
                let Some(moment) = moment(deadline) else {
                    return Ok(false);
                };
                // SAFETY: as above; the time is valid and outlives the call.
                taken(|| unsafe { libc::sem_timedwait(raw, &raw const moment) })
            }
        }
    }

    /// Refuses to go beyond the maximum. Check and post are two (`SL2`).
    pub(super) fn post(&self) -> io::Result<()> {
        if self.value()? >= self.maximum {
            let message = "semaphore or lock released too many times";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        // SAFETY: an initialised sem_t of a mapping that outlives the call.
        checked(unsafe { libc::sem_post(self.raw()?) })
    }

    pub(super) fn value(&self) -> io::Result<u32> {
        let mut value: c_int = 0;
        // SAFETY: an initialised sem_t of a mapping that outlives the call, and a place to write.
        checked(unsafe { libc::sem_getvalue(self.raw()?, &raw mut value) })?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    pub(super) fn export(&self) -> Exported {
        let index = u32::try_from(self.index).unwrap_or(u32::MAX);
        Exported { descriptor: self.mapping.file.as_raw_fd(), index }
    }
}

/// Whether a wait took one: not where nothing was there, or not in time.
fn taken(mut wait: impl FnMut() -> c_int) -> io::Result<bool> {
    loop {
        match checked(wait()) {
            Ok(()) => return Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::ETIMEDOUT) => return Ok(false),
                _ => return Err(error),
            },
        }
    }
}

fn checked(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A moment of `now` on the clock of `sem_timedwait`, the wall clock (`SL1`); none where it is
/// past.
fn moment(deadline: Duration) -> Option<libc::timespec> {
    let left = deadline.checked_sub(Linux.now()).filter(|left| !left.is_zero())?;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let moment = wall.saturating_add(left);
    Some(libc::timespec {
        tv_sec: libc::time_t::try_from(moment.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: moment.subsec_nanos().into(),
    })
}

#[cfg(test)]
mod tests {
    use rustix::fs::MemfdFlags;

    use super::*;

    fn semaphore(value: u32, maximum: u32) -> Semaphore {
        let [_, semaphore] = create([
            SemaphoreSpecification { role: "other", value: 7, maximum: 7 },
            SemaphoreSpecification { role: "tested", value, maximum },
        ])
        .unwrap();
        semaphore
    }

    #[test]
    fn a_post_beyond_the_maximum_is_refused() {
        let semaphore = semaphore(0, 1);
        semaphore.post().unwrap();
        assert_eq!(semaphore.post().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(semaphore.value().unwrap(), 1);
    }

    #[test]
    fn a_wait_takes_one_or_ends_in_time() {
        let semaphore = semaphore(3, 3);
        let soon = || Wait::Until(Linux.now() + Duration::from_millis(20));
        assert!(semaphore.wait(Wait::Try).unwrap());
        assert!(semaphore.wait(Wait::Forever).unwrap());
        assert!(semaphore.wait(Wait::Until(Duration::ZERO)).unwrap(), "a past moment is one try");
        let before = Linux.now();
        assert!(!semaphore.wait(soon()).unwrap());
        assert!(Linux.now() >= before + Duration::from_millis(15));
        assert!(!semaphore.wait(Wait::Try).unwrap());
        assert!(!semaphore.wait(Wait::Until(Duration::ZERO)).unwrap());
    }

    #[test]
    fn a_wait_without_a_near_end_is_woken_by_a_post() {
        for wait in [Wait::Forever, Wait::Until(Duration::MAX)] {
            let semaphore = semaphore(0, 1);
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| semaphore.wait(wait));
                semaphore.post().unwrap();
                assert!(waiter.join().unwrap().unwrap());
            });
        }
    }

    #[test]
    fn a_file_that_is_no_set_of_semaphores_is_refused() {
        let file = rustix::fs::memfd_create("short", MemfdFlags::CLOEXEC).unwrap();
        assert_eq!(Mapping::map(file).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let semaphore = semaphore(0, 1);
        assert!(semaphore.mapping.semaphore(2).is_err(), "there are two");
    }
}
