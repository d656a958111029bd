//! The queue of items over the ring.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ring::{Got, Put, Ring, RingError};
use crate::codec::{Codec, CodecError, Postcard};
use crate::os::linux::Linux;
use crate::os::shared::SharedMemory;
use crate::os::{Exported, Wait};
use crate::process::passing;
use crate::timeout::Timeout;

/// The bytes of a queue's ring, where nobody says otherwise. They take up memory only as used.
pub const RING_BYTES: usize = 4 << 20;
/// How long a call that does not wait gives somebody who is in the middle of a put or get.
const GRACE: Duration = Duration::from_millis(10);

/// A queue between processes that no SIGKILL of any of them, at any instruction, corrupts. Nor shall
/// one block it; that it still can, rarely, is a [known fault](crate::robust). A call with a timeout
/// ends in time all the same.
///
/// What [`put`](Self::put) has returned for is in shared memory and survives its process. A process
/// that is killed takes at most one item with it for each thread that was getting one. Items come in
/// the order in which they were put, each whole and once.
///
/// Nothing is buffered in a process: leaving it waits for nobody.
///
/// A process that is *stopped* in the middle of a call (SIGSTOP) blocks the others until it goes
/// on. Processes that share a queue trust each other: each can overwrite it. Whoever reads it then
/// gets errors.
///
/// Clones are the same queue in the same process; to another process it goes in the argument of
/// [`Process::start`](crate::Process::start). Methods are asynchronous for simulations; on Linux
/// they block, and run in [`block_on`](crate::block_on).
///
/// ```
/// use midput_real::robust::{PutError, Queue};
/// use midput_real::{Timeout, block_on};
///
/// let queue: Queue<String> = Queue::create(1)?;
/// block_on(queue.put("spam".to_owned(), Timeout::Never))?;
/// let refused = block_on(queue.put("ham".to_owned(), Timeout::NoWait));
/// assert!(matches!(refused, Err(PutError::Full(item)) if item == "ham"));
/// assert_eq!(block_on(queue.get(Timeout::Never))?, "spam");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<T, C = Postcard, O: SharedMemory = Linux> {
    ring: Ring<O>,
    items: PhantomData<fn(T) -> (T, C)>,
}

/// Why an item was not put. Where it can, it comes back to the caller.
#[derive(thiserror::Error)]
pub enum PutError<T> {
    /// There was no room in time.
    #[error("the queue is full; get from it, or wait longer")]
    Full(T),
    /// The item cannot be written, or be read again where it was not put.
    #[error("the item cannot be encoded: {0}")]
    Codec(CodecError),
    /// The item is larger than the queue's ring.
    #[error("the item has {bytes} bytes, and the queue takes {most}; make it with a larger ring")]
    TooLarge {
        /// What was to be put.
        item: T,
        /// The item's bytes.
        bytes: usize,
        /// The most that this queue takes.
        most: usize,
    },
    /// The queue could not be used.
    #[error(transparent)]
    Ring(RingError),
}

/// Says which error, not which item: items need not be printable.
impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => formatter.write_str("Full(..)"),
            Self::Codec(error) => write!(formatter, "Codec({error:?})"),
            Self::TooLarge { bytes, most, .. } => write!(formatter, "TooLarge({bytes}, {most})"),
            Self::Ring(error) => write!(formatter, "Ring({error:?})"),
        }
    }
}

/// Why no item was got.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// There was none in time.
    #[error("the queue is empty; put something, or wait longer")]
    Empty,
    /// What was taken is no item of this type. It is gone.
    #[error("what was got is no such item: {0}")]
    Decode(CodecError),
    /// The queue could not be used.
    #[error(transparent)]
    Ring(#[from] RingError),
}

impl<T, C, O: SharedMemory> Clone for Queue<T, C, O> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone(), items: PhantomData }
    }
}

