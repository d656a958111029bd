//! Every schedule of a scenario, one run after the other, and the ends that they come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use midput_model::program::{Exit, LaneId, Outcome, Program, Signal};
use midput_model::queue::classic::{Classic, Ending as ModelEnding, Environment, LaneEnding, Time};
use midput_scenarios::Scenario;

use crate::check::Observers;
use crate::host::{Alternative, Anywhere, Directives, Ending, Host, Settings};
use crate::kernel::{Kernel, SimulatedOs, with_kernel};
use crate::schedule::{Exhaustive, ExhaustiveOptions, Stood, Tally, TooMany};
use crate::subject::Subject;
use crate::sweep::{Failure, Judged, Verdict, judge};

/// What somebody can tell of a run that has come to its end: the same for the model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndState {
    /// By lane: what its calls returned, and where it is blocked for ever.
    pub lanes: Vec<LaneEnding>,
    /// By process: how it ended.
    pub exits: Vec<Option<Exit>>,
    /// The semaphores' values, in order of creation.
    pub semaphores: Vec<u32>,
    /// The bytes in the pipes, in order of creation.
    pub pipes: Vec<u32>,
}

impl EndState {
    fn of(kernel: &Kernel, program: &Program, observers: &Observers) -> Self {
        let mut lanes: Vec<LaneEnding> = (0..kernel.lane_count())
            .map(|_| LaneEnding { results: Vec::new(), blocked: None })
            .collect();
        let mut instructions = vec![0; lanes.len()];
        for &(lane, outcome) in &observers.returns {
            let lane = usize::from(lane.0);
            let until = until_of(program, LaneId(lane as u8), instructions[lane]);
            // A repeated call's idle tries are not kept; neither does the model.
            let repeats = until.is_some_and(|until| until != outcome);
            if !repeats || matches!(outcome, Outcome::Item(_)) {
                lanes[lane].results.push(outcome);
            }
            instructions[lane] += usize::from(!repeats);
        }
        for (lane, entry) in (0u8..).map(LaneId).zip(&mut lanes) {
            if let Some(parked) = kernel.parked(lane).filter(|_| !kernel.is_idle(lane)) {
                let offset = u32::try_from(parked.site.offset).unwrap_or(u32::MAX);
                entry.blocked = Some((parked.site.name, offset));
            }
        }
        let processes = (0u8..).take(kernel.process_count());
        let exits = processes.map(|it| kernel.process_state(midput_model::program::ProcessId(it)));
        Self {
            lanes,
            exits: exits.map(|state| state.exit()).collect(),
            semaphores: kernel.semaphores.iter().map(|it| it.semaphore.value()).collect(),
            pipes: kernel.pipes.iter().map(|pipe| pipe.pipe.available()).collect(),
        }
    }
}

impl From<ModelEnding> for EndState {
    fn from(ending: ModelEnding) -> Self {
        let semaphores = ending.objects.iter().flat_map(|objects| &objects.semaphores);
        Self {
            semaphores: semaphores.copied().collect(),
            pipes: ending.objects.iter().map(|objects| objects.bytes).collect(),
            lanes: ending.lanes,
            exits: ending.exits,
        }
    }
}

fn until_of(program: &Program, lane: LaneId, index: usize) -> Option<Outcome> {
    program.instructions_of(lane)?.get(index)?.until
}

/// How a scenario is searched.
#[derive(Clone, Copy, Debug)]
pub struct SearchOptions {
    /// With reduction or without, within a bound of preemptions or not.
    pub exhaustive: ExhaustiveOptions,
    /// The most runs; reaching it is told.
    pub runs_max: u64,
    /// How time passes.
    pub time: Time,
    /// Whether each schedule is judged: the model of the classic queue beside it, its hazards, and the
    /// guarantees over its history. Of schedules that differ only in the order of what makes no
    /// difference, it is one whose history is judged.
    pub judged: bool,
}

impl Default for SearchOptions {
    /// With reduction, ten million runs, patient time; nothing is judged.
    fn default() -> Self {
        Self {
            exhaustive: ExhaustiveOptions::default(),
            runs_max: 10_000_000,
            time: Time::Patient,
            judged: false,
        }
    }
}

/// What a search has come to.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// How many schedules were run, and how many of them broken off as redundant.
    pub tally: Tally,
    /// Steps, all together.
    pub steps: u64,
    /// Whether every schedule was run, or shown to be like one that was: then what was found is all
    /// that there is.
    pub complete: bool,
    /// Every end that was reached.
    pub ends: BTreeMap<EndState, Reached>,
    /// What was found that must not be, by its kind, with the first of its kind.
    pub failures: BTreeMap<String, (Failure, Reached)>,
}

impl Searched {
    /// How a schedule was judged.
    fn note(&mut self, verdict: Verdict, strategy: &Exhaustive) {
        let Verdict::Fail(failures) = verdict else { return };
        for failure in failures {
            let entry = self.failures.entry(failure.kind());
            let (_, reached) = entry.or_insert_with(|| (failure, Reached::default()));
            reached.note(strategy);
        }
    }
}

