//! What can happen, and what it does.

use arrayvec::ArrayVec;

use super::{Action, Form, KILLED, Life, Manager, Observation, State};
use crate::event::Event;
use crate::program::{Exit, ItemId, Operation, Outcome, ProcessId, QueueId};

impl Manager {
    pub(super) fn can_call(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        if client.life != Life::Running || client.waits {
            return false;
        }
        let after = self.next(state, process).and_then(|instruction| instruction.after);
        after.is_none_or(|other| state.is_dead(other))
    }

    pub(super) fn can_serve(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        let Some((_, request)) = client.requests.first() else { return false };
        if !state.server_lives || client.delivered.is_some() {
            return false;
        }
        // The closed form has looked: nothing is done for the dead.
        if self.form == Form::Closed && state.is_dead(process) {
            return false;
        }
        let at_once = request.timeout().is_one_try();
        match *request {
            Operation::Put { queue, .. } => at_once || self.has_room(state, queue),
            Operation::Get { queue, .. } => {
                let settled = self.on_its_way(state, queue) == 0;
                settled && (at_once || !state.queues[usize::from(queue.0)].is_empty())
            }
            _ => true,
        }
    }

    fn has_room(&self, state: &State, queue: QueueId) -> bool {
        let inside = state.queues[usize::from(queue.0)].len() + self.on_its_way(state, queue);
        inside < self.maxsize(queue)
    }

    /// The items of a queue that are on their way: one at most.
    fn on_its_way(&self, state: &State, queue: QueueId) -> usize {
        let of = |item: ItemId| self.program.items[usize::from(item.0)].queue;
        let delivered = state.clients.iter().filter_map(|client| client.delivered);
        delivered.filter(|&item| of(item) == queue).count()
    }

    pub(super) fn can_confirm(&self, state: &State, process: ProcessId) -> bool {
        state.server_lives && state.client(process).accepted
    }

    /// What was accepted before the end is seen before the end.
    pub(super) fn can_notice(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        let has_something = client.delivered.is_some() || !client.requests.is_empty();
        let is_over = state.is_dead(process) && !client.accepted && has_something;
        self.form == Form::Closed && state.server_lives && is_over
    }

    pub(super) fn can_receive(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        let something = !client.answers.is_empty() || !state.server_lives;
        client.life == Life::Running && client.waits && something
    }

    pub(super) fn can_expire(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        let request = client.requests.first();
        let timed = request.and_then(|(_, it)| it.timeout().limit_milliseconds()).is_some();
        let closed_and_dead = self.form == Form::Closed && state.is_dead(process);
        state.server_lives && timed && client.delivered.is_none() && !closed_and_dead
    }

    pub(super) fn carry_out(&self, state: &mut State, action: Action) -> Observation {
        let mut observation =
            Observation { action, operation: None, outcome: None, events: ArrayVec::new() };
        match action {
            Action::Call(process) => self.call(state, process, &mut observation),
            Action::Serve(process) => self.serve(state, process, false, &mut observation),
            Action::Expire(process) => self.serve(state, process, true, &mut observation),
            Action::Receive(process) => self.receive(state, process, &mut observation),
            Action::Confirm(process) => {
                let client = state.client_mut(process);
                client.accepted = false;
                observation.outcome = client.delivered.take().map(Outcome::Item);
                client.answers.extend(observation.outcome.map(|outcome| (client.at, outcome)));
            }
            Action::Notice(process) => {
                let client = state.client_mut(process);
                client.requests.clear();
                let back = client.delivered.take();
                observation.outcome = back.map(Outcome::Item);
                if let Some(item) = back {
                    let queue = self.program.items[usize::from(item.0)].queue;
                    state.queues[usize::from(queue.0)].insert(0, item);
                }
            }
            Action::Interrupt(process) => {
                state.interrupts -= 1;
                self.returns(state, process, Outcome::Failed, &mut observation);
            }
            Action::Kill(process) => {
                state.kills -= 1;
                self.ends(state, process, KILLED, &mut observation);
            }
            Action::KillServer => {
                state.kills -= 1;
                state.server_lives = false;
                // With it go the items, and what nobody has read.
                state.queues.iter_mut().for_each(Vec::clear);
                for client in &mut state.clients {
                    client.requests.clear();
                    (client.delivered, client.accepted) = (None, false);
                }
            }
        }
        observation
    }

