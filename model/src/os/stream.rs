//! The pair of connected stream sockets (`AF_UNIX`, `SOCK_STREAM`) with Linux's accounting.
//!
//! A write is cut into packets, and each packet is charged to the writer's send buffer with the
//! memory that the kernel spends on it: a byte costs 768, so that the capacity in bytes depends on
//! the sizes of the writes. A write goes on while the charge is below the buffer's size; who has
//! to wait is woken only once no more than a quarter is charged, or when something arrives for it.
//! A packet is charged until its last byte was read.
//!
//! The charge of a packet is that of Linux on x86-64, with pages of 4096 bytes. Compared with
//! Linux call by call in the test `kernel_matches_linux`, full buffers included.

use std::collections::VecDeque;

use crate::clone::clone_by_field;

/// The size of the send buffer of a socket where nobody has changed it
/// (`net.core.wmem_default`).
pub const SEND_BUFFER: u32 = 212_992;
/// The page size, and what the part of a packet that is kept in pages is rounded up to.
const PAGE: u32 = 4096;
/// The most bytes that a packet keeps beside its head (`SKB_MAX_HEAD`).
const HEAD_MAX: u32 = 3776;
/// The most bytes of one packet: its head and eight pages.
const PACKET_MAX: u32 = HEAD_MAX + 8 * PAGE;
/// What a packet costs beside its bytes: its description, and the end of its head.
const DESCRIPTION: u32 = 256;
const HEAD_END: u32 = 320;
/// Heads begin and end on lines of the cache.
const CACHE_LINE: u32 = 64;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that was made first.
    First,
    /// The other.
    Second,
}

impl Side {
    /// The end at the other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Two connected sockets, by the number of bytes under way only, and their open descriptors by
/// theirs.
///
/// Whoever uses it keeps the bytes themselves: in each direction they arrive in the order in which
/// they were sent. Two equal streams behave alike for ever.
///
/// ```
/// use midput_model::os::stream::{Received, SEND_BUFFER, Sent, Side, Stream};
///
/// let (here, there) = (Side::First, Side::Second);
/// let mut stream = Stream::new(SEND_BUFFER);
/// stream.open(here);
/// stream.open(there);
/// assert_eq!(stream.write(here, 1_000_000), Sent::Part(219_264));
/// assert_eq!(stream.write(there, 5), Sent::All);
/// // It closes before it has read everything: what it sent arrives, then the reset (WF9).
/// stream.close(there);
/// assert_eq!(stream.write(here, 1), Sent::BrokenPipe);
/// assert_eq!(stream.read(here, 100), Received::Bytes(5));
/// assert_eq!(stream.read(here, 100), Received::Reset);
/// assert_eq!(stream.read(here, 100), Received::EndOfStream);
/// ```
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    first: End,
    second: End,
    send_buffer: u32,
}

clone_by_field!(Stream { first, second, send_buffer });

/// One end, with what was sent to it.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct End {
    /// Open descriptors, in all processes.
    descriptors: u16,
    /// What has arrived and is unread, oldest first.
    inbox: VecDeque<Packet>,
    /// The sum of what is unread in it.
    available: u32,
    /// The sum of what it is charged with, to the send buffer of the other end.
    charged: u32,
    /// The other end's buffer was full since its writers were woken last: who waits sleeps on.
    writers_sleep: bool,
    /// The other end was closed before it had read everything, and nobody was told yet.
    reset: bool,
}

clone_by_field!(End { descriptors, inbox, available, charged, writers_sleep, reset });

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Packet {
    /// More than none.
    unread: u32,
    /// What it costs until all of it is read.
    charge: u32,
}

/// What a write that does not block did or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Every byte is on its way.
    All,
    /// So many bytes, more than none and fewer than asked for.
    Part(u32),
    /// Nothing: a blocking write would sleep (`EAGAIN`).
    WouldBlock,
    /// Nothing: the other end is closed everywhere (`EPIPE`).
    BrokenPipe,
    /// Nothing: the other end was closed before it had read everything (`ECONNRESET`). Only who
    /// slept in its write learns it there; it is told once.
    Reset,
}

