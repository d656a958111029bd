//! From a system call to what a thread waits for.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::family::Relative;
use super::parse;
use super::picture::{Doing, Picture, SystemCall};

/// A thread in one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Asleep(Asleep),
    Runs,
    Stopped,
    Unknown,
}

/// A thread that sleeps in a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asleep {
    pub(super) call: SystemCall,
    /// How often it has left a processor, by itself and by force.
    pub(super) switches: [u64; 2],
    /// Where in the kernel.
    pub(super) place: String,
}

/// More descriptors in one `poll` than anybody waits for with a queue.
const POLLED_MOST: u64 = 1024;
/// The kind of wait in the second argument of `futex`, and the mark of one process's own.
const FUTEX_COMMAND: u64 = 0x7f;
const FUTEX_PRIVATE: u64 = 0x80;
/// FUTEX_WAIT and FUTEX_WAIT_BITSET.
const FUTEX_WAITS: [u64; 2] = [0, 9];
/// The kinds of the first argument of `waitid`.
const P_ALL: u64 = 0;
const P_PID: u64 = 1;
const P_PIDFD: u64 = 3;

/// What a thread does that has stayed in this call.
pub(super) fn classify(
    asleep: &Asleep,
    member: &Relative,
    members: &[Relative],
    picture: &Picture,
) -> Doing {
    let SystemCall { number, arguments } = asleep.call;
    // Arguments of these types are the low half of their register.
    let integer = |argument: u64| argument as u32 as i32;
    let queue_pipe = || {
        let end = member.pipes.iter().find(|end| end.descriptor == integer(arguments[0]))?;
        picture.pipes.iter().any(|pipe| pipe.inode == end.inode).then_some(end.inode)
    };
    let other = || Doing::Other { number, place: asleep.place.trim().to_owned() };
    let one = |child: i32| u32::try_from(child).ok().filter(|child| *child > 0);
    match number {
        libc::SYS_read => {
            queue_pipe().map_or_else(other, |pipe| Doing::Reads { pipe, wants: arguments[2] })
        }
        libc::SYS_write => {
            queue_pipe().map_or_else(other, |pipe| Doing::Writes { pipe, given: arguments[2] })
        }
        libc::SYS_futex if FUTEX_WAITS.contains(&(arguments[1] & FUTEX_COMMAND)) => {
            futex(arguments, member, picture)
        }
        libc::SYS_wait4 => Doing::Joins { child: one(integer(arguments[0])), limited: false },
        libc::SYS_waitid => match arguments[0] {
            P_ALL => Doing::Joins { child: None, limited: false },
            P_PID => Doing::Joins { child: one(integer(arguments[1])), limited: false },
            P_PIDFD => member
                .pidfds
                .get(&integer(arguments[1]))
                .map_or_else(other, |child| Doing::Joins { child: Some(*child), limited: false }),
            _ => other(),
        },
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => polls(arguments, integer(arguments[2]) >= 0, member, members, picture)
            .unwrap_or_else(other),
        libc::SYS_ppoll => {
            polls(arguments, arguments[2] != 0, member, members, picture).unwrap_or_else(other)
        }
        _ => other(),
    }
}

fn futex(arguments: [u64; 6], member: &Relative, picture: &Picture) -> Doing {
    let limited = arguments[3] != 0;
    let place = member.mappings.iter().find_map(|mapping| mapping.place(arguments[0]));
    let is_shared = arguments[1] & FUTEX_PRIVATE == 0;
    let semaphore = place
        .filter(|_| is_shared)
        .and_then(|place| picture.semaphores.iter().position(|semaphore| semaphore.place == place));
    match semaphore {
        Some(semaphore) => Doing::Waits { semaphore, limited },
        None => Doing::Local { limited },
    }
}

/// What is polled, by the array in the memory of the process; nothing where that cannot be read.
fn polls(
    arguments: [u64; 6],
    limited: bool,
    member: &Relative,
    members: &[Relative],
    picture: &Picture,
) -> Option<Doing> {
    let count = usize::try_from(arguments[1].min(POLLED_MOST)).ok()?;
    let mut bytes = vec![0; count * 8];
    let memory = File::open(format!("/proc/{}/mem", member.pid)).ok()?;
    memory.read_exact_at(&mut bytes, arguments[0]).ok()?;
    let (mut pipes, mut children) = (Vec::new(), Vec::new());
    for descriptor in parse::polled(&bytes) {
        children.extend(member.pidfds.get(&descriptor));
        let Some(end) = member.pipes.iter().find(|end| end.descriptor == descriptor) else {
            continue;
        };
        if picture.pipes.iter().any(|pipe| pipe.inode == end.inode) {
            pipes.push(end.inode);
        } else {
            // A sentinel: the child, and whom it started, hold the other end (`LC6`).
            let is_held_by = |it: &&Relative| {
                let mut ends = it.pipes.iter();
                it.stat.parent == member.pid
                    && ends.any(|other| other.inode == end.inode && other.writes)
            };
            children.extend(members.iter().filter(is_held_by).map(|it| it.pid));
        }
    }
    Some(Doing::Polls { pipes, children, limited })
}
