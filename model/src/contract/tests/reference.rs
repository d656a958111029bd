//! A bounded queue that is right by construction, and can be made wrong in one way.

use std::collections::VecDeque;

use super::history;
use crate::contract::Historic;
use crate::event::{Blocked, End, Event};
use crate::machine::{Machine, Refused};
use crate::program::*;

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// The newest item comes first.
    Lifo,
    /// A get leaves its item inside.
    Twice,
    /// Nobody counts the items.
    Unbounded,
    /// Leaving drops what is buffered.
    DropsOnExit,
    /// Who is killed while it waits in a get keeps everybody from getting (X5).
    OrphansLock,
    /// Who is killed while it waits in a get takes an item along, and be it one that comes later (H14).
    Swallows,
    /// Who is killed while it waits in a put takes a slot along (X1).
    LeaksSlot,
    /// A get with a timeout waits for ever.
    HangsTimed,
    /// Leaving waits until all is got (H7).
    LeavesWhenGot,
}

/// A queue with a lane's call in three steps: call, act, return.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) program: Program,
    pub(super) flaw: Flaw,
    /// A put fills a buffer of its process, which is flushed later and lost in a kill; and a get
    /// that overlaps another may find nothing (Q8).
    pub(super) buffered: bool,
    /// How many processes may be killed; P0 never is.
    pub(super) kills: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Phase {
    #[default]
    Idle,
    Called,
    Acted(Outcome),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// For each lane its next instruction, and where it is in it.
    lanes: Vec<(usize, Phase)>,
    pub(super) inside: VecDeque<ItemId>,
    buffers: Vec<VecDeque<ItemId>>,
    leaving: Vec<bool>,
    dead: Vec<bool>,
    leaked: usize,
    jammed: bool,
    /// How many items that come will be taken for the dead.
    swallowed: usize,
    kills: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Call(LaneId),
    Act(LaneId),
    GiveUp(LaneId),
    Return(LaneId),
    Flush(ProcessId),
    Leave(ProcessId),
    Exit(ProcessId),
    Kill(ProcessId),
}

impl Reference {
    /// A machine from a line such as `P0 get 1s, P1 put a, P1T put b nowait`.
    pub(super) fn new(maxsize: u32, text: &str, flaw: Flaw, buffered: bool, kills: u8) -> Self {
        let mut program = history::program(maxsize);
        program.queues.truncate(1);
        program.items.retain(|item| item.queue == QueueId(0));
        let (events, _) = history::parse(&program, text);
        for event in events {
            let Event::Call { lane, operation } = event else {
                continue;
            };
            let place = program.lanes()[usize::from(lane.0)].clone();
            let LaneRole::Program(index) = place.role else {
                continue;
            };
            program.processes[usize::from(place.process.0)].lanes[usize::from(index)]
                .instructions
                .push(operation.into());
        }
        Self { program, flaw, buffered, kills }
    }

    fn operation(&self, state: &State, lane: LaneId) -> Option<Operation> {
        let place = self.lane(lane);
        let LaneRole::Program(index) = place.role else {
            return None;
        };
        let lanes = &self.program.processes[usize::from(place.process.0)].lanes;
        let next = state.lanes[usize::from(lane.0)].0;
        lanes[usize::from(index)].instructions.get(next).map(|next| next.operation)
    }

    fn lane(&self, lane: LaneId) -> Lane {
        self.program.lanes().swap_remove(usize::from(lane.0))
    }

    fn lanes(&self) -> impl Iterator<Item = (LaneId, ProcessId)> {
        let lanes = self.program.lanes();
        (0u8..).map(LaneId).zip(lanes.into_iter().map(|lane| lane.process))
    }

    fn is_full(&self, state: &State) -> bool {
        let maxsize = self.program.queues[0].maxsize as usize;
        let buffered: usize = state.buffers.iter().map(VecDeque::len).sum();
        let used = state.inside.len() + buffered + state.leaked;
        maxsize > 0 && used >= maxsize && self.flaw != Flaw::Unbounded
    }

