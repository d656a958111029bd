//! The same machine from another beginning.

use super::{Action, Classic, Observation, State};
use crate::machine::{Machine, Refused};

/// A machine that begins in a given state, such as the one that a crash left.
#[derive(Clone, Debug)]
pub struct From<'a> {
    machine: &'a Classic,
    initial: State,
}

impl<'a> From<'a> {
    /// `machine`, beginning in `initial`.
    pub fn new(machine: &'a Classic, initial: State) -> Self {
        Self { machine, initial }
    }
}

impl Machine for From<'_> {
    type State = State;
    type Action = Action;
    type Observation = Observation;

    fn initial(&self) -> State {
        self.initial.clone()
    }

    fn enabled(&self, state: &State, out: &mut Vec<Action>) {
        self.machine.enabled(state, out);
    }

    fn apply(&self, state: &mut State, action: &Action) -> Result<Observation, Refused> {
        self.machine.apply(state, action)
    }
}
