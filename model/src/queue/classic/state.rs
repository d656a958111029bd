//! The state of a program of classic queues: every lane's program point, buffers, locks, pipe.

use std::collections::VecDeque;

use crate::clone::clone_by_field;
use crate::os::pipe::Pipe;
use crate::os::process::{ProcessState, TerminateHandler};
use crate::os::semaphore::Semaphore;
use crate::program::{ItemId, LaneId, Outcome, ProcessId, Program, QueueId, QueueKind, Signal};

use super::point::Point;
use super::tasks::Tasks;
use super::{Action, Environment};

/// `SEM_VALUE_MAX`: the slots of a queue without a bound (`Q1`).
pub(super) const SLOTS_UNBOUNDED: u32 = 0x7fff_ffff;

/// All that the future of a program depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Every lane, in the order of [`Program::lanes`].
    pub lanes: Vec<LaneState>,
    /// Every process.
    pub processes: Vec<Process>,
    /// What the processes share of every queue.
    pub queues: Vec<Shared>,
    /// What each process has of each queue: process by process.
    pub locals: Vec<Local>,
    /// How many kills the environment may still do.
    pub kills_left: u8,
    /// How many other faults the environment may still do.
    pub faults_left: u8,
}

clone_by_field!(State { lanes, processes, queues, locals, kills_left, faults_left });

/// One lane.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LaneState {
    /// The step that it does next.
    pub point: Point,
    /// The instruction that it is in, or that comes next.
    pub instruction: u16,
    /// What its calls have returned so far; of a repeated call, the items and the last.
    pub results: Vec<Outcome>,
    /// Milliseconds until its call's deadline, where time is patient and the call has one.
    pub remaining_ms: Option<u64>,
    /// The item that it feeds or reads.
    pub item: Option<ItemId>,
    /// Bytes moved so far in the current transfer.
    pub moved: u32,
    /// Whether it is inside a write call that has moved some of its bytes and goes on.
    pub in_call: bool,
    /// Where what it reads is no frame any more, since another's bytes came into it or a header was
    /// lost (`WF5`): what has been read of the header as a number, then the length that it says.
    pub garbled: Option<u32>,
    /// What its call will end with once the locks are given back.
    pub failure: Option<Outcome>,
    /// Whether it leaves its process, and with what it is busy then.
    pub leaving: Option<Leaving>,
    /// The code that its process will exit with.
    pub exit_code: u8,
    /// Whether its call has been seen to wait past its deadline (`Q9`).
    pub overdue: bool,
    /// How many sleepers it has woken that have not said so (`K2`).
    pub sleepers: u8,
}

clone_by_field!(LaneState {
    point,
    instruction,
    results,
    remaining_ms,
    item,
    moved,
    in_call,
    garbled,
    failure,
    leaving,
    exit_code,
    overdue,
    sleepers
});

/// What a leaving lane is busy with (`LC1`), in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaving {
    /// Waiting for the n-th further thread.
    Thread(u8),
    /// Telling the feeder of the n-th used queue, last first, to end.
    Close(u8),
    /// Ending the n-th child, if it is a daemon.
    Terminate(u8),
    /// Waiting for the n-th child.
    Child(u8),
    /// Waiting for the feeder of the n-th used queue, last first.
    Join(u8),
    /// Nothing is left but to exit.
    Exit,
}

/// One process.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Where it is in its life.
    pub state: ProcessState,
    /// What SIGTERM does to it.
    pub handler: TerminateHandler,
    /// Its children that have not been joined, in order of start.
    pub children: Vec<ProcessId>,
    /// Its further threads, in order of start.
    pub threads: Vec<LaneId>,
    /// The queues whose feeder it has started, in order of start.
    pub feeders: Vec<QueueId>,
}

impl Process {
    /// Somebody sends it a signal. Where it does not handle it, it will die of it (`LC5`).
    pub(super) fn signal(&mut self, signal: Signal) {
        if !self.handler.catches(signal) {
            // To one that never started nobody can send anything.
            let _ = self.state.signal(signal);
        }
    }
}

clone_by_field!(Process { state, handler, children, threads, feeders });

/// What the processes share of one queue.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shared {
    /// Free slots.
    pub slots: Semaphore,
    /// The read lock and who took it; the operating system knows no owner.
    pub read_lock: Lock,
    /// The write lock.
    pub write_lock: Lock,
    /// The pipe's page slots and its counted ends.
    pub pipe: Pipe,
    /// What stands in the pipe, as runs of frames.
    pub content: VecDeque<Run>,
    /// The counter of a joinable queue.
    pub tasks: Option<Tasks>,
}

