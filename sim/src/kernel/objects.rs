//! What each step does to the kernel's objects, once its lane is let.

use std::collections::VecDeque;
use std::io;

use midput_model::os::pipe::{Taken, Written};
use midput_model::program::{ProcessId, Signal};
use midput_model::step::StepResult;

use super::{Grant, Kernel, Parked, PipeEnd};

/// The error numbers that the steps answer with, as on Linux.
pub(crate) const EBADF: i32 = 9;
const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
pub(super) const EPIPE: i32 = 32;
const EINVAL: i32 = 22;
/// The largest buffer that one read is counted for.
const TRANSFER_MAX: usize = u32::MAX as usize;

/// What one advance of a write did.
pub(crate) enum Advance {
    /// The call returns.
    Returned(io::Result<usize>),
    /// The call goes on: so many bytes are in the pipe by now.
    Goes(usize),
}

/// The end of a call that was interrupted before it did anything.
pub(crate) fn interrupted() -> io::Error {
    io::Error::from_raw_os_error(EINTR)
}

/// The answer to the use of a closed descriptor.
pub(crate) fn bad_descriptor() -> io::Error {
    io::Error::from_raw_os_error(EBADF)
}

/// The answer to the start of one thread too many.
pub(crate) fn too_many_threads() -> io::Error {
    io::Error::from_raw_os_error(EAGAIN)
}

/// A length as the objects count it.
pub(crate) fn count(bytes: usize) -> u32 {
    u32::try_from(bytes.min(TRANSFER_MAX)).unwrap_or(u32::MAX)
}

/// The oldest bytes leave into a buffer that there are enough of them to fill.
pub(super) fn take_front(bytes: &mut VecDeque<u8>, buffer: &mut [u8]) {
    let (front, back) = bytes.as_slices();
    let from_front = front.len().min(buffer.len());
    let (first, rest) = buffer.split_at_mut(from_front);
    first.copy_from_slice(&front[..from_front]);
    rest.copy_from_slice(&back[..rest.len()]);
    bytes.drain(..buffer.len());
}

impl Kernel {
    /// Takes one from a semaphore, if it can.
    pub(crate) fn take_semaphore(&mut self, semaphore: usize) -> bool {
        let current = self.current;
        let entry = &mut self.semaphores[semaphore];
        let taken = entry.semaphore.try_wait();
        if taken && entry.is_lock() {
            entry.holder = Some(current);
        }
        taken
    }

    /// Gives one to a semaphore.
    pub(crate) fn post_semaphore(&mut self, semaphore: usize) -> io::Result<()> {
        let entry = &mut self.semaphores[semaphore];
        entry.holder = None;
        entry.semaphore.post().map_err(|_| io::Error::from_raw_os_error(EINVAL))
    }

    /// One read of a lane that was let.
    pub(crate) fn read(
        &mut self,
        pipe: usize,
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
        let entry = &mut self.pipes[pipe];
        match entry.pipe.read(wanted) {
            Taken::Bytes(bytes) => {
                let length = bytes as usize;
                take_front(&mut entry.bytes, &mut buffer[..length]);
                (Ok(length), StepResult::Moved(bytes))
            }
            Taken::EndOfStream => (Ok(0), StepResult::Moved(0)),
            Taken::WouldBlock => (Err(interrupted()), StepResult::Interrupted),
        }
    }

