//! One run, step by step: what can happen, what is chosen, what it leads to. It polls nothing: a
//! host does, and tells the engine.

use midput_model::mutant::Mutant;
use midput_model::program::{LaneId, ProcessId, Signal};

use super::alternative::{
    Alternative, Choice, count_of, describe, first_of, list, nth_of, place_of,
};
use super::directive::Directives;
use crate::check::{Divergence, Observers};
use crate::kernel::{Grant, Kernel, with_kernel};
use crate::schedule::{Halt, ReplayDiverged, Strategy, TooMany};

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
    /// The search has proved that what would follow was explored before.
    Redundant,
    /// The search cannot tell apart all who act in this program.
    TooMany(TooMany),
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

/// What the engine asks of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// To poll this lane once.
    Poll(LaneId),
    /// To poll the lanes that the last step has started, each once.
    Started,
    /// Nothing more: the run is [over](Engine::over).
    Over,
}

/// Memory that is kept between runs.
#[derive(Debug, Default)]
pub struct Memory {
    alternatives: Vec<Alternative>,
    /// The choices of the last run.
    pub choices: Vec<Choice>,
}

/// One run under way.
pub struct Engine<'a> {
    memory: &'a mut Memory,
    strategy: &'a mut dyn Strategy,
    directives: &'a mut Directives,
    observers: &'a mut Observers,
    settings: Settings,
    /// Whether there are any directives.
    directed: bool,
    /// Whether anybody wants to know of each step.
    watched: bool,
    /// Whether the strategy is asked at every step.
    every_step: bool,
    /// Whether nothing can happen but that lanes do their steps and signalled processes die.
    plain: bool,
    steps: u64,
    /// Whether the transfer of the lane that is polled now is cut short by force.
    forced: bool,
    /// How the run has ended, once it has.
    ending: Option<Box<Ending>>,
}

impl<'a> Engine<'a> {
    /// A run that is about to begin, in the kernel of this thread.
    pub fn new(
        memory: &'a mut Memory,
        strategy: &'a mut dyn Strategy,
        directives: &'a mut Directives,
        observers: &'a mut Observers,
        settings: Settings,
    ) -> Self {
        memory.choices.clear();
        with_kernel(|kernel| kernel.mutant = settings.mutant);
        let directed = !directives.is_empty();
        let every_step = strategy.wants_every_step();
        Self {
            directed,
            watched: observers.watch(),
            every_step,
            plain: !directed && !settings.time_any && !every_step,
            memory,
            strategy,
            directives,
            observers,
            settings,
            steps: 0,
            forced: false,
            ending: None,
        }
    }

    /// The first lane has come to its first step. Where the code begins otherwise than its model
    /// the run is over, and the first [`turn`](Self::turn) says so.
    pub fn begin(&mut self) {
        let begun = with_kernel(|kernel| {
            kernel.noting = self.directed || self.watched;
            self.observers.begin(kernel)
        });
        self.ending = begun.map_err(diverged).err();
    }

    /// Goes on to the next lane that moves, or to the end. It is called first when the first lane
    /// has come to its first step, and then each time that what it has asked for is done.
    #[inline]
    pub fn turn(&mut self) -> Turn {
        with_kernel(|kernel| self.go_on(kernel))
    }

    // A function of its own, so that what lends the kernel is small enough to be inlined.
    #[inline(never)]
    fn go_on(&mut self, kernel: &mut Kernel) -> Turn {
        if self.ending.is_some() {
            return Turn::Over;
        }
        if kernel.started > 0 {
            return Turn::Started;
        }
        match self.next(kernel) {
            Ok(lane) => Turn::Poll(lane),
            Err(ending) => self.end(ending),
        }
    }

    /// The lane that does its step next.
    #[inline(always)]
    fn next(&mut self, kernel: &mut Kernel) -> Result<LaneId, Box<Ending>> {
        if kernel.noting {
            self.stepped(kernel)?;
        }
        loop {
            self.count_step()?;
            let enabled = kernel.settle();
            let kept = if self.directed { kernel.kept(self.directives) } else { 0 };
            if self.watched {
                self.observers.enabled(kernel, enabled, kept).map_err(diverged)?;
            }
            // Most often nothing can happen but that a lane does its step.
            if self.plain && enabled != 0 && !kernel.signals_under_way() {
                return self.one_lane(kernel, enabled);
            }
            if let Some(lane) = self.one(kernel, enabled, kept)? {
                return Ok(lane);
            }
        }
    }

