//! What an action does.

use super::{Action, Form, KILLED, Life, Manager, Observation, State};
use crate::event::Event;
use crate::program::{Exit, ItemId, Operation, Outcome, ProcessId};
use crate::queue::classic::Time;

impl Manager {
    pub(super) fn carry_out(&self, state: &mut State, action: Action) -> Observation {
        let mut observation = Observation { action, operation: None, outcome: None, event: None };
        match action {
            Action::Call(process) => self.call(state, process, &mut observation),
            Action::Send(process) => {
                observation.operation = self.next(state, process).map(|next| next.operation);
                self.send(state, process, observation.operation);
            }
            Action::Serve(process) => self.serve(state, process, false, &mut observation),
            Action::Expire(process) => self.expire(state, process, &mut observation),
            Action::Receive(process) => self.receive(state, process, &mut observation),
            Action::Confirm(process) => self.confirm(state, process, &mut observation),
            Action::Notice(process) => self.notice(state, process, &mut observation),
            Action::Exit(process) => self.ends(state, process, Exit::Code(0), &mut observation),
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
                server_dies(state);
            }
        }
        observation
    }

    fn call(&self, state: &mut State, process: ProcessId, observation: &mut Observation) {
        let Some(instruction) = self.next(state, process) else {
            observation.event = Some(Event::Leave { process });
            state.client_mut(process).life = Life::Leaving;
            return;
        };
        let (operation, lane) = (instruction.operation, self.lane(process));
        observation.operation = Some(operation);
        observation.event = Some(Event::Call { lane, operation });
        let client = state.client_mut(process);
        client.waits = true;
        client.unsent = !matches!(operation, Operation::Join { .. });
        client.remaining = operation.timeout().limit_milliseconds();
    }

    fn send(&self, state: &mut State, process: ProcessId, operation: Option<Operation>) {
        let client = state.client_mut(process);
        client.unsent = false;
        match operation {
            Some(Operation::Start { process: child }) => {
                state.client_mut(child).life = Life::Running;
            }
            operation => client.requests.extend(operation.map(|it| (client.at, it))),
        }
    }

    fn returns(
        &self,
        state: &mut State,
        process: ProcessId,
        outcome: Outcome,
        observation: &mut Observation,
    ) {
        let until = self.next(state, process).and_then(|instruction| instruction.until);
        let client = state.client_mut(process);
        (client.waits, client.unsent, client.remaining) = (false, false, None);
        client.at += u16::from(until.is_none_or(|until| until == outcome));
        observation.outcome = Some(outcome);
        observation.event = Some(Event::Return { lane: self.lane(process), outcome });
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
        (client.waits, client.unsent) = (false, false);
        client.answers.clear();
        // The clock of a request goes on in the server, if it keeps one.
        if client.requests.is_empty() || self.form == Form::Closed {
            client.remaining = None;
        }
        observation.event = Some(Event::Death { process, exit });
        if self.environment.host == Some(process) {
            server_dies(state);
        }
    }

    /// The time of a call is up, and with it so much of everybody else's.
    fn expire(&self, state: &mut State, process: ProcessId, observation: &mut Observation) {
        let passed = state.client(process).remaining.unwrap_or(0);
        if self.environment.time == Time::Patient {
            for client in &mut state.clients {
                client.remaining = client.remaining.map(|it| it.saturating_sub(passed));
            }
        }
        if self.waits_locally(state, process) {
            return self.returns(state, process, Outcome::Done, observation);
        }
        state.client_mut(process).remaining = None;
        self.serve(state, process, true, observation);
    }

    /// The server serves the first request, or answers that the time is up.
    fn serve(
        &self,
        state: &mut State,
        process: ProcessId,
        expired: bool,
        observation: &mut Observation,
    ) {
        let client = state.client_mut(process);
        let (call, operation) = client.requests.remove(0);
        client.remaining = None;
        let outcome = self.answer(state, process, operation, expired);
        (observation.operation, observation.outcome) = (Some(operation), Some(outcome));
        let dead = state.is_dead(process);
        match (operation, outcome) {
            (Operation::Put { item, .. }, Outcome::Done) if dead => state.harm.ghost = Some(item),
            // The send fails, and the item is nowhere (MQ4).
            (_, Outcome::Item(item)) if dead => state.harm.swallowed = Some(item),
            _ if dead => {}
            (_, outcome) => {
                let client = state.client_mut(process);
                client.answers.push((call, outcome));
                if let (Outcome::Item(item), Form::Closed) = (outcome, self.form) {
                    client.delivered = Some(item);
                }
            }
        }
    }

    fn answer(
        &self,
        state: &mut State,
        process: ProcessId,
        operation: Operation,
        expired: bool,
    ) -> Outcome {
        match operation {
            Operation::Put { queue, item, .. } if !expired && self.has_room(state, queue) => {
                let queue = state.queue_mut(queue);
                queue.items.push(item);
                queue.tasks.unfinished += 1;
                Outcome::Done
            }
            Operation::Put { .. } => Outcome::Full,
            Operation::Get { queue, .. } => {
                let inside = &mut state.queue_mut(queue).items;
                if expired || inside.is_empty() {
                    Outcome::Empty
                } else {
                    Outcome::Item(inside.remove(0))
                }
            }
            Operation::Size { queue } => {
                let size = u32::try_from(self.occupied(state, queue));
                Outcome::Number(size.unwrap_or(u32::MAX))
            }
            Operation::Empty { queue } => Outcome::Bool(self.occupied(state, queue) == 0),
            Operation::Full { queue } => Outcome::Bool(!self.has_room(state, queue)),
            Operation::TaskDone { queue } => {
                state.queue_mut(queue).tasks.done_by(process, self.form == Form::Closed)
            }
            Operation::JoinQueue { queue } => {
                state.queue(queue).tasks.verdict().unwrap_or(Outcome::Failed)
            }
            _ => Outcome::Failed,
        }
    }

    fn confirm(&self, state: &mut State, process: ProcessId, observation: &mut Observation) {
        let dead = state.is_dead(process);
        let client = state.client_mut(process);
        client.accepted = false;
        let taken = client.delivered.take();
        observation.outcome = taken.map(Outcome::Item);
        if !dead {
            client.answers.extend(observation.outcome.map(|outcome| (client.at, outcome)));
        }
        if let Some(item) = taken {
            let queue = self.program.items[usize::from(item.0)].queue;
            state.queue_mut(queue).tasks.taken_by(process);
        }
    }

    fn notice(&self, state: &mut State, process: ProcessId, observation: &mut Observation) {
        let client = state.client_mut(process);
        client.requests.clear();
        let back: Option<ItemId> = client.delivered.take();
        observation.outcome = back.map(Outcome::Item);
        if let Some(item) = back {
            let queue = self.program.items[usize::from(item.0)].queue;
            state.queue_mut(queue).items.insert(0, item);
        }
        state.queues.iter_mut().for_each(|queue| queue.tasks.gone(process));
    }

    fn receive(&self, state: &mut State, process: ProcessId, observation: &mut Observation) {
        observation.operation = self.next(state, process).map(|next| next.operation);
        if self.waits_locally(state, process) {
            return self.returns(state, process, Outcome::Done, observation);
        }
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

/// With the server go the items, and what nobody has read (`MQ6`).
fn server_dies(state: &mut State) {
    state.server_lives = false;
    for queue in &mut state.queues {
        queue.items.clear();
    }
    for client in &mut state.clients {
        client.requests.clear();
        // What was not confirmed is not got.
        if client.delivered.take().is_some() {
            client.answers.clear();
        }
        client.accepted = false;
    }
}
