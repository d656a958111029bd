//! One run of a program on the simulated kernel.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use midput_model::mutant::Mutant;
use midput_model::program::{LaneId, Operation, Outcome, ProcessId, Program, Signal};
use midput_real::os::{Site, Start};

use super::directive::Directives;
use crate::check::{Divergence, Observers};
use crate::kernel::{
    Grant, Kernel, LaneFuture, SimulatedOs, set_launch, take_spawned, with_kernel,
};
use crate::schedule::{ReplayDiverged, Strategy};
use crate::script::{Script, Stage};
use crate::subject::Subject;

/// One thing that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alternative {
    /// A lane does its step.
    Lane(LaneId),
    /// A lane's wait reaches its deadline.
    Expire(LaneId),
    /// A process dies of the signal that it was sent.
    Die(ProcessId),
    /// The case's kill of this index lands.
    Kill(usize),
    /// The case's fault of this index, an interruption, hits a call that waits.
    Interrupt(usize),
}

/// A choice that was made: which of several alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The position among the alternatives.
    pub index: usize,
    /// Of so many.
    pub of: usize,
    /// What was chosen.
    pub alternative: Alternative,
    /// The step that the chosen lane stands at.
    pub step: &'static str,
    /// The n-th time of this step.
    pub occurrence: u32,
}

impl Choice {
    /// What was chosen, in words.
    pub(crate) fn text(&self, kernel: &Kernel) -> String {
        let at =
            |lane: LaneId| format!("{} {}[{}]", kernel.lane_name(lane), self.step, self.occurrence);
        match self.alternative {
            Alternative::Lane(lane) => at(lane),
            Alternative::Expire(lane) => format!("{} expires", at(lane)),
            Alternative::Die(process) => format!("{} dies", kernel.process_name(process)),
            Alternative::Kill(index) => format!("kill {}", index + 1),
            Alternative::Interrupt(index) => format!("interruption {}", index + 1),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// Every process has ended.
    AllEnded,
    /// Nothing more can happen, and somebody waits.
    Stuck,
    /// The limit of steps was reached.
    StepLimit,
    /// The code did what its model does not.
    Diverged(Divergence),
    /// The recorded choices do not fit this program.
    Replay(ReplayDiverged),
    /// The program could not be set up.
    Setup(String),
}

/// How runs are carried out.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The most steps of one run; reaching it is reported by name.
    pub steps_max: u64,
    /// Whether a wait may expire from the moment that it blocks.
    pub time_any: bool,
    /// How one call of the code is altered, if one is.
    pub mutant: Option<Mutant>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { steps_max: 100_000, time_any: false, mutant: None }
    }
}

/// What a run was.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub ending: Ending,
    /// Steps done.
    pub steps: u64,
}

thread_local! {
    static PROGRAM: RefCell<Option<Arc<Program>>> = const { RefCell::new(None) };
}

impl Stage for SimulatedOs {
    fn call(&self, lane: LaneId, operation: Operation) {
        with_kernel(|kernel| kernel.call(lane, operation));
    }

    fn returned(&self, lane: LaneId, outcome: Outcome) {
        with_kernel(|kernel| kernel.returned(lane, outcome));
    }

    fn leaving(&self, process: ProcessId) {
        with_kernel(|kernel| kernel.leaving(process));
    }

    async fn await_death(&self, process: ProcessId) {
        SimulatedOs::await_death(*self, process).await;
    }

    fn worker(&self, process: &str) -> String {
        process.to_owned()
    }
}

/// The body of a process that the simulation starts.
fn launch<Q: Subject<SimulatedOs>>(_: ProcessId, start: &Start) -> LaneFuture {
    let argument = start.argument.clone();
    Box::pin(async move {
        let program = PROGRAM.with_borrow(Option::clone).unwrap_or_default();
        match Script::<SimulatedOs, Q>::child(SimulatedOs, program, &argument) {
            Ok(script) => script.run_main().await,
            // A child that cannot take up its queues ends at once with code 1.
            Err(_) => {
                use midput_real::os::Os;
                SimulatedOs.process_exit(1, Site::new("exit")).await;
            }
        }
    })
}

/// Runs programs, one after the other, keeping its memory between runs.
#[derive(Default)]
pub struct Host {
    futures: Vec<Option<LaneFuture>>,
    alternatives: Vec<Alternative>,
    /// The choices of the last run.
    pub choices: Vec<Choice>,
}

/// What a run consists of beside the host's memory.
struct Run<'a> {
    strategy: &'a mut dyn Strategy,
    directives: &'a mut Directives,
    observers: &'a mut Observers,
    settings: Settings,
    steps: u64,
}

