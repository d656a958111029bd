//! The robust lock: taken and given back operation by operation, as `midput-model`'s machine has
//! it.
//!
//! [`WAITERS`], once set, is never cleared: a word without an owner says then that somebody may
//! sleep, and whoever takes it takes the duty to wake along. The kernel hands that duty on when an
//! owner, or a thread that has the lock registered, dies.

use std::io;

use crate::os::shared::{CellId, Change, OWNER, Seen, SharedMemory, Slept, WAITERS};
use crate::os::{Site, Wait};

const REGISTER: Site = Site::new("lock.register");
const LOOK: Site = Site::new("lock.look");
const TAKE: Site = Site::new("lock.take");
const MARK: Site = Site::new("lock.mark");
const WAIT: Site = Site::new("lock.wait");
const WAKE_UP: Site = Site::new("lock.wake-up");
const ENLIST: Site = Site::new("lock.enlist");
const FORGET: Site = Site::new("lock.forget");
const UNLOCK_REGISTER: Site = Site::new("unlock.register");
const DELIST: Site = Site::new("unlock.delist");
const RELEASE: Site = Site::new("unlock.release");
const WAKE: Site = Site::new("unlock.wake");
const UNLOCK_FORGET: Site = Site::new("unlock.forget");

/// Takes the lock; `false` where the wait is over before. What a lock of this queue protects is
/// committed by one store, so that after a death nothing in it is to be repaired. The event of its
/// side may be, and is not yet (`docs/robust.md`).
pub(super) async fn lock<O: SharedMemory>(
    os: O,
    mapping: &O::Mapping,
    cell: CellId,
    wait: Wait,
) -> io::Result<bool> {
    os.register(mapping, cell, REGISTER).await;
    let word = os.load(mapping, cell, LOOK).await;
    let taken = match word & OWNER {
        0 => take(os, mapping, Seen { cell, word }).await,
        _ => Err(word),
    };
    if let Err(word) = taken {
        let contended = contend(os, mapping, Seen { cell, word }, wait).await;
        if !matches!(contended, Ok(true)) {
            os.forget(FORGET).await;
            return contended;
        }
    }
    os.enlist(mapping, cell, ENLIST).await;
    os.forget(FORGET).await;
    Ok(true)
}

/// Takes the word, which nobody owned when it was seen; else says what it is.
#[inline(always)]
async fn take<O: SharedMemory>(os: O, mapping: &O::Mapping, seen: Seen) -> Result<(), u32> {
    os.compare_exchange(mapping, seen, os.thread() | seen.word & WAITERS, TAKE).await
}

/// Takes the word of a lock that is registered, and that was not to be had at once.
#[cold]
async fn contend<O: SharedMemory>(
    os: O,
    mapping: &O::Mapping,
    seen: Seen,
    wait: Wait,
) -> io::Result<bool> {
    let Seen { cell, mut word } = seen;
    loop {
        if word & OWNER == 0 {
            match take(os, mapping, Seen { cell, word }).await {
                Ok(()) => return Ok(true),
                Err(changed) => word = changed,
            }
            continue;
        }
        if wait == Wait::Try {
            return Ok(false);
        }
        if word & WAITERS == 0 {
            let marked = word | WAITERS;
            match os.compare_exchange(mapping, Seen { cell, word }, marked, MARK).await {
                Ok(()) => word = marked,
                Err(changed) => {
                    word = changed;
                    continue;
                }
            }
        }
        match os.sleep(mapping, &[Seen { cell, word }], wait, WAIT).await? {
            Slept::Look => word = os.load(mapping, cell, WAKE_UP).await,
            Slept::TimedOut => return Ok(false),
        }
    }
}

/// Gives the lock back.
pub(super) async fn unlock<O: SharedMemory>(
    os: O,
    mapping: &O::Mapping,
    cell: CellId,
) -> io::Result<()> {
    os.register(mapping, cell, UNLOCK_REGISTER).await;
    os.delist(mapping, cell, DELIST).await;
    let before = os.change(mapping, cell, Change::Keep(WAITERS), RELEASE).await;
    let woken = match before & WAITERS {
        0 => Ok(()),
        _ => os.wake(mapping, cell, WAKE).await,
    };
    os.forget(UNLOCK_FORGET).await;
    woken
}
