//! A blocking write that sleeps goes on as the model says.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use midput_model::os::pipe::{Taken, Written};
use proptest::collection::vec;
use proptest::prelude::*;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::pair::{Pair, byte_at, hold};
use super::{alone, size};

/// Far more than any of these waits takes; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread in one blocking write(2) of so many bytes.
struct BlockedWriter {
    descriptor: i32,
    bytes: u32,
    task: String,
    thread: JoinHandle<Result<usize, Errno>>,
}

impl BlockedWriter {
    /// Opens the pipe once more, so that only this descriptor blocks, and starts the thread.
    fn start(pair: &mut Pair, bytes: u32) -> Self {
        let path = format!("/proc/self/fd/{}", pair.writers[0].as_raw_fd());
        let end = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .expect("a pipe can be opened again");
        pair.model.open_writer();
        let descriptor = end.as_raw_fd();
        let data: Vec<u8> =
            (0..u64::from(bytes)).map(|index| byte_at(pair.bytes_written + index)).collect();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let task = rustix::thread::gettid().as_raw_nonzero();
            sender.send(format!("/proc/self/task/{task}/syscall")).expect("the test waits");
            let result = rustix::io::write(&end, &data);
            drop(end);
            result
        });
        let task = receiver.recv_timeout(PATIENCE).expect("the thread runs");
        Self { descriptor, bytes, task, thread }
    }

    fn sleeps(&self) -> bool {
        sleeps_in_write(&self.task, self.descriptor, self.bytes)
    }

    fn has_returned(&self) -> bool {
        self.thread.is_finished()
    }

    fn result(self, pair: &mut Pair) -> Result<usize, Errno> {
        until("the write returns", || self.has_returned());
        pair.model.close_writer();
        self.thread.join().expect("the thread does not panic")
    }
}

/// Whether a task sleeps in this write: its file `syscall` then shows the call's number and
/// arguments, the descriptor first and the length third.
pub(super) fn sleeps_in_write(path: &str, descriptor: i32, bytes: u32) -> bool {
    let Ok(text) = fs::read_to_string(path) else {
        return false;
    };
    let arguments: Vec<&str> = text.split_whitespace().collect();
    arguments.get(1) == Some(&format!("{descriptor:#x}").as_str())
        && arguments.get(3) == Some(&format!("{bytes:#x}").as_str())
        && is_asleep(&path.replace("syscall", "stat"))
}

/// Whether a task's state is `S`. One that was woken and has not run yet still shows its call; it
/// looks again at what it waits for, and would see what is done meanwhile.
fn is_asleep(path: &str) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
}

pub(super) fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(comes_true(condition), "waited in vain until {what}");
}

pub(super) fn comes_true(mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_micros(50));
    }
    true
}

/// How much of a blocking write the model says is in the pipe, and how much is left.
struct Progress {
    moved: u32,
    left: u32,
}

impl Progress {
    fn add(&mut self, pair: &mut Pair, written: Written) -> Written {
        let moved = match written {
            Written::All => self.left,
            Written::Part(count) => count,
            Written::WouldBlock | Written::BrokenPipe => 0,
        };
        self.moved += moved;
        self.left -= moved;
        pair.bytes_written += u64::from(moved);
        written
    }

    /// Waits until the pipe holds what the model says and the thread sleeps or has returned.
    fn settle(&self, pair: &Pair, writer: &BlockedWriter) {
        let end = pair.readers[0].as_fd();
        let expected = u64::from(pair.model.available());
        let settled = || {
            let there = rustix::io::ioctl_fionread(end).expect("FIONREAD");
            let at_rest = if self.left == 0 { writer.has_returned() } else { writer.sleeps() };
            at_rest && there == expected
        };
        until(&format!("{expected} bytes are there, {} left to write", self.left), settled);
    }
}

