//! The parts of the queue that survives: its lock and its event, as machines.
//!
//! - [`lock`]: the sticky robust lock, and glibc's robust mutex beside it as a specimen, one program
//!   point for each atomic operation and system call;
//! - [`contest`]: some processes that lock, do something and unlock, while some are killed;
//! - [`event`]: how who commits something wakes who sleeps until there is something;
//! - [`hand_over`]: some processes that commit under one such lock, with such an event, and some
//!   that wait for what is committed and take it, under another.
//!
//! What is assumed of Linux stands at [`os::futex`](crate::os::futex) and
//! [`os::robust`](crate::os::robust). Beyond that: a killed process does no further step of its
//! own, its memory stays as it is until the kernel has walked its list, and nobody else writes
//! its thread id into a word.
//!
//! Putting a lock on the list or taking it off is one step: the one store to the link that the
//! kernel follows. Whatever else a list needs, the kernel does not see.
//!
//! The machines are sequentially consistent: each step sees what all before it wrote. Which
//! orderings the real code needs for that, they do not say. Nor do they have waits that a signal
//! interrupts (`EINTR`), or processes with several threads.

pub mod contest;
pub mod event;
pub mod hand_over;
pub mod lock;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::os::futex::{Futex, FutexId, ThreadId, Word};
use crate::os::robust::RobustList;

/// What a step of a thread works on: its own list, and what all share.
pub struct Caller<'a> {
    /// Who it is.
    pub thread: ThreadId,
    /// What the kernel will find when it dies.
    pub list: &'a mut RobustList,
    /// The words.
    pub memory: &'a mut [Futex],
    /// Whom the step woke.
    pub woken: Option<ThreadId>,
}

impl Caller<'_> {
    fn futex(&mut self, futex: FutexId) -> &mut Futex {
        &mut self.memory[usize::from(futex.0)]
    }

    fn wake(&mut self, futex: FutexId) {
        self.woken = self.futex(futex).wake();
    }
}

/// Where a step of a call leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<P, R> {
    /// To another program point of the call.
    At(P),
    /// The call returned.
    Returned(R),
}

/// One thing that can happen to the process with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Its lane does its next step.
    Step(u8),
    /// The time of the wait that its lane sleeps in is up.
    Expire(u8),
    /// The kernel does its next step for it, which is dead.
    Kernel(u8),
    /// SIGKILL.
    Kill(u8),
}

impl Action {
    /// What may happen by itself to so many processes, in a fixed order.
    fn all(processes: usize) -> impl Iterator<Item = Self> {
        let of = |process| [Self::Step(process), Self::Expire(process), Self::Kernel(process)];
        (0..processes as u8).flat_map(of)
    }

    /// The kills of so many processes.
    fn kills(processes: usize) -> impl Iterator<Item = Self> {
        (0..processes as u8).map(Self::Kill)
    }

    /// The process that it happens to.
    pub fn process(self) -> u8 {
        match self {
            Self::Step(process)
            | Self::Expire(process)
            | Self::Kernel(process)
            | Self::Kill(process) => process,
        }
    }
}

/// What one action did, as a line of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What happened.
    pub action: Action,
    /// The step, by its name.
    pub step: &'static str,
    /// The word that it was about, before and after it.
    pub word: Option<(&'static str, Word, Word)>,
    /// Whether the lane sleeps now.
    pub sleeps: bool,
    /// Whom it woke.
    pub woken: Option<ThreadId>,
}

/// The thread of a process: its only one.
fn thread_of(process: u8) -> ThreadId {
    ThreadId(u32::from(process) + 1)
}

/// A word in which an owner has the name of its process.
fn named(word: Word) -> String {
    let Some(owner) = word.owner() else { return word.to_string() };
    let bits = word.only(Word::WAITERS.with(Word::OWNER_DIED));
    match bits {
        Word::FREE => process_of(owner),
        _ => format!("{}+{bits}", process_of(owner)),
    }
}

fn process_of(thread: ThreadId) -> String {
    format!("P{}", thread.0.saturating_sub(1))
}

impl fmt::Display for Observation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = self.action.process();
        let who = match self.action {
            Action::Step(_) | Action::Expire(_) => format!("P{process}.main"),
            Action::Kernel(_) => "kernel".to_owned(),
            Action::Kill(_) => return write!(formatter, "kill     P{process}"),
        };
        let mut line = format!("{who:8} {:16}", self.step);
        if let Some((name, before, after)) = self.word {
            line += &format!(" {name}: {}", named(before));
            if before != after {
                line += &format!(" -> {}", named(after));
            }
        }
        if self.sleeps {
            line += ", sleeps";
        }
        if let Some(thread) = self.woken {
            line += &format!(", wakes {}.main", process_of(thread));
        }
        formatter.write_str(line.trim_end())
    }
}
