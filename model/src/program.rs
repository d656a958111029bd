//! What the lanes of a scenario do, as data: the parameter of every machine and of every world.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A process of the scenario, by its position in [`Program::processes`]. `P0` is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId(pub u8);

/// A lane (one thread of one process), by its position in [`Program::lanes`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LaneId(pub u8);

/// A queue of the scenario, by its position in [`Program::queues`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueId(pub u8);

/// An item that some lane puts, by its position in [`Program::items`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId(pub u16);

/// All that the processes of a scenario do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The queues, which `P0` creates before its first operation.
    pub queues: Vec<QueueParameters>,
    /// Every item that is put, once for each put.
    pub items: Vec<Item>,
    /// The processes; `P0` is the main process and the only one that runs from the beginning.
    pub processes: Vec<ProcessProgram>,
}

/// Which of CPython's queues it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum QueueKind {
    /// `multiprocessing.Queue`.
    #[default]
    Queue,
    /// `multiprocessing.JoinableQueue`: a queue that counts unfinished tasks.
    Joinable,
    /// `multiprocessing.SimpleQueue`: a pipe with a lock at either end.
    Simple,
    /// `multiprocessing.Pipe(duplex=False)`: the bare pipe of messages, without any lock.
    Pipe,
    /// A queue that a server owns, in the closed form of `midput_real::manager`.
    Manager,
    /// `multiprocessing.Manager().Queue()`: the same, in CPython's form (`MQ4`).
    ManagerClassic,
}

impl QueueKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Queue,
        Self::Joinable,
        Self::Simple,
        Self::Pipe,
        Self::Manager,
        Self::ManagerClassic,
    ];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Joinable => "joinable",
            Self::Simple => "simple",
            Self::Pipe => "pipe",
            Self::Manager => "manager",
            Self::ManagerClassic => "manager-classic",
        }
    }

    /// Whether a server owns it.
    pub fn is_managed(self) -> bool {
        matches!(self, Self::Manager | Self::ManagerClassic)
    }

    /// Whether it counts unfinished tasks.
    pub fn counts_tasks(self) -> bool {
        self == Self::Joinable || self.is_managed()
    }
}

/// How a queue is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueParameters {
    /// Its name in the scenario file.
    pub name: String,
    /// Which of CPython's queues it is.
    #[serde(default)]
    pub kind: QueueKind,
    /// The most items that may be accepted and not yet taken; 0 is no bound (`Q1`).
    pub maxsize: u32,
    /// The page slots of its pipe: 16 on Linux by default.
    pub pipe_slots: u16,
}

/// One item: a name for people and a size on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name in the scenario file, unique in the program (`a`, or `a#2` from a `repeat`).
    pub name: String,
    /// Payload bytes on the wire, without the frame's header.
    pub bytes: u32,
    /// The process that puts it.
    pub producer: ProcessId,
    /// The queue that it is put into.
    pub queue: QueueId,
}

/// What one process does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessProgram {
    /// `P0`, `P1`, ….
    pub name: String,
    /// Whether its parent ends it by SIGTERM when it leaves, instead of only waiting for it (`LC1`,
    /// `LC8`).
    #[serde(default)]
    pub daemon: bool,
    /// Whether it handles SIGTERM: asked to leave, its main lane leaves with code 0 between two
    /// operations (`LC5`). Otherwise the signal ends it at once.
    #[serde(default)]
    pub leaves_on_terminate: bool,
    /// Its main lane first, then its further threads, which start only by [`Operation::Thread`].
    pub lanes: Vec<LaneProgram>,
}

/// What one lane does, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneProgram {
    /// `main`, or the thread's name in the scenario file.
    pub name: String,
    /// Its operations. When the main lane has done them it leaves the process with code 0.
    pub instructions: Vec<Instruction>,
}

/// One operation with what must come before it and how often it is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// `after P1 died …`: wait until this process is dead, then begin.
    pub after: Option<ProcessId>,
    /// `until Empty …`: repeat the operation until it has this outcome.
    pub until: Option<Outcome>,
    /// What to do.
    pub operation: Operation,
}

