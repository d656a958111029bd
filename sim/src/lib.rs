//! A simulated kernel, schedules, kills and checks for queues between processes.

pub mod case;
pub mod check;
pub mod counterexample;
pub mod host;
pub mod keep;
pub mod kernel;
pub mod matrix;
pub mod mutation;
mod payload;
pub mod schedule;
mod script;
pub mod search;
pub mod settings;
pub mod shrink;
pub mod subject;
pub mod sweep;
pub mod trace;
pub mod world;

pub use script::Stage;