impl Host {
    /// Runs `program` with subject `Q` once.
    pub fn run<Q: Subject<SimulatedOs>>(
        &mut self,
        program: &Arc<Program>,
        strategy: &mut dyn Strategy,
        directives: &mut Directives,
        observers: &mut Observers,
        settings: Settings,
    ) -> Ran {
        self.choices.clear();
        self.futures.clear();
        with_kernel(|kernel| {
            kernel.reset(program);
            kernel.mutant = settings.mutant;
        });
        while take_spawned().is_some() {}
        set_launch(launch::<Q>);
        PROGRAM.set(Some(Arc::clone(program)));
        let script = match Script::<SimulatedOs, Q>::first(SimulatedOs, Arc::clone(program)) {
            Ok(script) => script,
            Err(error) => return Ran { ending: Ending::Setup(error.to_string()), steps: 0 },
        };
        let mut run = Run { strategy, directives, observers, settings, steps: 0 };
        with_kernel(|kernel| kernel.begin_lane(LaneId(0)));
        self.place(LaneId(0), Box::pin(script.run_main()));
        self.poll(LaneId(0), &mut run);
        let ending = match with_kernel(|kernel| run.observers.begin(kernel)) {
            Ok(()) => self.go(&mut run),
            Err(divergence) => Ending::Diverged(divergence),
        };
        with_kernel(|kernel| run.observers.end(kernel));
        let steps = run.steps;
        self.futures.clear();
        Ran { ending, steps }
    }

    /// The choices of the last run as a case keeps them: the position and what stood there.
    pub fn recorded(&self) -> Vec<(usize, String)> {
        with_kernel(|kernel| {
            self.choices.iter().map(|choice| (choice.index, choice.text(kernel))).collect()
        })
    }

    fn go(&mut self, run: &mut Run<'_>) -> Ending {
        loop {
            if run.steps >= run.settings.steps_max {
                return Ending::StepLimit;
            }
            run.steps += 1;
            match self.one(run) {
                Ok(()) => {}
                Err(ending) => return ending,
            }
        }
    }

    /// One choice and what it leads to.
    fn one(&mut self, run: &mut Run<'_>) -> Result<(), Ending> {
        let alternatives = &mut self.alternatives;
        alternatives.clear();
        with_kernel(|kernel| {
            let enabled = kernel.enabled();
            let kept = kernel.kept(run.directives);
            run.observers.enabled(kernel, enabled, kept)?;
            list(kernel, enabled, kept, run, alternatives);
            Ok(())
        })
        .map_err(Ending::Diverged)?;
        let index = match alternatives.len() {
            0 => return self.nothing_enabled(run),
            1 => {
                run.strategy.passed(alternatives[0]);
                0
            }
            _ => with_kernel(|kernel| run.strategy.choose(kernel, alternatives))
                .map_err(Ending::Replay)?,
        };
        let of = self.alternatives.len();
        let alternative = self.alternatives[index];
        if of > 1 {
            let choice = with_kernel(|kernel| describe(kernel, index, of, alternative));
            self.choices.push(choice);
        }
        self.carry_out(alternative, run).map_err(Ending::Diverged)
    }

    fn carry_out(&mut self, alternative: Alternative, run: &mut Run<'_>) -> Result<(), Divergence> {
        match alternative {
            Alternative::Lane(lane) => {
                let grant = with_kernel(|kernel| {
                    kernel.parked(lane).map(|parked| run.directives.grant(lane, parked))
                });
                self.let_step(lane, grant.unwrap_or_default(), run)
            }
            Alternative::Expire(lane) => self.let_step(lane, Grant::Expired, run),
            Alternative::Die(process) => with_kernel(|kernel| {
                kernel.die(process);
                run.observers.died(kernel, process)
            }),
            Alternative::Interrupt(index) => {
                let lane = run.directives.interrupt(index);
                self.let_step(lane, Grant::Interrupted, run)
            }
            Alternative::Kill(index) => {
                let (process, signal) = run.directives.land(index);
                self.kill(process, signal, run)
            }
        }
    }

    fn kill(
        &mut self,
        process: ProcessId,
        signal: Signal,
        run: &mut Run<'_>,
    ) -> Result<(), Divergence> {
        with_kernel(|kernel| {
            run.observers.before_kill(kernel, process);
            kernel.kill(process, signal);
            run.observers.killed(kernel, process, signal)
        })
    }

    /// Lets a lane do its step.
    fn let_step(
        &mut self,
        lane: LaneId,
        grant: Grant,
        run: &mut Run<'_>,
    ) -> Result<(), Divergence> {
        let (grant, forced) = with_kernel(|kernel| {
            let (grant, forced) = effective(kernel, lane, grant);
            kernel.let_go(lane, grant);
            (grant, forced)
        });
        self.poll(lane, run);
        while let Some((started, future)) = take_spawned() {
            self.place(started, future);
            self.poll(started, run);
        }
        with_kernel(|kernel| {
            let Some(record) = kernel.last.take() else { return Ok(()) };
            let completes = kernel.completed(&record);
            run.directives.did(&record, completes);
            if forced && matches!(grant, Grant::Limited(_)) {
                run.directives.forced(&record);
            }
            run.observers.step(kernel, &record, grant)
        })
    }

