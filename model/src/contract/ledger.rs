//! What a history says about each item, lane, process and queue: the part that the guarantees
//! share. It keeps what can still matter and forgets the rest, because it multiplies the states
//! of an exploration.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::clone::clone_by_field;
use crate::event::{End, Event};
use crate::program::{
    Exit, ItemId, LaneId, Operation, Outcome, ProcessId, Program, QueueId, Timeout,
};

/// The parts of the program that judging needs. No part of a state: all states share it.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    /// The most items in each queue; 0 is no bound.
    maxsize: Box<[u32]>,
    /// The producer and the queue of each item.
    items: Box<[(ProcessId, QueueId)]>,
    /// The process of each lane.
    lanes: Box<[ProcessId]>,
    /// Whether each queue counts tasks.
    joinable: Box<[bool]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Shared(Arc<Shape>);

impl Hash for Shared {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What the history says about an item's put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Put {
    /// Not called, or called and refused.
    #[default]
    Not,
    /// Called and not returned.
    Called,
    /// Returned without an error.
    Accepted,
    /// Called, and its process died in it: the item may be inside or not.
    Orphaned,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct ItemRecord {
    put: Put,
    got: bool,
    /// Nobody holds it and it is not inside: a get that should have found it found nothing, or
    /// a later item of the same producer.
    absent: bool,
    /// How many puts of its producer into its queue had been accepted when its own was called,
    /// and when its own had been accepted (0 before that). Forgotten once it has been got.
    called_at: u16,
    accepted_at: u16,
    /// The gets that cannot have taken it: they had come to their end when its put was called.
    earlier: Takes,
}

impl ItemRecord {
    /// Accepted, and nobody has it.
    fn is_owed(&self) -> bool {
        self.put == Put::Accepted && !self.got
    }

    /// Forgets what no longer matters about an item that has been put and got.
    fn settle(&mut self) {
        if self.got && self.put != Put::Called {
            *self = Self { put: self.put, got: true, ..Self::default() };
        }
    }
}

/// The call that a lane is in, as far as the guarantees look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Call {
    /// In no call.
    #[default]
    None,
    Put {
        queue: QueueId,
        item: ItemId,
    },
    Get {
        queue: QueueId,
        /// No other get on the queue overlaps it, and no process has died since it was called.
        alone: bool,
    },
    Join(ProcessId),
    /// `close` or `join_thread`.
    Close(QueueId),
    /// `task_done`.
    TaskDone(QueueId),
    /// `join` of a queue.
    JoinQueue(QueueId),
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct LaneRecord {
    call: Call,
    /// The call may wait for a limited time only.
    limited: bool,
}

/// Whether and how a process has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Life {
    #[default]
    Living,
    Exited,
    Killed,
}

/// Gets on one queue that may have taken an item which nobody will see, one that was being put by
/// then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Takes {
    /// Their process died in them.
    dead: u16,
    /// They ended with garbage or an error of the stream.
    failed: u16,
}

impl Takes {
    fn all(self) -> usize {
        usize::from(self.dead) + usize::from(self.failed)
    }
}

/// One event, with what the ledger knows about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    PutCalled { lane: LaneId, queue: QueueId, item: ItemId },
    PutAccepted { lane: LaneId, queue: QueueId, item: ItemId },
    PutRefused { lane: LaneId, queue: QueueId, item: ItemId, outcome: Outcome },
    GetCalled { lane: LaneId, queue: QueueId },
    Got { lane: LaneId, queue: QueueId, item: ItemId },
    GetEnded { lane: LaneId, queue: QueueId, outcome: Outcome },
    OtherCalled { lane: LaneId, operation: Operation },
    TaskDone { lane: LaneId, queue: QueueId },
    OtherEnded { lane: LaneId },
    Overdue { lane: LaneId },
    Died { process: ProcessId, exit: Exit },
    Nothing,
}

/// What is known from the history so far.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Ledger {
    shape: Shared,
    items: Box<[ItemRecord]>,
    lanes: Box<[LaneRecord]>,
    lives: Box<[Life]>,
    takes: Box<[Takes]>,
    /// Puts accepted, for each process and queue.
    accepted: Box<[u16]>,
    /// Items got and not reported done, for each process and queue that counts tasks. It may be
    /// negative: a process may report for another (`JQ4`).
    held: Box<[i16]>,
}

clone_by_field!(Ledger { shape, items, lanes, lives, takes, accepted, held });

