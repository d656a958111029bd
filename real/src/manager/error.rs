//! What can go wrong, one small enum for each operation.

use std::fmt;
use std::io;

use super::link::LinkError;
use super::protocol::Refusal;
use crate::codec::CodecError;

/// Why the server did not do what it was asked for, whatever that was.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// Nobody listens there: the server has ended, or was never started.
    #[error("the manager's server cannot be reached: {0}; it has ended, or its address is another")]
    Unreachable(#[source] io::Error),
    /// The server ended during the call, or the connection to it did. The call may have been
    /// carried out or not. An item that was on its way to this get is not returned to anybody
    /// twice; it may be lost with the connection.
    #[error("the manager's server has ended, or the connection to it, during the call")]
    Ended,
    /// The server has not answered in time. As for [`Ended`](Self::Ended).
    #[error("the manager's server does not answer; it is stopped, overloaded or cut off")]
    Silent,
    /// One of the two has not proved that it has the other's key, or is another user.
    #[error("the manager's server refuses this client's key, or lacks it (AuthenticationError)")]
    WrongKey,
    /// An item is longer than the server takes.
    #[error(
        "the item is {length} bytes long, and the manager takes at most {most}; raise its limit"
    )]
    TooLarge {
        /// The encoded item, in bytes.
        length: usize,
        /// The most that the server takes.
        most: u32,
    },
    /// The server does not do this.
    #[error("the manager refuses: {0}")]
    Refused(#[source] Refusal),
    /// What the server sent makes no sense.
    #[error("what the manager's server sent makes no sense; is it of another version?")]
    Protocol,
    /// The system refused.
    #[error("the manager's server cannot be spoken to: {0}")]
    Io(#[source] io::Error),
}

impl From<LinkError> for ManagerError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Ended => Self::Ended,
            LinkError::Late => Self::Silent,
            LinkError::Bad(_) => Self::Protocol,
            LinkError::Io(error) => Self::Io(error),
        }
    }
}

/// As [`PutError`], without the item.
#[derive(Debug, thiserror::Error)]
pub(super) enum PutFailure {
    #[error("full")]
    Full,
    #[error(transparent)]
    Manager(#[from] ManagerError),
}

/// As [`GetError`], of bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum GetFailure {
    #[error("empty")]
    Empty,
    #[error(transparent)]
    Manager(#[from] ManagerError),
}

/// Why an item was not put.
#[derive(thiserror::Error)]
pub enum PutError<T> {
    /// There was no room in time (CPython's `queue.Full`). The item comes back.
    #[error("the queue is full; get from it, or wait longer")]
    Full(T),
    /// The item cannot be encoded.
    #[error("the item cannot be encoded: {0}")]
    Encode(#[source] CodecError),
    /// The server did not say that it has the item.
    #[error(transparent)]
    Manager(#[from] ManagerError),
}

/// Says which error, not which item: items need not be printable.
impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => formatter.write_str("Full(..)"),
            Self::Encode(error) => write!(formatter, "Encode({error:?})"),
            Self::Manager(error) => write!(formatter, "Manager({error:?})"),
        }
    }
}

/// Why no item was got.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Nothing came in time (CPython's `queue.Empty`): nothing was inside.
    #[error("the queue is empty; put into it, or wait longer")]
    Empty,
    /// An item was got, and is no item of this type. It is lost.
    #[error("what was got is no item of this queue's type: {0}; the item is lost")]
    Decode(#[source] CodecError),
    /// The server did not give an item.
    #[error(transparent)]
    Manager(#[from] ManagerError),
}

/// Why `task_done` did nothing.
#[derive(Debug, thiserror::Error)]
pub enum TaskDoneError {
    /// Every item that was put is done already (CPython's `ValueError`, `JQ2`).
    #[error("task_done was called more often than items were put")]
    TooMany,
    /// The server did not answer.
    #[error(transparent)]
    Manager(#[from] ManagerError),
}

/// Why a join ended before all that was put is done.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The time is up.
    #[error("{0} items are not done yet; wait longer")]
    Unfinished(u64),
    /// Those who got these items are gone without having said `task_done`, and no other item is
    /// unfinished (G10). Call `task_done` in their place, or put the items anew.
    #[error("{0} items will not be done: who got them is gone")]
    Missing(u64),
    /// The server did not answer.
    #[error(transparent)]
    Manager(#[from] ManagerError),
}
