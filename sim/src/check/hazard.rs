//! Hazards of the classic queue, recognised in the model's state: the same for a simulated run
//! and for a real one that was held against the model.

use std::collections::BTreeSet;

use midput_model::event::Event;
use midput_model::program::{
    Exit, ItemId, LaneId, LaneRole, Operation, Outcome, ProcessId, QueueId, QueueKind, Timeout,
};
use midput_model::queue::classic::{
    Classic, Entry, HEADER_BYTES, LaneState, Lock, Point, Shared, State,
};
use midput_model::step::StepResult;
use midput_scenarios::Hazard;

/// What a run shows of hazards only while it goes on.
#[derive(Clone, Debug, Default)]
pub struct HazardWatch {
    /// A get has raised `Empty` although a whole frame was in the pipe (`Q8`).
    empty_though_not: bool,
    /// A stream has ended right behind a header, and the receiver took that for its end (`WF4`).
    tear_for_close: bool,
    /// A process died while another was alive.
    survived: bool,
    /// The items whose frames were written whole: what is lost of them later, a reader lost.
    handed_over: Vec<ItemId>,
    /// Items got from a joinable queue and not reported done, by process.
    held: Vec<(ProcessId, QueueId, i32)>,
}

impl HazardWatch {
    /// Forgets everything, and keeps its memory.
    pub fn reset(&mut self) {
        self.empty_though_not = false;
        self.tear_for_close = false;
        self.survived = false;
        self.handed_over.clear();
        self.held.clear();
    }

    /// One action of the model: the lane that did a step and where it had stood, if it was one,
    /// what was answered, what happened with it, and the state after it.
    #[inline(always)]
    pub fn observe(
        &mut self,
        machine: &Classic,
        state: &State,
        stepped: Option<(LaneId, Point)>,
        result: StepResult,
        events: &[Event],
    ) {
        match stepped {
            Some((_, Point::GetAcquire)) if result == StepResult::Unavailable => {
                self.gave_up(machine, state);
            }
            Some((lane, point)) if point.writes() => self.wrote(state.lane(lane)),
            Some((lane, Point::GetBody)) if result == StepResult::Moved(0) => {
                let lane = state.lane(lane);
                let ended = Some(Outcome::EndOfFile);
                self.tear_for_close |=
                    lane.failure == ended || lane.results.last().copied() == ended;
            }
            Some((lane, Point::GetDecode)) => self.got(machine, state, lane),
            Some((lane, Point::DoneTake)) if result == StepResult::Done => {
                self.reported(machine, state, lane);
            }
            _ => {}
        }
        if !events.is_empty() {
            self.happened(state, events);
        }
    }

    #[cold]
    fn gave_up(&mut self, machine: &Classic, state: &State) {
        self.empty_though_not |= state.queues.iter().any(|queue| has_whole_frame(machine, queue));
    }

    fn wrote(&mut self, lane: &LaneState) {
        if lane.point == Point::SendRelease && lane.failure.is_none() {
            self.handed_over.extend(lane.item);
        }
    }

    /// A lane has got an item: where its queue counts tasks, its process holds one more.
    fn got(&mut self, machine: &Classic, state: &State, lane: LaneId) {
        let Some(&Outcome::Item(item)) = state.lane(lane).results.last() else { return };
        let queue = machine.program().items[usize::from(item.0)].queue;
        if state.queue(queue).tasks.is_some() {
            self.hold(machine.lanes()[usize::from(lane.0)].process, queue, 1);
        }
    }

    /// A lane has taken one from the counter of unfinished tasks.
    fn reported(&mut self, machine: &Classic, state: &State, lane: LaneId) {
        let queue = machine.queue_at(state, lane);
        self.hold(machine.lanes()[usize::from(lane.0)].process, queue, -1);
    }