/// What a read that does not block did or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Received {
    /// So many bytes: as many as asked for or as there are, and none only if none was asked for.
    Bytes(u32),
    /// Nothing is there and the other end is closed everywhere.
    EndOfStream,
    /// Nothing is there, and the other end was closed before it had read everything
    /// (`ECONNRESET`, `WF9`). It is told once: afterwards the stream has ended.
    Reset,
    /// Nothing is there yet: a blocking read would sleep (`EAGAIN`).
    WouldBlock,
}

/// What a packet of so many bytes costs.
fn charge(bytes: u32) -> u32 {
    let pages = bytes.saturating_sub(HEAD_MAX).next_multiple_of(PAGE);
    let head = bytes.saturating_sub(pages);
    let head = (head.next_multiple_of(CACHE_LINE) + HEAD_END).next_power_of_two();
    DESCRIPTION + head + pages
}

impl Stream {
    /// Two ends without an open descriptor, each with a send buffer of this size (`SO_SNDBUF`).
    pub fn new(send_buffer: u32) -> Self {
        Self { first: End::default(), second: End::default(), send_buffer }
    }

    fn end(&self, side: Side) -> &End {
        match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        }
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }

    /// One more descriptor of this end, in whichever process.
    pub fn open(&mut self, side: Side) {
        self.end_mut(side).descriptors += 1;
    }

    /// One descriptor of this end fewer. With the last, what it has not read is lost, and the
    /// other end is told so (`WF9`); what it has sent still arrives.
    pub fn close(&mut self, side: Side) {
        let end = self.end_mut(side);
        debug_assert!(end.descriptors > 0, "the end is open nowhere");
        end.descriptors = end.descriptors.saturating_sub(1);
        if end.descriptors > 0 {
            return;
        }
        let lost = end.available > 0;
        end.inbox.clear();
        (end.available, end.charged, end.writers_sleep) = (0, 0, false);
        self.end_mut(side.other()).reset = lost;
    }

    /// The open descriptors of this end, in all processes.
    pub fn descriptors(&self, side: Side) -> u16 {
        self.end(side).descriptors
    }

    /// The bytes that can be read at this end now (`FIONREAD`).
    pub fn available(&self, side: Side) -> u32 {
        self.end(side).available
    }

    /// What this end's send buffer is charged with (`SIOCOUTQ`).
    pub fn charged(&self, side: Side) -> u32 {
        self.end(side.other()).charged
    }

    /// Whether poll(2) calls this end ready for reading: bytes are there, or the other end is
    /// closed.
    pub fn is_readable(&self, side: Side) -> bool {
        self.end(side).available > 0 || self.end(side.other()).descriptors == 0
    }

    /// Whether poll(2) calls this end ready for writing: at most a quarter of its buffer is
    /// charged. Less than that is enough for a write to succeed.
    pub fn is_writable(&self, side: Side) -> bool {
        self.wakes(self.end(side.other()).charged)
    }

    /// Whether writers are woken at this charge.
    fn wakes(&self, charged: u32) -> bool {
        u64::from(charged) * 4 + 4 <= u64::from(self.send_buffer)
    }

    /// What [`write`](Self::write) would do now.
    pub fn preview_write(&self, side: Side, bytes: u32) -> Sent {
        if self.end(side.other()).descriptors == 0 {
            return Sent::BrokenPipe;
        }
        match self.packets(side, bytes).map(|packet| packet.unread).sum() {
            moved if moved == bytes => Sent::All,
            0 => Sent::WouldBlock,
            moved => Sent::Part(moved),
        }
    }

    /// A write(2) of so many bytes that does not block, or what a blocking one does before it
    /// sleeps.
    pub fn write(&mut self, side: Side, bytes: u32) -> Sent {
        let sent = self.preview_write(side, bytes);
        self.put(side, bytes, sent)
    }

    /// What [`continue_write`](Self::continue_write) would do now.
    pub fn preview_continue_write(&self, side: Side, bytes: u32) -> Sent {
        if self.end(side.other()).descriptors == 0 {
            if self.end(side).reset { Sent::Reset } else { Sent::BrokenPipe }
        } else if self.end(side.other()).writers_sleep {
            Sent::WouldBlock
        } else {
            self.preview_write(side, bytes)
        }
    }

    /// What a blocking write(2) that had to wait does with so many bytes left: as
    /// [`write`](Self::write) once it was woken, nothing before.
    ///
    /// On [`BrokenPipe`](Sent::BrokenPipe) and [`Reset`](Sent::Reset) the call returns the bytes
    /// that it moved before, and the error only where there were none. The reset is told by that
    /// in any case.
    pub fn continue_write(&mut self, side: Side, bytes: u32) -> Sent {
        let sent = self.preview_continue_write(side, bytes);
        if sent == Sent::Reset {
            self.end_mut(side).reset = false;
        }
        self.put(side, bytes, sent)
    }

    /// The packets that a write of so many bytes makes before the buffer is full.
    fn packets(&self, side: Side, bytes: u32) -> impl Iterator<Item = Packet> + use<> {
        let (send_buffer, mut charged) = (self.send_buffer, self.end(side.other()).charged);
        let largest = (send_buffer / 2).saturating_sub(64).clamp(1, PACKET_MAX);
        let mut left = bytes;
        std::iter::from_fn(move || {
            if left == 0 || charged >= send_buffer {
                return None;
            }
            let unread = left.min(largest);
            let packet = Packet { unread, charge: charge(unread) };
            left -= unread;
            charged += packet.charge;
            Some(packet)
        })
    }

    fn put(&mut self, side: Side, bytes: u32, sent: Sent) -> Sent {
        if !matches!(sent, Sent::All | Sent::Part(_)) || bytes == 0 {
            return sent;
        }
        let send_buffer = self.send_buffer;
        let packets = self.packets(side, bytes);
        let receiver = self.end_mut(side.other());
        for packet in packets {
            receiver.inbox.push_back(packet);
            receiver.available += packet.unread;
            receiver.charged += packet.charge;
        }
        receiver.writers_sleep |= receiver.charged >= send_buffer;
        // What arrives wakes the receiver's own writers, who look whether there is room.
        let sender = self.end_mut(side);
        sender.writers_sleep &= sender.charged >= send_buffer;
        sent
    }

    /// What [`read`](Self::read) would do now.
    pub fn preview_read(&self, side: Side, bytes: u32) -> Received {
        let end = self.end(side);
        if bytes == 0 {
            Received::Bytes(0)
        } else if end.available > 0 {
            Received::Bytes(bytes.min(end.available))
        } else if end.reset {
            Received::Reset
        } else if self.end(side.other()).descriptors == 0 {
            Received::EndOfStream
        } else {
            Received::WouldBlock
        }
    }

    /// A read(2) of up to so many bytes that does not block, across packets.
    pub fn read(&mut self, side: Side, bytes: u32) -> Received {
        let received = self.preview_read(side, bytes);
        match received {
            Received::Bytes(count) => self.take(side, count),
            Received::Reset => self.end_mut(side).reset = false,
            Received::EndOfStream | Received::WouldBlock => {}
        }
        received
    }

    fn take(&mut self, side: Side, count: u32) {
        let end = self.end_mut(side);
        end.available -= count;
        let (mut left, before) = (count, end.charged);
        while left > 0
            && let Some(packet) = end.inbox.front_mut()
        {
            if packet.unread > left {
                packet.unread -= left;
                break;
            }
            left -= packet.unread;
            end.charged -= packet.charge;
            end.inbox.pop_front();
        }
        let charged = end.charged;
        if charged < before && self.wakes(charged) {
            self.end_mut(side).writers_sleep = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Side; 2] = [Side::First, Side::Second];

    fn open_stream(send_buffer: u32) -> Stream {
        let mut stream = Stream::new(send_buffer);
        BOTH.into_iter().for_each(|side| stream.open(side));
        stream
    }

    /// As measured on Linux 6.18.
    #[test]
    fn a_packet_costs_what_linux_charges() {
        for (bytes, charged) in [
            (1, 768),
            (192, 768),
            (193, 1280),
            (704, 1280),
            (705, 2304),
            (1729, 4352),
            (3776, 4352),
            (3777, 4864),
            (5000, 6400),
            (7872, 8448),
            (7873, 8960),
            (16_388, 17_152),
            (36_544, 37_120),
            (36_545, 37_888),
            (100_000, 103_168),
        ] {
            let mut stream = open_stream(SEND_BUFFER);
            assert_eq!(stream.write(Side::First, bytes), Sent::All);
            assert_eq!(stream.charged(Side::First), charged, "{bytes} bytes");
            assert_eq!(stream.charged(Side::Second), 0);
        }
    }

    #[test]
    fn the_capacity_depends_on_the_size_of_the_writes() {
        for (size, capacity) in [(1, 278), (100, 27_800), (4096, 180_224), (16_388, 213_044)] {
            let mut stream = open_stream(SEND_BUFFER);
            while stream.write(Side::First, size) == Sent::All {}
            assert_eq!(stream.write(Side::First, size), Sent::WouldBlock);
            assert_eq!(stream.available(Side::Second), capacity, "writes of {size}");
        }
    }

    #[test]
    fn exactly_a_quarter_is_too_much_to_be_writable() {
        let mut stream = open_stream(SEND_BUFFER);
        for bytes in [193, 193].into_iter().chain([1; 65]) {
            assert_eq!(stream.write(Side::First, bytes), Sent::All);
        }
        assert!(stream.is_writable(Side::First));
        assert_eq!(stream.write(Side::First, 1), Sent::All);
        assert_eq!(stream.charged(Side::First), SEND_BUFFER / 4);
        assert!(!stream.is_writable(Side::First));
    }

    #[test]
    fn a_sleeping_writer_is_woken_at_a_quarter_or_by_what_arrives() {
        let mut stream = open_stream(SEND_BUFFER);
        assert_eq!(stream.write(Side::First, 500_000), Sent::Part(219_264));
        let left = 500_000 - 219_264;
        for _ in 0..4 {
            assert_eq!(stream.continue_write(Side::First, left), Sent::WouldBlock);
            assert_eq!(stream.read(Side::Second, 36_544), Received::Bytes(36_544));
        }
        // Who calls anew need not be woken, …
        assert!(!stream.is_writable(Side::First));
        assert_eq!(stream.preview_write(Side::First, left), Sent::Part(146_176));
        assert_eq!(stream.preview_continue_write(Side::First, left), Sent::WouldBlock);
        // … and what arrives wakes.
        let mut woken = stream.clone();
        assert_eq!(woken.write(Side::Second, 1), Sent::All);
        assert_eq!(woken.continue_write(Side::First, left), Sent::Part(146_176));
        assert_eq!(stream.read(Side::Second, 36_544), Received::Bytes(36_544));
        assert!(stream.is_writable(Side::First));
        assert_eq!(stream.continue_write(Side::First, left), Sent::Part(182_720));
    }

    /// `WF9`; and what has arrived is read first.
    #[test]
    fn unread_data_makes_a_close_a_reset_that_is_told_once() {
        for unread in [false, true] {
            let mut stream = open_stream(SEND_BUFFER);
            stream.open(Side::Second);
            assert_eq!(stream.write(Side::Second, 3), Sent::All);
            assert_eq!(stream.write(Side::First, 2), Sent::All);
            stream.read(Side::Second, 2 - u32::from(unread));
            stream.close(Side::Second);
            assert_eq!(stream.preview_write(Side::First, 1), Sent::All, "a copy is open");
            stream.close(Side::Second);
            assert_eq!(stream.write(Side::First, 0), Sent::BrokenPipe);
            assert_eq!(stream.read(Side::First, 9), Received::Bytes(3));
            let mut asleep = stream.clone();
            if unread {
                assert_eq!(stream.read(Side::First, 0), Received::Bytes(0));
                assert_eq!(stream.read(Side::First, 1), Received::Reset);
                assert_eq!(asleep.continue_write(Side::First, 1), Sent::Reset);
            }
            assert_eq!(stream.read(Side::First, 1), Received::EndOfStream);
            assert_eq!(asleep.continue_write(Side::First, 1), Sent::BrokenPipe);
            assert_eq!(asleep.read(Side::First, 1), Received::EndOfStream);
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Call {
        Write(Side, u32),
        Continue(Side, u32),
        Read(Side, u32),
        Close(Side),
    }

    fn call() -> impl Strategy<Value = Call> {
        let side = prop_oneof![Just(Side::First), Just(Side::Second)];
        (side, 0..20u32, 0..50_000u32).prop_map(|(side, which, bytes)| match which {
            0..8 => Call::Write(side, bytes),
            8..11 => Call::Continue(side, bytes),
            11..19 => Call::Read(side, bytes),
            _ => Call::Close(side),
        })
    }

    proptest! {
        #[test]
        fn bytes_are_conserved_and_what_a_preview_says_happens(
            send_buffer in 4608..SEND_BUFFER,
            calls in vec(call(), 0..80),
        ) {
            let mut stream = open_stream(send_buffer);
            let mut under_way = [0_u32; 2];
            for call in calls {
                let before = stream.clone();
                match call {
                    Call::Write(side, bytes) | Call::Continue(side, bytes) => {
                        if stream.descriptors(side) == 0 {
                            continue;
                        }
                        let (preview, sent) = if matches!(call, Call::Write(..)) {
                            (before.preview_write(side, bytes), stream.write(side, bytes))
                        } else {
                            let preview = before.preview_continue_write(side, bytes);
                            (preview, stream.continue_write(side, bytes))
                        };
                        prop_assert_eq!(preview, sent);
                        under_way[side.other() as usize] += match sent {
                            Sent::All => bytes,
                            Sent::Part(moved) => {
                                prop_assert!(0 < moved && moved < bytes);
                                moved
                            }
                            _ => 0,
                        };
                    }
                    Call::Read(side, bytes) => {
                        if stream.descriptors(side) == 0 {
                            continue;
                        }
                        let received = stream.read(side, bytes);
                        prop_assert_eq!(before.preview_read(side, bytes), received);
                        if let Received::Bytes(count) = received {
                            under_way[side as usize] -= count;
                        }
                    }
                    Call::Close(side) if stream.descriptors(side) > 0 => {
                        stream.close(side);
                        under_way[side as usize] = 0;
                    }
                    Call::Close(_) => {}
                }
                for side in BOTH {
                    let end = stream.end(side);
                    prop_assert_eq!(end.available, under_way[side as usize]);
                    let unread: u32 = end.inbox.iter().map(|packet| packet.unread).sum();
                    let charged: u32 = end.inbox.iter().map(|packet| packet.charge).sum();
                    prop_assert_eq!((end.available, end.charged), (unread, charged));
                    prop_assert!(end.inbox.iter().all(|packet| packet.unread > 0));
                    // Whoever sleeps is woken before the buffer is empty: nobody sleeps for ever
                    // while the other end reads.
                    prop_assert!(end.charged > 0 || !end.writers_sleep);
                }
            }
        }
    }
}