    /// One advance of a write that has moved `moved` of its bytes in this call.
    pub(crate) fn write(
        &mut self,
        pipe: usize,
        buffer: &[u8],
        moved: usize,
        grant: Grant,
    ) -> (Advance, StepResult) {
        if grant == Grant::Interrupted {
            return if moved == 0 {
                (Advance::Returned(Err(interrupted())), StepResult::Interrupted)
            } else {
                (Advance::Returned(Ok(moved)), StepResult::Moved(0))
            };
        }
        let left = count(buffer.len() - moved);
        let wanted = match grant {
            Grant::Limited(most) | Grant::Short(most) => left.min(most),
            _ => left,
        };
        let entry = &mut self.pipes[pipe];
        let written =
            if moved > 0 { entry.pipe.continue_write(wanted) } else { entry.pipe.write(wanted) };
        let bytes = match written {
            Written::All => wanted,
            Written::Part(bytes) => bytes,
            Written::WouldBlock => 0,
            Written::BrokenPipe if moved > 0 => {
                return (Advance::Returned(Ok(moved)), StepResult::Moved(0));
            }
            Written::BrokenPipe => {
                let error = io::Error::from_raw_os_error(EPIPE);
                return (Advance::Returned(Err(error)), StepResult::BrokenPipe);
            }
        };
        let now = moved + bytes as usize;
        entry.bytes.extend(&buffer[moved..now]);
        let returns = now == buffer.len() || matches!(grant, Grant::Short(_));
        let advance = if returns { Advance::Returned(Ok(now)) } else { Advance::Goes(now) };
        (advance, StepResult::Moved(bytes))
    }

    /// What end a descriptor of the current process is, unless it is closed.
    pub(crate) fn end_of(&self, descriptor: usize) -> Option<PipeEnd> {
        self.lane_end(usize::from(self.current.0), descriptor)
    }

    /// Closes a descriptor of the current process.
    pub(crate) fn close_descriptor(&mut self, descriptor: usize) {
        let process = self.process_of(self.current);
        let descriptors = &mut self.processes[usize::from(process.0)].descriptors;
        if let Some(end) = descriptors.get_mut(descriptor).and_then(Option::take) {
            self.close_end(end);
        }
    }

    /// Gives the child the descriptors that it inherits, under the same numbers.
    pub(crate) fn inherit(&mut self, child: ProcessId, descriptors: &[usize]) -> io::Result<()> {
        let ends: Option<Vec<_>> = descriptors
            .iter()
            .map(|&descriptor| self.end_of(descriptor).map(|end| (descriptor, end)))
            .collect();
        let ends = ends.ok_or_else(bad_descriptor)?;
        for (descriptor, end) in ends {
            match end {
                PipeEnd::Reader(pipe) => self.pipes[pipe].pipe.open_reader(),
                PipeEnd::Writer(pipe) => self.pipes[pipe].pipe.open_writer(),
                PipeEnd::Socket(pair, side) => self.streams[pair].stream.open(side),
                PipeEnd::Listener(listener) => self.open_listener(listener),
            }
            let own = &mut self.processes[usize::from(child.0)].descriptors;
            if own.len() <= descriptor {
                own.resize(descriptor + 1, None);
            }
            own[descriptor] = Some(end);
        }
        // A name is started once; the scenario's loader sees to that.
        let _ = self.processes[usize::from(child.0)].state.start();
        Ok(())
    }

    /// A signal is on its way: unless the process handles it, it dies a little later.
    pub(crate) fn signal(&mut self, process: ProcessId, signal: Signal) {
        if self.processes[usize::from(process.0)].handler.catches(signal) {
            // Its main lane may await a death.
            return self.everybody_is_doubtful();
        }
        let _ = self.processes[usize::from(process.0)].state.signal(signal);
        if self.is_dying(process) {
            self.dying |= 1 << process.0;
        }
    }

    /// Whether SIGTERM has asked a process to leave.
    pub(crate) fn is_asked(&self, process: ProcessId) -> bool {
        self.processes[usize::from(process.0)].handler.is_asked()
    }

    /// Somebody has waited for a process: it is reaped.
    pub(crate) fn reap(&mut self, process: ProcessId) -> Option<midput_model::program::Exit> {
        let state = &mut self.processes[usize::from(process.0)].state;
        // Who was reaped before has an exit all the same.
        state.reap().ok().or(state.exit())
    }

    /// Whether the current lane was let with a try that finds nothing.
    pub(crate) fn finds_nothing(&self, grant: Grant) -> bool {
        let lane = usize::from(self.current.0);
        let finds = |parked: &Parked| self.is_available(lane, &parked.request);
        grant == Grant::Expired || !self.parked(self.current).is_some_and(finds)
    }
}
