//! The simulated kernel: the objects of `midput_model::os`, lanes that stand at their next step,
//! and what each step does. Plain data; it decides nothing.
//!
//! One kernel lives in each thread that runs simulations. [`SimulatedOs`] is a name for it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use midput_model::event::Event;
use midput_model::mutant::{Change, Mutant};
use midput_model::os::pipe::Pipe;
use midput_model::os::process::{ProcessState, TerminateHandler};
use midput_model::os::semaphore::Semaphore;
use midput_model::os::stream::Side;
use midput_model::program::{Exit, LaneId, ProcessId, Signal};
use midput_model::step::StepResult;
use midput_real::os::{Site, Wait};

use able::{Able, Kinds};
pub(crate) use footprint::{BUDGET_OF_FAULTS, BUDGET_OF_KILLS, Memory, lane_bits};
pub use footprint::{Bits, Cells, Footprint};
pub use layout::Layout;
use objects::count;
pub(crate) use os::set_launch;
pub use os::{SimulatedOs, take_spawned, with_kernel};
pub(crate) use socket::AwaitedName;
pub use socket::KernelStream;

mod able;
mod death;
mod footprint;
mod history;
mod layout;
mod listener;
mod objects;
mod os;
mod socket;

/// The body of a lane.
pub type LaneFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Everything that a step can wait for or do. Those of the second half never wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    SemaphoreWait {
        semaphore: usize,
        wait: Wait,
    },
    Read {
        descriptor: usize,
    },
    Write {
        descriptor: usize,
        bytes: u32,
        in_call: bool,
    },
    Poll {
        descriptor: usize,
        wait: Wait,
    },
    /// For what the lane's [`awaited`](KernelLane::awaited) names.
    WaitAny {
        wait: Wait,
    },
    MonitorLock {
        monitor: usize,
    },
    MonitorWake {
        monitor: usize,
    },
    ThreadJoin {
        lane: LaneId,
    },
    ProcessWait {
        process: ProcessId,
        wait: Wait,
    },
    AwaitDeath {
        process: ProcessId,
        /// Whether it also goes on where its own process is asked to leave.
        or_asked: bool,
    },
    Accept {
        descriptor: usize,
    },
    Send {
        descriptor: usize,
        bytes: u32,
        wait: Wait,
    },

    /// A named local point.
    Point,
    SemaphorePost {
        semaphore: usize,
    },
    SemaphoreValue {
        semaphore: usize,
    },
    Close {
        descriptor: usize,
    },
    Connect,
    MonitorUnlock {
        monitor: usize,
    },
    MonitorSleep {
        monitor: usize,
    },
    MonitorNotify {
        monitor: usize,
    },
    ThreadStart,
    ProcessStart,
    ProcessSignal {
        process: ProcessId,
    },
    TerminateHandle,
    TerminateCheck,
    ProcessExit,
}

/// A step that a lane stands at.
#[derive(Clone, Copy, Debug)]
pub struct Parked {
    pub(crate) request: Request,
    /// What it waits for and changes.
    pub(crate) kinds: Kinds,
    /// The step's name and how many bytes its transfer has moved.
    pub site: Site,
    /// The n-th time that the lane comes to a step of this name, from 1.
    pub occurrence: u32,
    /// How the run's mutant alters the step.
    pub(crate) change: Option<Change>,
}

/// How the host lets a lane do its step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// As the objects allow.
    #[default]
    Plain,
    /// Moving at most so many bytes; the call stays in its advance where it would.
    Limited(u32),
    /// Moving at most so many bytes; the call returns short.
    Short(u32),
    /// A signal interrupts the blocked call.
    Interrupted,
    /// The deadline of the wait has come.
    Expired,
}

/// One step that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// By which lane.
    pub lane: LaneId,
    /// The step's name and the offset before it.
    pub site: Site,
    /// The n-th time of this name.
    pub occurrence: u32,
    /// What the kernel answered.
    pub result: StepResult,
    /// For a transfer: the bytes of the whole of it.
    pub total: u32,
}

