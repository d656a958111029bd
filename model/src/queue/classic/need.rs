//! What each step waits for, and how the waits expire.

use crate::machine::Refused;
use crate::mutant::Change;
use crate::os::pipe::{Taken, Written};
use crate::program::{LaneId, Operation, Outcome, Timeout};
use crate::step::StepResult;

use super::point::Point;
use super::state::{Local, Shared, State};
use super::{Action, Classic, Events, Time};

impl Classic {
    /// Whether a lane's next step can be done now: what it waits for is there, or it does not
    /// wait (one try, or a deadline that has passed).
    pub(super) fn can_step(&self, state: &State, lane: LaneId) -> bool {
        match state.lane(lane).point {
            Point::NotStarted | Point::Ended => false,
            point => {
                self.is_available(state, lane)
                    || self.is_one_try(state, lane)
                    || self.alters(point, Change::Skip)
            }
        }
    }

    /// Whether what the lane's next step waits for is there; most steps wait for nothing.
    #[inline]
    pub(super) fn is_available(&self, state: &State, lane: LaneId) -> bool {
        match state.lane(lane).point {
            Point::PutAcquire => self.shared_at(state, lane).slots.value() > 0,
            Point::GetAcquire => self.shared_at(state, lane).read_lock.semaphore.value() > 0,
            Point::SendAcquire => self.shared_at(state, lane).write_lock.semaphore.value() > 0,
            Point::PutLock | Point::SentinelLock | Point::FeedLock => {
                self.local_at(state, lane).locked_by.is_none()
            }
            Point::FeedWake => {
                let local = self.local_at(state, lane);
                local.notified && local.locked_by.is_none()
            }
            Point::GetPoll | Point::GetHeader | Point::GetBody => {
                self.shared_at(state, lane).pipe.preview_read(1) != Taken::WouldBlock
                    || !self.local_at(state, lane).reader_open
            }
            Point::SendWriteFrame | Point::SendWriteHeader | Point::SendWriteBody => {
                self.preview_write(state, lane) != Written::WouldBlock
                    || !self.local_at(state, lane).writer_open
            }
            point @ (Point::PutTasksLock
            | Point::DoneLock
            | Point::JoinLock
            | Point::WaitLock
            | Point::WaitAcquire
            | Point::NotifyAwait) => {
                self.shared_at(state, lane).tasks.is_none_or(|tasks| tasks.is_ready(point))
            }
            Point::FeederJoin => {
                let process = self.process_of(lane);
                let feeder = self.program.feeder_of(process, self.queue_of(state, lane));
                state.lane(feeder).point == Point::Ended
            }
            Point::LeaveThreadJoin => {
                let thread = self.leaving_thread(state, lane);
                thread.is_none_or(|thread| state.lane(thread).point == Point::Ended)
            }
            Point::AwaitDeath if self.is_asked_to_leave(state, lane) => true,
            Point::LeaveChildJoin | Point::ProcessJoin | Point::AwaitDeath => self
                .awaited_process(state, lane)
                .is_none_or(|process| state.process(process).state.exit().is_some()),
            _ => true,
        }
    }

