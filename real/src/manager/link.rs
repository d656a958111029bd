//! A connection that carries frames, for both sides of the protocol.

use std::io;

use super::protocol::{BadFrame, Frame, decode, encode, missing};
use crate::interrupted::uninterrupted;
use crate::os::{Os, Site, Wait};

/// The most that is read at once.
const CHUNK: usize = 64 * 1024;

/// Why a frame did not come or go.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The other side is gone.
    #[error("the connection has ended")]
    Ended,
    /// The wait is over.
    #[error("the wait is over")]
    Late,
    /// What came is no frame.
    #[error(transparent)]
    Bad(#[from] BadFrame),
    /// The system refused.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Late,
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof => Self::Ended,
            _ => Self::Io(error),
        }
    }
}

/// The names of one side's steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sites {
    pub(super) wait: Site,
    pub(super) read: Site,
    pub(super) send: Site,
    pub(super) close: Site,
}

/// One end of a connection, with what has arrived and was not understood yet.
pub(super) struct Link<O: Os> {
    os: O,
    socket: O::Descriptor,
    sites: Sites,
    arrived: Vec<u8>,
    /// The longest item that is read.
    pub(super) largest_item: u32,
}

impl<O: Os> Link<O> {
    /// A connection on which nothing was said yet; items only once `largest_item` allows them.
    pub(super) fn new(os: O, socket: O::Descriptor, sites: Sites) -> Self {
        Self { os, socket, sites, arrived: Vec::new(), largest_item: 0 }
    }

    pub(super) fn socket(&self) -> &O::Descriptor {
        &self.socket
    }

    /// Whether a frame has begun to arrive.
    pub(super) fn has_begun(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Sends a frame whole.
    ///
    /// Step: `send`, several where the socket takes it in parts.
    pub(super) async fn send(&self, frame: &Frame, wait: Wait) -> Result<(), LinkError> {
        let bytes = encode(frame);
        let mut sent = 0;
        while sent < bytes.len() {
            let site = self.sites.send.at(sent);
            let rest = &bytes[sent..];
            let step = || self.os.send(&self.socket, rest, wait, site);
            sent += uninterrupted(step).await?;
        }
        Ok(())
    }

    /// The next frame, if it has arrived whole.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, LinkError> {
        let Some((frame, length)) = decode(&self.arrived, self.largest_item)? else {
            return Ok(None);
        };
        self.arrived.drain(..length);
        // What a large item took is not kept for small ones.
        self.arrived.shrink_to(CHUNK);
        Ok(Some(frame))
    }

    /// Reads once: of the header, or of what it announces, so that nothing of the next frame comes
    /// along. To be called where reading does not block.
    ///
    /// Memory is taken for what arrives, not for what a header announces.
    ///
    /// Step: `read`.
    pub(super) async fn read(&mut self) -> Result<(), LinkError> {
        let begun = self.arrived.len();
        let chunk = missing(&self.arrived).min(CHUNK);
        self.arrived.reserve_exact(chunk);
        self.arrived.resize(begun + chunk, 0);
        let read = loop {
            let rest = &mut self.arrived[begun..];
            match self.os.read(&self.socket, rest, self.sites.read.at(begun)).await {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.arrived.truncate(begun + read.as_ref().copied().unwrap_or_default());
        match read? {
            0 => Err(LinkError::Ended),
            _ => Ok(()),
        }
    }

    /// Waits for the next frame.
    ///
    /// Steps: `wait` and `read`, until it has arrived whole.
    pub(super) async fn receive(&mut self, wait: Wait) -> Result<Frame, LinkError> {
        loop {
            if let Some(frame) = self.next()? {
                return Ok(frame);
            }
            let (os, socket) = (self.os, &self.socket);
            if !uninterrupted(|| os.poll(socket, wait, self.sites.wait)).await? {
                return Err(LinkError::Late);
            }
            self.read().await?;
        }
    }

    /// Whether something has come that nobody asked for, or the other side is gone.
    ///
    /// Step: `wait`.
    pub(super) async fn is_disturbed(&self) -> bool {
        let step = || self.os.poll(&self.socket, Wait::Try, self.sites.wait);
        self.has_begun() || uninterrupted(step).await.unwrap_or(true)
    }

    /// Step: `close`.
    pub(super) async fn close(self) {
        // It is gone, whatever the system says.
        let _ = self.os.close(&self.socket, self.sites.close).await;
    }
}
