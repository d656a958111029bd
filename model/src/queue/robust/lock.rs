//! The robust lock: what a thread does to take it and to give it back, operation by operation.
//!
//! In the sticky protocol `WAITERS`, once set, is never cleared. The word without an owner says
//! then that somebody may sleep, so whoever takes it, even without having waited, takes the duty to
//! wake along; and the kernel hands that duty on when an owner, or a thread that has the lock
//! pending, dies. It needs a kernel that takes a pending word with nothing but `WAITERS` for one
//! without an owner.
//!
//! In glibc's protocol the unlock writes 0, and remembers only in a register that somebody sleeps.
//! Killed before it has woken the sleeper, it needs the kernel for that; but the kernel finds the
//! word owned, if a third thread took it in the meantime, and that one knows of no sleeper.

use crate::os::futex::{FutexId, ThreadId, Word};
use crate::queue::robust::{Caller, Progress};

/// How waiters are remembered in the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `WAITERS` stays for ever. A word is free if it has no owner.
    Sticky,
    /// As glibc's robust mutex does it (2.36): unlocking clears the word, and a thread that has
    /// waited sets `WAITERS` when it takes it.
    Glibc,
}

/// A lock in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lock {
    /// Its word.
    pub futex: FutexId,
    /// How it is taken and given back.
    pub protocol: Protocol,
}

/// How an attempt to take the lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Locked {
    /// The caller owns it.
    Owner {
        /// The one before died as its owner, and nobody else has been told so.
        died: bool,
    },
    /// Its time was up.
    TimedOut,
}

/// The next operation of a thread that takes the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Locking {
    /// Which operation.
    pub at: LockPoint,
    /// Whether it has come to sleep in this call. Only glibc's protocol asks.
    pub waited: bool,
}

/// The program points of taking the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockPoint {
    /// Name the lock as the pending operation.
    Register,
    /// Read the word.
    Look,
    /// Take the word, which was free and looked so, by a compare-and-exchange.
    Take(Word),
    /// Set `WAITERS` in the word, which was owned and looked so, by a compare-and-exchange.
    Mark(Word),
    /// Sleep, if the word still looks so.
    Wait(Word),
    /// Asleep, or woken and not running yet.
    Asleep,
    /// Put the lock, which is taken, on the list.
    Enlist {
        /// Whether its owner had died.
        died: bool,
    },
    /// No operation is pending any more; return.
    Forget(Locked),
}

/// The next operation of a thread that gives the lock back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unlocking {
    /// Name the lock as the pending operation.
    Register,
    /// Take the lock off the list.
    Delist,
    /// Give up the word.
    Release,
    /// Wake one sleeper.
    Wake,
    /// No operation is pending any more; return.
    Forget,
}

impl Locking {
    /// The first operation.
    pub fn begin() -> Self {
        Self { at: LockPoint::Register, waited: false }
    }

    /// The operation, by its name.
    pub fn name(self) -> &'static str {
        match self.at {
            LockPoint::Register => "lock.register",
            LockPoint::Look => "lock.look",
            LockPoint::Take(_) => "lock.take",
            LockPoint::Mark(_) => "lock.mark",
            LockPoint::Wait(_) => "lock.wait",
            LockPoint::Asleep => "lock.wake-up",
            LockPoint::Enlist { .. } => "lock.enlist",
            LockPoint::Forget(_) => "lock.forget",
        }
    }

    /// Whether the caller has taken the word already.
    pub fn owns(self) -> bool {
        let owner = LockPoint::Forget(Locked::Owner { died: false });
        let told = LockPoint::Forget(Locked::Owner { died: true });
        matches!(self.at, LockPoint::Enlist { .. }) || self.at == owner || self.at == told
    }
}

impl Unlocking {
    /// The first operation.
    pub fn begin() -> Self {
        Self::Register
    }

