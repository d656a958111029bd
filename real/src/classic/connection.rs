//! Frames over a descriptor: the wire format of CPython's `Connection` (`WF1` to `WF7`).

use std::io;

use serde::{Deserialize, Serialize};

use super::is_closed_descriptor;
use crate::interrupted::uninterrupted;
use crate::os::{Os, Site, Wait};
use crate::timeout::Timeout;

/// Payloads up to this length travel in one write with their header (`WF2`).
const SINGLE_WRITE: usize = 16_384;
/// Payloads up to this length have a header of 4 bytes (`WF1`).
const SHORT_LENGTH: usize = 0x7fff_ffff;
/// The most that the buffer of a body grows before the bytes to fill it have arrived, so that a
/// length which somebody made up costs no memory.
const GROWTH: usize = 1 << 20;
/// The least room that a read is offered: all that a pipe of Linux's default size can hold. The
/// growth in steps then never cuts a read short.
const LEAST_ROOM: usize = 65_536;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Receiving only: the reading end of a pipe.
    Read,
    /// Sending only: the writing end of a pipe.
    Write,
}

/// One end of a pipe that carries whole messages.
///
/// Like CPython's, it takes no lock: two threads or processes that send at once mix their bytes
/// (`CN7`). Clones are the same end: closing one closes all.
#[derive(Clone, Debug)]
pub struct Connection<O: Os> {
    os: O,
    descriptor: O::Descriptor,
    direction: Direction,
}

/// Why nothing, or not all, was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// This end was closed in this process.
    #[error("the connection is closed in this process; send before closing it")]
    Closed,
    /// This is the receiving end (`CN2`).
    #[error("the connection is read-only; send on the other end of the pipe")]
    ReadOnly,
    /// The system refused; `BrokenPipe` where nobody can read any more (`WF7`).
    #[error("the message was not sent: {0}")]
    Io(#[from] io::Error),
}

/// Why no message was received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// This end was closed in this process.
    #[error("the connection is closed in this process; receive before closing it")]
    Closed,
    /// This is the sending end (`CN2`).
    #[error("the connection is write-only; receive on the other end of the pipe")]
    WriteOnly,
    /// Nobody can write any more, and the stream ended between two reads (CPython's `EOFError`).
    ///
    /// It ended between two messages or, just as quietly, behind the header of one (`WF4`).
    #[error("end of file: every writing end is closed")]
    EndOfFile,
    /// The stream ended within a message, whose beginning is lost (`WF4`).
    #[error("got end of file during a message: its writer was cut off")]
    Torn,
    /// The system refused.
    #[error("no message was received: {0}")]
    Io(#[from] io::Error),
}

/// Why it is unknown whether something can be received.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// This end was closed in this process.
    #[error("the connection is closed in this process; poll before closing it")]
    Closed,
    /// This is the sending end (`CN2`).
    #[error("the connection is write-only; poll the other end of the pipe")]
    WriteOnly,
    /// The system refused.
    #[error("the connection could not be polled: {0}")]
    Io(#[from] io::Error),
}

impl<O: Os> Connection<O> {
    /// The receiving end over this descriptor.
    pub fn reader(os: O, descriptor: O::Descriptor) -> Self {
        Self {
            os,
            descriptor,
            direction: Direction::Read,
        }
    }

    /// The sending end over this descriptor.
    pub fn writer(os: O, descriptor: O::Descriptor) -> Self {
        Self {
            os,
            descriptor,
            direction: Direction::Write,
        }
    }

