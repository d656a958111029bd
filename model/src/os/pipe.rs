//! The byte pipe with Linux's page-slot rule.
//!
//! A pipe is a queue of page slots, 16 by default, each of [`SLOT_BYTES`] bytes. One write first
//! merges its `length % 4096` first bytes into the last slot, if they fit behind what was ever put
//! there, and then fills fresh slots, each with up to 4096 bytes, until the slots or the bytes are
//! used up. A slot is free again only once its last byte was read. That is why the capacity in
//! bytes depends on the sizes of the writes (`WF3`).
//!
//! Compared with Linux call by call in the test `kernel_matches_linux`.

use std::collections::VecDeque;

use crate::clone::clone_by_field;

/// The size of one page slot in bytes, and the most that one write moves all or nothing
/// (`PIPE_BUF`, `WF3`).
pub const SLOT_BYTES: u32 = 4096;

/// The bytes of a pipe by their number only, and its open ends by theirs.
///
/// Whoever uses it keeps the bytes themselves: they leave in the order in which they came.
/// Two equal pipes behave alike for ever.
///
/// ```
/// use midput_model::os::pipe::{Pipe, Taken, Written};
///
/// let mut pipe = Pipe::new(16);
/// pipe.open_reader();
/// pipe.open_writer();
/// // A header, then a body of a mebibyte and 9 bytes: the 9 join the header's slot and 15 slots
/// // are left for the rest, so that the pipe is full at 61,453 bytes.
/// assert_eq!(pipe.write(4), Written::All);
/// assert_eq!(pipe.write(1_048_585), Written::Part(61_449));
/// assert_eq!(pipe.available(), 61_453);
/// assert_eq!(pipe.write(4096), Written::WouldBlock);
/// // Once a slot is free, the blocked writer goes on.
/// assert_eq!(pipe.read(13), Taken::Bytes(13));
/// assert_eq!(pipe.continue_write(1_048_585 - 61_449), Written::Part(4096));
/// ```
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pipe {
    /// How many bytes are unread in each used slot, oldest first; none is 0.
    unread: VecDeque<u16>,
    /// Where the next byte of the last used slot would go: bytes already read from it count.
    /// 0 without a used slot. In no other slot does the position matter.
    write_position: u16,
    slots: u16,
    readers: u16,
    writers: u16,
    /// The sum of `unread`.
    available: u32,
}

clone_by_field!(Pipe { unread, write_position, slots, readers, writers, available });

/// What a write that does not block did or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// Every byte is in the pipe. A write of no bytes is always this.
    All,
    /// So many bytes, more than none and fewer than asked for: never for a write of up to
    /// [`SLOT_BYTES`].
    Part(u32),
    /// Nothing: a blocking write would sleep (`EAGAIN`).
    WouldBlock,
    /// Nothing: no reading end is open anywhere (`EPIPE`, `WF7`, `WF8`).
    BrokenPipe,
}

/// What a read that does not block did or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taken {
    /// So many bytes: as many as asked for or as there are, and none only if none was asked for.
    Bytes(u32),
    /// Nothing is there and no writing end is open anywhere (`WF8`).
    EndOfStream,
    /// Nothing is there yet: a blocking read would sleep (`EAGAIN`).
    WouldBlock,
}

/// Where the bytes of one write would go.
#[derive(Clone, Copy)]
struct Plan {
    /// Into the last used slot.
    merged: u32,
    /// Into fresh slots.
    fresh: u32,
}

impl Pipe {
    /// An empty pipe of so many page slots, without an open end.
    pub fn new(slots: u16) -> Self {
        Self {
            unread: VecDeque::new(),
            write_position: 0,
            slots,
            readers: 0,
            writers: 0,
            available: 0,
        }
    }

    /// One more descriptor of the reading end, in whichever process.
    pub fn open_reader(&mut self) {
        self.readers += 1;
    }

    /// One descriptor of the reading end fewer. The bytes stay, even after the last.
    pub fn close_reader(&mut self) {
        debug_assert!(self.readers > 0, "no reading end is open");
        self.readers = self.readers.saturating_sub(1);
    }

    /// One more descriptor of the writing end, in whichever process.
    pub fn open_writer(&mut self) {
        self.writers += 1;
    }

    /// One descriptor of the writing end fewer. The bytes stay, even after the last.
    pub fn close_writer(&mut self) {
        debug_assert!(self.writers > 0, "no writing end is open");
        self.writers = self.writers.saturating_sub(1);
    }

