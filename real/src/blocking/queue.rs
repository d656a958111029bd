//! The queue.

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::block_on;
use crate::classic::{self, FeederError, GetError, NotClosed, PutError};
use crate::connection::PollError;
use crate::os::linux::Linux;
use crate::timeout::Timeout;
use crate::worker::this_process;

/// A queue between processes: CPython's `multiprocessing.Queue`.
///
/// What is put is sent later, by a thread of the process that put it. Leaving the process waits
/// for that thread.
///
/// Clones are the same queue in the same process; to another process it goes in the argument of
/// [`Process::start`](crate::Process::start), and in no other way.
///
/// It shares the hazards of its model: a process that is killed while it uses the queue may leave
/// it full, empty or stuck for all others.
///
/// Dropping the last clone does not close a queue that was put into: its thread and its pipe stay
/// until the process ends. Call [`close`](Self::close) where a program makes many queues.
///
/// Items travel in the [`Postcard`](crate::codec::Postcard) format, which cannot carry
/// self-describing types such as `serde_json::Value` or `#[serde(untagged)]` enums.
///
/// ```
/// use midput_real::{Queue, classic::PutError};
///
/// let queue = Queue::new(1)?;
/// queue.put("spam".to_owned())?;
/// assert!(matches!(queue.put_nowait("ham".to_owned()), Err(PutError::Full(item)) if item == "ham"));
/// assert_eq!(queue.get()?, "spam");
/// queue.close();
/// queue.join_thread()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Queue<T: Serialize + DeserializeOwned + Send + 'static> {
    queue: classic::Queue<T, Linux>,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Queue<T> {
    /// Makes a queue for at most `maxsize` items that were put and not yet got; 0 is no bound.
    ///
    /// # Errors
    /// `InvalidInput` where `maxsize` is over 2,147,483,647, and what the system says where it has
    /// no memory or descriptor left.
    pub fn new(maxsize: usize) -> io::Result<Self> {
        Ok(Self { queue: classic::Queue::create(this_process(), maxsize)? })
    }

    /// Puts an item; waits while the queue is full.
    ///
    /// # Errors
    /// Each gives the item back: the queue closed in this process, or what the system says.
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::Never))
    }

    /// Puts an item if the queue is not full.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`PutError::Full`].
    pub fn put_nowait(&self, item: T) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::NoWait))
    }

    /// Puts an item; waits at most so long while the queue is full.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`PutError::Full`].
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::After(timeout)))
    }

    /// Gets an item; waits until one is there.
    ///
    /// # Errors
    /// The queue closed in this process, a stream that ended, an item that is none, or what the
    /// system says.
    pub fn get(&self) -> Result<T, GetError> {
        block_on(self.queue.get(Timeout::Never))
    }

    /// Gets an item if one is there and no other reader holds the queue (`Q8`). It may block
    /// where an item has only begun to arrive (`Q9`).
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`GetError::Empty`].
    pub fn get_nowait(&self) -> Result<T, GetError> {
        block_on(self.queue.get(Timeout::NoWait))
    }

    /// Gets an item; waits at most so long for it to begin to arrive (`Q9`).
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`GetError::Empty`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        block_on(self.queue.get(Timeout::After(timeout)))
    }

    /// The items that were put and not yet got, by whatever process, and the slots that deaths
    /// have lost (`Q13`).
    ///
    /// # Errors
    /// What the system says.
    pub fn qsize(&self) -> io::Result<usize> {
        block_on(self.queue.qsize())
    }

    /// Whether nothing has arrived to be got. An item that was just put may not have arrived.
    ///
    /// # Errors
    /// Where the reading end is closed in this process, and what the system says.
    pub fn empty(&self) -> Result<bool, PollError> {
        block_on(self.queue.empty())
    }

    /// Whether no further item can be put now.
    ///
    /// # Errors
    /// What the system says.
    pub fn full(&self) -> io::Result<bool> {
        block_on(self.queue.full())
    }

    /// Says that this process will neither put nor get any more. What it put is still sent.
    pub fn close(&self) {
        block_on(self.queue.close());
    }

    /// Waits until all that this process put is sent; after [`close`](Self::close) only.
    ///
    /// # Errors
    /// Where the queue is not closed in this process.
    pub fn join_thread(&self) -> Result<(), NotClosed> {
        block_on(self.queue.join_thread())
    }

    /// Lets this process leave before all that it put is sent. What is not sent by then is lost,
    /// and the queue with it where a write is cut off (`Q16`).
    pub fn cancel_join_thread(&self) {
        block_on(self.queue.cancel_join_thread());
    }

    /// Closes the reading end in this process.
    ///
    /// # Errors
    /// What the system says.
    pub fn close_reader(&self) -> io::Result<()> {
        block_on(self.queue.close_reader())
    }

    /// Who is told, in the thread that sends, of items that could not be sent (`Q6`). Without
    /// this call they are reported on standard error.
    pub fn on_feeder_error(&self, report: impl Fn(FeederError) + Send + Sync + 'static) {
        self.queue.on_feeder_error(report);
    }
}
