//! The OS objects of the model do what Linux does: the same calls give the same results.
//!
//! Random sequences of calls run on `midput_model::os` and on a real pipe; a writer that sleeps in
//! write(2) goes on as the model says; a killed process leaves behind what the model says.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use midput_model::os::pipe::{Pipe, SLOT_BYTES, Taken, Written};
use midput_model::os::process::{ProcessState, Unsuited};
use midput_model::program::{Exit, Signal};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

/// Far more than any of these waits takes; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// One test at a time: while a process starts, it has a copy of every descriptor, so that an end
/// that another test has closed would stay open for a moment.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The `position`-th byte that goes through a pipe. The period has no factor in common with the
/// size of a slot, so that bytes of another slot are not taken for it.
fn byte_at(position: u64) -> u8 {
    (position % 251) as u8
}

/// A real pipe that does not block, and the model of it.
struct Pair {
    model: Pipe,
    readers: Vec<OwnedFd>,
    writers: Vec<OwnedFd>,
    bytes_written: u64,
    bytes_read: u64,
}

impl Pair {
    /// A pipe of so many slots, or of as many as the kernel grants (a user over
    /// `pipe-user-pages-soft` gets smaller ones).
    fn new(slots: u16) -> Self {
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
    fn write(&mut self, bytes: u32, end: usize) -> TestCaseResult {
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
    fn read(&mut self, bytes: u32, end: usize) -> TestCaseResult {
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

    fn open_reader(&mut self) -> TestCaseResult {
        if let Some(end) = self.readers.last() {
            let copy = rustix::io::fcntl_dupfd_cloexec(end, 0).expect("a copy");
            self.readers.push(copy);
            self.model.open_reader();
        }
        self.compare()
    }

    fn open_writer(&mut self) -> TestCaseResult {
        if let Some(end) = self.writers.last() {
            let copy = rustix::io::fcntl_dupfd_cloexec(end, 0).expect("a copy");
            self.writers.push(copy);
            self.model.open_writer();
        }
        self.compare()
    }

    fn close_reader(&mut self, end: usize) -> TestCaseResult {
        if !self.readers.is_empty() {
            drop(self.readers.swap_remove(end % self.readers.len()));
            self.model.close_reader();
        }
        self.compare()
    }

    fn close_writer(&mut self, end: usize) -> TestCaseResult {
        if !self.writers.is_empty() {
            drop(self.writers.swap_remove(end % self.writers.len()));
            self.model.close_writer();
        }
        self.compare()
    }

    /// What can be asked without a change: the bytes there and the readiness of each end.
    fn compare(&self) -> TestCaseResult {
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

fn ready(end: BorrowedFd<'_>, interest: PollFlags) -> PollFlags {
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

/// One call. `end` picks among the open ends of its kind.
#[derive(Clone, Copy, Debug)]
enum Call {
    Write { bytes: u32, end: usize },
    Read { bytes: u32, end: usize },
    OpenReader,
    OpenWriter,
    CloseReader { end: usize },
    CloseWriter { end: usize },
}

impl Call {
    fn make(self, pair: &mut Pair) -> TestCaseResult {
        match self {
            Self::Write { bytes, end } => pair.write(bytes, end),
            Self::Read { bytes, end } => pair.read(bytes, end),
            Self::OpenReader => pair.open_reader(),
            Self::OpenWriter => pair.open_writer(),
            Self::CloseReader { end } => pair.close_reader(end),
            Self::CloseWriter { end } => pair.close_writer(end),
        }
    }
}

/// Sizes around those where the rules change.
fn size(slots: u16) -> impl Strategy<Value = u32> {
    let capacity = u32::from(slots) * SLOT_BYTES;
    prop_oneof![
        4 => prop_oneof![
            Just(0u32), Just(1), Just(4), Just(2049), Just(4095), Just(4096), Just(4097)
        ],
        4 => 1..2 * SLOT_BYTES,
        3 => (0..=u32::from(slots) + 1, 0..5u32)
            .prop_map(|(pages, more)| (pages * SLOT_BYTES + more).saturating_sub(2)),
        1 => 1..capacity + 2 * SLOT_BYTES,
    ]
}

fn call(slots: u16) -> impl Strategy<Value = Call> {
    let end = 0..4usize;
    prop_oneof![
        30 => (size(slots), end.clone()).prop_map(|(bytes, end)| Call::Write { bytes, end }),
        25 => (size(slots), end.clone()).prop_map(|(bytes, end)| Call::Read { bytes, end }),
        2 => Just(Call::OpenReader),
        2 => Just(Call::OpenWriter),
        1 => end.clone().prop_map(|end| Call::CloseReader { end }),
        1 => end.prop_map(|end| Call::CloseWriter { end }),
    ]
}

fn sequence() -> impl Strategy<Value = (u16, Vec<Call>)> {
    prop_oneof![1 => Just(1u16), 2 => Just(2), 2 => Just(4), 3 => Just(16), 1 => Just(64)]
        .prop_flat_map(|slots| (Just(slots), vec(call(slots), 1..60)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_call_on_a_pipe_gives_the_same_result((slots, calls) in sequence()) {
        let _alone = alone();
        let mut pair = Pair::new(slots);
        for call in calls {
            call.make(&mut pair)?;
            prop_assert_eq!(usize::from(pair.model.readers()), pair.readers.len());
            prop_assert_eq!(usize::from(pair.model.writers()), pair.writers.len());
        }
        // What is left comes out whole; then the stream has ended or is empty.
        while !pair.readers.is_empty() && pair.model.available() > 0 {
            pair.read(5000, 0)?;
        }
        pair.read(1, 0)?;
    }
}

fn hold(result: TestCaseResult) {
    result.expect("the model does what Linux does");
}

/// The figures of the documented semantics, on this kernel.
#[test]
fn a_large_frame_stops_where_its_size_says() {
    let _alone = alone();
    for payload in [1_048_585, 1_048_576, 1_000_000, 100_000] {
        let mut pair = Pair::new(16);
        hold(pair.write(4, 0));
        hold(pair.write(payload, 0));
    }
    for size in [16, 2049, 4095, 4096] {
        let mut pair = Pair::new(16);
        while pair.model.preview_write(size) == Written::All {
            hold(pair.write(size, 0));
        }
        hold(pair.write(size, 0));
    }
}

/// With every slot in use poll(2) says "not writable", while a write into the last one succeeds.
#[test]
fn a_write_that_merges_succeeds_where_poll_says_that_none_would() {
    let _alone = alone();
    let mut pair = Pair::new(2);
    hold(pair.write(4096, 0));
    while pair.model.is_writable() {
        hold(pair.write(4000, 0));
    }
    assert_eq!(pair.model.preview_write(96), Written::All);
    assert_eq!(pair.model.preview_write(97), Written::WouldBlock);
    hold(pair.write(97, 0));
    hold(pair.write(96, 0));
}

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
        let data: Vec<u8> = (0..u64::from(bytes))
            .map(|index| byte_at(pair.bytes_written + index))
            .collect();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let task = rustix::thread::gettid().as_raw_nonzero();
            sender
                .send(format!("/proc/self/task/{task}/syscall"))
                .expect("the test waits");
            let result = rustix::io::write(&end, &data);
            drop(end);
            result
        });
        let task = receiver.recv_timeout(PATIENCE).expect("the thread runs");
        Self {
            descriptor,
            bytes,
            task,
            thread,
        }
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
fn sleeps_in_write(path: &str, descriptor: i32, bytes: u32) -> bool {
    let Ok(text) = fs::read_to_string(path) else {
        return false;
    };
    let arguments: Vec<&str> = text.split_whitespace().collect();
    arguments.get(1) == Some(&format!("{descriptor:#x}").as_str())
        && arguments.get(3) == Some(&format!("{bytes:#x}").as_str())
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(Duration::from_micros(50));
    }
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
            let at_rest = if self.left == 0 {
                writer.has_returned()
            } else {
                writer.sleeps()
            };
            at_rest && there == expected
        };
        until(
            &format!("{expected} bytes are there, {} left to write", self.left),
            settled,
        );
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
    let mut progress = Progress {
        moved: 0,
        left: bytes,
    };
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
        let mut progress = Progress {
            moved: 0,
            left: bytes,
        };
        let begun = pair.model.write(bytes);
        progress.add(&mut pair, begun);
        progress.settle(&pair, &writer);
        hold(pair.close_reader(0));
        assert_eq!(
            pair.model.continue_write(progress.left),
            Written::BrokenPipe
        );
        let expected = if progress.moved > 0 {
            Ok(progress.moved as usize)
        } else {
            Err(Errno::PIPE)
        };
        assert_eq!(writer.result(&mut pair), expected);
        hold(pair.compare());
    }
}

/// A real child process, killed if the test ends early, and the model of it.
struct Process {
    child: Child,
    model: ProcessState,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be started");
        let mut model = ProcessState::default();
        model.start().expect("it starts once");
        Self { child, model }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal(&mut self, signal: Signal) {
        let number = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        // The process is not reaped, so that its id is still its own.
        kill_process(self.pid(), number).expect("a child can be signalled, also a dead one");
        self.model.signal(signal).expect("it was started");
    }

    /// Waits until it is dead and leaves its exit status for `reap`.
    fn await_death(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.pid()), options)
            .expect("waitid")
            .expect("it has ended");
        self.model.die().expect("it was signalled");
        assert!(self.model.is_dead());
    }

    fn reap(&mut self) -> Exit {
        use std::os::unix::process::ExitStatusExt;
        let status = self
            .child
            .try_wait()
            .expect("waitpid")
            .expect("it has ended");
        let signal = status.signal().map(|number| match number {
            9 => Signal::Kill,
            15 => Signal::Terminate,
            other => panic!("signal {other}"),
        });
        let code = status
            .code()
            .map(|code| u8::try_from(code).expect("a byte"));
        let real = signal
            .map(Exit::Signal)
            .or(code.map(Exit::Code))
            .expect("one of the two");
        assert_eq!(self.model.reap(), Ok(real));
        assert_eq!(self.model.exit(), Some(real));
        real
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.model, ProcessState::Reaped(_)) {
            // It has ended already or ends now; in both cases there is nothing more to do.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The writing end as a child's standard output, blocking.
fn blocking_copy(pair: &Pair) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", pair.writers[0].as_raw_fd());
    rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).expect("opened again")
}

/// A producer is killed in the middle of one write: what it moved stays, the rest never comes,
/// and the stream ends only once nobody else holds a writing end (`WF3`, `WF8`, `LC11`).
#[test]
fn a_writer_killed_in_its_write_leaves_a_prefix_and_then_the_end() {
    let _alone = alone();
    for (header, payload) in [
        (4, 100_000),
        (4, 1_048_585),
        (0, 70_000),
        (65_000, 4097),
        // All or nothing: nothing.
        (65_000, 4096),
    ] {
        let mut pair = Pair::new(16);
        hold(pair.write(header, 0));
        let mut process = Process::start(
            Command::new("dd")
                .args(["if=/dev/zero", "count=1", &format!("bs={payload}")])
                .stdout(Stdio::from(blocking_copy(&pair))),
        );
        pair.model.open_writer();
        let written = pair.model.write(payload);
        assert_eq!(
            payload <= SLOT_BYTES,
            written == Written::WouldBlock,
            "{written:?}"
        );
        assert_ne!(written, Written::All);
        let calls = format!("/proc/{}/syscall", process.child.id());
        until("the writer sleeps", || sleeps_in_write(&calls, 1, payload));
        hold(pair.compare());
        still_alive(&mut process);

        process.signal(Signal::Kill);
        process.await_death();
        // Dead, even though nobody has reaped it: its descriptors are closed.
        pair.model.close_writer();
        compare_lengths(&mut pair);
        // Our own writing end keeps the stream open.
        assert_eq!(pair.model.read(1), Taken::WouldBlock);
        assert_eq!(
            rustix::io::read(&pair.readers[0], &mut [0; 1]),
            Err(Errno::AGAIN)
        );
        hold(pair.close_writer(0));
        hold(pair.read(1, 0));
        assert_eq!(pair.model.preview_read(1), Taken::EndOfStream);
        assert_eq!(process.reap(), Exit::Signal(Signal::Kill));
    }
}

/// Reads everything that is there on both, by length only.
fn compare_lengths(pair: &mut Pair) {
    hold(pair.compare());
    while pair.model.available() > 0 {
        let mut buffer = [0; 5000];
        let count = rustix::io::read(&pair.readers[0], &mut buffer).expect("bytes are there");
        assert_eq!(pair.model.read(5000), Taken::Bytes(count as u32));
        hold(pair.compare());
    }
}

fn still_alive(process: &mut Process) {
    assert_eq!(process.child.try_wait().expect("waitpid"), None);
    assert_eq!(process.model.reap(), Err(Unsuited::Alive));
}

/// The only reader is killed: its bytes stay unread, and writers learn of it (`WF7`, `LC11`).
#[test]
fn a_reader_killed_leaves_a_broken_pipe() {
    let _alone = alone();
    let mut pair = Pair::new(16);
    let reader = rustix::io::fcntl_dupfd_cloexec(&pair.readers[0], 0).expect("a copy");
    let mut process = Process::start(Command::new("sleep").arg("600").stdin(Stdio::from(reader)));
    pair.model.open_reader();
    hold(pair.compare());
    hold_write(&mut pair, 5000, Ok(5000));
    drop(pair.readers.pop());
    pair.model.close_reader();
    hold_write(&mut pair, 100, Ok(100));
    still_alive(&mut process);

    process.signal(Signal::Kill);
    process.await_death();
    pair.model.close_reader();
    hold(pair.compare());
    assert_eq!(pair.model.available(), 5100);
    hold_write(&mut pair, 100, Err(Errno::PIPE));
    assert_eq!(process.reap(), Exit::Signal(Signal::Kill));
}

/// Writes on both and compares with what is expected of both.
fn hold_write(pair: &mut Pair, bytes: u32, expected: Result<usize, Errno>) {
    let model = match pair.model.write(bytes) {
        Written::All => Ok(bytes as usize),
        Written::Part(count) => Ok(count as usize),
        Written::WouldBlock => Err(Errno::AGAIN),
        Written::BrokenPipe => Err(Errno::PIPE),
    };
    assert_eq!(model, expected);
    assert_eq!(
        rustix::io::write(&pair.writers[0], &vec![0; bytes as usize]),
        expected
    );
}

/// The first signal that ends a process decides its exit status; the dead can be signalled.
#[test]
fn the_first_signal_decides_how_a_process_ended() {
    let _alone = alone();
    for (first, second) in [
        (Signal::Terminate, Signal::Kill),
        (Signal::Kill, Signal::Terminate),
    ] {
        let mut process = Process::start(Command::new("sleep").arg("600"));
        still_alive(&mut process);
        process.signal(first);
        process.signal(second);
        process.await_death();
        process.signal(second);
        assert_eq!(process.reap(), Exit::Signal(first));
        assert_eq!(process.model.reap(), Err(Unsuited::Reaped));
        assert_eq!(no_such_child(process.pid()), Errno::CHILD);
    }
}

fn no_such_child(pid: Pid) -> Errno {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    waitid(WaitId::Pid(pid), options).expect_err("it was reaped")
}

/// A process that ends by itself has the code that it gave, also when a signal comes too late.
#[test]
fn a_process_that_exits_has_its_code() {
    let _alone = alone();
    let mut process = Process::start(Command::new("sh").args(["-c", "exit 7"]));
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(process.pid()), options)
        .expect("waitid")
        .expect("it has ended");
    process.model.leave().expect("it runs");
    process.model.end(7).expect("it leaves");
    process.signal(Signal::Kill);
    assert_eq!(process.reap(), Exit::Code(7));
}
