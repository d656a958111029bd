//! What a step touches: what it changes, and what it sees of what others change. Two steps of
//! which neither sees what the other changes can be done in either order, with the same results and
//! the same state after them. Most steps see what they change; what they do not, such as the number
//! of open ends of a pipe that they lower by one, two of them may change in either order.

use midput_model::os::stream::Side;
use midput_model::program::{LaneId, ProcessId};

use super::{AwaitedName, Kernel, PipeEnd, Request};

/// A set of up to 256 things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits([u64; 4]);

impl Bits {
    /// Nothing.
    pub const NONE: Self = Self([0; 4]);
    /// Everything.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// With one more.
    #[must_use]
    pub fn with(mut self, bit: usize) -> Self {
        self.insert(bit);
        self
    }

    /// Adds one.
    pub fn insert(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    /// Whether it is in the set.
    pub fn contains(&self, bit: usize) -> bool {
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    /// Whether two sets have something in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(own, other)| own & other != 0)
    }

    /// What is in either.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
        self
    }

    /// What is in both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= other);
        self
    }

    /// What is in it and not in `other`.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= !other);
        self
    }

    /// What is in it, lowest first.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let words = self.0.into_iter().enumerate();
        words.flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
                (bit < 64).then_some(word * 64 + bit)
            })
        })
    }
}

impl Bits {
    const fn range((first, count): (usize, usize)) -> Self {
        let mut words = [0; 4];
        let mut bit = first;
        while bit < first + count {
            words[bit / 64] |= 1 << (bit % 64);
            bit += 1;
        }
        Self(words)
    }
}

/// What a step touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// What is otherwise after it.
    pub changes: Bits,
    /// What decides whether it can be done, what it answers, and what it leaves.
    pub sees: Bits,
}

impl Footprint {
    /// Nothing.
    pub const NONE: Self = Self { changes: Bits::NONE, sees: Bits::NONE };
    /// Everything.
    pub const ALL: Self = Self { changes: Bits::ALL, sees: Bits::ALL };

    /// Of a step that changes what it sees.
    pub fn of(things: Bits) -> Self {
        Self { changes: things, sees: things }
    }

    /// Of a step that only sees.
    pub fn seeing(sees: Bits) -> Self {
        Self { sees, ..Self::NONE }
    }

    /// Of a step that changes what it does not see.
    pub fn changing(changes: Bits) -> Self {
        Self { changes, ..Self::NONE }
    }

    /// What either touches.
    #[must_use]
    pub fn union(self, other: &Self) -> Self {
        Self { changes: self.changes.union(&other.changes), sees: self.sees.union(&other.sees) }
    }

    /// Whether the order of two steps makes a difference.
    pub fn meets(&self, other: &Self) -> bool {
        self.changes.meets(&other.sees) || self.sees.meets(&other.changes)
    }

    /// Whether all that it changes dies with a process: its lanes, its memory, its descriptors, its
    /// local locks.
    pub(crate) fn is_local(&self) -> bool {
        const LOCAL: [Bits; 4] = [
            Bits::range(LANES),
            Bits::range(DESCRIPTORS),
            Bits::range(MEMORY),
            Bits::range(MONITORS),
        ];
        LOCAL.iter().fold(self.changes, |left, local| left.without(local)) == Bits::NONE
    }
}

/// The parts of a process's own memory that the code after a step reads or writes, as its subject
/// divides that memory: up to four, one bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells(pub u8);

impl Cells {
    /// Nothing that another lane of the process reads or writes.
    pub const NONE: Self = Self(0);
    /// It may be anything: what is right where nobody says.
    pub const ALL: Self = Self(0b1111);
}

