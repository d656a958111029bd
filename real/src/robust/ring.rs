//! The ring: payloads of bytes through shared memory, in order, each whole or not at all.

use std::io;

use super::layout::{
    ABOUT, Between, CELLS, Header, ITEMS, Position, READ, SPACE, UNIT, WRITE, units,
};
use super::{event, lock};
use crate::os::shared::{CellId, SharedMemory, Slept};
use crate::os::{Site, Wait};

const LOOK: Site = Site::new("look");
const CHECK: Site = Site::new("check");
const COPY: Site = Site::new("copy");
const WAIT: Site = Site::new("event.wait");

/// What the first cell says in its upper half; the lower one is `maxsize`.
const ABOUT_RING: u64 = 0x6d69_6401 << 32;

/// One side: where its own position and its lock are, where the other's, and on what it sleeps.
#[derive(Clone, Copy)]
struct Side {
    own: CellId,
    other: CellId,
    event: CellId,
}

const WRITER: Side = Side { own: WRITE, other: READ, event: SPACE };
const READER: Side = Side { own: READ, other: WRITE, event: ITEMS };

/// Why the memory of a queue could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Somebody has written into the memory what no queue writes there.
    #[error("the queue's memory was overwritten: {0}; make a new queue")]
    Overwritten(&'static str),
    /// What the system said.
    #[error("{0}")]
    Os(#[from] io::Error),
}

/// How a put ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// So many payloads are in the ring, the first ones.
    Done(usize),
    /// There was no room in time, for none of them.
    Full,
}

/// How a get ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many payloads were taken.
    Done(usize),
    /// There was none in time.
    Empty,
}

/// A ring in shared memory, as one process has it.
pub(super) struct Ring<O: SharedMemory> {
    os: O,
    mapping: O::Mapping,
    maxsize: u32,
    /// The ring's size in units.
    size: u32,
}

impl<O: SharedMemory> Clone for Ring<O> {
    fn clone(&self) -> Self {
        let Self { os, mapping, maxsize, size } = self;
        Self { os: *os, mapping: mapping.clone(), maxsize: *maxsize, size: *size }
    }
}

impl<O: SharedMemory> Ring<O> {
    /// Makes a ring of so many bytes, for at most `maxsize` payloads; 0 is no bound.
    ///
    /// # Errors
    /// As [`SharedMemory::share`].
    pub(super) fn create(os: O, maxsize: u32, bytes: usize) -> io::Result<Self> {
        let mapping = os.share(CELLS, bytes)?;
        // Nobody else has the memory yet.
        os.set_note(&mapping, ABOUT, ABOUT_RING | u64::from(maxsize));
        Self::open(os, mapping)
    }