/// How an end, or a failure, was reached.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// By how many schedules.
    pub schedules: u64,
    /// By which one first: what was chosen at each step, and for a kill where its victim stood.
    pub path: Vec<(Alternative, Option<Stood>)>,
}

impl Reached {
    /// By the last run.
    fn note(&mut self, strategy: &Exhaustive) {
        if self.schedules == 0 {
            self.path = strategy.path().collect();
        }
        self.schedules += 1;
    }
}

/// What may happen at any step of a search: the kills and faults that a scenario allows.
pub fn anywhere(scenario: &Scenario) -> Anywhere {
    let faults = &scenario.faults;
    let signals =
        if faults.signals.is_empty() { vec![Signal::Kill] } else { faults.signals.clone() };
    Anywhere {
        victims: faults.victims.clone(),
        signals,
        kills_left: faults.kills_max,
        faults_left: u8::from(faults.short_transfers || faults.interruptions),
    }
}

/// Runs every schedule of a scenario, with the kills and faults that it allows at every step. Where
/// they are judged, the first that does what the model does not is the last that is run.
///
/// # Errors
/// The ending of the first run that did not end as a run does: a subject that does not do the same
/// twice, a program that cannot be set up, or one whose lanes and processes are too many.
pub fn search<Q: Subject<SimulatedOs>>(
    scenario: &Scenario,
    options: SearchOptions,
) -> Result<Searched, Ending> {
    let program = Arc::new(scenario.program.clone());
    let (lanes, processes) = (program.lanes().len(), program.processes.len());
    TooMany::check(lanes, processes).map_err(Ending::TooMany)?;
    if program.is_managed() {
        let why = "the code of a manager's queue is not searched: its steps are in no lockstep";
        return Err(Ending::Setup(why.to_owned()));
    }
    let anywhere = anywhere(scenario);
    let mut strategy = Exhaustive::new(options.exhaustive);
    let mut host = Host::default();
    let mut observers = if options.judged {
        Observers::new(&program, Some(&Arc::new(machine(scenario, options.time))))
    } else {
        Observers::default()
    };
    let settings = Settings { time_any: options.time == Time::Any, ..Settings::default() };
    let mut searched = Searched::default();
    for _ in 0..options.runs_max {
        observers.reset();
        let mut directives = Directives::default();
        directives.anywhere = Some(anywhere.clone());
        let ran = host.run::<Q>(&program, &mut strategy, &mut directives, &mut observers, settings);
        searched.steps += ran.steps;
        match ran.ending {
            Ending::AllEnded | Ending::Stuck => {
                let end = with_kernel(|kernel| EndState::of(kernel, &program, &observers));
                searched.ends.entry(end).or_default().note(&strategy);
                if options.judged {
                    searched.note(verdict(scenario, &observers), &strategy);
                }
            }
            Ending::Redundant => {}
            Ending::Diverged(divergence) => {
                let failures = vec![Failure::Diverged(divergence)];
                searched.note(Verdict::Fail(failures), &strategy);
                break;
            }
            other => return Err(other),
        }
        if !strategy.advance() {
            searched.complete = !strategy.tally().cut;
            break;
        }
    }
    searched.tally = strategy.tally();
    Ok(searched)
}

/// How the last run is judged by what the scenario allows.
fn verdict(scenario: &Scenario, observers: &Observers) -> Verdict {
    let hazards = observers.lockstep.as_ref().map(|it| it.hazards()).unwrap_or_default();
    let Judged { verdict, .. } =
        judge(scenario, scenario.subject(), hazards, observers.violations());
    verdict
}

/// The model of a scenario, with the kills and faults that a search does.
fn machine(scenario: &Scenario, time: Time) -> Classic {
    let anywhere = anywhere(scenario);
    let environment = Environment {
        time,
        kills: anywhere.kills_left,
        faults: anywhere.faults_left,
        victims: anywhere.victims,
        signals: anywhere.signals,
        overdue: false,
    };
    Classic::new(scenario.program.clone(), environment)
}

/// The ends of the same scenario that its model can reach, each with the fewest actions that lead
/// there; `None` where the model is too large to be explored within so many states.
pub fn ends_of_model(
    scenario: &Scenario,
    time: Time,
    states_max: usize,
) -> Option<BTreeMap<EndState, u32>> {
    use std::ops::ControlFlow;

    use midput_model::explore::{Limits, explore};

    let machine = machine(scenario, time);
    let mut ends = BTreeMap::new();
    let explored = explore(&machine, Limits { states_max }, |visit| {
        if visit.is_end() {
            ends.entry(EndState::from(machine.ending(visit.state))).or_insert(visit.depth);
        }
        ControlFlow::Continue(())
    });
    explored.complete().then_some(ends)
}
