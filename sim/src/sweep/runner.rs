//! Runs the cases of a sweep, one thread for each job.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use midput_model::event::End;
use midput_model::program::{LaneId, Outcome, Program};
use midput_model::queue::classic::{self, Time};
use midput_scenarios::{KillPoint, Scenario};

use super::census::Census;
use super::draw::draw;
use super::judge::{Failure, Judged, Verdict, judge};
use crate::case::Case;
use crate::check::{Lockstep, Observers};
use crate::host::{Directives, Ending, Host, Settings};
use crate::kernel::SimulatedOs;
use crate::mutation::{Against, Mutation};
use crate::schedule::{Drawn, Replay, Strategies, Strategy};
use crate::settings::Shard;
use crate::subject::Subject;
use crate::trace::TraceLog;

/// What one case did.
#[derive(Clone, Debug)]
pub struct CaseOutcome {
    /// The case; with its choices where it failed.
    pub case: Case,
    /// Verdict, hazards, broken guarantees.
    pub judged: Judged,
    /// Steps done.
    pub steps: u64,
    /// Whether every process ended.
    pub all_ended: bool,
    /// The kills that landed, and whether by a transfer cut short by force.
    pub landed: Vec<(KillPoint, bool)>,
    /// The roles of the locks that victims held.
    pub held: BTreeSet<String>,
    /// How things stood at the end.
    pub end: End,
    /// Who waits for whom, where somebody is blocked for ever.
    pub chains: Vec<String>,
    /// What every call returned.
    pub returns: Vec<(LaneId, Outcome)>,
}

impl CaseOutcome {
    /// The outcome of a case of which no run is known.
    pub(super) fn without_run(case: &Case, judged: Judged) -> Self {
        Self {
            case: case.clone(),
            judged,
            steps: 0,
            all_ended: false,
            landed: Vec::new(),
            held: BTreeSet::new(),
            end: End::default(),
            chains: Vec::new(),
            returns: Vec::new(),
        }
    }

    /// Whether something was found that must not be.
    pub fn has_failed(&self) -> bool {
        matches!(self.judged.verdict, Verdict::Fail(_))
    }

    /// A case that is there for its kills says nothing where one did not land.
    pub fn require_kills(&mut self) {
        let missed = self.case.kills.len() - self.landed.len();
        if missed > 0 && self.judged.verdict == Verdict::Pass {
            let text = format!("{missed} of {} kills did not land", self.case.kills.len());
            self.judged.verdict = Verdict::Inconclusive(text);
        }
    }
}

/// Runs cases of one scenario, keeping its memory between them.
pub struct Runner<'a> {
    scenario: &'a Scenario,
    program: Arc<Program>,
    host: Host,
    observers: Observers,
    lockstep: bool,
    /// How time passes and what the code is held against in the model that runs beside it.
    suits: (bool, Option<Mutation>),
}

impl<'a> Runner<'a> {
    /// A runner for the cases of `scenario`; `lockstep` says whether its subject has a model.
    pub fn new(scenario: &'a Scenario, lockstep: bool) -> Self {
        let program = Arc::new(scenario.program.clone());
        let machine = lockstep.then(|| Arc::new(machine(scenario, Time::Patient)));
        let observers = Observers::new(&program, machine.as_ref());
        let host = Host::default();
        Self { scenario, program, host, observers, lockstep, suits: (false, None) }
    }

    /// Time passes in the model as it does in the case, and a mutant of the code is one of the
    /// model where the case says so.
    fn suit(&mut self, case: &Case) {
        let suits = (case.time_any, case.mutation);
        if !self.lockstep || self.suits == suits {
            return;
        }
        let time = if case.time_any { Time::Any } else { Time::Patient };
        let machine = machine(self.scenario, time);
        let machine = match case.mutation {
            Some(Mutation { against: Against::Nothing, .. }) => None,
            Some(Mutation { mutant, against: Against::Mutant }) => {
                Some(machine.with_mutant(mutant))
            }
            _ => Some(machine),
        };
        self.observers.lockstep = machine.map(|machine| Lockstep::new(Arc::new(machine)));
        self.suits = suits;
    }

    /// Runs one case and judges it. With a `trace`, notes what a trace is rendered from.
    pub fn run<Q: Subject<SimulatedOs>>(
        &mut self,
        case: &Case,
        trace: Option<&mut TraceLog>,
    ) -> CaseOutcome {
        let mut drawn = Drawn::new(case.strategy, case.seed, case.number, case.length);
        let mut replay = case.choices.clone().map(Replay::new);
        let strategy: &mut dyn Strategy = match &mut replay {
            Some(replay) => replay,
            None => &mut drawn,
        };
        let mut outcome = self.run_with::<Q>(case, strategy, trace);
        let left = replay.as_ref().map_or(0, Replay::left);
        if left > 0 && outcome.judged.verdict == Verdict::Pass {
            let text = format!("the run ended with {left} recorded choices left");
            outcome.judged.verdict = Verdict::Fail(vec![Failure::Replay(text)]);
        }
        outcome
    }

