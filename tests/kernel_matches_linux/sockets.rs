//! A real pair of stream sockets beside the model of it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::{self, JoinHandle};

use midput_model::os::stream::{Received, SEND_BUFFER, Sent, Side, Stream};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_send_buffer_size};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};

use super::alone;
use super::blocked::{comes_true, sleeps_in_write};
use super::pair::{byte_at, hold, ready};

const BOTH: [Side; 2] = [Side::First, Side::Second];

/// A real pair, and the model of it. Its calls do not block.
struct Sockets {
    model: Stream,
    ends: [Vec<OwnedFd>; 2],
    /// By the end that reads them.
    bytes_sent: [u64; 2],
    bytes_received: [u64; 2],
}

impl Sockets {
    /// A pair with send buffers of about this size, or of the system's where it is 0.
    fn new(send_buffer: usize) -> Self {
        let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
        let pair = socketpair(AddressFamily::UNIX, kind, flags, None).expect("a pair can be made");
        let ends = [pair.0, pair.1];
        if send_buffer > 0 {
            for end in &ends {
                set_socket_send_buffer_size(end, send_buffer).expect("SO_SNDBUF");
            }
        }
        let size = socket_send_buffer_size(&ends[0]).expect("SO_SNDBUF");
        let mut model = Stream::new(u32::try_from(size).expect("a small buffer"));
        BOTH.into_iter().for_each(|side| model.open(side));
        Self { model, ends: ends.map(|end| vec![end]), bytes_sent: [0; 2], bytes_received: [0; 2] }
    }

    fn is_open(&self, side: Side) -> bool {
        !self.ends[side as usize].is_empty()
    }

    /// The next bytes that this side sends.
    fn data(&self, side: Side, bytes: u32) -> Vec<u8> {
        let sent = self.bytes_sent[side.other() as usize];
        (0..u64::from(bytes)).map(|index| byte_at(sent + index)).collect()
    }

    /// Notes what the model says was sent.
    fn add(&mut self, side: Side, bytes: u32, sent: Sent) -> u32 {
        let moved = match sent {
            Sent::All => bytes,
            Sent::Part(count) => count,
            Sent::WouldBlock | Sent::BrokenPipe | Sent::Reset => 0,
        };
        self.bytes_sent[side.other() as usize] += u64::from(moved);
        moved
    }

    fn write(&mut self, side: Side, bytes: u32, copy: usize) -> TestCaseResult {
        if !self.is_open(side) {
            return Ok(());
        }
        let ends = &self.ends[side as usize];
        let end = &ends[copy % ends.len()];
        let data = self.data(side, bytes);
        let real = match rustix::net::send(end, &data, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(count) if count == data.len() => Sent::All,
            Ok(count) => Sent::Part(count as u32),
            Err(Errno::AGAIN) => Sent::WouldBlock,
            Err(Errno::PIPE) => Sent::BrokenPipe,
            Err(error) => panic!("write: {error}"),
        };
        let preview = self.model.preview_write(side, bytes);
        let model = self.model.write(side, bytes);
        prop_assert_eq!(model, real, "{} bytes from {:?}", bytes, side);
        prop_assert_eq!(preview, real);
        self.add(side, bytes, model);
        self.compare()
    }

    fn read(&mut self, side: Side, bytes: u32, copy: usize) -> TestCaseResult {
        if !self.is_open(side) {
            return Ok(());
        }
        let ends = &self.ends[side as usize];
        let end = &ends[copy % ends.len()];
        let mut buffer = vec![0; bytes as usize];
        // Of no bytes, read(2) asks nobody, while recv(2) might tell the reset.
        let read = match bytes {
            0 => rustix::io::read(end, &mut buffer[..]),
            _ => {
                rustix::net::recv(end, &mut buffer[..], RecvFlags::DONTWAIT).map(|(count, _)| count)
            }
        };
        let real = match read {
            Ok(0) if bytes > 0 => Received::EndOfStream,
            Ok(count) => Received::Bytes(count as u32),
            Err(Errno::AGAIN) => Received::WouldBlock,
            Err(Errno::CONNRESET) => Received::Reset,
            Err(error) => panic!("read: {error}"),
        };
        let preview = self.model.preview_read(side, bytes);
        let model = self.model.read(side, bytes);
        prop_assert_eq!(model, real, "{} bytes at {:?}", bytes, side);
        prop_assert_eq!(preview, real);
        if let Received::Bytes(count) = model {
            let received = &mut self.bytes_received[side as usize];
            for (index, &byte) in buffer[..count as usize].iter().enumerate() {
                prop_assert_eq!(byte, byte_at(*received + index as u64));
            }
            *received += u64::from(count);
        }
        self.compare()
    }

    fn open(&mut self, side: Side) -> TestCaseResult {
        if let Some(end) = self.ends[side as usize].last() {
            let copy = rustix::io::fcntl_dupfd_cloexec(end, 0).expect("a copy");
            self.ends[side as usize].push(copy);
            self.model.open(side);
        }
        self.compare()
    }

