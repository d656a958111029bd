//! The classes that programs use: the protocols on Linux, as calls that block.

mod connection;
mod manager;
mod process;
mod queue;

pub use connection::{Awaited, Connection, duplex_pipe, pipe, wait};
pub(crate) use manager::serve as serve_manager;
pub use manager::{Manager, ManagerQueue, ManagerSettings};
pub use process::{Process, StartError};
pub use queue::Queue;