    /// The open descriptors of the reading end, in all processes.
    pub fn readers(&self) -> u16 {
        self.readers
    }

    /// The open descriptors of the writing end, in all processes.
    pub fn writers(&self) -> u16 {
        self.writers
    }

    /// The bytes that can be read now (`FIONREAD`).
    pub fn available(&self) -> u32 {
        self.available
    }

    /// The page slots in use, each with at least one unread byte.
    pub fn slots_used(&self) -> u16 {
        // Never more than `slots`, which is a u16.
        self.unread.len() as u16
    }

    /// The page slots that it has (`F_GETPIPE_SZ` divided by [`SLOT_BYTES`]).
    pub fn slots(&self) -> u16 {
        self.slots
    }

    /// Whether poll(2) calls the reading end ready: bytes are there or the stream has ended.
    pub fn is_readable(&self) -> bool {
        self.available > 0 || self.writers == 0
    }

    /// Whether poll(2) calls the writing end ready: a slot is free or nobody can read.
    ///
    /// This is also when a writer that sleeps in write(2) wakes. A write that merges entirely
    /// into the last slot succeeds even where this is false.
    pub fn is_writable(&self) -> bool {
        self.free_slots() > 0 || self.readers == 0
    }

    /// What [`write`](Self::write) would do now.
    pub fn preview_write(&self, bytes: u32) -> Written {
        self.result(bytes, self.plan(bytes, true))
    }

    /// A write(2) of so many bytes that does not block, or what a blocking one does before it
    /// sleeps: up to [`SLOT_BYTES`] all or nothing, of more as many as fit.
    pub fn write(&mut self, bytes: u32) -> Written {
        let plan = self.plan(bytes, true);
        self.put(bytes, plan)
    }

    /// What [`continue_write`](Self::continue_write) would do now.
    pub fn preview_continue_write(&self, bytes: u32) -> Written {
        self.result(bytes, self.plan(bytes, false))
    }

    /// What a blocking write(2) does when it wakes with so many bytes left: as
    /// [`write`](Self::write), but it takes fresh slots only, since a call merges only once, as
    /// it begins. This holds as well for a call that has written nothing so far.
    ///
    /// On [`BrokenPipe`](Written::BrokenPipe) the call returns the bytes that it moved before,
    /// and `EPIPE` only where there were none; SIGPIPE is raised in both cases.
    pub fn continue_write(&mut self, bytes: u32) -> Written {
        let plan = self.plan(bytes, false);
        self.put(bytes, plan)
    }

    /// What [`read`](Self::read) would do now.
    pub fn preview_read(&self, bytes: u32) -> Taken {
        if bytes == 0 {
            Taken::Bytes(0)
        } else if self.available > 0 {
            Taken::Bytes(bytes.min(self.available))
        } else if self.writers == 0 {
            Taken::EndOfStream
        } else {
            Taken::WouldBlock
        }
    }

    /// A read(2) of up to so many bytes that does not block, across slots.
    pub fn read(&mut self, bytes: u32) -> Taken {
        let taken = self.preview_read(bytes);
        if let Taken::Bytes(count) = taken {
            self.available -= count;
            let mut left = count;
            while left > 0
                && let Some(slot) = self.unread.front_mut()
            {
                let unread = u32::from(*slot);
                if unread > left {
                    // Fits: it is less than `unread`, which came from a u16.
                    *slot = (unread - left) as u16;
                    break;
                }
                left -= unread;
                self.unread.pop_front();
            }
            if self.unread.is_empty() {
                self.write_position = 0;
            }
        }
        taken
    }

    fn free_slots(&self) -> u32 {
        u32::from(self.slots).saturating_sub(self.unread.len() as u32)
    }

    fn plan(&self, bytes: u32, merge: bool) -> Plan {
        let first = bytes % SLOT_BYTES;
        let fits = u32::from(self.write_position) + first <= SLOT_BYTES;
        let merged = if merge && fits && !self.unread.is_empty() { first } else { 0 };
        let fresh = (bytes - merged).min(self.free_slots() * SLOT_BYTES);
        Plan { merged, fresh }
    }

    fn result(&self, bytes: u32, plan: Plan) -> Written {
        let moved = plan.merged + plan.fresh;
        if bytes == 0 {
            Written::All
        } else if self.readers == 0 {
            Written::BrokenPipe
        } else if moved == bytes {
            Written::All
        } else if moved == 0 {
            Written::WouldBlock
        } else {
            Written::Part(moved)
        }
    }

