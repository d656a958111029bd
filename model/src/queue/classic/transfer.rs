//! The steps that move bytes through the pipe.

use crate::machine::Refused;
use crate::mutant::Change;
use crate::os::pipe::{Taken, Written};
use crate::program::{ItemId, LaneId, Outcome, Timeout, payload_byte};
use crate::step::StepResult;

use super::point::Point;
use super::state::{LaneState, State};
use super::{Classic, HEADER_BYTES};

impl Classic {
    /// What the lane's write would do now.
    pub(super) fn preview_write(&self, state: &State, lane: LaneId) -> Written {
        let left = self.transfer_bytes(state, lane) - state.lane(lane).moved;
        let pipe = &state.queue(self.queue_of(state, lane)).pipe;
        if state.lane(lane).in_call {
            pipe.preview_continue_write(left)
        } else {
            pipe.preview_write(left)
        }
    }

    /// One advance of a write. A call that cannot place all its bytes stays in the call; one cut
    /// short by `limit` returns, and the rest is a new call.
    pub(super) fn step_write(
        &self,
        state: &mut State,
        lane: LaneId,
        limit: Option<u32>,
    ) -> StepResult {
        let queue = self.queue_of(state, lane);
        let LaneState { point, item, moved, in_call, .. } = *state.lane(lane);
        if !state.local(self.process_of(lane), queue).writer_open {
            return self.fail_write(state, lane, StepResult::BadDescriptor);
        }
        let total = self.transfer_bytes(state, lane);
        let left = (total - moved).min(limit.unwrap_or(u32::MAX));
        let pipe = &mut state.queue_mut(queue).pipe;
        let written = if in_call { pipe.continue_write(left) } else { pipe.write(left) };
        let (bytes, stays) = match written {
            Written::All => (left, false),
            Written::Part(bytes) => (bytes, limit.is_none()),
            // A call that has moved some bytes returns them; the next one fails.
            Written::BrokenPipe if in_call => (0, false),
            Written::BrokenPipe => return self.fail_write(state, lane, StepResult::BrokenPipe),
            Written::WouldBlock => (0, in_call),
        };
        let from = if point == Point::SendWriteBody { HEADER_BYTES + moved } else { moved };
        if let (Some(item), true) = (item, bytes > 0) {
            state.queue_mut(queue).append(item, from, bytes);
        }
        let taken_for_whole = bytes > 0 && self.alters(point, Change::Whole);
        let current = state.lane_mut(lane);
        current.moved += bytes;
        current.in_call = stays;
        if current.moved == total || taken_for_whole {
            self.transfer_written(state, lane);
        }
        StepResult::Moved(bytes)
    }

    /// A frame, a header or a payload has been written, or is taken for written.
    pub(super) fn transfer_written(&self, state: &mut State, lane: LaneId) {
        let current = state.lane_mut(lane);
        current.moved = 0;
        current.in_call = false;
        current.point = match current.point {
            Point::SendWriteHeader => Point::SendWriteBody,
            _ => Point::SendRelease,
        };
    }

    /// The item is dropped; the lock is given back, and the slot unless its process is leaving (`Q6`).
    fn fail_write(&self, state: &mut State, lane: LaneId, result: StepResult) -> StepResult {
        let closed = result == StepResult::BadDescriptor;
        let current = state.lane_mut(lane);
        current.failure = Some(if closed { Outcome::HandleClosed } else { Outcome::Failed });
        current.moved = 0;
        current.in_call = false;
        current.point = Point::SendRelease;
        result
    }