impl From<Operation> for Instruction {
    fn from(operation: Operation) -> Self {
        Self { after: None, until: None, operation }
    }
}

/// One call that a lane makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// `put a 100B`, `put a 100B nowait`, `put a 100B timeout=1s`.
    Put {
        /// Where to.
        queue: QueueId,
        /// What.
        item: ItemId,
        /// How long to wait for a free slot.
        timeout: Timeout,
    },
    /// `get`, `get nowait`, `get timeout=1s`.
    Get {
        /// Where from.
        queue: QueueId,
        /// How long to wait for an item.
        timeout: Timeout,
    },
    /// `qsize`: the slots in use (`Q13`).
    Size {
        /// Of which queue.
        queue: QueueId,
    },
    /// `empty`: whether no byte is in the pipe (`Q13`).
    Empty {
        /// Which queue.
        queue: QueueId,
    },
    /// `full`: whether no slot is free (`Q13`).
    Full {
        /// Which queue.
        queue: QueueId,
    },
    /// `close` (`Q14`).
    Close {
        /// Which queue.
        queue: QueueId,
    },
    /// `close reader`: close this process's reading end of the pipe.
    CloseReader {
        /// Of which queue.
        queue: QueueId,
    },
    /// `close writer`: close this process's writing end of a bare pipe.
    CloseWriter {
        /// Of which pipe.
        queue: QueueId,
    },
    /// `join_thread` (`Q15`).
    JoinThread {
        /// Of which queue.
        queue: QueueId,
    },
    /// `cancel_join_thread` (`Q16`).
    CancelJoinThread {
        /// Of which queue.
        queue: QueueId,
    },
    /// `task_done`: one item that was got is done (`JQ2`).
    TaskDone {
        /// Of which queue.
        queue: QueueId,
    },
    /// `join queue`: wait until all items are done (`JQ3`).
    JoinQueue {
        /// Which queue.
        queue: QueueId,
    },
    /// `release read lock`, `release write lock`: give back by force a lock that another holds, or
    /// held when it died (`X13`).
    ForceRelease {
        /// Of which queue.
        queue: QueueId,
        /// Which of its locks.
        lock: QueueLock,
    },
    /// `start P1`.
    Start {
        /// Which process.
        process: ProcessId,
    },
    /// `join P1`, `join P1 timeout=2s`.
    Join {
        /// Which process.
        process: ProcessId,
        /// How long to wait for its end.
        timeout: Timeout,
    },
    /// `is_alive P1`: whether it has not ended (`LC7`).
    IsAlive {
        /// Which process.
        process: ProcessId,
    },
    /// `terminate P1` (SIGTERM) and `kill P1` (SIGKILL).
    Signal {
        /// To which process.
        process: ProcessId,
        /// Which signal.
        signal: Signal,
    },
    /// `thread T`: start a further thread of this process.
    Thread {
        /// The lane that starts.
        lane: LaneId,
    },
    /// `exit 3` (leave with this code) and `raise` (leave with code 1).
    Exit {
        /// The exit code.
        code: u8,
    },
    /// `exit 3 without flush`: end at once, as `os._exit` does (`LC11`, `X12`).
    ExitNow {
        /// The exit code.
        code: u8,
    },
}

