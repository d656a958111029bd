//! Pipes of messages.

use std::io;
use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::block_on;
use crate::codec::{Format, Postcard};
use crate::connection::{
    self, DecodeError, EncodeError, PollError, ReceiveError, ReceiveIntoError, ReceiveMaxError,
    SendError, SendPartError, WaitError,
};
use crate::os::linux::{Descriptor, Linux};
use crate::os::{self, Os};
use crate::timeout::Timeout;

use super::Process;

/// One end of a [`pipe`] or [`duplex_pipe`] of messages: CPython's `Connection`, in its frames, so
/// that a CPython process may have the other end.
///
/// One process or thread at a time may use an end: it takes no lock, and two that send at once mix
/// their bytes (`CN7`). To another process it goes in the argument of
/// [`Process::start`](crate::Process::start). Dropping the last clone closes it.
///
/// Values travel in the format `F`. [`Postcard`] cannot carry self-describing types such as
/// `serde_json::Value` or `#[serde(untagged)]` enums.
///
/// ```
/// let (here, there) = midput_real::duplex_pipe()?;
/// here.send(&("spam", 42_u32))?;
/// assert_eq!(there.recv::<(String, u32)>()?, ("spam".to_owned(), 42));
/// there.send_bytes(b"ham")?;
/// assert_eq!(here.recv_bytes()?, b"ham");
/// there.close()?;
/// assert!(matches!(here.recv_bytes(), Err(midput_real::ReceiveError::EndOfFile)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Connection<F = Postcard> {
    connection: connection::Connection<Linux, F>,
}

impl<F> Clone for Connection<F> {
    fn clone(&self) -> Self {
        Self { connection: self.connection.clone() }
    }
}

fn both(
    (first, second): (connection::Connection<Linux>, connection::Connection<Linux>),
) -> (Connection, Connection) {
    (Connection { connection: first }, Connection { connection: second })
}

/// Makes a one-way pipe of messages: its receiving and its sending end (`Pipe(duplex=False)`).
///
/// ```
/// let (receiver, sender) = midput_real::pipe()?;
/// sender.send(&("spam", 42_u32))?;
/// assert_eq!(receiver.recv::<(String, u32)>()?, ("spam".to_owned(), 42));
/// assert!(matches!(receiver.send_bytes(b""), Err(midput_real::SendError::ReadOnly)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What the system says where it has no descriptor left.
pub fn pipe() -> io::Result<(Connection, Connection)> {
    connection::pipe(Linux).map(both)
}

/// Makes a duplex pipe of messages, a pair of sockets: two ends that each send and receive
/// (`Pipe()`).
///
/// # Errors
/// What the system says where it has no descriptor left.
pub fn duplex_pipe() -> io::Result<(Connection, Connection)> {
    connection::duplex_pipe(Linux).map(both)
}

impl Connection {
    /// The receiving end over the descriptor of a pipe or socket that was made by other means.
    pub fn reader(descriptor: OwnedFd) -> Self {
        Self { connection: connection::Connection::reader(Linux, Descriptor::from(descriptor)) }
    }

    /// The sending end over such a descriptor.
    pub fn writer(descriptor: OwnedFd) -> Self {
        Self { connection: connection::Connection::writer(Linux, Descriptor::from(descriptor)) }
    }

    /// An end that sends and receives over the descriptor of such a socket.
    pub fn duplex(descriptor: OwnedFd) -> Self {
        Self { connection: connection::Connection::duplex(Linux, Descriptor::from(descriptor)) }
    }
}

impl<F> Connection<F> {
    /// The same end, whose values are written in another format.
    #[must_use]
    pub fn with_format<G>(self) -> Connection<G> {
        Connection { connection: self.connection.with_format() }
    }

