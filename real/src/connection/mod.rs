//! CPython's `Connection`: whole messages over a pipe or a pair of sockets, in its frames (`WF1` to
//! `WF9`).

mod error;
mod frame;
mod passing;
mod receive;
mod send;
#[cfg(test)]
mod tests;
mod wait;

pub(crate) use passing::export_descriptor;

pub use error::{
    DecodeError, EncodeError, PollError, ReceiveError, ReceiveIntoError, ReceiveMaxError,
    SendError, SendPartError, WaitError,
};
pub use wait::wait;

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::codec::Postcard;
use crate::os::{Awaited, Os, Site};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Receiving only: the reading end of a pipe.
    Read,
    /// Sending only: the writing end of a pipe.
    Write,
    /// Both: an end of a duplex pipe.
    Both,
}

/// One end of a pipe that carries whole messages.
///
/// Like CPython's, it takes no lock: two threads or processes that send at once mix their bytes
/// (`CN7`). Clones are the same end: closing one closes all. `F` is how values become messages.
pub struct Connection<O: Os, F = Postcard> {
    os: O,
    descriptor: O::Descriptor,
    direction: Direction,
    /// A message was too long: nothing can be received any more (`CN4`).
    spoiled: Arc<AtomicBool>,
    format: PhantomData<fn() -> F>,
}

impl<O: Os, F> Clone for Connection<O, F> {
    fn clone(&self) -> Self {
        Self {
            os: self.os,
            descriptor: self.descriptor.clone(),
            direction: self.direction,
            spoiled: Arc::clone(&self.spoiled),
            format: PhantomData,
        }
    }
}

impl<O: Os, F> std::fmt::Debug for Connection<O, F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("direction", &self.direction)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// Makes a one-way pipe of messages: its receiving and its sending end (`Pipe(duplex=False)`,
/// `CN1`).
///
/// # Errors
/// What the system says where it has no descriptor left.
pub fn pipe<O: Os>(os: O) -> io::Result<(Connection<O>, Connection<O>)> {
    let (reader, writer) = os.pipe()?;
    Ok((Connection::reader(os, reader), Connection::writer(os, writer)))
}

/// Makes a duplex pipe of messages, a pair of sockets: two ends that each send and receive
/// (`Pipe()`, `CN1`).
///
/// # Errors
/// What the system says where it has no descriptor left.
pub fn duplex_pipe<O: Os>(os: O) -> io::Result<(Connection<O>, Connection<O>)> {
    let (first, second) = os.socket_pair()?;
    Ok((Connection::duplex(os, first), Connection::duplex(os, second)))
}

impl<O: Os> Connection<O> {
    /// The receiving end over this descriptor.
    pub fn reader(os: O, descriptor: O::Descriptor) -> Self {
        Self::new(os, descriptor, Direction::Read)
    }

    /// The sending end over this descriptor.
    pub fn writer(os: O, descriptor: O::Descriptor) -> Self {
        Self::new(os, descriptor, Direction::Write)
    }

    /// An end that sends and receives over this descriptor, of a socket.
    pub fn duplex(os: O, descriptor: O::Descriptor) -> Self {
        Self::new(os, descriptor, Direction::Both)
    }
}

impl<O: Os, F> Connection<O, F> {
    fn new(os: O, descriptor: O::Descriptor, direction: Direction) -> Self {
        Self { os, descriptor, direction, spoiled: Arc::default(), format: PhantomData }
    }

    /// The same end, whose values are written in another format.
    #[must_use]
    pub fn with_format<G>(self) -> Connection<O, G> {
        let Self { os, descriptor, direction, spoiled, format: _ } = self;
        Connection { os, descriptor, direction, spoiled, format: PhantomData }
    }

    pub(crate) fn os(&self) -> O {
        self.os
    }

    /// What this end is for.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The descriptor.
    pub fn descriptor(&self) -> &O::Descriptor {
        &self.descriptor
    }

    /// Whether this end is for receiving, and no message that was too long has spoiled it (`CN4`).
    pub fn is_readable(&self) -> bool {
        self.direction != Direction::Write && !self.spoiled.load(Ordering::Relaxed)
    }

    /// Whether this end is for sending.
    pub fn is_writable(&self) -> bool {
        self.direction != Direction::Read
    }

    /// Whether this end is closed in this process.
    pub fn is_closed(&self) -> bool {
        self.os.is_closed(&self.descriptor)
    }

    /// What [`wait`] waits for: something to receive, or the end of the stream.
    pub fn awaited(&self) -> Awaited<'_, O> {
        Awaited::Readable(&self.descriptor)
    }

    /// Closes this end in this process, for every clone of it; closing it again is nothing.
    ///
    /// Step: `reader.close`, `writer.close` or, of a duplex pipe, `connection.close`.
    ///
    /// # Errors
    /// What the system says; the end is closed all the same.
    pub async fn close(&self) -> io::Result<()> {
        let name = match self.direction {
            Direction::Read => "reader.close",
            Direction::Write => "writer.close",
            Direction::Both => "connection.close",
        };
        self.os.close(&self.descriptor, Site::new(name)).await
    }
}

/// `EBADF`: what the system answers for a descriptor that this process has closed.
const BAD_DESCRIPTOR: i32 = 9;

fn is_closed_descriptor(error: &io::Error) -> bool {
    error.raw_os_error() == Some(BAD_DESCRIPTOR)
}