    /// Whether a lane's call can be served, and whether it may give up.
    fn choices(&self, state: &State, lane: LaneId) -> (bool, bool) {
        let Some(operation) = self.operation(state, lane) else {
            return (false, false);
        };
        let limited = operation.timeout() != Timeout::Never;
        match operation {
            Operation::Put { .. } => {
                let full = self.is_full(state);
                (!full, full && limited)
            }
            _ => {
                let served = !state.inside.is_empty() && !state.jammed;
                let others = self.lanes().any(|(other, _)| {
                    let get = matches!(self.operation(state, other), Some(Operation::Get { .. }));
                    other != lane && get && state.lanes[usize::from(other.0)].1 != Phase::Idle
                });
                let spurious = self.buffered && others;
                let may = limited && self.flaw != Flaw::HangsTimed;
                (served, may && (!served || spurious))
            }
        }
    }

    fn may_exit(&self, state: &State, process: ProcessId) -> bool {
        match self.flaw {
            Flaw::DropsOnExit => true,
            Flaw::LeavesWhenGot => state.inside.is_empty(),
            _ => state.buffers[usize::from(process.0)].is_empty(),
        }
    }

    fn act(&self, state: &mut State, lane: LaneId) {
        let Some(operation) = self.operation(state, lane) else {
            return;
        };
        let outcome = match operation {
            Operation::Put { item, .. } => {
                if state.swallowed > 0 {
                    state.swallowed -= 1;
                } else if self.buffered {
                    let process = self.lane(lane).process;
                    state.buffers[usize::from(process.0)].push_back(item);
                } else {
                    state.inside.push_back(item);
                }
                Outcome::Done
            }
            _ => {
                let item = match self.flaw {
                    Flaw::Lifo => state.inside.pop_back(),
                    Flaw::Twice => state.inside.front().copied(),
                    _ => state.inside.pop_front(),
                };
                item.map_or(Outcome::Empty, Outcome::Item)
            }
        };
        state.lanes[usize::from(lane.0)].1 = Phase::Acted(outcome);
    }

    fn kill(&self, state: &mut State, process: ProcessId) {
        for (lane, owner) in self.lanes() {
            if owner != process || state.lanes[usize::from(lane.0)].1 != Phase::Called {
                continue;
            }
            match self.operation(state, lane) {
                Some(Operation::Get { .. }) => {
                    state.jammed |= self.flaw == Flaw::OrphansLock;
                    if self.flaw == Flaw::Swallows && state.inside.pop_front().is_none() {
                        state.swallowed += 1;
                    }
                }
                Some(Operation::Put { .. }) if self.flaw == Flaw::LeaksSlot => {
                    state.leaked += usize::from(!self.is_full(state));
                }
                _ => {}
            }
        }
        state.kills -= 1;
        self.bury(state, process);
    }

    /// What a dead process was in the middle of does not matter any more.
    fn bury(&self, state: &mut State, process: ProcessId) {
        state.dead[usize::from(process.0)] = true;
        state.leaving[usize::from(process.0)] = false;
        for (lane, owner) in self.lanes() {
            if owner == process {
                state.lanes[usize::from(lane.0)] = (usize::MAX, Phase::Idle);
            }
        }
        // Buffered items die with their process and keep their slots (X1).
        state.leaked += state.buffers[usize::from(process.0)].len();
        state.buffers[usize::from(process.0)].clear();
    }
}

impl Machine for Reference {
    type State = State;
    type Action = Action;
    type Observation = Vec<Event>;

    fn initial(&self) -> State {
        let processes = self.program.processes.len();
        State {
            lanes: vec![(0, Phase::Idle); self.program.lanes().len()],
            inside: VecDeque::new(),
            buffers: vec![VecDeque::new(); processes],
            leaving: vec![false; processes],
            dead: vec![false; processes],
            leaked: 0,
            jammed: false,
            swallowed: 0,
            kills: self.kills,
        }
    }

