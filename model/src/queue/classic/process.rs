//! The life of processes and lanes: instructions, start, join, signals, leaving, death.

use crate::event::Event;
use crate::machine::Refused;
use crate::os::process::TerminateHandler;
use crate::program::{
    Instruction, LaneId, LaneRole, Operation, Outcome, ProcessId, QueueId, QueueKind, QueueLock,
    Signal,
};
use crate::step::StepResult;

use super::point::Point;
use super::state::{Leaving, State};
use super::{Classic, Events};

impl Classic {
    /// The lane's instruction at an index.
    pub(super) fn instruction(&self, lane: LaneId, index: u16) -> Option<&Instruction> {
        let instructions = &self.plans[usize::from(lane.0)].instructions;
        instructions.get(usize::from(index)).map(|planned| &planned.instruction)
    }

    /// A process comes to its main lane's first step.
    pub(super) fn begin_process(&self, state: &mut State, process: ProcessId, events: &mut Events) {
        let main = self.program.lane_of(process, 0);
        if self.heeds_terminate(main) {
            state.lane_mut(main).point = Point::TerminateHandle;
        } else {
            self.begin(state, main, events);
        }
    }

    /// Whether a lane leaves its process where SIGTERM has asked for it: the handler runs in the
    /// main thread, between two operations (`LC5`).
    pub(super) fn heeds_terminate(&self, lane: LaneId) -> bool {
        let process = &self.program.processes[usize::from(self.process_of(lane).0)];
        process.leaves_on_terminate && self.role(lane) == LaneRole::Program(0)
    }

    /// Whether a lane was asked to leave its process and heeds it.
    pub(super) fn is_asked_to_leave(&self, state: &State, lane: LaneId) -> bool {
        state.process(self.process_of(lane)).handler.is_asked() && self.heeds_terminate(lane)
    }

    /// The lane comes to its next instruction, or has done them all.
    pub(super) fn begin(&self, state: &mut State, lane: LaneId, events: &mut Events) {
        let index = state.lane(lane).instruction;
        match self.instruction(lane, index) {
            Some(instruction) if instruction.after.is_some() => {
                state.lane_mut(lane).point = Point::AwaitDeath;
            }
            Some(_) => self.enter_unless_asked(state, lane, events),
            None if matches!(self.role(lane), LaneRole::Program(0)) => {
                self.begin_to_leave(state, lane, 0, events);
            }
            None => state.lane_mut(lane).end(),
        }
    }

    /// The lane calls its instruction's operation, after a look whether it is to leave.
    pub(super) fn enter_unless_asked(&self, state: &mut State, lane: LaneId, events: &mut Events) {
        if self.heeds_terminate(lane) {
            state.lane_mut(lane).point = Point::TerminateCheck;
        } else {
            self.enter(state, lane, events);
        }
    }

    /// The lane calls its instruction's operation.
    pub(super) fn enter(&self, state: &mut State, lane: LaneId, events: &mut Events) {
        let index = state.lane(lane).instruction;
        let Some(operation) = self.instruction(lane, index).map(|it| it.operation) else { return };
        events.push(Event::Call { lane, operation });
        let kind = operation.queue().map_or(QueueKind::Queue, |queue| self.kind(queue));
        let point = match operation {
            _ if kind == QueueKind::Simple => self.enter_simple(state, lane, operation),
            _ if kind == QueueKind::Pipe => self.enter_pipe(state, lane, operation),
            Operation::Put { .. } => Point::Put,
            Operation::Get { .. } => Point::Get,
            Operation::Size { .. } | Operation::Full { .. } => Point::ReadValue,
            Operation::Empty { .. } => Point::LookInPipe,
            Operation::Close { .. } => Point::Close,
            Operation::CloseReader { .. } => Point::CloseReader,
            Operation::CloseWriter { .. } => Point::CloseWriter,
            Operation::JoinThread { .. } => Point::JoinThread,
            Operation::CancelJoinThread { .. } => Point::CancelJoinThread,
            Operation::TaskDone { .. } => Point::DoneLock,
            Operation::JoinQueue { .. } => Point::JoinLock,
            Operation::ForceRelease { lock: QueueLock::Read, .. } => Point::ForceReadLock,
            Operation::ForceRelease { lock: QueueLock::Write, .. } => Point::ForceWriteLock,
            Operation::Start { .. } => Point::ProcessStart,
            Operation::Join { .. } => Point::ProcessJoin,
            Operation::IsAlive { .. } => Point::ProcessPoll,
            Operation::Signal { signal: Signal::Terminate, .. } => Point::ProcessTerminate,
            Operation::Signal { signal: Signal::Kill, .. } => Point::ProcessKill,
            Operation::Thread { .. } => Point::ThreadStart,
            Operation::Exit { code } => return self.begin_to_leave(state, lane, code, events),
            Operation::ExitNow { code } => {
                state.lane_mut(lane).exit_code = code;
                Point::Exit
            }
        };
        state.lane_mut(lane).point = point;
        if point == Point::ProcessJoin {
            self.start_deadline(state, lane);
        }
    }

