//! What of a scenario's model there is to cover.

use std::ops::ControlFlow;

use midput_model::explore::{Limits, explore};
use midput_model::machine::Machine;
use midput_model::queue::classic::{Classic, Covered, Environment, Time};
use midput_scenarios::Scenario;

/// At most so many states of a model are visited to learn which actions it has: less than a second.
const STATES_MAX: usize = 100_000;

/// The actions that a scenario's model has, as far as it was explored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Universe {
    /// The actions.
    pub actions: Covered,
    /// The states that were found.
    pub states: usize,
    /// Whether these are all: else there may be more actions.
    pub complete: bool,
}

impl Universe {
    /// Explores the model with what may happen in the scenario's cases.
    pub fn of(scenario: &Scenario, time: Time) -> Self {
        Self::within(scenario, time, STATES_MAX)
    }

    fn within(scenario: &Scenario, time: Time, states_max: usize) -> Self {
        if scenario.program.is_managed() {
            // What its model does between two calls is not seen in a run: it has no such actions.
            return Self { actions: Covered::default(), states: 0, complete: true };
        }
        let machine = Classic::new(scenario.program.clone(), environment(scenario, time));
        let mut actions = Covered::default();
        let explored = explore(&machine, Limits { states_max }, |visit| {
            for action in visit.enabled.iter().chain(visit.disturbances) {
                let mut next = visit.state.clone();
                // What is offered is not refused; where it were, exploring would say so.
                if let Ok(observation) = machine.apply(&mut next, action) {
                    let before = visit.state.point_of(action);
                    actions.add(action, before, next.point_of(action), observation.result);
                }
            }
            ControlFlow::Continue(())
        });
        Self { actions, states: explored.states, complete: explored.complete() }
    }
}

/// What the environment may do to a scenario's processes when its model is explored.
pub fn environment(scenario: &Scenario, time: Time) -> Environment {
    Environment {
        time,
        kills: scenario.faults.kills_max,
        faults: u8::from(scenario.faults.short_transfers || scenario.faults.interruptions),
        victims: scenario.faults.victims.clone(),
        signals: scenario.faults.signals.clone(),
        overdue: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_too_large_is_said_to_be_so() {
        let scenario = midput_scenarios::builtin()
            .into_iter()
            .find(|it| it.name == "kill-mid-put/small-one-producer")
            .unwrap();
        let all = Universe::of(&scenario, Time::Patient);
        assert!(all.complete && all.states > 100, "{all:?}");
        let part = Universe::within(&scenario, Time::Patient, 100);
        assert!(!part.complete && part.states == 100, "{part:?}");
        assert!(part.actions.len() < all.actions.len());
    }
}