    fn close(&mut self, side: Side, copy: usize) -> TestCaseResult {
        let ends = &mut self.ends[side as usize];
        if !ends.is_empty() {
            drop(ends.swap_remove(copy % ends.len()));
            self.model.close(side);
        }
        self.compare()
    }

    /// What can be asked without a change: the bytes there and the readiness of each end.
    fn compare(&self) -> TestCaseResult {
        for side in BOTH {
            prop_assert_eq!(
                usize::from(self.model.descriptors(side)),
                self.ends[side as usize].len()
            );
            for end in &self.ends[side as usize] {
                let there = rustix::io::ioctl_fionread(end).expect("FIONREAD");
                prop_assert_eq!(u64::from(self.model.available(side)), there);
                let asked = PollFlags::IN | PollFlags::OUT;
                let found = ready(end.as_fd(), asked);
                prop_assert_eq!(found.contains(PollFlags::OUT), self.model.is_writable(side));
                prop_assert_eq!(found.contains(PollFlags::IN), self.model.is_readable(side));
                prop_assert_eq!(found.contains(PollFlags::HUP), !self.is_open(side.other()));
                let mut reset = self.model.clone();
                reset.read(side, u32::MAX);
                let is_reset = self.model.preview_read(side, 1) == Received::Reset
                    || reset.preview_read(side, 1) == Received::Reset;
                prop_assert_eq!(found.contains(PollFlags::ERR), is_reset);
            }
        }
        Ok(())
    }
}

/// One call. `copy` picks among the open descriptors of the side.
#[derive(Clone, Copy, Debug)]
enum Call {
    Write { side: Side, bytes: u32, copy: usize },
    Read { side: Side, bytes: u32, copy: usize },
    Open { side: Side },
    Close { side: Side, copy: usize },
}

impl Call {
    fn make(self, sockets: &mut Sockets) -> TestCaseResult {
        match self {
            Self::Write { side, bytes, copy } => sockets.write(side, bytes, copy),
            Self::Read { side, bytes, copy } => sockets.read(side, bytes, copy),
            Self::Open { side } => sockets.open(side),
            Self::Close { side, copy } => sockets.close(side, copy),
        }
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::First), Just(Side::Second)]
}

/// Sizes around those where the charge of a packet changes.
fn size() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => prop_oneof![Just(0u32), Just(1), Just(4), Just(192), Just(193), Just(704), Just(705)],
        2 => prop_oneof![Just(1728u32), Just(1729), Just(3776), Just(3777), Just(7872), Just(7873)],
        4 => 1..5000u32,
        2 => 1..40_000u32,
        1 => prop_oneof![Just(36_544u32), Just(36_545), 40_000..300_000u32],
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let copy = 0..3usize;
    prop_oneof![
        30 => (side(), size(), copy.clone())
            .prop_map(|(side, bytes, copy)| Call::Write { side, bytes, copy }),
        25 => (side(), size(), copy.clone())
            .prop_map(|(side, bytes, copy)| Call::Read { side, bytes, copy }),
        1 => side().prop_map(|side| Call::Open { side }),
        2 => (side(), copy).prop_map(|(side, copy)| Call::Close { side, copy }),
    ]
}

/// The system's buffers, and some that are soon full.
fn send_buffer() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0usize), 1 => Just(1), 2 => 2304..30_000usize]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_call_on_a_pair_of_sockets_gives_the_same_result(
        send_buffer in send_buffer(),
        calls in vec(call(), 1..60),
    ) {
        let _alone = alone();
        let mut sockets = Sockets::new(send_buffer);
        for call in calls {
            call.make(&mut sockets)?;
        }
        // What is left comes out whole; then the stream has ended, was reset or is empty.
        for side in BOTH {
            while sockets.is_open(side) && sockets.model.available(side) > 0 {
                sockets.read(side, 5000, 0)?;
            }
            sockets.read(side, 1, 0)?;
            sockets.read(side, 1, 0)?;
        }
    }
}

/// One of a quarter of the buffer too much is charged: poll(2) says "not writable" from there on.
#[test]
fn a_quarter_of_the_buffer_is_the_most_with_which_an_end_is_writable() {
    let _alone = alone();
    let mut sockets = Sockets::new(0);
    let quarter = socket_send_buffer_size(&sockets.ends[0][0]).expect("SO_SNDBUF") as u32 / 4;
    for bytes in [193, 193] {
        hold(sockets.write(Side::First, bytes, 0));
    }
    while sockets.model.charged(Side::First) < quarter {
        hold(sockets.write(Side::First, 1, 0));
    }
    if quarter == SEND_BUFFER / 4 {
        assert_eq!(sockets.model.charged(Side::First), quarter);
        assert!(!sockets.model.is_writable(Side::First));
    }
}

/// What others do while one writer sleeps.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Read(u32),
    /// The reader sends something, which wakes the writer.
    Send(u32),
    Close,
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        8 => size().prop_map(Meanwhile::Read),
        3 => (1..3000u32).prop_map(Meanwhile::Send),
        1 => Just(Meanwhile::Close),
    ]
}