    /// Takes up a ring that somebody made.
    ///
    /// # Errors
    /// `InvalidData` where the memory is no ring.
    pub(super) fn open(os: O, mapping: O::Mapping) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the memory is no queue's");
        if os.cells(&mapping) != CELLS {
            return Err(invalid());
        }
        let about = os.note(&mapping, ABOUT);
        let maxsize = about as u32;
        if about & !u64::from(u32::MAX) != ABOUT_RING {
            return Err(invalid());
        }
        let size = u32::try_from(os.ring_bytes(&mapping) as u64 / UNIT).map_err(|_| invalid())?;
        Ok(Self { os, mapping, maxsize, size })
    }

    /// The operating system that it lives on.
    pub(super) fn os(&self) -> O {
        self.os
    }

    /// The memory.
    pub(super) fn mapping(&self) -> &O::Mapping {
        &self.mapping
    }

    /// The longest payload that fits, in bytes.
    pub(super) fn longest(&self) -> usize {
        (self.size as usize - 1) * UNIT as usize
    }

    /// The number of payloads that were put and not taken.
    ///
    /// # Errors
    /// Where the memory was overwritten.
    pub(super) async fn count(&self) -> Result<usize, RingError> {
        loop {
            let tail = self.position(WRITE, LOOK).await;
            let head = self.position(READ, LOOK).await;
            // Both were so at one moment, where the first did not change until the second was read.
            if self.position(WRITE, CHECK).await == tail {
                return Ok(self.between(head, tail)?.items as usize);
            }
        }
    }

    /// Whether nothing more can be put now, for the number of payloads that are there.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub(super) async fn is_full(&self) -> Result<bool, RingError> {
        Ok(self.maxsize != 0 && self.count().await? >= self.maxsize as usize)
    }

    /// Puts payloads, as many of the first ones as there is room for now, at least one; waits
    /// while there is room for none.
    ///
    /// # Errors
    /// As [`count`](Self::count), and what the system says.
    pub(super) async fn put<B: AsRef<[u8]>>(
        &self,
        payloads: &[B],
        wait: Wait,
    ) -> Result<Put, RingError> {
        let Some(first) = payloads.first() else { return Ok(Put::Done(0)) };
        let first = self.units_of(first.as_ref())?;
        let Self { os, mapping, .. } = self;
        if !lock::lock(*os, mapping, WRITE, wait).await? {
            return Ok(Put::Full);
        }
        let tail = Position(os.own_value(mapping, WRITE));
        let room = self.until(WRITER, wait, |head| {
            let between = self.between(head, tail)?;
            Ok(self.has_room(between, first).then_some(between))
        });
        let put = match room.await {
            Ok(Some(between)) => self.write(payloads, tail, between).await.map(Put::Done),
            Ok(None) => Ok(Put::Full),
            Err(error) => Err(error),
        };
        lock::unlock(*os, mapping, WRITE).await?;
        put
    }

    /// Waits until the other side's position is such that `is_so` finds what it looks for; none where
    /// the wait is over before. The caller holds the lock of its side.
    async fn until(
        &self,
        side: Side,
        wait: Wait,
        is_so: impl Fn(Position) -> Result<Option<Between>, RingError>,
    ) -> Result<Option<Between>, RingError> {
        let Self { os, mapping, .. } = self;
        let known = Position(os.note(mapping, side.own));
        if let Some(between) = is_so(known)? {
            return Ok(Some(between));
        }
        loop {
            if let Some(between) = is_so(self.reload(side, LOOK).await)? {
                return Ok(Some(between));
            }
            if wait == Wait::Try {
                return Ok(None);
            }
            let seen = event::mark(*os, mapping, side.event).await;
            if let Some(between) = is_so(self.reload(side, CHECK).await)? {
                return Ok(Some(between));
            }
            if os.sleep(mapping, &[seen], wait, WAIT).await? == Slept::TimedOut {
                return Ok(None);
            }
        }
    }

    #[inline]
    fn has_room(&self, between: Between, units: u32) -> bool {
        let for_one_more = self.maxsize == 0 || between.items < self.maxsize;
        for_one_more && units <= self.size - between.units
    }

    /// Copies and commits as many payloads as fit behind what is in the ring.
    #[inline]
    async fn write<B: AsRef<[u8]>>(
        &self,
        payloads: &[B],
        mut tail: Position,
        mut between: Between,
    ) -> Result<usize, RingError> {
        let Self { os, mapping, .. } = self;
        let mut done = 0;
        for payload in payloads {
            let payload = payload.as_ref();
            let Ok(units) = self.units_of(payload) else { break };
            if !self.has_room(between, units) {
                break;
            }
            let header = Header::new(payload.len() as u32).0;
            os.copy_in(mapping, tail.place(), header, payload, COPY).await?;
            tail = tail.after(units);
            between = Between { items: between.items + 1, units: between.units + units };
            done += 1;
        }
        event::commit(*os, mapping, ITEMS, WRITE, tail.0).await?;
        Ok(done)
    }

    /// Takes at most so many payloads and hands each to `take`, which must not panic; waits while
    /// there is none.
    ///
    /// # Errors
    /// As [`count`](Self::count), and what the system says.
    pub(super) async fn get(
        &self,
        most: usize,
        wait: Wait,
        take: impl FnMut(Vec<u8>),
    ) -> Result<Got, RingError> {
        let Self { os, mapping, .. } = self;
        if !lock::lock(*os, mapping, READ, wait).await? {
            return Ok(Got::Empty);
        }
        let head = Position(os.own_value(mapping, READ));
        let some = self.until(READER, wait, |tail| {
            let between = self.between(head, tail)?;
            Ok((between.items > 0).then_some(between))
        });
        let got = match some.await {
            Ok(Some(between)) => self.read(head, between, most, take).await.map(Got::Done),
            Ok(None) => Ok(Got::Empty),
            Err(error) => Err(error),
        };
        lock::unlock(*os, mapping, READ).await?;
        got
    }

    /// Copies out and takes at most so many payloads of what is in the ring.
    #[inline]
    async fn read(
        &self,
        mut head: Position,
        mut between: Between,
        most: usize,
        mut take: impl FnMut(Vec<u8>),
    ) -> Result<usize, RingError> {
        let Self { os, mapping, .. } = self;
        let mut done = 0;
        while done < most && between.items > 0 {
            let length = Header(os.header(mapping, head.place())).length();
            let length = length.ok_or(RingError::Overwritten("no record begins at the head"))?;
            let units = units(length);
            if units > between.units {
                return Err(RingError::Overwritten("a record reaches beyond the tail"));
            }
            let mut payload = Vec::new();
            let place = head.place() + UNIT;
            os.copy_out(mapping, place, length as usize, &mut payload, COPY).await?;
            head = head.after(units);
            between = Between { items: between.items - 1, units: between.units - units };
            done += 1;
            // It is this process's own from here on; killed before the commit, both are gone.
            take(payload);
        }
        event::commit(*os, mapping, SPACE, READ, head.0).await?;
        Ok(done)
    }

    /// The position of the other side, which is also kept beside that of the caller's own: under
    /// its lock it is found there the next time, and is at most too old.
    async fn reload(&self, side: Side, site: Site) -> Position {
        let position = self.position(side.other, site).await;
        self.os.set_note(&self.mapping, side.own, position.0);
        position
    }

    #[inline]
    async fn position(&self, side: CellId, site: Site) -> Position {
        Position(self.os.load_value(&self.mapping, side, site).await)
    }

    #[inline]
    fn between(&self, head: Position, tail: Position) -> Result<Between, RingError> {
        let between = tail.since(head);
        match between.is_possible(self.size) {
            true => Ok(between),
            false => Err(RingError::Overwritten("its positions do not belong together")),
        }
    }

    fn units_of(&self, payload: &[u8]) -> Result<u32, RingError> {
        let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= self.longest());
        length.map(units).ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge).into())
    }
}