    /// The queue that the lane's next step is about, as all processes share it.
    #[inline]
    fn shared_at<'a>(&self, state: &'a State, lane: LaneId) -> &'a Shared {
        state.queue(self.queue_of(state, lane))
    }

    /// The same as the lane's process has it.
    #[inline]
    fn local_at<'a>(&self, state: &'a State, lane: LaneId) -> &'a Local {
        state.local(self.process_of(lane), self.queue_of(state, lane))
    }

    /// Whether the lane's next step makes one try: `nowait`, a time-out that is not positive
    /// (`Q10`), a deadline that has passed, or a look that never waits.
    fn is_one_try(&self, state: &State, lane: LaneId) -> bool {
        match state.lane(lane).point {
            point if self.alters(point, Change::Try) => true,
            point if self.alters(point, Change::Forever) => {
                self.timeout_of(state, lane).is_one_try()
            }
            Point::PutAcquire | Point::GetAcquire | Point::GetPoll | Point::ProcessJoin => {
                self.timeout_of(state, lane).is_one_try()
                    || state.lane(lane).remaining_ms == Some(0)
            }
            _ => false,
        }
    }

    /// Whether the lane waits in a step that a deadline ends.
    fn is_timed_wait(&self, state: &State, lane: LaneId) -> bool {
        matches!(
            state.lane(lane).point,
            Point::PutAcquire | Point::GetAcquire | Point::GetPoll | Point::ProcessJoin
        ) && self.timeout_of(state, lane).limit_milliseconds().is_some()
            && !self.alters(state.lane(lane).point, Change::Forever)
            && !self.can_step(state, lane)
    }

    pub(super) fn timeout_of(&self, state: &State, lane: LaneId) -> Timeout {
        self.planned(state, lane).map_or(Timeout::Never, |planned| planned.timeout)
    }

    /// The operation that a lane is in, unless it is leaving or is a feeder.
    pub(super) fn operation_of(&self, state: &State, lane: LaneId) -> Option<&Operation> {
        self.planned(state, lane).map(|planned| &planned.instruction.operation)
    }

    /// Under [`Time::Any`], every wait that blocks may expire.
    pub(super) fn all_expiries(&self, state: &State, out: &mut Vec<Action>) {
        let lanes = self.lane_ids();
        out.extend(
            lanes
                .filter(|&lane| self.is_timed_wait(state, lane))
                .map(|lane| Action::Expire { lane }),
        );
    }

    /// Under [`Time::Patient`], the earliest deadline, of the first lane among equals.
    pub(super) fn next_expiry(&self, state: &State, out: &mut Vec<Action>) {
        let lanes = self.lane_ids();
        let earliest = lanes
            .filter(|&lane| self.is_timed_wait(state, lane))
            .min_by_key(|&lane| (state.lane(lane).remaining_ms, lane));
        out.extend(earliest.map(|lane| Action::Expire { lane }));
    }

    /// The calls that wait in a step without a deadline although they have one themselves (`Q9`).
    pub(super) fn overdue_calls(&self, state: &State, out: &mut Vec<Action>) {
        if self.environment.time != Time::Any {
            return;
        }
        for lane in self.lane_ids() {
            let current = state.lane(lane);
            let begun = !matches!(current.point, Point::NotStarted | Point::Ended);
            let bounded = self.timeout_of(state, lane) != Timeout::Never;
            let waits = begun && !self.can_step(state, lane) && !self.is_timed_wait(state, lane);
            if bounded && waits && !current.overdue {
                out.push(Action::Overdue { lane });
            }
        }
    }

    /// Transfers that could be cut short after one byte, and blocked calls that a signal handler
    /// could interrupt.
    pub(super) fn faults(&self, state: &State, out: &mut Vec<Action>) {
        for lane in self.lane_ids() {
            let current = state.lane(lane);
            if matches!(current.point, Point::NotStarted | Point::Ended) {
                continue;
            }
            if !self.can_step(state, lane) {
                out.push(Action::Interrupt { lane });
            } else if current.point.moves_bytes()
                && self.transfer_bytes(state, lane) - current.moved > 1
            {
                out.push(Action::Short { lane, bytes: 1 });
            }
        }
    }

    /// The lane's wait reaches its deadline: what it waited for is not there.
    pub(super) fn expire(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> Result<StepResult, Refused> {
        let point = state.lane(lane).point;
        if !self.is_timed_wait(state, lane) {
            return Err(self.refused(lane, point, "it does not wait for a deadline"));
        }
        if let Some(passed) = state.lane(lane).remaining_ms {
            for other in &mut state.lanes {
                if let Some(remaining) = &mut other.remaining_ms {
                    *remaining = remaining.saturating_sub(passed);
                }
            }
        }
        self.unavailable(state, lane, events);
        Ok(StepResult::Unavailable)
    }

    /// A try has found nothing, or a wait has expired.
    pub(super) fn unavailable(&self, state: &mut State, lane: LaneId, events: &mut Events) {
        match state.lane(lane).point {
            Point::PutAcquire => self.finish(state, lane, Outcome::Full, events),
            Point::GetAcquire => self.finish(state, lane, Outcome::Empty, events),
            Point::GetPoll => {
                let current = state.lane_mut(lane);
                current.failure = Some(Outcome::Empty);
                current.point = Point::GetReleaseLock;
            }
            // `Process.join` returns nothing, whether the process has ended or not (LC6).
            _ => self.finish(state, lane, Outcome::Done, events),
        }
    }

    /// Sets the deadline of the lane's call, counted from now.
    pub(super) fn start_deadline(&self, state: &mut State, lane: LaneId) {
        if self.environment.time == Time::Patient {
            let limit = self.timeout_of(state, lane).limit_milliseconds();
            state.lane_mut(lane).remaining_ms = limit;
        }
    }
}
