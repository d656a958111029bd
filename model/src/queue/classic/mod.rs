//! CPython's `multiprocessing.Queue`, step by step, hazards included.
//!
//! [`Classic`] is the machine of a whole program: every lane of every process, the queues between
//! them, and the processes' lives. One action is one step of one lane (a program point of
//! [`Point`]), the expiry of a wait, or something that the environment does: a kill, an
//! interruption, a short transfer.
//!
//! ```
//! use midput_model::machine::Machine;
//! use midput_model::program::*;
//! use midput_model::queue::classic::{Classic, Environment};
//!
//! let queue = QueueId(0);
//! let put = Operation::Put { queue, item: ItemId(0), timeout: Timeout::Never };
//! let program = Program {
//!     queues: vec![QueueParameters { name: "jobs".into(), kind: QueueKind::Queue, maxsize: 1, pipe_slots: 16 }],
//!     items: vec![Item { name: "a".into(), bytes: 16, producer: ProcessId(0), queue }],
//!     processes: vec![ProcessProgram {
//!         daemon: false,
//!         leaves_on_terminate: false,
//!         name: "P0".into(),
//!         lanes: vec![LaneProgram { name: "main".into(), instructions: vec![put.into()] }],
//!     }],
//! };
//! let machine = Classic::new(program, Environment::default());
//! let mut state = machine.initial();
//! let mut enabled = Vec::new();
//! machine.enabled(&state, &mut enabled);
//! let observation = machine.apply(&mut state, &enabled[0]).unwrap();
//! assert_eq!(observation.step, "put");
//! ```

use arrayvec::ArrayVec;

use crate::contract::Historic;
use crate::event::{Blocked, End, Event};
use crate::machine::{Machine, Refused};
use crate::mutant::{Change, Mutant};
use crate::os::process::ProcessState;
use crate::program::{
    Instruction, Lane, LaneId, LaneRole, ProcessId, Program, QueueId, QueueKind, Signal, Timeout,
};
use crate::step::StepResult;

pub use covered::Covered;
pub use ending::{Ending, LaneEnding, Objects};
pub use from::From;
pub use honest_end::honest_end;
pub use point::Point;
pub use ready::Ready;
pub use state::{Entry, LaneState, Leaving, Local, Lock, Process, Run, Shared, State};
pub use tasks::Tasks;
pub use waits::{Waits, why_stuck};

mod covered;
mod ending;
mod from;
mod honest_end;
mod mutant;
mod need;
mod point;
mod process;
mod queue;
mod ready;
mod simple;
mod state;
mod tasks;
mod transfer;
mod waits;

/// The header of a frame up to 2 GiB, in bytes (`WF1`).
pub const HEADER_BYTES: u32 = 4;
/// Frames up to this payload are one write; above it header and payload are two (`WF2`).
pub const ONE_WRITE_MAX: u32 = 16384;

/// How time passes in the model, which has no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Time {
    /// A wait expires only when nothing else can happen, deadlines in their order.
    #[default]
    Patient,
    /// A wait may expire from the moment that it blocks.
    Any,
}

/// What the environment may do to the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// How time passes.
    pub time: Time,
    /// How many kills may happen, in all.
    pub kills: u8,
    /// How many other faults may happen, in all: transfers that move only one byte, and blocked
    /// calls that a signal handler interrupts.
    pub faults: u8,
    /// Which processes may be killed.
    pub victims: Vec<ProcessId>,
    /// By which signals; none means SIGKILL.
    pub signals: Vec<Signal>,
    /// Whether a call may be seen to wait past its deadline ([`Action::Overdue`], only with
    /// [`Time::Any`]).
    pub overdue: bool,
}

