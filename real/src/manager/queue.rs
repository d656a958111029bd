//! A queue of a manager, with items of one type.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Key;
use super::client::Client;
use super::error::TaskDoneError;
use super::error::{GetError, GetFailure, JoinError, ManagerError, PutError, PutFailure};
use super::protocol::QueueId;
use crate::codec::{Codec, Postcard};
use crate::os::{Address, Os};
use crate::process::passing;
use crate::timeout::Timeout;

/// A queue that a manager's server owns, over any [`Os`]. Clones are the same queue.
pub struct Queue<T, O: Os, C = Postcard> {
    client: Client<O>,
    identifier: QueueId,
    codec: PhantomData<fn(T) -> C>,
}

impl<T, O: Os, C> Clone for Queue<T, O, C> {
    fn clone(&self) -> Self {
        let (client, identifier) = (self.client.clone(), self.identifier);
        Self { client, identifier, codec: PhantomData }
    }
}

impl<T, O: Os, C> std::fmt::Debug for Queue<T, O, C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Queue")
            .field("client", &self.client)
            .field("identifier", &self.identifier)
            .finish()
    }
}

impl<T, O: Os, C: Codec<T>> Queue<T, O, C> {
    /// The queue of this number, whose items are of type `T` as `C` encodes them: who put them
    /// says so, the server does not know.
    pub fn new(client: Client<O>, identifier: QueueId) -> Self {
        Self { client, identifier, codec: PhantomData }
    }

    /// Its number in its server.
    pub fn identifier(&self) -> QueueId {
        self.identifier
    }

    /// Puts an item; waits so long while the queue is full. It is there for others when this
    /// returns.
    ///
    /// Steps: with a new connection `connect` and the handshake; `call.send`, `answer.wait`,
    /// `answer.read`.
    ///
    /// # Errors
    /// Where there was no room in time, and where the server did not say that it has the item: it
    /// may have it then.
    pub async fn put(&self, item: T, timeout: Timeout) -> Result<(), PutError<T>> {
        let bytes = Arc::new(C::encode(item).map_err(PutError::Encode)?);
        match self.client.put(self.identifier, Arc::clone(&bytes), timeout).await {
            Ok(()) => Ok(()),
            Err(PutFailure::Full) => {
                let bytes = Arc::unwrap_or_clone(bytes);
                Err(C::decode(bytes).map_or_else(PutError::Encode, PutError::Full))
            }
            Err(PutFailure::Manager(error)) => Err(error.into()),
        }
    }

    /// Gets an item; waits so long while the queue is empty.
    ///
    /// Steps: as [`put`](Self::put), and `call.send`, `answer.wait`, `answer.read` once more to
    /// take the item.
    ///
    /// # Errors
    /// Where nothing came in time, what came is no item, or the server did not answer.
    pub async fn get(&self, timeout: Timeout) -> Result<T, GetError> {
        match self.client.get(self.identifier, timeout).await {
            Ok(bytes) => C::decode(bytes).map_err(GetError::Decode),
            Err(GetFailure::Empty) => Err(GetError::Empty),
            Err(GetFailure::Manager(error)) => Err(error.into()),
        }
    }

    /// How many items were put and not taken; one that is on its way to a get is inside.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn qsize(&self) -> Result<u64, ManagerError> {
        Ok(self.client.size(self.identifier).await?.0)
    }

    /// Whether nothing is inside.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn empty(&self) -> Result<bool, ManagerError> {
        Ok(self.qsize().await? == 0)
    }

    /// Whether there is no room.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn full(&self) -> Result<bool, ManagerError> {
        let (size, maxsize) = self.client.size(self.identifier).await?;
        Ok(maxsize > 0 && size >= u64::from(maxsize))
    }

    /// Says that an item that was got is done.
    ///
    /// # Errors
    /// Where it was said as often as items were put, and where the server does not answer.
    pub async fn task_done(&self) -> Result<(), TaskDoneError> {
        self.client.task_done(self.identifier).await
    }

    /// Waits so long until every item that was put is done.
    ///
    /// # Errors
    /// Where the time is up, where those who got the rest are gone, and where the server does not
    /// answer.
    pub async fn join(&self, timeout: Timeout) -> Result<(), JoinError> {
        self.client.join(self.identifier, timeout).await
    }
}

/// A queue on its way to a child.
#[derive(Serialize, Deserialize)]
struct Handle {
    address: Address,
    key: Key,
    patience: Duration,
    identifier: QueueId,
}

/// Only while a process is being started: the key goes with it, and nowhere else.
impl<T, O: Os, C> Serialize for Queue<T, O, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        passing::inherit(&[]).map_err(S::Error::custom)?;
        let handle = Handle {
            address: self.client.address().clone(),
            key: self.client.key().clone(),
            patience: self.client.patience(),
            identifier: self.identifier,
        };
        handle.serialize(serializer)
    }
}

/// Only while a worker's argument is being decoded.
impl<'de, T, O: Os, C: Codec<T>> Deserialize<'de> for Queue<T, O, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = Handle::deserialize(deserializer)?;
        let os = passing::receiving_process::<O>().map_err(D::Error::custom)?.os();
        let client = Client::new(os, handle.address, handle.key, handle.patience);
        Ok(Self::new(client.map_err(D::Error::custom)?, handle.identifier))
    }
}
