//! One run, step by step: what can happen, what is chosen, what it leads to. It polls nothing: a
//! host does, and tells the engine.

use midput_model::program::{LaneId, ProcessId, Signal};

use super::alternative::{Alternative, Choice, describe, list};
use super::directive::Directives;
use crate::check::{Divergence, Observers};
use crate::kernel::{Grant, Kernel, with_kernel};
use crate::schedule::{Halt, ReplayDiverged, Strategy};

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
}

impl Default for Settings {
    fn default() -> Self {
        Self { steps_max: 100_000, time_any: false }
    }
}

/// What the engine asks of its host.
#[derive(Clone, Debug)]
pub enum Turn {
    /// To poll this lane once.
    Poll(LaneId),
    /// To poll the lanes that the last step has started, each once.
    Started,
    /// Nothing more: the run has ended.
    Over(Ending),
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
    steps: u64,
    /// How the lane that is polled now was let, and whether its transfer was cut by force.
    granted: (Grant, bool),
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
        let granted = (Grant::Plain, false);
        let directed = !directives.is_empty();
        Self { memory, strategy, directives, observers, settings, directed, steps: 0, granted }
    }

    /// The first lane has come to its first step.
    ///
    /// # Errors
    /// The ending, where the code begins otherwise than its model.
    pub fn begin(&mut self) -> Result<(), Ending> {
        with_kernel(|kernel| self.observers.begin(kernel)).map_err(Ending::Diverged)
    }

    /// Goes on to the next lane that moves, or to the end. It is called first when the first lane
    /// has come to its first step, and then each time that what it has asked for is done.
    pub fn turn(&mut self) -> Turn {
        with_kernel(|kernel| {
            if kernel.started > 0 {
                return Turn::Started;
            }
            if let Err(ending) = self.stepped(kernel) {
                return Turn::Over(ending);
            }
            loop {
                if self.steps >= self.settings.steps_max {
                    return Turn::Over(Ending::StepLimit);
                }
                self.steps += 1;
                match self.one(kernel) {
                    Ok(Some(lane)) => {
                        kernel.current = lane;
                        return Turn::Poll(lane);
                    }
                    Ok(None) => {}
                    Err(ending) => return Turn::Over(ending),
                }
            }
        })
    }

    /// Does what is decided elsewhere: no strategy is asked, and a lane that is to step must be able
    /// to. `None` where there is no lane to poll. It stands for [`turn`](Self::turn), and what the
    /// step before has started is polled first.
    ///
    /// # Errors
    /// The ending, where the run is over.
    pub fn happens(&mut self, alternative: Alternative) -> Result<Option<LaneId>, Ending> {
        with_kernel(|kernel| {
            self.stepped(kernel)?;
            if self.steps >= self.settings.steps_max {
                return Err(Ending::StepLimit);
            }
            self.steps += 1;
            self.observers.enabled(kernel, kernel.enabled(), 0).map_err(Ending::Diverged)?;
            let lane = self.carry_out(kernel, alternative)?;
            kernel.current = lane.unwrap_or(kernel.current);
            Ok(lane)
        })
    }

    /// A lane that the last step has started is about to be polled for the first time.
    pub fn begins(&mut self, lane: LaneId) {
        with_kernel(|kernel| kernel.current = lane);
    }

    /// A lane was polled; `ended` where its body has returned.
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

    /// What the last step was is told to everybody.
    fn stepped(&mut self, kernel: &mut Kernel) -> Result<(), Ending> {
        let (grant, forced) = self.granted;
        let Some(record) = kernel.last.take() else { return Ok(()) };
        if self.directed {
            let completes = kernel.completed(&record);
            self.directives.did(&record, completes);
            if forced && matches!(grant, Grant::Limited(_)) {
                self.directives.forced(&record);
            }
        }
        self.observers.step(kernel, &record, grant).map_err(Ending::Diverged)
    }

    /// The run is over: everybody is told. Returns its steps.
    pub fn over(self) -> u64 {
        with_kernel(|kernel| {
            self.strategy.ended(kernel);
            self.observers.end(kernel);
        });
        self.steps
    }

    /// One choice and what it leads to: a lane to poll, or something that is done already.
    fn one(&mut self, kernel: &mut Kernel) -> Result<Option<LaneId>, Ending> {
        let enabled = kernel.enabled();
        let kept = if self.directed { kernel.kept(self.directives) } else { 0 };
        self.observers.enabled(kernel, enabled, kept).map_err(Ending::Diverged)?;
        let alternatives = &mut self.memory.alternatives;
        let time_any = self.settings.time_any;
        let directives = self.directed.then_some(&*self.directives);
        list(kernel, enabled, kept, time_any, directives, alternatives);
        let every_step = self.strategy.wants_every_step();
        if every_step && alternatives.is_empty() {
            alternatives.push(Alternative::Pass);
        }
        let index = match alternatives.len() {
            0 => return self.pass(kernel).map(Some),
            1 if !every_step => {
                self.strategy.passed(alternatives[0]);
                0
            }
            _ => self.strategy.choose(kernel, alternatives).map_err(|halt| match halt {
                Halt::Diverged(diverged) => Ending::Replay(diverged),
                Halt::Redundant => Ending::Redundant,
            })?,
        };
        let of = alternatives.len();
        let alternative = alternatives[index];
        if of > 1 {
            self.memory.choices.push(describe(kernel, index, of, alternative));
        }
        self.carry_out(kernel, alternative)
    }

    fn carry_out(
        &mut self,
        kernel: &mut Kernel,
        alternative: Alternative,
    ) -> Result<Option<LaneId>, Ending> {
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
                return died.map(|()| None).map_err(Ending::Diverged);
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
    ) -> Result<Option<LaneId>, Ending> {
        self.observers.before_kill(kernel, process);
        kernel.kill(process, signal);
        let killed = self.observers.killed(kernel, process, signal);
        killed.map(|()| None).map_err(Ending::Diverged)
    }

    /// Lets a lane do its step, once its host polls it.
    fn grant(&mut self, kernel: &mut Kernel, lane: LaneId, grant: Grant) {
        self.granted = match grant {
            Grant::Plain | Grant::Expired => (grant, false),
            _ => effective(kernel, lane, grant),
        };
        kernel.let_go(lane, self.granted.0);
    }

    /// Time passes to the earliest deadline; without one the run is over.
    fn pass(&mut self, kernel: &mut Kernel) -> Result<LaneId, Ending> {
        let kept = kernel.kept(self.directives);
        if let Some((lane, deadline)) = kernel.next_deadline(kept) {
            kernel.clock = kernel.clock.max(deadline);
            self.strategy.passed(Alternative::Expire(lane));
            self.grant(kernel, lane, Grant::Expired);
            return Ok(lane);
        }
        Err(match self.observers.compare_end(kernel) {
            Err(divergence) => Ending::Diverged(divergence),
            Ok(()) if kernel.all_ended() => Ending::AllEnded,
            Ok(()) => Ending::Stuck,
        })
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
