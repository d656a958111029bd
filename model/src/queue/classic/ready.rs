//! Who can step, kept from step to step: a run asks after each, and most steps change nothing that
//! another lane waits for.

use crate::program::LaneId;

use super::Classic;
use super::point::Point;
use super::state::State;

/// Kinds of things that a step waits for, or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What the lanes of one process share: the local condition of a queue.
    Local,
    Slots,
    ReadLock,
    WriteLock,
    Pipe,
    /// The counter of tasks and its condition.
    Tasks,
    /// Whether a process, a thread or a feeder has ended.
    Life,
}

const KINDS: usize = 7;

/// What a step changes for the other lanes.
enum Change {
    Nothing,
    Of(Kind),
    /// It may be anything, as where it starts a lane.
    Anything,
}

/// The lanes whose next step can be done now; deadlines not considered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    lanes: u64,
    /// For each kind, the lanes whose next step waits for it.
    waiting: [u64; KINDS],
}

impl Ready {
    /// Who can step in a state.
    pub fn new(machine: &Classic, state: &State) -> Self {
        let mut ready = Self { lanes: 0, waiting: [0; KINDS] };
        for (lane, current) in (0u8..).map(LaneId).zip(&state.lanes) {
            ready.lanes |= u64::from(machine.can_step(state, lane)) << lane.0;
            if let Some(kind) = current.point.waits_for() {
                ready.waiting[kind as usize] |= 1 << lane.0;
            }
        }
        ready
    }

    /// The lanes, one bit for each.
    pub fn lanes(&self) -> u64 {
        self.lanes
    }

    /// `lane`, which stood at `point`, has done its step there, which led to `state`.
    #[inline]
    pub fn stepped(&mut self, machine: &Classic, state: &State, lane: LaneId, point: Point) {
        let now = state.lane(lane).point;
        let mut concerned = match point.changes() {
            // An altered step changes something else than it does by itself.
            _ if machine.mutant().is_some() => return *self = Self::new(machine, state),
            Change::Nothing if now != Point::Ended => 0,
            // What one process's lanes share is nothing to those of another.
            Change::Of(Kind::Local) if now != Point::Ended => {
                self.waiting[Kind::Local as usize] & machine.lanes_beside(lane)
            }
            Change::Of(kind) if now != Point::Ended => self.waiting[kind as usize],
            _ => return *self = Self::new(machine, state),
        };
        let bit = 1 << lane.0;
        if let Some(kind) = point.waits_for() {
            self.waiting[kind as usize] &= !bit;
        }
        if let Some(kind) = now.waits_for() {
            self.waiting[kind as usize] |= bit;
            concerned |= bit;
        } else {
            self.lanes |= bit;
            concerned &= !bit;
        }
        while concerned != 0 {
            let lane = concerned.trailing_zeros();
            concerned &= concerned - 1;
            self.lanes &= !(1 << lane);
            self.lanes |= u64::from(machine.can_step(state, LaneId(lane as u8))) << lane;
        }
        debug_assert_eq!(*self, Self::new(machine, state), "after {point:?} of lane {}", lane.0);
    }
}

impl Point {
    /// What the step waits for where it is not there. All others can always be done.
    fn waits_for(self) -> Option<Kind> {
        match self {
            Self::PutLock | Self::SentinelLock | Self::FeedLock | Self::FeedWake => {
                Some(Kind::Local)
            }
            Self::PutAcquire => Some(Kind::Slots),
            Self::GetAcquire => Some(Kind::ReadLock),
            Self::SendAcquire => Some(Kind::WriteLock),
            Self::GetPoll
            | Self::GetHeader
            | Self::GetBody
            | Self::SendWriteFrame
            | Self::SendWriteHeader
            | Self::SendWriteBody => Some(Kind::Pipe),
            Self::PutTasksLock
            | Self::DoneLock
            | Self::JoinLock
            | Self::WaitLock
            | Self::WaitAcquire
            | Self::NotifyAwait => Some(Kind::Tasks),
            Self::AwaitDeath
            | Self::FeederJoin
            | Self::ProcessJoin
            | Self::LeaveThreadJoin
            | Self::LeaveChildJoin => Some(Kind::Life),
            _ => None,
        }
    }

    /// What the step changes, unless its lane ends with it.
    fn changes(self) -> Change {
        match self {
            Self::PutLock
            | Self::PutNotify
            | Self::PutUnlock
            | Self::SentinelLock
            | Self::SentinelNotify
            | Self::SentinelUnlock
            | Self::FeedLock
            | Self::FeedWait
            | Self::FeedWake
            | Self::FeedUnlock => Change::Of(Kind::Local),
            Self::PutAcquire | Self::GetReleaseSlot | Self::FeedGiveBack => Change::Of(Kind::Slots),
            Self::GetAcquire | Self::GetReleaseLock | Self::ForceReadLock => {
                Change::Of(Kind::ReadLock)
            }
            Self::SendAcquire | Self::SendRelease | Self::ForceWriteLock => {
                Change::Of(Kind::WriteLock)
            }
            Self::GetHeader
            | Self::GetBody
            | Self::SendWriteFrame
            | Self::SendWriteHeader
            | Self::SendWriteBody
            | Self::CloseReader
            | Self::FeedCloseReader
            | Self::FeedCloseWriter
            | Self::CloseWriter
            | Self::SimpleCloseReader
            | Self::SimpleCloseWriter => Change::Of(Kind::Pipe),
            Self::PutTasksLock
            | Self::PutTasksUnlock
            | Self::DoneLock
            | Self::JoinLock
            | Self::TasksUnlock
            | Self::WaitUnlock
            | Self::WaitAcquire
            | Self::WaitWoken
            | Self::WaitLock
            | Self::NotifyCheck
            | Self::NotifyDrainWoken
            | Self::NotifyWake
            | Self::NotifyAwait
            | Self::NotifyDrainWait => Change::Of(Kind::Tasks),
            // A child that was joined is no longer waited for on leaving.
            Self::ProcessJoin | Self::ProcessPoll | Self::LeaveChildJoin => Change::Of(Kind::Life),
            // Who awaits a death goes on where it is asked to leave.
            Self::ProcessTerminate | Self::LeaveChildTerminate => Change::Of(Kind::Life),
            Self::NotStarted
            | Self::Ended
            | Self::PutStart
            | Self::ProcessStart
            | Self::ThreadStart
            | Self::Exit => Change::Anything,
            _ => Change::Nothing,
        }
    }
}
