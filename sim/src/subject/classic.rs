//! The queues that midput brings, as a subject.

use std::io;

use midput_model::program::{Outcome, QueueKind, QueueLock};
use midput_real::classic::{
    GetError, JoinableQueue, JoinableQueueHandle, PutError, Queue, QueueHandle, SimpleGetError,
    SimplePutError, SimpleQueue, SimpleQueueHandle, TaskDoneError,
};
use midput_real::codec::Bytes;
use midput_real::connection::{Connection, ReceiveError, SendError};
use midput_real::os::{Exported, Os};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;

use super::manager::Manager;
use super::{Parameters, Subject};
use crate::kernel::Cells;

/// The classic discipline, CPython's, of each kind of queue; and a manager's queue in its closed form,
/// where a program says so.
#[derive(Clone, Debug)]
pub enum Classic<O: Os> {
    /// `Queue`.
    Queue(Queue<Vec<u8>, O, Bytes>),
    /// `JoinableQueue`.
    Joinable(JoinableQueue<Vec<u8>, O, Bytes>),
    /// `SimpleQueue`.
    Simple(SimpleQueue<Vec<u8>, O, Bytes>),
    /// `Pipe(duplex=False)`: its reading and its writing end.
    Pipe(Connection<O>, Connection<O>),
    /// A queue that a server owns, in either form.
    Manager(Manager<O>),
}

impl<O: Os> Classic<O> {
    /// What a plain queue and a joinable one have in common.
    fn queue(&self) -> Result<&Queue<Vec<u8>, O, Bytes>, Outcome> {
        match self {
            Self::Queue(queue) => Ok(queue),
            Self::Joinable(queue) => Ok(queue.uncounted()),
            Self::Simple(_) | Self::Pipe(..) | Self::Manager(_) => Err(Outcome::Failed),
        }
    }

    fn joinable(&self) -> Result<&JoinableQueue<Vec<u8>, O, Bytes>, Outcome> {
        match self {
            Self::Joinable(queue) => Ok(queue),
            _ => Err(Outcome::Failed),
        }
    }

    /// The queue ready for use: its feeder has the name that the program gives it.
    fn ready(self, parameters: &Parameters<'_>) -> Self {
        let named = match self {
            Self::Queue(queue) => Self::Queue(queue.with_feeder_named(parameters.feeder)),
            Self::Joinable(queue) => Self::Joinable(queue.with_feeder_named(parameters.feeder)),
            other => other,
        };
        if let Ok(queue) = named.queue() {
            queue.on_feeder_error(|error| tracing::debug!(%error, "the feeder dropped an item"));
        }
        named
    }
}

/// The name of an end of a pipe. A closed one has a name that nobody can inherit: starting a process
/// with it fails, as with a queue.
fn export<O: Os>(os: O, end: &Connection<O>) -> Exported {
    let closed = Exported { descriptor: -1, index: 0 };
    os.export_descriptor(end.descriptor()).unwrap_or(closed)
}

/// Whether a lane of this name is a feeder: a thread of the program has no such name.
fn is_feeder(lane: &str) -> bool {
    lane == "feed" || lane.starts_with("feed-")
}

impl<O: Os> Subject<O> for Classic<O> {
    fn create(this: &ThisProcess<O>, parameters: &Parameters<'_>) -> io::Result<Self> {
        let maxsize = parameters.queue.maxsize as usize;
        let queue = match parameters.queue.kind {
            QueueKind::Queue => Self::Queue(Queue::create(this, maxsize)?),
            QueueKind::Joinable => Self::Joinable(JoinableQueue::create(this, maxsize)?),
            QueueKind::Simple => Self::Simple(SimpleQueue::create(this)?),
            QueueKind::Pipe => {
                let os = this.os();
                let (reader, writer) = os.pipe()?;
                Self::Pipe(Connection::reader(os, reader), Connection::writer(os, writer))
            }
            QueueKind::Manager | QueueKind::ManagerClassic => {
                Self::Manager(Manager::create(this, parameters)?)
            }
        };
        Ok(queue.ready(parameters))
    }

    async fn begin(&self) {
        if let Self::Manager(queue) = self {
            queue.begin().await;
        }
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        Ok(match self {
            Self::Queue(queue) => queue.handle()?.exported().to_vec(),
            Self::Joinable(queue) => queue.handle()?.exported().to_vec(),
            Self::Simple(queue) => queue.handle()?.exported().to_vec(),
            Self::Pipe(reader, writer) => {
                let os = O::default();
                [reader, writer].map(|end| export(os, end)).to_vec()
            }
            Self::Manager(queue) => queue.exported()?,
        })
    }

