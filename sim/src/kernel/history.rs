//! What the host asks the kernel and tells it, beside the steps themselves.

use midput_model::event::{Blocked, End, Event};
use midput_model::os::pipe::Written;
use midput_model::os::process::ProcessState;
use midput_model::os::stream::{Sent, Side};
use midput_model::program::{LaneId, Operation, Outcome, ProcessId};
use midput_model::step::StepResult;

use super::{Grant, Kernel, PipeEnd, Record, Request};
use crate::host::Directives;

impl Kernel {
    pub(crate) fn call(&mut self, lane: LaneId, operation: Operation) {
        self.told += 1;
        self.events.push(Event::Call { lane, operation });
    }

    pub(crate) fn returned(&mut self, lane: LaneId, outcome: Outcome) {
        self.told += 1;
        self.events.push(Event::Return { lane, outcome });
    }

    pub(crate) fn leaving(&mut self, process: ProcessId) {
        self.told += 1;
        self.left |= 1 << process.0;
        self.events.push(Event::Leave { process });
    }

    pub(crate) fn begin_lane(&mut self, lane: LaneId) {
        self.lanes[usize::from(lane.0)].begun = true;
    }

    /// Lets a lane do the step that it stands at.
    #[inline]
    pub(crate) fn let_go(&mut self, lane: LaneId, grant: Grant) {
        self.leaves(lane);
        self.current = lane;
        self.granted = grant;
    }

    /// Whether a process was sent a signal and is not dead yet.
    pub(crate) fn is_dying(&self, process: ProcessId) -> bool {
        matches!(self.process_state(process), ProcessState::Dying(_))
    }

    /// Whether some process was sent a signal and is not dead yet.
    pub(crate) fn signals_under_way(&self) -> bool {
        self.dying != 0
    }

    /// Whether a lane has begun, whatever has become of it.
    pub(crate) fn has_begun(&self, lane: LaneId) -> bool {
        self.lanes[usize::from(lane.0)].begun
    }

    /// Whether every lane that has begun has ended.
    pub(crate) fn lanes_ended(&self) -> bool {
        self.lanes.iter().all(|lane| lane.ended || !lane.begun)
    }

    /// Whether a step has done all of what it was: a transfer may be half-way.
    pub(crate) fn completed(&self, record: &Record) -> bool {
        match record.result {
            StepResult::Moved(bytes) if bytes > 0 => {
                record.site.offset as u64 + u64::from(bytes) >= u64::from(record.total)
            }
            StepResult::Interrupted => false,
            _ => true,
        }
    }

    /// Whether the lane stands at a call of the system that a signal handler can interrupt.
    pub(crate) fn is_interruptible(&self, lane: LaneId) -> bool {
        self.parked(lane).is_some_and(|parked| {
            matches!(
                parked.request,
                Request::SemaphoreWait { .. }
                    | Request::Read { .. }
                    | Request::Write { .. }
                    | Request::Poll { .. }
                    | Request::WaitAny { .. }
                    | Request::Accept { .. }
                    | Request::Send { .. }
                    | Request::ProcessWait { .. }
            )
        })
    }

    /// How many bytes the lane's step would move by itself.
    pub(crate) fn natural_bytes(&self, lane: LaneId) -> Option<u32> {
        let index = usize::from(lane.0);
        match self.parked(lane)?.request {
            Request::Write { descriptor, bytes, in_call } => {
                let pipe = match self.lane_end(index, descriptor)? {
                    PipeEnd::Writer(pipe) => pipe,
                    PipeEnd::Socket(pair, side) => {
                        return Some(self.natural_sent((pair, side), bytes, in_call));
                    }
                    PipeEnd::Reader(_) | PipeEnd::Listener(_) => return None,
                };
                let pipe = &self.pipes[pipe].pipe;
                let written = if in_call {
                    pipe.preview_continue_write(bytes)
                } else {
                    pipe.preview_write(bytes)
                };
                match written {
                    Written::All => Some(bytes),
                    Written::Part(part) => Some(part),
                    Written::WouldBlock | Written::BrokenPipe => Some(0),
                }
            }
            Request::Send { descriptor, bytes, .. } => match self.lane_end(index, descriptor)? {
                PipeEnd::Socket(pair, side) => Some(self.natural_sent((pair, side), bytes, false)),
                _ => None,
            },
            Request::Read { descriptor } => match self.lane_end(index, descriptor) {
                Some(PipeEnd::Reader(pipe)) => Some(self.pipes[pipe].pipe.available()),
                Some(PipeEnd::Socket(pair, side)) => {
                    Some(self.streams[pair].stream.available(side))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn natural_sent(&self, socket: (usize, Side), bytes: u32, in_call: bool) -> u32 {
        match self.preview_send(socket, bytes, in_call) {
            Sent::All => bytes,
            Sent::Part(part) => part,
            Sent::WouldBlock | Sent::BrokenPipe | Sent::Reset => 0,
        }
    }

    /// The lanes that the directives keep from their step, one bit for each.
    pub(crate) fn kept(&self, directives: &Directives) -> u64 {
        (0u8..)
            .zip(&self.lanes)
            .filter(|(index, lane)| {
                lane.parked.as_ref().is_some_and(|it| directives.keeps(LaneId(*index), it))
            })
            .fold(0, |kept, (index, _)| kept | 1 << index)
    }

    /// How things stand: the lanes that stand at a step, without feeders that have nothing to do.
    pub fn end(&self) -> End {
        let blocked = (0u8..).zip(&self.lanes).filter_map(|(index, lane)| {
            let parked = lane.parked.as_ref()?;
            (!self.is_idle(LaneId(index))).then(|| Blocked {
                lane: LaneId(index),
                step: parked.site.name.to_owned(),
                offset: u32::try_from(parked.site.offset).unwrap_or(u32::MAX),
                leaving: self.is_leaving(LaneId(index)),
            })
        });
        End { blocked: blocked.collect() }
    }

    /// Whether a lane is the main lane of a process that leaves.
    fn is_leaving(&self, lane: LaneId) -> bool {
        let process = self.process_of(lane);
        let main = self.lanes.iter().position(|other| other.process == process);
        main == Some(usize::from(lane.0)) && self.left & (1 << process.0) != 0
    }
}
