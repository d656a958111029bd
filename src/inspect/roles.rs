//! Which semaphore is what to which queue.
//!
//! Nothing in a semaphore says what it is for, but a queue makes its semaphores in a fixed order
//! when it is made: `rlock`, `wlock`, `sem`, then `unfinished` and the condition's lock,
//! `sleeping`, `woken`, `wait` where it is joinable; a simple queue the first two. So the list is
//! cut into queues, as many as there are pipes, with as few semaphores left over as it goes. A cut
//! must agree with the values and with who waits; where several cuts do, a semaphore has a role
//! only if they all give it the same.

use super::picture::{Doing, Picture, QueueRole, Role};

/// Cuts that are tried; a program with more is told that nobody can tell.
const TRIES_MOST: usize = 200_000;

/// What makes semaphores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    Simple,
    Queue,
    Joinable,
    /// An `Event` of CPython: lock, sleeping, woken, wait, flag. Beside a queue it looks much like
    /// a joinable one.
    Event,
    Other,
}

const MAKERS: [Maker; 5] =
    [Maker::Joinable, Maker::Queue, Maker::Simple, Maker::Event, Maker::Other];
const ROLES: [Role; 8] = [
    Role::ReadLock,
    Role::WriteLock,
    Role::Slots,
    Role::Unfinished,
    Role::ConditionLock,
    Role::Sleeping,
    Role::Woken,
    Role::Wait,
];

/// Where in an `Event` its `wait` is.
const EVENT_WAIT: usize = 3;

/// What a cut makes of a semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Queue(QueueRole),
    EventWait,
}

impl Maker {
    fn length(self) -> usize {
        match self {
            Self::Simple => 2,
            Self::Queue => 3,
            Self::Joinable => 8,
            Self::Event => 5,
            Self::Other => 1,
        }
    }

    fn is_queue(self) -> bool {
        matches!(self, Self::Simple | Self::Queue | Self::Joinable)
    }
}

/// Gives the semaphores of a picture their roles.
pub(super) fn assign(picture: &mut Picture) {
    let mut found = cuts(picture, true);
    if found.is_empty() {
        found = cuts(picture, false);
    }
    let mut found = found.into_iter();
    let Some(mut agreed) = found.next() else { return };
    for parts in found {
        for (part, other) in agreed.iter_mut().zip(parts) {
            *part = part.filter(|part| Some(*part) == other);
        }
    }
    for (semaphore, part) in picture.semaphores.iter_mut().zip(agreed) {
        match part {
            Some(Part::Queue(role)) => semaphore.role = Some(role),
            Some(Part::EventWait) => semaphore.event_wait = true,
            None => {}
        }
    }
}

/// The cuts with the fewest semaphores left over; none where there are too many to try.
fn cuts(picture: &Picture, locked: bool) -> Vec<Vec<Option<Part>>> {
    let mut cuts = Cuts { picture, locked, tries: 0, chosen: Vec::new(), found: Vec::new() };
    for others in 0..=picture.semaphores.len() {
        cuts.search(0, 0, others);
        if !cuts.found.is_empty() {
            break;
        }
    }
    if cuts.tries > TRIES_MOST { Vec::new() } else { cuts.found }
}

struct Cuts<'a> {
    picture: &'a Picture,
    /// Whether whoever reads or writes holds the lock: not so in a `Pool`, whose parent is the only
    /// one at its end.
    locked: bool,
    tries: usize,
    chosen: Vec<Option<Part>>,
    found: Vec<Vec<Option<Part>>>,
}