clone_by_field!(Shared { slots, read_lock, write_lock, pipe, content, tasks });

/// A lock made of a semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lock {
    /// 1 is free, 0 is taken; nobody gives it back for the dead.
    pub semaphore: Semaphore,
    /// Who took it, for those who read the state; no step depends on it.
    pub holder: Option<LaneId>,
}

impl Lock {
    pub(super) fn free() -> Self {
        Self { semaphore: Semaphore::new(1, 1), holder: None }
    }

    /// Takes it, and notes who did; whether it was free.
    pub(super) fn take(&mut self, lane: LaneId) -> bool {
        let taken = self.semaphore.try_wait();
        if taken {
            self.holder = Some(lane);
        }
        taken
    }

    /// Gives it back; whether it was taken (`SL2`).
    pub(super) fn give_back(&mut self) -> bool {
        self.holder = None;
        self.semaphore.post().is_ok()
    }
}

/// A stretch of one frame in the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The frame's item.
    pub item: ItemId,
    /// The first byte of the frame that it holds; the header is bytes 0 to 3.
    pub from: u32,
    /// The byte after its last.
    pub to: u32,
}

/// What one process has of one queue (`Q3`).
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Local {
    /// Items that were put and not yet fed.
    pub buffer: VecDeque<Entry>,
    /// Who has the lock of the local condition `notempty`.
    pub locked_by: Option<LaneId>,
    /// Whether the feeder sleeps in the condition.
    pub sleeping: bool,
    /// Whether the sleeping feeder has been told to wake.
    pub notified: bool,
    /// Whether `close` was called.
    pub closed: bool,
    /// Whether `cancel_join_thread` was called.
    pub join_cancelled: bool,
    /// The feeder was started.
    pub feeder_started: bool,
    /// The finalizer that tells the feeder to end has still to run (`Q5`).
    pub close_pending: bool,
    /// The finalizer that waits for the feeder has still to run (`Q5`).
    pub join_pending: bool,
    /// This process's reading end is open.
    pub reader_open: bool,
    /// This process's writing end is open.
    pub writer_open: bool,
}

clone_by_field!(Local {
    buffer,
    locked_by,
    sleeping,
    notified,
    closed,
    join_cancelled,
    feeder_started,
    close_pending,
    join_pending,
    reader_open,
    writer_open
});

/// What stands in a local buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// An item.
    Item(ItemId),
    /// The feeder ends here.
    Sentinel,
}

impl Local {
    /// As if the process had never been, in the memory that there is.
    pub(super) fn forget(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        *self = Self { buffer, ..Self::default() };
    }
}

impl LaneState {
    fn new() -> Self {
        Self {
            point: Point::NotStarted,
            instruction: 0,
            results: Vec::new(),
            remaining_ms: None,
            item: None,
            moved: 0,
            in_call: false,
            garbled: None,
            failure: None,
            leaving: None,
            exit_code: 0,
            overdue: false,
            sleepers: 0,
        }
    }

    /// Forgets all but the results, so that states that differ in nothing that matters are one.
    pub(super) fn end(&mut self) {
        let results = std::mem::take(&mut self.results);
        *self = Self { point: Point::Ended, results, ..Self::new() };
    }
}

impl State {
    /// The state before anything has happened: no lane has begun.
    pub(super) fn new(program: &Program, lanes: usize, environment: &Environment) -> Self {
        let queues = program.queues.iter().map(|parameters| {
            let slots = match parameters.maxsize {
                0 => SLOTS_UNBOUNDED,
                maxsize => maxsize,
            };
            Shared {
                slots: Semaphore::new(slots, slots),
                read_lock: Lock::free(),
                write_lock: Lock::free(),
                pipe: Pipe::new(parameters.pipe_slots),
                content: VecDeque::new(),
                tasks: (parameters.kind == QueueKind::Joinable).then(Tasks::new),
            }
        });
        let process = Process {
            state: ProcessState::NotStarted,
            handler: TerminateHandler::Absent,
            children: Vec::new(),
            threads: Vec::new(),
            feeders: Vec::new(),
        };
        Self {
            lanes: vec![LaneState::new(); lanes],
            processes: vec![process; program.processes.len()],
            queues: queues.collect(),
            locals: vec![Local::default(); program.processes.len() * program.queues.len()],
            kills_left: environment.kills,
            faults_left: environment.faults,
        }
    }