    #[inline]
    fn count_step(&mut self) -> Result<(), Box<Ending>> {
        if self.steps >= self.settings.steps_max {
            return Err(step_limit());
        }
        self.steps += 1;
        Ok(())
    }

    /// Does what is decided elsewhere: no strategy is asked, and a lane that is to step must be able
    /// to. It stands for [`turn`](Self::turn), and what the step before has started is polled first:
    /// [`Started`](Turn::Started) where there is no lane to poll.
    pub fn happens(&mut self, alternative: Alternative) -> Turn {
        if self.ending.is_some() {
            return Turn::Over;
        }
        let happened = with_kernel(|kernel| {
            self.stepped(kernel)?;
            self.count_step()?;
            let enabled = kernel.settle();
            self.observers.enabled(kernel, enabled, 0).map_err(diverged)?;
            self.carry_out(kernel, alternative)
        });
        match happened {
            Ok(lane) => lane.map_or(Turn::Started, Turn::Poll),
            Err(ending) => self.end(ending),
        }
    }

    fn end(&mut self, ending: Box<Ending>) -> Turn {
        self.ending = Some(ending);
        Turn::Over
    }

    /// A lane that the last step has started is about to be polled for the first time.
    pub fn begins(&mut self, lane: LaneId) {
        with_kernel(|kernel| kernel.current = lane);
    }

    /// A lane was polled; `ended` where its body has returned.
    #[inline]
    pub fn polled(&mut self, lane: LaneId, ended: bool) {
        if ended {
            with_kernel(|kernel| kernel.end_lane(lane));
        } else if self.directed {
            with_kernel(|kernel| {
                if let Some(parked) = kernel.parked(lane) {
                    self.directives.arrived(lane, parked);
                }
            });
        }
    }

    /// What the last step was is told to everybody, once.
    #[inline]
    fn stepped(&mut self, kernel: &mut Kernel) -> Result<(), Box<Ending>> {
        if kernel.last.is_none() {
            return Ok(());
        }
        if self.directed {
            self.tell_directives(kernel);
        }
        let told = self.observers.step(kernel);
        kernel.last = None;
        told.map_err(diverged)
    }

    fn tell_directives(&mut self, kernel: &Kernel) {
        let Some(record) = &kernel.last else { return };
        self.directives.did(record, kernel.completed(record));
        if self.forced && matches!(kernel.granted, Grant::Limited(_)) {
            self.directives.forced(record);
        }
    }

    /// The run is over: everybody is told. Returns how it has ended and its steps; the ending is
    /// [`StepLimit`](Ending::StepLimit) where its host gave up before the engine did.
    pub fn over(self) -> (Ending, u64) {
        with_kernel(|kernel| {
            self.strategy.ended(kernel);
            self.observers.end(kernel);
        });
        (self.ending.map_or(Ending::StepLimit, |ending| *ending), self.steps)
    }

    /// One choice and what it leads to: a lane to poll, or something that is done already.
    #[inline(never)]
    fn one(
        &mut self,
        kernel: &mut Kernel,
        enabled: u64,
        kept: u64,
    ) -> Result<Option<LaneId>, Box<Ending>> {
        let alternatives = &mut self.memory.alternatives;
        let directives = self.directed.then_some(&*self.directives);
        list(kernel, enabled, kept, self.settings.time_any, directives, alternatives);
        if self.every_step && alternatives.is_empty() {
            alternatives.push(Alternative::Pass);
        }
        let index = match alternatives[..] {
            [] => return self.pass(kernel).map(Some),
            [only] if !self.every_step => {
                self.strategy.passed(only);
                0
            }
            _ => self.choose(kernel)?,
        };
        let chosen = self.memory.alternatives[index];
        self.record(kernel, index, chosen);
        self.carry_out(kernel, chosen)
    }

    /// The same where nothing can happen but that one of these lanes does its step.
    #[inline(always)]
    fn one_lane(&mut self, kernel: &mut Kernel, can: u64) -> Result<LaneId, Box<Ending>> {
        let mut lane = first_of(can);
        if can.is_power_of_two() {
            self.strategy.passed(Alternative::Lane(lane));
        } else {
            let of = count_of(can);
            let index = self.strategy.choose_lane(kernel, can, of).map_err(halted)?.min(of - 1);
            lane = nth_of(can, index);
            let (step, occurrence) = place_of(kernel.parked(lane));
            let alternative = Alternative::Lane(lane);
            self.memory.choices.push(Choice { index, of, alternative, step, occurrence });
        }
        kernel.let_go(lane, Grant::Plain);
        Ok(lane)
    }

