//! The thread of a process that sends what the process has put (`f1` to `f7`).

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::FeederError;
use crate::codec::Codec;
use crate::connection::Connection;
use crate::interrupted::uninterrupted;
use crate::os::{Os, Site, Wait};
use crate::process::Exiting;

/// What is told of errors in a feeder.
pub(super) type Report = Arc<dyn Fn(FeederError) + Send + Sync>;

/// One place of the buffer.
pub(super) enum Entry<T> {
    /// An item to send.
    Item(T),
    /// The end: close the pipe and stop.
    Sentinel,
}

/// What a process has put and its feeder has not yet taken up.
///
/// The lock of the protocol is the monitor. The mutex stands for what the interpreter's lock is in
/// Python: it makes one plain access whole, and nobody waits while holding it.
pub(super) struct Outbox<T, O: Os> {
    pub(super) os: O,
    pub(super) notempty: O::Monitor,
    buffer: Mutex<VecDeque<Entry<T>>>,
    /// Nobody is told yet where there is none: errors go to standard error.
    report: Mutex<Option<Report>>,
}

impl<T: Send + 'static, O: Os> Outbox<T, O> {
    pub(super) fn new(os: O) -> Self {
        Self { os, notempty: os.monitor(), buffer: Mutex::default(), report: Mutex::default() }
    }

    pub(super) fn buffer(&self) -> MutexGuard<'_, VecDeque<Entry<T>>> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_report(&self, report: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    fn report(&self, error: FeederError) {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match report {
            Some(report) => report(error),
            None => eprintln!("midput: {error}"),
        }
    }

    pub(super) fn lock(&self) -> impl Future<Output = ()> {
        self.os.monitor_lock(&self.notempty, Site::new("notempty.lock"))
    }

    pub(super) fn unlock(&self) -> impl Future<Output = ()> {
        self.os.monitor_unlock(&self.notempty, Site::new("notempty.unlock"))
    }

    pub(super) fn notify(&self) -> impl Future<Output = ()> {
        self.os.monitor_notify(&self.notempty, Site::new("notempty.notify"))
    }

    /// Tells the feeder to send what there is, close the pipe and end.
    pub(super) async fn finish(&self) {
        self.lock().await;
        self.os.point(Site::new("sentinel.append")).await;
        self.buffer().push_back(Entry::Sentinel);
        self.notify().await;
        self.unlock().await;
    }
}

/// All that a feeder needs; nothing of it keeps the process's registry alive.
pub(super) struct Feeder<T, O: Os, C> {
    pub(super) os: O,
    pub(super) outbox: Arc<Outbox<T, O>>,
    pub(super) reader: Connection<O>,
    pub(super) writer: Connection<O>,
    pub(super) wlock: O::Semaphore,
    pub(super) sem: O::Semaphore,
    pub(super) exiting: Exiting,
    pub(super) codec: PhantomData<fn() -> C>,
}

impl<T: Send + 'static, O: Os, C: Codec<T>> Feeder<T, O, C> {
    pub(super) async fn run(self) {
        loop {
            self.sleep_while_empty().await;
            // Without the lock until nothing is left, or an error starts it over (`Q6`).
            loop {
                self.os.point(Site::new("buffer.popleft")).await;
                let entry = self.outbox.buffer().pop_front();
                match entry {
                    None => break,
                    Some(Entry::Sentinel) => return self.close().await,
                    Some(Entry::Item(item)) => {
                        let Err(error) = self.send(item).await else {
                            continue;
                        };
                        if self.exiting.is_set() {
                            // The slot stays taken, and what is left in the buffer is not sent.
                            return self.outbox.report(error);
                        }
                        let slot = self.os.semaphore_post(&self.sem, Site::new("sem.release"));
                        let given_back = slot.await;
                        self.outbox.report(error);
                        if let Err(error) = given_back {
                            // As in Python, an error in handling an error ends the thread.
                            return self.outbox.report(error.into());
                        }
                        break;
                    }
                }
            }
        }
    }

    /// An `if`, not a loop: who wakes for nothing finds nothing to pop, and comes back (`f1`).
    async fn sleep_while_empty(&self) {
        self.outbox.lock().await;
        let empty = self.outbox.buffer().is_empty();
        if empty {
            let (wait, wake) = (Site::new("notempty.wait"), Site::new("notempty.wake"));
            self.os.monitor_wait(&self.outbox.notempty, wait, wake).await;
        }
        self.outbox.unlock().await;
    }

    async fn send(&self, item: T) -> Result<(), FeederError> {
        self.os.point(Site::new("encode")).await;
        let payload = C::encode(item).map_err(FeederError::Encode)?;
        uninterrupted(|| {
            self.os.semaphore_wait(&self.wlock, Wait::Forever, Site::new("wlock.acquire"))
        })
        .await?;
        let sent = self.writer.send_bytes(&payload).await;
        let released = self.os.semaphore_post(&self.wlock, Site::new("wlock.release")).await;
        sent?;
        Ok(released?)
    }

    async fn close(&self) {
        for end in [&self.reader, &self.writer] {
            if let Err(error) = end.close().await {
                self.outbox.report(error.into());
            }
        }
    }
}