    fn attach(
        this: &ThisProcess<O>,
        parameters: &Parameters<'_>,
        exported: &[Exported],
    ) -> io::Result<Self> {
        let wrong = |_| io::Error::from(io::ErrorKind::InvalidData);
        let maxsize = parameters.queue.maxsize as usize;
        let queue = match parameters.queue.kind {
            QueueKind::Queue => {
                let handle = QueueHandle::new(maxsize, exported.try_into().map_err(wrong)?)?;
                Self::Queue(Queue::attach(this, &handle)?)
            }
            QueueKind::Joinable => {
                let exported = exported.try_into().map_err(wrong)?;
                let handle = JoinableQueueHandle::new(maxsize, exported)?;
                Self::Joinable(JoinableQueue::attach(this, &handle)?)
            }
            QueueKind::Simple => {
                let handle = SimpleQueueHandle::new(exported.try_into().map_err(wrong)?);
                Self::Simple(SimpleQueue::attach(this, &handle)?)
            }
            QueueKind::Pipe => {
                let os = this.os();
                let [reader, writer] = exported.try_into().map_err(wrong)?;
                let [reader, writer]: [Exported; 2] = [reader, writer];
                Self::Pipe(
                    Connection::reader(os, os.import_descriptor(reader)?),
                    Connection::writer(os, os.import_descriptor(writer)?),
                )
            }
            QueueKind::Manager | QueueKind::ManagerClassic => {
                Self::Manager(Manager::attach(this, parameters, exported)?)
            }
        };
        Ok(queue.ready(parameters))
    }

    fn memory(lane: &str, step: &'static str) -> Cells {
        // What only the program's own lanes use: whether the queue is closed, its feeder, its
        // finalizers, the process's threads and children.
        const PROGRAM: u8 = 0b01;
        // What they share with the feeder: the buffer.
        const BUFFER: u8 = 0b10;
        // Whether leaving has come to the finalizers.
        const EXITING: u8 = 0b100;
        Cells(match step {
            // Behind the last of these the finalizers begin, …
            "leave" | "thread.join" => PROGRAM | EXITING,
            // … and behind this a feeder whose write failed asks whether they have (Q6). Encoding
            // is no such step: `Bytes` encodes everything.
            "wlock.release" if is_feeder(lane) => EXITING,
            // After it a feeder asks whether the buffer is empty, …
            "notempty.lock" if is_feeder(lane) => BUFFER,
            // … and a put whether the feeder is started, or it clears the buffer.
            "notempty.lock" | "cond.acquire" => PROGRAM | BUFFER,
            "buffer.append" | "buffer.popleft" | "sentinel.append" => BUFFER,
            // The frame is its lane's own, and what is shared behind these is the kernel's.
            "encode" | "decode" | "sem.acquire" | "sem.release" | "sem.value" | "rlock.acquire"
            | "rlock.release" | "wlock.acquire" | "wlock.release" | "poll" | "empty.poll"
            | "read-header" | "read-body" | "write-frame" | "write-header" | "write-body"
            | "notempty.notify" | "notempty.unlock" | "notempty.wait" | "notempty.wake"
            | "reader.close" | "writer.close" | "unfinished.acquire" | "unfinished.release"
            | "unfinished.value" | "cond.release" | "sleeping.release" | "sleeping.acquire"
            | "sleeping.drain" | "woken.release" | "woken.acquire" | "woken.drain"
            | "wait.acquire" | "wait.release" | "wait.check" | "wait.drain" => 0,
            _ => PROGRAM,
        })
    }

    async fn put(&self, payload: Vec<u8>, timeout: Timeout) -> Result<(), Outcome> {
        let put = match self {
            Self::Pipe(_, writer) => {
                return writer.send_bytes(&payload).await.map_err(|error| match error {
                    SendError::Closed | SendError::ReadOnly => Outcome::HandleClosed,
                    _ => Outcome::Failed,
                });
            }
            // Boxed, as below: what a call of a manager needs is much, and the others do not.
            Self::Manager(queue) => return Box::pin(queue.put(payload, timeout)).await,
            Self::Queue(queue) => queue.put(payload, timeout).await,
            Self::Joinable(queue) => queue.put(payload, timeout).await,
            Self::Simple(queue) => {
                return queue.put(payload).await.map_err(|error| match error {
                    SimplePutError::HandleClosed => Outcome::HandleClosed,
                    SimplePutError::Encode(_) | SimplePutError::Io(_) => Outcome::Failed,
                });
            }
        };
        put.map_err(|error| match error {
            PutError::Full(_) => Outcome::Full,
            PutError::Closed(_) => Outcome::Closed,
            PutError::Slot { .. }
            | PutError::Feeder { .. }
            | PutError::Lock { .. }
            | PutError::Uncounted { .. } => Outcome::Failed,
        })
    }

