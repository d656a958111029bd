//! The steps that count tasks: `task_done`, `join` and the condition between processes
//! (`JQ1` to `JQ3`, `K1`, `K2`).

use crate::os::semaphore::Semaphore;
use crate::program::{LaneId, Outcome};
use crate::step::StepResult;

use super::point::Point;
use super::state::{Lock, SLOTS_UNBOUNDED, State};
use super::{Classic, Events};

/// What the processes share of a joinable queue beyond a plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tasks {
    /// Items that were put and not reported done.
    pub unfinished: Semaphore,
    /// The lock of the condition.
    pub lock: Lock,
    /// Who sleeps and has not been counted by a notifier.
    pub sleeping: Semaphore,
    /// Who was woken and has said so.
    pub woken: Semaphore,
    /// What sleepers wait for.
    pub wait: Semaphore,
}

impl Tasks {
    pub(super) fn new() -> Self {
        let counter = Semaphore::new(0, SLOTS_UNBOUNDED);
        Self {
            unfinished: counter,
            lock: Lock::free(),
            sleeping: counter,
            woken: counter,
            wait: counter,
        }
    }

    /// The values of its semaphores, in order of creation.
    pub(super) fn values(&self) -> [u32; 5] {
        let lock = self.lock.semaphore;
        [self.unfinished, lock, self.sleeping, self.woken, self.wait].map(|it| it.value())
    }

    /// Whether what a step on them waits for is there.
    pub(super) fn is_ready(&self, point: Point) -> bool {
        match point {
            Point::NotifyAwait => self.woken.value() > 0,
            Point::WaitAcquire => self.wait.value() > 0,
            _ => self.lock.semaphore.value() > 0,
        }
    }
}

impl Classic {
    /// A step of `put` on the counter of tasks (`JQ1`): what comes next, if the step is one.
    pub(super) fn step_count(&self, state: &mut State, lane: LaneId) -> Option<Point> {
        let (process, queue) = (self.process_of(lane), self.queue_of(state, lane));
        let started = state.local(process, queue).feeder_started;
        let point = state.lane(lane).point;
        let tasks = state.queue_mut(queue).tasks.as_mut()?;
        match point {
            Point::PutTasksLock => {
                tasks.lock.take(lane);
                Some(if started { Point::PutAppend } else { Point::PutStart })
            }
            // Where it fails nobody is notified (`JQ1`).
            Point::PutCount if tasks.unfinished.post().is_err() => {
                state.lane_mut(lane).failure = Some(Outcome::Failed);
                Some(Point::PutTasksUnlock)
            }
            Point::PutCount => Some(Point::PutNotify),
            Point::PutTasksUnlock => {
                if !tasks.lock.give_back() {
                    state.lane_mut(lane).failure = Some(Outcome::Failed);
                }
                Some(Point::PutUnlock)
            }
            _ => None,
        }
    }

    /// A step of `task_done`, of `join` or of the condition in them.
    pub(super) fn step_tasks(
        &self,
        state: &mut State,
        lane: LaneId,
        events: &mut Events,
    ) -> StepResult {
        let queue = self.queue_of(state, lane);
        let point = state.lane(lane).point;
        let Some(tasks) = state.queue_mut(queue).tasks.as_mut() else { return StepResult::Done };
        let (next, result) = match point {
            Point::DoneLock => {
                tasks.lock.take(lane);
                (Point::DoneTake, StepResult::Done)
            }
            Point::DoneTake if tasks.unfinished.try_wait() => (Point::DoneValue, StepResult::Done),
            Point::DoneTake => {
                state.lane_mut(lane).failure = Some(Outcome::TooMany);
                (Point::TasksUnlock, StepResult::Unavailable)
            }
            Point::DoneValue => match tasks.unfinished.value() {
                0 => (Point::NotifyCheck, StepResult::Value(0)),
                left => (Point::TasksUnlock, StepResult::Value(left)),
            },
            Point::JoinLock => {
                tasks.lock.take(lane);
                (Point::JoinValue, StepResult::Done)
            }
            // An `if`, not a loop (`JQ3`, `O5`).
            Point::JoinValue => match tasks.unfinished.value() {
                0 => (Point::TasksUnlock, StepResult::Value(0)),
                left => (Point::WaitCount, StepResult::Value(left)),
            },
            Point::TasksUnlock => {
                // A lock that was not taken cannot be given back (SL2).
                let failed = (!tasks.lock.give_back()).then_some(Outcome::Failed);
                let outcome = failed.or(state.lane(lane).failure).unwrap_or(Outcome::Done);
                self.finish(state, lane, outcome, events);
                return StepResult::Done;
            }
            Point::WaitUnlock if !tasks.lock.give_back() => {
                state.lane_mut(lane).failure = Some(Outcome::Failed);
                (Point::TasksUnlock, StepResult::Done)
            }
            Point::WaitCount
            | Point::WaitUnlock
            | Point::WaitAcquire
            | Point::WaitWoken
            | Point::WaitLock => (step_wait(tasks, lane, point), StepResult::Done),
            _ => return self.step_notify(state, lane),
        };
        state.lane_mut(lane).point = next;
        result
    }

