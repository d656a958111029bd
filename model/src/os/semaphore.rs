//! The semaphore without an owner.
