//! The manager queue as a subject: its server runs as threads of the main process, which is
//! no victim, and everybody is a client.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use midput_model::program::Outcome;
use midput_real::codec::Bytes;
use midput_real::manager::{Client, GetError, Key, Limits, PutError, Queue, Server};
use midput_real::os::{Address, Exported, Os, Site};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;

use super::{Parameters, Subject};

/// The manager discipline: a queue that a server owns.
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
    /// Nobody closes the other end: it serves as long as its process lives.
    lifeline: O::Descriptor,
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
    Address::Unix(PathBuf::from(&parameters.queue.name))
}

/// The queue of a server that has one.
fn queue<O: Os>(os: O, parameters: &Parameters<'_>) -> io::Result<Queue<Vec<u8>, O, Bytes>> {
    let patience = Limits::default().patience;
    let client = Client::new(os, address(parameters), key(), patience)?;
    Ok(Queue::new(client, midput_real::manager::protocol::QueueId(0)))
}

impl<O: Os> Subject<O> for Manager<O> {
    fn create(this: &ThisProcess<O>, parameters: &Parameters<'_>) -> io::Result<Self> {
        let os = this.os();
        let (listener, address) = os.listen(&address(parameters))?;
        let (lifeline, _) = os.pipe()?;
        let server = Server::new(os, &address, key(), Limits::default());
        server.create(parameters.queue.maxsize).map_err(io::Error::other)?;
        let server = Arc::new(Mutex::new(Some(Service { server, listener, lifeline })));
        Ok(Self { queue: queue(os, parameters)?, server })
    }

    async fn begin(&self) {
        let service = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Service { server, listener, lifeline }) = service else { return };
        let body = move || async move {
            if let Err(error) = server.serve(listener, lifeline).await {
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
            PutError::Encode(_) | PutError::Manager(_) => Outcome::Failed,
        })
    }

    async fn get(&self, timeout: Timeout) -> Result<Vec<u8>, Outcome> {
        self.queue.get(timeout).await.map_err(|error| match error {
            GetError::Empty => Outcome::Empty,
            GetError::Decode(_) | GetError::Manager(_) => Outcome::Failed,
        })
    }

    async fn qsize(&self) -> Result<u32, Outcome> {
        let size = self.queue.qsize().await.map_err(|_| Outcome::Failed)?;
        u32::try_from(size).map_err(|_| Outcome::Failed)
    }

    async fn empty(&self) -> Result<bool, Outcome> {
        self.queue.empty().await.map_err(|_| Outcome::Failed)
    }

    async fn full(&self) -> Result<bool, Outcome> {
        self.queue.full().await.map_err(|_| Outcome::Failed)
    }
}