    fn begin_to_leave(&self, state: &mut State, lane: LaneId, code: u8, events: &mut Events) {
        events.push(Event::Leave { process: self.process_of(lane) });
        let current = state.lane_mut(lane);
        current.exit_code = code;
        current.leaving = Some(Leaving::Thread(0));
        current.point = Point::Leave;
    }

    /// A step of a lane that concerns processes and threads.
    pub(super) fn step_process(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        let process = self.process_of(lane);
        match state.lane(lane).point {
            Point::AwaitDeath => self.enter_unless_asked(state, lane, events),
            Point::TerminateHandle => {
                state.process_mut(process).handler.install();
                self.begin(state, lane, events);
            }
            Point::TerminateCheck if self.is_asked_to_leave(state, lane) => {
                self.begin_to_leave(state, lane, 0, events);
                return StepResult::Ready;
            }
            Point::TerminateCheck => {
                self.enter(state, lane, events);
                return StepResult::Unavailable;
            }
            Point::ProcessStart => return self.start(state, lane, events),
            Point::ProcessJoin => return self.join(state, lane, events),
            Point::ProcessTerminate | Point::ProcessKill => self.signal(state, lane, events),
            Point::ThreadStart => {
                let operation = self.operation_of(state, lane);
                self.finish(state, lane, Outcome::Done, events);
                if let Some(&Operation::Thread { lane: thread }) = operation {
                    state.process_mut(process).threads.push(thread);
                    self.begin(state, thread, events);
                }
            }
            Point::Leave => {
                let entry = state.process_mut(process);
                // Who is dying leaves no less: the signal decides later.
                let _ = entry.state.leave();
                self.next_to_leave(state, lane);
            }
            Point::ProcessPoll => return self.poll_process(state, lane, events),
            Point::LeaveThreadJoin => self.leave_on(state, lane),
            Point::LeaveChildTerminate => {
                if let Some(child) = self.leaving_child(state, lane) {
                    state.process_mut(child).signal(Signal::Terminate);
                }
                self.leave_on(state, lane);
            }
            Point::LeaveChildJoin => {
                if let Some(child) = self.awaited_process(state, lane) {
                    self.reap(state, process, child);
                }
                // The list of children has become shorter: the next one has the same place.
                self.next_to_leave(state, lane);
            }
            _ => {
                let code = state.lane(lane).exit_code;
                let life = &mut state.process_mut(process).state;
                if life.end(code).is_err() {
                    // A signal that came first has decided how it ends.
                    let _ = life.die();
                }
                self.end_process(state, process, events);
            }
        }
        StepResult::Done
    }

    /// `Process.start`: the child has both ends of every pipe; an end that is closed here cannot
    /// be handed on.
    fn start(&self, state: &mut State, lane: LaneId, events: &mut Events) -> StepResult {
        let process = self.process_of(lane);
        let Some(&Operation::Start { process: child }) = self.operation_of(state, lane) else {
            return StepResult::Done;
        };
        let closed = (0..self.program.queues.len()).any(|queue| {
            let local = state.local(process, QueueId(super::lane_number(queue)));
            !local.reader_open || !local.writer_open
        });
        if closed {
            self.finish(state, lane, Outcome::HandleClosed, events);
            return StepResult::BadDescriptor;
        }
        // The loader lets a process be started once.
        let _ = state.process_mut(child).state.start();
        state.process_mut(process).children.push(child);
        state.open_ends(child);
        self.finish(state, lane, Outcome::Done, events);
        self.begin_process(state, child, events);
        StepResult::Done
    }