/// A thread in one blocking write(2) at the first end.
struct BlockedWriter {
    descriptor: i32,
    task: String,
    thread: JoinHandle<Result<usize, Errno>>,
}

impl BlockedWriter {
    fn start(sockets: &Sockets, bytes: u32) -> Self {
        let end = rustix::io::fcntl_dupfd_cloexec(&sockets.ends[0][0], 0).expect("a copy");
        let descriptor = end.as_raw_fd();
        let data = sockets.data(Side::First, bytes);
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let task = rustix::thread::gettid().as_raw_nonzero();
            sender.send(format!("/proc/self/task/{task}/syscall")).expect("the test waits");
            rustix::io::write(&end, &data)
        });
        let task = receiver.recv().expect("the thread runs");
        Self { descriptor, task, thread }
    }

    /// Waits until what the model says is there, and the thread sleeps or has returned.
    fn settle(&self, sockets: &Sockets, bytes: u32, returned: bool) {
        let expected = u64::from(sockets.model.available(Side::Second));
        let mut seen = (false, None);
        let comes_true = comes_true(|| {
            let at_rest = if returned {
                self.thread.is_finished()
            } else {
                sleeps_in_write(&self.task, self.descriptor, bytes)
            };
            let there = sockets.ends[1].first().map(rustix::io::ioctl_fionread);
            seen = (at_rest, there);
            at_rest && there.is_none_or(|there| there == Ok(expected))
        });
        let (at_rest, there) = seen;
        let wanted = format!("{expected} bytes, returned: {returned}");
        assert!(comes_true, "{there:?} bytes are there, at rest: {at_rest}; by the model {wanted}");
    }
}

impl Meanwhile {
    /// Makes the call on both. What the writer does of it takes a moment, so that only the call's
    /// own result is compared.
    fn make(self, sockets: &mut Sockets) {
        let there = Side::Second;
        match self {
            Self::Read(size) => {
                // A call that asks for more may also get what the woken writer adds meanwhile.
                let size = size.min(sockets.model.available(there));
                let mut buffer = vec![0; size as usize];
                let count = rustix::io::read(&sockets.ends[1][0], &mut buffer[..]).expect("bytes");
                assert_eq!(sockets.model.read(there, size), Received::Bytes(count as u32));
                sockets.bytes_received[1] += count as u64;
            }
            Self::Send(size) => {
                let data = sockets.data(there, size);
                let real = rustix::net::send(&sockets.ends[1][0], &data, SendFlags::DONTWAIT);
                let sent = sockets.model.write(there, size);
                let sent = sockets.add(there, size, sent);
                assert_eq!(real.unwrap_or(0), sent as usize);
            }
            Self::Close => {
                sockets.ends[1].clear();
                sockets.model.close(there);
            }
        }
    }
}

/// One blocking write of the first end, in a thread.
fn blocking_write(send_buffer: usize, before: &[u32], bytes: u32, during: &[Meanwhile]) {
    let (here, there) = (Side::First, Side::Second);
    let mut sockets = Sockets::new(send_buffer);
    for &bytes in before {
        hold(sockets.write(here, bytes, 0));
    }
    let writer = BlockedWriter::start(&sockets, bytes);
    let begun = sockets.model.write(here, bytes);
    let mut moved = sockets.add(here, bytes, begun);
    let mut expected = Ok(bytes as usize);
    let mut returned = moved == bytes;
    let mut during = during.iter();
    writer.settle(&sockets, bytes, returned);
    while !returned {
        during.next().unwrap_or(&Meanwhile::Read(30_000)).make(&mut sockets);
        let left = bytes - moved;
        let continued = sockets.model.continue_write(here, left);
        moved += sockets.add(here, left, continued);
        returned = moved == bytes || matches!(continued, Sent::BrokenPipe | Sent::Reset);
        expected = match continued {
            Sent::Reset if moved == 0 => Err(Errno::CONNRESET),
            Sent::BrokenPipe if moved == 0 => Err(Errno::PIPE),
            _ => Ok(moved as usize),
        };
        writer.settle(&sockets, bytes, returned);
    }
    assert_eq!(writer.thread.join().expect("the thread does not panic"), expected);
    hold(sockets.compare());
    while sockets.model.available(there) > 0 && sockets.is_open(there) {
        hold(sockets.read(there, 5000, 0));
    }
    // It was told of a reset, or never was one.
    while matches!(sockets.model.preview_read(here, 1), Received::Bytes(_) | Received::Reset) {
        hold(sockets.read(here, 5000, 0));
    }
    hold(sockets.read(here, 1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        // In milliseconds: a case that fails may wait for all of `PATIENCE`.
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_blocked_write_to_a_socket_goes_on_as_the_model_says(
        send_buffer in send_buffer(),
        before in vec(size(), 0..4),
        bytes in prop_oneof![2 => 1..20_000u32, 1 => 20_000..400_000u32],
        during in vec(meanwhile(), 0..12),
    ) {
        let _alone = alone();
        blocking_write(send_buffer, &before, bytes, &during);
    }
}