impl Ledger {
    pub(super) fn new(program: &Program) -> Self {
        let shape = Shape {
            maxsize: program.queues.iter().map(|queue| queue.maxsize).collect(),
            items: program.items.iter().map(|item| (item.producer, item.queue)).collect(),
            lanes: program.lanes().iter().map(|lane| lane.process).collect(),
            joinable: program.queues.iter().map(|it| it.kind.counts_tasks()).collect(),
        };
        let processes = program.processes.len();
        Self {
            items: vec![ItemRecord::default(); shape.items.len()].into(),
            lanes: vec![LaneRecord::default(); shape.lanes.len()].into(),
            lives: vec![Life::default(); processes].into(),
            takes: vec![Takes::default(); shape.maxsize.len()].into(),
            accepted: vec![0; processes * shape.maxsize.len()].into(),
            held: vec![0; processes * shape.maxsize.len()].into(),
            shape: Shared(Arc::new(shape)),
        }
    }

    /// Forgets the history.
    pub(super) fn reset(&mut self) {
        self.items.fill(ItemRecord::default());
        self.lanes.fill(LaneRecord::default());
        self.lives.fill(Life::default());
        self.takes.fill(Takes::default());
        self.accepted.fill(0);
        self.held.fill(0);
    }

    /// What an event means, before it is [applied](Self::apply).
    #[inline]
    pub(super) fn fact(&self, event: &Event) -> Fact {
        match *event {
            Event::Call { lane, operation } => match operation {
                Operation::Put { queue, item, .. } => Fact::PutCalled { lane, queue, item },
                Operation::Get { queue, .. } => Fact::GetCalled { lane, queue },
                operation => Fact::OtherCalled { lane, operation },
            },
            Event::Return { lane, outcome } => match (self.call(lane), outcome) {
                (Call::Put { queue, item }, Outcome::Done) => {
                    Fact::PutAccepted { lane, queue, item }
                }
                (Call::Put { queue, item }, _) => Fact::PutRefused { lane, queue, item, outcome },
                (Call::Get { queue, .. }, Outcome::Item(item)) => Fact::Got { lane, queue, item },
                (Call::Get { queue, .. }, _) => Fact::GetEnded { lane, queue, outcome },
                (Call::TaskDone(queue), Outcome::Done) => Fact::TaskDone { lane, queue },
                _ => Fact::OtherEnded { lane },
            },
            Event::Overdue { lane } => Fact::Overdue { lane },
            Event::Death { process, exit } if self.is_living(process) => {
                Fact::Died { process, exit }
            }
            Event::Death { .. } | Event::Leave { .. } => Fact::Nothing,
        }
    }

    /// Takes note of an event. `limit` is the timeout of the operation where it is a call.
    #[inline]
    pub(super) fn apply(&mut self, fact: Fact, limit: Timeout) {
        match fact {
            Fact::PutCalled { lane, queue, item } => {
                self.enter(lane, Call::Put { queue, item }, limit);
                let called_at = self.accepted_count(item).map_or(0, |count| *count);
                let earlier = self.takes(queue);
                if let Some(record) = self.items.get_mut(usize::from(item.0)) {
                    record.put = Put::Called;
                    record.called_at = called_at;
                    record.accepted_at = 0;
                    record.earlier = earlier;
                }
            }
            Fact::PutAccepted { lane, item, .. } => {
                self.enter(lane, Call::None, Timeout::Never);
                let accepted_at = self.accepted_count(item).map_or(0, |count| {
                    *count = count.saturating_add(1);
                    *count
                });
                if let Some(record) = self.items.get_mut(usize::from(item.0)) {
                    record.put = Put::Accepted;
                    record.accepted_at = accepted_at;
                    record.settle();
                }
            }
            Fact::PutRefused { lane, item, .. } => {
                self.enter(lane, Call::None, Timeout::Never);
                if let Some(record) = self.items.get_mut(usize::from(item.0)) {
                    *record = ItemRecord { got: record.got, ..ItemRecord::default() };
                }
            }
            Fact::GetCalled { lane, queue } => self.get_called(lane, queue, limit),
            Fact::Got { lane, queue, item } => self.got(lane, queue, item),
            Fact::GetEnded { lane, queue, outcome } => self.get_ended(lane, queue, outcome),
            Fact::OtherCalled { lane, operation } => {
                let call = match operation {
                    Operation::Join { process, .. } => Call::Join(process),
                    Operation::Close { queue } | Operation::JoinThread { queue } => {
                        Call::Close(queue)
                    }
                    Operation::TaskDone { queue } => Call::TaskDone(queue),
                    Operation::JoinQueue { queue } => Call::JoinQueue(queue),
                    _ => Call::Other,
                };
                self.enter(lane, call, limit);
            }
            Fact::TaskDone { lane, queue } => {
                self.enter(lane, Call::None, Timeout::Never);
                self.hold(lane, queue, -1);
            }
            Fact::OtherEnded { lane } => self.enter(lane, Call::None, Timeout::Never),
            Fact::Died { process, exit } => self.died(process, exit),
            Fact::Overdue { .. } | Fact::Nothing => {}
        }
    }

