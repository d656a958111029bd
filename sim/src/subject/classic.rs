//! The classic queue as a subject.

use std::io;

use midput_model::program::Outcome;
use midput_real::classic::{GetError, PutError, Queue, QueueHandle};
use midput_real::codec::Bytes;
use midput_real::os::{Exported, Os};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;

use super::{Parameters, Subject};
use crate::kernel::Cells;

/// The classic discipline: CPython's `multiprocessing.Queue`.
#[derive(Clone, Debug)]
pub struct Classic<O: Os>(Queue<Vec<u8>, O, Bytes>);

impl<O: Os> Classic<O> {
    fn new(queue: Queue<Vec<u8>, O, Bytes>, parameters: &Parameters<'_>) -> Self {
        let queue = queue.with_feeder_named(parameters.feeder);
        queue.on_feeder_error(|error| tracing::debug!(%error, "the feeder dropped an item"));
        Self(queue)
    }
}

/// Whether a lane of this name is a feeder: a thread of the program has no such name.
fn is_feeder(lane: &str) -> bool {
    lane == "feed" || lane.starts_with("feed-")
}

impl<O: Os> Subject<O> for Classic<O> {
    fn create(this: &ThisProcess<O>, parameters: &Parameters<'_>) -> io::Result<Self> {
        let queue = Queue::create(this, parameters.queue.maxsize as usize)?;
        Ok(Self::new(queue, parameters))
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        Ok(self.0.handle()?.exported().to_vec())
    }

    fn attach(
        this: &ThisProcess<O>,
        parameters: &Parameters<'_>,
        exported: &[Exported],
    ) -> io::Result<Self> {
        let exported = exported.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
        let handle = QueueHandle::new(parameters.queue.maxsize as usize, exported)?;
        Ok(Self::new(Queue::attach(this, &handle)?, parameters))
    }

    fn memory(lane: &str, step: &'static str) -> Cells {
        // What only the program's own lanes use: whether the queue is closed, its feeder, its
        // finalizers, the process's threads and children.
        const PROGRAM: u8 = 0b01;
        // What they share with the feeder: the buffer.
        const BUFFER: u8 = 0b10;
        Cells(match step {
            // After it a feeder asks whether the buffer is empty, …
            "notempty.lock" if is_feeder(lane) => BUFFER,
            // … and a put whether the feeder is started, or it clears the buffer.
            "notempty.lock" => PROGRAM | BUFFER,
            "buffer.append" | "buffer.popleft" | "sentinel.append" => BUFFER,
            // The frame is its lane's own, and what is shared behind these is the kernel's.
            "encode" | "decode" | "sem.acquire" | "sem.release" | "sem.value" | "rlock.acquire"
            | "rlock.release" | "wlock.acquire" | "wlock.release" | "poll" | "empty.poll"
            | "read-header" | "read-body" | "write-frame" | "write-header" | "write-body"
            | "notempty.notify" | "notempty.unlock" | "notempty.wait" | "notempty.wake"
            | "reader.close" | "writer.close" => 0,
            _ => PROGRAM,
        })
    }

    async fn put(&self, payload: Vec<u8>, timeout: Timeout) -> Result<(), Outcome> {
        self.0.put(payload, timeout).await.map_err(|error| match error {
            PutError::Full(_) => Outcome::Full,
            PutError::Closed(_) => Outcome::Closed,
            PutError::Slot { .. } | PutError::Feeder { .. } => Outcome::Failed,
        })
    }

    async fn get(&self, timeout: Timeout) -> Result<Vec<u8>, Outcome> {
        self.0.get(timeout).await.map_err(|error| match error {
            GetError::Empty => Outcome::Empty,
            GetError::Closed => Outcome::Closed,
            GetError::HandleClosed => Outcome::HandleClosed,
            GetError::EndOfFile => Outcome::EndOfFile,
            GetError::Torn => Outcome::Torn,
            GetError::Decode(_) => Outcome::Garbage,
            GetError::Io(_) => Outcome::Failed,
        })
    }

    async fn qsize(&self) -> Result<u32, Outcome> {
        let size = self.0.qsize().await.map_err(|_| Outcome::Failed)?;
        u32::try_from(size).map_err(|_| Outcome::Failed)
    }

    async fn empty(&self) -> Result<bool, Outcome> {
        self.0.empty().await.map_err(|_| Outcome::HandleClosed)
    }

    async fn full(&self) -> Result<bool, Outcome> {
        self.0.full().await.map_err(|_| Outcome::Failed)
    }

    async fn close(&self) -> Result<(), Outcome> {
        self.0.close().await;
        Ok(())
    }

    async fn close_reader(&self) -> Result<(), Outcome> {
        self.0.close_reader().await.map_err(|_| Outcome::Failed)
    }

    async fn join_thread(&self) -> Result<(), Outcome> {
        self.0.join_thread().await.map_err(|_| Outcome::NotClosed)
    }

    async fn cancel_join_thread(&self) -> Result<(), Outcome> {
        self.0.cancel_join_thread().await;
        Ok(())
    }
}
