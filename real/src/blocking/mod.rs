//! The classes that programs use: the protocols on Linux, as calls that block.

mod connection;
mod joinable;
mod process;
mod queue;
mod simple;

pub use connection::{Awaited, Connection, duplex_pipe, pipe, wait};
pub use joinable::JoinableQueue;
pub use process::{CloseError, Process, StartError};
pub use queue::Queue;
pub use simple::SimpleQueue;
