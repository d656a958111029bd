//! The robust event: who commits something under a lock wakes who sleeps until there is something,
//! or the kernel does it for the dead.
//!
//! An event has one sleeper at most, since who sleeps on it holds the lock of its own side.

use std::io;

use crate::os::Site;
use crate::os::shared::{CellId, Change, OWNER_DIED, Seen, SharedMemory, WAITERS};

const REGISTER: Site = Site::new("event.register");
const SIGN: Site = Site::new("event.sign");
const COMMIT: Site = Site::new("commit");
const CLEAR: Site = Site::new("event.clear");
const WAKE: Site = Site::new("event.wake");
const FORGET: Site = Site::new("event.forget");
const MARK: Site = Site::new("event.mark");
const CLEAN: Site = Site::new("event.clean");

/// Commits: writes the value of the cell `side`, whose lock the caller holds, and wakes who sleeps
/// on the event.
///
/// This thread's number stands in the event's word while it commits. Killed in between, the kernel
/// finds it there, changes the word and wakes the sleeper, unless the next owner of the lock has
/// signed before the kernel came: the known fault of `docs/robust.md`. A sleeper that marks the word before it
/// is cleared is woken; one that comes later finds what was committed.
#[inline]
pub(super) async fn commit<O: SharedMemory>(
    os: O,
    mapping: &O::Mapping,
    event: CellId,
    side: CellId,
    value: u64,
) -> io::Result<()> {
    os.register(mapping, event, REGISTER).await;
    os.change(mapping, event, Change::Add(os.thread()), SIGN).await;
    os.store_value(mapping, side, value, COMMIT).await;
    let before = os.change(mapping, event, Change::Set(0), CLEAR).await;
    let woken = match before & WAITERS {
        0 => Ok(()),
        _ => os.wake(mapping, event, WAKE).await,
    };
    os.forget(FORGET).await;
    woken
}

/// Says that the caller is about to sleep on the event. It holds the lock of its own side, and has
/// to check once more whether what it waits for is there; if not, it sleeps while the word is as
/// it is returned here.
///
/// An [`OWNER_DIED`] that an earlier death left is taken away: with it in the word, a second death
/// would leave the word just as the sleeper expects it.
pub(super) async fn mark<O: SharedMemory>(os: O, mapping: &O::Mapping, event: CellId) -> Seen {
    let before = os.change(mapping, event, Change::Add(WAITERS), MARK).await;
    if before & OWNER_DIED != 0 {
        os.change(mapping, event, Change::Keep(!OWNER_DIED), CLEAN).await;
    }
    Seen { cell: event, word: before & !OWNER_DIED | WAITERS }
}
