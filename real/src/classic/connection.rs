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
        Self { os, descriptor, direction: Direction::Read }
    }

    /// The sending end over this descriptor.
    pub fn writer(os: O, descriptor: O::Descriptor) -> Self {
        Self { os, descriptor, direction: Direction::Write }
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
            self.write_all(&(-1_i32).to_be_bytes(), "write-header").await?;
            let length = payload.len() as u64;
            self.write_all(&length.to_be_bytes(), "write-length").await?;
            return self.write_all(payload, "write-body").await;
        }
        let header = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        if payload.len() > SINGLE_WRITE {
            self.write_all(&header, "write-header").await?;
            self.write_all(payload, "write-body").await
        } else {
            self.write_all(&[&header, payload].concat(), "write-frame").await
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
        self.read_body(usize::try_from(length).unwrap_or(usize::MAX)).await
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
        uninterrupted(|| self.os.poll(&self.descriptor, wait, site)).await.map_err(|error| {
            if is_closed_descriptor(&error) { PollError::Closed } else { error.into() }
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

/// How large the buffer of a body is to be for the next read: it grows only when little room is
/// left, and never by more than [`GROWTH`] beyond what has arrived.
fn room(length: usize, received: usize, current: usize) -> usize {
    let missing = length - received;
    if current - received < missing.min(LEAST_ROOM) {
        received + missing.min(GROWTH)
    } else {
        current
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::block_on;
    use crate::os::linux::Linux;

    /// What is read from a pipe that holds exactly these bytes and has no writer any more.
    fn receive_all(bytes: &[u8]) -> (Vec<Vec<u8>>, ReceiveError) {
        assert!(bytes.len() < LEAST_ROOM, "the bytes must fit into the pipe");
        let (reader, writer) = Linux.pipe().unwrap();
        let reader = Connection::reader(Linux, reader);
        block_on(async {
            let writer = Connection::writer(Linux, writer);
            writer.write_all(bytes, "write-frame").await.unwrap();
            writer.close().await.unwrap();
            let mut messages = Vec::new();
            loop {
                match reader.recv_bytes().await {
                    Ok(message) => messages.push(message),
                    Err(error) => return (messages, error),
                }
            }
        })
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        [&u32::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
    }

    #[test]
    fn messages_round_trip_at_the_lengths_where_frames_change() {
        for length in [0, 1, 4092, 4093, SINGLE_WRITE, SINGLE_WRITE + 1, GROWTH + 70_000] {
            let payload: Vec<u8> = (0..length).map(|byte| byte.to_le_bytes()[0]).collect();
            let (reader, writer) = Linux.pipe().unwrap();
            let (reader, writer) =
                (Connection::reader(Linux, reader), Connection::writer(Linux, writer));
            std::thread::scope(|scope| {
                let sent = scope.spawn(|| block_on(writer.send_bytes(&payload)));
                assert!(block_on(reader.recv_bytes()).unwrap() == payload, "{length} bytes");
                sent.join().unwrap().unwrap();
            });
        }
    }

    #[test]
    fn a_long_length_is_read_and_believed_only_as_far_as_bytes_arrive() {
        let long = |length: u64, payload: &[u8]| {
            [&(-1_i32).to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
        };
        let (messages, end) = receive_all(&long(3, b"abc"));
        assert_eq!(messages, [b"abc"]);
        assert!(matches!(end, ReceiveError::EndOfFile));
        assert!(matches!(receive_all(&long(u64::MAX, b"abc")).1, ReceiveError::Torn));
        assert!(matches!(receive_all(&long(1 << 62, b"")).1, ReceiveError::EndOfFile));
        for cut in 0..12 {
            let torn = matches!(receive_all(&long(3, b"")[..cut]).1, ReceiveError::Torn);
            assert_eq!(torn, !matches!(cut, 0 | 4), "cut after {cut} bytes (WF4)");
        }
    }

    #[test]
    fn a_negative_length_is_an_empty_message() {
        let (messages, end) = receive_all(&(-2_i32).to_be_bytes());
        assert_eq!(messages, [b""]);
        assert!(matches!(end, ReceiveError::EndOfFile));
    }

    #[test]
    fn ends_refuse_what_they_are_not_for() {
        let (reader, writer) = Linux.pipe().unwrap();
        let (reader, writer) =
            (Connection::reader(Linux, reader), Connection::writer(Linux, writer));
        block_on(async {
            let soon = Timeout::After(Duration::from_millis(1));
            assert!(!reader.poll(soon).await.unwrap());
            assert!(matches!(reader.send_bytes(b"").await, Err(SendError::ReadOnly)));
            assert!(matches!(writer.recv_bytes().await, Err(ReceiveError::WriteOnly)));
            assert!(matches!(writer.poll(soon).await, Err(PollError::WriteOnly)));
            reader.close().await.unwrap();
            reader.close().await.unwrap();
            assert!(reader.is_closed());
            assert!(matches!(reader.recv_bytes().await, Err(ReceiveError::Closed)));
            assert!(matches!(reader.poll(soon).await, Err(PollError::Closed)));
            match writer.send_bytes(b"").await {
                Err(SendError::Io(error)) => {
                    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "WF7");
                }
                result => panic!("sent to nobody: {result:?}"),
            }
        });
    }

    proptest! {
        #[test]
        fn a_frame_cut_anywhere_ends_as_wf4_says(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            cut in any::<prop::sample::Index>(),
        ) {
            let frame = frame(&payload);
            let cut = cut.index(frame.len());
            let (messages, end) = receive_all(&frame[..cut]);
            prop_assert!(messages.is_empty());
            match cut {
                0 | 4 => prop_assert!(matches!(end, ReceiveError::EndOfFile)),
                _ => prop_assert!(matches!(end, ReceiveError::Torn)),
            }
        }

        #[test]
        fn any_bytes_at_all_are_read_to_their_end(
            bytes in proptest::collection::vec(
                prop_oneof![Just(0_u8), Just(1), Just(0xff), any::<u8>()], 0..200),
        ) {
            let (messages, end) = receive_all(&bytes);
            let taken: usize = messages.iter().map(|message| message.len() + 4).sum();
            prop_assert!(taken <= bytes.len());
            prop_assert!(matches!(end, ReceiveError::EndOfFile | ReceiveError::Torn));
        }

        #[test]
        fn a_buffer_grows_with_what_arrives(
            length in 1..usize::MAX,
            reads in proptest::collection::vec(1..=LEAST_ROOM, 1..60),
        ) {
            let (mut received, mut current) = (0, 0);
            for read in reads {
                if received == length {
                    break;
                }
                current = room(length, received, current);
                prop_assert!(current <= length);
                prop_assert!(current <= received + GROWTH);
                prop_assert!(current - received >= LEAST_ROOM.min(length - received));
                received += read.min(current - received);
            }
        }
    }
}
