//! The server's bookkeeping as a pure state machine: events in, effects out. It knows no thread,
//! no socket and no clock; sessions only move bytes between it and their connections.
//!
//! Two things make it closed against the deaths of clients:
//!
//! - Nothing is done for a client that waits before its session has *looked*: it is offered its
//!   turn ([`Effect::Look`]), and only [`Event::Present`] carries the call out. A put whose client
//!   died while it waited is never carried out (CPython's is, `MQ4`).
//! - An item is delivered in two steps. While it is on its way it is still inside: it counts as
//!   one of the queue's items, and if its session goes, it is the first again. Only
//!   [`Event::Accepted`] takes it.
//!
//! One item of a queue is on its way at a time, so that none is overtaken by a later one and then
//! comes back (G2). A get that does not wait is answered when that item is settled, so that
//! [`Answer::Empty`] means empty.
//!
//! [`Form::Classic`] leaves both out.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Form;
use super::protocol::{Answer, Call, ClientId, QueueId, Refusal};

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What happens to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client has proved that it has the key.
    Joined {
        /// On which connection.
        session: SessionId,
        /// Who it is.
        client: ClientId,
    },
    /// A call arrived.
    Asked {
        /// On which connection.
        session: SessionId,
        /// Its number.
        request: u64,
        /// What it asks for.
        call: Call,
    },
    /// The caller's time is up.
    Hurried {
        /// On which connection.
        session: SessionId,
        /// The call's number.
        request: u64,
    },
    /// The session has looked, after [`Effect::Look`], and its client is there.
    Present {
        /// Which connection.
        session: SessionId,
    },
    /// The client takes the item that was delivered to it.
    Accepted {
        /// On which connection.
        session: SessionId,
        /// The number of the get.
        request: u64,
    },
    /// The connection has ended, however.
    Gone {
        /// Which connection.
        session: SessionId,
    },
}

/// What a session is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this answer.
    Answer {
        /// On which connection.
        session: SessionId,
        /// To which call.
        request: u64,
        /// The answer.
        answer: Answer,
    },
    /// See whether the client is there, and say so: it is its turn.
    Look {
        /// On which connection.
        session: SessionId,
    },
}

impl Effect {
    /// Whose it is.
    pub fn session(&self) -> SessionId {
        match *self {
            Self::Answer { session, .. } | Self::Look { session } => session,
        }
    }
}

/// The client sent what it may not send now. Its connection is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame out of turn")]
pub struct OutOfTurn;

/// All queues and all clients of a server.
#[derive(Clone, Debug)]
pub struct State {
    form: Form,
    queues_max: usize,
    queues: Vec<Queue>,
    sessions: BTreeMap<SessionId, Session>,
}

#[derive(Clone, Debug)]
struct Session {
    client: ClientId,
    pending: Option<Pending>,
    /// Its client is gone while it waits. Classic form only.
    gone: bool,
}

/// A call that was not answered yet.
#[derive(Clone, Debug)]
struct Pending {
    request: u64,
    queue: usize,
    wants: Wants,
    waits: bool,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Wants {
    Put(Arc<Vec<u8>>),
    Get,
    Join,
}

#[derive(Clone, Debug)]
enum Phase {
    /// It stands in line.
    Queued,
    /// It is first and can be served; its session looks whether the client is there.
    Offered,
    /// This item is on its way to the client.
    Delivered(Arc<Vec<u8>>),
}

#[derive(Clone, Debug, Default)]
struct Queue {
    /// 0 is no bound.
    maxsize: u32,
    items: VecDeque<Arc<Vec<u8>>>,
    /// Whether an item is on its way.
    delivering: bool,
    getters: VecDeque<SessionId>,
    putters: VecDeque<SessionId>,
    joiners: VecDeque<SessionId>,
    tasks: Tasks,
}

/// Who has yet to say `task_done`, and how often.
#[derive(Clone, Debug, Default)]
struct Tasks {
    /// Puts without a `task_done`.
    unfinished: u64,
    /// What each living client took and has not said to be done.
    taken: BTreeMap<ClientId, u64>,
    /// The same of clients that are gone.
    missing: u64,
    /// `task_done` for what somebody else has taken and will not say himself (`JQ4`).
    for_others: u64,
}

impl Tasks {
    fn done_by(&mut self, client: ClientId) -> bool {
        let Some(unfinished) = self.unfinished.checked_sub(1) else { return false };
        self.unfinished = unfinished;
        match self.taken.get_mut(&client) {
            Some(own) if *own > 0 => *own -= 1,
            _ if self.missing > 0 => self.missing -= 1,
            _ => self.for_others += 1,
        }
        true
    }

    fn gone(&mut self, client: ClientId) {
        let taken = self.taken.remove(&client).unwrap_or_default();
        let done_by_others = taken.min(self.for_others);
        self.for_others -= done_by_others;
        self.missing += taken - done_by_others;
    }

