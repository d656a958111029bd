//! The queue that is to survive: no SIGKILL of any user process at any instruction shall corrupt or
//! block it.
//!
//! **Known fault**: two deaths, or one with two producers (or two consumers), can leave a sleeper
//! asleep for ever. `docs/robust.md` says how, and what will mend it.
//!
//! It is a ring of bytes in shared memory. Each side, those who put and those who get, has a robust
//! lock and a position; an item is handed over, and taken, by one store to a position. So when a
//! lock comes back because its owner died, there is nothing to repair. Who waits sleeps on a
//! robust event, and is woken by who commits or, where that one is killed, by the kernel.
//!
//! Linux 6.2 or later, with a C library that registers robust lists (glibc does).

mod event;
mod layout;
mod lock;
mod queue;
mod ring;
#[cfg(test)]
mod tests;

pub use queue::{GetError, PutError, Queue, RING_BYTES};
pub use ring::RingError;