    /// What a process has of a queue.
    pub fn local(&self, process: ProcessId, queue: QueueId) -> &Local {
        &self.locals[usize::from(process.0) * self.queues.len() + usize::from(queue.0)]
    }

    pub(super) fn local_mut(&mut self, process: ProcessId, queue: QueueId) -> &mut Local {
        &mut self.locals[usize::from(process.0) * self.queues.len() + usize::from(queue.0)]
    }

    /// Where the lane of an action stands; of a death, which has no lane, [`Point::Ended`].
    pub fn point_of(&self, action: &Action) -> Point {
        match *action {
            Action::Step { lane }
            | Action::Short { lane, .. }
            | Action::Interrupt { lane }
            | Action::Expire { lane }
            | Action::Overdue { lane } => self.lane(lane).point,
            Action::Kill { .. } | Action::Die { .. } => Point::Ended,
        }
    }

    /// One lane.
    pub fn lane(&self, lane: LaneId) -> &LaneState {
        &self.lanes[usize::from(lane.0)]
    }

    pub(super) fn lane_mut(&mut self, lane: LaneId) -> &mut LaneState {
        &mut self.lanes[usize::from(lane.0)]
    }

    /// One process.
    pub fn process(&self, process: ProcessId) -> &Process {
        &self.processes[usize::from(process.0)]
    }

    pub(super) fn process_mut(&mut self, process: ProcessId) -> &mut Process {
        &mut self.processes[usize::from(process.0)]
    }

    /// What the processes share of a queue.
    pub fn queue(&self, queue: QueueId) -> &Shared {
        &self.queues[usize::from(queue.0)]
    }

    pub(super) fn queue_mut(&mut self, queue: QueueId) -> &mut Shared {
        &mut self.queues[usize::from(queue.0)]
    }

    /// Opens both ends of every queue's pipe in a process.
    pub(super) fn open_ends(&mut self, process: ProcessId) {
        for queue in 0..self.queues.len() {
            let queue = QueueId(u8::try_from(queue).unwrap_or(u8::MAX));
            self.queue_mut(queue).pipe.open_reader();
            self.queue_mut(queue).pipe.open_writer();
            let local = self.local_mut(process, queue);
            local.reader_open = true;
            local.writer_open = true;
        }
    }

    pub(super) fn close_reader(&mut self, process: ProcessId, queue: QueueId) {
        if std::mem::take(&mut self.local_mut(process, queue).reader_open) {
            self.queue_mut(queue).pipe.close_reader();
        }
    }

    pub(super) fn close_writer(&mut self, process: ProcessId, queue: QueueId) {
        if std::mem::take(&mut self.local_mut(process, queue).writer_open) {
            self.queue_mut(queue).pipe.close_writer();
        }
    }
}

impl Shared {
    /// Appends a stretch of a frame, joined to the last run where it goes on.
    pub(super) fn append(&mut self, item: ItemId, from: u32, bytes: u32) {
        match self.content.back_mut() {
            Some(run) if run.item == item && run.to == from => run.to += bytes,
            _ => self.content.push_back(Run { item, from, to: from + bytes }),
        }
    }

    /// Whether the next so many bytes are those of this item's frame from this byte on.
    pub(super) fn goes_on(&self, item: Option<ItemId>, from: u32, bytes: u32) -> bool {
        self.content
            .front()
            .is_some_and(|run| Some(run.item) == item && run.from == from && run.to >= from + bytes)
    }

    /// The next so many bytes: of which item's frame, and which of it.
    pub(super) fn bytes(&self, bytes: u32) -> impl Iterator<Item = (ItemId, u32)> + '_ {
        let all = self.content.iter().flat_map(|run| (run.from..run.to).map(|at| (run.item, at)));
        all.take(bytes as usize)
    }

    /// Takes so many bytes from the front; the caller has asked the pipe that they are there.
    pub(super) fn take(&mut self, mut bytes: u32) {
        while bytes > 0 {
            let Some(run) = self.content.front_mut() else { return };
            let taken = bytes.min(run.to - run.from);
            run.from += taken;
            bytes -= taken;
            if run.from == run.to {
                self.content.pop_front();
            }
        }
    }
}
