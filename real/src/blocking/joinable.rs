//! The queue that counts what is still to be done.

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::block_on;
use crate::classic::{self, FeederError, GetError, NotClosed, PutError, TaskDoneError};
use crate::connection::PollError;
use crate::os::linux::Linux;
use crate::timeout::Timeout;
use crate::worker::this_process;

/// A [`Queue`](crate::Queue) that counts the items that were put and not yet reported done:
/// CPython's `multiprocessing.JoinableQueue`.
///
/// It shares the hazards of its model, and has more of them: a process that is killed in `put`,
/// `task_done` or `join` may leave all others stuck in theirs, time-outs or not.
///
/// ```
/// let queue = midput_real::JoinableQueue::new(0)?;
/// queue.put(7_u32)?;
/// assert_eq!(queue.get()?, 7);
/// queue.task_done()?;
/// queue.join()?;
/// assert!(queue.task_done().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct JoinableQueue<T: Serialize + DeserializeOwned + Send + 'static> {
    queue: classic::JoinableQueue<T, Linux>,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Clone for JoinableQueue<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> JoinableQueue<T> {
    /// Makes a queue for at most `maxsize` items that were put and not yet got; 0 is no bound.
    ///
    /// # Errors
    /// `InvalidInput` where `maxsize` is over 2,147,483,647, and what the system says where it has
    /// no memory or descriptor left.
    pub fn new(maxsize: usize) -> io::Result<Self> {
        Ok(Self { queue: classic::JoinableQueue::create(this_process(), maxsize)? })
    }

    /// Puts an item and counts it; waits while the queue is full.
    ///
    /// # Errors
    /// The queue closed in this process, or what the system says; the item comes back, unless it
    /// is put and only not counted.
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::Never))
    }

    /// Puts an item and counts it if the queue is not full. It still waits for the lock of the
    /// counter, which a dead process may hold for ever (`X8`).
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`PutError::Full`].
    pub fn put_nowait(&self, item: T) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::NoWait))
    }

    /// Puts an item and counts it; waits at most so long while the queue is full. It still waits
    /// for the lock of the counter, as [`put_nowait`](Self::put_nowait).
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`PutError::Full`].
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::After(timeout)))
    }

    /// Reports that one item that was got is done; any process may, for any item. Who reports the
    /// last one wakes everybody in [`join`](Self::join), and waits for each of them without bound.
    ///
    /// # Errors
    /// Where it is called more often than items were put, and what the system says.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        block_on(self.queue.task_done())
    }

    /// Waits until every item that was put has been reported done. It returns where that was so
    /// once, even if something was put since (`O5`); it never returns where a process died between
    /// its `get` and its `task_done`.
    ///
    /// # Errors
    /// What the system says.
    pub fn join(&self) -> io::Result<()> {
        block_on(self.queue.join())
    }

    /// Gets an item; waits until one is there.
    ///
    /// # Errors
    /// The queue closed in this process, a stream that ended, an item that is none, or what the
    /// system says.
    pub fn get(&self) -> Result<T, GetError> {
        block_on(self.queue.uncounted().get(Timeout::Never))
    }

    /// Gets an item if one is there and no other reader holds the queue (`Q8`). It may block
    /// where an item has only begun to arrive (`Q9`).
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`GetError::Empty`].
    pub fn get_nowait(&self) -> Result<T, GetError> {
        block_on(self.queue.uncounted().get(Timeout::NoWait))
    }

    /// Gets an item; waits at most so long for it to begin to arrive (`Q9`).
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`GetError::Empty`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        block_on(self.queue.uncounted().get(Timeout::After(timeout)))
    }

    /// The items that were put and not yet got, by whatever process, and the slots that deaths
    /// have lost (`Q13`).
    ///
    /// # Errors
    /// What the system says.
    pub fn qsize(&self) -> io::Result<usize> {
        block_on(self.queue.uncounted().qsize())
    }

    /// Whether nothing has arrived to be got. An item that was just put may not have arrived.
    ///
    /// # Errors
    /// Where the reading end is closed in this process, and what the system says.
    pub fn empty(&self) -> Result<bool, PollError> {
        block_on(self.queue.uncounted().empty())
    }

    /// Whether no further item can be put now.
    ///
    /// # Errors
    /// What the system says.
    pub fn full(&self) -> io::Result<bool> {
        block_on(self.queue.uncounted().full())
    }

    /// Says that this process will neither put nor get any more. What it put is still sent.
    pub fn close(&self) {
        block_on(self.queue.uncounted().close());
    }

    /// Waits until all that this process put is sent; after [`close`](Self::close) only.
    ///
    /// # Errors
    /// Where the queue is not closed in this process.
    pub fn join_thread(&self) -> Result<(), NotClosed> {
        block_on(self.queue.uncounted().join_thread())
    }

    /// Lets this process leave before all that it put is sent. What is not sent by then is lost,
    /// and the queue with it where a write is cut off (`Q16`).
    pub fn cancel_join_thread(&self) {
        block_on(self.queue.uncounted().cancel_join_thread());
    }

    /// Closes the reading end in this process.
    ///
    /// # Errors
    /// What the system says.
    pub fn close_reader(&self) -> io::Result<()> {
        block_on(self.queue.uncounted().close_reader())
    }

    /// Who is told, in the thread that sends, of items that could not be sent (`Q6`). Without
    /// this call they are reported on standard error.
    pub fn on_feeder_error(&self, report: impl Fn(FeederError) + Send + Sync + 'static) {
        self.queue.uncounted().on_feeder_error(report);
    }
}