/// One thing that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A lane does its next step.
    Step {
        /// Which lane.
        lane: LaneId,
    },
    /// A lane's next step moves only so many bytes and its call returns short.
    Short {
        /// Which lane.
        lane: LaneId,
        /// So many.
        bytes: u32,
    },
    /// A signal handler interrupts the lane's blocked call, which is then made again.
    Interrupt {
        /// Which lane.
        lane: LaneId,
    },
    /// The lane's wait reaches its deadline.
    Expire {
        /// Which lane.
        lane: LaneId,
    },
    /// The lane is seen to wait past its call's deadline in a step that has none.
    Overdue {
        /// Which lane.
        lane: LaneId,
    },
    /// A process is killed from outside, here and now.
    Kill {
        /// Which process.
        process: ProcessId,
        /// By which signal.
        signal: Signal,
    },
    /// A process that was sent a signal dies of it.
    Die {
        /// Which process.
        process: ProcessId,
    },
}

/// What somebody who watches an action sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The lane that did a step, if it was one.
    pub lane: Option<LaneId>,
    /// The step's name, or `kill`, `die`, `overdue`.
    pub step: &'static str,
    /// What the operating system answered.
    pub result: StepResult,
    /// What it adds to the history.
    pub events: ArrayVec<Event, 4>,
}

/// The events of one action while it is carried out.
type Events = ArrayVec<Event, 4>;

/// What a lane does, found without going through its process.
#[derive(Clone, Debug)]
struct Plan {
    process: ProcessId,
    role: LaneRole,
    /// The lanes of its process, one bit for each.
    process_lanes: u64,
    /// Nothing for a feeder.
    instructions: Vec<Planned>,
}

/// One instruction, with what its steps ask of it.
#[derive(Clone, Debug)]
struct Planned {
    instruction: Instruction,
    /// The queue that it is about; the first where it is about none.
    queue: QueueId,
    timeout: Timeout,
}

impl Plan {
    fn of(program: &Program, lanes: &[Lane], lane: &Lane) -> Self {
        let instructions = match lane.role {
            LaneRole::Program(index) => {
                let process = &program.processes[usize::from(lane.process.0)];
                &process.lanes[usize::from(index)].instructions[..]
            }
            LaneRole::Feeder(_) => &[],
        };
        let planned = instructions.iter().map(|instruction| Planned {
            instruction: instruction.clone(),
            queue: instruction.operation.queue().unwrap_or(QueueId(0)),
            timeout: instruction.operation.timeout(),
        });
        let process_lanes = (0..).zip(lanes).filter(|(_, other)| other.process == lane.process);
        Self {
            process: lane.process,
            role: lane.role,
            process_lanes: process_lanes.fold(0, |bits, (index, _)| bits | 1 << index),
            instructions: planned.collect(),
        }
    }
}

/// The machine of a program of classic queues.
#[derive(Clone, Debug)]
pub struct Classic {
    program: Program,
    lanes: Vec<Lane>,
    /// For each lane, what its steps ask again and again.
    plans: Vec<Plan>,
    environment: Environment,
    mutant: Option<Mutant>,
}