impl<T, C, O: SharedMemory> fmt::Debug for Queue<T, C, O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<T: Send + 'static, C: Codec<T>, O: SharedMemory> Queue<T, C, O> {
    /// Makes a queue for at most `maxsize` items that were put and not yet got; 0 is no bound but
    /// that of its ring of [`RING_BYTES`].
    ///
    /// # Errors
    /// As [`with_ring`](Self::with_ring).
    pub fn create(maxsize: usize) -> io::Result<Self> {
        Self::with_ring(maxsize, RING_BYTES)
    }

    /// As [`create`](Self::create), with a ring of so many bytes: a power of two from 64 KiB to
    /// 16 GiB. An item with its 8 bytes of header must fit.
    ///
    /// # Errors
    /// `InvalidInput` where a number is out of its range, `Unsupported` where this system cannot
    /// do what the queue needs, and what the system says where it has no memory left.
    pub fn with_ring(maxsize: usize, bytes: usize) -> io::Result<Self> {
        let maxsize = u32::try_from(maxsize).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(Self { ring: Ring::create(O::default(), maxsize, bytes)?, items: PhantomData })
    }

    /// Puts an item; waits while there is no room.
    ///
    /// # Errors
    /// See [`PutError`].
    pub async fn put(&self, item: T, timeout: Timeout) -> Result<(), PutError<T>> {
        let payload = C::encode(item).map_err(PutError::Codec)?;
        let (bytes, most) = (payload.len(), self.ring.longest());
        if bytes > most {
            let item = C::decode(payload).map_err(PutError::Codec)?;
            return Err(PutError::TooLarge { item, bytes, most });
        }
        let put = match timeout {
            Timeout::NoWait if self.ring.is_full().await.map_err(PutError::Ring)? => Put::Full,
            timeout => {
                let payload = std::slice::from_ref(&payload);
                self.ring.put(payload, self.wait(timeout)).await.map_err(PutError::Ring)?
            }
        };
        match put {
            Put::Done(_) => Ok(()),
            Put::Full => Err(PutError::Full(C::decode(payload).map_err(PutError::Codec)?)),
        }
    }

    /// Gets an item; waits until one is there.
    ///
    /// # Errors
    /// See [`GetError`].
    pub async fn get(&self, timeout: Timeout) -> Result<T, GetError> {
        if timeout == Timeout::NoWait && self.ring.count().await? == 0 {
            return Err(GetError::Empty);
        }
        let mut payload = None;
        match self.ring.get(1, self.wait(timeout), |taken| payload = Some(taken)).await? {
            Got::Done(_) => C::decode(payload.unwrap_or_default()).map_err(GetError::Decode),
            Got::Empty => Err(GetError::Empty),
        }
    }

    /// The items that were put and not yet got, exactly, at one moment of the call.
    ///
    /// # Errors
    /// Where the memory was overwritten.
    pub async fn qsize(&self) -> Result<usize, RingError> {
        self.ring.count().await
    }

    /// Whether there was no item, at one moment of the call.
    ///
    /// # Errors
    /// Where the memory was overwritten.
    pub async fn empty(&self) -> Result<bool, RingError> {
        Ok(self.ring.count().await? == 0)
    }

    /// Whether there were `maxsize` items, at one moment of the call.
    ///
    /// # Errors
    /// Where the memory was overwritten.
    pub async fn full(&self) -> Result<bool, RingError> {
        self.ring.is_full().await
    }

    fn wait(&self, timeout: Timeout) -> Wait {
        match timeout {
            // Somebody else may be at work on what is there.
            Timeout::NoWait => Wait::Until(self.ring.os().now().saturating_add(GRACE)),
            timeout => timeout.starting_now(self.ring.os()),
        }
    }
}

/// Only while a process is being started (`Q2`): the queue is inherited, not copied.
impl<T, C, O: SharedMemory> Serialize for Queue<T, C, O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let exported = self.ring.os().export_mapping(self.ring.mapping());
        passing::inherit(&[exported]).map_err(S::Error::custom)?;
        exported.serialize(serializer)
    }
}

/// Only while a worker's argument is being decoded.
impl<'de, T, C, O: SharedMemory> Deserialize<'de> for Queue<T, C, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let exported = Exported::deserialize(deserializer)?;
        let this = passing::receiving_process::<O>().map_err(D::Error::custom)?;
        let os = this.os();
        let mapping = os.import_mapping(exported).map_err(D::Error::custom)?;
        let ring = Ring::open(os, mapping).map_err(D::Error::custom)?;
        Ok(Self { ring, items: PhantomData })
    }
}
