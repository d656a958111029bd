//! Sleep on words of shared memory.

use std::io;
use std::num::NonZeroU32;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, WaitFlags, WaitPtr, WaitvFlags};
use rustix::time::{ClockId, Timespec};

use super::super::Linux;
use super::mapping::Mapping;
use crate::os::shared::{Seen, Slept};
use crate::os::{Os, Wait};

/// Where the kernel cannot sleep on two words (before 5.16), a sleeper looks this often.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Sleeps on one word, or on two.
pub(super) fn sleep(mapping: &Mapping, seen: &[Seen], wait: Wait) -> io::Result<Slept> {
    /// Whether the kernel was found not to know how to sleep on two words.
    static ONE_ONLY: AtomicBool = AtomicBool::new(false);
    let until = match wait {
        Wait::Try => return Ok(Slept::TimedOut),
        Wait::Forever => None,
        Wait::Until(deadline) => match moment(deadline) {
            Some(moment) => Some(moment),
            None => return Ok(Slept::TimedOut),
        },
    };
    match seen {
        [] => Ok(Slept::Look),
        [one] => sleep_on_one(mapping, *one, until.as_ref()),
        _ if ONE_ONLY.load(Ordering::Relaxed) => sleep_on_first(mapping, seen, wait),
        _ => match sleep_on_all(mapping, seen, until.as_ref()) {
            Err(Errno::NOSYS) => {
                ONE_ONLY.store(true, Ordering::Relaxed);
                sleep_on_first(mapping, seen, wait)
            }
            result => judge(result.map(|_| ())),
        },
    }
}

fn sleep_on_one(mapping: &Mapping, seen: Seen, until: Option<&Timespec>) -> io::Result<Slept> {
    let word = mapping.cell(seen.cell).word();
    judge(futex::wait_bitset(word, Flags::empty(), seen.word, until, NonZeroU32::MAX))
}

fn sleep_on_all(
    mapping: &Mapping,
    seen: &[Seen],
    until: Option<&Timespec>,
) -> rustix::io::Result<usize> {
    let mut waits = [futex::Wait::new(); 2];
    let count = seen.len().min(waits.len());
    for (wait, seen) in waits.iter_mut().zip(seen) {
        wait.val = seen.word.into();
        wait.uaddr = WaitPtr::new(ptr::from_ref(mapping.cell(seen.cell).word()).cast_mut().cast());
        wait.flags = WaitFlags::SIZE_U32;
    }
    futex::waitv(&waits[..count], WaitvFlags::empty(), until, ClockId::Monotonic)
}

/// Sleeps on the first word and looks at the others from time to time.
fn sleep_on_first(mapping: &Mapping, seen: &[Seen], wait: Wait) -> io::Result<Slept> {
    let soon = Linux.now().saturating_add(LOOK_AGAIN);
    let (until, is_last) = match wait {
        Wait::Until(deadline) if deadline <= soon => (deadline, true),
        _ => (soon, false),
    };
    let is_same = |seen: &&Seen| mapping.cell(seen.cell).load() == seen.word;
    if seen.iter().filter(is_same).count() < seen.len() {
        return Ok(Slept::Look);
    }
    let Some(moment) = moment(until) else { return Ok(Slept::TimedOut) };
    match sleep_on_one(mapping, seen[0], Some(&moment))? {
        Slept::TimedOut if !is_last => Ok(Slept::Look),
        slept => Ok(slept),
    }
}

fn judge(result: rustix::io::Result<()>) -> io::Result<Slept> {
    match result {
        Ok(()) | Err(Errno::AGAIN | Errno::INTR) => Ok(Slept::Look),
        Err(Errno::TIMEDOUT) => Ok(Slept::TimedOut),
        Err(error) => Err(error.into()),
    }
}

/// Wakes one sleeper.
pub(super) fn wake(word: &AtomicU32) -> io::Result<()> {
    futex::wake(word, Flags::empty(), 1)?;
    Ok(())
}

/// A moment of `now` on the kernel's monotonic clock; none where it is past.
fn moment(deadline: Duration) -> Option<Timespec> {
    let left = deadline.checked_sub(Linux.now()).filter(|left| !left.is_zero())?;
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    let nanoseconds = now.tv_nsec + i64::from(left.subsec_nanos());
    let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX / 2);
    Some(Timespec {
        tv_sec: now.tv_sec.saturating_add(seconds) + nanoseconds / 1_000_000_000,
        tv_nsec: nanoseconds % 1_000_000_000,
    })
}