    fn hold(&mut self, process: ProcessId, queue: QueueId, more: i32) {
        let of =
            |(other, at, _): &&mut (ProcessId, QueueId, i32)| (*other, *at) == (process, queue);
        match self.held.iter_mut().find(of) {
            Some((.., held)) => *held += more,
            None => self.held.push((process, queue, more)),
        }
    }

    fn happened(&mut self, state: &State, events: &[Event]) {
        if events.iter().any(|event| matches!(event, Event::Death { .. })) {
            self.survived |= state.processes.iter().any(|it| it.state.is_alive());
        }
    }

    /// The hazards of the run, from the state at its end.
    pub fn conclude(&self, machine: &Classic, state: &State) -> BTreeSet<Hazard> {
        let mut found = BTreeSet::new();
        if self.empty_though_not {
            found.insert(Hazard::H11);
        }
        if self.tear_for_close {
            found.insert(Hazard::H12);
        }
        if self.survived {
            let view = View { machine, state, watch: self };
            view.slots(&mut found);
            view.items(&mut found);
            view.locks(&mut found);
            view.frames(&mut found);
            view.tasks(&mut found);
        }
        View { machine, state, watch: self }.blocked(&mut found);
        found
    }
}

fn has_whole_frame(machine: &Classic, queue: &Shared) -> bool {
    queue.content.iter().any(|run| run.from == 0 && run.to == frame_bytes(machine, run.item))
}

fn frame_bytes(machine: &Classic, item: ItemId) -> u32 {
    HEADER_BYTES + machine.program().items[usize::from(item.0)].bytes
}

struct View<'a> {
    machine: &'a Classic,
    state: &'a State,
    watch: &'a HazardWatch,
}

