//! stateright's side.

use stateright::{Checker, Model, Property};

use super::bounded::{Bounded, Lane, State};
use super::work::Done;

impl<const PRODUCERS: usize> Model for Bounded<PRODUCERS> {
    type State = State<PRODUCERS>;
    type Action = Lane;

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.initial()]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Lane>) {
        self.enabled(state, actions);
    }

    fn next_state(&self, state: &Self::State, lane: Lane) -> Option<Self::State> {
        let mut next = state.clone();
        self.apply(&mut next, lane);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("in order", |_, state: &Self::State| state.in_order)]
    }
}

/// Explores the machine so many times, breadth first and in one thread.
pub(crate) fn explore<const PRODUCERS: usize>(
    machine: Bounded<PRODUCERS>,
    explorations: u64,
) -> Done {
    let states = (0..explorations).map(|_| {
        let checker = machine.checker().threads(1).spawn_bfs().join();
        checker.assert_properties();
        checker.unique_state_count() as u64
    });
    Done { units: states.sum(), steps: None }
}
