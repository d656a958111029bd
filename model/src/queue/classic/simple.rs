//! The steps of a simple queue that a plain one does not have (`SQ1` to `SQ3`): whoever puts sends,
//! by the steps that are a feeder's elsewhere.

use crate::program::{LaneId, Operation, Outcome};
use crate::step::StepResult;

use super::point::Point;
use super::state::State;
use super::{Classic, Events};

impl Classic {
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
                Point::FeedEncode
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
            Point::FeedEncode => state.lane_mut(lane).point = Point::FeedAcquire,
            Point::FeedAcquire => return self.step_feed_acquire(state, lane),
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