    fn call(&self, state: &mut State, process: ProcessId, observation: &mut Observation) {
        let Some(instruction) = self.next(state, process) else {
            observation.events.push(Event::Leave { process });
            return self.ends(state, process, Exit::Code(0), observation);
        };
        let (operation, lane) = (instruction.operation, self.lane(process));
        observation.operation = Some(operation);
        observation.events.push(Event::Call { lane, operation });
        if let Operation::Start { process: child } = operation {
            state.client_mut(child).life = Life::Running;
            return self.returns(state, process, Outcome::Done, observation);
        }
        if !state.server_lives {
            // Broken pipe (MQ6).
            return self.returns(state, process, Outcome::Failed, observation);
        }
        let client = state.client_mut(process);
        client.requests.push((client.at, operation));
        client.waits = true;
    }

    fn returns(
        &self,
        state: &mut State,
        process: ProcessId,
        outcome: Outcome,
        observation: &mut Observation,
    ) {
        let client = state.client_mut(process);
        client.waits = false;
        client.at += 1;
        observation.outcome = Some(outcome);
        observation.events.push(Event::Return { lane: self.lane(process), outcome });
    }

    fn ends(
        &self,
        state: &mut State,
        process: ProcessId,
        exit: Exit,
        observation: &mut Observation,
    ) {
        let client = state.client_mut(process);
        client.life = if exit == KILLED { Life::Killed } else { Life::Left };
        client.waits = false;
        client.answers.clear();
        observation.events.push(Event::Death { process, exit });
    }

    /// The server serves the first request, or answers that the time is up.
    fn serve(
        &self,
        state: &mut State,
        process: ProcessId,
        expired: bool,
        observation: &mut Observation,
    ) {
        let (call, operation) = state.client_mut(process).requests.remove(0);
        let dead = state.is_dead(process);
        let outcome = match operation {
            Operation::Put { queue, item, .. } if !expired && self.has_room(state, queue) => {
                state.queues[usize::from(queue.0)].push(item);
                if dead {
                    state.harm.ghost = Some(item);
                }
                Outcome::Done
            }
            Operation::Put { .. } => Outcome::Full,
            Operation::Get { queue, .. } => {
                let inside = &mut state.queues[usize::from(queue.0)];
                if expired || inside.is_empty() {
                    Outcome::Empty
                } else {
                    Outcome::Item(inside.remove(0))
                }
            }
            Operation::Size { queue } => {
                let inside = state.queues[usize::from(queue.0)].len();
                let all = inside + self.on_its_way(state, queue);
                Outcome::Number(u32::try_from(all).unwrap_or(u32::MAX))
            }
            _ => Outcome::Failed,
        };
        (observation.operation, observation.outcome) = (Some(operation), Some(outcome));
        match outcome {
            // The send fails, and the item is nowhere (MQ4).
            Outcome::Item(item) if dead => state.harm.swallowed = Some(item),
            _ if dead => {}
            Outcome::Item(item) if self.form == Form::Closed => {
                let client = state.client_mut(process);
                client.delivered = Some(item);
                client.answers.push((call, outcome));
            }
            outcome => state.client_mut(process).answers.push((call, outcome)),
        }
    }

    fn receive(&self, state: &mut State, process: ProcessId, observation: &mut Observation) {
        let operation = self.next(state, process).map(|instruction| instruction.operation);
        observation.operation = operation;
        let client = state.client_mut(process);
        if client.answers.is_empty() {
            // The server is dead (MQ6).
            return self.returns(state, process, Outcome::EndOfFile, observation);
        }
        let (call, answer) = client.answers.remove(0);
        if client.delivered.is_some() {
            client.accepted = true;
            observation.outcome = Some(answer);
            return;
        }
        // On the wire answers carry no number: whatever comes is taken for this call's.
        state.harm.stale |= call != client.at;
        self.returns(state, process, answer, observation);
    }
}
