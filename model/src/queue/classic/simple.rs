//! The steps of a simple queue and of a bare pipe that a plain queue does not have (`SQ1` to `SQ3`,
//! `CN7`): whoever puts sends, by the steps that are a feeder's elsewhere.

use crate::program::{LaneId, Operation, Outcome, QueueKind};
use crate::step::StepResult;

use super::point::Point;
use super::state::State;
use super::{Classic, Events};

impl Classic {
    /// A lane calls an operation of a bare pipe: where it stands then. No lock is taken (`CN7`).
    pub(super) fn enter_pipe(
        &self,
        state: &mut State,
        lane: LaneId,
        operation: Operation,
    ) -> Point {
        match operation {
            Operation::Put { item, .. } => {
                state.lane_mut(lane).item = Some(item);
                self.first_write(item)
            }
            Operation::Get { .. } => Point::GetHeader,
            Operation::CloseReader { .. } => Point::CloseReader,
            _ => Point::CloseWriter,
        }
    }

    /// The message that a lane sends or receives over a bare pipe is through, or has failed: the
    /// call returns.
    pub(super) fn finish_message(&self, state: &mut State, lane: LaneId, events: &mut Events) {
        let through = matches!(state.lane(lane).point, Point::SendRelease | Point::GetReleaseLock);
        if !through || self.kind(self.queue_of(state, lane)) != QueueKind::Pipe {
            return;
        }
        let current = state.lane(lane);
        let received = current.point == Point::GetReleaseLock;
        let outcome = match (current.failure, current.item) {
            (Some(failure), _) => failure,
            (None, Some(item)) if received => Outcome::Item(item),
            (None, None) if received => Outcome::Garbage,
            (None, _) => Outcome::Done,
        };
        self.finish(state, lane, outcome, events);
    }

    /// A lane calls an operation of a simple queue: where it stands then.
    pub(super) fn enter_simple(
        &self,
        state: &mut State,
        lane: LaneId,
        operation: Operation,
    ) -> Point {
        match operation {
            Operation::Put { item, .. } => {
                state.lane_mut(lane).item = Some(item);
                Point::SendEncode
            }
            Operation::Get { .. } => Point::GetAcquire,
            Operation::Empty { .. } => Point::LookInPipe,
            _ => Point::SimpleCloseReader,
        }
    }

    /// A step of a put into a simple queue that moves no bytes.
    pub(super) fn step_simple_put(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        match state.lane(lane).point {
            Point::SendEncode => state.lane_mut(lane).point = Point::SendAcquire,
            Point::SendAcquire => return self.step_send_acquire(state, lane),
            _ => {
                let queue = self.queue_of(state, lane);
                let released = state.queue_mut(queue).write_lock.give_back();
                let failed = if released { None } else { Some(Outcome::Failed) };
                let outcome = state.lane(lane).failure.or(failed).unwrap_or(Outcome::Done);
                self.finish(state, lane, outcome, events);
            }
        }
        StepResult::Done
    }

    /// A step of closing a simple queue.
    pub(super) fn step_simple_close(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        let (process, queue) = (self.process_of(lane), self.queue_of(state, lane));
        if state.lane(lane).point == Point::SimpleCloseReader {
            state.close_reader(process, queue);
            state.lane_mut(lane).point = Point::SimpleCloseWriter;
        } else {
            state.close_writer(process, queue);
            self.finish(state, lane, Outcome::Done, events);
        }
        StepResult::Done
    }
}
