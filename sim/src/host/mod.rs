//! The host: polls pinned futures, one lane at a time, as a strategy decides.

mod directive;
mod run;

pub use directive::{Directives, Landed};
pub use run::{Alternative, Choice, Ending, Host, Ran, Settings};