    /// Runs one case under a strategy and judges it.
    pub fn run_with<Q: Subject<SimulatedOs>>(
        &mut self,
        case: &Case,
        strategy: &mut dyn Strategy,
        trace: Option<&mut TraceLog>,
    ) -> CaseOutcome {
        let wants_trace = trace.is_some();
        self.suit(case);
        self.observers.reset();
        self.observers.trace = wants_trace.then(TraceLog::default);
        let directives = Directives::new(&self.program, &case.kills, &case.holds, &case.faults);
        let mut directives = match directives {
            Ok(directives) => directives,
            Err(error) => return self.not_run(case, Failure::Replay(error.to_string())),
        };
        let mutant = case.mutation.map(|mutation| mutation.mutant);
        let settings = Settings { time_any: case.time_any, mutant, ..Settings::default() };
        let (host, observers, program) = (&mut self.host, &mut self.observers, &self.program);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            host.run::<Q>(program, strategy, &mut directives, observers, settings)
        }));
        let ran = match ran {
            Ok(ran) => ran,
            Err(panic) => {
                // What the panic left behind is not used again.
                self.host = Host::default();
                return self.not_run(case, Failure::Panicked(text_of(&*panic)));
            }
        };
        if let (Some(trace), Some(log)) = (trace, self.observers.trace.take()) {
            *trace = log;
        }
        let judged = self.judge(&ran.ending);
        let mut outcome = self.outcome(case, judged, &directives);
        outcome.steps = ran.steps;
        tracing::debug!(
            scenario = case.scenario,
            case = case.number,
            steps = ran.steps,
            landed = outcome.landed.len(),
            verdict = ?outcome.judged.verdict,
            "simulated"
        );
        outcome.all_ended = matches!(ran.ending, Ending::AllEnded);
        if outcome.judged.verdict != Verdict::Pass && outcome.case.choices.is_none() {
            outcome.case.choices = Some(self.recorded());
        }
        outcome
    }

    /// Who watches the runs: what they noted of the last one, and what they keep.
    pub fn observers(&mut self) -> &mut Observers {
        &mut self.observers
    }

    /// The choices of the last run, as a case keeps them.
    pub fn recorded(&self) -> Vec<(usize, String)> {
        self.host.recorded()
    }

    fn judge(&self, ending: &Ending) -> Judged {
        let violations = self.observers.violations();
        let hazards = self.observers.lockstep.as_ref().map(|it| it.hazards()).unwrap_or_default();
        let mut judged = judge(self.scenario, self.subject(), hazards, violations);
        let failure = match ending {
            Ending::Diverged(divergence) => Some(Failure::Diverged(divergence.clone())),
            Ending::Replay(diverged) => Some(Failure::Replay(diverged.to_string())),
            _ => None,
        };
        let undecided = match ending {
            Ending::StepLimit => {
                let limit = Settings::default().steps_max;
                Some(format!("the run did not end within {limit} steps"))
            }
            Ending::Setup(error) => Some(format!("not set up: {error}")),
            Ending::Redundant => Some("what follows was explored before".to_owned()),
            _ => None,
        };
        if let Some(failure) = failure {
            judged.verdict = Verdict::Fail(vec![failure]);
        } else if let (Some(why), Verdict::Pass) = (undecided, &judged.verdict) {
            judged.verdict = Verdict::Inconclusive(why);
        }
        judged
    }

    fn subject(&self) -> &'static str {
        if self.lockstep { "classic" } else { "user" }
    }

    fn outcome(&self, case: &Case, judged: Judged, directives: &Directives) -> CaseOutcome {
        let landed = directives.landed();
        let landed = landed.iter().map(|it| (case.kills[it.index].clone(), it.injected));
        let held = self.observers.kills.iter().flat_map(|kill| &kill.held);
        let chains = self
            .observers
            .lockstep
            .as_ref()
            .map(|lockstep| classic::why_stuck(lockstep.machine(), lockstep.state()));
        CaseOutcome {
            landed: landed.collect(),
            held: held.map(|&role| role.to_owned()).collect(),
            end: self.observers.end.clone(),
            chains: chains.unwrap_or_default(),
            returns: self.observers.returns.clone(),
            ..CaseOutcome::without_run(case, judged)
        }
    }

    fn not_run(&self, case: &Case, failure: Failure) -> CaseOutcome {
        let judged = Judged {
            verdict: Verdict::Fail(vec![failure]),
            hazards: BTreeSet::new(),
            violations: Vec::new(),
        };
        CaseOutcome::without_run(case, judged)
    }
}

