//! What must happen: queues and pipes between processes as pure state machines.
//!
//! Nothing here touches an operating system, a clock, a thread, a random number or a hash order.
//! The crate has four parts:
//!
//! - [`program`]: what the lanes of a scenario do, as data;
//! - [`os`]: the kernel's objects (pipe, semaphore, futex, process table) as values;
//! - [`queue`]: the queue disciplines as machines over those objects, and [`mutant`]: the same
//!   with one call altered;
//! - [`explore`] and [`contract`]: every reachable state of a machine, and the guarantees that a
//!   history of calls, returns and deaths keeps or breaks.
//!
//! Rule ids such as `X2` or `WF3` name the documented semantics of CPython's `multiprocessing`.

mod clone;
pub mod contract;
pub mod event;
pub mod explore;
pub mod machine;
pub mod mutant;
pub mod os;
pub mod program;
pub mod queue;
pub mod site;
pub mod step;