    fn join(&self, state: &mut State, lane: LaneId, events: &mut Events) -> StepResult {
        let Some(child) = self.awaited_process(state, lane) else { return StepResult::Done };
        if state.process(child).state.exit().is_none() {
            self.unavailable(state, lane, events);
            return StepResult::Unavailable;
        }
        self.reap(state, self.process_of(lane), child);
        self.finish(state, lane, Outcome::Done, events);
        StepResult::Done
    }

    /// `is_alive`: a look that never waits; a child that has ended is reaped (`LC7`).
    fn poll_process(&self, state: &mut State, lane: LaneId, events: &mut Events) -> StepResult {
        let Some(child) = self.awaited_process(state, lane) else { return StepResult::Done };
        let alive = state.process(child).state.exit().is_none();
        if !alive {
            self.reap(state, self.process_of(lane), child);
        }
        self.finish(state, lane, Outcome::Bool(alive), events);
        if alive { StepResult::Unavailable } else { StepResult::Done }
    }

    fn reap(&self, state: &mut State, process: ProcessId, child: ProcessId) {
        let _ = state.process_mut(child).state.reap();
        state.process_mut(process).children.retain(|&other| other != child);
    }

    /// `terminate` and `kill`: the signal is on its way; unless the process handles it, it dies a
    /// little later.
    fn signal(&self, state: &mut State, lane: LaneId, events: &mut Events) {
        if let Some(&Operation::Signal { process, signal }) = self.operation_of(state, lane) {
            state.process_mut(process).signal(signal);
        }
        self.finish(state, lane, Outcome::Done, events);
    }

    /// The process that a lane waits for.
    pub(super) fn awaited_process(&self, state: &State, lane: LaneId) -> Option<ProcessId> {
        let current = state.lane(lane);
        match current.point {
            Point::AwaitDeath => {
                self.instruction(lane, current.instruction).and_then(|it| it.after)
            }
            Point::LeaveChildJoin => state.process(self.process_of(lane)).children.first().copied(),
            _ => match self.operation_of(state, lane) {
                Some(&(Operation::Join { process, .. } | Operation::IsAlive { process })) => {
                    Some(process)
                }
                _ => None,
            },
        }
    }

    /// The child that a leaving lane is about to end.
    fn leaving_child(&self, state: &State, lane: LaneId) -> Option<ProcessId> {
        let Some(Leaving::Terminate(index)) = state.lane(lane).leaving else { return None };
        state.process(self.process_of(lane)).children.get(usize::from(index)).copied()
    }

    /// The thread that a leaving lane waits for.
    pub(super) fn leaving_thread(&self, state: &State, lane: LaneId) -> Option<LaneId> {
        let Some(Leaving::Thread(index)) = state.lane(lane).leaving else { return None };
        state.process(self.process_of(lane)).threads.get(usize::from(index)).copied()
    }

    /// The queue that a leaving lane is busy with.
    pub(super) fn leaving_queue(&self, state: &State, lane: LaneId) -> QueueId {
        let feeders = &state.process(self.process_of(lane)).feeders;
        match state.lane(lane).leaving {
            Some(Leaving::Close(index) | Leaving::Join(index)) => {
                // Finalizers run last registered first (LC1).
                feeders.iter().rev().nth(usize::from(index)).copied().unwrap_or(QueueId(0))
            }
            _ => QueueId(0),
        }
    }

    /// Whether a process has come to its finalizers (`LC1`): an error ends a feeder then (`Q6`).
    pub(super) fn is_exiting(&self, state: &State, process: ProcessId) -> bool {
        let main = state.lane(self.program.lane_of(process, 0));
        !matches!(main.leaving, None | Some(Leaving::Thread(_)))
    }

    /// The leaving lane has done what it was busy with.
    pub(super) fn leave_on(&self, state: &mut State, lane: LaneId) {
        let current = state.lane_mut(lane);
        current.leaving = current.leaving.map(|leaving| match leaving {
            Leaving::Thread(index) => Leaving::Thread(index + 1),
            Leaving::Close(index) => Leaving::Close(index + 1),
            Leaving::Terminate(index) => Leaving::Terminate(index + 1),
            Leaving::Join(index) => Leaving::Join(index + 1),
            other => other,
        });
        self.next_to_leave(state, lane);
    }

