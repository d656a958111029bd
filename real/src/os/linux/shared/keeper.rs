//! Words that belong to this process for as long as it lives.
//!
//! Words belong to threads, and the kernel marks them when the thread ends. So a thread that does
//! nothing owns them, and ends with the process.

use std::io;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use super::futex;
use super::mapping::Mapping;
use super::robust_list::{self, Head};
use super::{OWNER, OWNER_DIED, WAITERS, is_owned};
use crate::os::shared::{CellId, Change};

/// The thread, and what it owns in the order in which it came there.
struct Keeper {
    /// A child by fork has none of its parent's threads.
    process: u32,
    thread: u32,
    head: &'static Head,
    owned: Vec<(Mapping, CellId)>,
}

static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);

/// Makes the keeper own the word; `false` where somebody else does.
pub(super) fn own(mapping: &Mapping, cell: CellId) -> io::Result<bool> {
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    if keeper.as_ref().is_none_or(|keeper| keeper.process != std::process::id()) {
        *keeper = Some(start()?);
    }
    let Some(keeper) = keeper.as_mut() else { return Ok(false) };
    let place = mapping.cell(cell);
    keeper.head.set_pending(Some(place));
    let mut seen = place.load();
    let owned = loop {
        if is_owned(seen) {
            break false;
        }
        match place.compare_exchange(seen, keeper.thread | WAITERS) {
            Ok(()) => break true,
            Err(word) => seen = word,
        }
    };
    if owned {
        keeper.head.add(place);
        keeper.owned.push((mapping.clone(), cell));
    }
    keeper.head.set_pending(None);
    Ok(owned)
}

/// Makes the keeper give the word back; nothing where it does not own it.
pub(super) fn end(mapping: &Mapping, cell: CellId) -> io::Result<()> {
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(keeper) = keeper.as_mut().filter(|it| it.process == std::process::id()) else {
        return Ok(());
    };
    let is_it = |(other, at): &(Mapping, CellId)| other.is(mapping) && *at == cell;
    let Some(index) = keeper.owned.iter().position(is_it) else { return Ok(()) };
    let place = mapping.cell(cell);
    let neighbour =
        |index: usize| keeper.owned.get(index).map(|(mapping, cell)| mapping.cell(*cell));
    keeper.head.set_pending(Some(place));
    keeper.head.remove(neighbour(index + 1), index.checked_sub(1).and_then(neighbour));
    place.change(Change::Keep(!(OWNER | OWNER_DIED)));
    let woken = futex::wake(place.word());
    keeper.head.set_pending(None);
    keeper.owned.remove(index);
    woken
}

fn start() -> io::Result<Keeper> {
    let (send, receive) = mpsc::channel();
    std::thread::Builder::new().name("midput-keeper".into()).stack_size(1 << 16).spawn(
        move || {
            // It waits for nobody, for ever: only the end of the process ends it.
            let _ = send.send((robust_list::thread(), robust_list::head()));
            loop {
                std::thread::park();
            }
        },
    )?;
    let gone = |_| io::Error::other("the thread that keeps this process's words ended");
    let (thread, head) = receive.recv().map_err(gone)?;
    Ok(Keeper { process: std::process::id(), thread, head, owned: Vec::new() })
}