    /// A step of waking everybody who sleeps (`K2`).
    fn step_notify(&self, state: &mut State, lane: LaneId) -> StepResult {
        let queue = self.queue_of(state, lane);
        let (point, mut sleepers) = (state.lane(lane).point, state.lane(lane).sleepers);
        let Some(tasks) = state.queue_mut(queue).tasks.as_mut() else { return StepResult::Done };
        let mut out_of_order = false;
        let tried = |semaphore: &mut Semaphore, found: Point, not: Point| {
            let taken = semaphore.try_wait();
            let next = if taken { found } else { not };
            (next, if taken { StepResult::Done } else { StepResult::Unavailable })
        };
        let (next, result) = match point {
            Point::NotifyCheck => {
                let tried = tried(&mut tasks.wait, Point::TasksUnlock, Point::NotifyDrainWoken);
                out_of_order = tried.1 == StepResult::Done;
                tried
            }
            Point::NotifyDrainWoken => {
                tried(&mut tasks.woken, Point::NotifyDrainSleeping, Point::NotifyTake)
            }
            Point::NotifyDrainSleeping => {
                let tried = tried(&mut tasks.sleeping, Point::NotifyDrainWoken, Point::TasksUnlock);
                out_of_order = tried.1 != StepResult::Done;
                tried
            }
            Point::NotifyTake => {
                let none = if sleepers == 0 { Point::TasksUnlock } else { Point::NotifyAwait };
                tried(&mut tasks.sleeping, Point::NotifyWake, none)
            }
            Point::NotifyWake => {
                let _ = tasks.wait.post();
                sleepers += 1;
                (Point::NotifyTake, StepResult::Done)
            }
            Point::NotifyAwait => {
                tasks.woken.try_wait();
                sleepers -= 1;
                let next = if sleepers == 0 { Point::NotifyDrainWait } else { Point::NotifyAwait };
                (next, StepResult::Done)
            }
            _ => tried(&mut tasks.wait, Point::NotifyDrainWait, Point::TasksUnlock),
        };
        let current = state.lane_mut(lane);
        current.point = next;
        current.sleepers = sleepers;
        if out_of_order {
            current.failure = Some(Outcome::Failed);
        }
        result
    }
}

/// A step of sleeping in the condition (`K1`): what comes next.
fn step_wait(tasks: &mut Tasks, lane: LaneId, point: Point) -> Point {
    match point {
        Point::WaitCount => {
            let _ = tasks.sleeping.post();
            Point::WaitUnlock
        }
        Point::WaitUnlock => Point::WaitAcquire,
        Point::WaitAcquire => {
            tasks.wait.try_wait();
            Point::WaitWoken
        }
        Point::WaitWoken => {
            let _ = tasks.woken.post();
            Point::WaitLock
        }
        _ => {
            tasks.lock.take(lane);
            Point::TasksUnlock
        }
    }
}