    /// What a join is told; `None` where it is to wait.
    fn verdict(&self, waits: bool) -> Option<Answer> {
        match self.unfinished {
            0 => Some(Answer::Done),
            unfinished if unfinished <= self.missing => Some(Answer::Missing(unfinished)),
            unfinished => (!waits).then_some(Answer::Unfinished(unfinished)),
        }
    }
}

impl State {
    /// A server without queues, which has at most so many.
    pub fn new(form: Form, queues_max: usize) -> Self {
        Self { form, queues_max, queues: Vec::new(), sessions: BTreeMap::new() }
    }

    /// Takes note of an event. What follows from it is appended to `effects`.
    ///
    /// # Errors
    /// Where the client may not send that now; nothing has changed then.
    pub fn apply(&mut self, event: Event, effects: &mut Vec<Effect>) -> Result<(), OutOfTurn> {
        match event {
            Event::Joined { session, client } => {
                if self.sessions.contains_key(&session) {
                    return Err(OutOfTurn);
                }
                self.sessions.insert(session, Session { client, pending: None, gone: false });
            }
            Event::Asked { session, request, call } => {
                let Some(Session { pending: None, .. }) = self.sessions.get(&session) else {
                    return Err(OutOfTurn);
                };
                self.asked(session, request, call, effects);
            }
            Event::Hurried { session, request } => self.hurried(session, request, effects),
            Event::Present { session } => self.present(session, effects),
            Event::Accepted { session, request } => self.accepted(session, request, effects)?,
            Event::Gone { session } => self.gone(session, effects),
        }
        Ok(())
    }

    fn asked(&mut self, session: SessionId, request: u64, call: Call, effects: &mut Vec<Effect>) {
        let mut answer = |answer| effects.push(Effect::Answer { session, request, answer });
        let (queue, wants, waits) = match call {
            Call::Create { maxsize } => {
                let created = self.create(maxsize);
                return answer(created.map_or_else(Answer::Refused, Answer::Created));
            }
            Call::Size { queue } => return answer(self.size(queue)),
            Call::TaskDone { queue } => (queue, None, false),
            Call::Put { queue, wait, item } => (queue, Some(Wants::Put(item)), wait),
            Call::Get { queue, wait } => (queue, Some(Wants::Get), wait),
            Call::Join { queue, wait } => (queue, Some(Wants::Join), wait),
        };
        let index = queue.0 as usize;
        let Some(queue) = self.queues.get_mut(index) else {
            return answer(Answer::Refused(Refusal::NoQueue));
        };
        match wants {
            None => {
                let client = self.sessions.get(&session).map(|session| session.client);
                let done = client.is_some_and(|client| queue.tasks.done_by(client));
                answer(if done { Answer::Done } else { Answer::NothingToDo });
            }
            Some(wants) => {
                queue.line(&wants).push_back(session);
                let phase = Phase::Queued;
                let pending = Pending { request, queue: index, wants, waits, phase };
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.pending = Some(pending);
                }
            }
        }
        self.settle(index, effects);
    }

    /// Makes a queue for at most `maxsize` items; 0 is no bound.
    ///
    /// # Errors
    /// Where there are as many as are allowed.
    pub fn create(&mut self, maxsize: u32) -> Result<QueueId, Refusal> {
        match u32::try_from(self.queues.len()) {
            Ok(number) if self.queues.len() < self.queues_max => {
                self.queues.push(Queue { maxsize, ..Queue::default() });
                Ok(QueueId(number))
            }
            _ => Err(Refusal::Queues),
        }
    }

    fn size(&self, queue: QueueId) -> Answer {
        match self.queues.get(queue.0 as usize) {
            Some(queue) => Answer::Size { size: queue.occupied() as u64, maxsize: queue.maxsize },
            None => Answer::Refused(Refusal::NoQueue),
        }
    }

    /// A frame that crossed the answer says nothing any more.
    fn hurried(&mut self, session: SessionId, request: u64, effects: &mut Vec<Effect>) {
        if let Some(pending) = self.pending(session)
            && pending.request == request
        {
            pending.waits = false;
            let queue = pending.queue;
            self.settle(queue, effects);
        }
    }

    /// It may be that it is no longer its turn: then it is offered anew later.
    fn present(&mut self, session: SessionId, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending(session) else { return };
        if matches!(pending.phase, Phase::Offered) {
            self.carry_out(session, effects);
        }
    }

