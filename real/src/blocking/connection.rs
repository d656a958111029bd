//! Pipes of messages.

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::classic::{self, PollError, ReceiveError, SendError};
use crate::os::Os;
use crate::os::linux::Linux;
use crate::timeout::Timeout;
use crate::{CodecError, block_on, codec};

/// One end of a [`pipe`] of messages: CPython's `Connection`.
///
/// One process or thread at a time may use an end: it takes no lock, and two that send at once mix
/// their bytes (`CN7`).
///
/// ```
/// let (receiver, sender) = midput_real::pipe()?;
/// sender.send(&("spam", 42_u32))?;
/// assert_eq!(receiver.recv::<(String, u32)>()?, ("spam".to_owned(), 42));
/// sender.close()?;
/// assert!(receiver.recv_bytes().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Connection {
    connection: classic::Connection<Linux>,
}

/// Why no value was received.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No message was received.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// A message was received, and is no value of this type.
    #[error("the message is no value of this type: {0}")]
    Decode(#[source] CodecError),
}

/// Makes a pipe of messages: its receiving and its sending end (`Pipe(duplex=False)`).
///
/// # Errors
/// What the system says where it has no descriptor left.
pub fn pipe() -> io::Result<(Connection, Connection)> {
    let (reader, writer) = Linux.pipe()?;
    let receiver = Connection { connection: classic::Connection::reader(Linux, reader) };
    Ok((receiver, Connection { connection: classic::Connection::writer(Linux, writer) }))
}

impl Connection {
    /// Sends a value; waits while the pipe is full.
    ///
    /// # Errors
    /// `InvalidData` where it cannot be encoded (nothing is sent then), and as
    /// [`send_bytes`](Self::send_bytes).
    pub fn send(&self, value: &impl Serialize) -> Result<(), SendError> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        self.send_bytes(&codec::to_bytes(value).map_err(invalid)?)
    }

    /// Receives a value; waits until it is there.
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), and where the message is no value of this type.
    pub fn recv<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        codec::from_bytes(&self.recv_bytes()?).map_err(DecodeError::Decode)
    }

    /// Sends one message; waits while the pipe is full.
    ///
    /// # Errors
    /// Where this end is closed or receives, where nobody can receive any more, and what the
    /// system says.
    pub fn send_bytes(&self, message: &[u8]) -> Result<(), SendError> {
        block_on(self.connection.send_bytes(message))
    }

    /// Receives one message; waits until it is complete.
    ///
    /// # Errors
    /// Where the stream has ended, before a message or within one, where this end is closed or
    /// sends, and what the system says.
    pub fn recv_bytes(&self) -> Result<Vec<u8>, ReceiveError> {
        block_on(self.connection.recv_bytes())
    }

    /// Whether something, or the end, can be received; waits at most so long for it.
    ///
    /// # Errors
    /// Where this end is closed or sends, and what the system says.
    pub fn poll(&self, timeout: Duration) -> Result<bool, PollError> {
        block_on(self.connection.poll(Timeout::After(timeout)))
    }

    /// Closes this end in this process, for every clone of it. Closing it again is nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(&self) -> io::Result<()> {
        block_on(self.connection.close())
    }
}
