//! What a step touches: two steps that touch nothing in common can be done in either order, with
//! the same results and the same state after them.

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
const LANES: (usize, usize) = (0, 64);
const EXITS: (usize, usize) = (64, 16);
const MEMORY: (usize, usize) = (80, 64);
const PIPE_DATA: (usize, usize) = (144, 16);
const PIPE_ENDS: (usize, usize) = (160, 16);
const SEMAPHORES: (usize, usize) = (176, 40);
const MONITORS: (usize, usize) = (216, 36);
/// The tables of processes and of objects, to which starting a process adds.
const TABLES: usize = 252;
/// How many kills a search may still do, and how many other faults.
pub(crate) const BUDGET_OF_KILLS: usize = 253;
pub(crate) const BUDGET_OF_FAULTS: usize = 254;

fn thing((first, count): (usize, usize), index: usize) -> Bits {
    if index < count { Bits::NONE.with(first + index) } else { Bits::ALL }
}

/// A lane as a thing: each of its steps touches it.
pub(crate) fn lane_bits(lane: LaneId) -> Bits {
    thing(LANES, usize::from(lane.0))
}

impl Kernel {
    /// What the step touches that a lane stands at.
    pub(crate) fn footprint(&self, lane: LaneId) -> Bits {
        let Some(parked) = self.parked(lane) else { return Bits::NONE };
        let process = self.process_of(lane);
        let prefix = self.process_name(process).len() + 1;
        let name = self.lane_name(lane).get(prefix..).unwrap_or_default();
        let Cells(cells) = (self.memory.0)(name, parked.site.name);
        let mut all = self.objects(lane, &parked.request).union(&lane_bits(lane));
        for cell in (0..4).filter(|cell| cells & (1 << cell) != 0) {
            all = all.union(&thing(MEMORY, usize::from(process.0) * 4 + cell));
        }
        all
    }

    fn objects(&self, lane: LaneId, request: &Request) -> Bits {
        match *request {
            Request::Point => Bits::NONE,
            Request::SemaphoreWait { semaphore, .. }
            | Request::SemaphorePost { semaphore }
            | Request::SemaphoreValue { semaphore } => thing(SEMAPHORES, semaphore),
            Request::Read { descriptor }
            | Request::Poll { descriptor, .. }
            | Request::Write { descriptor, .. } => self.pipe_use(lane, descriptor),
            Request::Send { descriptor, .. } => self.pipe_use(lane, descriptor),
            // They make a connection, which whoever waits for several things may see.
            Request::Accept { .. } | Request::Connect => Bits::ALL,
            Request::Close { descriptor } => {
                match self.lane_end(usize::from(lane.0), descriptor).map(pipe_of) {
                    Some(pipe) => thing(PIPE_DATA, pipe).union(&thing(PIPE_ENDS, pipe)),
                    None => Bits::NONE,
                }
            }
            Request::WaitAny { .. } => {
                let entry = &self.lanes[usize::from(lane.0)];
                entry.awaited.iter().fold(Bits::NONE, |bits, awaited| {
                    bits.union(&match *awaited {
                        AwaitedName::Readable(descriptor) => self.pipe_use(lane, descriptor),
                        AwaitedName::Ended(process) => thing(EXITS, usize::from(process.0)),
                    })
                })
            }
            Request::MonitorLock { monitor }
            | Request::MonitorWake { monitor }
            | Request::MonitorUnlock { monitor }
            | Request::MonitorSleep { monitor }
            | Request::MonitorNotify { monitor } => thing(MONITORS, monitor),
            Request::ThreadJoin { lane } => lane_bits(lane),
            Request::ThreadStart => Bits::NONE,
            Request::ProcessWait { process, .. } | Request::AwaitDeath { process } => {
                thing(EXITS, usize::from(process.0))
            }
            Request::ProcessStart => Bits::NONE.with(TABLES),
            Request::ProcessSignal { process } => {
                thing(EXITS, usize::from(process.0)).union(&self.death(process))
            }
            Request::ProcessExit => self.death(self.process_of(lane)),
        }
    }

    /// The data of the pipe; and its ends, unless the process itself holds both: then nobody
    /// else's closing can be seen by this step.
    fn pipe_use(&self, lane: LaneId, descriptor: usize) -> Bits {
        let Some(pipe) = self.lane_end(usize::from(lane.0), descriptor).map(pipe_of) else {
            return Bits::NONE;
        };
        let data = thing(PIPE_DATA, pipe);
        let descriptors = &self.processes[usize::from(self.process_of(lane).0)].descriptors;
        let holds = |end| descriptors.contains(&Some(end));
        if holds(PipeEnd::Reader(pipe)) && holds(PipeEnd::Writer(pipe)) {
            data
        } else {
            data.union(&thing(PIPE_ENDS, pipe))
        }
    }

    /// What the end of a process touches: its lanes, the ends that it holds, its exit status, and
    /// what its blocked lanes wait for, since it matters whether they got it before.
    pub(crate) fn death(&self, process: ProcessId) -> Bits {
        let mut bits = thing(EXITS, usize::from(process.0));
        for (lane, entry) in (0u8..).map(LaneId).zip(&self.lanes) {
            if entry.process != process || !entry.begun {
                continue;
            }
            bits = bits.union(&lane_bits(lane));
            if let Some(parked) = &entry.parked
                && !self.is_available(usize::from(lane.0), &parked.request)
                && !matches!(parked.request, Request::ProcessExit | Request::ProcessSignal { .. })
            {
                bits = bits.union(&self.objects(lane, &parked.request));
            }
        }
        let descriptors = &self.processes[usize::from(process.0)].descriptors;
        for end in descriptors.iter().flatten() {
            bits = bits.union(&thing(PIPE_ENDS, pipe_of(*end)));
        }
        bits
    }
}

/// The place of a pipe among those that have one. Pairs of sockets take theirs from the end: one
/// that shares its place with a pipe makes steps depend on each other that do not, nothing worse.
fn pipe_of(end: PipeEnd) -> usize {
    match end {
        PipeEnd::Reader(pipe) | PipeEnd::Writer(pipe) => pipe,
        // It has no place, and touches everything.
        PipeEnd::Listener(_) => usize::MAX,
        PipeEnd::Socket(pair, _) => (PIPE_DATA.1 - 1).checked_sub(pair).unwrap_or(usize::MAX),
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
