//! Runs: what is chosen among what can happen ([`Engine`]), and who polls the lanes. [`Host`] is
//! the host that users run, one lane at a time, as a strategy decides.

mod alternative;
mod directive;
mod engine;
mod poll;

pub use alternative::{Alternative, Choice};
pub(crate) use alternative::{describe, lanes};
pub use directive::{Anywhere, Directives, Landed};
pub use engine::{Ending, Engine, Memory, Settings, Turn};
pub use poll::{Host, Ran, prepare};

#[cfg(test)]
mod tests;