impl Classic {
    /// The machine of `program` in `environment`.
    pub fn new(program: Program, environment: Environment) -> Self {
        let lanes = program.lanes();
        let plans = lanes.iter().map(|lane| Plan::of(&program, &lanes, lane)).collect();
        Self { plans, lanes, program, environment, mutant: None }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Every lane, by its id.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// How the run stands: the lanes that have begun, have not ended and cannot step.
    pub fn end(&self, state: &State) -> End {
        let blocked = self.lane_ids().filter(|&lane| {
            let point = state.lane(lane).point;
            !matches!(point, Point::NotStarted | Point::Ended) && !self.is_idle_feeder(state, lane)
        });
        let blocked = blocked.map(|lane| Blocked {
            lane,
            step: state.lane(lane).point.step().to_owned(),
            offset: state.lane(lane).moved,
            leaving: state.lane(lane).leaving.is_some(),
        });
        End { blocked: blocked.collect() }
    }

    /// Whether a lane is a feeder that sleeps because it has nothing to do: it waits for nobody
    /// in particular and ends with its process.
    fn is_idle_feeder(&self, state: &State, lane: LaneId) -> bool {
        state.lane(lane).point == Point::FeedWake
            && matches!(self.role(lane), LaneRole::Feeder(queue)
                if !state.local(self.process_of(lane), queue).notified)
    }

    /// Every lane's id, in order.
    fn lane_ids(&self) -> impl Iterator<Item = LaneId> + Clone + use<> {
        (0..lane_number(self.lanes.len())).map(LaneId)
    }

    fn role(&self, lane: LaneId) -> LaneRole {
        self.plans[usize::from(lane.0)].role
    }

    fn process_of(&self, lane: LaneId) -> ProcessId {
        self.plans[usize::from(lane.0)].process
    }

    /// The queue that a lane's next step is about; the first where it is about none.
    pub fn queue_at(&self, state: &State, lane: LaneId) -> QueueId {
        self.queue_of(state, lane)
    }

    /// Which of CPython's queues a queue is.
    fn kind(&self, queue: QueueId) -> QueueKind {
        self.program.queues.get(usize::from(queue.0)).map_or(QueueKind::Queue, |it| it.kind)
    }

    /// The lanes of a lane's process, itself among them, one bit for each.
    fn lanes_beside(&self, lane: LaneId) -> u64 {
        self.plans[usize::from(lane.0)].process_lanes
    }

    /// The instruction that a lane is in, unless it is leaving or is a feeder.
    #[inline]
    fn planned(&self, state: &State, lane: LaneId) -> Option<&Planned> {
        let current = state.lane(lane);
        let instructions = &self.plans[usize::from(lane.0)].instructions;
        match current.leaving {
            None => instructions.get(usize::from(current.instruction)),
            Some(_) => None,
        }
    }

    /// The queue that a lane's next step is about.
    #[inline]
    fn queue_of(&self, state: &State, lane: LaneId) -> QueueId {
        match self.role(lane) {
            LaneRole::Feeder(queue) => queue,
            LaneRole::Program(_) => match self.planned(state, lane) {
                Some(planned) => planned.queue,
                None => self.leaving_queue(state, lane),
            },
        }
    }
}

/// A lane's position as the number in its id. A program has at most 64 lanes.
fn lane_number(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}

impl Machine for Classic {
    type State = State;
    type Action = Action;
    type Observation = Observation;

    fn initial(&self) -> State {
        let mut state = State::new(&self.program, self.lanes.len(), &self.environment);
        state.processes[0].state = ProcessState::Running;
        state.open_ends(ProcessId(0));
        // The first call of P0.main is part of the initial state; see `first_events`.
        self.begin_process(&mut state, ProcessId(0), &mut Events::new());
        state
    }

    fn enabled(&self, state: &State, out: &mut Vec<Action>) {
        let before = out.len();
        for lane in self.lane_ids() {
            if self.can_step(state, lane) {
                out.push(Action::Step { lane });
            }
        }
        for (process, entry) in (0u8..).zip(&state.processes) {
            if matches!(entry.state, ProcessState::Dying(_)) {
                out.push(Action::Die { process: ProcessId(process) });
            }
        }
        match self.environment.time {
            Time::Any => self.all_expiries(state, out),
            Time::Patient if out.len() == before => self.next_expiry(state, out),
            Time::Patient => {}
        }
    }

    fn disturbances(&self, state: &State, out: &mut Vec<Action>) {
        if self.environment.overdue {
            self.overdue_calls(state, out);
        }
        if state.faults_left > 0 {
            self.faults(state, out);
        }
        if state.kills_left == 0 {
            return;
        }
        for &process in &self.environment.victims {
            if state.process(process).state.is_alive() {
                if self.environment.signals.is_empty() {
                    out.push(Action::Kill { process, signal: Signal::Kill });
                }
                for &signal in &self.environment.signals {
                    out.push(Action::Kill { process, signal });
                }
            }
        }
    }

