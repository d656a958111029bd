//! What every state machine here offers to those who run, explore or compare it.

use std::fmt::Debug;
use std::hash::Hash;

/// Why an action was refused: it is not enabled in that state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// A deterministic machine: a state and an action give one next state and one observation.
pub trait Machine {
    /// All that the future depends on.
    type State: Clone + Eq + Hash + Debug;
    /// One thing that can happen.
    type Action: Copy + Eq + Debug;
    /// What somebody who watches the action sees.
    type Observation: Debug;

    /// The state in which everything begins.
    fn initial(&self) -> Self::State;

    /// Appends what can happen by itself, in a fixed order. A state without any is an end.
    fn enabled(&self, state: &Self::State, out: &mut Vec<Self::Action>);

    /// Appends what the environment may do to the machine (kills, interruptions, short
    /// transfers), in a fixed order. These never keep a state from being an end.
    fn disturbances(&self, _state: &Self::State, _out: &mut Vec<Self::Action>) {}

    /// Carries out one action.
    ///
    /// # Errors
    /// [`Refused`] where the action is not enabled; the state is unchanged then.
    fn apply(
        &self,
        state: &mut Self::State,
        action: &Self::Action,
    ) -> Result<Self::Observation, Refused>;

    /// [`apply`](Self::apply) on a copy: the pure form.
    ///
    /// # Errors
    /// [`Refused`] where the action is not enabled.
    fn step(
        &self,
        state: &Self::State,
        action: &Self::Action,
    ) -> Result<(Self::State, Self::Observation), Refused> {
        let mut next = state.clone();
        let observation = self.apply(&mut next, action)?;
        Ok((next, observation))
    }
}
