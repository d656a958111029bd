//! Lockstep: each step of the real code must be a step of the model, with the same result, and
//! whoever cannot step here must not be able to step there.

use std::collections::BTreeSet;
use std::ptr;
use std::sync::Arc;

use arrayvec::ArrayVec;
use midput_model::event::{End, Event};
use midput_model::machine::{Machine, Refused};
use midput_model::program::{LaneId, ProcessId, Signal};
use midput_model::queue::classic::{Action, Classic, Covered, Point, Ready, State};
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
    names: Names,
    /// What the model's latest action has added to the history.
    events: ArrayVec<Event, 4>,
}

/// For each of the model's points, the name that the code has for the step there.
///
/// Names are literals on both sides. The first time that one is met it is compared byte for byte;
/// from then on it is enough that it stands where that one stood.
#[derive(Clone, Debug)]
struct Names([&'static str; Point::ALL.len()]);

impl Names {
    #[inline]
    fn agree(&mut self, point: Point, name: &'static str) -> bool {
        let known = &mut self.0[point as usize];
        if ptr::eq(*known, name) {
            return true;
        }
        let agree = point.step() == name;
        if agree {
            *known = name;
        }
        agree
    }
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
            names: Names(Point::ALL.map(Point::step)),
            events: ArrayVec::new(),
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

    pub(crate) fn begin(&self, kernel: &Kernel) -> Result<(), Box<Divergence>> {
        compare_events(kernel, "the beginning", &self.first_events)
    }

    #[inline]
    pub(crate) fn enabled(
        &self,
        kernel: &Kernel,
        enabled: u64,
        kept: u64,
    ) -> Result<(), Box<Divergence>> {
        let differing = (self.ready.lanes() ^ enabled) & !kept;
        if differing != 0 {
            return Err(self.cannot_agree(kernel, enabled, differing));
        }
        if self.has_deadlines { self.deadlines(kernel) } else { Ok(()) }
    }

    /// Some lanes can step here and not in the model, or there and not here.
    #[cold]
    fn cannot_agree(&self, kernel: &Kernel, enabled: u64, differing: u64) -> Box<Divergence> {
        let model = self.ready.lanes();
        let lane = LaneId(differing.trailing_zeros().to_le_bytes()[0]);
        let word = |can: u64| if can & (1 << lane.0) != 0 { "can" } else { "cannot" };
        let site = kernel.parked(lane).map_or("no step", |parked| parked.site.name);
        Box::new(Divergence {
            at: format!("{} {site}", kernel.lane_name(lane)),
            expected: format!("that it {} do {}", word(model), self.machine_point(lane)),
            found: format!("it {} do {site}", word(enabled)),
        })
    }

    /// Being stuck is being stuck in the model, in the same steps; having ended is having ended.
    pub(crate) fn end(&self, kernel: &Kernel) -> Result<(), Box<Divergence>> {
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
        let (expected, found) = (words(&model), words(&here));
        Err(Box::new(Divergence { at: "the end".to_owned(), expected, found }))
    }

    /// Where time is patient, waits have as long as in the model.
    fn deadlines(&self, kernel: &Kernel) -> Result<(), Box<Divergence>> {
        for (lane, current) in (0u8..).map(LaneId).zip(&self.state.lanes) {
            // Few lanes have one: the kernel is asked about those alone.
            let Some(model) = current.remaining_ms else { continue };
            let Some(here) = kernel.remaining(lane) else { continue };
            if here.as_millis() != u128::from(model) {
                let site = kernel.parked(lane).map_or("no step", |parked| parked.site.name);
                return Err(Box::new(Divergence {
                    at: format!("{} {site}", kernel.lane_name(lane)),
                    expected: format!("a wait of {model} ms at most"),
                    found: format!("one of {} ms", here.as_millis()),
                }));
            }
        }
        Ok(())
    }

    /// What a write has put into the pipe begins with the frame's header (`WF1`).
    fn header(&self, kernel: &Kernel, record: &Record, moved: u32) -> Result<(), Box<Divergence>> {
        if !matches!(record.site.name, "write-frame" | "write-header") {
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
            return Err(Box::new(Divergence {
                at: kernel.lane_name(record.lane).to_owned(),
                expected: "a header of the length, most significant byte first".into(),
                found: "other bytes".into(),
            }));
        }
        Ok(())
    }

    fn machine_point(&self, lane: LaneId) -> &'static str {
        self.state.lanes.get(usize::from(lane.0)).map_or("no step", |it| it.point.step())
    }

    #[inline(always)]
    pub(crate) fn step(&mut self, kernel: &Kernel, record: &Record) -> Result<(), Box<Divergence>> {
        let (lane, grant) = (record.lane, kernel.granted);
        let before = self.state.lanes.get(usize::from(lane.0)).map(|it| (it.point, it.moved));
        let Some((point, moved)) = before else {
            return Err(differ(kernel, record, "no such lane".into()));
        };
        let agree = self.names.agree(point, record.site.name);
        if !agree || moved as usize != record.site.offset {
            return Err(elsewhere(kernel, record, point, moved));
        }
        self.events.clear();
        let stepped = if grant == Grant::Plain && self.ready.lanes() & (1 << lane.0) != 0 {
            self.step_plainly(lane, point)
        } else {
            self.act(lane, point, grant, record.result)
        };
        let result = match stepped {
            Ok(result) => result,
            Err(refused) => {
                return Err(differ(kernel, record, format!("something else: {refused}")));
            }
        };
        let stepped = Some((lane, point));
        self.hazards.observe(&self.machine, &self.state, stepped, result, &self.events);
        if result != record.result {
            return Err(differ(kernel, record, format!("{} with {result:?}", point.step())));
        }
        let silent = self.events.is_empty() && kernel.events.is_empty();
        if !silent && self.events[..] != kernel.events[..] {
            return compare_events(kernel, &site(kernel, record), &self.events);
        }
        match result {
            StepResult::Moved(moved) if moved > 0 => self.header(kernel, record, moved),
            _ => Ok(()),
        }
    }

    /// The model's lane can do its step, and does it: what most steps are.
    #[inline]
    fn step_plainly(&mut self, lane: LaneId, point: Point) -> Result<StepResult, Refused> {
        let (machine, state) = (&*self.machine, &mut self.state);
        let result = machine.step_ready(state, lane, None, &mut self.events)?;
        self.ready.stepped(machine, state, lane, point);
        self.covered.add(&Action::Step { lane }, point, state.lane(lane).point, result);
        Ok(result)
    }

    /// The model does what the code was let do.
    fn act(
        &mut self,
        lane: LaneId,
        point: Point,
        grant: Grant,
        answered: StepResult,
    ) -> Result<StepResult, Refused> {
        let action = match (grant, answered) {
            (Grant::Expired, _) => Action::Expire { lane },
            (Grant::Interrupted, _) => Action::Interrupt { lane },
            (Grant::Short(_) | Grant::Limited(_), StepResult::Moved(bytes)) => {
                Action::Short { lane, bytes }
            }
            _ => Action::Step { lane },
        };
        let result = self.machine.act(&mut self.state, &action, &mut self.events)?;
        // The deadlines of others may come nearer, too.
        self.ready = Ready::new(&self.machine, &self.state);
        self.covered.add(&action, point, self.state.lane(lane).point, result);
        Ok(result)
    }

    pub(crate) fn killed(
        &mut self,
        kernel: &Kernel,
        process: ProcessId,
        signal: Signal,
    ) -> Result<(), Box<Divergence>> {
        self.death(kernel, &Action::Kill { process, signal })
    }

    pub(crate) fn died(
        &mut self,
        kernel: &Kernel,
        process: ProcessId,
    ) -> Result<(), Box<Divergence>> {
        self.death(kernel, &Action::Die { process })
    }

    fn death(&mut self, kernel: &Kernel, action: &Action) -> Result<(), Box<Divergence>> {
        let at = format!("{action:?}");
        self.events.clear();
        let applied = self.machine.act(&mut self.state, action, &mut self.events);
        let result = applied.map_err(|refused| {
            let expected = format!("something else: {refused}");
            Box::new(Divergence { at: at.clone(), expected, found: "a death".into() })
        })?;
        self.ready = Ready::new(&self.machine, &self.state);
        self.covered.add(action, Point::Ended, Point::Ended, result);
        self.hazards.observe(&self.machine, &self.state, None, result, &self.events);
        compare_events(kernel, &at, &self.events)
    }
}

fn site(kernel: &Kernel, record: &Record) -> String {
    format!("{} {}[{}]", kernel.lane_name(record.lane), record.site.name, record.occurrence)
}

/// The code did something else than the model expects.
#[cold]
fn differ(kernel: &Kernel, record: &Record, expected: String) -> Box<Divergence> {
    let found = format!("{} with {:?}", record.site.name, record.result);
    Box::new(Divergence { at: site(kernel, record), expected, found })
}

/// The code stood at another step than the model, or at another byte of its transfer.
#[cold]
fn elsewhere(kernel: &Kernel, record: &Record, point: Point, moved: u32) -> Box<Divergence> {
    Box::new(Divergence {
        at: site(kernel, record),
        expected: format!("{} at offset {moved}", point.step()),
        found: format!("{} at offset {}", record.site.name, record.site.offset),
    })
}

fn compare_events(kernel: &Kernel, at: &str, expected: &[Event]) -> Result<(), Box<Divergence>> {
    if *expected == kernel.events[..] {
        return Ok(());
    }
    Err(Box::new(Divergence {
        at: at.to_owned(),
        expected: format!("{expected:?}"),
        found: format!("{:?}", kernel.events),
    }))
}
