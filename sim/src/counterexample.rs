//! A path through the model, or through a search over schedules, as a case for the real code.

use midput_model::machine::Machine;
use midput_model::os::process::ProcessState;
use midput_model::program::{LaneId, ProcessId, Signal};
use midput_model::queue::classic::{Action, Classic, Observation, Point, State};
use midput_model::site::Site;
use midput_scenarios::{KillPoint, Place, Scenario};

use crate::case::{Case, Fault, FaultKind};
use crate::host::Alternative;
use crate::mutation::{Against, Mutation};
use crate::schedule::{Follow, Stood, StrategyName};

/// The case whose run is this path: its kills by their sites, and a strategy that follows it.
pub fn case_of(
    scenario: &Scenario,
    machine: &Classic,
    path: &[(Action, Observation)],
) -> (Case, Follow) {
    let mut sites = Sites { machine, occurrences: Vec::new(), latest: LaneId(0) };
    let mut state = machine.initial();
    let mut kills = Vec::new();
    let mut alternatives = Vec::new();
    for (action, _) in path {
        match *action {
            Action::Step { lane } => {
                sites.pass(&state, lane);
                alternatives.push(Alternative::Lane(lane));
            }
            Action::Expire { lane } => {
                sites.pass(&state, lane);
                alternatives.push(Alternative::Expire(lane));
            }
            Action::Die { process } => alternatives.push(Alternative::Die(process)),
            Action::Kill { process, signal } => {
                alternatives.push(Alternative::Kill(kills.len()));
                kills.extend(sites.kill(&state, process, signal));
            }
            // What was only seen is no step of anybody.
            Action::Overdue { .. } | Action::Short { .. } | Action::Interrupt { .. } => {}
        }
        // A path of the machine's own actions is never refused.
        if machine.apply(&mut state, action).is_err() {
            break;
        }
    }
    let mutation = machine.mutant().map(|mutant| Mutation { mutant, against: Against::Mutant });
    (case_with(scenario, mutation, kills, Vec::new()), Follow::new(alternatives))
}

/// The case whose run is this path of a search over schedules, and a strategy that follows it.
pub fn case_of_search(
    scenario: &Scenario,
    path: &[(Alternative, Option<Stood>)],
) -> (Case, Follow) {
    let lanes = scenario.program.lanes();
    let site = |stood: &Stood| Site {
        lane: lanes.get(usize::from(stood.lane.0)).map_or(String::new(), |it| it.name.clone()),
        step: stood.step.to_owned(),
        occurrence: stood.occurrence,
        offset: u32::try_from(stood.offset).unwrap_or(u32::MAX),
    };
    let mut kills = Vec::new();
    let mut faults = Vec::new();
    let mut alternatives = Vec::new();
    for (alternative, stood) in path {
        alternatives.push(match (*alternative, stood) {
            (Alternative::KillHere(process, signal), Some(stood)) => {
                let place = if stood.offset > 0 { Place::At } else { Place::Before };
                kills.push(KillPoint { process, signal, site: site(stood), place });
                Alternative::Kill(kills.len() - 1)
            }
            (Alternative::ShortHere(lane), Some(stood)) => {
                faults.push(Fault { site: site(stood), kind: FaultKind::Short(1) });
                Alternative::Lane(lane)
            }
            (Alternative::InterruptHere(_), Some(stood)) => {
                faults.push(Fault { site: site(stood), kind: FaultKind::Interrupt });
                Alternative::Interrupt(faults.len() - 1)
            }
            (other, _) => other,
        });
    }
    (case_with(scenario, None, kills, faults), Follow::new(alternatives))
}

fn case_with(
    scenario: &Scenario,
    mutation: Option<Mutation>,
    kills: Vec<KillPoint>,
    faults: Vec<Fault>,
) -> Case {
    Case {
        scenario: scenario.name.clone(),
        subject: "classic".to_owned(),
        seed: 0,
        number: 0,
        strategy: StrategyName::Random,
        length: 0,
        time_any: false,
        kills,
        holds: Vec::new(),
        faults,
        choices: None,
        mutation,
        program: None,
        why: None,
    }
}

/// Where the lanes of a path stand, by occurrence.
struct Sites<'a> {
    machine: &'a Classic,
    occurrences: Vec<(LaneId, &'static str, u32)>,
    /// The lane that did the latest step.
    latest: LaneId,
}

impl Sites<'_> {
    /// The lane does the step that it stands at.
    fn pass(&mut self, state: &State, lane: LaneId) {
        self.latest = lane;
        let step = state.lane(lane).point.step();
        if state.lane(lane).moved == 0 {
            match self.occurrences.iter_mut().find(|(of, name, _)| (*of, *name) == (lane, step)) {
                Some((_, _, count)) => *count += 1,
                None => self.occurrences.push((lane, step, 1)),
            }
        }
    }

    /// A kill where the victim's lane that did the latest step stands, or its main lane.
    fn kill(&self, state: &State, process: ProcessId, signal: Signal) -> Option<KillPoint> {
        if state.process(process).state == ProcessState::NotStarted {
            return None;
        }
        let lanes = self.machine.lanes();
        let stands = |lane: LaneId| {
            lanes[usize::from(lane.0)].process == process
                && !matches!(state.lane(lane).point, Point::NotStarted | Point::Ended)
        };
        let main = self.machine.program().lane_of(process, 0);
        let lane = [self.latest, main].into_iter().find(|&lane| stands(lane))?;
        let current = state.lane(lane);
        let step = current.point.step();
        let passed = self
            .occurrences
            .iter()
            .find(|(of, name, _)| (*of, *name) == (lane, step))
            .map_or(0, |(_, _, count)| *count);
        let inside = current.moved > 0;
        let site = Site {
            lane: lanes[usize::from(lane.0)].name.clone(),
            step: step.to_owned(),
            occurrence: if inside { passed } else { passed + 1 },
            offset: current.moved,
        };
        let place = if inside { Place::At } else { Place::Before };
        Some(KillPoint { process, signal, site, place })
    }
}
