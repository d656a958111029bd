//! Sweeps: many cases of one scenario, drawn from a seed, run, judged and counted.

mod census;
mod draw;
mod failure;
mod judge;
mod native;
mod report;
mod runner;

pub use census::{Census, census};
pub use draw::draw;
pub use failure::describe;
pub use judge::{Failure, Judged, Verdict, judge};
pub use native::{run_native, run_until_it_lands, sweep_native};
pub use report::{Found, Report, ReportVerdict, Scope};
pub use runner::{CaseOutcome, Runner, SweepOptions, machine, sweep};
