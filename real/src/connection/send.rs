//! Sending.

use std::io;

use serde::Serialize;

use super::error::{EncodeError, SendError, SendPartError};
use super::frame::{Header, LONG_MARK, SINGLE_WRITE};
use super::{Connection, is_closed_descriptor};
use crate::codec::Format;
use crate::interrupted::uninterrupted;
use crate::os::{Os, Site};

impl<O: Os, F> Connection<O, F> {
    /// Sends a value; waits while the pipe is full.
    ///
    /// Steps: those of [`send_bytes`](Self::send_bytes).
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes), and where the value cannot be encoded: nothing is sent
    /// then (`CN3`).
    pub async fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), EncodeError>
    where
        F: Format,
    {
        self.check_writable()?;
        let payload = F::to_bytes(value).map_err(EncodeError::Encode)?;
        Ok(self.send_bytes(&payload).await?)
    }

    /// Sends the part of the buffer that begins at the offset and has this size, or that reaches
    /// to the end of the buffer, as one message: CPython's `send_bytes(buf, offset, size)`, with
    /// its numbers.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes), and where there is no such part (`CN3`): nothing is
    /// sent then.
    pub async fn send_part(
        &self,
        buffer: &[u8],
        offset: isize,
        size: Option<isize>,
    ) -> Result<(), SendPartError> {
        self.check_writable()?;
        let offset = usize::try_from(offset).map_err(|_| SendPartError::NegativeOffset)?;
        let rest = buffer.get(offset..).ok_or(SendPartError::OffsetBeyond)?;
        let part = match size {
            None => rest,
            Some(size) => {
                let size = usize::try_from(size).map_err(|_| SendPartError::NegativeSize)?;
                rest.get(..size).ok_or(SendPartError::SizeBeyond)?
            }
        };
        Ok(self.send_bytes(part).await?)
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
        if !self.is_writable() {
            self.check_writable()?;
        }
        match Header::of(payload.len()) {
            Header::Short(header) if payload.len() <= SINGLE_WRITE => {
                return self.write_all(&[&header, payload].concat(), "write-frame").await;
            }
            Header::Short(header) => self.write_all(&header, "write-header").await?,
            Header::Long(length) => {
                self.write_all(&LONG_MARK, "write-header").await?;
                self.write_all(&length, "write-length").await?;
            }
        }
        self.write_all(payload, "write-body").await
    }

    /// Closed comes before the direction (`CN2`).
    fn check_writable(&self) -> Result<(), SendError> {
        if self.is_closed() {
            Err(SendError::Closed)
        } else if self.is_writable() {
            Ok(())
        } else {
            Err(SendError::ReadOnly)
        }
    }

    pub(super) async fn write_all(
        &self,
        bytes: &[u8],
        name: &'static str,
    ) -> Result<(), SendError> {
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
}
