//! The manager's model, held against a history: is there a run of the model in which the same calls
//! are made and return the same, and the same processes die?
//!
//! It is coarser than lockstep: of what the server and its clients do between calls and returns the
//! history says nothing, so all of it that the model allows is followed at once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use midput_model::contract::{Guarantee, Historic, Monitor, Violation};
use midput_model::event::{End, Event};
use midput_model::explore::fingerprint;
use midput_model::machine::Machine;
use midput_model::program::{Exit, LaneId, Outcome, ProcessId};
use midput_model::queue::classic::Time;
use midput_model::queue::manager::{Environment, Manager, NotModelled, State};
use midput_scenarios::{Hazard, Scenario};

use super::Divergence;

/// At most so many states of the model are followed between two events.
const STATES_MAX: usize = 100_000;

/// The manager's machine of a scenario, in which the environment may kill as often as it likes. Its
/// server is part of P0.
///
/// # Errors
/// Where no server owns its queues.
pub fn machine(scenario: &Scenario, time: Time) -> Result<Manager, NotModelled> {
    let processes = (0u8..).map(ProcessId).take(scenario.program.processes.len());
    let environment = Environment {
        time,
        kills: u8::MAX,
        victims: processes.collect(),
        host: Some(ProcessId(0)),
        ..Environment::default()
    };
    Manager::of(scenario.program.clone(), environment)
}

/// The manager's machine of a scenario, with what may happen in its cases.
///
/// # Errors
/// Where no server owns its queues.
pub fn explored_machine(
    scenario: &Scenario,
    time: Time,
    kills: bool,
) -> Result<Manager, NotModelled> {
    let environment = Environment {
        time,
        kills: if kills { scenario.faults.kills_max } else { 0 },
        victims: scenario.faults.victims.clone(),
        host: Some(ProcessId(0)),
        ..Environment::default()
    };
    Manager::of(scenario.program.clone(), environment)
}

/// What is known of the deaths of a run.
#[derive(Clone, Debug)]
pub enum Deaths {
    /// They are in the history, in their places.
    InOrder,
    /// They are not: this is known of each process.
    Somewhere(Vec<Death>),
}

/// What is known of one process's death.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// So many events of the history were before it.
    pub after: usize,
    /// Whether a kill of the run ended it.
    pub killed: bool,
}

/// A history that the model has, too.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The hazards that every run of the model with this history shows.
    pub hazards: BTreeSet<Hazard>,
    /// The guarantees that it breaks: as few as can be, where the places of deaths are not known.
    pub violations: Vec<Violation>,
}

/// Why nothing is known: the model does much more than can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {STATES_MAX} states of the model between two events")]
pub struct TooMuch;

/// A state of the model, and how many events were before each death that no history records.
#[derive(Clone, Debug)]
struct Standing {
    state: State,
    deaths: Vec<(usize, Event)>,
}

type Standings = BTreeMap<u64, Standing>;

/// Looks for runs of the model with this history and this end.
///
/// # Errors
/// [`TooMuch`] where it cannot be said.
pub fn explain(
    machine: &Manager,
    history: &[Event],
    end: &End,
    deaths: &Deaths,
) -> Result<Result<Explained, Box<Divergence>>, TooMuch> {
    let search = Search { machine, deaths };
    let first = Standing { state: machine.initial(), deaths: Vec::new() };
    let mut now = Standings::from([(fingerprint(&first.state), first)]);
    for (index, event) in history.iter().enumerate() {
        let mut expected = BTreeSet::new();
        let mut next = Standings::new();
        for (standing, observed) in search.follow(&mut now, index)? {
            if is_same(&observed, event) {
                next.entry(fingerprint(&standing.state)).or_insert(standing);
            } else {
                expected.insert(format!("{observed:?}"));
            }
        }
        if next.is_empty() {
            let at = format!("event {} of the history", index + 1);
            let expected = expected.into_iter().collect::<Vec<_>>().join(" or ");
            return Ok(Err(Box::new(Divergence { at, expected, found: format!("{event:?}") })));
        }
        now = next;
    }
    search.follow(&mut now, history.len())?;
    Ok(search.conclude(&now, history, end))
}

struct Search<'a> {
    machine: &'a Manager,
    deaths: &'a Deaths,
}

