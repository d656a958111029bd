//! The machine with one of its steps altered: it does what the real code does with that call
//! altered, as far as bytes without a name can be followed.

use crate::machine::Refused;
use crate::mutant::{Change, Mutant};
use crate::os::semaphore::Semaphore;
use crate::program::{LaneId, Outcome, ProcessId, QueueId, Timeout};
use crate::step::StepResult;

use super::point::Point;
use super::state::State;
use super::{Classic, Events};

impl Classic {
    /// The machine of the same program, in which every step of one name is altered.
    #[must_use]
    pub fn with_mutant(self, mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), ..self }
    }

    /// How this machine is altered, if it is.
    pub fn mutant(&self) -> Option<Mutant> {
        self.mutant
    }

    /// Whether this machine alters a step in this way.
    #[inline]
    pub(super) fn alters(&self, point: Point, change: Change) -> bool {
        self.mutant.is_some_and(|mutant| mutant.alters(point.step()) == Some(change))
    }

    /// A step that does nothing and answers success: what it waits for is there for the length
    /// of the step, and afterwards all is as it was but that the lane has gone on.
    pub(super) fn step_skipped(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> Result<StepResult, Refused> {
        let point = state.lane(lane).point;
        match point {
            _ if point.writes() => {
                let result = self.skip_write(state, lane);
                self.finish_message(state, lane, events);
                return Ok(result);
            }
            Point::GetPoll => {
                state.lane_mut(lane).point = Point::GetHeader;
                return Ok(StepResult::Ready);
            }
            Point::LookInPipe => {
                self.finish(state, lane, Outcome::Bool(false), events);
                return Ok(StepResult::Ready);
            }
            Point::LeaveThreadJoin => {
                self.leave_on(state, lane);
                return Ok(StepResult::Done);
            }
            _ => {}
        }
        let (process, queue) = (self.process_of(lane), self.queue_of(state, lane));
        let shared = state.queue(queue).clone();
        let local = state.local(process, queue).clone();
        make_available(state, process, queue, gives_back(point));
        let result = self.step_point(state, lane, None, events);
        *state.queue_mut(queue) = shared;
        let after = state.local_mut(process, queue);
        after.locked_by = local.locked_by;
        after.notified = local.notified;
        after.reader_open = local.reader_open;
        after.writer_open = local.writer_open;
        result
    }

    /// The rest of the transfer is taken for written, and none of it is.
    fn skip_write(&self, state: &mut State, lane: LaneId) -> StepResult {
        let left = self.transfer_bytes(state, lane) - state.lane(lane).moved;
        self.transfer_written(state, lane);
        StepResult::Moved(left)
    }

    /// A try of a wait that was without a bound has found nothing. A put says so; where a lock is
    /// waited for without a bound the code does not look at the answer, and goes on without it.
    pub(super) fn goes_on_without(&self, state: &State, lane: LaneId) -> bool {
        match state.lane(lane).point {
            Point::SendAcquire => true,
            Point::GetAcquire => self.timeout_of(state, lane) == Timeout::Never,
            _ => false,
        }
    }
}

/// Whether the step gives something back that others wait for.
fn gives_back(point: Point) -> bool {
    matches!(
        point,
        Point::GetReleaseSlot
            | Point::FeedGiveBack
            | Point::GetReleaseLock
            | Point::SendRelease
            | Point::ForceReadLock
            | Point::ForceWriteLock
            | Point::PutTasksUnlock
            | Point::TasksUnlock
            | Point::WaitUnlock
            | Point::PutCount
            | Point::WaitCount
            | Point::WaitWoken
            | Point::NotifyWake
    )
}

/// For the length of a step there is something to take for who takes, and room for who gives back.
fn make_available(state: &mut State, process: ProcessId, queue: QueueId, gives: bool) {
    let shared = state.queue_mut(queue);
    let slots = if gives { 0 } else { 1 };
    shared.slots = Semaphore::new(slots, shared.slots.maximum());
    for lock in [&mut shared.read_lock, &mut shared.write_lock] {
        lock.semaphore = Semaphore::new(slots, 1);
    }
    if let Some(tasks) = &mut shared.tasks {
        tasks.lock.semaphore = Semaphore::new(slots, 1);
        for counter in [&mut tasks.unfinished, &mut tasks.wait, &mut tasks.woken] {
            *counter = Semaphore::new(slots, counter.maximum());
        }
    }
    state.local_mut(process, queue).locked_by = None;
}