/// The model of a scenario's program, in which the environment may kill as often as it likes.
pub fn machine(scenario: &Scenario, time: Time) -> classic::Classic {
    let environment = classic::Environment { time, kills: u8::MAX, ..Default::default() };
    classic::Classic::new(scenario.program.clone(), environment)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}

/// How a sweep is carried out.
#[derive(Clone, Copy, Debug)]
pub struct SweepOptions {
    /// What the cases are drawn from.
    pub seed: u64,
    /// How many cases, all shards together.
    pub cases: u64,
    /// Which of them.
    pub shard: Shard,
    /// How many threads.
    pub jobs: usize,
    /// Stop after so many failing cases; 0 is never.
    pub failures_max: u64,
    /// Run every case twice and compare.
    pub twice: bool,
    /// Waits may expire from the moment that they block.
    pub time_any: bool,
    /// Who decides at the choices.
    pub strategies: Strategies,
    /// How the code is altered, where it does not run as it is.
    pub mutation: Option<Mutation>,
}

impl Default for SweepOptions {
    /// 512 cases of the default seed in one thread, by the portfolio, in patient time, all of them
    /// whatever fails.
    fn default() -> Self {
        Self {
            seed: crate::settings::DEFAULT_SEED,
            cases: 512,
            shard: Shard::default(),
            jobs: 1,
            failures_max: 0,
            twice: false,
            time_any: false,
            strategies: Strategies::default(),
            mutation: None,
        }
    }
}

/// Runs the cases of a sweep in simulation. `stop` is asked between cases; `done` is told of each
/// case, in no order. The outcomes come back in the order of the cases, whatever the jobs.
pub fn sweep<Q: Subject<SimulatedOs>>(
    scenario: &Scenario,
    census: &Census,
    options: &SweepOptions,
    lockstep: bool,
    stop: &(dyn Fn() -> bool + Sync),
    done: &(dyn Fn(&CaseOutcome) + Sync),
) -> Vec<CaseOutcome> {
    let subject = if lockstep { "classic" } else { "user" };
    let worker = || Runner::new(scenario, lockstep);
    in_jobs(options, stop, worker, |runner, number| {
        let case = draw(scenario, subject, census, options, number);
        let outcome = run_checked::<Q>(runner, &case, options.twice);
        done(&outcome);
        outcome
    })
}

/// Shares the cases of a sweep's shard out to threads. The outcomes come back in the order of the
/// cases, and where a number of failures ends the sweep they end with that failure: so they are
/// the same whatever the jobs.
pub(super) fn in_jobs<W>(
    options: &SweepOptions,
    stop: &(dyn Fn() -> bool + Sync),
    worker: impl Fn() -> W + Sync,
    case: impl Fn(&mut W, u64) -> CaseOutcome + Sync,
) -> Vec<CaseOutcome> {
    let (next, failures) = (AtomicU64::new(0), AtomicU64::new(0));
    let share = options.shard.share(options.cases);
    let failures_max = if options.failures_max == 0 { u64::MAX } else { options.failures_max };
    let work = || {
        let mut state = worker();
        let mut outcomes = Vec::new();
        // Asked before a number is taken: every number that was taken is run.
        while failures.load(Ordering::Relaxed) < failures_max && !stop() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= share {
                break;
            }
            let outcome = case(&mut state, options.shard.case(index));
            failures.fetch_add(u64::from(outcome.has_failed()), Ordering::Relaxed);
            outcomes.push(outcome);
        }
        outcomes
    };
    let jobs = options.jobs.min(usize::try_from(share).unwrap_or(usize::MAX));
    let mut outcomes = if jobs <= 1 {
        work()
    } else {
        std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            let join = |job: std::thread::ScopedJoinHandle<'_, Vec<CaseOutcome>>| {
                job.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            jobs.into_iter().flat_map(join).collect()
        })
    };
    outcomes.sort_by_key(|outcome| outcome.case.number);
    let failed = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.has_failed());
    let last =
        failed.map(|(index, _)| index).nth(usize::try_from(failures_max - 1).unwrap_or(usize::MAX));
    if let Some(last) = last {
        outcomes.truncate(last + 1);
    }
    outcomes
}

/// Runs a case, and once more where it is to do the same twice: what was chosen, what was
/// returned and how it ended must be equal, and so must the traces.
fn run_checked<Q: Subject<SimulatedOs>>(
    runner: &mut Runner<'_>,
    case: &Case,
    twice: bool,
) -> CaseOutcome {
    if !twice {
        return runner.run::<Q>(case, None);
    }
    let (mut first, mut second) = (TraceLog::default(), TraceLog::default());
    let mut outcome = runner.run::<Q>(case, Some(&mut first));
    let again = runner.run::<Q>(case, Some(&mut second));
    if first.entries != second.entries || outcome.judged != again.judged {
        outcome.judged.verdict = Verdict::Fail(vec![Failure::NotTheSameTwice]);
    }
    outcome
}