    fn place(&mut self, lane: LaneId, future: LaneFuture) {
        let index = usize::from(lane.0);
        if self.futures.len() <= index {
            self.futures.resize_with(index + 1, || None);
        }
        self.futures[index] = Some(future);
    }

    /// Polls a lane once: it does its step and goes on to its next.
    fn poll(&mut self, lane: LaneId, run: &mut Run<'_>) {
        with_kernel(|kernel| kernel.current = lane);
        let Some(future) = self.futures.get_mut(usize::from(lane.0)).and_then(Option::as_mut)
        else {
            return;
        };
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(()) = future.as_mut().poll(&mut context) {
            self.futures[usize::from(lane.0)] = None;
            with_kernel(|kernel| kernel.end_lane(lane));
        }
        with_kernel(|kernel| {
            if let Some(parked) = kernel.parked(lane) {
                run.directives.arrived(lane, parked);
            }
        });
    }

    /// Time passes to the earliest deadline; without one the run is over.
    fn nothing_enabled(&mut self, run: &mut Run<'_>) -> Result<(), Ending> {
        let next = with_kernel(|kernel| {
            let held = kernel.kept(run.directives);
            let (lane, deadline) = kernel.next_deadline(held)?;
            kernel.clock = kernel.clock.max(deadline);
            Some(lane)
        });
        match next {
            Some(lane) => {
                run.strategy.passed(Alternative::Expire(lane));
                self.let_step(lane, Grant::Expired, run).map_err(Ending::Diverged)
            }
            None => {
                let compared = with_kernel(|kernel| run.observers.compare_end(kernel));
                Err(match compared {
                    Err(divergence) => Ending::Diverged(divergence),
                    Ok(()) if with_kernel(|kernel| kernel.all_ended()) => Ending::AllEnded,
                    Ok(()) => Ending::Stuck,
                })
            }
        }
    }
}

/// A limit matters only where the transfer would move more by itself: then it is cut by force. A
/// signal interrupts only calls that can wait in the kernel.
fn effective(kernel: &Kernel, lane: LaneId, grant: Grant) -> (Grant, bool) {
    match grant {
        Grant::Limited(most) | Grant::Short(most) => {
            let forced = kernel.natural_bytes(lane).is_some_and(|natural| natural > most);
            (if forced { grant } else { Grant::Plain }, forced)
        }
        Grant::Interrupted if !kernel.is_interruptible(lane) => (Grant::Plain, false),
        _ => (grant, false),
    }
}

/// What can happen next, in a fixed order: lanes, expiries where time is any, deaths, kills.
fn list(
    kernel: &Kernel,
    enabled: u64,
    kept: u64,
    run: &Run<'_>,
    alternatives: &mut Vec<Alternative>,
) {
    let lanes = (0u8..).take(kernel.lane_count()).map(LaneId);
    let can = enabled & !kept;
    alternatives
        .extend(lanes.clone().filter(|lane| can & (1 << lane.0) != 0).map(Alternative::Lane));
    if run.settings.time_any {
        let blocked = !enabled & !kept;
        let waiting =
            lanes.filter(|&lane| blocked & (1 << lane.0) != 0 && kernel.waits_for_deadline(lane));
        alternatives.extend(waiting.map(Alternative::Expire));
    }
    let processes = (0u8..).take(kernel.process_count()).map(ProcessId);
    alternatives.extend(processes.filter(|&it| kernel.is_dying(it)).map(Alternative::Die));
    alternatives.extend(run.directives.due(kernel, enabled).map(Alternative::Kill));
    let waiting = !enabled & !kept;
    let interruptions = run.directives.interruptions(kernel, waiting);
    alternatives.extend(interruptions.map(Alternative::Interrupt));
}

pub(crate) fn describe(
    kernel: &Kernel,
    index: usize,
    of: usize,
    alternative: Alternative,
) -> Choice {
    let (step, occurrence) = match alternative {
        Alternative::Lane(lane) | Alternative::Expire(lane) => {
            kernel.parked(lane).map_or(("ended", 0), |parked| (parked.site.name, parked.occurrence))
        }
        Alternative::Die(_) => ("die", 0),
        Alternative::Kill(_) => ("kill", 0),
        Alternative::Interrupt(_) => ("interruption", 0),
    };
    Choice { index, of, alternative, step, occurrence }
}
