//! The kernel's objects as values, used by the queue machines and by the simulated kernel.

pub mod futex;
pub mod pipe;
pub mod process;
pub mod robust;
pub mod semaphore;
pub mod stream;
