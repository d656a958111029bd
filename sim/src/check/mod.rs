//! What is checked while a case runs, and what is noted for afterwards.

use std::sync::Arc;

use midput_model::contract::{Guarantee, Monitor, Violation};
use midput_model::event::{End, Event};
use midput_model::program::{LaneId, Outcome, ProcessId, Program, Signal};
use midput_model::queue::classic;

use crate::kernel::Kernel;
use crate::trace::TraceLog;

pub mod calls;
mod hazard;
mod lockstep;
mod sites;

pub use hazard::HazardWatch;
pub use lockstep::{Divergence, Lockstep};
pub use sites::{SiteSeen, SitesSeen};

/// Everybody who watches a run.
#[derive(Debug, Default)]
pub struct Observers {
    /// The model, step by step beside the code.
    pub lockstep: Option<Lockstep>,
    /// The guarantees, over the history.
    pub monitor: Option<Monitor>,
    /// What a trace is rendered from, where one is asked for.
    pub trace: Option<TraceLog>,
    /// The sites that runs come to, where a census asks for them.
    pub sites: Option<SitesSeen>,
    /// What the kills found.
    pub kills: Vec<KillFound>,
    /// Whether the model's state after each death is kept.
    pub keep_states: bool,
    /// Who died, and the model's state right after it.
    pub deaths: Vec<(ProcessId, classic::State)>,
    /// What every call returned, in order.
    pub returns: Vec<(LaneId, Outcome)>,
    /// All that has happened, where it is kept.
    pub history: Vec<Event>,
    /// Whether it is.
    pub keep_history: bool,
    /// How things stood at the end.
    pub end: End,
    /// The lanes of the program where others are a server's, which wait for ever and for nobody.
    pub lanes_max: Option<usize>,
    /// How much has happened: steps, expiries, kills and deaths.
    pub actions: u64,
    /// The guarantees that were broken before the end, each with the actions until it was.
    pub broken: Vec<(Guarantee, u64)>,
}

/// What a kill found: where its victim's lanes stood and which locks they held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillFound {
    /// Whom it hit.
    pub process: ProcessId,
    /// The roles of the locks that the victim held.
    pub held: Vec<&'static str>,
}

impl Observers {
    /// Lockstep with the model where there is one, and the guarantees.
    pub fn new(program: &Program, machine: Option<&Arc<classic::Classic>>) -> Self {
        Self {
            lockstep: machine.map(|machine| Lockstep::new(Arc::clone(machine))),
            monitor: Some(Monitor::new(program)),
            lanes_max: program.is_managed().then(|| program.lanes().len()),
            ..Self::default()
        }
    }

