//! Receiving.

use std::io;
use std::sync::atomic::Ordering;

use serde::de::DeserializeOwned;

use super::error::{DecodeError, PollError, ReceiveError, ReceiveIntoError, ReceiveMaxError};
use super::{Connection, Direction, frame, is_closed_descriptor};
use crate::codec::Format;
use crate::interrupted::uninterrupted;
use crate::os::{Os, Site, Wait};
use crate::timeout::Timeout;

/// The most that the buffer of a body grows before the bytes to fill it have arrived, so that a
/// length which somebody made up costs no memory.
pub(super) const GROWTH: usize = 1 << 20;
/// The least room that a read is offered: all that a pipe of Linux's default size can hold. The
/// growth in steps then never cuts a read short.
pub(super) const LEAST_ROOM: usize = 65_536;

impl<O: Os, F> Connection<O, F> {
    /// Receives a value; waits until it is complete.
    ///
    /// Steps: those of [`recv_bytes`](Self::recv_bytes).
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), and where the message is no value of this type: it is
    /// lost then, and the connection goes on.
    pub async fn recv<T: DeserializeOwned>(&self) -> Result<T, DecodeError>
    where
        F: Format,
    {
        let message = self.recv_bytes().await?;
        F::from_bytes(&message).map_err(DecodeError::Decode)
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
        let length = self.read_length().await?;
        self.read_body(usize::try_from(length).unwrap_or(usize::MAX)).await
    }

    /// Receives one message of at most so many bytes; waits until it is complete.
    ///
    /// A longer one spoils the connection (`CN4`): its bytes stay where they are, so that nothing
    /// behind them can be received. A one-way connection is closed, step `reader.close`.
    ///
    /// Steps: those of [`recv_bytes`](Self::recv_bytes).
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), and where the message is longer.
    pub async fn recv_bytes_max(&self, maxlength: usize) -> Result<Vec<u8>, ReceiveMaxError> {
        let length = self.read_length().await?;
        match usize::try_from(length) {
            Ok(length) if length <= maxlength => Ok(self.read_body(length).await?),
            _ => {
                match self.direction {
                    Direction::Both => self.spoiled.store(true, Ordering::Relaxed),
                    // Whatever the system says of it, the end is closed.
                    _ => drop(self.close().await),
                }
                Err(ReceiveMaxError::BadMessageLength { length })
            }
        }
    }

    /// Receives one message into the buffer, from this offset on, and returns its length; waits
    /// until it is complete.
    ///
    /// Steps: those of [`recv_bytes`](Self::recv_bytes).
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), where the offset is behind the buffer, and where the
    /// message does not fit: it comes back whole then, and the connection goes on (`CN5`).
    pub async fn recv_bytes_into(
        &self,
        buffer: &mut [u8],
        offset: usize,
    ) -> Result<usize, ReceiveIntoError> {
        self.check_readable()?;
        let place = buffer.get_mut(offset..).ok_or(ReceiveIntoError::OffsetTooLarge)?;
        let message = self.recv_bytes().await?;
        match place.get_mut(..message.len()) {
            Some(place) => {
                place.copy_from_slice(&message);
                Ok(message.len())
            }
            None => Err(ReceiveIntoError::TooShort(message)),
        }
    }

    /// Closed comes before the direction (`CN2`).
    fn check_readable(&self) -> Result<(), ReceiveError> {
        if self.is_closed() {
            Err(ReceiveError::Closed)
        } else if self.is_readable() {
            Ok(())
        } else {
            Err(ReceiveError::WriteOnly)
        }
    }

    async fn read_length(&self) -> Result<u64, ReceiveError> {
        if !self.is_readable() {
            self.check_readable()?;
        }
        let mut header = [0; 4];
        self.read_exact(&mut header, "read-header").await?;
        match frame::short_length(header) {
            Some(length) => Ok(length),
            None => {
                let mut length = [0; 8];
                self.read_exact(&mut length, "read-length").await?;
                Ok(u64::from_be_bytes(length))
            }
        }
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
            let room = room(length, received, body.len());
            body.try_reserve_exact(room - body.len())
                .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            body.resize(room, 0);
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
    /// as it is told (`CN6`).
    ///
    /// Step: `poll`.
    ///
    /// # Errors
    /// Where this end is closed or of the wrong direction, and what the system says.
    pub async fn poll(&self, timeout: Timeout) -> Result<bool, PollError> {
        let wait = timeout.starting_now(self.os);
        self.poll_until(wait, Site::new("poll")).await
    }

    pub(crate) async fn poll_until(&self, wait: Wait, site: Site) -> Result<bool, PollError> {
        if !self.is_readable() {
            // Closed comes before the direction (`CN2`).
            let error = if self.is_closed() { PollError::Closed } else { PollError::WriteOnly };
            return Err(error);
        }
        uninterrupted(|| self.os.poll(&self.descriptor, wait, site)).await.map_err(|error| {
            if is_closed_descriptor(&error) { PollError::Closed } else { error.into() }
        })
    }
}

/// How large the buffer of a body is to be for the next read: it grows only when little room is
/// left, and never by more than [`GROWTH`] beyond what has arrived.
pub(super) fn room(length: usize, received: usize, current: usize) -> usize {
    let missing = length - received;
    if current - received < missing.min(LEAST_ROOM) {
        received + missing.min(GROWTH)
    } else {
        current
    }
}
