//! Every reachable state of a machine, breadth first.
//!
//! [`explore()`] visits each state once, nearest first, so that the first state with some property
//! is one that takes the fewest actions to reach. What it keeps for each state is small: a
//! fingerprint of 64 bits, its parent and the action that led there. Full states are kept only
//! while they wait to be expanded; [`Explored::path`] finds a state again by replaying actions.
//!
//! Two different states with one fingerprint would be taken for one. For `n` states the chance of
//! that anywhere is about `n² / 2⁶⁵`: 3 in 10⁸ for a million states, 3 in 10⁴ for a hundred
//! million. [`Explored::collision_chance`] gives it for a run.

mod fingerprint;
mod search;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use crate::machine::{Machine, Refused};

pub use fingerprint::{Fingerprinter, fingerprint};
use search::Search;

/// How far an exploration may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most states. An exploration that meets more ends with [`Finish::StatesMax`].
    pub states_max: usize,
}

impl Default for Limits {
    /// Ten million states: some seconds, and some hundred megabytes.
    fn default() -> Self {
        Self { states_max: 10_000_000 }
    }
}

/// A state of one exploration, in the order of the visits; the initial state is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateIndex(u32);

impl StateIndex {
    /// Its position in the order of the visits, from 0.
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// Why an exploration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Every reachable state has been visited.
    Complete,
    /// There are more states than [`Limits::states_max`]; this many have been visited.
    StatesMax(usize),
    /// The visitor asked to stop.
    Stopped,
    /// The machine refused an action that it had offered in this state: it contradicts itself.
    Refused {
        /// In which state.
        index: StateIndex,
        /// What it said.
        refused: Refused,
    },
}

impl fmt::Display for Finish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => formatter.write_str("every reachable state was visited"),
            Self::StatesMax(states) => {
                write!(formatter, "the limit states_max = {states} was reached")
            }
            Self::Stopped => formatter.write_str("the visitor asked to stop"),
            Self::Refused { index, refused } => write!(
                formatter,
                "the machine refused an action that it offered in state {}: {refused}",
                index.0
            ),
        }
    }
}

/// One state, as its visitor sees it.
pub struct Visit<'a, M: Machine> {
    /// Its index, for [`Explored::path`].
    pub index: StateIndex,
    /// The state.
    pub state: &'a M::State,
    /// How many actions lead here by the shortest way.
    pub depth: u32,
    /// What can happen by itself here.
    pub enabled: &'a [M::Action],
    /// What the environment may do here.
    pub disturbances: &'a [M::Action],
}

impl<M: Machine> Visit<'_, M> {
    /// Whether nothing can happen here by itself: all have ended, or are blocked for ever.
    pub fn is_end(&self) -> bool {
        self.enabled.is_empty()
    }
}

/// What an exploration found, and the way back to each state of it.
#[derive(Clone, Debug)]
pub struct Explored<M: Machine> {
    /// Different states found. All of them were visited, unless the visitor asked to stop.
    pub states: usize,
    /// Actions carried out from all of them, disturbances included.
    pub transitions: u64,
    /// States visited in which nothing can happen by itself.
    pub ends: usize,
    /// The most actions that a shortest path has.
    pub depth: u32,
    /// Why it ended.
    pub finish: Finish,
    parents: Vec<(u32, M::Action)>,
}

impl<M: Machine> Explored<M> {
    /// Whether every reachable state was visited.
    pub fn complete(&self) -> bool {
        self.finish == Finish::Complete
    }

    /// An upper bound for the chance that two states shared a fingerprint, so that one of them
    /// was missed.
    pub fn collision_chance(&self) -> f64 {
        let states = self.states as f64;
        states * states / 2f64.powi(65)
    }

    /// The actions of a shortest path from the initial state.
    ///
    /// An index of another exploration gives an empty path or a path to some other state.
    pub fn actions(&self, index: StateIndex) -> Vec<M::Action> {
        let mut actions = Vec::new();
        let mut at = index.0;
        // The initial state is 0 and has no parent; state n is at n - 1.
        while at > 0 {
            let Some(&(parent, action)) = self.parents.get(at as usize - 1) else {
                break;
            };
            actions.push(action);
            at = parent;
        }
        actions.reverse();
        actions
    }

    /// A shortest path to a state: each action with what was observed.
    ///
    /// `machine` is the one that was explored. Actions that another machine refuses are left out.
    pub fn path(&self, machine: &M, index: StateIndex) -> Vec<(M::Action, M::Observation)> {
        let mut state = machine.initial();
        self.actions(index)
            .into_iter()
            .filter_map(|action| Some((action, machine.apply(&mut state, &action).ok()?)))
            .collect()
    }

    /// The state with this index, found again by replaying its path.
    pub fn state(&self, machine: &M, index: StateIndex) -> M::State {
        let mut state = machine.initial();
        for action in self.actions(index) {
            if machine.apply(&mut state, &action).is_err() {
                break;
            }
        }
        state
    }
}

/// Visits every reachable state of a machine, nearest first, until the visitor breaks off.
///
/// From each state it takes what is enabled and the disturbances. The order of the visits depends
/// on nothing but the machine.
///
/// ```
/// use std::ops::ControlFlow;
/// use midput_model::explore::{Limits, explore};
/// use midput_model::machine::{Machine, Refused};
///
/// /// Counts to three by ones and twos.
/// struct Counter;
/// impl Machine for Counter {
///     type State = u8;
///     type Action = u8;
///     type Observation = ();
///     fn initial(&self) -> u8 {
///         0
///     }
///     fn enabled(&self, state: &u8, out: &mut Vec<u8>) {
///         out.extend([1, 2].into_iter().filter(|step| state + step <= 3));
///     }
///     fn apply(&self, state: &mut u8, action: &u8) -> Result<(), Refused> {
///         *state += action;
///         Ok(())
///     }
/// }
///
/// let mut three = None;
/// let explored = explore(&Counter, Limits::default(), |visit| {
///     if *visit.state == 3 {
///         three = Some(visit.index);
///     }
///     ControlFlow::Continue(())
/// });
/// assert!(explored.complete());
/// assert_eq!((explored.states, explored.transitions, explored.ends), (4, 5, 1));
/// assert_eq!(explored.actions(three.unwrap()), [1, 2]);
/// ```
pub fn explore<M: Machine>(
    machine: &M,
    limits: Limits,
    visit: impl FnMut(Visit<'_, M>) -> ControlFlow<()>,
) -> Explored<M> {
    Search::new(machine, limits).run(visit)
}

/// Every reachable outcome, each with a state that takes the fewest actions to reach.
///
/// `summarize` gives the outcome of a state, where it has one; its second argument says whether
/// the state is an end.
pub fn outcomes<M: Machine, K: Ord>(
    machine: &M,
    limits: Limits,
    summarize: impl Fn(&M::State, bool) -> Option<K>,
) -> (BTreeMap<K, StateIndex>, Explored<M>) {
    let mut found = BTreeMap::new();
    let explored = explore(machine, limits, |visit| {
        if let Some(outcome) = summarize(visit.state, visit.is_end()) {
            found.entry(outcome).or_insert(visit.index);
        }
        ControlFlow::Continue(())
    });
    (found, explored)
}