/// A lane, as the kernel sees it.
#[derive(Debug)]
pub(crate) struct KernelLane {
    pub name: String,
    pub process: ProcessId,
    pub begun: bool,
    pub ended: bool,
    /// The step that it stands at; that which it is doing, while it runs.
    pub parked: Option<Parked>,
    /// What it waits for, where it waits for several things at once.
    pub awaited: Vec<AwaitedName>,
    /// How often it came to each step name, in this run.
    occurrences: Vec<Occurrences>,
    /// Where the latest step stands among them, if there is one, and where the one that is
    /// expected after it.
    latest: usize,
    expected: usize,
}

/// What is not known of [`Occurrences::next`].
const UNKNOWN: u32 = u32::MAX;

/// How often a lane has come to steps of one name.
#[derive(Clone, Copy, Debug)]
struct Occurrences {
    step: &'static str,
    count: u32,
    /// Where the step stands that came after this one the first time.
    next: u32,
}

/// A process, as the kernel sees it.
#[derive(Debug)]
pub(crate) struct KernelProcess {
    pub name: String,
    pub state: ProcessState,
    /// What SIGTERM does to it.
    pub handler: TerminateHandler,
    /// By descriptor number: which end it is, or closed.
    pub descriptors: Vec<Option<PipeEnd>>,
}

/// One end of a pipe or of a pair of sockets, or a socket that others connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PipeEnd {
    Reader(usize),
    Writer(usize),
    Socket(usize, Side),
    Listener(usize),
}

/// A semaphore with its role, and who took it last where it is a lock.
#[derive(Debug)]
pub struct KernelSemaphore {
    /// What the protocol calls it.
    pub role: &'static str,
    /// Value and maximum.
    pub semaphore: Semaphore,
    /// The lane that took it, while a lock is taken.
    pub holder: Option<LaneId>,
}

impl KernelSemaphore {
    /// Whether the protocol uses it as a lock: its role says so.
    pub fn is_lock(&self) -> bool {
        self.role.ends_with("lock")
    }
}

/// A pipe with its bytes.
#[derive(Debug)]
pub struct KernelPipe {
    /// The page slots and counted ends.
    pub pipe: Pipe,
    pub(crate) bytes: VecDeque<u8>,
}

/// A process-local lock with a condition.
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    pub locked_by: Option<LaneId>,
    /// Sleepers in their order, and whether each was notified.
    pub sleepers: VecDeque<(LaneId, bool)>,
}

/// The kernel of one simulation.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) clock: Duration,
    pub(crate) lanes: Vec<KernelLane>,
    pub(crate) processes: Vec<KernelProcess>,
    /// Every semaphore, in order of creation.
    pub semaphores: Vec<KernelSemaphore>,
    /// Every pipe, in order of creation.
    pub pipes: Vec<KernelPipe>,
    /// Every pair of sockets, in order of creation.
    pub streams: Vec<KernelStream>,
    pub(crate) listeners: Vec<listener::Listener>,
    /// How many random words were drawn.
    drawn: u64,
    pub(crate) monitors: Vec<Monitor>,
    /// The lane that does its step.
    pub(crate) current: LaneId,
    /// How it was let.
    pub(crate) granted: Grant,
    /// Whether anybody wants to know what the steps do.
    pub(crate) noting: bool,
    /// The step that was done last, where somebody does.
    pub(crate) last: Option<Record>,
    /// How many lanes the last step started, which its host has not taken over.
    pub(crate) started: u32,
    /// Calls, returns and deaths since the host looked last.
    pub(crate) events: Vec<Event>,
    /// How many calls, returns and leavings there were.
    pub(crate) told: u64,
    /// The processes that have begun to leave, one bit for each.
    pub(crate) left: u64,
    /// How this run's code is altered, if it is.
    pub(crate) mutant: Option<Mutant>,
    /// What the code after each step touches of its process's memory.
    pub(crate) memory: Memory,
    /// The processes that were sent a signal and are not dead yet, one bit for each.
    dying: u64,
    able: Able,
    /// What the run began with.
    layout: Option<Arc<Layout>>,
    /// What earlier runs had, for its memory: lanes of threads, bytes of pipes, monitors.
    spare_lanes: Vec<KernelLane>,
    spare_bytes: Vec<VecDeque<u8>>,
    spare_monitors: Vec<Monitor>,
}