    fn apply(&self, state: &mut State, action: &Action) -> Result<Observation, Refused> {
        let mut events = Events::new();
        let lane = match *action {
            Action::Step { lane }
            | Action::Short { lane, .. }
            | Action::Interrupt { lane }
            | Action::Expire { lane } => Some(lane),
            Action::Overdue { .. } | Action::Kill { .. } | Action::Die { .. } => None,
        };
        let step = match action {
            Action::Overdue { .. } => "overdue",
            Action::Kill { .. } => "kill",
            Action::Die { .. } => "die",
            _ => state.point_of(action).step(),
        };
        let result = self.act(state, action, &mut events)?;
        Ok(Observation { lane, step, result, events })
    }
}

impl Historic for Classic {
    fn program(&self) -> &Program {
        &self.program
    }

    fn first_events(&self) -> Vec<Event> {
        Classic::first_events(self).to_vec()
    }

    fn events(observation: &Observation) -> &[Event] {
        &observation.events
    }

    fn end(&self, state: &State) -> End {
        Classic::end(self, state)
    }
}

impl Classic {
    /// What the history holds before the first action: the first call of `P0.main`.
    pub fn first_events(&self) -> ArrayVec<Event, 4> {
        let mut state = State::new(&self.program, self.lanes.len(), &self.environment);
        let mut events = Events::new();
        self.begin_process(&mut state, ProcessId(0), &mut events);
        events
    }

    /// Carries out one action, adds its events to the history, and returns what the operating
    /// system answers: [`Machine::apply`], for those who know the action and keep the events.
    ///
    /// # Errors
    /// [`Refused`] where the action is not enabled.
    pub fn act(
        &self,
        state: &mut State,
        action: &Action,
        events: &mut ArrayVec<Event, 4>,
    ) -> Result<StepResult, Refused> {
        match *action {
            Action::Step { lane } => self.step_enabled(state, lane, None, events),
            Action::Short { lane, bytes } => {
                let result = self.step_enabled(state, lane, Some(bytes), events)?;
                state.faults_left = state.faults_left.saturating_sub(1);
                Ok(result)
            }
            Action::Interrupt { lane } => {
                let result = self.interrupt(state, lane)?;
                state.faults_left = state.faults_left.saturating_sub(1);
                Ok(result)
            }
            Action::Expire { lane } => self.expire(state, lane, events),
            Action::Overdue { lane } => {
                state.lane_mut(lane).overdue = true;
                events.push(Event::Overdue { lane });
                Ok(StepResult::Done)
            }
            Action::Kill { process, signal } => {
                self.kill(state, process, signal, events)?;
                Ok(StepResult::Done)
            }
            Action::Die { process } => {
                self.die(state, process, events)?;
                Ok(StepResult::Done)
            }
        }
    }

    /// The lane does its next step, where it can.
    fn step_enabled(
        &self,
        state: &mut State,
        lane: LaneId,
        limit: Option<u32>,
        events: &mut Events,
    ) -> Result<StepResult, Refused> {
        if !self.can_step(state, lane) {
            return Err(self.refused(lane, state.lane(lane).point, "its step is not enabled"));
        }
        self.step_ready(state, lane, limit, events)
    }

    /// A lane does its next step, of which [`Ready`] says that it can be done now: nobody asks
    /// again. A transfer moves at most `limit` bytes, and its call returns short then.
    ///
    /// # Errors
    /// [`Refused`] where nothing is there to read, or these bytes are no header.
    #[inline]
    pub fn step_ready(
        &self,
        state: &mut State,
        lane: LaneId,
        limit: Option<u32>,
        events: &mut ArrayVec<Event, 4>,
    ) -> Result<StepResult, Refused> {
        debug_assert!(self.can_step(state, lane), "lane {} cannot step", lane.0);
        if self.mutant.is_some() && self.alters(state.lane(lane).point, Change::Skip) {
            return self.step_skipped(state, lane, events);
        }
        self.step_point(state, lane, limit, events)
    }

