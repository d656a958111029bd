//! The classes that programs use: the protocols on Linux, as calls that block.

mod connection;
mod process;
mod queue;

pub use connection::{Awaited, Connection, duplex_pipe, pipe, wait};
pub use process::{Process, StartError};
pub use queue::Queue;
