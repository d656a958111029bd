//! Queues, pipes and processes with the semantics of CPython's `multiprocessing`.

pub mod os;
