//! Queues, pipes and processes with the semantics of CPython's `multiprocessing`.
//!
//! A program names its workers first in `main`, and starts processes that run them:
//!
//! ```standalone_crate
//! use midput_real::{Process, Queue, workers};
//!
//! fn square((numbers, squares): (Queue<u64>, Queue<u64>)) -> Result<(), Box<dyn std::error::Error>> {
//!     let number = numbers.get()?;
//!     Ok(squares.put(number * number)?)
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let _guard = midput_real::init(workers![square]);
//!     let (numbers, squares) = (Queue::new(0)?, Queue::new(0)?);
//!     let process = Process::start(square, (numbers.clone(), squares.clone()))?;
//!     numbers.put(12)?;
//!     assert_eq!(squares.get()?, 144);
//!     assert_eq!(process.join()?, 0);
//!     Ok(())
//! }
//! ```
//!
//! A [`Manager`] is a server process that owns queues, which no death of a client harms. A
//! [`robust::Queue`] needs no server and is to survive the SIGKILL of any process that uses it. It is
//! still being built, and has a known fault.
//!
//! Linux 5.4 or later. A program that waits for any child (`waitpid(-1)`) or ignores SIGCHLD takes
//! the ends of these processes away from [`Process::join`]; SIGPIPE stays ignored, as Rust has it
//! (`WF7`). Leaving `main` waits for children and unsent items, a panic included (`LC9`).
//!
//! The protocols behind these names are in [`classic`] and [`connection`], written once against the trait
//! [`Os`](os::Os), so that the same code runs on [`Linux`](os::linux::Linux) and in a simulation.
//! Letters with a number, such as `WF4` or `Q6`, are rules of CPython's semantics that the code
//! follows.

mod block_on;
mod blocking;
pub mod classic;
pub mod codec;
pub mod connection;
mod interrupted;
pub mod manager;
pub mod os;
pub mod process;
pub mod robust;
pub mod timeout;
mod worker;

pub use block_on::block_on;
pub use blocking::{
    Awaited, CloseError, Connection, JoinableQueue, Manager, ManagerQueue, ManagerSettings,
    Process, Queue, SimpleQueue, StartError, duplex_pipe, pipe, wait,
};
pub use classic::{
    FeederError, GetError, NotClosed, PutError, SimpleGetError, SimplePutError, TaskDoneError,
};
pub use codec::CodecError;
pub use connection::{
    DecodeError, EncodeError, PollError, ReceiveError, ReceiveIntoError, ReceiveMaxError,
    SendError, SendPartError, WaitError,
};
pub use timeout::Timeout;
pub use worker::{
    Guard, Outcome, Worker, asked_to_leave, exit_without_flush, init, leave_on_terminate,
};