    /// Finds the next thing that leaving needs a step for (`LC1`): threads, finalizers that tell
    /// the feeders, daemons that are ended, children, finalizers that wait for the feeders, the end.
    fn next_to_leave(&self, state: &mut State, lane: LaneId) {
        let process = self.process_of(lane);
        while let Some(leaving) = state.lane(lane).leaving {
            let entry = state.process(process);
            let (point, next) = match leaving {
                Leaving::Thread(index) if usize::from(index) < entry.threads.len() => {
                    (Some(Point::LeaveThreadJoin), leaving)
                }
                Leaving::Thread(_) => (None, Leaving::Close(0)),
                Leaving::Close(index) if usize::from(index) < entry.feeders.len() => {
                    let queue = self.leaving_queue(state, lane);
                    let local = state.local_mut(process, queue);
                    if std::mem::take(&mut local.close_pending) {
                        (Some(Point::SentinelLock), leaving)
                    } else {
                        (None, Leaving::Close(index + 1))
                    }
                }
                Leaving::Close(_) => (None, Leaving::Terminate(0)),
                Leaving::Terminate(index) => match entry.children.get(usize::from(index)) {
                    Some(child) if self.program.processes[usize::from(child.0)].daemon => {
                        (Some(Point::LeaveChildTerminate), leaving)
                    }
                    Some(_) => (None, Leaving::Terminate(index + 1)),
                    None => (None, Leaving::Child(0)),
                },
                Leaving::Child(_) if !entry.children.is_empty() => {
                    (Some(Point::LeaveChildJoin), leaving)
                }
                Leaving::Child(_) => (None, Leaving::Join(0)),
                Leaving::Join(index) if usize::from(index) < entry.feeders.len() => {
                    let queue = self.leaving_queue(state, lane);
                    let local = state.local_mut(process, queue);
                    if std::mem::take(&mut local.join_pending) {
                        (Some(Point::FeederJoin), leaving)
                    } else {
                        (None, Leaving::Join(index + 1))
                    }
                }
                Leaving::Join(_) | Leaving::Exit => (Some(Point::Exit), Leaving::Exit),
            };
            let current = state.lane_mut(lane);
            current.leaving = Some(next);
            if let Some(point) = point {
                current.point = point;
                return;
            }
        }
    }

    pub(super) fn kill(
        &self,
        state: &mut State,
        process: ProcessId,
        signal: Signal,
        events: &mut Events,
    ) -> Result<(), Refused> {
        let victim = state.process_mut(process);
        if !victim.state.is_alive() {
            return Err(Refused(format!("P{} is not alive", process.0)));
        }
        victim.signal(signal);
        // Who handles the signal goes on.
        let _ = victim.state.die();
        state.kills_left = state.kills_left.saturating_sub(1);
        self.end_process(state, process, events);
        Ok(())
    }

    pub(super) fn die(
        &self,
        state: &mut State,
        process: ProcessId,
        events: &mut Events,
    ) -> Result<(), Refused> {
        let died = state.process_mut(process).state.die();
        died.map_err(|unsuited| Refused(format!("P{}: {unsuited}", process.0)))?;
        self.end_process(state, process, events);
        Ok(())
    }

    /// The kernel ends a process: descriptors close, semaphores keep their values, local buffers
    /// vanish (`LC11`).
    fn end_process(&self, state: &mut State, process: ProcessId, events: &mut Events) {
        let Some(exit) = state.process(process).state.exit() else { return };
        for queue in (0..self.program.queues.len()).map(|queue| QueueId(super::lane_number(queue)))
        {
            state.close_reader(process, queue);
            state.close_writer(process, queue);
            state.local_mut(process, queue).forget();
        }
        for (lane, entry) in self.lanes.iter().zip(&mut state.lanes) {
            if lane.process == process && entry.point != Point::NotStarted {
                entry.end();
            }
        }
        let entry = state.process_mut(process);
        entry.handler = TerminateHandler::Absent;
        entry.children.clear();
        entry.threads.clear();
        entry.feeders.clear();
        events.push(Event::Death { process, exit });
    }
}
