//! Sweeps: many cases of one scenario, drawn from a seed, run, judged and counted.

mod census;
mod draw;
mod judge;
mod native;
mod report;
mod runner;

pub use census::{Census, census};
pub use draw::draw;
pub use judge::{Failure, Judged, Verdict, judge};
pub use native::{run_native, sweep_native};
pub use report::{Report, ReportVerdict, Scope};
pub use runner::{CaseOutcome, Runner, SweepOptions, machine, sweep};
