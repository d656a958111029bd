//! Sweeps: many cases of one scenario, drawn from a seed, run, judged and counted.

mod census;
mod draw;
mod failure;
mod jobs;
mod judge;
mod native;
mod plan;
mod report;
mod runner;
mod tally;
mod universe;

pub use census::{Census, census};
pub use draw::draw;
pub use failure::{FailedCase, Line, describe, describe_kept};
pub use jobs::{Stop, SweepEnd, Watch};
pub use judge::{Failure, Judged, Verdict, judge};
pub use native::{run_native, run_until_it_lands};
pub use plan::{Sweep, SweepOptions, Swept};
pub use report::{
    Actions, CheckReport, Expected, Figures, GoalReached, MergeError, Model, Named, NoReport,
    Options, Report, ReportVerdict, Scope, ShardTimes, SiteHits, Unbalanced, Undecided, merge,
};
pub use runner::{CaseOutcome, Runner, machine};
pub use tally::{Found, Frame, Hits, Tally};
pub use universe::{Universe, environment};