/// One blocking write while others read, and merge small writes of their own.
fn blocking_write(slots: u16, before: &[(u32, u32)], bytes: u32, during: &[(bool, u32)]) {
    let mut pair = Pair::new(slots);
    for &(write, read) in before {
        hold(pair.write(write, 0));
        hold(pair.read(read, 0));
    }
    let writer = BlockedWriter::start(&mut pair, bytes);
    let mut progress = Progress { moved: 0, left: bytes };
    let begun = pair.model.write(bytes);
    progress.add(&mut pair, begun);
    progress.settle(&pair, &writer);
    for &(is_read, size) in during {
        if progress.left == 0 {
            break;
        }
        if is_read {
            let mut buffer = vec![0; size as usize];
            let count =
                rustix::io::read(&pair.readers[0], &mut buffer[..]).expect("bytes are there");
            assert_eq!(pair.model.read(size), Taken::Bytes(count as u32));
        } else {
            // The pipe is full, so that this merges or nothing happens; the byte's value does
            // not matter here, only how many there are.
            let data = vec![0; size as usize];
            let real = rustix::io::write(&pair.writers[0], &data);
            match pair.model.write(size) {
                Written::All => assert_eq!(real, Ok(data.len())),
                Written::Part(count) => assert_eq!(real, Ok(count as usize)),
                Written::WouldBlock => assert_eq!(real, Err(Errno::AGAIN)),
                Written::BrokenPipe => panic!("a reader is open"),
            }
        }
        let preview = pair.model.preview_continue_write(progress.left);
        let continued = pair.model.continue_write(progress.left);
        assert_eq!(preview, continued);
        progress.add(&mut pair, continued);
        progress.settle(&pair, &writer);
    }
    // Whatever is left goes through as the pipe is read out.
    while progress.left > 0 {
        let mut buffer = [0; 3000];
        let count = rustix::io::read(&pair.readers[0], &mut buffer[..]).expect("bytes are there");
        assert_eq!(pair.model.read(3000), Taken::Bytes(count as u32));
        let continued = pair.model.continue_write(progress.left);
        progress.add(&mut pair, continued);
        progress.settle(&pair, &writer);
    }
    assert_eq!(writer.result(&mut pair), Ok(progress.moved as usize));
    hold(pair.compare());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        // In milliseconds: a case that fails may wait for all of `PATIENCE`.
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_blocked_write_goes_on_as_the_model_says(
        slots in prop_oneof![Just(1u16), Just(2), Just(4)],
        before in vec((size(2), size(1)), 0..4),
        bytes in prop_oneof![2 => 1..12_000u32, 1 => 12_000..40_000u32],
        during in vec((any::<bool>(), 1..5000u32), 0..12),
    ) {
        let _alone = alone();
        blocking_write(slots, &before, bytes, &during);
    }
}

/// Two writers sleep on a pipe of one slot. The first takes the slot that a read frees; the
/// second would merge behind it if it called anew, but sleeps on: awake again, it merges nothing.
#[test]
fn a_blocked_write_does_not_merge_when_it_wakes() {
    let _alone = alone();
    let mut pair = Pair::new(1);
    if pair.model.slots() != 1 {
        return;
    }
    hold(pair.write(4096, 0));
    let first = BlockedWriter::start(&mut pair, 100);
    assert_eq!(pair.model.write(100), Written::WouldBlock);
    until("the first writer sleeps", || first.sleeps());
    let second = BlockedWriter::start(&mut pair, 200);
    assert_eq!(pair.model.write(200), Written::WouldBlock);
    until("the second writer sleeps", || second.sleeps());

    let mut buffer = [0; 4096];
    assert_eq!(rustix::io::read(&pair.readers[0], &mut buffer), Ok(4096));
    assert_eq!(pair.model.read(4096), Taken::Bytes(4096));
    assert_eq!(pair.model.continue_write(100), Written::All);
    assert_eq!(first.result(&mut pair), Ok(100));
    assert_eq!(pair.model.preview_write(200), Written::All);
    assert_eq!(pair.model.preview_continue_write(200), Written::WouldBlock);
    assert_eq!(pair.model.continue_write(200), Written::WouldBlock);
    // A kernel that merged would do so within this time, at the latest here.
    thread::sleep(Duration::from_millis(50));
    assert!(second.sleeps());
    hold(pair.compare());

    assert_eq!(rustix::io::read(&pair.readers[0], &mut buffer), Ok(100));
    assert_eq!(pair.model.read(4096), Taken::Bytes(100));
    assert_eq!(pair.model.continue_write(200), Written::All);
    assert_eq!(second.result(&mut pair), Ok(200));
    hold(pair.compare());
}

/// The last reader closes while a writer sleeps: the call returns what it moved before, or
/// `EPIPE` where that is nothing.
#[test]
fn a_blocked_write_ends_when_the_last_reader_closes() {
    let _alone = alone();
    for (before, bytes) in [(0, 70_000), (65_536, 100), (65_536, 100_000), (4, 100_000)] {
        let mut pair = Pair::new(16);
        hold(pair.write(before, 0));
        let writer = BlockedWriter::start(&mut pair, bytes);
        let mut progress = Progress { moved: 0, left: bytes };
        let begun = pair.model.write(bytes);
        progress.add(&mut pair, begun);
        progress.settle(&pair, &writer);
        hold(pair.close_reader(0));
        assert_eq!(pair.model.continue_write(progress.left), Written::BrokenPipe);
        let expected =
            if progress.moved > 0 { Ok(progress.moved as usize) } else { Err(Errno::PIPE) };
        assert_eq!(writer.result(&mut pair), expected);
        hold(pair.compare());
    }
}
