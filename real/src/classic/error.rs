//! What can go wrong, one small enum for each operation.

use std::fmt;
use std::io;

use crate::codec::CodecError;
use crate::connection::{PollError, ReceiveError, SendError};

/// Why an item was not put. It comes back to the caller.
#[derive(thiserror::Error)]
pub enum PutError<T> {
    /// No slot became free in time (CPython's `queue.Full`).
    #[error("the queue is full; get from it, or wait longer")]
    Full(T),
    /// The queue was closed in this process (CPython's `ValueError`).
    #[error("the queue is closed in this process; put before closing it")]
    Closed(T),
    /// The system refused to take a slot.
    #[error("no slot of the queue could be taken: {source}")]
    Slot {
        /// What was to be put.
        item: T,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that sends could not be started. The slot stays taken (`Q4`).
    #[error("the thread that sends could not be started: {source}; one slot is lost")]
    Feeder {
        /// What was to be put.
        item: T,
        /// What the system said.
        source: io::Error,
    },
    /// The lock of the task counter could not be taken. The slot stays taken.
    #[error("the counter of tasks could not be locked: {source}; one slot is lost")]
    Lock {
        /// What was to be put.
        item: T,
        /// What the system said.
        source: io::Error,
    },
    /// The item will be sent, and was not counted as a task (`JQ1`).
    #[error("the item is put, and not counted as a task: {source}")]
    Uncounted {
        /// What the system said.
        source: io::Error,
    },
}

impl<T> PutError<T> {
    /// The item, where it was not put.
    pub fn into_item(self) -> Option<T> {
        match self {
            Self::Full(item)
            | Self::Closed(item)
            | Self::Slot { item, .. }
            | Self::Feeder { item, .. }
            | Self::Lock { item, .. } => Some(item),
            Self::Uncounted { .. } => None,
        }
    }
}

/// Says which error, not which item: items need not be printable.
impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => formatter.write_str("Full(..)"),
            Self::Closed(_) => formatter.write_str("Closed(..)"),
            Self::Slot { source, .. } => write!(formatter, "Slot({source:?}, ..)"),
            Self::Feeder { source, .. } => write!(formatter, "Feeder({source:?}, ..)"),
            Self::Lock { source, .. } => write!(formatter, "Lock({source:?}, ..)"),
            Self::Uncounted { source } => write!(formatter, "Uncounted({source:?})"),
        }
    }
}

/// Why no item was got.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Nothing came in time, or somebody else held the reading lock all the while (CPython's
    /// `queue.Empty`, `Q8`).
    #[error("the queue is empty, or another reader holds it; put into it, or wait longer")]
    Empty,
    /// The queue was closed in this process (CPython's `ValueError`).
    #[error("the queue is closed in this process; get before closing it")]
    Closed,
    /// The queue's reading end is closed in this process (CPython's "handle is closed").
    #[error("the reading end of the queue is closed in this process; keep it open to get")]
    HandleClosed,
    /// Every writing end is closed, and the stream ended between two reads (`WF4`).
    #[error("end of file: every writing end of the queue is closed")]
    EndOfFile,
    /// The stream ended within an item, which is lost (`WF4`).
    #[error("got end of file during an item: its writer was cut off")]
    Torn,
    /// An item arrived, and is no item of this type. It is lost; its slot is free again (`Q11`).
    #[error("what arrived is no item of this queue's type: {0}; the item is lost")]
    Decode(#[source] CodecError),
    /// The system refused.
    #[error("nothing could be got: {0}")]
    Io(#[from] io::Error),
}

impl From<ReceiveError> for GetError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Closed | ReceiveError::WriteOnly => Self::HandleClosed,
            ReceiveError::EndOfFile => Self::EndOfFile,
            ReceiveError::Torn => Self::Torn,
            ReceiveError::Io(error) => Self::Io(error),
        }
    }
}

impl From<PollError> for GetError {
    fn from(error: PollError) -> Self {
        match error {
            PollError::Closed | PollError::WriteOnly => Self::HandleClosed,
            PollError::Io(error) => Self::Io(error),
        }
    }
}

/// The queue's thread was to be joined before the queue was closed (CPython's `AssertionError`,
/// `Q15`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is not closed in this process; close it before joining its thread")]
pub struct NotClosed;

/// Why a task was not reported done.
#[derive(Debug, thiserror::Error)]
pub enum TaskDoneError {
    /// Nothing is left to be done (CPython's `ValueError`, `JQ2`).
    #[error("task_done() called too many times: call it once for each item that was got")]
    TooMany,
    /// Somebody was woken whom nobody had woken (CPython's `AssertionError`, `K2`).
    #[error("the condition of the queue is out of order: somebody was woken whom nobody woke")]
    Unexpected,
    /// The system refused.
    #[error("the task could not be reported done: {0}")]
    Io(#[from] io::Error),
}

/// Why an item was not put into a simple queue.
#[derive(Debug, thiserror::Error)]
pub enum SimplePutError {
    /// The item could not be encoded; nothing was written.
    #[error("the item could not be encoded: {0}")]
    Encode(#[source] CodecError),
    /// The queue is closed in this process (CPython's "handle is closed").
    #[error("the queue is closed in this process; put before closing it")]
    HandleClosed,
    /// The system refused; part of the item may have been written.
    #[error("the item was not put: {0}")]
    Io(#[from] io::Error),
}

impl From<SendError> for SimplePutError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed | SendError::ReadOnly => Self::HandleClosed,
            SendError::Io(error) => Self::Io(error),
        }
    }
}

/// Why no item was got from a simple queue.
#[derive(Debug, thiserror::Error)]
pub enum SimpleGetError {
    /// The queue is closed in this process (CPython's "handle is closed").
    #[error("the queue is closed in this process; get before closing it")]
    HandleClosed,
    /// Every writing end is closed, and the stream ended between two reads (`WF4`).
    #[error("end of file: every writing end of the queue is closed")]
    EndOfFile,
    /// The stream ended within an item, which is lost (`WF4`).
    #[error("got end of file during an item: its writer was cut off")]
    Torn,
    /// An item arrived, and is no item of this type. It is lost.
    #[error("what arrived is no item of this queue's type: {0}; the item is lost")]
    Decode(#[source] CodecError),
    /// The system refused.
    #[error("nothing could be got: {0}")]
    Io(#[from] io::Error),
}

impl From<ReceiveError> for SimpleGetError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Closed | ReceiveError::WriteOnly => Self::HandleClosed,
            ReceiveError::EndOfFile => Self::EndOfFile,
            ReceiveError::Torn => Self::Torn,
            ReceiveError::Io(error) => Self::Io(error),
        }
    }
}

/// Why an item that was put was not sent. It is lost, and its slot is free again, unless its process
/// was leaving by then: then the slot stays taken, and the feeder has ended (`Q6`).
#[derive(Debug, thiserror::Error)]
pub enum FeederError {
    /// The item could not be encoded.
    #[error("an item was not sent, because it could not be encoded: {0}")]
    Encode(#[source] CodecError),
    /// The item was not sent, or only in part.
    #[error("an item was not sent: {0}")]
    Send(#[from] SendError),
    /// A lock or the slots of the queue could not be taken or given back.
    #[error("a semaphore of the queue failed: {0}")]
    Semaphore(#[from] io::Error),
}
