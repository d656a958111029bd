//! Lockstep: each step of the real code must be a step of the model, with the same result, and
//! whoever cannot step here must not be able to step there.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrayvec::ArrayVec;
use midput_model::event::{End, Event};
use midput_model::machine::{Machine, Refused};
use midput_model::program::{LaneId, ProcessId, Signal};
use midput_model::queue::classic::{Action, Classic, Covered, Observation, Point, Ready, State};
use midput_model::step::StepResult;

use midput_scenarios::Hazard;

use super::hazard::HazardWatch;
use crate::kernel::{Grant, Kernel, Record};

/// Where code and model part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {at}: the model expects {expected}; the code did {found}")]
pub struct Divergence {
    /// The site.
    pub at: String,
    /// What the model would have.
    pub expected: String,
    /// What happened.
    pub found: String,
}

/// The model beside a running program.
#[derive(Clone, Debug)]
pub struct Lockstep {
    machine: Arc<Classic>,
    initial: State,
    first_events: ArrayVec<Event, 4>,
    /// Whether any call of the program has a deadline.
    has_deadlines: bool,
    state: State,
    /// The lanes that can step in `state`, and in `initial`.
    ready: Ready,
    initially_ready: Ready,
    hazards: HazardWatch,
    covered: Covered,
}

impl Lockstep {
    /// The model of `machine`, from its beginning.
    pub fn new(machine: Arc<Classic>) -> Self {
        let initial = machine.initial();
        let ready = Ready::new(&machine, &initial);
        Self {
            state: initial.clone(),
            initial,
            initially_ready: ready.clone(),
            ready,
            first_events: machine.first_events(),
            has_deadlines: machine.program().has_deadlines(),
            hazards: HazardWatch::default(),
            machine,
            covered: Covered::default(),
        }
    }

    /// Back to the beginning.
    pub fn reset(&mut self) {
        self.state.clone_from(&self.initial);
        self.ready = self.initially_ready.clone();
        self.hazards.reset();
        self.covered = Covered::default();
    }

    /// The model's machine.
    pub fn machine(&self) -> &Classic {
        &self.machine
    }

    /// The hazards that the run has shown.
    pub fn hazards(&self) -> BTreeSet<Hazard> {
        self.hazards.conclude(&self.machine, &self.state)
    }

    /// The actions of the model that the run has come to.
    pub fn covered(&self) -> &Covered {
        &self.covered
    }

    /// The model's state now.
    pub fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn begin(&self, kernel: &Kernel) -> Result<(), Divergence> {
        compare_events(kernel, "the beginning", &self.first_events)
    }

    pub(crate) fn enabled(
        &self,
        kernel: &Kernel,
        enabled: u64,
        kept: u64,
    ) -> Result<(), Divergence> {
        let model = self.ready.lanes();
        let differing = (model ^ enabled) & !kept;
        if differing == 0 {
            return self.deadlines(kernel);
        }
        let lane = LaneId(differing.trailing_zeros().to_le_bytes()[0]);
        let word = |can: u64| if can & (1 << lane.0) != 0 { "can" } else { "cannot" };
        let site = kernel.parked(lane).map_or("no step", |parked| parked.site.name);
        Err(Divergence {
            at: format!("{} {site}", kernel.lane_name(lane)),
            expected: format!("that it {} do {}", word(model), self.machine_point(lane)),
            found: format!("it {} do {site}", word(enabled)),
        })
    }

    /// Being stuck is being stuck in the model, in the same steps; having ended is having ended.
    pub(crate) fn end(&self, kernel: &Kernel) -> Result<(), Divergence> {
        let (here, model) = (kernel.end(), self.machine.end(&self.state));
        if here == model {
            return Ok(());
        }
        let words = |end: &End| {
            let blocked = end
                .blocked
                .iter()
                .map(|it| format!("{} in {}+{}", kernel.lane_name(it.lane), it.step, it.offset));
            match blocked.collect::<Vec<_>>().join(", ") {
                nobody if nobody.is_empty() => "nobody blocked".to_owned(),
                blocked => format!("blocked: {blocked}"),
            }
        };
        Err(Divergence { at: "the end".to_owned(), expected: words(&model), found: words(&here) })
    }

    /// Where time is patient, waits have as long as in the model.
    fn deadlines(&self, kernel: &Kernel) -> Result<(), Divergence> {
        if !self.has_deadlines {
            return Ok(());
        }
        for (lane, current) in (0u8..).map(LaneId).zip(&self.state.lanes) {
            // Few lanes have one: the kernel is asked about those alone.
            let Some(model) = current.remaining_ms else { continue };
            let Some(here) = kernel.remaining(lane) else { continue };
            if here.as_millis() != u128::from(model) {
                let site = kernel.parked(lane).map_or("no step", |parked| parked.site.name);
                return Err(Divergence {
                    at: format!("{} {site}", kernel.lane_name(lane)),
                    expected: format!("a wait of {model} ms at most"),
                    found: format!("one of {} ms", here.as_millis()),
                });
            }
        }
        Ok(())
    }

