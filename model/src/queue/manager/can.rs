//! What can happen.

use super::{Form, Life, Manager, State};
use crate::program::{ItemId, Operation, ProcessId, QueueId};

impl Manager {
    pub(super) fn can_call(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        if client.life != Life::Running || client.waits {
            return false;
        }
        let after = self.next(state, process).and_then(|instruction| instruction.after);
        after.is_none_or(|other| state.is_dead(other))
    }

    /// Whether a process is in a call that no server has to do with.
    pub(super) fn waits_locally(&self, state: &State, process: ProcessId) -> bool {
        let operation = self.next(state, process).map(|instruction| instruction.operation);
        let local = matches!(operation, Some(Operation::Start { .. } | Operation::Join { .. }));
        state.client(process).waits && local
    }

    pub(super) fn can_send(&self, state: &State, process: ProcessId) -> bool {
        let local = self.waits_locally(state, process);
        (state.server_lives || local) && state.client(process).unsent
    }

    pub(super) fn can_serve(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        let Some((_, request)) = client.requests.first() else { return false };
        if !state.server_lives || client.delivered.is_some() {
            return false;
        }
        // The closed form has looked: nothing is done for the dead. To say that something is done
        // asks for nothing.
        let told = matches!(request, Operation::TaskDone { .. });
        if self.form == Form::Closed && state.is_dead(process) && !told {
            return false;
        }
        let at_once = request.timeout().is_one_try();
        match *request {
            Operation::Put { queue, .. } => at_once || self.has_room(state, queue),
            Operation::Get { queue, .. } => {
                let settled = self.on_its_way(state, queue) == 0;
                settled && (at_once || !state.queue(queue).items.is_empty())
            }
            Operation::JoinQueue { queue } => state.queue(queue).tasks.verdict().is_some(),
            _ => true,
        }
    }

    /// What was put and not taken: an item on its way is inside.
    pub(super) fn occupied(&self, state: &State, queue: QueueId) -> usize {
        state.queue(queue).items.len() + self.on_its_way(state, queue)
    }

    pub(super) fn has_room(&self, state: &State, queue: QueueId) -> bool {
        self.occupied(state, queue) < self.maxsize(queue)
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

    /// What was accepted or said before the end is seen before the end.
    pub(super) fn can_notice(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        let said = |(_, request): &(u16, Operation)| matches!(request, Operation::TaskDone { .. });
        let index = usize::from(process.0);
        let has_taken = state.queues.iter().any(|queue| queue.tasks.taken[index] > 0);
        let has_something = client.delivered.is_some() || !client.requests.is_empty() || has_taken;
        let is_over = state.is_dead(process) && !client.accepted;
        self.form == Form::Closed
            && state.server_lives
            && is_over
            && has_something
            && !client.requests.iter().any(said)
    }

    pub(super) fn can_receive(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        if client.life != Life::Running || !client.waits {
            return false;
        }
        match self.next(state, process).map(|instruction| instruction.operation) {
            Some(Operation::Start { .. }) => !client.unsent,
            Some(Operation::Join { process: child, .. }) => state.is_dead(child),
            _ => !client.answers.is_empty() || !state.server_lives,
        }
    }

    pub(super) fn can_exit(&self, state: &State, process: ProcessId) -> bool {
        let ended = |child| !state.is_alive(child);
        state.client(process).life == Life::Leaving && self.children(process).all(ended)
    }

    pub(super) fn can_expire(&self, state: &State, process: ProcessId) -> bool {
        let client = state.client(process);
        if self.waits_locally(state, process) {
            return client.remaining.is_some();
        }
        let request = client.requests.first();
        let timed = request.and_then(|(_, it)| it.timeout().limit_milliseconds()).is_some();
        let closed_and_dead = self.form == Form::Closed && state.is_dead(process);
        state.server_lives && timed && client.delivered.is_none() && !closed_and_dead
    }
}
