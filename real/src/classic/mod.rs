//! CPython's queues, step by step, its hazards included, and CPython's frames on the wire.
//!
//! The names of the steps and their order are a contract with whoever watches: a simulation, a
//! model in lockstep, a trace. Between two steps there is only plain access to this process's
//! data, and each belongs to the step before it.

mod condition;
mod error;
mod feeder;
mod handle;
mod joinable;
mod queue;
mod simple;

pub use error::{
    FeederError, GetError, NotClosed, PutError, SimpleGetError, SimplePutError, TaskDoneError,
};
pub use handle::QueueHandle;
pub use joinable::{JoinableQueue, JoinableQueueHandle};
pub use queue::Queue;
pub use simple::{SimpleQueue, SimpleQueueHandle};