    /// One read: what is there, up to what is asked for.
    pub(super) fn step_read(
        &self,
        state: &mut State,
        lane: LaneId,
        limit: Option<u32>,
    ) -> Result<StepResult, Refused> {
        let queue = self.queue_of(state, lane);
        let point = state.lane(lane).point;
        if !state.local(self.process_of(lane), queue).reader_open {
            return Ok(self.fail_read(
                state,
                lane,
                Outcome::HandleClosed,
                StepResult::BadDescriptor,
            ));
        }
        let moved = state.lane(lane).moved;
        let begins = point == Point::GetHeader && moved == 0;
        let front = state.queue(queue).content.front();
        let item = if begins { front.map(|run| run.item) } else { state.lane(lane).item };
        let left = self.transfer_bytes(state, lane) - moved;
        let most = left.min(limit.unwrap_or(u32::MAX));
        let own = self.comes_whole(state, lane, item, most);
        if !own {
            let garbled = self.garble(state, lane, item, most)?;
            state.lane_mut(lane).garbled = Some(garbled);
        } else if begins {
            state.lane_mut(lane).item = item;
        }
        match state.queue_mut(queue).pipe.read(most) {
            Taken::Bytes(bytes) => {
                state.queue_mut(queue).take(bytes);
                let current = state.lane_mut(lane);
                current.moved += bytes;
                if bytes == left {
                    self.transfer_read(state, lane);
                }
                Ok(StepResult::Moved(bytes))
            }
            // `EOFError` where this transfer has read nothing, else a torn message (WF4).
            Taken::EndOfStream => {
                let failure = if moved == 0 { Outcome::EndOfFile } else { Outcome::Torn };
                Ok(self.fail_read(state, lane, failure, StepResult::Moved(0)))
            }
            Taken::WouldBlock => Err(self.refused(lane, point, "nothing is there to read")),
        }
    }

    /// Whether what a read of at most so many bytes takes is the next part of the item's frame:
    /// so it is unless the protocol is altered or a lock was given back by force.
    fn comes_whole(&self, state: &State, lane: LaneId, item: Option<ItemId>, most: u32) -> bool {
        let shared = state.queue(self.queue_of(state, lane));
        let Taken::Bytes(bytes) = shared.pipe.preview_read(most) else { return true };
        let current = state.lane(lane);
        let header = if current.point == Point::GetHeader { 0 } else { HEADER_BYTES };
        shared.goes_on(item, header + current.moved, bytes)
    }

    /// What becomes of a message when a read of at most so many bytes takes others than the next
    /// ones of the item's frame: the header as far as it is known then, or the length of the body.
    fn garble(
        &self,
        state: &State,
        lane: LaneId,
        item: Option<ItemId>,
        most: u32,
    ) -> Result<u32, Refused> {
        let LaneState { point, moved, garbled, .. } = *state.lane(lane);
        if point == Point::GetBody {
            return Ok(self.transfer_bytes(state, lane));
        }
        let shared = state.queue(self.queue_of(state, lane));
        let bytes = most.min(shared.pipe.available());
        let own = |index| item.map_or(0, |item| self.frame_byte(item, index));
        let begun = || (0..moved).fold(0, |number, index| number << 8 | u32::from(own(index)));
        let taken = shared.bytes(bytes).map(|(item, index)| self.frame_byte(item, index));
        let header =
            taken.fold(garbled.unwrap_or_else(begun), |number, byte| number << 8 | u32::from(byte));
        if moved + bytes == HEADER_BYTES && header == u32::MAX {
            return Err(self.refused(lane, point, "these bytes announce a length of eight bytes"));
        }
        Ok(header)
    }

    /// One byte of an item's frame (`WF1`).
    fn frame_byte(&self, item: ItemId, index: u32) -> u8 {
        let payload = self.payload_bytes(item);
        match index.checked_sub(HEADER_BYTES) {
            None => payload.to_be_bytes()[index as usize],
            Some(index) => payload_byte(item, payload, index),
        }
    }

    fn fail_read(
        &self,
        state: &mut State,
        lane: LaneId,
        failure: Outcome,
        result: StepResult,
    ) -> StepResult {
        let current = state.lane_mut(lane);
        current.failure = Some(failure);
        current.moved = 0;
        current.point = Point::GetReleaseLock;
        result
    }

    /// A header or a payload has been read whole.
    fn transfer_read(&self, state: &mut State, lane: LaneId) {
        let untimed = self.timeout_of(state, lane) == Timeout::Never;
        let mut payload = state.lane(lane).item.map_or(0, |item| self.payload_bytes(item));
        let current = state.lane_mut(lane);
        current.moved = 0;
        if let Some(header) = current.garbled {
            // These bytes are no item, and a negative length is an empty message (WF5).
            current.item = None;
            payload = if header > i32::MAX as u32 { 0 } else { header };
            current.garbled = Some(payload);
        }
        current.point = match current.point {
            Point::GetHeader if payload > 0 => Point::GetBody,
            _ if untimed => Point::GetReleaseLock,
            _ => Point::GetReleaseSlot,
        };
    }
}