    fn enabled(&self, state: &State, out: &mut Vec<Action>) {
        let mut busy = vec![false; self.program.processes.len()];
        for (lane, process) in self.lanes() {
            let phase = state.lanes[usize::from(lane.0)].1;
            let waiting = self.operation(state, lane).is_some();
            busy[usize::from(process.0)] |= waiting;
            match phase {
                Phase::Idle if waiting => out.push(Action::Call(lane)),
                Phase::Idle => {}
                Phase::Called => {
                    let (served, gives_up) = self.choices(state, lane);
                    out.extend(served.then_some(Action::Act(lane)));
                    out.extend(gives_up.then_some(Action::GiveUp(lane)));
                }
                Phase::Acted(_) => out.push(Action::Return(lane)),
            }
        }
        for (process, busy) in (0u8..).map(ProcessId).zip(busy) {
            let at = usize::from(process.0);
            if !state.buffers[at].is_empty() {
                out.push(Action::Flush(process));
            }
            if state.leaving[at] && self.may_exit(state, process) {
                out.push(Action::Exit(process));
            } else if !busy && !state.leaving[at] && !state.dead[at] {
                out.push(Action::Leave(process));
            }
        }
    }

    fn disturbances(&self, state: &State, out: &mut Vec<Action>) {
        let living = (1u8..).map(ProcessId).zip(&state.dead[1..]).filter(|(_, dead)| !**dead);
        if state.kills > 0 {
            out.extend(living.map(|(process, _)| Action::Kill(process)));
        }
    }

    fn apply(&self, state: &mut State, action: &Action) -> Result<Vec<Event>, Refused> {
        let mut events = Vec::new();
        match *action {
            Action::Call(lane) => {
                let none = || Refused(format!("{lane:?} has nothing to call"));
                let operation = self.operation(state, lane).ok_or_else(none)?;
                state.lanes[usize::from(lane.0)].1 = Phase::Called;
                events.push(Event::Call { lane, operation });
            }
            Action::Act(lane) => self.act(state, lane),
            Action::GiveUp(lane) => {
                let put = matches!(self.operation(state, lane), Some(Operation::Put { .. }));
                let outcome = if put { Outcome::Full } else { Outcome::Empty };
                state.lanes[usize::from(lane.0)].1 = Phase::Acted(outcome);
            }
            Action::Return(lane) => {
                let (next, phase) = &mut state.lanes[usize::from(lane.0)];
                if let Phase::Acted(outcome) = std::mem::take(phase) {
                    *next += 1;
                    events.push(Event::Return { lane, outcome });
                }
            }
            Action::Flush(process) => {
                let item = state.buffers[usize::from(process.0)].pop_front();
                state.inside.extend(item);
            }
            Action::Leave(process) => {
                state.leaving[usize::from(process.0)] = true;
                events.push(Event::Leave { process });
            }
            Action::Exit(process) => {
                self.bury(state, process);
                events.push(Event::Death { process, exit: Exit::Code(0) });
            }
            Action::Kill(process) => {
                self.kill(state, process);
                events.push(Event::Death { process, exit: Exit::Signal(Signal::Kill) });
            }
        }
        Ok(events)
    }
}

impl Historic for Reference {
    fn program(&self) -> &Program {
        &self.program
    }

    fn events(observation: &Vec<Event>) -> &[Event] {
        observation
    }

    fn end(&self, state: &State) -> End {
        let blocked =
            |lane, step: &str, leaving| Blocked { lane, step: step.to_owned(), offset: 0, leaving };
        let called = self
            .lanes()
            .filter(|(lane, _)| state.lanes[usize::from(lane.0)].1 == Phase::Called)
            .map(|(lane, _)| blocked(lane, "wait", false));
        let leaving = (0u8..)
            .map(ProcessId)
            .zip(&state.leaving)
            .filter(|(_, leaving)| **leaving)
            .map(|(process, _)| blocked(self.program.lane_of(process, 0), "feeder.join", true));
        End { blocked: called.chain(leaving).collect() }
    }
}
