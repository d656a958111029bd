//! The manager queue as a subject: its server runs as threads of P0, and everybody is a client.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use midput_model::program::{Outcome, QueueKind};
use midput_real::codec::Bytes;
use midput_real::manager::protocol::QueueId;
use midput_real::manager::{
    Client, Form, GetError, JoinError, Key, Limits, ManagerError, PutError, Queue, Server,
    TaskDoneError,
};
use midput_real::os::{Address, Exported, Os, Site};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;

use super::{Parameters, Subject};

/// A queue that a server owns, in either form.
#[derive(Clone, Debug)]
pub struct Manager<O: Os> {
    queue: Queue<Vec<u8>, O, Bytes>,
    /// What the main process serves with, until it has begun to.
    server: Arc<Mutex<Option<Service<O>>>>,
}

/// A server that has not begun to serve.
struct Service<O: Os> {
    server: Arc<Server<O>>,
    listener: O::Descriptor,
    /// The two ends of its lifeline. Nobody closes them: it serves as long as its process lives.
    lifeline: (O::Descriptor, O::Descriptor),
}

impl<O: Os> std::fmt::Debug for Service<O> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Service").finish_non_exhaustive()
    }
}

fn key() -> Key {
    Key::new(b"the key of a simulation".as_slice())
}

/// Each queue has a server of its own, where nobody else listens.
fn address(parameters: &Parameters<'_>) -> Address {
    Address::Unix(parameters.directory.join(&parameters.queue.name))
}

/// The queue of a server that has one.
fn queue<O: Os>(os: O, parameters: &Parameters<'_>) -> io::Result<Queue<Vec<u8>, O, Bytes>> {
    let patience = Limits::default().patience;
    let client = Client::new(os, address(parameters), key(), patience)?;
    Ok(Queue::new(client, QueueId(0)))
}

/// What went wrong with the server. That it is gone is two things (`MQ6`): it ended while the call
/// was under way, or it could not be reached.
fn failed(error: &ManagerError) -> Outcome {
    match error {
        ManagerError::Ended => Outcome::EndOfFile,
        _ => Outcome::Failed,
    }
}

impl<O: Os> Subject<O> for Manager<O> {
    fn create(this: &ThisProcess<O>, parameters: &Parameters<'_>) -> io::Result<Self> {
        let os = this.os();
        let (listener, address) = os.listen(&address(parameters))?;
        let lifeline = os.pipe()?;
        let form = match parameters.queue.kind {
            QueueKind::ManagerClassic => Form::Classic,
            _ => Form::Closed,
        };
        let server = Server::of_form(form, os, &address, key(), Limits::default());
        server.create(parameters.queue.maxsize).map_err(io::Error::other)?;
        let server = Arc::new(Mutex::new(Some(Service { server, listener, lifeline })));
        Ok(Self { queue: queue(os, parameters)?, server })
    }

    async fn begin(&self) {
        let service = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Service { server, listener, lifeline }) = service else { return };
        let body = move || async move {
            let (reader, _writer) = lifeline;
            if let Err(error) = server.serve(listener, reader).await {
                tracing::debug!(%error, "the server has ended");
            }
        };
        let started = O::default().thread_start("server", body, Site::new("server.start")).await;
        if let Err(error) = started {
            tracing::debug!(%error, "the server has not begun");
        }
    }

    /// A client needs the address and the key, nothing else.
    fn exported(&self) -> io::Result<Vec<Exported>> {
        Ok(Vec::new())
    }

    fn attach(
        this: &ThisProcess<O>,
        parameters: &Parameters<'_>,
        _: &[Exported],
    ) -> io::Result<Self> {
        Ok(Self { queue: queue(this.os(), parameters)?, server: Arc::default() })
    }

    async fn put(&self, payload: Vec<u8>, timeout: Timeout) -> Result<(), Outcome> {
        self.queue.put(payload, timeout).await.map_err(|error| match error {
            PutError::Full(_) => Outcome::Full,
            PutError::Encode(_) => Outcome::Failed,
            PutError::Manager(error) => failed(&error),
        })
    }

    async fn get(&self, timeout: Timeout) -> Result<Vec<u8>, Outcome> {
        self.queue.get(timeout).await.map_err(|error| match error {
            GetError::Empty => Outcome::Empty,
            GetError::Decode(_) => Outcome::Garbage,
            GetError::Manager(error) => failed(&error),
        })
    }

    async fn qsize(&self) -> Result<u32, Outcome> {
        let size = self.queue.qsize().await.map_err(|error| failed(&error))?;
        u32::try_from(size).map_err(|_| Outcome::Failed)
    }

    async fn empty(&self) -> Result<bool, Outcome> {
        self.queue.empty().await.map_err(|error| failed(&error))
    }

    async fn full(&self) -> Result<bool, Outcome> {
        self.queue.full().await.map_err(|error| failed(&error))
    }

    async fn task_done(&self) -> Result<(), Outcome> {
        self.queue.task_done().await.map_err(|error| match error {
            TaskDoneError::TooMany => Outcome::TooMany,
            TaskDoneError::Manager(error) => failed(&error),
        })
    }

    async fn join_queue(&self) -> Result<(), Outcome> {
        self.queue.join(Timeout::Never).await.map_err(|error| match error {
            JoinError::Missing(_) => Outcome::Missing,
            JoinError::Unfinished(_) => Outcome::Failed,
            JoinError::Manager(error) => failed(&error),
        })
    }
}
