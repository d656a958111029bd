//! Progress on standard error: a bar on a terminal, otherwise one plain line every ten seconds.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::print::out;
use indicatif::{ProgressBar, ProgressStyle};
use midput_sim::sweep::CaseOutcome;

/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    told: Mutex<(Instant, String)>,
    cases: AtomicU64,
    steps: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {pos} cases  {per_sec}  {msg}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        });
        let begun = Instant::now();
        Self {
            bar,
            begun,
            told: Mutex::new((begun, String::new())),
            cases: AtomicU64::new(0),
            steps: AtomicU64::new(0),
        }
    }

    /// What is being swept now.
    pub(super) fn at(&self, scenario: &str, world: &str) {
        let text = format!("{scenario} {world}");
        if let Some(bar) = &self.bar {
            bar.set_message(text.clone());
        }
        if let Ok(mut told) = self.told.lock() {
            told.1 = text;
        }
    }

    /// One more case.
    pub(super) fn case(&self, outcome: &CaseOutcome) {
        let cases = self.cases.fetch_add(1, Ordering::Relaxed) + 1;
        self.steps.fetch_add(outcome.steps, Ordering::Relaxed);
        match &self.bar {
            Some(bar) => bar.set_position(cases),
            None => self.tell(cases),
        }
    }

    fn tell(&self, cases: u64) {
        let Ok(mut told) = self.told.lock() else { return };
        if told.0.elapsed() >= EVERY {
            told.0 = Instant::now();
            let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
            eprintln!("{cases} cases  {:.0}/s  {}", cases as f64 / seconds, told.1);
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