impl Kernel {
    /// A kernel without a process.
    pub(crate) const fn new() -> Self {
        Self {
            clock: Duration::ZERO,
            lanes: Vec::new(),
            processes: Vec::new(),
            semaphores: Vec::new(),
            pipes: Vec::new(),
            streams: Vec::new(),
            listeners: Vec::new(),
            drawn: 0,
            monitors: Vec::new(),
            current: LaneId(0),
            granted: Grant::Plain,
            noting: false,
            last: None,
            started: 0,
            events: Vec::new(),
            told: 0,
            left: 0,
            mutant: None,
            memory: Memory::UNKNOWN,
            dying: 0,
            able: Able::NOBODY,
            layout: None,
            spare_lanes: Vec::new(),
            spare_bytes: Vec::new(),
            spare_monitors: Vec::new(),
        }
    }

    /// Empties the kernel for the next run, keeping its memory.
    pub(crate) fn reset(&mut self, layout: &Arc<Layout>) {
        self.clock = Duration::ZERO;
        self.semaphores.clear();
        self.spare_bytes.extend(self.pipes.drain(..).map(|pipe| pipe.bytes));
        self.streams.clear();
        self.listeners.clear();
        self.drawn = 0;
        self.spare_monitors.append(&mut self.monitors);
        self.last = None;
        self.told = 0;
        self.left = 0;
        self.dying = 0;
        self.able = Able::NOBODY;
        self.current = LaneId(0);
        self.events.clear();
        if self.layout.as_ref().is_some_and(|last| Arc::ptr_eq(last, layout)) {
            // Threads beyond the layout came last, and what they were made of is used again.
            while self.lanes.len() > layout.lanes.len() {
                self.spare_lanes.extend(self.lanes.pop());
            }
            for process in &mut self.processes {
                process.state = ProcessState::NotStarted;
                process.handler = TerminateHandler::Absent;
                process.descriptors.clear();
            }
            self.lanes.iter_mut().for_each(KernelLane::reset);
        } else {
            let process = |name: &String| KernelProcess {
                name: name.clone(),
                state: ProcessState::NotStarted,
                handler: TerminateHandler::Absent,
                descriptors: Vec::new(),
            };
            self.processes = layout.processes.iter().map(process).collect();
            let lane = |(name, process): &(String, _)| KernelLane::new(name.clone(), *process);
            self.lanes = layout.lanes.iter().map(lane).collect();
            self.layout = Some(Arc::clone(layout));
        }
        self.processes[0].state = ProcessState::Running;
    }

    /// One more pipe, with an open end of each kind.
    pub(crate) fn add_pipe(&mut self) -> usize {
        let slots = self.layout.as_ref().and_then(|it| it.pipe_slots.get(self.pipes.len()));
        let mut pipe = Pipe::new(slots.copied().unwrap_or(16));
        pipe.open_reader();
        pipe.open_writer();
        let mut bytes = self.spare_bytes.pop().unwrap_or_default();
        bytes.clear();
        self.pipes.push(KernelPipe { pipe, bytes });
        self.pipes.len() - 1
    }

    /// One more process-local lock, which is free.
    pub(crate) fn add_monitor(&mut self) -> usize {
        let mut monitor = self.spare_monitors.pop().unwrap_or_default();
        monitor.locked_by = None;
        monitor.sleepers.clear();
        self.monitors.push(monitor);
        self.monitors.len() - 1
    }

    /// The lanes' names, by id.
    pub fn lane_name(&self, lane: LaneId) -> &str {
        &self.lanes[usize::from(lane.0)].name
    }