/// What a lane of this name touches after a step of this name.
pub(crate) type MemoryOf = fn(&str, &'static str) -> Cells;

// Where each kind of thing begins among the 256. What has no place any more touches everything.
const LANES: (usize, usize) = (0, 48);
const DESCRIPTORS: (usize, usize) = (48, 16);
const EXITS: (usize, usize) = (64, 16);
const MEMORY: (usize, usize) = (80, 64);
const PIPE_DATA: (usize, usize) = (144, 16);
const READERS: (usize, usize) = (160, 16);
const WRITERS: (usize, usize) = (176, 16);
const SEMAPHORES: (usize, usize) = (192, 32);
const MONITORS: (usize, usize) = (224, 28);
/// The tables of processes and of objects, to which starting a process adds.
const TABLES: usize = 252;
/// How many kills a search may still do, and how many other faults.
pub(crate) const BUDGET_OF_KILLS: usize = 253;
pub(crate) const BUDGET_OF_FAULTS: usize = 254;

fn thing((first, count): (usize, usize), index: usize) -> Bits {
    if index < count { Bits::NONE.with(first + index) } else { Bits::ALL }
}

fn process_thing(range: (usize, usize), process: ProcessId) -> Bits {
    thing(range, usize::from(process.0))
}

/// A lane as a thing: each of its steps touches it.
pub(crate) fn lane_bits(lane: LaneId) -> Bits {
    thing(LANES, usize::from(lane.0))
}

impl Kernel {
    /// The lanes of a process that have begun.
    pub(crate) fn lanes_of(&self, process: ProcessId) -> Bits {
        let lanes = (0u8..).map(LaneId).zip(&self.lanes);
        lanes
            .filter(|(_, entry)| entry.process == process && entry.begun)
            .fold(Bits::NONE, |all, (lane, _)| all.union(&lane_bits(lane)))
    }

    /// What the step touches that a lane stands at.
    pub(crate) fn footprint(&self, lane: LaneId) -> Footprint {
        let Some(parked) = self.parked(lane) else { return Footprint::NONE };
        let process = self.process_of(lane);
        let prefix = self.process_name(process).len() + 1;
        let name = self.lane_name(lane).get(prefix..).unwrap_or_default();
        let Cells(cells) = (self.memory.0)(name, parked.site.name);
        let mut own = lane_bits(lane);
        for cell in (0..4).filter(|cell| cells & (1 << cell) != 0) {
            own = own.union(&thing(MEMORY, usize::from(process.0) * 4 + cell));
        }
        self.objects(lane, &parked.request).union(&Footprint::of(own))
    }

    fn objects(&self, lane: LaneId, request: &Request) -> Footprint {
        let own_process = self.process_of(lane);
        match *request {
            Request::Point | Request::ThreadStart => Footprint::NONE,
            Request::SemaphoreWait { semaphore, .. } | Request::SemaphorePost { semaphore } => {
                Footprint::of(thing(SEMAPHORES, semaphore))
            }
            Request::SemaphoreValue { semaphore } => {
                Footprint::seeing(thing(SEMAPHORES, semaphore))
            }
            Request::Read { descriptor }
            | Request::Write { descriptor, .. }
            | Request::Send { descriptor, .. } => {
                let used = self.pipe_use(lane, descriptor);
                used.union(&Footprint::changing(used.sees.and(&Bits::range(PIPE_DATA))))
            }
            Request::Poll { descriptor, .. } => self.pipe_use(lane, descriptor),
            // They make a connection, which whoever waits for several things may see.
            Request::Accept { .. } | Request::Connect => Footprint::ALL,
            Request::Close { descriptor } => {
                let own = Footprint::of(process_thing(DESCRIPTORS, own_process));
                let end = self.lane_end(usize::from(lane.0), descriptor);
                end.map_or(own, |end| own.union(&closing(end)))
            }
            Request::WaitAny { .. } => {
                let entry = &self.lanes[usize::from(lane.0)];
                entry.awaited.iter().fold(Footprint::NONE, |all, awaited| {
                    all.union(&match *awaited {
                        AwaitedName::Readable(descriptor) => self.pipe_use(lane, descriptor),
                        AwaitedName::Ended(process) => {
                            Footprint::seeing(process_thing(EXITS, process))
                        }
                    })
                })
            }
            Request::MonitorLock { monitor }
            | Request::MonitorWake { monitor }
            | Request::MonitorUnlock { monitor }
            | Request::MonitorSleep { monitor }
            | Request::MonitorNotify { monitor } => Footprint::of(thing(MONITORS, monitor)),
            Request::ThreadJoin { lane } => Footprint::seeing(lane_bits(lane)),
            Request::ProcessWait { process, .. } => Footprint::of(process_thing(EXITS, process)),
            Request::AwaitDeath { process, or_asked } => {
                let death = Footprint::seeing(process_thing(EXITS, process));
                let asked = Footprint::seeing(process_thing(EXITS, own_process));
                if or_asked { death.union(&asked) } else { death }
            }
            // What SIGTERM does stands with how the process ended: the signal touches both.
            Request::TerminateHandle => Footprint::of(process_thing(EXITS, own_process)),
            Request::TerminateCheck => Footprint::seeing(process_thing(EXITS, own_process)),
            Request::ProcessStart => {
                let inherited = Footprint::seeing(process_thing(DESCRIPTORS, own_process));
                Footprint::of(Bits::NONE.with(TABLES)).union(&inherited)
            }
            Request::ProcessSignal { process } => {
                Footprint::of(process_thing(EXITS, process)).union(&self.death(process))
            }
            Request::ProcessExit => self.death(own_process),
        }
    }

    /// What a use of a pipe or a pair of sockets sees: its data, whether the descriptor is open, and whether the other
    /// end is open anywhere, unless the process itself holds that end: then nobody else's closing
    /// makes a difference.
    fn pipe_use(&self, lane: LaneId, descriptor: usize) -> Footprint {
        let process = self.process_of(lane);
        let own = process_thing(DESCRIPTORS, process);
        let Some(end) = self.lane_end(usize::from(lane.0), descriptor) else {
            return Footprint::seeing(own);
        };
        let other = match end {
            PipeEnd::Reader(pipe) => PipeEnd::Writer(pipe),
            PipeEnd::Writer(pipe) => PipeEnd::Reader(pipe),
            PipeEnd::Socket(pair, side) => PipeEnd::Socket(pair, side.other()),
            PipeEnd::Listener(_) => return Footprint::ALL,
        };
        let sees = own.union(&thing(PIPE_DATA, pipe_of(end)));
        let holds_both = self.processes[usize::from(process.0)].descriptors.contains(&Some(other));
        Footprint::seeing(if holds_both { sees } else { sees.union(&openness(other)) })
    }

    /// What the end of a process touches: its lanes, the ends that it holds, its exit status, and
    /// what its blocked lanes wait for, since it matters whether they got it before.
    pub(crate) fn death(&self, process: ProcessId) -> Footprint {
        let mut all = Footprint::of(process_thing(EXITS, process));
        for (lane, entry) in (0u8..).map(LaneId).zip(&self.lanes) {
            if entry.process != process || !entry.begun {
                continue;
            }
            all = all.union(&Footprint::of(lane_bits(lane)));
            if let Some(parked) = &entry.parked
                && !self.is_available(usize::from(lane.0), &parked.request)
                && !matches!(parked.request, Request::ProcessExit | Request::ProcessSignal { .. })
            {
                let Footprint { changes, sees } = self.objects(lane, &parked.request);
                all = all.union(&Footprint::seeing(changes.union(&sees)));
            }
        }
        let descriptors = &self.processes[usize::from(process.0)].descriptors;
        let ends = descriptors.iter().flatten();
        ends.fold(all, |all, end| all.union(&closing(*end)))
    }
}

/// There is one open end fewer: in which order some are closed makes no difference. A socket loses
/// what it has not read, and whether that is anything makes one.
fn closing(end: PipeEnd) -> Footprint {
    let closed = Footprint::changing(openness(end));
    match end {
        PipeEnd::Reader(_) | PipeEnd::Writer(_) => closed,
        PipeEnd::Listener(_) => Footprint::ALL,
        PipeEnd::Socket(..) => closed.union(&Footprint::of(thing(PIPE_DATA, pipe_of(end)))),
    }
}

/// Whether this end is open anywhere.
fn openness(end: PipeEnd) -> Bits {
    match end {
        PipeEnd::Reader(_) | PipeEnd::Socket(_, Side::First) => thing(READERS, pipe_of(end)),
        PipeEnd::Writer(_) | PipeEnd::Socket(_, Side::Second) => thing(WRITERS, pipe_of(end)),
        PipeEnd::Listener(_) => Bits::ALL,
    }
}

/// The place of a pipe among those that have one. Pairs of sockets take theirs from the end: one
/// that shares its place with a pipe makes steps depend on each other that do not, nothing worse.
fn pipe_of(end: PipeEnd) -> usize {
    match end {
        PipeEnd::Reader(pipe) | PipeEnd::Writer(pipe) => pipe,
        PipeEnd::Socket(pair, _) => (PIPE_DATA.1 - 1).checked_sub(pair).unwrap_or(usize::MAX),
        // It has no place, and touches everything.
        PipeEnd::Listener(_) => usize::MAX,
    }
}

/// What a process's memory is divided into.
#[derive(Clone, Copy)]
pub(crate) struct Memory(pub MemoryOf);

impl Memory {
    /// Where nobody says.
    pub(crate) const UNKNOWN: Self = Self(|_, _| Cells::ALL);
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Memory")
    }
}
