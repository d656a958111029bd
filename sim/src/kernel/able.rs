//! Who can do the step that it stands at, and who waits until when.
//!
//! What is known is kept from step to step: a step changes one thing, so that only the lanes are
//! asked again that wait for a thing of that kind.

use std::time::Duration;

use midput_model::os::pipe::{Taken, Written};
use midput_model::os::stream::Sent;
use midput_model::program::LaneId;
use midput_real::os::Wait;

use super::{Kernel, Parked, PipeEnd, Request};

// The kinds of things that lanes wait for. That several semaphores share a kind costs a question
// more now and then, nothing else.
const SEMAPHORES: usize = 16;
const MONITORS: usize = 8;
const PIPES: usize = SEMAPHORES + MONITORS;
/// That a lane or a process has ended.
const LIFE: usize = PIPES + 1;
/// What a step waits for that never waits.
const NOTHING: usize = PIPES + 2;
/// What a step changes that nobody waits for.
const NOBODYS: usize = PIPES + 3;
const KINDS: usize = PIPES + 4;

/// The kinds of things that a step waits for and changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    waits: u8,
    changes: u8,
}

impl Kinds {
    #[inline(always)]
    fn of(request: &Request) -> Self {
        Self { waits: waits_for(request) as u8, changes: changes(request) as u8 }
    }
}

/// Who can step, as far as it is known. Each set has one bit for each lane.
#[derive(Debug, Default)]
pub(super) struct Able {
    /// Who can: right for everybody but the doubtful.
    can: u64,
    /// Who has to be asked again.
    doubtful: u64,
    /// By kind of thing: who waits for one.
    waiting: [u64; KINDS],
}

impl Able {
    pub(super) const NOBODY: Self = Self { can: 0, doubtful: 0, waiting: [0; KINDS] };
}

impl Kernel {
    /// The lanes whose step can be done now, one bit for each.
    pub fn enabled(&self) -> u64 {
        let Able { can, doubtful, .. } = self.able;
        self.asked(doubtful).fold(can, |can, (bit, able)| if able { can | bit } else { can & !bit })
    }

    /// The same, kept for the next time.
    #[inline(always)]
    pub(crate) fn settle(&mut self) -> u64 {
        if self.able.doubtful != 0 {
            self.ask_the_doubtful();
        }
        debug_assert_eq!(self.able.can, {
            let all = self.asked(u64::MAX).filter(|(_, able)| *able);
            all.fold(0, |can, (bit, _)| can | bit)
        });
        self.able.can
    }

    #[inline(never)]
    fn ask_the_doubtful(&mut self) {
        let Able { mut can, mut doubtful, .. } = self.able;
        while doubtful != 0 {
            let lane = doubtful.trailing_zeros();
            doubtful &= doubtful - 1;
            can &= !(1 << lane);
            can |= u64::from(self.can_step(lane as usize)) << lane;
        }
        (self.able.can, self.able.doubtful) = (can, 0);
    }

    /// Whether each of these lanes can step.
    fn asked(&self, lanes: u64) -> impl Iterator<Item = (u64, bool)> {
        let bits = (0..self.lanes.len()).map(|lane| (lane, 1 << lane));
        bits.filter(move |(_, bit)| lanes & bit != 0).map(|(lane, bit)| (bit, self.can_step(lane)))
    }

    /// A lane comes to a step, which waits for and changes these.
    #[inline(always)]
    pub(super) fn comes_to(&mut self, lane: LaneId, request: &Request) -> Kinds {
        let bit = 1 << lane.0;
        let kinds = Kinds::of(request);
        self.able.waiting[usize::from(kinds.waits)] |= bit;
        // What most steps are; the others are asked in their turn.
        let available = match *request {
            Request::SemaphoreWait { semaphore, wait: Wait::Forever } => {
                Some(self.semaphores[semaphore].semaphore.value() > 0)
            }
            Request::MonitorLock { monitor } => Some(self.monitors[monitor].locked_by.is_none()),
            _ => (usize::from(kinds.waits) == NOTHING).then_some(true),
        };
        match available {
            Some(true) => self.able.can |= bit,
            Some(false) => {}
            None => self.able.doubtful |= bit,
        }
        kinds
    }

