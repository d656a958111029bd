//! Shares the cases of a sweep out to threads, and adds them up as if one thread had run them all.
//!
//! A thread takes a chunk of cases at a time and counts them by itself. The chunks are appended in
//! the order of the cases, and where a sweep ends before its last case, it ends between the same
//! two cases whatever the number of threads: what was run beyond is not counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::runner::CaseOutcome;
use super::tally::{Frame, Tally};

/// Why somebody outside ends a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its time is over.
    Budget,
    /// Somebody pressed Ctrl-C, or sent SIGTERM.
    Interrupted,
}

/// Why a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepEnd {
    /// Every case was run.
    All,
    /// So many cases in a row had brought nothing new.
    Quiet,
    /// So many cases had failed.
    MaxFail,
    /// Its time was over.
    Budget,
    /// It was interrupted.
    Interrupted,
}

/// How the cases are shared out, and when to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharing {
    /// How many cases there are.
    pub cases: u64,
    /// How many a thread takes at a time. Whether things have become quiet is asked after each.
    pub chunk: u64,
    /// How many threads.
    pub jobs: usize,
    /// Stop after so many failing cases; 0 is never.
    pub failures_max: u64,
    /// Stop after so many cases that brought nothing new; 0 is never.
    pub until_quiet: u64,
}

/// What was counted, and how many cases were not run, or not counted because the sweep had ended.
pub(crate) struct Shared {
    pub tally: Tally,
    pub skipped: u64,
    pub end: SweepEnd,
}

/// Whom a sweep asks and tells while it goes on.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Asked between cases, from every thread: whether to stop.
    pub stop: &'a (dyn Fn() -> Option<Stop> + Sync),
    /// Told now and then, by every thread, what was counted since.
    pub done: &'a (dyn Fn(&Tally) + Sync),
}

impl Watch<'static> {
    /// Nobody stops the sweep, and nobody is told.
    pub const NOBODY: Self = Self { stop: &|| None, done: &|_| () };
}

/// Runs `case` for the numbers 0 to `cases` and counts the outcomes. Each thread has a state made
/// by `worker`.
pub(super) fn in_jobs<W>(
    frame: &Frame,
    sharing: &Sharing,
    watch: &Watch<'_>,
    worker: impl Fn() -> W + Sync,
    case: impl Fn(&mut W, u64) -> (u64, CaseOutcome) + Sync,
) -> Shared {
    let next = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let queue = Mutex::new(InOrder::new(frame, *sharing));
    let work = || {
        let mut state = worker();
        while !over.load(Ordering::Relaxed) {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let first = chunk.saturating_mul(sharing.chunk);
            if first >= sharing.cases {
                break;
            }
            let cases = first..sharing.cases.min(first.saturating_add(sharing.chunk));
            let planned = cases.end - cases.start;
            let mut counted = Counted { planned, parts: Vec::new(), stop: None };
            counted.run(frame, sharing, watch, &over, cases.map(|index| case(&mut state, index)));
            counted.parts.iter().for_each(watch.done);
            let stopped = counted.stop.is_some();
            let mut queue = lock(&queue);
            queue.add(chunk, counted);
            over.fetch_or(stopped || queue.end.is_some(), Ordering::Relaxed);
        }
    };
    let chunks = sharing.cases.div_ceil(sharing.chunk);
    let jobs = sharing.jobs.min(usize::try_from(chunks).unwrap_or(usize::MAX));
    if jobs <= 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        });
    }
    queue.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
}

/// A thread that panics takes the sweep with it; until then the others may go on.
fn lock<'a>(queue: &'a Mutex<InOrder>) -> MutexGuard<'a, InOrder> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A chunk, counted by one thread.
struct Counted {
    /// Its cases.
    planned: u64,
    /// The tally, cut behind each failing case where failing cases may end the sweep: it can end
    /// between any two of the parts.
    parts: Vec<Tally>,
    stop: Option<Stop>,
}

impl Counted {
    fn run(
        &mut self,
        frame: &Frame,
        sharing: &Sharing,
        watch: &Watch<'_>,
        over: &AtomicBool,
        outcomes: impl Iterator<Item = (u64, CaseOutcome)>,
    ) {
        let mut outcomes = outcomes;
        let mut part = Tally::new(frame);
        let mut failed = 0;
        loop {
            self.stop = (watch.stop)();
            // Where the sweep has ended before this chunk, nothing of it will be counted.
            if self.stop.is_some() || over.load(Ordering::Relaxed) {
                break;
            }
            let Some((position, outcome)) = outcomes.next() else { break };
            let has_failed = outcome.has_failed();
            part.add(frame, position, outcome);
            if has_failed && sharing.failures_max > 0 {
                self.parts.push(std::mem::replace(&mut part, Tally::new(frame)));
                failed += 1;
                if failed >= sharing.failures_max {
                    break;
                }
            }
        }
        if part.run > 0 {
            self.parts.push(part);
        }
    }
}

/// Appends chunks in their order, whatever the order in which they come.
struct InOrder {
    sharing: Sharing,
    tally: Tally,
    skipped: u64,
    /// Why the sweep has ended, if it has.
    end: Option<SweepEnd>,
    stop: Option<Stop>,
    /// How many cases in a row have brought nothing new.
    quiet: u64,
    /// The next chunk to be appended.
    next: u64,
    /// The cases of all chunks that were appended, run or not.
    delivered: u64,
    waiting: BTreeMap<u64, Counted>,
}

impl InOrder {
    fn new(frame: &Frame, sharing: Sharing) -> Self {
        Self {
            sharing,
            tally: Tally::new(frame),
            skipped: 0,
            end: None,
            stop: None,
            quiet: 0,
            next: 0,
            delivered: 0,
            waiting: BTreeMap::new(),
        }
    }

    fn add(&mut self, chunk: u64, counted: Counted) {
        self.waiting.insert(chunk, counted);
        while let Some(counted) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.append(counted);
        }
    }

    fn append(&mut self, counted: Counted) {
        let (ran, variety) = (self.tally.run, self.tally.variety());
        self.stop = self.stop.or(counted.stop);
        for part in counted.parts {
            if self.end.is_some() {
                break;
            }
            self.tally.append(part);
            let failed = self.tally.failing.len() as u64;
            if self.sharing.failures_max > 0 && failed >= self.sharing.failures_max {
                self.end = Some(SweepEnd::MaxFail);
            }
        }
        let ran = self.tally.run - ran;
        self.delivered += counted.planned;
        self.skipped += counted.planned - ran;
        let is_new = self.tally.variety() > variety;
        self.quiet = if is_new { 0 } else { self.quiet + ran };
        if self.end.is_none() && self.sharing.until_quiet > 0 {
            let is_quiet = self.quiet >= self.sharing.until_quiet;
            self.end = is_quiet.then_some(SweepEnd::Quiet);
        }
    }

    fn finish(mut self) -> Shared {
        // Where a sweep is stopped, chunks before those that wait here were never begun.
        for (_, counted) in std::mem::take(&mut self.waiting) {
            self.append(counted);
        }
        self.skipped += self.sharing.cases - self.delivered;
        let end = match (self.end, self.stop) {
            // Its last case can be the one that ends a sweep: then all were run.
            _ if self.skipped == 0 => SweepEnd::All,
            (Some(end), _) => end,
            (None, Some(Stop::Budget)) => SweepEnd::Budget,
            (None, _) => SweepEnd::Interrupted,
        };
        Shared { tally: self.tally, skipped: self.skipped, end }
    }
}