    fn enter(&mut self, lane: LaneId, call: Call, limit: Timeout) {
        if let Some(record) = self.lanes.get_mut(usize::from(lane.0)) {
            *record = LaneRecord { call, limited: limit != Timeout::Never };
        }
    }

    fn get_called(&mut self, lane: LaneId, queue: QueueId, limit: Timeout) {
        let mut first = true;
        for record in &mut self.lanes {
            if let Call::Get { queue: other, alone } = &mut record.call
                && *other == queue
            {
                first = false;
                *alone = false;
            }
        }
        self.enter(lane, Call::Get { queue, alone: first }, limit);
    }

    fn got(&mut self, lane: LaneId, queue: QueueId, item: ItemId) {
        self.enter(lane, Call::None, Timeout::Never);
        // With no other get under way nobody can hold an earlier item of the same producer, and
        // whoever gets it from now on would get it out of order: it is no longer inside.
        if self.gets_under_way(queue) == 0 {
            for earlier in self.all_items() {
                let before = self.queue_of(earlier) == Some(queue) && self.precedes(earlier, item);
                if before && self.is_owed(earlier) {
                    self.items[usize::from(earlier.0)].absent = true;
                }
            }
        }
        self.hold(lane, queue, 1);
        if let Some(record) = self.items.get_mut(usize::from(item.0)) {
            record.got = true;
            record.settle();
        }
    }

    fn get_ended(&mut self, lane: LaneId, queue: QueueId, outcome: Outcome) {
        let call = self.call(lane);
        self.enter(lane, Call::None, Timeout::Never);
        match outcome {
            // What a dead process has put is in the pipe or nowhere: a get that had the queue to
            // itself and began after the death must have found it. (What a living one has put
            // may still be in its buffer, O4.)
            Outcome::Empty if call == (Call::Get { queue, alone: true }) => {
                for item in self.all_items() {
                    let (producer, of) = self.shape.0.items[usize::from(item.0)];
                    let dead = of == queue && !self.is_living(producer);
                    let record = &mut self.items[usize::from(item.0)];
                    let may_be_inside = matches!(record.put, Put::Accepted | Put::Orphaned);
                    record.absent |= dead && may_be_inside && !record.got;
                }
            }
            Outcome::Garbage | Outcome::EndOfFile | Outcome::Torn | Outcome::Failed => {
                if let Some(takes) = self.takes.get_mut(usize::from(queue.0)) {
                    takes.failed = takes.failed.saturating_add(1);
                }
            }
            _ => {}
        }
    }

    fn died(&mut self, process: ProcessId, exit: Exit) {
        if let Some(life) = self.lives.get_mut(usize::from(process.0)) {
            *life = match exit {
                Exit::Code(_) => Life::Exited,
                Exit::Signal(_) => Life::Killed,
            };
        }
        for (record, &owner) in self.lanes.iter_mut().zip(&self.shape.0.lanes) {
            if owner != process {
                if let Call::Get { alone, .. } = &mut record.call {
                    *alone = false;
                }
                continue;
            }
            match std::mem::take(record).call {
                Call::Get { queue, .. } => {
                    if let Some(takes) = self.takes.get_mut(usize::from(queue.0)) {
                        takes.dead = takes.dead.saturating_add(1);
                    }
                }
                Call::Put { item, .. } => {
                    if let Some(record) = self.items.get_mut(usize::from(item.0)) {
                        record.put = Put::Orphaned;
                        record.settle();
                    }
                }
                _ => {}
            }
        }
    }

    /// A lane's process holds so many tasks more.
    fn hold(&mut self, lane: LaneId, queue: QueueId, more: i16) {
        let counts = self.shape.0.joinable.get(usize::from(queue.0)) == Some(&true);
        let Some(process) = self.process_of(lane).filter(|_| counts) else { return };
        let index = usize::from(process.0) * self.shape.0.maxsize.len() + usize::from(queue.0);
        if let Some(held) = self.held.get_mut(index) {
            *held = held.saturating_add(more);
        }
    }

    fn accepted_count(&mut self, item: ItemId) -> Option<&mut u16> {
        let &(producer, queue) = self.shape.0.items.get(usize::from(item.0))?;
        let queues = self.shape.0.maxsize.len();
        self.accepted.get_mut(usize::from(producer.0) * queues + usize::from(queue.0))
    }
}

