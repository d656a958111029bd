//! Pairs of stream sockets: what each step does to them.

use std::collections::VecDeque;
use std::io;

use midput_model::os::stream::{Received, SEND_BUFFER, Sent, Side, Stream};
use midput_model::program::ProcessId;
use midput_model::step::StepResult;

use super::objects::{Advance, EPIPE, count, interrupted, take_front};
use super::{Grant, Kernel, PipeEnd};

/// The number of the answer to who was left with unread data at the other end (`WF9`).
const ECONNRESET: i32 = 104;

/// A pair of sockets with the bytes under way.
#[derive(Debug)]
pub struct KernelStream {
    /// What is charged, and the counted ends.
    pub stream: Stream,
    /// By the end that reads them.
    bytes: [VecDeque<u8>; 2],
}

impl KernelStream {
    /// Without a byte under way.
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, bytes: Default::default() }
    }
}

impl Kernel {
    /// Makes a pair for the current process: the numbers of its descriptors.
    pub(crate) fn socket_pair(&mut self) -> (usize, usize) {
        let mut stream = Stream::new(SEND_BUFFER);
        stream.open(Side::First);
        stream.open(Side::Second);
        self.streams.push(KernelStream::new(stream));
        let index = self.streams.len() - 1;
        let process = self.process_of(self.current);
        let descriptors = &mut self.processes[usize::from(process.0)].descriptors;
        descriptors.push(Some(PipeEnd::Socket(index, Side::First)));
        descriptors.push(Some(PipeEnd::Socket(index, Side::Second)));
        (descriptors.len() - 2, descriptors.len() - 1)
    }

    /// One read of a lane that was let.
    pub(crate) fn receive(
        &mut self,
        (index, side): (usize, Side),
        buffer: &mut [u8],
        grant: Grant,
    ) -> (io::Result<usize>, StepResult) {
        if grant == Grant::Interrupted {
            return (Err(interrupted()), StepResult::Interrupted);
        }
        let wanted = match grant {
            Grant::Limited(most) | Grant::Short(most) => count(buffer.len()).min(most),
            _ => count(buffer.len()),
        };
        let entry = &mut self.streams[index];
        match entry.stream.read(side, wanted) {
            Received::Bytes(bytes) => {
                take_front(&mut entry.bytes[side as usize], &mut buffer[..bytes as usize]);
                (Ok(bytes as usize), StepResult::Moved(bytes))
            }
            Received::EndOfStream => (Ok(0), StepResult::Moved(0)),
            Received::Reset => {
                let error = io::Error::from_raw_os_error(ECONNRESET);
                (Err(error), StepResult::Error(ECONNRESET))
            }
            Received::WouldBlock => (Err(interrupted()), StepResult::Interrupted),
        }
    }

    /// One advance of a write that has moved `moved` of its bytes in this call.
    pub(crate) fn send(
        &mut self,
        (index, side): (usize, Side),
        buffer: &[u8],
        moved: usize,
        grant: Grant,
    ) -> (Advance, StepResult) {
        // Who has moved something says how much when it fails, and who has moved nothing is as one
        // that calls only now: it learns that the pipe is broken, and the reset is for its read.
        let fails = |error: i32, result| match moved {
            0 => (Advance::Returned(Err(io::Error::from_raw_os_error(error))), result),
            _ => (Advance::Returned(Ok(moved)), StepResult::Moved(0)),
        };
        if grant == Grant::Interrupted {
            return match moved {
                0 => (Advance::Returned(Err(interrupted())), StepResult::Interrupted),
                _ => (Advance::Returned(Ok(moved)), StepResult::Moved(0)),
            };
        }
        let left = count(buffer.len() - moved);
        let wanted = match grant {
            Grant::Limited(most) | Grant::Short(most) => left.min(most),
            _ => left,
        };
        let entry = &mut self.streams[index];
        let sent = match moved {
            0 => entry.stream.write(side, wanted),
            _ => entry.stream.continue_write(side, wanted),
        };
        let bytes = match sent {
            Sent::All => wanted,
            Sent::Part(bytes) => bytes,
            Sent::WouldBlock => 0,
            Sent::BrokenPipe => return fails(EPIPE, StepResult::BrokenPipe),
            Sent::Reset => return fails(ECONNRESET, StepResult::Error(ECONNRESET)),
        };
        let now = moved + bytes as usize;
        entry.bytes[side.other() as usize].extend(&buffer[moved..now]);
        let returns = now == buffer.len() || matches!(grant, Grant::Short(_));
        let advance = if returns { Advance::Returned(Ok(now)) } else { Advance::Goes(now) };
        (advance, StepResult::Moved(bytes))
    }

    /// Whether a read does not wait.
    pub(super) fn is_receivable(&self, (index, side): (usize, Side)) -> bool {
        self.streams[index].stream.preview_read(side, 1) != Received::WouldBlock
    }

    /// What a write would do.
    pub(super) fn preview_send(
        &self,
        (index, side): (usize, Side),
        bytes: u32,
        in_call: bool,
    ) -> Sent {
        let stream = &self.streams[index].stream;
        if in_call {
            stream.preview_continue_write(side, bytes)
        } else {
            stream.preview_write(side, bytes)
        }
    }

    /// Whether something that is waited for beside others is so.
    pub(super) fn is_awaited(&self, lane: usize, awaited: &AwaitedName) -> bool {
        match *awaited {
            AwaitedName::Readable(descriptor) => match self.lane_end(lane, descriptor) {
                Some(PipeEnd::Reader(pipe)) => self.pipes[pipe].pipe.is_readable(),
                Some(PipeEnd::Writer(pipe)) => self.pipes[pipe].pipe.readers() == 0,
                Some(PipeEnd::Socket(index, side)) => self.is_receivable((index, side)),
                Some(PipeEnd::Listener(listener)) => self.is_acceptable(listener),
                // The wait fails.
                None => true,
            },
            AwaitedName::Ended(process) => self.process_state(process).exit().is_some(),
        }
    }
}

/// One of several things that a lane waits for at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AwaitedName {
    Readable(usize),
    Ended(ProcessId),
}
