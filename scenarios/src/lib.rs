//! The scenarios of midput: what a scenario file says, the files that come with it, and the list of
//! known harms.
//!
//! A scenario is a TOML file that a person can read and write without knowing Rust; `README.md`
//! beside this crate has its whole grammar. [`parse`] turns a text into a [`Scenario`],
//! [`load_file`] and [`load_dir`] do it for files, and [`builtin`] gives the ones that are part of
//! the program itself; [`write()`] gives the text of a scenario again. Every mistake in a file is reported with its line and column.
//!
//! ```
//! let scenario = midput_scenarios::parse(
//!     "mine/first",
//!     r#"
//! why = "A consumer that waits is no reason to hang."
//! [queue.jobs]
//! maxsize = 4
//! [process.P0]
//! main = ["start P1", "get", "join P1"]
//! [process.P1]
//! main = ["put a 100B"]
//! "#,
//! )
//! .unwrap();
//! assert_eq!(scenario.program.items[0].bytes, 100);
//! ```

mod builtin;
mod error;
mod goal;
mod hazard;
mod kill;
mod load;
mod nearest;
mod outcome;
mod read;
mod rule;
mod scenario;
mod steps;
mod topic;
mod write;

pub use builtin::{builtin, builtin_sources};
pub use error::{LoadError, Mistake};
pub use goal::{Goal, Lock, NoGoal};
pub use hazard::{Hazard, NoHazard};
pub use kill::{Hold, KillPoint, NoHold, NoKillPoint, Place};
pub use load::{load_dir, load_file, parse};
pub use outcome::{NoOutcome, OutcomeName};
pub use rule::{Rule, Scope};
pub use scenario::{Expect, Faults, Scenario, World};
pub use steps::{FEEDER_STEPS, PROGRAM_STEPS};
pub use topic::{NoTopic, Topic};
pub use write::write;
