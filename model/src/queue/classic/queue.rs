//! The steps of calls on a queue and of its feeder.

use crate::event::Event;
use crate::os::pipe::Taken;
use crate::program::{
    ItemId, LaneId, LaneRole, Operation, Outcome, ProcessId, QueueId, QueueKind, Timeout,
};
use crate::step::StepResult;

use super::point::Point;
use super::state::{Entry, LaneState, State};
use super::{Classic, Events, HEADER_BYTES, ONE_WRITE_MAX};

impl Classic {
    /// A step of `put`.
    pub(super) fn step_put(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        let (process, queue) = (self.process_of(lane), self.queue_of(state, lane));
        let next = match state.lane(lane).point {
            Point::Put if state.local(process, queue).closed => {
                self.finish(state, lane, Outcome::Closed, events);
                return StepResult::Done;
            }
            Point::Put => {
                self.start_deadline(state, lane);
                Point::PutAcquire
            }
            Point::PutAcquire => {
                if !state.queue_mut(queue).slots.try_wait() {
                    self.unavailable(state, lane, events);
                    return StepResult::Unavailable;
                }
                Point::PutLock
            }
            Point::PutLock => {
                let counts = state.queue(queue).tasks.is_some();
                let local = state.local_mut(process, queue);
                local.locked_by = Some(lane);
                match (counts, local.feeder_started) {
                    (true, _) => Point::PutTasksLock,
                    (false, true) => Point::PutAppend,
                    (false, false) => Point::PutStart,
                }
            }
            Point::PutStart => {
                self.start_feeder(state, process, queue);
                Point::PutAppend
            }
            Point::PutAppend => {
                let operation = self.operation_of(state, lane);
                if let Some(&Operation::Put { item, .. }) = operation {
                    state.local_mut(process, queue).buffer.push_back(Entry::Item(item));
                }
                let counts = state.queue(queue).tasks.is_some();
                if counts { Point::PutCount } else { Point::PutNotify }
            }
            Point::PutNotify => {
                let local = state.local_mut(process, queue);
                local.notified |= local.sleeping;
                let counts = state.queue(queue).tasks.is_some();
                if counts { Point::PutTasksUnlock } else { Point::PutUnlock }
            }
            Point::PutUnlock => {
                state.local_mut(process, queue).locked_by = None;
                let outcome = state.lane(lane).failure.unwrap_or(Outcome::Done);
                self.finish(state, lane, outcome, events);
                return StepResult::Done;
            }
            _ => match self.step_count(state, lane) {
                Some(next) => next,
                None => return StepResult::Done,
            },
        };
        state.lane_mut(lane).point = next;
        StepResult::Done
    }

    /// `p3`: the feeder starts and the finalizers are registered (`Q5`).
    fn start_feeder(&self, state: &mut State, process: ProcessId, queue: QueueId) {
        let local = state.local_mut(process, queue);
        local.buffer.clear();
        local.feeder_started = true;
        local.close_pending = true;
        local.join_pending = !local.join_cancelled;
        state.process_mut(process).feeders.push(queue);
        let feeder = self.program.feeder_of(process, queue);
        state.lane_mut(feeder).point = Point::FeedLock;
    }

    /// A step of `get` that moves no bytes.
    pub(super) fn step_get(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        let (process, queue) = (self.process_of(lane), self.queue_of(state, lane));
        let timed = self.timeout_of(state, lane) != Timeout::Never;
        let next = match state.lane(lane).point {
            Point::Get if state.local(process, queue).closed => {
                self.finish(state, lane, Outcome::Closed, events);
                return StepResult::Done;
            }
            Point::Get => {
                self.start_deadline(state, lane);
                Point::GetAcquire
            }
            Point::GetAcquire => {
                let lock = &mut state.queue_mut(queue).read_lock;
                if !lock.semaphore.try_wait() {
                    if self.goes_on_without(state, lane) {
                        state.lane_mut(lane).point = Point::GetHeader;
                    } else {
                        self.unavailable(state, lane, events);
                    }
                    return StepResult::Unavailable;
                }
                lock.holder = Some(lane);
                if timed { Point::GetPoll } else { Point::GetHeader }
            }
            Point::GetPoll => return self.step_poll(state, lane, queue, events),
            Point::GetReleaseSlot => {
                // Every frame in the pipe has taken a slot: only an altered protocol fails here.
                let posted = state.queue_mut(queue).slots.post();
                match (posted, timed) {
                    (Ok(()), false) => Point::GetDecode,
                    (Err(_), false) => {
                        self.finish(state, lane, Outcome::Failed, events);
                        return StepResult::Done;
                    }
                    (posted, true) => {
                        state.lane_mut(lane).failure = posted.err().map(|_| Outcome::Failed);
                        Point::GetReleaseLock
                    }
                }
            }
            Point::GetReleaseLock => {
                let lock = &mut state.queue_mut(queue).read_lock;
                // A lock that was not taken cannot be given back (SL2).
                let posted = lock.semaphore.post();
                lock.holder = None;
                let failed = posted.err().map(|_| Outcome::Failed);
                if let Some(failure) = state.lane(lane).failure.or(failed) {
                    self.finish(state, lane, failure, events);
                    return StepResult::Done;
                }
                let simple = self.kind(queue) == QueueKind::Simple;
                if timed || simple { Point::GetDecode } else { Point::GetReleaseSlot }
            }
            _ => {
                let outcome = state.lane(lane).item.map_or(Outcome::Garbage, Outcome::Item);
                self.finish(state, lane, outcome, events);
                return StepResult::Done;
            }
        };
        state.lane_mut(lane).point = next;
        StepResult::Done
    }

