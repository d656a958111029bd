//! The robust event: who commits something under a lock wakes who sleeps until there is something,
//! or the kernel does it for the dead.
//!
//! An event has one sleeper at most, since who sleeps on it holds a lock of its own side. That
//! there is a sleeper stands in the event's word, as `WAITERS`.
//!
//! The committer looks for a sleeper before it commits, and commits without more where there is
//! none. Where there is one, it names the event as its pending operation and puts its thread id into
//! the word; then it commits, clears the word and wakes. Killed in between, the kernel finds the
//! word owned by the dead, *changes* it and wakes: a sleeper that has looked in vain and does not
//! sleep yet finds the word other than it left it. (A pending word without an owner gets a wake-up
//! as well, but stays as it is, and such a sleeper would go to sleep: the thread id is needed on
//! every kernel.)
//!
//! A committer that looked before `WAITERS` was set will not wake. So the sleeper has to see the
//! committers' lock without an owner after it has set it; where it has one, it takes the lock
//! itself and gives it back. Then it looks again whether there is something, and sleeps.
//!
//! The sleeper also takes away an `OWNER_DIED` that an earlier death left. With it in the word, a
//! second death would leave the word just as the sleeper expects it.

use crate::os::futex::{FutexId, Word};
use crate::queue::robust::lock::{Lock, Locked, Locking, Unlocking};
use crate::queue::robust::{Caller, Progress};

/// An event in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Its word.
    pub futex: FutexId,
    /// The lock that committers hold.
    pub committers: Lock,
}

/// The next operation of a thread that commits. It holds the committers' lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signalling {
    /// Read whether somebody sleeps.
    Look,
    /// Commit; nobody slept.
    CommitUnseen,
    /// Name the event as the pending operation.
    Register,
    /// Put the thread id into the event's word.
    Sign,
    /// Commit; somebody may sleep.
    Commit,
    /// Clear the event's word.
    Clear,
    /// Wake the sleeper.
    Wake,
    /// No operation is pending any more; return.
    Forget,
}

/// The next operation of a thread that found nothing. It holds the lock of its own side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sleeping {
    /// Which operation.
    pub at: SleepPoint,
    /// The event's word as it was left by [`SleepPoint::Mark`] or [`SleepPoint::Clean`].
    pub expected: Word,
}

/// The program points of going to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SleepPoint {
    /// Set `WAITERS`.
    Mark,
    /// Take away `OWNER_DIED`, which was there.
    Clean,
    /// Read whether the committers' lock has an owner, who may have looked before.
    Guard,
    /// Take that lock.
    PassIn(Locking),
    /// Give it back.
    PassOut(Unlocking),
    /// Look again whether there is something.
    Recheck,
    /// Sleep, if the word still looks as expected.
    Wait,
    /// Asleep, or woken and not running yet.
    Asleep,
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slept {
    /// There may be something: look.
    Look,
    /// The time was up.
    TimedOut,
}

impl Signalling {
    /// The first operation.
    pub fn begin() -> Self {
        Self::Look
    }

    /// The operation, by its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Look => "event.look",
            Self::CommitUnseen | Self::Commit => "commit",
            Self::Register => "event.register",
            Self::Sign => "event.sign",
            Self::Clear => "event.clear",
            Self::Wake => "event.wake",
            Self::Forget => "event.forget",
        }
    }
}

impl Sleeping {
    /// The first operation.
    pub fn begin() -> Self {
        Self { at: SleepPoint::Mark, expected: Word::FREE }
    }

    /// The operation, by its name.
    pub fn name(self) -> &'static str {
        match self.at {
            SleepPoint::Mark => "event.mark",
            SleepPoint::Clean => "event.clean",
            SleepPoint::Guard => "event.guard",
            SleepPoint::PassIn(locking) => locking.name(),
            SleepPoint::PassOut(unlocking) => unlocking.name(),
            SleepPoint::Recheck => "check",
            SleepPoint::Wait => "event.wait",
            SleepPoint::Asleep => "event.wake-up",
        }
    }
}

