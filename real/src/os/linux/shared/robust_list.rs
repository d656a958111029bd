//! The robust list of each thread: what the kernel looks at when the thread dies.
//!
//! It is the C library's own list, on which its robust mutexes stand as well: a thread can have
//! only one. Each call puts its cells on top and takes them off again before it returns, the
//! newest first, so that the library finds its list as it left it.
//!
//! The kernel follows the links in the memory of the dead. This process never follows one that
//! stands in shared memory: what was below a cell is kept beside the list.
//!
//! Only the kernel looks, on behalf of this thread and after its last step: so compiler fences
//! are all the order that the stores need.

use std::cell::Cell as LocalCell;
use std::io;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

use super::mapping::{Cell, NODE_TO_WORD};

/// The head of a thread's list (`struct robust_list_head`).
#[repr(C)]
pub(super) struct Head {
    /// The newest node, or this head.
    list: AtomicUsize,
    /// From a node to its word.
    to_word: isize,
    /// The node of the word that the next steps are about.
    pending: AtomicUsize,
}

/// Cells that a call has on the list at once: its own lock and the other side's.
const DEPTH: usize = 2;

/// What this thread knows of itself; all 0 where it has not asked yet.
struct Known {
    thread: LocalCell<u32>,
    head: LocalCell<*const Head>,
    /// What was on top of the list below each cell of ours.
    below: LocalCell<[usize; DEPTH]>,
    depth: LocalCell<usize>,
}

thread_local! {
    static KNOWN: Known = const {
        Known {
            thread: LocalCell::new(0),
            head: LocalCell::new(ptr::null()),
            below: LocalCell::new([0; DEPTH]),
            depth: LocalCell::new(0),
        }
    };
}

/// Whether this system does what is needed here.
///
/// # Errors
/// `Unsupported`, with the reason.
pub(super) fn check() -> io::Result<()> {
    let (_, to_word) = registered()?;
    if to_word != NODE_TO_WORD {
        let message = format!(
            "this C library keeps robust mutexes {to_word} bytes from their nodes, \
             and the queue needs {NODE_TO_WORD}"
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// The list that this thread has registered, and the distance that it says.
fn registered() -> io::Result<(*const Head, isize)> {
    let (mut head, mut length) = (ptr::null::<Head>(), 0usize);
    // SAFETY: of the calling thread (0); both pointers lead to places of the right size.
    let result =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if head.is_null() || length != size_of::<Head>() {
        let message = "this C library registers no robust list, which the queue needs";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    // SAFETY: the kernel has it as this thread's head, which the C library keeps with the thread.
    Ok((head, unsafe { (*head).to_word }))
}

/// The number by which words name this thread.
#[inline(always)]
pub(super) fn thread() -> u32 {
    KNOWN.with(|known| match known.thread.get() {
        0 => learn(known),
        thread => thread,
    })
}

/// Asks the kernel once.
#[cold]
fn learn(known: &Known) -> u32 {
    static FORK: Once = Once::new();
    FORK.call_once(|| {
        // SAFETY: the handler does nothing but write this thread's own places. Where there is no
        // memory for it, a child by fork would use its parent's number; then nothing works anyway.
        unsafe { libc::pthread_atfork(None, None, Some(forget_who_i_am)) };
    });
    let head = registered().map_or(ptr::null(), |(head, _)| head);
    assert!(!head.is_null(), "a thread without a robust list, which the first one had");
    known.head.set(head);
    let thread = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    known.thread.set(thread);
    thread
}

/// In a child by fork this thread has another number. Its list the C library has emptied.
extern "C" fn forget_who_i_am() {
    KNOWN.with(|known| {
        known.thread.set(0);
        known.depth.set(0);
    });
}

/// The head of this thread's list.
#[inline(always)]
fn with_head<R>(act: impl FnOnce(&Known, &Head) -> R) -> R {
    KNOWN.with(|known| {
        if known.thread.get() == 0 {
            learn(known);
        }
        // SAFETY: `learn` has found it, and the C library keeps it for as long as the thread runs.
        // Others do not write it, and it consists of atomics and a constant.
        act(known, unsafe { &*known.head.get() })
    })
}

/// The head of this thread's list, for a thread that lives as long as its process.
pub(super) fn head() -> &'static Head {
    // SAFETY: as in `with_head`; the caller's thread does not end.
    with_head(|_, head| unsafe { &*ptr::from_ref(head) })
}

impl Head {
    /// Makes the list consist of these cells alone, which the thread of this head owns. Each store
    /// leaves a list that the kernel can follow, and every cell but the one that is added or
    /// removed stays on it.
    ///
    /// For the list of a thread that takes no mutexes and sleeps.
    pub(super) fn add(&self, cell: &Cell) {
        cell.next.store(self.list.load(Ordering::Relaxed), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.list.store(node(cell), Ordering::SeqCst);
    }

    /// Takes a cell off; `above` is the one that was added after it, if any, and `below` the one
    /// before it.
    pub(super) fn remove(&self, above: Option<&Cell>, below: Option<&Cell>) {
        let next = below.map_or(ptr::from_ref(self) as usize, node);
        above.map_or(&self.list, |above| &above.next).store(next, Ordering::SeqCst);
    }

    /// Names a cell as pending, or none.
    pub(super) fn set_pending(&self, cell: Option<&Cell>) {
        self.pending.store(cell.map_or(0, node), Ordering::SeqCst);
    }
}

fn node(cell: &Cell) -> usize {
    ptr::from_ref(&cell.next) as usize
}

#[inline(always)]
pub(super) fn register(cell: &Cell) {
    with_head(|_, head| head.pending.store(node(cell), Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

#[inline(always)]
pub(super) fn forget() {
    compiler_fence(Ordering::SeqCst);
    with_head(|_, head| head.pending.store(0, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

#[inline(always)]
pub(super) fn enlist(cell: &Cell) {
    with_head(|known, head| {
        let top = head.list.load(Ordering::Relaxed);
        let depth = known.depth.get();
        let mut below = known.below.get();
        below[depth] = top;
        known.below.set(below);
        known.depth.set(depth + 1);
        cell.next.store(top, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        head.list.store(node(cell), Ordering::Relaxed);
    });
    compiler_fence(Ordering::SeqCst);
}

#[inline(always)]
pub(super) fn delist(cell: &Cell) {
    compiler_fence(Ordering::SeqCst);
    with_head(|known, head| {
        debug_assert_eq!(head.list.load(Ordering::Relaxed), node(cell), "it is the newest");
        let depth = known.depth.get() - 1;
        known.depth.set(depth);
        head.list.store(known.below.get()[depth], Ordering::Relaxed);
    });
    compiler_fence(Ordering::SeqCst);
}