    /// How many lanes there are, begun or not.
    pub fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    /// The process of a lane.
    pub fn process_of(&self, lane: LaneId) -> ProcessId {
        self.lanes[usize::from(lane.0)].process
    }

    /// A process's name.
    pub fn process_name(&self, process: ProcessId) -> &str {
        &self.processes[usize::from(process.0)].name
    }

    /// Where a process is in its life.
    pub fn process_state(&self, process: ProcessId) -> ProcessState {
        self.processes[usize::from(process.0)].state
    }

    /// How many processes there are, started or not.
    pub fn process_count(&self) -> usize {
        self.processes.len()
    }

    /// The step that a lane stands at, while it has begun and not ended.
    #[inline]
    pub fn parked(&self, lane: LaneId) -> Option<&Parked> {
        self.lanes[usize::from(lane.0)].parked.as_ref()
    }

    /// Whether the lane sleeps in a condition and was not notified: it waits for nobody in
    /// particular.
    pub fn is_idle(&self, lane: LaneId) -> bool {
        match self.parked(lane).map(|parked| parked.request) {
            Some(Request::MonitorWake { monitor }) => self.monitors[monitor]
                .sleepers
                .iter()
                .any(|&(sleeper, notified)| sleeper == lane && !notified),
            _ => false,
        }
    }

    /// The lane comes to a step.
    // As for the engine's turn: what lends the kernel is small enough to be inlined.
    #[inline(never)]
    pub(crate) fn park(&mut self, request: &Request, site: &Site) {
        // Lanes go in circles: most often the step is the one that came after the latest before.
        let lane = &mut self.lanes[usize::from(self.current.0)];
        if self.mutant.is_some() || !lane.expects(site.name) {
            return self.park_otherwise(request, site);
        }
        lane.latest = lane.expected;
        self.park_at(request, site, None);
    }

    /// The same for a step that is altered, or that was not expected.
    #[inline(never)]
    fn park_otherwise(&mut self, request: &Request, site: &Site) {
        let change = self.mutant.and_then(|mutant| mutant.alters(site.name));
        let request = change.map_or(*request, |change| altered(*request, change));
        let lane = &mut self.lanes[usize::from(self.current.0)];
        lane.latest = lane.find_or_add(site.name);
        self.park_at(&request, site, change);
    }

    #[inline(always)]
    fn park_at(&mut self, request: &Request, site: &Site, change: Option<Change>) {
        let lane = self.current;
        let kinds = self.comes_to(lane, request);
        let lane = &mut self.lanes[usize::from(lane.0)];
        let continues = site.offset > 0 || matches!(request, Request::Write { in_call: true, .. });
        let occurrence = lane.occurs(!continues);
        lane.parked = Some(Parked { request: *request, kinds, site: *site, occurrence, change });
    }

    /// How the step is altered that the current lane does.
    pub(crate) fn change(&self) -> Option<Change> {
        self.parked(self.current).and_then(|parked| parked.change)
    }

    /// Whether the step is left out that the current lane does.
    pub(crate) fn skips(&self) -> bool {
        self.mutant.is_some() && self.change() == Some(Change::Skip)
    }

    /// Notes what the step of the current lane did, where somebody wants to know.
    #[inline]
    pub(crate) fn note(&mut self, result: StepResult, total: u32) {
        if !self.noting {
            return;
        }
        let lane = self.current;
        let parked = &self.lanes[usize::from(lane.0)].parked;
        self.last = parked.as_ref().map(|&Parked { site, occurrence, .. }| Record {
            lane,
            site,
            occurrence,
            result,
            total,
        });
    }
}