impl Search<'_> {
    /// Adds all states that can come about without an event, and gives those that come about with
    /// one.
    fn follow(&self, now: &mut Standings, index: usize) -> Result<Vec<(Standing, Event)>, TooMuch> {
        let mut open: Vec<Standing> = now.values().cloned().collect();
        let (mut actions, mut with_event) = (Vec::new(), Vec::new());
        while let Some(standing) = open.pop() {
            actions.clear();
            self.machine.enabled(&standing.state, &mut actions);
            self.machine.disturbances(&standing.state, &mut actions);
            for action in &actions {
                let mut after = standing.clone();
                // What is offered is not refused.
                let Ok(observation) = self.machine.apply(&mut after.state, action) else {
                    continue;
                };
                match observation.event {
                    Some(event) if !self.floats(&event) => {
                        with_event.push((after, event));
                        continue;
                    }
                    Some(event) if !self.may_be_here(&event, index) => continue,
                    event => after.deaths.extend(event.map(|event| (index, event))),
                }
                if now.len() > STATES_MAX {
                    return Err(TooMuch);
                }
                let key = fingerprint(&after.state);
                if let Entry::Vacant(place) = now.entry(key) {
                    open.push(after.clone());
                    place.insert(after);
                }
            }
        }
        Ok(with_event)
    }

    /// Whether no history records this.
    fn floats(&self, event: &Event) -> bool {
        matches!((self.deaths, event), (Deaths::Somewhere(_), Event::Death { .. }))
    }

    fn may_be_here(&self, event: &Event, index: usize) -> bool {
        let (Deaths::Somewhere(deaths), Event::Death { process, exit }) = (self.deaths, event)
        else {
            return false;
        };
        let killed = matches!(exit, Exit::Signal(_));
        deaths
            .get(usize::from(process.0))
            .is_some_and(|death| death.after <= index && death.killed == killed)
    }

    fn conclude(
        &self,
        now: &Standings,
        history: &[Event],
        end: &End,
    ) -> Result<Explained, Box<Divergence>> {
        let ends = now.values().filter(|standing| self.is_end(standing, end));
        let harms = ends.clone().map(|standing| standing.state.harm);
        let all = |is_it: fn(&midput_model::queue::manager::Harm) -> bool| {
            harms.clone().all(|harm| is_it(&harm))
        };
        let judged = ends.clone().map(|standing| self.judge(standing, history, end));
        let Some(violations) = judged.min_by_key(Vec::len) else {
            let blocked = |end: &End| format!("blocked: {:?}", lanes(end));
            let mut other = BTreeSet::new();
            for standing in now.values().filter(|standing| self.is_still(standing)) {
                other.insert(blocked(&self.machine.end(&standing.state)));
            }
            return Err(Box::new(Divergence {
                at: "the end".to_owned(),
                expected: other.into_iter().collect::<Vec<_>>().join(" or "),
                found: blocked(end),
            }));
        };
        let mut hazards = BTreeSet::new();
        if all(|harm| harm.swallowed.is_some()) {
            hazards.insert(Hazard::H14);
        }
        if all(|harm| harm.ghost.is_some()) {
            hazards.insert(Hazard::H15);
        }
        // A join that nobody is left to end.
        if violations.iter().any(|violation| violation.guarantee == Guarantee::G10) {
            hazards.insert(Hazard::H9);
        }
        Ok(Explained { hazards, violations })
    }

    fn is_still(&self, standing: &Standing) -> bool {
        let mut enabled = Vec::new();
        self.machine.enabled(&standing.state, &mut enabled);
        enabled.is_empty()
    }

    fn is_end(&self, standing: &Standing, end: &End) -> bool {
        let killed = match self.deaths {
            Deaths::InOrder => 0,
            Deaths::Somewhere(deaths) => deaths.iter().filter(|death| death.killed).count(),
        };
        let is_kill = |(_, event): &&(usize, Event)| {
            matches!(event, Event::Death { exit: Exit::Signal(_), .. })
        };
        self.is_still(standing)
            && lanes(&self.machine.end(&standing.state)) == lanes(end)
            && standing.deaths.iter().filter(is_kill).count() == killed
    }

    /// The guarantees that the history breaks, with its deaths where they are in this run.
    fn judge(&self, standing: &Standing, history: &[Event], end: &End) -> Vec<Violation> {
        let mut monitor = Monitor::new(self.machine.program());
        for index in 0..=history.len() {
            let here = standing.deaths.iter().filter(|(at, _)| *at == index);
            here.for_each(|(_, event)| monitor.observe(event));
            if let Some(event) = history.get(index) {
                monitor.observe(event);
            }
        }
        monitor.conclude(end)
    }
}

/// Who is blocked for ever, and whether it leaves. The steps of model and code have other names.
fn lanes(end: &End) -> Vec<(LaneId, bool)> {
    end.blocked.iter().map(|blocked| (blocked.lane, blocked.leaving)).collect()
}

/// Whether the model says what was seen. That the server is dead is told by one of two errors:
/// whether a call was under way or the next could not connect (`MQ6`) is a matter of moments.
fn is_same(model: &Event, seen: &Event) -> bool {
    let gone = |outcome| matches!(outcome, Outcome::EndOfFile | Outcome::Failed);
    match (model, seen) {
        (
            Event::Return { lane, outcome: expected },
            Event::Return { lane: other, outcome: found },
        ) => lane == other && (expected == found || (gone(*expected) && gone(*found))),
        (
            Event::Death { process, exit: Exit::Signal(_) },
            Event::Death { process: other, exit: Exit::Signal(_) },
        ) => process == other,
        _ => model == seen,
    }
}
