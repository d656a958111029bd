//! Progress on standard error: a bar on a terminal, otherwise one plain line every ten seconds.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use midput_scenarios::World;
use midput_sim::sweep::{Sweep, Tally};

use crate::print::out;

/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    deadline: Option<Instant>,
    counts: Mutex<Counts>,
}

struct Counts {
    /// When a line was last written.
    told: Instant,
    at: String,
    cases: u64,
    new: usize,
    /// By world, since their cases take times that differ a thousandfold.
    worlds: BTreeMap<World, Pace>,
    /// The sweep that goes on: since when, and how many cases it has run.
    begun: Instant,
    run: u64,
}

/// How fast the cases of a world are.
#[derive(Default)]
struct Pace {
    /// The cases of the sweeps that have not ended.
    ahead: u64,
    /// The cases that have run, and how long that took.
    run: u64,
    spent: Duration,
}

impl Progress {
    pub(super) fn new<'a>(
        deadline: Option<Instant>,
        sweeps: impl Iterator<Item = &'a Sweep<'a>>,
    ) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let begun = Instant::now();
        let mut worlds: BTreeMap<World, Pace> = BTreeMap::new();
        for sweep in sweeps {
            let pace = worlds.entry(sweep.world()).or_default();
            pace.ahead = pace.ahead.saturating_add(sweep.planned());
        }
        let counts =
            Counts { told: begun, at: String::new(), cases: 0, new: 0, worlds, begun, run: 0 };
        Self { bar, begun, deadline, counts: Mutex::new(counts) }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sweep begins.
    pub(super) fn begin(&self, sweep: &Sweep<'_>) {
        let mut counts = self.counts();
        counts.at = format!("{} {}", sweep.name(), sweep.world());
        (counts.begun, counts.run) = (Instant::now(), 0);
    }

    /// Some cases of it have run.
    pub(super) fn count(&self, sweep: &Sweep<'_>, tally: &Tally) {
        let mut counts = self.counts();
        counts.cases += tally.run;
        counts.run += tally.run;
        counts.new += sweep.news(tally);
        if self.bar.is_none() && counts.told.elapsed() < EVERY {
            return;
        }
        counts.told = Instant::now();
        let elapsed = self.begun.elapsed();
        let text = line(counts.cases, elapsed, counts.new, self.left(&counts, sweep.world()));
        match &self.bar {
            Some(bar) => bar.set_message(format!("{text}  {}", counts.at)),
            None => eprintln!("{text}  {}", counts.at),
        }
    }

    /// It has ended.
    pub(super) fn end(&self, sweep: &Sweep<'_>) {
        let mut counts = self.counts();
        let (run, spent) = (counts.run, counts.begun.elapsed());
        let pace = counts.worlds.entry(sweep.world()).or_default();
        pace.ahead = pace.ahead.saturating_sub(sweep.planned());
        pace.run += run;
        pace.spent += spent;
    }

    /// How long it will go on at this pace, or until the budget is spent.
    fn left(&self, counts: &Counts, at: World) -> Option<Duration> {
        let paces = counts.worlds.iter().map(|(world, pace)| {
            let here = if *world == at { counts.run } else { 0 };
            let spent = if *world == at { counts.begun.elapsed() } else { Duration::ZERO };
            let seconds = (pace.spent + spent).as_secs_f64();
            let (ahead, run) = (pace.ahead.saturating_sub(here), pace.run + here);
            // A world that has not begun has no pace yet.
            match (ahead, run) {
                (0, _) => Some(0.0),
                (_, 0) => None,
                _ => Some(ahead as f64 / run as f64 * seconds),
            }
        });
        let seconds: Option<f64> = paces.sum();
        let work = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let budget = self.deadline.map(|it| it.saturating_duration_since(Instant::now()));
        match (work, budget) {
            (Some(work), Some(budget)) => Some(work.min(budget)),
            (work, budget) => work.or(budget),
        }
    }

    /// Prints a text to standard output without tearing the bar.
    pub(super) fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| out!("{text}")),
            None => out!("{text}"),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `12.4k cases  3.1k/s  2 new  18s left`. New are failing cases that were not known before.
fn line(cases: u64, elapsed: Duration, new: usize, left: Option<Duration>) -> String {
    let rate = cases as f64 / elapsed.as_secs_f64().max(0.001);
    let left = left.map_or(String::new(), |left| format!("  {} left", span(left)));
    format!("{} cases  {}/s  {new} new{left}", short(cases as f64), short(rate))
}

/// Three or four characters of a number: `812`, `12.4k`, `3.1M`.
fn short(number: f64) -> String {
    match number {
        _ if number < 999.5 => format!("{number:.0}"),
        _ if number < 999_950.0 => format!("{:.1}k", number / 1e3),
        _ => format!("{:.1}M", number / 1e6),
    }
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_many_how_fast_how_many_new_and_how_long() {
        let second = Duration::from_secs(1);
        assert_eq!(
            line(12_400, 4 * second, 2, Some(18 * second)),
            "12.4k cases  3.1k/s  2 new  18s left"
        );
        assert_eq!(line(7, second, 0, None), "7 cases  7/s  0 new");
        let far = Some(7300 * second);
        assert_eq!(line(2_500_000, second, 0, far), "2.5M cases  2.5M/s  0 new  2h left");
        assert_eq!(span(130 * second), "2m");
    }
}