impl Kernel {
    /// One more lane at the end, for a thread that the layout does not name.
    pub(crate) fn add_lane(&mut self, process: ProcessId, name: &str) -> usize {
        let mut lane =
            self.spare_lanes.pop().unwrap_or_else(|| KernelLane::new(String::new(), process));
        lane.reset();
        lane.process = process;
        let of_process = self.process_name(process);
        let named = lane.name.strip_prefix(of_process).and_then(|rest| rest.strip_prefix('.'));
        // Most often it is the lane that had this name in the last run.
        if named != Some(name) {
            lane.name.clear();
            lane.name.extend([of_process, ".", name]);
        }
        self.lanes.push(lane);
        self.lanes.len() - 1
    }
}

impl KernelLane {
    pub(crate) fn new(name: String, process: ProcessId) -> Self {
        Self {
            name,
            process,
            begun: false,
            ended: false,
            parked: None,
            awaited: Vec::new(),
            occurrences: Vec::new(),
            latest: usize::MAX,
            expected: 0,
        }
    }

    /// As it is before it has begun.
    fn reset(&mut self) {
        self.begun = false;
        self.ended = false;
        self.parked = None;
        // The names stay: most often it comes to the same steps again, in the same order.
        self.occurrences.iter_mut().for_each(|it| it.count = 0);
        self.latest = usize::MAX;
        self.expected = 0;
    }

    /// Whether a step is the one that came after the latest before.
    #[inline]
    fn expects(&self, step: &'static str) -> bool {
        self.occurrences.get(self.expected).is_some_and(|it| ptr::eq(it.step, step))
    }

    /// How often the lane has come to steps of the latest name, with this time where it counts.
    #[inline]
    fn occurs(&mut self, counts: bool) -> u32 {
        let Some(occurrences) = self.occurrences.get_mut(self.latest) else { return 0 };
        self.expected = occurrences.next as usize;
        occurrences.count += u32::from(counts);
        occurrences.count
    }

    /// Where steps of this name stand among the occurrences.
    #[cold]
    fn find_or_add(&mut self, step: &'static str) -> usize {
        // Where it stands tells one literal from another, unless there are two of the same text.
        let here = self.occurrences.iter().position(|it| ptr::eq(it.step, step));
        let found = || self.occurrences.iter().position(|it| it.step == step);
        let index = here.or_else(found).unwrap_or_else(|| {
            let index = self.occurrences.len();
            self.occurrences.push(Occurrences { step, count: 0, next: UNKNOWN });
            index
        });
        if let Some(latest) = self.occurrences.get_mut(self.latest)
            && latest.next == UNKNOWN
        {
            latest.next = count(index);
        }
        index
    }
}

/// What a step waits for that a mutant alters.
fn altered(request: Request, change: Change) -> Request {
    let wait_again = |wait| match (change, wait) {
        (Change::Forever, Wait::Until(_)) => Wait::Forever,
        (Change::Try, _) => Wait::Try,
        (_, wait) => wait,
    };
    match request {
        _ if change == Change::Skip => Request::Point,
        Request::SemaphoreWait { semaphore, wait } => {
            Request::SemaphoreWait { semaphore, wait: wait_again(wait) }
        }
        Request::Send { descriptor, bytes, wait } => {
            Request::Send { descriptor, bytes, wait: wait_again(wait) }
        }
        Request::Poll { descriptor, wait } => Request::Poll { descriptor, wait: wait_again(wait) },
        Request::WaitAny { wait } => Request::WaitAny { wait: wait_again(wait) },
        Request::ProcessWait { process, wait } => {
            Request::ProcessWait { process, wait: wait_again(wait) }
        }
        request => request,
    }
}

/// How a process ended, in the words of `midput_real`.
pub(crate) fn exit_of(exit: Exit) -> midput_real::os::Exit {
    match exit {
        Exit::Code(code) => midput_real::os::Exit::Code(i32::from(code)),
        Exit::Signal(signal) => midput_real::os::Exit::Signal(i32::from(signal.number())),
    }
}

/// A signal, in the words of the model.
pub(crate) fn signal_of(signal: midput_real::os::Signal) -> Signal {
    match signal {
        midput_real::os::Signal::Terminate => Signal::Terminate,
        midput_real::os::Signal::Kill => Signal::Kill,
    }
}