    /// Makes everything ready for the next run of the same program.
    pub fn reset(&mut self) {
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.reset();
        }
        if let Some(monitor) = &mut self.monitor {
            monitor.reset();
        }
        self.kills.clear();
        self.deaths.clear();
        self.returns.clear();
        self.history.clear();
        self.end.blocked.clear();
        self.actions = 0;
        self.broken.clear();
    }

    /// Whether anybody wants to know of each step, beside what the calls return.
    pub(crate) fn watch(&self) -> bool {
        self.lockstep.is_some()
            || self.monitor.is_some()
            || self.trace.is_some()
            || self.sites.is_some()
    }

    pub(crate) fn begin(&mut self, kernel: &mut Kernel) -> Result<(), Box<Divergence>> {
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.begin(kernel)?;
        }
        self.take_events(kernel);
        Ok(())
    }

    /// Who can step must be who can step in the model.
    #[inline]
    pub(crate) fn enabled(
        &mut self,
        kernel: &Kernel,
        enabled: u64,
        kept: u64,
    ) -> Result<(), Box<Divergence>> {
        if let Some(sites) = &mut self.sites {
            sites.standing(kernel, enabled);
        }
        match &self.lockstep {
            Some(lockstep) => lockstep.enabled(kernel, enabled, kept),
            None => Ok(()),
        }
    }

    /// A lane has done the kernel's last step.
    pub(crate) fn step(&mut self, kernel: &mut Kernel) -> Result<(), Box<Divergence>> {
        let Some(record) = &kernel.last else { return Ok(()) };
        self.actions += 1;
        let result = match &mut self.lockstep {
            Some(lockstep) => lockstep.step(kernel, record),
            None => Ok(()),
        };
        if let Some(sites) = &mut self.sites {
            sites.did(record);
        }
        self.take_events(kernel);
        result
    }

    /// A process is about to be killed.
    pub(crate) fn before_kill(&mut self, kernel: &Kernel, process: ProcessId) {
        let held = kernel.semaphores.iter().filter_map(|semaphore| {
            let holder = semaphore.holder?;
            (kernel.process_of(holder) == process).then_some(semaphore.role)
        });
        self.kills.push(KillFound { process, held: held.collect() });
    }

    /// A process was killed from outside.
    pub(crate) fn killed(
        &mut self,
        kernel: &mut Kernel,
        process: ProcessId,
        signal: Signal,
    ) -> Result<(), Box<Divergence>> {
        self.actions += 1;
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.killed(kernel, process, signal)?;
        }
        if let Some(trace) = &mut self.trace {
            trace.killed(kernel, process, signal);
        }
        self.take_events(kernel);
        Ok(())
    }

    /// A process died of a signal that it was sent before.
    pub(crate) fn died(
        &mut self,
        kernel: &mut Kernel,
        process: ProcessId,
    ) -> Result<(), Box<Divergence>> {
        self.actions += 1;
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.died(kernel, process)?;
        }
        self.take_events(kernel);
        Ok(())
    }

    /// Nothing more can happen: that must be so in the model too.
    pub(crate) fn compare_end(&self, kernel: &Kernel) -> Result<(), Box<Divergence>> {
        self.lockstep.as_ref().map_or(Ok(()), |lockstep| lockstep.end(kernel))
    }

    /// The run is over.
    pub(crate) fn end(&mut self, kernel: &mut Kernel) {
        self.end = kernel.end();
        if let Some(lanes) = self.lanes_max {
            self.end.blocked.retain(|blocked| usize::from(blocked.lane.0) < lanes);
        }
        self.take_events(kernel);
        if let Some(trace) = &mut self.trace {
            trace.end(kernel);
        }
        if let Some(sites) = &mut self.sites {
            sites.end();
        }
    }

    /// The guarantees that the run broke.
    pub fn violations(&self) -> Vec<Violation> {
        self.monitor.as_ref().map(|monitor| monitor.conclude(&self.end)).unwrap_or_default()
    }

    /// What has happened in the kernel goes to those who want to know.
    #[inline]
    fn take_events(&mut self, kernel: &mut Kernel) {
        if !kernel.events.is_empty() || self.trace.is_some() {
            self.tell(kernel);
        }
    }

    fn tell(&mut self, kernel: &mut Kernel) {
        if let Some(monitor) = &mut self.monitor {
            for event in &kernel.events {
                monitor.observe(event);
            }
            let fresh = monitor.found().iter().skip(self.broken.len());
            self.broken.extend(fresh.map(|it| (it.guarantee, self.actions)));
        }
        if let Some(trace) = &mut self.trace {
            trace.note(kernel, kernel.last.as_ref());
        }
        for event in &kernel.events {
            match (*event, &self.lockstep) {
                (Event::Return { lane, outcome }, _) => self.returns.push((lane, outcome)),
                (Event::Death { process, .. }, Some(lockstep)) if self.keep_states => {
                    self.deaths.push((process, lockstep.state().clone()));
                }
                _ => {}
            }
        }
        if self.keep_history {
            self.history.extend_from_slice(&kernel.events);
        }
        kernel.events.clear();
    }
}
