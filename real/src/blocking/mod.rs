//! The classes that programs use: the protocols on Linux, as calls that block.

mod connection;
mod joinable;
mod process;
mod queue;
mod simple;

pub use connection::{Connection, DecodeError, pipe};
pub use joinable::JoinableQueue;
pub use process::{CloseError, Process, StartError};
pub use queue::Queue;
pub use simple::SimpleQueue;