impl Cuts<'_> {
    /// All cuts of the semaphores from here into the queues of the pipes from here.
    fn search(&mut self, from: usize, pipe: usize, others: usize) {
        self.tries += 1;
        if self.tries > TRIES_MOST {
            return;
        }
        if from == self.picture.semaphores.len() {
            if pipe == self.picture.pipes.len() && others == 0 {
                self.found.push(self.chosen.clone());
            }
            return;
        }
        for maker in MAKERS {
            if !self.fits(maker, from, pipe) || (maker == Maker::Other && others == 0) {
                continue;
            }
            let inode = self.picture.pipes.get(pipe).map(|pipe| pipe.inode);
            let roles = ROLES[..maker.length()].iter().enumerate();
            self.chosen.extend(roles.map(|(index, &role)| match (maker, inode) {
                (Maker::Event, _) => (index == EVENT_WAIT).then_some(Part::EventWait),
                (Maker::Other, _) | (_, None) => None,
                (_, Some(pipe)) => Some(Part::Queue(QueueRole { pipe, role })),
            }));
            let (next, left) = (pipe + usize::from(maker.is_queue()), maker == Maker::Other);
            self.search(from + maker.length(), next, others - usize::from(left));
            self.chosen.truncate(from);
        }
    }

    /// Whether the semaphores from here may be what this makes.
    fn fits(&self, maker: Maker, from: usize, pipe: usize) -> bool {
        let Some(semaphores) = self.picture.semaphores.get(from..from + maker.length()) else {
            return false;
        };
        let at_most = |index: usize, most| semaphores[index].value.is_none_or(|it| it <= most);
        let unawaited = |index: usize| !self.is_awaited(from + index);
        let queue = || {
            let Some(pipe) = self.picture.pipes.get(pipe) else { return false };
            let used = |doing: fn(&Doing) -> Option<u64>| {
                self.picture.threads().any(|(_, it)| doing(&it.doing) == Some(pipe.inode))
            };
            let most = |doing| u32::from(!(self.locked && used(doing)));
            at_most(0, most(read_from)) && at_most(1, most(written_to))
        };
        // The files of `midput-real` say how many semaphores were made together.
        let files = |wanted: &[usize]| match semaphores[0].of {
            None => true,
            Some(_) => {
                let each = wanted.iter().flat_map(|&of| std::iter::repeat_n(Some(of), of));
                semaphores[0].place.offset == 0 && each.eq(semaphores.iter().map(|it| it.of))
            }
        };
        match maker {
            Maker::Simple => queue() && files(&[2]),
            Maker::Queue => queue() && files(&[3]),
            Maker::Joinable => {
                // The counter is only tried, never waited for (`JQ2`).
                queue() && unawaited(3) && self.is_condition(from + 4) && files(&[3, 1, 4])
            }
            Maker::Event => {
                let flag = at_most(4, 1) && unawaited(4);
                self.is_condition(from) && flag && semaphores[0].of.is_none()
            }
            Maker::Other => true,
        }
    }

    /// Whether the four semaphores from here may be a condition's: lock, sleeping, woken, wait
    /// (`K1`, `K2`).
    fn is_condition(&self, lock: usize) -> bool {
        let value = |index: usize| self.picture.semaphores[lock + index].value;
        let awaited = |index: usize| self.is_awaited(lock + index);
        let (notifying, locked) = (awaited(2), value(0) == Some(0));
        let counts = value(1).zip(value(2));
        value(0).is_none_or(|lock| lock <= u32::from(!notifying))
            // Only tried.
            && !awaited(1)
            // A sleeper is counted first, and as woken at most once.
            && (!awaited(3) || value(1).is_none_or(|sleeping| sleeping > 0))
            && (locked || counts.is_none_or(|(sleeping, woken)| woken <= sleeping))
            // Taken at once by those who sleep.
            && (notifying || value(3).is_none_or(|wait| wait == 0))
    }

    fn is_awaited(&self, index: usize) -> bool {
        let waits =
            |doing: &Doing| matches!(doing, Doing::Waits { semaphore, .. } if *semaphore == index);
        self.picture.threads().any(|(_, thread)| waits(&thread.doing))
    }
}

fn read_from(doing: &Doing) -> Option<u64> {
    match doing {
        Doing::Reads { pipe, .. } => Some(*pipe),
        _ => None,
    }
}

fn written_to(doing: &Doing) -> Option<u64> {
    match doing {
        Doing::Writes { pipe, .. } => Some(*pipe),
        _ => None,
    }
}