    /// The operation, by its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "unlock.register",
            Self::Delist => "unlock.delist",
            Self::Release => "unlock.release",
            Self::Wake => "unlock.wake",
            Self::Forget => "unlock.forget",
        }
    }

    /// Whether the caller has not given up the word yet.
    pub fn owns(self) -> bool {
        matches!(self, Self::Register | Self::Delist | Self::Release)
    }
}

impl Lock {
    /// Does one operation of taking the lock. The caller is not asleep.
    pub fn lock(&self, locking: Locking, caller: &mut Caller<'_>) -> Progress<Locking, Locked> {
        let Locking { at, mut waited } = locking;
        let thread = caller.thread;
        let next = match at {
            LockPoint::Register => {
                caller.list.register(self.futex);
                LockPoint::Look
            }
            LockPoint::Look | LockPoint::Asleep => self.judge(caller.futex(self.futex).load()),
            LockPoint::Take(seen) => {
                let mine = self.taken(seen, thread, waited);
                match caller.futex(self.futex).compare_exchange(seen, mine) {
                    Ok(()) => LockPoint::Enlist { died: seen.owner_died() },
                    Err(word) => self.judge(word),
                }
            }
            LockPoint::Mark(seen) => {
                let marked = seen.with(Word::WAITERS);
                match caller.futex(self.futex).compare_exchange(seen, marked) {
                    Ok(()) => LockPoint::Wait(marked),
                    Err(word) => self.judge(word),
                }
            }
            LockPoint::Wait(seen) => {
                waited = self.protocol == Protocol::Glibc;
                match caller.futex(self.futex).wait(thread, seen) {
                    Ok(()) => LockPoint::Asleep,
                    Err(_) => LockPoint::Look,
                }
            }
            LockPoint::Enlist { died } => {
                caller.list.insert(self.futex);
                LockPoint::Forget(Locked::Owner { died })
            }
            LockPoint::Forget(locked) => {
                caller.list.forget();
                return Progress::Returned(locked);
            }
        };
        Progress::At(Locking { at: next, waited })
    }

    /// The time of a thread that sleeps is up; it returns without the lock.
    pub fn expire(&self, locking: Locking, caller: &mut Caller<'_>) -> Locking {
        let thread = caller.thread;
        caller.futex(self.futex).leave(thread);
        Locking { at: LockPoint::Forget(Locked::TimedOut), ..locking }
    }

    /// Does one operation of giving the lock back.
    pub fn unlock(&self, unlocking: Unlocking, caller: &mut Caller<'_>) -> Progress<Unlocking, ()> {
        Progress::At(match unlocking {
            Unlocking::Register => {
                caller.list.register(self.futex);
                Unlocking::Delist
            }
            Unlocking::Delist => {
                caller.list.remove(self.futex);
                Unlocking::Release
            }
            Unlocking::Release => {
                let futex = caller.futex(self.futex);
                let before = match self.protocol {
                    Protocol::Sticky => futex.fetch_and(Word::WAITERS),
                    Protocol::Glibc => futex.swap(Word::FREE),
                };
                if before.has_waiters() { Unlocking::Wake } else { Unlocking::Forget }
            }
            Unlocking::Wake => {
                caller.wake(self.futex);
                Unlocking::Forget
            }
            Unlocking::Forget => {
                caller.list.forget();
                return Progress::Returned(());
            }
        })
    }

    /// What a word that was read asks for.
    fn judge(&self, seen: Word) -> LockPoint {
        match seen.owner() {
            None => LockPoint::Take(seen),
            Some(_) if seen.has_waiters() => LockPoint::Wait(seen),
            Some(_) => LockPoint::Mark(seen),
        }
    }

    /// The word as a thread takes it that saw it free.
    fn taken(&self, seen: Word, thread: ThreadId, waited: bool) -> Word {
        let waiters = if waited { Word::WAITERS } else { seen.only(Word::WAITERS) };
        Word::owned_by(thread).with(waiters)
    }
}