    /// The strategy chooses among the alternatives.
    fn choose(&mut self, kernel: &Kernel) -> Result<usize, Box<Ending>> {
        self.strategy.choose(kernel, &self.memory.alternatives).map_err(halted)
    }

    /// What was chosen belongs to the case where there was something else.
    #[inline]
    fn record(&mut self, kernel: &Kernel, index: usize, chosen: Alternative) {
        let of = self.memory.alternatives.len();
        if of > 1 {
            self.memory.choices.push(describe(kernel, index, of, chosen));
        }
    }

    fn carry_out(
        &mut self,
        kernel: &mut Kernel,
        alternative: Alternative,
    ) -> Result<Option<LaneId>, Box<Ending>> {
        let (lane, grant) = match alternative {
            Alternative::Lane(lane) => {
                let parked = kernel.parked(lane).filter(|_| self.directed);
                (lane, parked.map_or(Grant::Plain, |parked| self.directives.grant(lane, parked)))
            }
            Alternative::Expire(lane) => (lane, Grant::Expired),
            Alternative::Interrupt(index) => (self.directives.interrupt(index), Grant::Interrupted),
            Alternative::ShortHere(lane) | Alternative::InterruptHere(lane) => {
                self.directives.disturb_here();
                let short = matches!(alternative, Alternative::ShortHere(_));
                (lane, if short { Grant::Short(1) } else { Grant::Interrupted })
            }
            Alternative::Pass => return self.pass(kernel).map(Some),
            Alternative::Die(process) => {
                kernel.die(process);
                let died = self.observers.died(kernel, process);
                return died.map(|()| None).map_err(diverged);
            }
            Alternative::Kill(index) => {
                let (process, signal) = self.directives.land(index);
                return self.kill(kernel, process, signal);
            }
            Alternative::KillHere(process, signal) => {
                self.directives.kill_here();
                return self.kill(kernel, process, signal);
            }
        };
        self.grant(kernel, lane, grant);
        Ok(Some(lane))
    }

    fn kill(
        &mut self,
        kernel: &mut Kernel,
        process: ProcessId,
        signal: Signal,
    ) -> Result<Option<LaneId>, Box<Ending>> {
        self.observers.before_kill(kernel, process);
        kernel.kill(process, signal);
        let killed = self.observers.killed(kernel, process, signal);
        killed.map(|()| None).map_err(diverged)
    }

    /// Lets a lane do its step, once its host polls it.
    fn grant(&mut self, kernel: &mut Kernel, lane: LaneId, grant: Grant) {
        let (grant, forced) = match grant {
            Grant::Plain | Grant::Expired => (grant, false),
            _ => effective(kernel, lane, grant),
        };
        self.forced = forced;
        kernel.let_go(lane, grant);
    }

    /// Time passes to the earliest deadline; without one the run is over.
    #[inline(never)]
    fn pass(&mut self, kernel: &mut Kernel) -> Result<LaneId, Box<Ending>> {
        let kept = kernel.kept(self.directives);
        if let Some((lane, deadline)) = kernel.next_deadline(kept) {
            kernel.pass_to(deadline);
            self.strategy.passed(Alternative::Expire(lane));
            self.grant(kernel, lane, Grant::Expired);
            return Ok(lane);
        }
        Err(Box::new(match self.observers.compare_end(kernel) {
            Err(divergence) => Ending::Diverged(*divergence),
            Ok(()) if kernel.all_ended() => Ending::AllEnded,
            Ok(()) => Ending::Stuck,
        }))
    }
}

#[cold]
fn step_limit() -> Box<Ending> {
    Box::new(Ending::StepLimit)
}

#[cold]
#[expect(clippy::boxed_local, reason = "a strategy boxes why it ends a run")]
fn halted(halt: Box<Halt>) -> Box<Ending> {
    Box::new(match *halt {
        Halt::Diverged(diverged) => Ending::Replay(diverged),
        Halt::Redundant => Ending::Redundant,
        Halt::TooMany(too_many) => Ending::TooMany(too_many),
    })
}

#[expect(
    clippy::boxed_local,
    reason = "checks box what they find, so that finding nothing is cheap"
)]
fn diverged(divergence: Box<Divergence>) -> Box<Ending> {
    Box::new(Ending::Diverged(*divergence))
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
