//! SIGTERM as a question: the handler notes that it came, and nothing else.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::EventfdFlags;

static ASKED: AtomicBool = AtomicBool::new(false);
/// It can be read from the moment that the signal has come. It stays open as long as the process.
static WAKE: OnceLock<OwnedFd> = OnceLock::new();

/// Handles the signal from now on. Calls that wait are interrupted, as CPython has it, and are
/// made anew by whoever made them (`PEP 475`).
pub(super) fn handle() -> io::Result<()> {
    if WAKE.get().is_none() {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        // Where another thread was faster, its own is the one.
        let _ = WAKE.set(rustix::event::eventfd(0, flags)?);
    }
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zeroes are a valid value: no flag, no signal blocked meanwhile. The handler below
    // calls only what is safe in a signal handler and leaves `errno` as it was.
    let result = unsafe {
        let handler: extern "C" fn(libc::c_int) = asked;
        (*action.as_mut_ptr()).sa_sigaction = handler as usize;
        libc::sigaction(libc::SIGTERM, action.as_ptr(), std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether the signal has come.
pub(super) fn is_asked() -> bool {
    ASKED.load(Ordering::Acquire)
}

/// What can be read once SIGTERM has asked this process to leave, for those who wait for something
/// else at the same time; `None` where the process does not handle the signal.
pub fn asked_to_leave() -> Option<BorrowedFd<'static>> {
    WAKE.get().map(OwnedFd::as_fd)
}

extern "C" fn asked(_: libc::c_int) {
    ASKED.store(true, Ordering::Release);
    if let Some(wake) = WAKE.get() {
        // SAFETY: the place is this thread's own and lives as long as it.
        let errno = unsafe { *libc::__errno_location() };
        // One that is full can be read all the same.
        let _ = rustix::io::write(wake, &1u64.to_ne_bytes());
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = errno };
    }
}