    async fn get(&self, timeout: Timeout) -> Result<Vec<u8>, Outcome> {
        if let Self::Pipe(reader, _) = self {
            return reader.recv_bytes().await.map_err(|error| match error {
                ReceiveError::Closed | ReceiveError::WriteOnly => Outcome::HandleClosed,
                ReceiveError::EndOfFile => Outcome::EndOfFile,
                ReceiveError::Torn => Outcome::Torn,
                _ => Outcome::Failed,
            });
        }
        if let Self::Simple(queue) = self {
            return queue.get().await.map_err(|error| match error {
                SimpleGetError::HandleClosed => Outcome::HandleClosed,
                SimpleGetError::EndOfFile => Outcome::EndOfFile,
                SimpleGetError::Torn => Outcome::Torn,
                SimpleGetError::Decode(_) => Outcome::Garbage,
                SimpleGetError::Io(_) => Outcome::Failed,
            });
        }
        if let Self::Manager(queue) = self {
            return Box::pin(queue.get(timeout)).await;
        }
        self.queue()?.get(timeout).await.map_err(|error| match error {
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
        if let Self::Manager(queue) = self {
            return Box::pin(queue.qsize()).await;
        }
        let size = self.queue()?.qsize().await.map_err(|_| Outcome::Failed)?;
        u32::try_from(size).map_err(|_| Outcome::Failed)
    }

    async fn empty(&self) -> Result<bool, Outcome> {
        let empty = match self {
            Self::Simple(queue) => queue.empty().await,
            Self::Manager(queue) => return Box::pin(queue.empty()).await,
            _ => self.queue()?.empty().await,
        };
        empty.map_err(|_| Outcome::HandleClosed)
    }

    async fn full(&self) -> Result<bool, Outcome> {
        if let Self::Manager(queue) = self {
            return Box::pin(queue.full()).await;
        }
        self.queue()?.full().await.map_err(|_| Outcome::Failed)
    }

    async fn close(&self) -> Result<(), Outcome> {
        if let Self::Simple(queue) = self {
            return queue.close().await.map_err(|_| Outcome::Failed);
        }
        self.queue()?.close().await;
        Ok(())
    }

    async fn close_reader(&self) -> Result<(), Outcome> {
        if let Self::Pipe(reader, _) = self {
            return reader.close().await.map_err(|_| Outcome::Failed);
        }
        self.queue()?.close_reader().await.map_err(|_| Outcome::Failed)
    }

    async fn close_writer(&self) -> Result<(), Outcome> {
        match self {
            Self::Pipe(_, writer) => writer.close().await.map_err(|_| Outcome::Failed),
            _ => Err(Outcome::Failed),
        }
    }

    async fn force_release(&self, lock: QueueLock) -> Result<(), Outcome> {
        let queue = self.queue()?;
        let released = match lock {
            QueueLock::Read => queue.force_read_lock().await,
            QueueLock::Write => queue.force_write_lock().await,
        };
        released.map_err(|_| Outcome::TooMany)
    }

    async fn join_thread(&self) -> Result<(), Outcome> {
        self.queue()?.join_thread().await.map_err(|_| Outcome::NotClosed)
    }

    async fn cancel_join_thread(&self) -> Result<(), Outcome> {
        self.queue()?.cancel_join_thread().await;
        Ok(())
    }

    async fn task_done(&self) -> Result<(), Outcome> {
        if let Self::Manager(queue) = self {
            return Box::pin(queue.task_done()).await;
        }
        self.joinable()?.task_done().await.map_err(|error| match error {
            TaskDoneError::TooMany => Outcome::TooMany,
            TaskDoneError::Unexpected | TaskDoneError::Io(_) => Outcome::Failed,
        })
    }

    async fn join_queue(&self) -> Result<(), Outcome> {
        if let Self::Manager(queue) = self {
            return Box::pin(queue.join_queue()).await;
        }
        self.joinable()?.join().await.map_err(|_| Outcome::Failed)
    }
}