    /// A lane is about to do the step that it stands at: whoever waits for what the step changes
    /// will have to be asked again.
    #[inline(always)]
    pub(super) fn leaves(&mut self, lane: LaneId) {
        let Some(Parked { kinds, .. }) = &self.lanes[usize::from(lane.0)].parked else { return };
        let able = &mut self.able;
        able.can &= !(1 << lane.0);
        able.waiting[usize::from(kinds.waits)] &= !(1 << lane.0);
        able.doubtful |= able.waiting[usize::from(kinds.changes)];
    }

    /// A lane has ended, perhaps with its process and its ends of pipes: whoever waits for any of
    /// these will have to be asked again. Semaphores stay as they are, and what a process has to
    /// itself nobody else waits for.
    pub(super) fn can_no_more(&mut self, lane: LaneId) {
        let able = &mut self.able;
        able.can &= !(1 << lane.0);
        able.doubtful |= able.waiting[LIFE] | able.waiting[PIPES];
    }

    /// Time passes to a moment.
    pub(crate) fn pass_to(&mut self, moment: Duration) {
        self.clock = self.clock.max(moment);
        self.everybody_is_doubtful();
    }

    /// What has happened may let any lane go on that stands at a step.
    pub(super) fn everybody_is_doubtful(&mut self) {
        let lanes = self.lanes.iter().enumerate().filter(|(_, lane)| lane.parked.is_some());
        self.able.doubtful = lanes.fold(0, |all, (index, _)| all | 1 << index);
    }

    fn can_step(&self, lane: usize) -> bool {
        self.lanes[lane].parked.as_ref().is_some_and(|parked| {
            self.is_available(lane, &parked.request) || self.is_one_try(&parked.request)
        })
    }

    fn is_one_try(&self, request: &Request) -> bool {
        match wait_of(request) {
            Some(Wait::Try) => true,
            Some(Wait::Until(deadline)) => deadline <= self.clock,
            _ => false,
        }
    }

    #[inline]
    pub(super) fn is_available(&self, lane: usize, request: &Request) -> bool {
        match *request {
            Request::SemaphoreWait { semaphore, .. } => {
                self.semaphores[semaphore].semaphore.value() > 0
            }
            Request::Read { descriptor }
            | Request::Poll { descriptor, .. }
            | Request::Accept { descriptor } => self.is_readable(lane, descriptor),
            Request::Send { descriptor, bytes, .. } => {
                self.is_writable(lane, descriptor, bytes, false)
            }
            Request::Write { descriptor, bytes, in_call } => {
                self.is_writable(lane, descriptor, bytes, in_call)
            }
            Request::WaitAny { .. } => {
                let awaited = &self.lanes[lane].awaited;
                awaited.iter().any(|awaited| self.is_awaited(lane, awaited))
            }
            Request::MonitorLock { monitor } => self.monitors[monitor].locked_by.is_none(),
            Request::MonitorWake { monitor } => self.is_woken(lane, monitor),
            Request::ThreadJoin { lane } => self.lanes[usize::from(lane.0)].ended,
            Request::ProcessWait { process, .. } => self.process_state(process).exit().is_some(),
            Request::AwaitDeath { process, or_asked } => {
                self.process_state(process).exit().is_some()
                    || or_asked && self.is_asked(self.lanes[lane].process)
            }
            _ => waits_for(request) == NOTHING,
        }
    }

    /// What end a descriptor of a lane's process is, unless it is closed.
    pub(super) fn lane_end(&self, lane: usize, descriptor: usize) -> Option<PipeEnd> {
        let process = self.lanes[lane].process;
        let descriptors = &self.processes[usize::from(process.0)].descriptors;
        descriptors.get(descriptor).copied().flatten()
    }

    /// Whether a read does not wait. On a closed descriptor it does not: it fails.
    #[inline(never)]
    fn is_readable(&self, lane: usize, descriptor: usize) -> bool {
        match self.lane_end(lane, descriptor) {
            Some(PipeEnd::Reader(pipe)) => {
                self.pipes[pipe].pipe.preview_read(1) != Taken::WouldBlock
            }
            Some(PipeEnd::Socket(pair, side)) => self.is_receivable((pair, side)),
            Some(PipeEnd::Listener(listener)) => self.is_acceptable(listener),
            _ => true,
        }
    }