impl Operation {
    /// The operation's name in scenario files and traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put { .. } => "put",
            Self::Get { .. } => "get",
            Self::Size { .. } => "qsize",
            Self::Empty { .. } => "empty",
            Self::Full { .. } => "full",
            Self::Close { .. } => "close",
            Self::CloseReader { .. } => "close reader",
            Self::CloseWriter { .. } => "close writer",
            Self::JoinThread { .. } => "join_thread",
            Self::CancelJoinThread { .. } => "cancel_join_thread",
            Self::TaskDone { .. } => "task_done",
            Self::JoinQueue { .. } => "join queue",
            Self::ForceRelease { lock: QueueLock::Read, .. } => "release read lock",
            Self::ForceRelease { lock: QueueLock::Write, .. } => "release write lock",
            Self::Start { .. } => "start",
            Self::Join { .. } => "join",
            Self::Signal { signal: Signal::Terminate, .. } => "terminate",
            Self::Signal { signal: Signal::Kill, .. } => "kill",
            Self::Thread { .. } => "thread",
            Self::IsAlive { .. } => "is_alive",
            Self::Exit { .. } => "exit",
            Self::ExitNow { .. } => "exit without flush",
        }
    }

    /// The queue that it is about, if it is about one.
    pub fn queue(&self) -> Option<QueueId> {
        match *self {
            Self::Put { queue, .. }
            | Self::Get { queue, .. }
            | Self::Size { queue }
            | Self::Empty { queue }
            | Self::Full { queue }
            | Self::Close { queue }
            | Self::CloseReader { queue }
            | Self::CloseWriter { queue }
            | Self::JoinThread { queue }
            | Self::CancelJoinThread { queue }
            | Self::TaskDone { queue }
            | Self::JoinQueue { queue }
            | Self::ForceRelease { queue, .. } => Some(queue),
            _ => None,
        }
    }

    /// How long the call may wait, where it says.
    pub fn timeout(&self) -> Timeout {
        match *self {
            Self::Put { timeout, .. } | Self::Get { timeout, .. } | Self::Join { timeout, .. } => {
                timeout
            }
            _ => Timeout::Never,
        }
    }
}

/// A lock that the processes of a queue share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum QueueLock {
    /// Of those who read from the pipe.
    Read,
    /// Of those who write into it.
    Write,
}

/// How long a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Timeout {
    /// No bound: `block=True, timeout=None`.
    Never,
    /// One try: `block=False`.
    NoWait,
    /// So many milliseconds; zero and negative are one try (`Q10`).
    Milliseconds(i64),
}

impl Timeout {
    /// Whether the call makes one try and does not wait.
    pub fn is_one_try(self) -> bool {
        match self {
            Self::NoWait => true,
            Self::Milliseconds(milliseconds) => milliseconds <= 0,
            Self::Never => false,
        }
    }

    /// The bound in milliseconds of a call that waits for a limited time.
    pub fn limit_milliseconds(self) -> Option<u64> {
        match self {
            Self::Milliseconds(milliseconds) if milliseconds > 0 => {
                Some(milliseconds.unsigned_abs())
            }
            _ => None,
        }
    }
}

/// A signal that ends a process here: both keep their default disposition (`LC5`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

impl Signal {
    /// The signal's number on Linux.
    pub fn number(self) -> u8 {
        match self {
            Self::Terminate => 15,
            Self::Kill => 9,
        }
    }

    /// `SIGTERM` or `SIGKILL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Kill => "SIGKILL",
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Exit {
    /// It left with this code.
    Code(u8),
    /// A signal killed it.
    Signal(Signal),
}

/// What a call returned or raised, as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It returned nothing.
    Done,
    /// It returned this item, byte for byte.
    Item(ItemId),
    /// It returned bytes that are no item that was put.
    Garbage,
    /// It returned a number.
    Number(u32),
    /// It returned true or false.
    Bool(bool),
    /// `queue.Full`.
    Full,
    /// `queue.Empty`.
    Empty,
    /// `ValueError`: the queue is closed (`p0`, `g0`).
    Closed,
    /// `OSError`: the handle is closed (`Q14`).
    HandleClosed,
    /// `AssertionError`: `join_thread` before `close` (`Q15`).
    NotClosed,
    /// `ValueError`: `task_done` was called too many times (`JQ2`).
    TooMany,
    /// `join` of a queue whose last tasks went with processes that are gone (`G10`).
    Missing,
    /// `EOFError`: the stream ended between frames, or right after a header (`WF4`).
    EndOfFile,
    /// `OSError`: got end of file during message (`WF4`).
    Torn,
    /// Any other error.
    Failed,
}