    fn put(&mut self, bytes: u32, plan: Plan) -> Written {
        let written = self.result(bytes, plan);
        if !matches!(written, Written::All | Written::Part(_)) {
            return written;
        }
        // All of these fit: a slot holds at most `SLOT_BYTES`.
        if plan.merged > 0
            && let Some(slot) = self.unread.back_mut()
        {
            *slot += plan.merged as u16;
            self.write_position += plan.merged as u16;
        }
        let mut left = plan.fresh;
        while left > 0 {
            let filled = left.min(SLOT_BYTES);
            self.unread.push_back(filled as u16);
            self.write_position = filled as u16;
            left -= filled;
        }
        self.available += plan.merged + plan.fresh;
        written
    }
}

#[cfg(test)]
mod tests {
    use super::{Pipe, SLOT_BYTES, Taken, Written};

    fn open_pipe(slots: u16) -> Pipe {
        let mut pipe = Pipe::new(slots);
        pipe.open_reader();
        pipe.open_writer();
        pipe
    }

    /// `WF2`: a large frame is a write of 4 bytes and a write of the payload. The figures are all
    /// that the pipe then holds, the header included.
    #[test]
    fn a_large_frame_stops_at_the_capacity_that_its_size_gives() {
        for (payload, held) in
            [(1_048_585, 61_453), (1_048_576, 61_444), (1_000_000, 62_020), (100_000, 63_140)]
        {
            let mut pipe = open_pipe(16);
            assert_eq!(pipe.write(4), Written::All);
            assert_eq!(pipe.write(payload), Written::Part(held - 4), "payload {payload}");
            assert_eq!(pipe.available(), held, "payload {payload}");
            assert_eq!(pipe.slots_used(), 16);
        }
    }

    #[test]
    fn the_capacity_depends_on_the_size_of_the_writes() {
        for (size, capacity) in [(16, 65_536), (2049, 32_784), (4095, 65_520), (4096, 65_536)] {
            let mut pipe = open_pipe(16);
            while pipe.write(size) == Written::All {}
            assert_eq!(pipe.available(), capacity, "writes of {size}");
        }
        assert_eq!(open_pipe(16).write(70_000), Written::Part(65_536));
    }

    #[test]
    fn bytes_already_read_count_against_the_last_slot() {
        let mut pipe = open_pipe(16);
        assert_eq!(pipe.write(4000), Written::All);
        assert_eq!(pipe.read(3990), Taken::Bytes(3990));
        assert_eq!(pipe.write(200), Written::All);
        assert_eq!((pipe.available(), pipe.slots_used()), (210, 2));

        let mut pipe = open_pipe(16);
        assert_eq!(pipe.write(4000), Written::All);
        assert_eq!(pipe.read(3990), Taken::Bytes(3990));
        assert_eq!(pipe.write(96), Written::All);
        assert_eq!((pipe.available(), pipe.slots_used()), (106, 1));
    }

    #[test]
    fn a_slot_that_was_read_out_is_not_merged_into() {
        let mut pipe = open_pipe(1);
        assert_eq!(pipe.write(4000), Written::All);
        assert_eq!(pipe.read(4000), Taken::Bytes(4000));
        assert_eq!(pipe.slots_used(), 0);
        assert_eq!(pipe.write(4096), Written::All);
        let mut fresh = open_pipe(1);
        fresh.write(4096);
        assert_eq!(pipe, fresh);
    }

    #[test]
    fn up_to_one_slot_all_or_nothing_and_a_prefix_of_more() {
        let mut pipe = open_pipe(16);
        assert_eq!(pipe.write(65_000), Written::All);
        assert_eq!((pipe.slots_used(), pipe.is_writable()), (16, false));
        assert_eq!(pipe.preview_write(4096), Written::WouldBlock);
        assert_eq!(pipe.preview_write(4097), Written::Part(1));
        assert_eq!(pipe.preview_write(536), Written::All);
        assert_eq!(pipe.preview_write(537), Written::WouldBlock);
        assert_eq!(pipe.available(), 65_000, "a preview changes nothing");
    }

