//! The queue that counts what is still to be done (`JQ1` to `JQ5`).

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::condition::{COUNTER_MAX, Condition, ConditionHandle, NotifyError};
use super::error::{PutError, TaskDoneError};
use super::handle::QueueHandle;
use super::queue::Queue;
use crate::codec::{Codec, Postcard};
use crate::interrupted::uninterrupted;
use crate::os::{Exported, Os, SemaphoreSpecification, Site, Wait};
use crate::process::ThisProcess;
use crate::timeout::Timeout;

/// CPython's `multiprocessing.JoinableQueue`, step by step, over any [`Os`]: a [`Queue`] that
/// counts the items that were put and not yet reported done.
///
/// Clones are the same queue in the same process. It reaches a child process as part of the
/// argument of [`Process::start`](crate::process::Process::start).
pub struct JoinableQueue<T, O: Os, C = Postcard> {
    queue: Queue<T, O, C>,
    tasks: Arc<Tasks<O>>,
}

impl<T, O: Os, C> Clone for JoinableQueue<T, O, C> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), tasks: Arc::clone(&self.tasks) }
    }
}

impl<T, O: Os, C> std::fmt::Debug for JoinableQueue<T, O, C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("JoinableQueue").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// A joinable queue as it is named to a child process that inherits its kernel objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinableQueueHandle {
    queue: QueueHandle,
    unfinished: Exported,
    condition: ConditionHandle,
}

impl JoinableQueueHandle {
    /// The handle of a queue whose objects have these names, in the order of
    /// [`exported`](Self::exported).
    ///
    /// # Errors
    /// `InvalidInput` where `maxsize` is over 2,147,483,647 (`Q1`).
    pub fn new(maxsize: usize, exported: [Exported; 10]) -> io::Result<Self> {
        let [reader, writer, rlock, wlock, sem, unfinished, lock, sleeping, woken, wait] = exported;
        Ok(Self {
            queue: QueueHandle::new(maxsize, [reader, writer, rlock, wlock, sem])?,
            unfinished,
            condition: ConditionHandle { lock, sleeping, woken, wait },
        })
    }

    /// What a child must inherit to use the queue.
    pub fn exported(&self) -> [Exported; 10] {
        let [reader, writer, rlock, wlock, sem] = self.queue.exported();
        let ConditionHandle { lock, sleeping, woken, wait } = self.condition;
        [reader, writer, rlock, wlock, sem, self.unfinished, lock, sleeping, woken, wait]
    }
}

/// What is still to be done, and who waits for it.
pub(super) struct Tasks<O: Os> {
    os: O,
    unfinished: O::Semaphore,
    pub(super) condition: Condition<O>,
}

impl<O: Os> Tasks<O> {
    /// One more, by whoever holds the condition's lock.
    pub(super) async fn add(&self) -> io::Result<()> {
        self.os.semaphore_post(&self.unfinished, Site::new("unfinished.release")).await
    }

    async fn is_done(&self) -> io::Result<bool> {
        let site = Site::new("unfinished.value");
        Ok(self.os.semaphore_value(&self.unfinished, site).await? == 0)
    }

    /// One less; whoever takes the last wakes all who wait.
    async fn finish_one(&self) -> Result<(), TaskDoneError> {
        let take =
            || self.os.semaphore_wait(&self.unfinished, Wait::Try, Site::new("unfinished.acquire"));
        if !uninterrupted(take).await? {
            return Err(TaskDoneError::TooMany);
        }
        if self.is_done().await? {
            self.condition.notify_all().await?;
        }
        Ok(())
    }

    /// An `if`, not a loop (`JQ3`, `O5`): who is woken does not look again.
    async fn wait_until_done(&self) -> io::Result<()> {
        if !self.is_done().await? {
            self.condition.wait().await?;
        }
        Ok(())
    }
}

impl From<NotifyError> for TaskDoneError {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Unexpected => Self::Unexpected,
            NotifyError::Io(error) => Self::Io(error),
        }
    }
}

impl<T: Send + 'static, O: Os, C: Codec<T>> JoinableQueue<T, O, C> {
    /// Makes a queue for at most `maxsize` items that were accepted and not yet taken; 0 is no
    /// bound.
    ///
    /// # Errors
    /// As for [`Queue::create`].
    pub fn create(this: &ThisProcess<O>, maxsize: usize) -> io::Result<Self> {
        let queue = Queue::create(this, maxsize)?;
        let os = this.os();
        let [unfinished] = os.semaphores([SemaphoreSpecification {
            role: "unfinished",
            value: 0,
            maximum: COUNTER_MAX,
        }])?;
        let condition = Condition::create(os)?;
        Ok(Self { queue, tasks: Arc::new(Tasks { os, unfinished, condition }) })
    }

    /// Takes up a queue whose kernel objects this process inherited.
    ///
    /// # Errors
    /// What the system says where this process did not inherit what the handle names.
    pub fn attach(this: &ThisProcess<O>, handle: &JoinableQueueHandle) -> io::Result<Self> {
        let os = this.os();
        let queue = Queue::attach(this, &handle.queue)?;
        let unfinished = os.import_semaphore(handle.unfinished)?;
        let condition = Condition::attach(os, &handle.condition)?;
        Ok(Self { queue, tasks: Arc::new(Tasks { os, unfinished, condition }) })
    }

    /// The same queue, whose feeder thread has this name in this process instead of `feed`, as
    /// for [`Queue::with_feeder_named`].
    #[must_use]
    pub fn with_feeder_named(mut self, name: &str) -> Self {
        self.queue = self.queue.with_feeder_named(name);
        self
    }

    /// The queue as it is named to a child that inherits its objects.
    ///
    /// # Errors
    /// What the system says of an object that cannot be named.
    pub fn handle(&self) -> io::Result<JoinableQueueHandle> {
        Ok(JoinableQueueHandle {
            queue: self.queue.handle()?,
            unfinished: self.tasks.os.export_semaphore(&self.tasks.unfinished),
            condition: self.tasks.condition.handle(),
        })
    }

    /// The queue without its counter: for everything but putting, which is the same for both.
    /// What is put through it is not counted.
    pub fn uncounted(&self) -> &Queue<T, O, C> {
        &self.queue
    }

    /// Puts an item and counts it (`JQ1`). A time-out bounds the wait for a slot, and not that for
    /// the lock of the counter, which a dead process may hold for ever (`X8`).
    ///
    /// # Errors
    /// As for [`Queue::put`], and where the counter cannot be locked or is full.
    pub async fn put(&self, item: T, timeout: Timeout) -> Result<(), PutError<T>> {
        self.queue.put_counted(item, timeout, Some(&self.tasks)).await
    }

    /// Reports that one item that was got is done (`JQ2`); any process may, for any (`JQ4`). Who
    /// reports the last wakes everybody in [`join`](Self::join), and waits for each without bound.
    ///
    /// # Errors
    /// Where it is called more often than items were put, and what the system says.
    pub async fn task_done(&self) -> Result<(), TaskDoneError> {
        self.tasks.condition.acquire().await?;
        let done = self.tasks.finish_one().await;
        self.tasks.condition.release().await?;
        done
    }

    /// Waits until every item that was put is done, or has once been (`JQ3`, `O5`): where
    /// something is put before the sleeper has come back, it does not look again.
    ///
    /// # Errors
    /// What the system says.
    pub async fn join(&self) -> io::Result<()> {
        self.tasks.condition.acquire().await?;
        let done = self.tasks.wait_until_done().await;
        self.tasks.condition.release().await?;
        done
    }
}