/// One byte of an item's payload, of so many bytes: first the item's number, then a filling that
/// follows from it.
///
/// The first byte of two or more is 0x80 or above, as that of a pickle is, so that a header that
/// was lost has the effect that it has with CPython (`WF5`).
pub fn payload_byte(item: ItemId, bytes: u32, index: u32) -> u8 {
    let [high, low] = item.0.to_be_bytes();
    match index {
        0 if bytes > 1 => 0x80 | high,
        0 | 1 => low,
        _ => low.wrapping_mul(31) ^ 0x5a,
    }
}

/// One lane of a program, with what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// `P0.main`, `P1.feed`.
    pub name: String,
    /// The process that it belongs to.
    pub process: ProcessId,
    /// What it runs.
    pub role: LaneRole,
}

/// What a lane runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneRole {
    /// The operations of the process's lane at this index; 0 is the main lane.
    Program(u8),
    /// The feeder thread of a queue (`Q5`), which exists once the process has put.
    Feeder(QueueId),
}

impl Program {
    /// Every lane that can exist, in the fixed order that everything else uses: process by
    /// process, its main lane, its further threads, then one feeder for each queue.
    pub fn lanes(&self) -> Vec<Lane> {
        let mut lanes = Vec::new();
        for (process, program) in (0u8..).zip(&self.processes) {
            let process = ProcessId(process);
            for (index, lane) in (0u8..).zip(&program.lanes) {
                lanes.push(Lane {
                    name: format!("{}.{}", program.name, lane.name),
                    process,
                    role: LaneRole::Program(index),
                });
            }
            for queue in (0u8..).take(self.queues.len()).map(QueueId) {
                let name = format!("{}.{}", program.name, self.feeder_name(queue));
                lanes.push(Lane { name, process, role: LaneRole::Feeder(queue) });
            }
        }
        lanes
    }

    /// The name of a queue's feeder thread: `feed`, or with several queues `feed-jobs`.
    pub fn feeder_name(&self, queue: QueueId) -> Cow<'static, str> {
        match self.queues.get(usize::from(queue.0)) {
            Some(parameters) if self.queues.len() > 1 => format!("feed-{}", parameters.name).into(),
            _ => "feed".into(),
        }
    }

    /// Whether a server owns its queues, or one of them.
    pub fn is_managed(&self) -> bool {
        self.queues.iter().any(|queue| queue.kind.is_managed())
    }

    /// Whether any call may wait for a limited time.
    pub fn has_deadlines(&self) -> bool {
        let lanes = self.processes.iter().flat_map(|process| &process.lanes);
        let mut instructions = lanes.flat_map(|lane| &lane.instructions);
        instructions.any(|it| it.operation.timeout().limit_milliseconds().is_some())
    }

    /// The lane at `index` of a process; 0 is its main lane.
    pub fn lane_of(&self, process: ProcessId, index: u8) -> LaneId {
        let before: usize = self.processes[..usize::from(process.0)]
            .iter()
            .map(|program| program.lanes.len() + self.queues.len())
            .sum();
        LaneId(u8::try_from(before).unwrap_or(u8::MAX).saturating_add(index))
    }

    /// The feeder lane of a process for a queue.
    pub fn feeder_of(&self, process: ProcessId, queue: QueueId) -> LaneId {
        let lanes = self.processes[usize::from(process.0)].lanes.len();
        self.lane_of(process, u8::try_from(lanes).unwrap_or(u8::MAX).saturating_add(queue.0))
    }

    /// The instructions of a lane, unless it is a feeder.
    pub fn instructions_of(&self, lane: LaneId) -> Option<&[Instruction]> {
        let mut index = usize::from(lane.0);
        for process in &self.processes {
            if let Some(lane) = process.lanes.get(index) {
                return Some(&lane.instructions);
            }
            index = index.checked_sub(process.lanes.len() + self.queues.len())?;
        }
        None
    }
}