impl Event {
    /// Does one operation of a commit; `commit` is the store itself.
    pub fn signal(
        &self,
        signalling: Signalling,
        caller: &mut Caller<'_>,
        commit: impl FnOnce(),
    ) -> Progress<Signalling, ()> {
        Progress::At(match signalling {
            Signalling::Look => match caller.futex(self.futex).load().has_waiters() {
                true => Signalling::Register,
                false => Signalling::CommitUnseen,
            },
            Signalling::CommitUnseen => {
                commit();
                return Progress::Returned(());
            }
            Signalling::Register => {
                caller.list.register(self.futex);
                Signalling::Sign
            }
            Signalling::Sign => {
                let signed = Word::owned_by(caller.thread).with(Word::WAITERS);
                caller.futex(self.futex).swap(signed);
                Signalling::Commit
            }
            Signalling::Commit => {
                commit();
                Signalling::Clear
            }
            Signalling::Clear => {
                caller.futex(self.futex).swap(Word::FREE);
                Signalling::Wake
            }
            Signalling::Wake => {
                caller.wake(self.futex);
                Signalling::Forget
            }
            Signalling::Forget => {
                caller.list.forget();
                return Progress::Returned(());
            }
        })
    }

    /// Does one operation of going to sleep; `is_there` is what the caller would see if it looked
    /// now. The caller is not asleep.
    ///
    /// Who passes through the committers' lock takes the news of a dead owner with it: nothing may
    /// depend on that news there, as nothing does where a commit is one store.
    pub fn sleep(
        &self,
        sleeping: Sleeping,
        caller: &mut Caller<'_>,
        is_there: bool,
    ) -> Progress<Sleeping, Slept> {
        let Sleeping { at, mut expected } = sleeping;
        let next = match at {
            SleepPoint::Mark => {
                let before = caller.futex(self.futex).fetch_or(Word::WAITERS);
                expected = before.only(!Word::OWNER_DIED).with(Word::WAITERS);
                match before.owner_died() {
                    true => SleepPoint::Clean,
                    false => SleepPoint::Guard,
                }
            }
            SleepPoint::Clean => {
                caller.futex(self.futex).fetch_and(!Word::OWNER_DIED);
                SleepPoint::Guard
            }
            SleepPoint::Guard => match caller.futex(self.committers.futex).load().owner() {
                None => SleepPoint::Recheck,
                Some(_) => SleepPoint::PassIn(Locking::begin()),
            },
            SleepPoint::PassIn(locking) => match self.committers.lock(locking, caller) {
                Progress::At(next) => SleepPoint::PassIn(next),
                Progress::Returned(Locked::Owner { .. }) => SleepPoint::PassOut(Unlocking::begin()),
                Progress::Returned(Locked::TimedOut) => {
                    return Progress::Returned(Slept::TimedOut);
                }
            },
            SleepPoint::PassOut(unlocking) => match self.committers.unlock(unlocking, caller) {
                Progress::At(next) => SleepPoint::PassOut(next),
                Progress::Returned(()) => SleepPoint::Recheck,
            },
            SleepPoint::Recheck if is_there => return Progress::Returned(Slept::Look),
            SleepPoint::Recheck => SleepPoint::Wait,
            SleepPoint::Wait => {
                let thread = caller.thread;
                match caller.futex(self.futex).wait(thread, expected) {
                    Ok(()) => SleepPoint::Asleep,
                    Err(_) => return Progress::Returned(Slept::Look),
                }
            }
            SleepPoint::Asleep => return Progress::Returned(Slept::Look),
        };
        Progress::At(Sleeping { at: next, expected })
    }

    /// The time of a thread that sleeps is up.
    pub fn expire(&self, sleeping: Sleeping, caller: &mut Caller<'_>) -> Progress<Sleeping, Slept> {
        match sleeping.at {
            SleepPoint::PassIn(locking) => {
                let locking = self.committers.expire(locking, caller);
                Progress::At(Sleeping { at: SleepPoint::PassIn(locking), ..sleeping })
            }
            _ => {
                let thread = caller.thread;
                caller.futex(self.futex).leave(thread);
                Progress::Returned(Slept::TimedOut)
            }
        }
    }
}