    fn carry_out(&mut self, session: SessionId, effects: &mut Vec<Effect>) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        let Some(pending) = &mut entry.pending else { return };
        let (request, index) = (pending.request, pending.queue);
        let queue = &mut self.queues[index];
        match &pending.wants {
            Wants::Put(item) => {
                queue.items.push_back(Arc::clone(item));
                queue.tasks.unfinished += 1;
                self.answer(session, Answer::Done, effects);
            }
            Wants::Get => {
                let Some(item) = queue.items.pop_front() else {
                    pending.phase = Phase::Queued;
                    return;
                };
                if self.form == Form::Classic {
                    // It is taken, whatever becomes of its way.
                    queue.getters.retain(|&other| other != session);
                } else {
                    queue.delivering = true;
                }
                pending.phase = Phase::Delivered(Arc::clone(&item));
                let answer = Answer::Item(item);
                effects.push(Effect::Answer { session, request, answer });
                self.forget_if_gone(session);
            }
            // A join is answered without looking: nothing is changed by it.
            Wants::Join => {}
        }
        self.settle(index, effects);
    }

    fn accepted(
        &mut self,
        session: SessionId,
        request: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), OutOfTurn> {
        let entry = self.sessions.get(&session).ok_or(OutOfTurn)?;
        let client = entry.client;
        let index = match &entry.pending {
            Some(pending)
                if pending.request == request && matches!(pending.phase, Phase::Delivered(_)) =>
            {
                pending.queue
            }
            _ => return Err(OutOfTurn),
        };
        if self.form == Form::Closed {
            let queue = &mut self.queues[index];
            queue.delivering = false;
            *queue.tasks.taken.entry(client).or_default() += 1;
        }
        self.answer(session, Answer::Done, effects);
        self.settle(index, effects);
        Ok(())
    }

    fn gone(&mut self, session: SessionId, effects: &mut Vec<Effect>) {
        // What its client waits for it goes on to wait for: nobody sees its answer (MQ4).
        if self.form == Form::Classic
            && let Some(entry) = self.sessions.get_mut(&session)
            && let Some(Pending { phase: Phase::Queued, .. }) = &entry.pending
        {
            entry.gone = true;
            return;
        }
        let Some(Session { client, pending, .. }) = self.sessions.remove(&session) else { return };
        if self.form == Form::Classic {
            return;
        }
        if let Some(pending) = pending {
            let queue = &mut self.queues[pending.queue];
            queue.line(&pending.wants).retain(|&other| other != session);
            if let Phase::Delivered(item) = pending.phase {
                queue.delivering = false;
                queue.items.push_front(item);
            }
        }
        if !self.sessions.values().any(|other| other.client == client) {
            self.queues.iter_mut().for_each(|queue| queue.tasks.gone(client));
        }
        for queue in 0..self.queues.len() {
            self.settle(queue, effects);
        }
    }

    fn forget_if_gone(&mut self, session: SessionId) {
        if self.sessions.get(&session).is_some_and(|session| session.gone) {
            self.sessions.remove(&session);
        }
    }

    fn pending(&mut self, session: SessionId) -> Option<&mut Pending> {
        self.sessions.get_mut(&session)?.pending.as_mut()
    }

    /// Ends the call of a session, and its place in line.
    fn answer(&mut self, session: SessionId, answer: Answer, effects: &mut Vec<Effect>) {
        let entry = self.sessions.get_mut(&session);
        let Some(pending) = entry.and_then(|entry| entry.pending.take()) else { return };
        let line = self.queues[pending.queue].line(&pending.wants);
        line.retain(|&other| other != session);
        effects.push(Effect::Answer { session, request: pending.request, answer });
        self.forget_if_gone(session);
    }

    /// Offers and answers what can be offered and answered.
    fn settle(&mut self, index: usize, effects: &mut Vec<Effect>) {
        let queue = &self.queues[index];
        if let Some(&first) = queue.putters.front() {
            let (line, has_room) = (queue.putters.clone(), queue.has_room());
            self.serve(first, &line, has_room, Answer::Full, effects);
        }
        let queue = &self.queues[index];
        if let Some(&first) = queue.getters.front() {
            let (line, has_item) = (queue.getters.clone(), !queue.items.is_empty());
            self.serve(first, &line, has_item, Answer::Empty, effects);
        }
        for session in self.queues[index].joiners.clone() {
            let waits = self.pending(session).is_none_or(|pending| pending.waits);
            if let Some(verdict) = self.queues[index].tasks.verdict(waits) {
                self.answer(session, verdict, effects);
            }
        }
    }

    /// Offers the first in line its turn, or tells those who do not wait that there is nothing.
    /// While somebody is being served nobody else is told anything.
    fn serve(
        &mut self,
        first: SessionId,
        line: &VecDeque<SessionId>,
        can_be_served: bool,
        otherwise: Answer,
        effects: &mut Vec<Effect>,
    ) {
        let form = self.form;
        let Some(pending) = self.pending(first) else { return };
        if !matches!(pending.phase, Phase::Queued) {
            return;
        }
        if can_be_served && form == Form::Classic {
            return self.carry_out(first, effects);
        }
        if can_be_served {
            pending.phase = Phase::Offered;
            effects.push(Effect::Look { session: first });
            return;
        }
        for &session in line {
            if self.pending(session).is_some_and(|pending| !pending.waits) {
                self.answer(session, otherwise.clone(), effects);
            }
        }
    }
}

impl Queue {
    /// Items that were put and that nobody has taken.
    fn occupied(&self) -> usize {
        self.items.len() + usize::from(self.delivering)
    }

    fn has_room(&self) -> bool {
        self.maxsize == 0 || self.occupied() < self.maxsize as usize
    }

    fn line(&mut self, wants: &Wants) -> &mut VecDeque<SessionId> {
        match wants {
            Wants::Put(_) => &mut self.putters,
            Wants::Get => &mut self.getters,
            Wants::Join => &mut self.joiners,
        }
    }
}