    fn step_poll(
        &self,
        state: &mut State,
        lane: LaneId,
        queue: QueueId,
        events: &mut Events,
    ) -> StepResult {
        if !state.local(self.process_of(lane), queue).reader_open {
            let current = state.lane_mut(lane);
            current.failure = Some(Outcome::HandleClosed);
            current.point = Point::GetReleaseLock;
            return StepResult::BadDescriptor;
        }
        if state.queue(queue).pipe.preview_read(1) == Taken::WouldBlock {
            self.unavailable(state, lane, events);
            return StepResult::Unavailable;
        }
        state.lane_mut(lane).point = Point::GetHeader;
        StepResult::Ready
    }

    /// Telling the feeder to end and waiting for it: by `close` and `join_thread`, or on leaving.
    pub(super) fn step_finalizer(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        let (process, queue) = (self.process_of(lane), self.queue_of(state, lane));
        let point = state.lane(lane).point;
        let local = state.local_mut(process, queue);
        let next = match point {
            Point::SentinelLock => {
                local.locked_by = Some(lane);
                Point::SentinelAppend
            }
            Point::SentinelAppend => {
                local.buffer.push_back(Entry::Sentinel);
                Point::SentinelNotify
            }
            Point::SentinelNotify => {
                local.notified |= local.sleeping;
                Point::SentinelUnlock
            }
            _ => {
                if point == Point::SentinelUnlock {
                    local.locked_by = None;
                }
                if state.lane(lane).leaving.is_some() {
                    self.leave_on(state, lane);
                } else {
                    self.finish(state, lane, Outcome::Done, events);
                }
                return StepResult::Done;
            }
        };
        state.lane_mut(lane).point = next;
        StepResult::Done
    }

    /// The calls of one step, or whose first step decides.
    pub(super) fn step_small_call(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        let (process, queue) = (self.process_of(lane), self.queue_of(state, lane));
        let point = state.lane(lane).point;
        let local = state.local_mut(process, queue);
        let mut result = StepResult::Done;
        let outcome = match point {
            Point::ReadValue => {
                let slots = state.queue(queue).slots;
                result = StepResult::Value(slots.value());
                match self.operation_of(state, lane) {
                    Some(Operation::Full { .. }) => Outcome::Bool(slots.value() == 0),
                    _ => Outcome::Number(slots.maximum() - slots.value()),
                }
            }
            Point::LookInPipe if !local.reader_open => {
                result = StepResult::BadDescriptor;
                Outcome::HandleClosed
            }
            Point::LookInPipe => {
                let ready = state.queue(queue).pipe.preview_read(1) != Taken::WouldBlock;
                result = if ready { StepResult::Ready } else { StepResult::Unavailable };
                Outcome::Bool(!ready)
            }
            Point::Close => {
                local.closed = true;
                if std::mem::take(&mut local.close_pending) {
                    state.lane_mut(lane).point = Point::SentinelLock;
                    return StepResult::Done;
                }
                Outcome::Done
            }
            Point::JoinThread if !local.closed => Outcome::NotClosed,
            Point::JoinThread => {
                if std::mem::take(&mut local.join_pending) {
                    state.lane_mut(lane).point = Point::FeederJoin;
                    return StepResult::Done;
                }
                Outcome::Done
            }
            Point::CancelJoinThread => {
                local.join_cancelled = true;
                local.join_pending = false;
                Outcome::Done
            }
            Point::CloseWriter => {
                state.close_writer(process, queue);
                Outcome::Done
            }
            Point::ForceReadLock | Point::ForceWriteLock => {
                let shared = state.queue_mut(queue);
                let reads = point == Point::ForceReadLock;
                let lock = if reads { &mut shared.read_lock } else { &mut shared.write_lock };
                lock.holder = None;
                // A lock that nobody holds cannot be given back (SL2).
                lock.semaphore.post().map_or(Outcome::TooMany, |()| Outcome::Done)
            }
            _ => {
                state.close_reader(process, queue);
                Outcome::Done
            }
        };
        self.finish(state, lane, outcome, events);
        result
    }