/// Questions about items.
impl Ledger {
    pub(super) fn item_count(&self) -> usize {
        self.items.len()
    }

    /// Every item. It borrows nothing of the ledger.
    fn all_items(&self) -> impl Iterator<Item = ItemId> + use<> {
        (0..self.items.len()).filter_map(|item| u16::try_from(item).ok().map(ItemId))
    }

    /// The items that belong to a queue.
    pub(super) fn items_of(&self, queue: QueueId) -> impl Iterator<Item = ItemId> {
        let items = (0u16..).map(ItemId).zip(&self.shape.0.items);
        items.filter(move |(_, (_, of))| *of == queue).map(|(item, _)| item)
    }

    /// The queue that an item is for; none for an item that the program does not name.
    pub(super) fn queue_of(&self, item: ItemId) -> Option<QueueId> {
        self.shape.0.items.get(usize::from(item.0)).map(|&(_, queue)| queue)
    }

    fn record(&self, item: ItemId) -> ItemRecord {
        self.items.get(usize::from(item.0)).copied().unwrap_or_default()
    }

    pub(super) fn put(&self, item: ItemId) -> Put {
        self.record(item).put
    }

    pub(super) fn is_got(&self, item: ItemId) -> bool {
        self.record(item).got
    }

    /// Accepted, and got by nobody.
    pub(super) fn is_owed(&self, item: ItemId) -> bool {
        self.record(item).is_owed()
    }

    pub(super) fn is_absent(&self, item: ItemId) -> bool {
        self.record(item).absent
    }

    /// Whether one item's put had returned before the other's was called, by the same process
    /// into the same queue.
    pub(super) fn precedes(&self, earlier: ItemId, later: ItemId) -> bool {
        let shape = &self.shape.0.items;
        let (first, second) = (self.record(earlier), self.record(later));
        earlier != later
            && shape.get(usize::from(earlier.0)) == shape.get(usize::from(later.0))
            && second.put != Put::Not
            && first.accepted_at > 0
            && first.accepted_at <= second.called_at
    }
}

/// Questions about lanes, processes and queues.
impl Ledger {
    pub(super) fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = (LaneId, Call)> {
        (0u8..).map(LaneId).zip(self.lanes.iter().map(|record| record.call))
    }

    pub(super) fn process_of(&self, lane: LaneId) -> Option<ProcessId> {
        self.shape.0.lanes.get(usize::from(lane.0)).copied()
    }

    /// The call that a lane is in.
    pub(super) fn call(&self, lane: LaneId) -> Call {
        self.lanes.get(usize::from(lane.0)).map_or(Call::None, |record| record.call)
    }

    /// Whether a lane is in a call that may wait for a limited time only.
    pub(super) fn is_limited(&self, lane: LaneId) -> bool {
        self.lanes.get(usize::from(lane.0)).is_some_and(|record| record.limited)
    }

    pub(super) fn is_living(&self, process: ProcessId) -> bool {
        self.lives.get(usize::from(process.0)).is_some_and(|life| *life == Life::Living)
    }

    /// Whether a signal has killed the producer of an item.
    pub(super) fn is_of_killed(&self, item: ItemId) -> bool {
        let producer = self.shape.0.items.get(usize::from(item.0)).map(|&(producer, _)| producer);
        producer.and_then(|producer| self.lives.get(usize::from(producer.0))) == Some(&Life::Killed)
    }

