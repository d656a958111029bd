//! How a queue reaches a child process: by the names of its kernel objects.

use std::io;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::joinable::{JoinableQueue, JoinableQueueHandle};
use super::queue::{Queue, slots};
use super::simple::{SimpleQueue, SimpleQueueHandle};
use crate::codec::Codec;
use crate::os::{Exported, Os};
use crate::process::passing;

/// A queue as it is named to a child process that inherits its kernel objects.
///
/// It is plain data and means something only in a process that inherited [`exported`].
///
/// [`exported`]: QueueHandle::exported
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueHandle {
    pub(super) maxsize: u32,
    pub(super) reader: Exported,
    pub(super) writer: Exported,
    pub(super) rlock: Exported,
    pub(super) wlock: Exported,
    pub(super) sem: Exported,
}

impl QueueHandle {
    /// The handle of a queue whose objects have these names, in the order of
    /// [`exported`](Self::exported).
    ///
    /// # Errors
    /// `InvalidInput` where `maxsize` is over 2,147,483,647 (`Q1`).
    pub fn new(maxsize: usize, exported: [Exported; 5]) -> io::Result<Self> {
        let [reader, writer, rlock, wlock, sem] = exported;
        Ok(Self { maxsize: slots(maxsize)?, reader, writer, rlock, wlock, sem })
    }

    /// What a child must inherit to use the queue.
    pub fn exported(&self) -> [Exported; 5] {
        [self.reader, self.writer, self.rlock, self.wlock, self.sem]
    }
}

/// Only while a process is being started (`Q2`): the queue is inherited, not copied.
impl<T: Send + 'static, O: Os, C: Codec<T>> Serialize for Queue<T, O, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let handle = self.handle().map_err(S::Error::custom)?;
        passing::inherit(&handle.exported()).map_err(S::Error::custom)?;
        handle.serialize(serializer)
    }
}

/// Only while a worker's argument is being decoded.
impl<'de, T: Send + 'static, O: Os, C: Codec<T>> Deserialize<'de> for Queue<T, O, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = QueueHandle::deserialize(deserializer)?;
        let this = passing::receiving_process().map_err(D::Error::custom)?;
        Self::attach(&this, &handle).map_err(D::Error::custom)
    }
}

/// Only while a process is being started, as a queue.
impl<T: Send + 'static, O: Os, C: Codec<T>> Serialize for JoinableQueue<T, O, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let handle = self.handle().map_err(S::Error::custom)?;
        passing::inherit(&handle.exported()).map_err(S::Error::custom)?;
        handle.serialize(serializer)
    }
}

/// Only while a worker's argument is being decoded.
impl<'de, T: Send + 'static, O: Os, C: Codec<T>> Deserialize<'de> for JoinableQueue<T, O, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = JoinableQueueHandle::deserialize(deserializer)?;
        let this = passing::receiving_process().map_err(D::Error::custom)?;
        Self::attach(&this, &handle).map_err(D::Error::custom)
    }
}

/// Only while a process is being started, as a queue.
impl<T: Send + 'static, O: Os, C: Codec<T>> Serialize for SimpleQueue<T, O, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let handle = self.handle().map_err(S::Error::custom)?;
        passing::inherit(&handle.exported()).map_err(S::Error::custom)?;
        handle.serialize(serializer)
    }
}

/// Only while a worker's argument is being decoded.
impl<'de, T: Send + 'static, O: Os, C: Codec<T>> Deserialize<'de> for SimpleQueue<T, O, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = SimpleQueueHandle::deserialize(deserializer)?;
        let this = passing::receiving_process().map_err(D::Error::custom)?;
        Self::attach(&this, &handle).map_err(D::Error::custom)
    }
}