    /// A step of a feeder that moves no bytes.
    pub(super) fn step_feeder(&self, state: &mut State, lane: LaneId) -> StepResult {
        if state.lane(lane).point == Point::SendAcquire {
            return self.step_send_acquire(state, lane);
        }
        let process = self.process_of(lane);
        let LaneRole::Feeder(queue) = self.role(lane) else { return StepResult::Done };
        let point = state.lane(lane).point;
        let local = state.local_mut(process, queue);
        let next = match point {
            Point::FeedLock => {
                local.locked_by = Some(lane);
                if local.buffer.is_empty() { Point::FeedWait } else { Point::FeedUnlock }
            }
            Point::FeedWait => {
                local.locked_by = None;
                local.sleeping = true;
                Point::FeedWake
            }
            Point::FeedWake => {
                local.locked_by = Some(lane);
                local.sleeping = false;
                local.notified = false;
                Point::FeedUnlock
            }
            Point::FeedUnlock => {
                local.locked_by = None;
                Point::FeedPop
            }
            Point::FeedPop => match local.buffer.pop_front() {
                None => Point::FeedLock,
                Some(Entry::Sentinel) => Point::FeedCloseReader,
                Some(Entry::Item(item)) => {
                    state.lane_mut(lane).item = Some(item);
                    Point::SendEncode
                }
            },
            Point::FeedCloseReader => {
                state.close_reader(process, queue);
                Point::FeedCloseWriter
            }
            Point::FeedCloseWriter => {
                state.close_writer(process, queue);
                state.lane_mut(lane).end();
                return StepResult::Done;
            }
            _ => self.step_feed_item(state, lane, queue, point),
        };
        state.lane_mut(lane).point = next;
        StepResult::Done
    }

    /// The feeder with an item in its hand: encode, lock, unlock, give back after an error.
    fn step_feed_item(
        &self,
        state: &mut State,
        lane: LaneId,
        queue: QueueId,
        point: Point,
    ) -> Point {
        match point {
            Point::SendEncode => Point::SendAcquire,
            Point::SendRelease => {
                let lock = &mut state.queue_mut(queue).write_lock;
                // A lock that was not taken cannot be given back (SL2).
                let posted = lock.semaphore.post();
                lock.holder = None;
                let current = state.lane_mut(lane);
                current.item = None;
                let failed = current.failure.take().is_some() || posted.is_err();
                if failed && self.is_exiting(state, self.process_of(lane)) {
                    // The slot stays taken, and what is left in the buffer is not sent (Q6).
                    state.lane_mut(lane).end();
                    return Point::Ended;
                }
                if failed { Point::FeedGiveBack } else { Point::FeedPop }
            }
            _ => match state.queue_mut(queue).slots.post() {
                Ok(()) => Point::FeedLock,
                // An error while handling an error ends the thread.
                Err(_) => {
                    state.lane_mut(lane).end();
                    Point::Ended
                }
            },
        }
    }

    /// The feeder takes the write lock; it does not look at whether it got it, since it waits
    /// without a bound.
    pub(super) fn step_send_acquire(&self, state: &mut State, lane: LaneId) -> StepResult {
        let queue = self.queue_of(state, lane);
        let lock = &mut state.queue_mut(queue).write_lock;
        let taken = lock.semaphore.try_wait();
        if taken {
            lock.holder = Some(lane);
        }
        let current = state.lane_mut(lane);
        current.point = current.item.map_or(Point::SendWriteFrame, |item| self.first_write(item));
        if taken { StepResult::Done } else { StepResult::Unavailable }
    }

    /// How the sending of an item begins (`WF2`).
    pub(super) fn first_write(&self, item: ItemId) -> Point {
        if self.payload_bytes(item) > ONE_WRITE_MAX {
            Point::SendWriteHeader
        } else {
            Point::SendWriteFrame
        }
    }

    /// The payload of an item in bytes.
    pub(super) fn payload_bytes(&self, item: ItemId) -> u32 {
        self.program.items[usize::from(item.0)].bytes
    }

    /// The bytes of the transfer that a lane is in or comes to.
    pub(super) fn transfer_bytes(&self, state: &State, lane: LaneId) -> u32 {
        let LaneState { item, garbled, .. } = *state.lane(lane);
        let payload = item.map_or(0, |item| self.payload_bytes(item));
        match state.lane(lane).point {
            Point::SendWriteFrame => HEADER_BYTES + payload,
            Point::GetBody => garbled.unwrap_or(payload),
            Point::SendWriteBody => payload,
            _ => HEADER_BYTES,
        }
    }

    /// The lane's call ends: it returns, and the lane goes on with its next instruction.
    pub(super) fn finish(
        &self,
        state: &mut State,
        lane: LaneId,
        outcome: Outcome,
        events: &mut Events,
    ) {
        events.push(Event::Return { lane, outcome });
        let until = self.instruction(lane, state.lane(lane).instruction).and_then(|it| it.until);
        let current = state.lane_mut(lane);
        let repeats = until.is_some_and(|until| until != outcome);
        // A repeated call's idle tries are not kept, or a wait in a loop would never be a
        // state that was seen before.
        if !repeats || matches!(outcome, Outcome::Item(_)) {
            current.results.push(outcome);
        }
        current.remaining_ms = None;
        current.item = None;
        current.moved = 0;
        current.garbled = None;
        current.failure = None;
        current.overdue = false;
        if repeats {
            self.enter_unless_asked(state, lane, events);
        } else {
            current.instruction += 1;
            self.begin(state, lane, events);
        }
    }
}