    pub(super) fn os(&self) -> O {
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

    /// Sends one message; waits while the pipe is full.
    ///
    /// Steps: `write-frame`, or `write-header` and `write-body`, or these with `write-length`
    /// between them (`WF2`).
    ///
    /// # Errors
    /// Where an end is closed or of the wrong direction, and what the system says. Part of the
    /// message may have been sent by then.
    pub async fn send_bytes(&self, payload: &[u8]) -> Result<(), SendError> {
        if self.direction == Direction::Read {
            return Err(SendError::ReadOnly);
        }
        if payload.len() > SHORT_LENGTH {
            self.write_all(&(-1_i32).to_be_bytes(), "write-header")
                .await?;
            let length = payload.len() as u64;
            self.write_all(&length.to_be_bytes(), "write-length")
                .await?;
            return self.write_all(payload, "write-body").await;
        }
        let header = u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes();
        if payload.len() > SINGLE_WRITE {
            self.write_all(&header, "write-header").await?;
            self.write_all(payload, "write-body").await
        } else {
            self.write_all(&[&header, payload].concat(), "write-frame")
                .await
        }
    }

    async fn write_all(&self, bytes: &[u8], name: &'static str) -> Result<(), SendError> {
        let mut sent = 0;
        while sent < bytes.len() {
            let site = Site::new(name).at(sent);
            let rest = &bytes[sent..];
            match uninterrupted(|| self.os.write(&self.descriptor, rest, site)).await {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(moved) => sent += moved,
                Err(error) if is_closed_descriptor(&error) => return Err(SendError::Closed),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Receives one message; waits until it is complete.
    ///
    /// Steps: `read-header`, `read-length` for a long message, `read-body` unless it is empty;
    /// each as many reads as it takes. A negative length other than -1 is an empty message
    /// (`WF5`).
    ///
    /// # Errors
    /// Where the stream has ended, before a message or within one (`WF4`), where this end is
    /// closed or of the wrong direction, and what the system says.
    pub async fn recv_bytes(&self) -> Result<Vec<u8>, ReceiveError> {
        if self.direction == Direction::Write {
            return Err(ReceiveError::WriteOnly);
        }
        let mut header = [0; 4];
        self.read_exact(&mut header, "read-header").await?;
        let length = match i32::from_be_bytes(header) {
            -1 => {
                let mut length = [0; 8];
                self.read_exact(&mut length, "read-length").await?;
                u64::from_be_bytes(length)
            }
            length => u64::try_from(length).unwrap_or(0),
        };
        self.read_body(usize::try_from(length).unwrap_or(usize::MAX))
            .await
    }

    async fn read_exact(&self, buffer: &mut [u8], name: &'static str) -> Result<(), ReceiveError> {
        let mut received = 0;
        while received < buffer.len() {
            let site = Site::new(name).at(received);
            received += self.read_some(&mut buffer[received..], site).await?;
        }
        Ok(())
    }

    async fn read_body(&self, length: usize) -> Result<Vec<u8>, ReceiveError> {
        let mut body = Vec::new();
        let mut received = 0;
        while received < length {
            let missing = length - received;
            if body.len() - received < missing.min(LEAST_ROOM) {
                let wanted = received + missing.min(GROWTH);
                let growth = wanted - body.len();
                body.try_reserve_exact(growth)
                    .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
                body.resize(wanted, 0);
            }
            let site = Site::new("read-body").at(received);
            received += self.read_some(&mut body[received..], site).await?;
        }
        Ok(body)
    }

    /// One read that moves at least a byte. The end of the stream is a tear only where bytes of
    /// the same part have been read before (`WF4`).
    async fn read_some(&self, buffer: &mut [u8], site: Site) -> Result<usize, ReceiveError> {
        loop {
            match self.os.read(&self.descriptor, buffer, site).await {
                Ok(0) if site.offset == 0 => return Err(ReceiveError::EndOfFile),
                Ok(0) => return Err(ReceiveError::Torn),
                Ok(moved) => return Ok(moved.min(buffer.len())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_closed_descriptor(&error) => return Err(ReceiveError::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a message, part of one, or the end of the stream can be read; waits for it as long
    /// as it is told.
    ///
    /// Step: `poll`.
    ///
    /// # Errors
    /// Where this end is closed or of the wrong direction, and what the system says.
    pub async fn poll(&self, timeout: Timeout) -> Result<bool, PollError> {
        let wait = timeout.starting_now(self.os);
        self.poll_until(wait, Site::new("poll")).await
    }

    pub(super) async fn poll_until(&self, wait: Wait, site: Site) -> Result<bool, PollError> {
        if self.direction == Direction::Write {
            return Err(PollError::WriteOnly);
        }
        uninterrupted(|| self.os.poll(&self.descriptor, wait, site))
            .await
            .map_err(|error| {
                if is_closed_descriptor(&error) {
                    PollError::Closed
                } else {
                    error.into()
                }
            })
    }

    /// Closes this end in this process, for every clone of it; closing it again is nothing.
    ///
    /// Step: `reader.close` or `writer.close`.
    ///
    /// # Errors
    /// What the system says; the end is closed all the same.
    pub async fn close(&self) -> io::Result<()> {
        let name = match self.direction {
            Direction::Read => "reader.close",
            Direction::Write => "writer.close",
        };
        self.os.close(&self.descriptor, Site::new(name)).await
    }

    /// Whether this end is closed in this process.
    pub fn is_closed(&self) -> bool {
        self.os.is_closed(&self.descriptor)
    }
}
