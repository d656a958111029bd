//! A real pipe beside the model of it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use midput_model::os::pipe::{Pipe, SLOT_BYTES, Taken, Written};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};

/// The `position`-th byte that goes through a pipe. The period has no factor in common with the
/// size of a slot, so that bytes of another slot are not taken for it.
pub(super) fn byte_at(position: u64) -> u8 {
    (position % 251) as u8
}

/// A real pipe that does not block, and the model of it.
pub(super) struct Pair {
    pub(super) model: Pipe,
    pub(super) readers: Vec<OwnedFd>,
    pub(super) writers: Vec<OwnedFd>,
    pub(super) bytes_written: u64,
    bytes_read: u64,
}

impl Pair {
    /// A pipe of so many slots, or of as many as the kernel grants (a user over
    /// `pipe-user-pages-soft` gets smaller ones).
    pub(super) fn new(slots: u16) -> Self {
        let (reader, writer) =
            pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("a pipe can be made");
        let wanted = usize::from(slots) * SLOT_BYTES as usize;
        match fcntl_setpipe_size(&writer, wanted) {
            Ok(_) | Err(Errno::PERM) => {}
            Err(error) => panic!("F_SETPIPE_SZ: {error}"),
        }
        let granted = fcntl_getpipe_size(&writer).expect("F_GETPIPE_SZ");
        let slots = u16::try_from(granted / SLOT_BYTES as usize).expect("at most 256 slots");
        let mut model = Pipe::new(slots);
        model.open_reader();
        model.open_writer();
        let (readers, writers) = (vec![reader], vec![writer]);
        Self {
            model,
            readers,
            writers,
            bytes_written: 0,
            bytes_read: 0,
        }
    }

    /// Writes on both and compares.
    pub(super) fn write(&mut self, bytes: u32, end: usize) -> TestCaseResult {
        if self.writers.is_empty() {
            return Ok(());
        }
        let end = &self.writers[end % self.writers.len()];
        let data: Vec<u8> = (0..u64::from(bytes))
            .map(|index| byte_at(self.bytes_written + index))
            .collect();
        let real = match rustix::io::write(end, &data) {
            Ok(count) if count == data.len() => Written::All,
            Ok(count) => Written::Part(count as u32),
            Err(Errno::AGAIN) => Written::WouldBlock,
            Err(Errno::PIPE) => Written::BrokenPipe,
            Err(error) => panic!("write: {error}"),
        };
        let preview = self.model.preview_write(bytes);
        let model = self.model.write(bytes);
        prop_assert_eq!(model, real);
        prop_assert_eq!(preview, real);
        self.bytes_written += u64::from(match model {
            Written::All => bytes,
            Written::Part(count) => count,
            Written::WouldBlock | Written::BrokenPipe => 0,
        });
        self.compare()
    }

    /// Reads on both and compares, the bytes as well.
    pub(super) fn read(&mut self, bytes: u32, end: usize) -> TestCaseResult {
        if self.readers.is_empty() {
            return Ok(());
        }
        let end = &self.readers[end % self.readers.len()];
        let mut buffer = vec![0; bytes as usize];
        let real = match rustix::io::read(end, &mut buffer[..]) {
            Ok(0) if bytes > 0 => Taken::EndOfStream,
            Ok(count) => Taken::Bytes(count as u32),
            Err(Errno::AGAIN) => Taken::WouldBlock,
            Err(error) => panic!("read: {error}"),
        };
        let preview = self.model.preview_read(bytes);
        let model = self.model.read(bytes);
        prop_assert_eq!(model, real);
        prop_assert_eq!(preview, real);
        if let Taken::Bytes(count) = model {
            for (index, &byte) in buffer[..count as usize].iter().enumerate() {
                prop_assert_eq!(byte, byte_at(self.bytes_read + index as u64));
            }
            self.bytes_read += u64::from(count);
        }
        self.compare()
    }

    pub(super) fn open_reader(&mut self) -> TestCaseResult {
        if let Some(end) = self.readers.last() {
            let copy = rustix::io::fcntl_dupfd_cloexec(end, 0).expect("a copy");
            self.readers.push(copy);
            self.model.open_reader();
        }
        self.compare()
    }

    pub(super) fn open_writer(&mut self) -> TestCaseResult {
        if let Some(end) = self.writers.last() {
            let copy = rustix::io::fcntl_dupfd_cloexec(end, 0).expect("a copy");
            self.writers.push(copy);
            self.model.open_writer();
        }
        self.compare()
    }

    pub(super) fn close_reader(&mut self, end: usize) -> TestCaseResult {
        if !self.readers.is_empty() {
            drop(self.readers.swap_remove(end % self.readers.len()));
            self.model.close_reader();
        }
        self.compare()
    }

    pub(super) fn close_writer(&mut self, end: usize) -> TestCaseResult {
        if !self.writers.is_empty() {
            drop(self.writers.swap_remove(end % self.writers.len()));
            self.model.close_writer();
        }
        self.compare()
    }

    /// What can be asked without a change: the bytes there and the readiness of each end.
    pub(super) fn compare(&self) -> TestCaseResult {
        for end in self.readers.iter().chain(&self.writers) {
            let there = rustix::io::ioctl_fionread(end).expect("FIONREAD");
            prop_assert_eq!(u64::from(self.model.available()), there);
        }
        for end in &self.readers {
            let mut expected = PollFlags::empty();
            expected.set(PollFlags::IN, self.model.available() > 0);
            expected.set(PollFlags::HUP, self.model.writers() == 0);
            let found = ready(end.as_fd(), PollFlags::IN);
            prop_assert_eq!(found, expected);
            prop_assert_eq!(self.model.is_readable(), !found.is_empty());
        }
        for end in &self.writers {
            let mut expected = PollFlags::empty();
            expected.set(PollFlags::OUT, self.model.slots_used() < self.model.slots());
            expected.set(PollFlags::ERR, self.model.readers() == 0);
            let found = ready(end.as_fd(), PollFlags::OUT);
            prop_assert_eq!(found, expected);
            prop_assert_eq!(self.model.is_writable(), !found.is_empty());
        }
        Ok(())
    }
}

pub(super) fn ready(end: BorrowedFd<'_>, interest: PollFlags) -> PollFlags {
    let mut ends = [PollFd::from_borrowed_fd(end, interest)];
    poll(
        &mut ends,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )
    .expect("poll");
    ends[0].revents()
}

pub(super) fn hold(result: TestCaseResult) {
    result.expect("the model does what Linux does");
}