    /// Two writers: one sleeps in its call, the other leaves room in the last slot. Called
    /// anew the first would merge into it; awake again it does not.
    #[test]
    fn a_blocked_write_that_continues_does_not_merge() {
        let mut pipe = open_pipe(1);
        assert_eq!(pipe.write(4096), Written::All);
        assert_eq!(pipe.write(100), Written::WouldBlock);
        assert_eq!(pipe.read(4096), Taken::Bytes(4096));
        assert_eq!(pipe.write(10), Written::All);
        assert_eq!(pipe.preview_write(100), Written::All);
        assert_eq!(pipe.continue_write(100), Written::WouldBlock);
        assert_eq!(pipe.read(10), Taken::Bytes(10));
        assert_eq!(pipe.preview_continue_write(5000), Written::Part(4096));
        assert_eq!(pipe.continue_write(100), Written::All);
    }

    /// For one writer alone the two are the same: whatever room the last slot had, the call used
    /// as it began, or could not use and never can.
    #[test]
    fn a_lone_writer_that_continues_does_what_a_new_write_would() {
        for before in [0, 1, 4, 100, 4000, 4095, 4096, 9000] {
            for bytes in [1, 100, 4095, 4096, 4097, 8191, 12_000, 40_960, 41_000] {
                let mut pipe = open_pipe(3);
                pipe.write(before);
                let mut left = bytes;
                while let Written::Part(moved) = pipe.write(left) {
                    left -= moved;
                    assert_eq!(pipe.preview_write(left), pipe.preview_continue_write(left));
                    pipe.read(1 + left % SLOT_BYTES);
                    assert_eq!(pipe.preview_write(left), pipe.preview_continue_write(left));
                    pipe.read(SLOT_BYTES);
                    assert_eq!(pipe.preview_write(left), pipe.preview_continue_write(left));
                }
            }
        }
    }

    #[test]
    fn ends_are_counted() {
        let mut pipe = open_pipe(16);
        pipe.open_reader();
        pipe.open_writer();
        assert_eq!((pipe.readers(), pipe.writers()), (2, 2));
        assert_eq!(pipe.read(1), Taken::WouldBlock);
        assert_eq!(pipe.write(5), Written::All);
        pipe.close_writer();
        pipe.close_writer();
        assert!(pipe.is_readable());
        assert_eq!(pipe.read(4), Taken::Bytes(4));
        assert_eq!(pipe.read(4), Taken::Bytes(1));
        assert_eq!(pipe.read(4), Taken::EndOfStream);

        let mut pipe = open_pipe(16);
        pipe.write(5);
        pipe.close_reader();
        assert_eq!(pipe.write(5), Written::BrokenPipe);
        assert_eq!(pipe.available(), 5, "the bytes stay");
    }

    #[test]
    fn one_read_takes_from_several_slots_and_frees_them() {
        let mut pipe = open_pipe(3);
        for _ in 0..3 {
            assert_eq!(pipe.write(4000), Written::All);
        }
        assert!(!pipe.is_writable());
        assert_eq!(pipe.read(7999), Taken::Bytes(7999));
        assert_eq!((pipe.available(), pipe.slots_used()), (4001, 2));
        assert!(pipe.is_writable());
        assert_eq!(pipe.read(5000), Taken::Bytes(4001));
        assert_eq!(pipe.slots_used(), 0);
    }

    #[test]
    fn an_end_is_ready_when_the_other_is_gone() {
        let mut pipe = open_pipe(1);
        assert!(!pipe.is_readable());
        pipe.write(4096);
        assert!(!pipe.is_writable());
        pipe.close_reader();
        assert!(pipe.is_writable());
        let mut pipe = open_pipe(1);
        pipe.close_writer();
        assert!(pipe.is_readable());
    }

    #[test]
    fn nothing_asked_for_is_nothing_moved() {
        let mut pipe = open_pipe(16);
        assert_eq!(pipe.read(0), Taken::Bytes(0));
        assert_eq!(pipe.write(0), Written::All);
        pipe.close_reader();
        pipe.close_writer();
        assert_eq!(pipe.read(0), Taken::Bytes(0));
        assert_eq!(pipe.write(0), Written::All, "even with nobody to read");
        assert_eq!((pipe.available(), pipe.slots_used()), (0, 0));
    }

    #[test]
    fn equal_contents_are_equal_states_however_they_came_about() {
        let mut pipe = open_pipe(4);
        pipe.write(4096);
        pipe.write(4096);
        pipe.read(100);
        let mut other = open_pipe(4);
        other.write(3996);
        // Where the first slot's bytes stand no longer matters once another slot follows.
        other.write(4096);
        assert_eq!(pipe, other);
        other.read(1);
        assert_ne!(pipe, other);
    }
}