    /// Sends a value; waits while the pipe is full.
    ///
    /// # Errors
    /// Where it cannot be encoded (nothing is sent then), and as
    /// [`send_bytes`](Self::send_bytes).
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), EncodeError>
    where
        F: Format,
    {
        block_on(self.connection.send(value))
    }

    /// Receives a value; waits until it is there.
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), and where the message is no value of this type.
    pub fn recv<T: DeserializeOwned>(&self) -> Result<T, DecodeError>
    where
        F: Format,
    {
        block_on(self.connection.recv())
    }

    /// Sends one message; waits while the pipe is full.
    ///
    /// # Errors
    /// Where this end is closed or receives, where nobody can receive any more, and what the
    /// system says.
    pub fn send_bytes(&self, message: &[u8]) -> Result<(), SendError> {
        block_on(self.connection.send_bytes(message))
    }

    /// Sends a part of the buffer as one message: from this offset on, so many bytes or all.
    /// CPython's `send_bytes(buf, offset, size)`, with its numbers; in Rust a slice says it better.
    ///
    /// ```
    /// use midput_real::SendPartError;
    ///
    /// let (receiver, sender) = midput_real::pipe()?;
    /// sender.send_part(b"spam", 1, Some(2))?;
    /// sender.send_part(b"spam", 1, None)?;
    /// assert_eq!(receiver.recv_bytes()?, b"pa");
    /// assert_eq!(receiver.recv_bytes()?, b"pam");
    /// let error = sender.send_part(b"spam", 3, Some(2)).unwrap_err();
    /// assert!(matches!(error, SendPartError::SizeBeyond));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes), and where there is no such part (`CN3`).
    pub fn send_part(
        &self,
        buffer: &[u8],
        offset: isize,
        size: Option<isize>,
    ) -> Result<(), SendPartError> {
        block_on(self.connection.send_part(buffer, offset, size))
    }

    /// Receives one message; waits until it is complete.
    ///
    /// # Errors
    /// Where the stream has ended, before a message or within one, where this end is closed or
    /// sends, and what the system says.
    pub fn recv_bytes(&self) -> Result<Vec<u8>, ReceiveError> {
        block_on(self.connection.recv_bytes())
    }

    /// Receives one message of at most so many bytes; waits until it is complete.
    ///
    /// A longer one spoils the connection (`CN4`): a one-way one is closed, a duplex one can only
    /// send.
    ///
    /// ```
    /// use midput_real::ReceiveMaxError;
    ///
    /// let (here, there) = midput_real::duplex_pipe()?;
    /// there.send_bytes(b"spam")?;
    /// let error = here.recv_bytes_max(3).unwrap_err();
    /// assert!(matches!(error, ReceiveMaxError::BadMessageLength { length: 4 }));
    /// assert!(!here.is_readable());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), and where the message is longer.
    pub fn recv_bytes_max(&self, maxlength: usize) -> Result<Vec<u8>, ReceiveMaxError> {
        block_on(self.connection.recv_bytes_max(maxlength))
    }

    /// Receives one message into the buffer, from this offset on, and returns its length; waits
    /// until it is complete.
    ///
    /// ```
    /// use midput_real::ReceiveIntoError;
    ///
    /// let (receiver, sender) = midput_real::pipe()?;
    /// let mut buffer = *b"......";
    /// sender.send_bytes(b"spam")?;
    /// assert_eq!(receiver.recv_bytes_into(&mut buffer, 1)?, 4);
    /// assert_eq!(&buffer, b".spam.");
    /// sender.send_bytes(b"spam")?;
    /// let error = receiver.recv_bytes_into(&mut buffer, 3).unwrap_err();
    /// assert!(matches!(error, ReceiveIntoError::TooShort(message) if message == b"spam"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), where the offset is behind the buffer, and where the
    /// message does not fit: it comes back whole then (`CN5`).
    pub fn recv_bytes_into(
        &self,
        buffer: &mut [u8],
        offset: usize,
    ) -> Result<usize, ReceiveIntoError> {
        block_on(self.connection.recv_bytes_into(buffer, offset))
    }

    /// Whether something, or the end, can be received; waits at most so long for it (`CN6`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use midput_real::Timeout;
    ///
    /// let (receiver, sender) = midput_real::pipe()?;
    /// assert!(!receiver.poll(Duration::from_millis(1))?);
    /// assert!(!receiver.poll(Timeout::from_seconds(Some(-1.0)))?);
    /// sender.send(&1)?;
    /// assert!(receiver.poll(Timeout::Never)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Where this end is closed or sends, and what the system says.
    pub fn poll(&self, timeout: impl Into<Timeout>) -> Result<bool, PollError> {
        block_on(self.connection.poll(timeout.into()))
    }

    /// Closes this end in this process, for every clone of it. Closing it again is nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(&self) -> io::Result<()> {
        block_on(self.connection.close())
    }

    /// Whether this end is closed in this process.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Whether this end is for receiving, and no message that was too long has spoiled it.
    pub fn is_readable(&self) -> bool {
        self.connection.is_readable()
    }

    /// Whether this end is for sending.
    pub fn is_writable(&self) -> bool {
        self.connection.is_writable()
    }

    /// The number of its descriptor, which stays its own.
    ///
    /// # Errors
    /// `EBADF` where this end is closed in this process.
    pub fn fileno(&self) -> io::Result<i32> {
        Ok(Linux.export_descriptor(self.connection.descriptor())?.descriptor)
    }
}

/// Something that [`wait`] waits for: made of a reference to a [`Connection`] or a [`Process`].
#[derive(Clone, Copy, Debug)]
pub struct Awaited<'a>(os::Awaited<'a, Linux>);

impl<'a, F> From<&'a Connection<F>> for Awaited<'a> {
    fn from(connection: &'a Connection<F>) -> Self {
        Self(connection.connection.awaited())
    }
}

impl<'a> From<&'a Process> for Awaited<'a> {
    fn from(process: &'a Process) -> Self {
        Self(process.process().awaited())
    }
}

/// Waits until at least one of these is ready, and returns the places of those that are, in their
/// order; none where the time is over before (`CN8`).
///
/// A connection is ready where a receive would not wait, a process once it has ended.
///
/// ```
/// use std::time::Duration;
///
/// let (first, _sender) = midput_real::pipe()?;
/// let (second, sender) = midput_real::pipe()?;
/// sender.send(&42)?;
/// let ready = midput_real::wait(&[(&first).into(), (&second).into()], Duration::from_secs(1))?;
/// assert_eq!(ready, [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Where a connection is closed in this process, and what the system says.
pub fn wait(awaited: &[Awaited<'_>], timeout: impl Into<Timeout>) -> Result<Vec<usize>, WaitError> {
    let awaited: Vec<_> = awaited.iter().map(|awaited| awaited.0).collect();
    block_on(connection::wait(Linux, &awaited, timeout.into()))
}