    /// Whether a signal has killed any process: the only fault that the guarantees know.
    pub(super) fn has_fault(&self) -> bool {
        self.lives.contains(&Life::Killed)
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0u8..).take(self.takes.len()).map(QueueId)
    }

    /// Whether somebody who was not killed can still report a task of a queue done: one that its
    /// process holds, or one that may be there to be got.
    pub(super) fn has_open_task(&self, queue: QueueId) -> bool {
        let queues = self.shape.0.maxsize.len();
        let held = self.held.iter().skip(usize::from(queue.0)).step_by(queues.max(1));
        let open = |(held, life): (&i16, &Life)| *life != Life::Killed && *held > 0;
        let mut items = self.items_of(queue);
        let inside = |item| self.is_owed(item) && !self.is_absent(item);
        items.any(inside) || held.zip(&self.lives).any(open)
    }

    /// The most items that a queue may hold; none is no bound.
    pub(super) fn bound(&self, queue: QueueId) -> Option<usize> {
        let maxsize = self.shape.0.maxsize.get(usize::from(queue.0)).copied()?;
        usize::try_from(maxsize).ok().filter(|&maxsize| maxsize > 0)
    }

    /// Gets by the living that have been called and not returned.
    pub(super) fn gets_under_way(&self, queue: QueueId) -> usize {
        let on_queue = |call| matches!(call, Call::Get { queue: other, .. } if other == queue);
        self.lanes.iter().filter(|record| on_queue(record.call)).count()
    }

    fn takes(&self, queue: QueueId) -> Takes {
        self.takes.get(usize::from(queue.0)).copied().unwrap_or_default()
    }

    /// Gets that may have taken an item which nobody will see: those of the dead, and those that
    /// ended with garbage or an error of the stream.
    pub(super) fn doubtful_gets(&self, queue: QueueId) -> usize {
        self.takes(queue).all()
    }

    /// How many of these items of a queue no get can have taken, of those that `count` counts: each
    /// takes one, and none that was put only after it had come to its end. (Of what was put behind
    /// the first n gets only the others can have taken any.)
    fn not_taken(
        &self,
        queue: QueueId,
        count: impl Fn(Takes) -> usize,
        of: impl Fn(&ItemId) -> bool,
    ) -> usize {
        let gets = count(self.takes(queue));
        let put_behind = |first: usize| {
            let items = self.items_of(queue).filter(&of);
            items.filter(|&item| count(self.record(item).earlier) >= first).count()
        };
        let left = |first| put_behind(first).saturating_sub(gets - first);
        (0..=gets).map(left).max().unwrap_or(0)
    }

    /// The most items that may be inside, if the put of `besides` has no effect (yet): everything
    /// accepted or in the middle of a put, of the dead too, that is neither got nor absent.
    pub(super) fn occupancy_max(&self, queue: QueueId, besides: Option<ItemId>) -> usize {
        let inside = |item: &ItemId| {
            let record = self.record(*item);
            record.put != Put::Not && !record.got && !record.absent && Some(*item) != besides
        };
        self.items_of(queue).filter(inside).count()
    }
}

/// Questions about how it all ended.
impl Ledger {
    /// The survivors' gets on a queue that are blocked for ever.
    pub(super) fn blocked_gets(&self, queue: QueueId, end: &End) -> impl Iterator<Item = LaneId> {
        let on_queue = move |call| matches!(call, Call::Get { queue: other, .. } if other == queue);
        let blocked = end.blocked.iter().filter(|blocked| !blocked.leaving);
        blocked.map(|blocked| blocked.lane).filter(move |&lane| on_queue(self.call(lane)))
    }

    /// The survivors' puts that are blocked for ever, with their queues.
    pub(super) fn blocked_puts(&self, end: &End) -> impl Iterator<Item = (LaneId, QueueId)> {
        let blocked = end.blocked.iter().filter(|blocked| !blocked.leaving);
        blocked.filter_map(|blocked| match self.call(blocked.lane) {
            Call::Put { queue, .. } => Some((blocked.lane, queue)),
            _ => None,
        })
    }

    /// How many items must be inside at the end: what is owed, less what is known to be absent
    /// or may have been taken without being seen.
    pub(super) fn available(&self, queue: QueueId) -> usize {
        let owed = |item: &ItemId| self.is_owed(*item);
        let there = self.items_of(queue).filter(|item| owed(item) && !self.is_absent(*item));
        there.count().min(self.not_taken(queue, Takes::all, owed))
    }

    /// The most items that may be inside at the end. A get that is rightly blocked says that
    /// there is none. Puts that are blocked themselves take up no room: they can be served.
    pub(super) fn occupancy_at_end(&self, queue: QueueId, end: &End) -> usize {
        if self.available(queue) == 0 && self.blocked_gets(queue, end).next().is_some() {
            return 0;
        }
        let inside = |item: &ItemId| {
            let record = self.record(*item);
            let put = matches!(record.put, Put::Accepted | Put::Orphaned);
            put && !record.got && !record.absent
        };
        self.items_of(queue).filter(inside).count()
    }

    /// Whether more items of a queue are lost for certain than processes can have taken along that
    /// died in a get; the first of the lost. Lost is all that is owed where a survivor waits for ever
    /// to get one, else all that is owed and absent.
    pub(super) fn lost_beyond_gets(&self, queue: QueueId, end: &End) -> Option<ItemId> {
        let nobody_comes = self.blocked_gets(queue, end).next().is_some();
        let lost = |item: &ItemId| self.is_owed(*item) && (nobody_comes || self.is_absent(*item));
        let beyond = self.not_taken(queue, |takes| usize::from(takes.dead), lost);
        self.items_of(queue).find(lost).filter(|_| beyond > 0)
    }
}