    /// The step of each point.
    fn step_point(
        &self,
        state: &mut State,
        lane: LaneId,
        limit: Option<u32>,
        events: &mut Events,
    ) -> Result<StepResult, Refused> {
        Ok(match state.lane(lane).point {
            Point::GetHeader | Point::GetBody => {
                let result = self.step_read(state, lane, limit)?;
                self.finish_message(state, lane, events);
                result
            }
            Point::SendWriteFrame | Point::SendWriteHeader | Point::SendWriteBody => {
                let result = self.step_write(state, lane, limit);
                self.finish_message(state, lane, events);
                result
            }
            Point::Put
            | Point::PutAcquire
            | Point::PutLock
            | Point::PutStart
            | Point::PutAppend
            | Point::PutNotify
            | Point::PutUnlock
            | Point::PutTasksLock
            | Point::PutCount
            | Point::PutTasksUnlock => self.step_put(state, lane, events),
            Point::Get
            | Point::GetAcquire
            | Point::GetPoll
            | Point::GetReleaseLock
            | Point::GetReleaseSlot
            | Point::GetDecode => self.step_get(state, lane, events),
            Point::SendEncode | Point::SendAcquire | Point::SendRelease
                if matches!(self.role(lane), LaneRole::Program(_)) =>
            {
                self.step_simple_put(state, lane, events)
            }
            Point::FeedLock
            | Point::FeedWait
            | Point::FeedWake
            | Point::FeedUnlock
            | Point::FeedPop
            | Point::FeedCloseReader
            | Point::FeedCloseWriter
            | Point::SendEncode
            | Point::SendAcquire
            | Point::SendRelease
            | Point::FeedGiveBack => self.step_feeder(state, lane),
            Point::SentinelLock
            | Point::SentinelAppend
            | Point::SentinelNotify
            | Point::SentinelUnlock
            | Point::FeederJoin => self.step_finalizer(state, lane, events),
            Point::Leave
            | Point::LeaveThreadJoin
            | Point::LeaveChildTerminate
            | Point::LeaveChildJoin
            | Point::Exit
            | Point::AwaitDeath
            | Point::TerminateHandle
            | Point::TerminateCheck
            | Point::ProcessStart
            | Point::ProcessJoin
            | Point::ProcessPoll
            | Point::ProcessTerminate
            | Point::ProcessKill
            | Point::ThreadStart => self.step_process(state, lane, events),
            _ => self.step_other(state, lane, events),
        })
    }

    /// The step of a small call, or of what only some queues have.
    fn step_other(&self, state: &mut State, lane: LaneId, events: &mut Events) -> StepResult {
        match state.lane(lane).point {
            Point::SimpleCloseReader | Point::SimpleCloseWriter => {
                self.step_simple_close(state, lane, events)
            }
            Point::ReadValue
            | Point::LookInPipe
            | Point::Close
            | Point::JoinThread
            | Point::CancelJoinThread
            | Point::CloseReader
            | Point::CloseWriter
            | Point::ForceReadLock
            | Point::ForceWriteLock
            | Point::NotStarted
            | Point::Ended => self.step_small_call(state, lane, events),
            _ => self.step_tasks(state, lane, events),
        }
    }

    /// Interrupts a blocked call: nothing changes but that the call is made anew (`PEP 475`).
    fn interrupt(&self, state: &mut State, lane: LaneId) -> Result<StepResult, Refused> {
        let point = state.lane(lane).point;
        let waiting = state.lane_mut(lane);
        if matches!(point, Point::NotStarted | Point::Ended) {
            return Err(self.refused(lane, point, "there is nothing to interrupt"));
        }
        // A write that has moved some bytes returns them; the rest is a new call (`WF2`).
        let result = if waiting.in_call { StepResult::Moved(0) } else { StepResult::Interrupted };
        waiting.in_call = false;
        Ok(result)
    }

    #[cold]
    fn refused(&self, lane: LaneId, point: Point, why: &str) -> Refused {
        let name = &self.lanes[usize::from(lane.0)].name;
        Refused(format!("{name} stands at {}: {why}", point.step()))
    }
}

#[cfg(test)]
mod tests;
