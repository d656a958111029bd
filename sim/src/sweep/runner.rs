//! Runs the cases of a sweep, one thread for each job.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use midput_model::event::End;
use midput_model::program::{LaneId, Outcome, Program};
use midput_model::queue::classic::{self, Covered, Time};
use midput_model::queue::manager::Manager;
use midput_scenarios::{KillPoint, Scenario};

use super::judge::{Failure, Judged, Verdict, judge};
use crate::case::Case;
use crate::check::calls::{self, Deaths, Explained};
use crate::check::{Divergence, Lockstep, Observers};
use crate::host::{Directives, Ending, Host, Settings};
use crate::kernel::SimulatedOs;
use crate::mutation::{Against, Mutation};
use crate::schedule::{Drawn, Replay, Strategy};
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
    /// Who waits for whom, where somebody is blocked for ever. Empty where the case passes and
    /// nobody asked for its trace.
    pub chains: Vec<String>,
    /// What every call returned.
    pub returns: Vec<(LaneId, Outcome)>,
    /// The actions of the model that it came to.
    pub covered: Covered,
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
            covered: Covered::default(),
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
    /// The model of queues that a server owns, against which the history is held afterwards.
    manager: Option<Manager>,
    /// How time passes and what the code is held against in the model that runs beside it.
    suits: (bool, Option<Mutation>),
}

impl<'a> Runner<'a> {
    /// A runner for the cases of `scenario`; `lockstep` says whether its subject has a model.
    pub fn new(scenario: &'a Scenario, lockstep: bool) -> Self {
        let program = Arc::new(scenario.program.clone());
        let managed = program.is_managed();
        let machine = (lockstep && !managed).then(|| Arc::new(machine(scenario, Time::Patient)));
        let mut observers = Observers::new(&program, machine.as_ref());
        let manager = (lockstep && managed).then(|| calls::machine(scenario, Time::Patient));
        let manager = manager.and_then(Result::ok);
        observers.keep_history = manager.is_some();
        let host = Host::default();
        Self { scenario, program, host, observers, lockstep, manager, suits: (false, None) }
    }

    /// Time passes in the model as it does in the case, and a mutant of the code is one of the
    /// model where the case says so.
    fn suit(&mut self, case: &Case) {
        let suits = (case.time_any, case.mutation);
        if !self.lockstep || self.suits == suits {
            return;
        }
        if self.program.is_managed() {
            self.suits = suits;
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
        let without_columns = self.program.is_managed();
        let log = || TraceLog { without_columns, ..TraceLog::default() };
        self.observers.trace = wants_trace.then(log);
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
        // Words are made only where somebody may read them.
        if wants_trace || outcome.judged.verdict != Verdict::Pass {
            let lockstep = self.observers.lockstep.as_ref();
            let chains = lockstep.map(|it| classic::why_stuck(it.machine(), it.state()));
            outcome.chains = chains.unwrap_or_default();
        }
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
        let (hazards, differs, unknown) = match self.explained(ending) {
            None => (hazards, None, None),
            Some(Ok(Ok(explained))) => (explained.hazards, None, None),
            Some(Ok(Err(divergence))) => (hazards, Some(*divergence), None),
            Some(Err(too_much)) => (hazards, None, Some(too_much.to_string())),
        };
        let mut judged = judge(self.scenario, self.subject(), hazards, violations);
        let failure = match ending {
            _ if differs.is_some() => differs.map(Failure::Diverged),
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
            Ending::TooMany(too_many) => Some(too_many.to_string()),
            Ending::Redundant => Some("what follows was explored before".to_owned()),
            _ => unknown,
        };
        if let Some(failure) = failure {
            judged.verdict = Verdict::Fail(vec![failure]);
        } else if let (Some(why), Verdict::Pass) = (undecided, &judged.verdict) {
            judged.verdict = Verdict::Inconclusive(why);
        }
        judged
    }

    /// The run held against the manager's model, where there is one and time is patient: it does
    /// not have that a server is given up.
    fn explained(
        &self,
        ending: &Ending,
    ) -> Option<Result<Result<Explained, Box<Divergence>>, calls::TooMuch>> {
        let manager = self.manager.as_ref().filter(|_| !self.suits.0)?;
        let over = matches!(ending, Ending::AllEnded | Ending::Stuck);
        let Observers { history, end, .. } = &self.observers;
        over.then(|| calls::explain(manager, history, end, &Deaths::InOrder))
    }

    fn subject(&self) -> &'static str {
        if self.lockstep { self.scenario.subject() } else { "user" }
    }

    fn outcome(&self, case: &Case, judged: Judged, directives: &Directives) -> CaseOutcome {
        let landed = directives.landed();
        let landed = landed.iter().map(|it| (case.kills[it.index].clone(), it.injected));
        let held = self.observers.kills.iter().flat_map(|kill| &kill.held);
        let lockstep = self.observers.lockstep.as_ref();
        CaseOutcome {
            landed: landed.collect(),
            held: held.map(|&role| role.to_owned()).collect(),
            end: self.observers.end.clone(),
            returns: self.observers.returns.clone(),
            covered: lockstep.map(|it| *it.covered()).unwrap_or_default(),
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

/// Runs a case, and once more: what was chosen, what was returned and how it ended must be equal,
/// and so must the traces.
pub(super) fn run_twice<Q: Subject<SimulatedOs>>(
    runner: &mut Runner<'_>,
    case: &Case,
) -> CaseOutcome {
    let (mut first, mut second) = (TraceLog::default(), TraceLog::default());
    let mut outcome = runner.run::<Q>(case, Some(&mut first));
    let chosen = runner.host.choices().to_vec();
    let again = runner.run::<Q>(case, Some(&mut second));
    let same = first.entries == second.entries
        && chosen == runner.host.choices()
        && outcome.judged == again.judged;
    if !same {
        outcome.judged.verdict = Verdict::Fail(vec![Failure::NotTheSameTwice]);
    }
    outcome
}
