//! The proofs: each explores all that can happen, and each is broken once by mutants.

mod event;
mod event_mutants;
mod lock;
mod lock_mutants;

use std::fmt::Write as _;
use std::ops::ControlFlow;

use super::lock::Protocol;
use super::{Action, Observation};
use crate::explore::{Explored, Limits, StateIndex, explore, fingerprint};
use crate::machine::{Machine, Refused};

const LIMITS: Limits = Limits { states_max: 5_000_000 };

/// The nearest state in which something is wrong, what it is, and what was explored until then.
struct Search<M: Machine> {
    explored: Explored<M>,
    fault: Option<(StateIndex, &'static str)>,
}

/// Explores until `fault` finds something; it is asked of every state, and told whether it is an
/// end.
fn search<M: Machine>(
    machine: &M,
    fault: impl Fn(&M::State, bool) -> Option<&'static str>,
) -> Search<M> {
    let mut found = None;
    let explored = explore(machine, LIMITS, |visit| {
        found = fault(visit.state, visit.is_end()).map(|fault| (visit.index, fault));
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    Search { explored, fault: found }
}

/// Explores everything; fails with a shortest path where something is wrong, and where a run could
/// go on for ever.
fn prove<M: Machine<Observation = Observation>>(
    machine: &M,
    fault: impl Fn(&M::State, bool) -> Option<&'static str>,
) -> Explored<M> {
    let found = search(machine, fault);
    assert_eq!(found.fault.map(|(_, fault)| fault), None, "{}", trace(machine, &found));
    assert!(found.explored.complete(), "{}", found.explored.finish);
    assert!(every_run_ends(machine), "some run comes back to where it was");
    found.explored
}

/// The shortest path to what is wrong, one line a step.
fn trace<M: Machine<Observation = Observation>>(machine: &M, found: &Search<M>) -> String {
    let mut lines = String::new();
    if let Some((index, fault)) = found.fault {
        for (_, observation) in found.explored.path(machine, index) {
            writeln!(lines, "{observation}").unwrap();
        }
        writeln!(lines, "so: {fault}").unwrap();
    }
    lines
}

/// Whether no run reaches a state twice. Then every run has an end, with no fairness assumed, and
/// what holds in every end comes about at last.
fn every_run_ends<M: Machine>(machine: &M) -> bool {
    // Each state by its fingerprint, with its position; and the fingerprints of what follows on it.
    let mut positions = Vec::new();
    let mut followers = Vec::new();
    let explored = explore(machine, LIMITS, |visit| {
        let mut next = visit.state.clone();
        let mut follow = |action| {
            next.clone_from(visit.state);
            machine.apply(&mut next, action).unwrap();
            fingerprint(&next)
        };
        let actions = visit.enabled.iter().chain(visit.disturbances);
        followers.push(actions.map(&mut follow).collect::<Vec<u64>>());
        positions.push((fingerprint(visit.state), visit.index.position()));
        ControlFlow::Continue(())
    });
    assert!(explored.complete(), "{}", explored.finish);
    positions.sort_unstable();
    let position = |state: &u64| {
        let found = positions.binary_search_by_key(state, |&(fingerprint, _)| fingerprint);
        positions[found.unwrap()].1
    };
    let followers: Vec<Vec<usize>> =
        followers.iter().map(|states| states.iter().map(position).collect()).collect();
    // Takes away the states that nothing leads to, again and again. A circle would remain.
    let mut leading = vec![0u32; followers.len()];
    for &follower in followers.iter().flatten() {
        leading[follower] += 1;
    }
    let mut ready: Vec<usize> = (0..leading.len()).filter(|&state| leading[state] == 0).collect();
    let mut taken_away = 0;
    while let Some(state) = ready.pop() {
        taken_away += 1;
        for &follower in &followers[state] {
            leading[follower] -= 1;
            if leading[follower] == 0 {
                ready.push(follower);
            }
        }
    }
    taken_away == followers.len()
}

/// What is not possible in a state is refused and changes nothing, whatever it is.
#[test]
fn what_is_not_possible_is_refused() {
    assert_refuses_the_rest(&lock::contest(Protocol::Sticky, &[1, 1]));
    assert_refuses_the_rest(&event::hand_over(&[1], &[1]));
}

fn assert_refuses_the_rest<M: Machine<Action = Action>>(machine: &M) {
    let every = |process| {
        [Action::Step, Action::Expire, Action::Kernel, Action::Kill].map(|action| action(process))
    };
    let mut refused = 0;
    explore(machine, LIMITS, |visit| {
        for action in (0..4).flat_map(every) {
            let mut state = visit.state.clone();
            let possible = visit.enabled.contains(&action) || visit.disturbances.contains(&action);
            assert_eq!(machine.apply(&mut state, &action).is_ok(), possible, "{action:?}");
            if !possible {
                assert_eq!(state, *visit.state);
                refused += 1;
            }
        }
        ControlFlow::Continue(())
    });
    assert!(refused > 0);
}

/// What a mutant of a machine came to, as a line of a table: what goes wrong first, after how many
/// actions, and how many states were found until then. A mutant that nothing goes wrong with is
/// explored to its end.
fn line_of<M: Machine<Observation = Observation>>(name: &str, found: &Search<M>) -> String {
    let Search { explored, fault } = found;
    let states = explored.states;
    match *fault {
        Some((index, fault)) => {
            let actions = explored.actions(index).len();
            format!("{name:58} {fault:38} {actions:3} {states:7}\n")
        }
        None => {
            assert!(explored.complete(), "{name}: {}", explored.finish);
            format!("{name:58} {:38}   - {states:7}\n", "nothing: harmless")
        }
    }
}

/// The lane that an action is about.
fn index(action: &Action) -> usize {
    usize::from(action.process())
}

/// A machine in which some action does something else.
struct Altered<M: Machine> {
    machine: M,
    /// Given the machine, a state and an action: changes what the action made of the state.
    alter: fn(&M::State, &Action, &mut M::State),
}

impl<M: Machine<Action = Action>> Machine for Altered<M> {
    type State = M::State;
    type Action = Action;
    type Observation = M::Observation;

    fn initial(&self) -> M::State {
        self.machine.initial()
    }

    fn enabled(&self, state: &M::State, out: &mut Vec<Action>) {
        self.machine.enabled(state, out);
    }

    fn disturbances(&self, state: &M::State, out: &mut Vec<Action>) {
        self.machine.disturbances(state, out);
    }

    fn apply(&self, state: &mut M::State, action: &Action) -> Result<M::Observation, Refused> {
        let before = state.clone();
        let observation = self.machine.apply(state, action)?;
        (self.alter)(&before, action, state);
        Ok(observation)
    }
}
