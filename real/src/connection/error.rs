//! What can go wrong, one small enum for each operation.

use std::io;

use crate::codec::CodecError;

/// Why nothing, or not all, was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// This end was closed in this process.
    #[error("the connection is closed in this process; send before closing it")]
    Closed,
    /// This is the receiving end (`CN2`).
    #[error("the connection is read-only; send on the other end of the pipe")]
    ReadOnly,
    /// The system refused; `BrokenPipe` where nobody can read any more (`WF7`), `WouldBlock`, after
    /// a part of the message, where somebody made a shared descriptor non-blocking (`WF10`).
    #[error("the message was not sent: {0}")]
    Io(#[from] io::Error),
}

/// Why a value was not sent.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It was not sent, or not all of it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// It cannot be written in the format of the connection. Nothing was sent.
    #[error("the value cannot be encoded: {0}; nothing was sent")]
    Encode(#[source] CodecError),
}

/// Why a part of a buffer was not sent (`CN3`). Nothing was, unless it is [`Send`](Self::Send).
#[derive(Debug, thiserror::Error)]
pub enum SendPartError {
    /// It was not sent, or not all of it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The part begins before the buffer.
    #[error("offset is negative; count it from the beginning of the buffer")]
    NegativeOffset,
    /// The part begins behind the buffer.
    #[error("buffer length < offset; the part begins behind the end of the buffer")]
    OffsetBeyond,
    /// The part ends before it begins.
    #[error("size is negative; leave it out to send all that follows the offset")]
    NegativeSize,
    /// The part ends behind the buffer.
    #[error("buffer length < offset + size; the part ends behind the end of the buffer")]
    SizeBeyond,
}

/// Why no message was received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// This end was closed in this process.
    #[error("the connection is closed in this process; receive before closing it")]
    Closed,
    /// This is the sending end (`CN2`), or a message that was too long has spoiled it for
    /// receiving (`CN4`).
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
    /// The system refused; `ConnectionReset` where the other end of a duplex pipe was closed with
    /// messages unread (`WF9`).
    #[error("no message was received: {0}")]
    Io(#[from] io::Error),
}

/// Why no message of at most a certain length was received (`CN4`).
#[derive(Debug, thiserror::Error)]
pub enum ReceiveMaxError {
    /// No message was received.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// The next message is longer. It is not read, and nothing can be received any more: a
    /// one-way connection is closed, a duplex one is write-only.
    #[error("bad message length: {length} bytes; nothing more can be received on this connection")]
    BadMessageLength {
        /// The length that its header says.
        length: u64,
    },
}

/// Why no message was received into a buffer (`CN5`).
#[derive(thiserror::Error)]
pub enum ReceiveIntoError {
    /// No message was received.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// The message would begin behind the buffer. None was received.
    #[error("offset too large; it is behind the end of the buffer")]
    OffsetTooLarge,
    /// The message does not fit behind the offset (CPython's `BufferTooShort`). Here it is; the
    /// buffer is as it was, and the connection goes on.
    #[error("the buffer is too short for a message of {} bytes", .0.len())]
    TooShort(Vec<u8>),
}

/// Says how long a message is, not what is in it.
impl std::fmt::Debug for ReceiveIntoError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Receive(error) => formatter.debug_tuple("Receive").field(error).finish(),
            Self::OffsetTooLarge => formatter.write_str("OffsetTooLarge"),
            Self::TooShort(message) => write!(formatter, "TooShort({} bytes)", message.len()),
        }
    }
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

/// Why it is unknown whether something can be received.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// This end was closed in this process.
    #[error("the connection is closed in this process; poll before closing it")]
    Closed,
    /// This is the sending end (`CN2`), or a message that was too long has spoiled it for
    /// receiving (`CN4`).
    #[error("the connection is write-only; poll the other end of the pipe")]
    WriteOnly,
    /// The system refused.
    #[error("the connection could not be polled: {0}")]
    Io(#[from] io::Error),
}

/// Why several things were not waited for (`CN8`).
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// A connection among them is closed in this process.
    #[error("a connection is closed in this process; wait for open ones only")]
    Closed,
    /// The system refused.
    #[error("the wait failed: {0}")]
    Io(#[from] io::Error),
}