    /// What a write has put into the pipe begins with the frame's header (`WF1`).
    fn header(&self, kernel: &Kernel, record: &Record) -> Result<(), Divergence> {
        let StepResult::Moved(moved) = record.result else { return Ok(()) };
        if !matches!(record.site.name, "write-frame" | "write-header") || moved == 0 {
            return Ok(());
        }
        let offset = record.site.offset;
        let item = self.state.queues.iter().zip(&kernel.pipes).find_map(|(queue, pipe)| {
            let run = queue.content.back()?;
            let writes = self.state.lane(record.lane).item == Some(run.item);
            writes.then_some((run.item, &pipe.bytes))
        });
        let Some((item, bytes)) = item else { return Ok(()) };
        let header = self.machine.program().items[usize::from(item.0)].bytes.to_be_bytes();
        let written = bytes.iter().skip(bytes.len().saturating_sub(moved as usize));
        let differs =
            header.iter().skip(offset).zip(written).any(|(wanted, found)| wanted != found);
        if differs {
            return Err(Divergence {
                at: kernel.lane_name(record.lane).to_owned(),
                expected: "a header of the length, most significant byte first".into(),
                found: "other bytes".into(),
            });
        }
        Ok(())
    }

    fn machine_point(&self, lane: LaneId) -> &'static str {
        self.state.lanes.get(usize::from(lane.0)).map_or("no step", |it| it.point.step())
    }

    pub(crate) fn step(
        &mut self,
        kernel: &Kernel,
        record: &Record,
        grant: Grant,
    ) -> Result<(), Divergence> {
        let lane = record.lane;
        let action = match (grant, record.result) {
            (Grant::Expired, _) => Action::Expire { lane },
            (Grant::Interrupted, _) => Action::Interrupt { lane },
            (Grant::Short(_) | Grant::Limited(_), StepResult::Moved(bytes)) => {
                Action::Short { lane, bytes }
            }
            _ => Action::Step { lane },
        };
        let at = || {
            let name = kernel.lane_name(lane);
            format!("{name} {}[{}]", record.site.name, record.occurrence)
        };
        let found = || format!("{} with {:?}", record.site.name, record.result);
        let before = self.state.lanes.get(usize::from(lane.0)).map(|it| (it.point, it.moved));
        let Some((point, moved)) = before else {
            return Err(Divergence { at: at(), expected: "no such lane".into(), found: found() });
        };
        let offset = record.site.offset as u64;
        if point.step() != record.site.name || u64::from(moved) != offset {
            let expected = format!("{} at offset {moved}", point.step());
            let found = format!("{} at offset {offset}", record.site.name);
            return Err(Divergence { at: at(), expected, found });
        }
        let applied = self.machine.apply(&mut self.state, &action);
        let observation = match &applied {
            Ok(observation) => observation,
            Err(refused) => return Err(refusal(at(), refused, found())),
        };
        match action {
            // The deadlines of others come nearer, too.
            Action::Expire { .. } => self.ready = Ready::new(&self.machine, &self.state),
            _ => self.ready.stepped(&self.machine, &self.state, lane, point),
        }
        self.covered.add(&action, point, self.state.lane(lane).point, observation.result);
        self.hazards.observe(&self.machine, &self.state, observation);
        self.compare(kernel, record, observation, at)?;
        self.header(kernel, record)
    }

    fn compare(
        &self,
        kernel: &Kernel,
        record: &Record,
        observation: &Observation,
        at: impl Fn() -> String,
    ) -> Result<(), Divergence> {
        if observation.result != record.result {
            return Err(Divergence {
                at: at(),
                expected: format!("{} with {:?}", observation.step, observation.result),
                found: format!("{} with {:?}", record.site.name, record.result),
            });
        }
        if observation.events[..] != kernel.events[..] {
            return compare_events(kernel, &at(), &observation.events);
        }
        Ok(())
    }

    pub(crate) fn killed(
        &mut self,
        kernel: &Kernel,
        process: ProcessId,
        signal: Signal,
    ) -> Result<(), Divergence> {
        self.death(kernel, &Action::Kill { process, signal })
    }

    pub(crate) fn died(&mut self, kernel: &Kernel, process: ProcessId) -> Result<(), Divergence> {
        self.death(kernel, &Action::Die { process })
    }

    fn death(&mut self, kernel: &Kernel, action: &Action) -> Result<(), Divergence> {
        let at = format!("{action:?}");
        let observation = self
            .machine
            .apply(&mut self.state, action)
            .map_err(|refused| refusal(at.clone(), &refused, "a death".into()))?;
        self.ready = Ready::new(&self.machine, &self.state);
        self.covered.add(action, Point::Ended, Point::Ended, observation.result);
        self.hazards.observe(&self.machine, &self.state, &observation);
        compare_events(kernel, &at, &observation.events)
    }
}

fn refusal(at: String, refused: &Refused, found: String) -> Divergence {
    Divergence { at, expected: format!("something else: {refused}"), found }
}

fn compare_events(kernel: &Kernel, at: &str, expected: &[Event]) -> Result<(), Divergence> {
    if *expected == kernel.events[..] {
        return Ok(());
    }
    Err(Divergence {
        at: at.to_owned(),
        expected: format!("{expected:?}"),
        found: format!("{:?}", kernel.events),
    })
}
