//! The classes that programs use: the protocols on Linux, as calls that block.

mod connection;
mod joinable;
mod manager;
mod process;
mod queue;
mod simple;

pub use connection::{Awaited, Connection, duplex_pipe, pipe, wait};
pub use joinable::JoinableQueue;
pub(crate) use manager::serve as serve_manager;
pub use manager::{Manager, ManagerQueue, ManagerSettings};
pub use process::{CloseError, Process, StartError};
pub use queue::Queue;
pub use simple::SimpleQueue;
