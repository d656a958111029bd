//! The host: polls pinned futures, one lane at a time, as a strategy decides.

mod directive;
mod run;

pub use directive::{Directives, Landed};
pub(crate) use run::describe;
pub use run::{Alternative, Choice, Ending, Host, Ran, Settings};

#[cfg(test)]
mod tests;
