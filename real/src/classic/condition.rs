//! A lock with a condition between processes, made of semaphores (`K1`, `K2`).
//!
//! Nobody gives back the lock of the dead, and a notifier waits without bound for a sleeper that
//! died (`X9`): the hazards belong to the protocol.

use std::io;

use serde::{Deserialize, Serialize};

use crate::interrupted::uninterrupted;
use crate::os::{Exported, Os, SemaphoreSpecification, Site, Wait};

/// `SEM_VALUE_MAX`: a counter that is never meant to be full.
pub(super) const COUNTER_MAX: u32 = 0x7fff_ffff;

/// Why nobody, or not everybody, was woken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotifyError {
    /// A wake-up that nobody was meant to have is there (CPython's `AssertionError`).
    #[error("somebody was woken whom nobody woke")]
    Unexpected,
    /// A semaphore failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The lock and what its sleepers and their waker count.
pub(super) struct Condition<O: Os> {
    os: O,
    lock: O::Semaphore,
    sleeping: O::Semaphore,
    woken: O::Semaphore,
    wait: O::Semaphore,
}

/// The names of its semaphores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConditionHandle {
    pub(super) lock: Exported,
    pub(super) sleeping: Exported,
    pub(super) woken: Exported,
    pub(super) wait: Exported,
}

impl<O: Os> Condition<O> {
    pub(super) fn create(os: O) -> io::Result<Self> {
        let counter = |role| SemaphoreSpecification { role, value: 0, maximum: COUNTER_MAX };
        let [lock, sleeping, woken, wait] = os.semaphores([
            SemaphoreSpecification { role: "condlock", value: 1, maximum: 1 },
            counter("sleeping"),
            counter("woken"),
            counter("wait"),
        ])?;
        Ok(Self { os, lock, sleeping, woken, wait })
    }

    pub(super) fn attach(os: O, handle: &ConditionHandle) -> io::Result<Self> {
        Ok(Self {
            os,
            lock: os.import_semaphore(handle.lock)?,
            sleeping: os.import_semaphore(handle.sleeping)?,
            woken: os.import_semaphore(handle.woken)?,
            wait: os.import_semaphore(handle.wait)?,
        })
    }

    pub(super) fn handle(&self) -> ConditionHandle {
        let export = |semaphore| self.os.export_semaphore(semaphore);
        ConditionHandle {
            lock: export(&self.lock),
            sleeping: export(&self.sleeping),
            woken: export(&self.woken),
            wait: export(&self.wait),
        }
    }

    /// Takes the lock; no time-out of any call covers it (`X8`).
    pub(super) async fn acquire(&self) -> io::Result<()> {
        self.take(&self.lock, Wait::Forever, "cond.acquire").await.map(|_| ())
    }

    /// Gives the lock back.
    pub(super) async fn release(&self) -> io::Result<()> {
        self.give(&self.lock, "cond.release").await
    }

    /// Gives the lock back and sleeps until notified, then takes the lock again (`K1`).
    pub(super) async fn wait(&self) -> io::Result<()> {
        self.give(&self.sleeping, "sleeping.release").await?;
        self.release().await?;
        let slept = self.take(&self.wait, Wait::Forever, "wait.acquire").await;
        self.give(&self.woken, "woken.release").await?;
        self.acquire().await?;
        slept.map(|_| ())
    }

    /// Wakes everybody who sleeps, and waits until each has said so (`K2`).
    pub(super) async fn notify_all(&self) -> Result<(), NotifyError> {
        if self.take(&self.wait, Wait::Try, "wait.check").await? {
            return Err(NotifyError::Unexpected);
        }
        // Sleepers that gave up since the last time are no sleepers any more.
        while self.take(&self.woken, Wait::Try, "woken.drain").await? {
            if !self.take(&self.sleeping, Wait::Try, "sleeping.drain").await? {
                return Err(NotifyError::Unexpected);
            }
        }
        let mut sleepers = 0;
        while self.take(&self.sleeping, Wait::Try, "sleeping.acquire").await? {
            self.give(&self.wait, "wait.release").await?;
            sleepers += 1;
        }
        if sleepers == 0 {
            return Ok(());
        }
        for _ in 0..sleepers {
            self.take(&self.woken, Wait::Forever, "woken.acquire").await?;
        }
        while self.take(&self.wait, Wait::Try, "wait.drain").await? {}
        Ok(())
    }

    async fn take(&self, of: &O::Semaphore, wait: Wait, step: &'static str) -> io::Result<bool> {
        uninterrupted(|| self.os.semaphore_wait(of, wait, Site::new(step))).await
    }

    async fn give(&self, to: &O::Semaphore, step: &'static str) -> io::Result<()> {
        self.os.semaphore_post(to, Site::new(step)).await
    }
}
