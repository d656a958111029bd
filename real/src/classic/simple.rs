//! The queue without a thread, a bound or a time-out (`SQ1` to `SQ4`).

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{SimpleGetError, SimplePutError};
use crate::codec::{Codec, Postcard};
use crate::connection::{Connection, PollError, export_descriptor};
use crate::interrupted::uninterrupted;
use crate::os::{Exported, Os, SemaphoreSpecification, Site, Wait};
use crate::process::ThisProcess;

/// CPython's `multiprocessing.SimpleQueue`, step by step, over any [`Os`]: a pipe with a lock at
/// either end. Whoever puts writes into the pipe, and waits while it is full.
///
/// Clones are the same queue in the same process. It reaches a child process as part of the
/// argument of [`Process::start`](crate::process::Process::start).
pub struct SimpleQueue<T, O: Os, C = Postcard> {
    local: Arc<Local<O>>,
    item: PhantomData<fn() -> (T, C)>,
}

struct Local<O: Os> {
    os: O,
    reader: Connection<O>,
    writer: Connection<O>,
    rlock: O::Semaphore,
    wlock: O::Semaphore,
}

impl<T, O: Os, C> Clone for SimpleQueue<T, O, C> {
    fn clone(&self) -> Self {
        Self { local: Arc::clone(&self.local), item: PhantomData }
    }
}

impl<T, O: Os, C> std::fmt::Debug for SimpleQueue<T, O, C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SimpleQueue").finish_non_exhaustive()
    }
}

/// A simple queue as it is named to a child process that inherits its kernel objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimpleQueueHandle {
    reader: Exported,
    writer: Exported,
    rlock: Exported,
    wlock: Exported,
}

impl SimpleQueueHandle {
    /// The handle of a queue whose objects have these names, in the order of
    /// [`exported`](Self::exported).
    pub fn new([reader, writer, rlock, wlock]: [Exported; 4]) -> Self {
        Self { reader, writer, rlock, wlock }
    }

    /// What a child must inherit to use the queue.
    pub fn exported(&self) -> [Exported; 4] {
        [self.reader, self.writer, self.rlock, self.wlock]
    }
}

impl<T: Send + 'static, O: Os, C: Codec<T>> SimpleQueue<T, O, C> {
    /// Makes a queue.
    ///
    /// # Errors
    /// What the system says where it has no memory or descriptor left.
    pub fn create(this: &ThisProcess<O>) -> io::Result<Self> {
        let os = this.os();
        let (reader, writer) = os.pipe()?;
        let lock = |role| SemaphoreSpecification { role, value: 1, maximum: 1 };
        let [rlock, wlock] = os.semaphores([lock("rlock"), lock("wlock")])?;
        Ok(Self::new(os, [reader, writer], [rlock, wlock]))
    }

    /// Takes up a queue whose kernel objects this process inherited.
    ///
    /// # Errors
    /// What the system says where this process did not inherit what the handle names.
    pub fn attach(this: &ThisProcess<O>, handle: &SimpleQueueHandle) -> io::Result<Self> {
        let os = this.os();
        let ends = [os.import_descriptor(handle.reader)?, os.import_descriptor(handle.writer)?];
        let locks = [os.import_semaphore(handle.rlock)?, os.import_semaphore(handle.wlock)?];
        Ok(Self::new(os, ends, locks))
    }

    fn new(os: O, [reader, writer]: [O::Descriptor; 2], [rlock, wlock]: [O::Semaphore; 2]) -> Self {
        let local = Local {
            os,
            reader: Connection::reader(os, reader),
            writer: Connection::writer(os, writer),
            rlock,
            wlock,
        };
        Self { local: Arc::new(local), item: PhantomData }
    }

    /// The queue as it is named to a child that inherits its objects.
    ///
    /// # Errors
    /// What the system says of an object that cannot be named.
    pub fn handle(&self) -> io::Result<SimpleQueueHandle> {
        let local = &*self.local;
        Ok(SimpleQueueHandle {
            reader: export_descriptor(local.os, local.reader.descriptor())?,
            writer: export_descriptor(local.os, local.writer.descriptor())?,
            rlock: local.os.export_semaphore(&local.rlock),
            wlock: local.os.export_semaphore(&local.wlock),
        })
    }

    /// Puts an item: writes it into the pipe, and waits while that is full or another process
    /// writes (`SQ1`).
    ///
    /// # Errors
    /// An item that cannot be encoded, an end that is closed in this process, and what the system
    /// says. Part of the item may have been written by then.
    pub async fn put(&self, item: T) -> Result<(), SimplePutError> {
        let local = &*self.local;
        local.os.point(Site::new("encode")).await;
        let payload = C::encode(item).map_err(SimplePutError::Encode)?;
        local.take(&local.wlock, "wlock.acquire").await?;
        let sent = local.writer.send_bytes(&payload).await;
        let released = local.give(&local.wlock, "wlock.release").await;
        sent?;
        Ok(released?)
    }

    /// Gets an item: waits until one is there and no other reader is before (`SQ2`).
    ///
    /// # Errors
    /// An end that is closed in this process, a stream that ended, an item that is none, and what
    /// the system says.
    pub async fn get(&self) -> Result<T, SimpleGetError> {
        let local = &*self.local;
        local.take(&local.rlock, "rlock.acquire").await?;
        let received = local.reader.recv_bytes().await;
        let released = local.give(&local.rlock, "rlock.release").await;
        let payload = received?;
        released?;
        local.os.point(Site::new("decode")).await;
        C::decode(payload).map_err(SimpleGetError::Decode)
    }

    /// Whether the pipe holds no byte (`SQ3`).
    ///
    /// # Errors
    /// Where the reading end is closed in this process, and what the system says.
    pub async fn empty(&self) -> Result<bool, PollError> {
        let site = Site::new("empty.poll");
        Ok(!self.local.reader.poll_until(Wait::Try, site).await?)
    }

    /// Closes both ends of the pipe in this process, at once (`SQ3`). Closing again is nothing.
    ///
    /// # Errors
    /// What the system says.
    pub async fn close(&self) -> io::Result<()> {
        let reader = self.local.reader.close().await;
        self.local.writer.close().await?;
        reader
    }
}

impl<O: Os> Local<O> {
    async fn take(&self, lock: &O::Semaphore, step: &'static str) -> io::Result<()> {
        let wait = || self.os.semaphore_wait(lock, Wait::Forever, Site::new(step));
        uninterrupted(wait).await.map(|_| ())
    }

    async fn give(&self, lock: &O::Semaphore, step: &'static str) -> io::Result<()> {
        self.os.semaphore_post(lock, Site::new(step)).await
    }
}
