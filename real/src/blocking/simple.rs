//! The queue without a thread.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::block_on;
use crate::classic::{self, SimpleGetError, SimplePutError};
use crate::connection::PollError;
use crate::os::linux::Linux;
use crate::worker::this_process;

/// A pipe of items with a lock at either end: CPython's `multiprocessing.SimpleQueue`.
///
/// It has no bound, no time-out and no thread: whoever puts writes into the pipe, and waits while
/// the pipe is full. A process that is killed while it puts or gets may leave the queue stuck for
/// all others.
///
/// Clones are the same queue in the same process; to another process it goes in the argument of
/// [`Process::start`](crate::Process::start), and in no other way.
///
/// ```
/// let queue = midput_real::SimpleQueue::new()?;
/// queue.put(("spam".to_owned(), 42))?;
/// assert!(!queue.empty()?);
/// assert_eq!(queue.get()?, ("spam".to_owned(), 42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct SimpleQueue<T: Serialize + DeserializeOwned + Send + 'static> {
    queue: classic::SimpleQueue<T, Linux>,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Clone for SimpleQueue<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> SimpleQueue<T> {
    /// Makes a queue.
    ///
    /// # Errors
    /// What the system says where it has no memory or descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { queue: classic::SimpleQueue::create(this_process())? })
    }

    /// Puts an item; waits while the pipe is full or another process puts.
    ///
    /// # Errors
    /// An item that cannot be encoded, the queue closed in this process, or what the system says.
    pub fn put(&self, item: T) -> Result<(), SimplePutError> {
        block_on(self.queue.put(item))
    }

    /// Gets an item; waits until one is there and no other process gets.
    ///
    /// # Errors
    /// The queue closed in this process, a stream that ended, an item that is none, or what the
    /// system says.
    pub fn get(&self) -> Result<T, SimpleGetError> {
        block_on(self.queue.get())
    }

    /// Whether nothing is there to be got.
    ///
    /// # Errors
    /// Where the queue is closed in this process, and what the system says.
    pub fn empty(&self) -> Result<bool, PollError> {
        block_on(self.queue.empty())
    }

    /// Closes the queue in this process, at once; closing again is nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(&self) -> io::Result<()> {
        block_on(self.queue.close())
    }
}