    /// Whether a write does not wait. On a closed descriptor it does not: it fails.
    #[inline(never)]
    fn is_writable(&self, lane: usize, descriptor: usize, bytes: u32, in_call: bool) -> bool {
        let pipe = match self.lane_end(lane, descriptor) {
            Some(PipeEnd::Writer(pipe)) => pipe,
            Some(PipeEnd::Socket(pair, side)) => {
                return self.preview_send((pair, side), bytes, in_call) != Sent::WouldBlock;
            }
            _ => return true,
        };
        let pipe = &self.pipes[pipe].pipe;
        let written =
            if in_call { pipe.preview_continue_write(bytes) } else { pipe.preview_write(bytes) };
        written != Written::WouldBlock
    }

    /// Whether a sleeper was notified and finds the lock free.
    #[inline(never)]
    fn is_woken(&self, lane: usize, monitor: usize) -> bool {
        let monitor = &self.monitors[monitor];
        let is_notified =
            |&(sleeper, notified): &(LaneId, bool)| usize::from(sleeper.0) == lane && notified;
        monitor.locked_by.is_none() && monitor.sleepers.iter().any(is_notified)
    }

    /// The first lane among those with the earliest deadline, and that deadline.
    pub(crate) fn next_deadline(&self, held: u64) -> Option<(LaneId, Duration)> {
        (0u8..)
            .zip(&self.lanes)
            .filter(|(index, _)| held & (1 << index) == 0)
            .filter_map(|(index, lane)| {
                let parked = lane.parked.as_ref()?;
                match wait_of(&parked.request) {
                    Some(Wait::Until(deadline)) => Some((deadline, LaneId(index))),
                    _ => None,
                }
            })
            .min()
            .map(|(deadline, lane)| (lane, deadline))
    }

    /// How long a lane's wait may still last, where it has a deadline.
    pub(crate) fn remaining(&self, lane: LaneId) -> Option<Duration> {
        match wait_of(&self.parked(lane)?.request)? {
            Wait::Until(deadline) => Some(deadline.saturating_sub(self.clock)),
            _ => None,
        }
    }

    /// Whether a lane waits for a deadline that has not come.
    pub(crate) fn waits_for_deadline(&self, lane: LaneId) -> bool {
        self.parked(lane)
            .is_some_and(|parked| matches!(wait_of(&parked.request), Some(Wait::Until(_))))
    }
}

/// The kind of thing that a step waits for.
#[inline(always)]
fn waits_for(request: &Request) -> usize {
    match *request {
        Request::SemaphoreWait { semaphore, .. } => semaphore % SEMAPHORES,
        Request::MonitorLock { monitor } | Request::MonitorWake { monitor } => {
            SEMAPHORES + monitor % MONITORS
        }
        Request::Read { .. }
        | Request::Write { .. }
        | Request::Poll { .. }
        | Request::WaitAny { .. }
        | Request::Accept { .. }
        | Request::Send { .. } => PIPES,
        Request::ThreadJoin { .. } | Request::ProcessWait { .. } | Request::AwaitDeath { .. } => {
            LIFE
        }
        _ => NOTHING,
    }
}

/// The kind of thing that a step changes.
#[inline(always)]
fn changes(request: &Request) -> usize {
    match *request {
        Request::SemaphorePost { semaphore } => semaphore % SEMAPHORES,
        Request::MonitorUnlock { monitor }
        | Request::MonitorSleep { monitor }
        | Request::MonitorNotify { monitor } => SEMAPHORES + monitor % MONITORS,
        // A child inherits pipe ends.
        Request::Close { .. } | Request::ProcessStart | Request::Connect => PIPES,
        _ => match waits_for(request) {
            LIFE | NOTHING => NOBODYS,
            kind => kind,
        },
    }
}

pub(super) fn wait_of(request: &Request) -> Option<Wait> {
    match *request {
        Request::SemaphoreWait { wait, .. }
        | Request::Poll { wait, .. }
        | Request::WaitAny { wait }
        | Request::Send { wait, .. }
        | Request::ProcessWait { wait, .. } => Some(wait),
        _ => None,
    }
}