impl View<'_> {
    fn is_dead(&self, process: ProcessId) -> bool {
        self.state.process(process).state.exit().is_some()
    }

    fn process_of(&self, lane: LaneId) -> ProcessId {
        self.machine.lanes()[usize::from(lane.0)].process
    }

    fn producer(&self, item: ItemId) -> ProcessId {
        self.machine.program().items[usize::from(item.0)].producer
    }

    /// H1: more slots are taken than items and calls account for (`X1`, `X7`).
    fn slots(&self, found: &mut BTreeSet<Hazard>) {
        for (index, queue) in self.state.queues.iter().enumerate() {
            if self.machine.program().queues[index].maxsize == 0 {
                continue;
            }
            let taken = queue.slots.maximum() - queue.slots.value();
            let inside = queue
                .content
                .iter()
                .filter(|run| run.from == 0 && self.will_be_whole(run.item, run.to))
                .count();
            let buffered = self.state.locals.iter().flat_map(|local| &local.buffer);
            let buffered = buffered.filter(|entry| matches!(entry, Entry::Item(_))).count();
            let lanes = (0u8..).zip(&self.state.lanes);
            let under_way = lanes
                .filter(|(id, lane)| owns_a_slot(lane, !self.has_timeout(LaneId(*id))))
                .count();
            if taken as usize > inside + buffered + under_way {
                found.insert(Hazard::H1);
            }
        }
    }

    /// Whether a frame with so many bytes in the pipe is whole, or still being written (then the
    /// writer accounts for it).
    fn will_be_whole(&self, item: ItemId, to: u32) -> bool {
        to == frame_bytes(self.machine, item) && !self.is_being_written(item)
    }

    fn is_being_written(&self, item: ItemId) -> bool {
        self.state.lanes.iter().any(|lane| lane.point.writes() && lane.item == Some(item))
    }

    /// H2 and H13: a put has returned, and the item never came whole into the pipe and is in no
    /// living process. What a dying reader had taken is within the loss that G5 grants (`X6`). Of who
    /// left, H13 stands also for what its feeder could not send (`Q6`).
    fn items(&self, found: &mut BTreeSet<Hazard>) {
        for item in self.put_items() {
            let waits = |entry: &Entry| *entry == Entry::Item(item);
            let lanes = self.machine.lanes().iter().zip(&self.state.lanes);
            let mut feeders = lanes.filter(|(lane, _)| matches!(lane.role, LaneRole::Feeder(_)));
            let safe = self.watch.handed_over.contains(&item)
                || feeders.any(|(_, lane)| lane.item == Some(item))
                || self.state.locals.iter().any(|local| local.buffer.iter().any(waits));
            if !safe {
                let exit = self.state.process(self.producer(item)).state.exit();
                let left = matches!(exit, Some(Exit::Code(_)));
                found.insert(if left { Hazard::H13 } else { Hazard::H2 });
            }
        }
    }

    /// The items whose put has returned without an error.
    fn put_items(&self) -> Vec<ItemId> {
        let program = self.machine.program();
        let mut items = Vec::new();
        let lanes = self.machine.lanes().iter().zip(&self.state.lanes);
        for (lane, state) in lanes {
            let LaneRole::Program(index) = lane.role else { continue };
            let process = &program.processes[usize::from(lane.process.0)];
            let instructions = &process.lanes[usize::from(index)].instructions;
            for (instruction, result) in instructions.iter().zip(&state.results) {
                // A repeated operation has results of its own number; puts are not repeated.
                if instruction.until.is_some() {
                    break;
                }
                // What was sent over a bare pipe is in the pipe when the call returns.
                if let Operation::Put { item, queue, .. } = instruction.operation
                    && *result == Outcome::Done
                    && program.queues[usize::from(queue.0)].kind != QueueKind::Pipe
                {
                    items.push(item);
                }
            }
        }
        items
    }

    /// H4 and H5: a lock whose holder is dead (`X2`, `X5`).
    fn locks(&self, found: &mut BTreeSet<Hazard>) {
        let orphaned =
            |lock: &Lock| lock.holder.is_some_and(|holder| self.is_dead(self.process_of(holder)));
        for queue in &self.state.queues {
            if orphaned(&queue.read_lock) {
                found.insert(Hazard::H4);
            }
            if orphaned(&queue.write_lock) {
                found.insert(Hazard::H5);
            }
        }
    }

    /// H9: a task is unfinished that nobody who was not killed holds or can get, or the lock of the
    /// counter is a dead lane's (`X8`). H10: a notifier waits for a dead sleeper (`X9`).
    fn tasks(&self, found: &mut BTreeSet<Hazard>) {
        for (index, queue) in (0u8..).map(QueueId).zip(&self.state.queues) {
            let Some(tasks) = queue.tasks else { continue };
            let orphaned =
                tasks.lock.holder.is_some_and(|holder| self.is_dead(self.process_of(holder)));
            let runs = queue.content.iter();
            let whole = runs.filter(|run| run.from == 0 && self.will_be_whole(run.item, run.to));
            let inside = whole.count();
            let open = inside + self.carried(index) + self.held_tasks(index);
            if orphaned || tasks.unfinished.value() as usize > open {
                found.insert(Hazard::H9);
            }
        }
        if self.state.lanes.iter().any(|lane| lane.point == Point::NotifyAwait) {
            found.insert(Hazard::H10);
        }
    }

    /// Items of a queue that a process which was not killed has in its buffer, sends or receives.
    fn carried(&self, queue: QueueId) -> usize {
        let program = self.machine.program();
        let of_queue = |item: &ItemId| program.items[usize::from(item.0)].queue == queue;
        let lanes = self.machine.lanes().iter().zip(&self.state.lanes);
        let in_hand = lanes.filter(|(lane, state)| {
            !self.is_killed(lane.process) && state.item.as_ref().is_some_and(of_queue)
        });
        let processes = (0u8..).map(ProcessId).take(self.state.processes.len());
        let living = processes.filter(|&process| !self.is_killed(process));
        let buffers = living.flat_map(|process| &self.state.local(process, queue).buffer);
        in_hand.count() + buffers.filter(|entry| matches!(entry, Entry::Item(_))).count()
    }

    /// Items of a queue that processes which were not killed have got and not reported done.
    fn held_tasks(&self, queue: QueueId) -> usize {
        let held = self.watch.held.iter();
        let held = held.filter(|(process, of, _)| *of == queue && !self.is_killed(*process));
        held.map(|(.., tasks)| usize::try_from(*tasks).unwrap_or(0)).sum()
    }

    fn is_killed(&self, process: ProcessId) -> bool {
        matches!(self.state.process(process).state.exit(), Some(Exit::Signal(_)))
    }

    /// H6: part of a frame, and nobody who will write the rest (`X2`).
    fn frames(&self, found: &mut BTreeSet<Hazard>) {
        let torn = |item: ItemId, to: u32| {
            to < frame_bytes(self.machine, item)
                && !self.is_being_written(item)
                && self.is_dead(self.producer(item))
        };
        let in_pipe = self
            .state
            .queues
            .iter()
            .any(|queue| queue.content.back().is_some_and(|run| torn(run.item, run.to)));
        let in_hand = self.state.lanes.iter().any(|lane| {
            let begun =
                lane.point == Point::GetBody || (lane.point == Point::GetHeader && lane.moved > 0);
            let nothing_left = self.state.queues.iter().all(|queue| queue.content.is_empty());
            begun && nothing_left && lane.item.is_some_and(|item| torn(item, 0))
        });
        if in_pipe || in_hand {
            found.insert(Hazard::H6);
        }
    }

    /// H3, H7, H8: who is blocked for ever.
    fn blocked(&self, found: &mut BTreeSet<Hazard>) {
        for blocked in self.machine.end(self.state).blocked {
            let lane = self.state.lane(blocked.lane);
            if lane.point.reads() && self.has_timeout(blocked.lane) {
                found.insert(Hazard::H3);
            }
            if blocked.leaving && lane.point == Point::FeederJoin {
                let process = self.process_of(blocked.lane);
                let full = self
                    .machine
                    .lanes()
                    .iter()
                    .zip(&self.state.lanes)
                    .any(|(other, at)| other.process == process && at.point.writes());
                let joined = full && self.is_joined(process);
                found.insert(if joined { Hazard::H7 } else { Hazard::H8 });
            }
            if lane.point == Point::FeederJoin && !blocked.leaving {
                found.insert(Hazard::H8);
            }
        }
    }

    fn is_joined(&self, process: ProcessId) -> bool {
        let lanes = (0u8..).take(self.state.lanes.len()).map(LaneId);
        lanes
            .filter(|&lane| {
                matches!(self.state.lane(lane).point, Point::ProcessJoin | Point::LeaveChildJoin)
            })
            .any(|lane| {
                let main = self.machine.program().lane_of(process, 0);
                self.machine.waits(self.state, lane).on.contains(&main)
            })
    }

    fn has_timeout(&self, lane: LaneId) -> bool {
        let LaneRole::Program(index) = self.machine.lanes()[usize::from(lane.0)].role else {
            return false;
        };
        let process = &self.machine.program().processes[usize::from(self.process_of(lane).0)];
        let at = usize::from(self.state.lane(lane).instruction);
        let instruction = process.lanes[usize::from(index)].instructions.get(at);
        instruction.is_some_and(|it| it.operation.timeout() != Timeout::Never)
    }
}

/// Whether a lane accounts for a slot that no frame or buffer accounts for.
fn owns_a_slot(lane: &LaneState, untimed: bool) -> bool {
    match lane.point {
        point if point.writes() => true,
        Point::PutLock
        | Point::PutTasksLock
        | Point::PutStart
        | Point::PutAppend
        | Point::SendEncode
        | Point::SendAcquire
        | Point::FeedGiveBack
        | Point::GetBody
        | Point::GetReleaseSlot => true,
        Point::SendRelease => lane.failure.is_some(),
        Point::GetHeader => lane.moved > 0,
        // Without a timeout the lock is given back before the slot.
        Point::GetReleaseLock => untimed && lane.failure.is_none(),
        _ => false,
    }
}
