//! Queues, pipes and processes with the semantics of CPython's `multiprocessing`.

mod block_on;
pub mod classic;
pub mod codec;
mod interrupted;
pub mod os;
pub mod process;
pub mod timeout;

pub use block_on::block_on;
