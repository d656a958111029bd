//! An exploration under way.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::fingerprint::fingerprint;
use super::seen::Seen;
use super::{Explored, Finish, Limits, StateIndex, Visit};
use crate::machine::{Machine, Refused};

/// How many states are visited before what follows on them is looked up. In a large set of
/// fingerprints nearly every look-up waits for memory; those of one batch wait together.
const BATCH: u32 = 16;

/// How many states are kept for the sake of the memory that they own.
const SPARE_MAX: usize = 4 * BATCH as usize;

/// What has been found and has still to be visited, and what is remembered of every state.
pub(super) struct Search<'a, M: Machine> {
    machine: &'a M,
    explored: Explored<M>,
    /// The states found and not visited yet, in the order of the visits.
    frontier: VecDeque<M::State>,
    visited: u32,
    /// How many actions lead to the states that are visited now.
    depth: u32,
    /// The first state, by its index, that takes one action more.
    next_level: u32,
    seen: Seen,
    states_max: usize,
    /// What can happen in the state that is visited.
    actions: Vec<M::Action>,
    /// What follows on the states of the batch, in order.
    successors: Vec<Successor<M::Action>>,
    /// At the same positions the states themselves. This list only grows: the memory that a
    /// state owns is used for the next one.
    states: Vec<M::State>,
    /// Visited states, whose memory new ones take over.
    spare: Vec<M::State>,
}

/// A transition to a state that may have been seen before.
struct Successor<A> {
    fingerprint: u64,
    parent: StateIndex,
    action: A,
}

impl<'a, M: Machine> Search<'a, M> {
    pub(super) fn new(machine: &'a M, limits: Limits) -> Self {
        let initial = machine.initial();
        let mut seen = Seen::new();
        seen.insert(fingerprint(&initial));
        let explored = Explored {
            states: 1,
            transitions: 0,
            ends: 0,
            depth: 0,
            finish: Finish::Complete,
            parents: Vec::new(),
        };
        Self {
            machine,
            explored,
            frontier: VecDeque::from([initial]),
            visited: 0,
            depth: 0,
            next_level: 1,
            seen,
            // An index is 32 bits.
            states_max: limits.states_max.clamp(1, u32::MAX as usize),
            actions: Vec::new(),
            successors: Vec::new(),
            states: Vec::new(),
            spare: Vec::new(),
        }
    }

    pub(super) fn run(
        mut self,
        mut visit: impl FnMut(Visit<'_, M>) -> ControlFlow<()>,
    ) -> Explored<M> {
        while !self.frontier.is_empty() {
            let broken_off = self.batch(&mut visit);
            // Also what was found before it broke off.
            self.keep_new();
            if let Err(finish) = broken_off {
                self.explored.finish = finish;
                break;
            }
        }
        self.explored
    }

    /// Visits some states, all at one depth, and finds what follows on them.
    fn batch(
        &mut self,
        visit: &mut impl FnMut(Visit<'_, M>) -> ControlFlow<()>,
    ) -> Result<(), Finish> {
        if self.visited == self.next_level {
            self.depth += 1;
            self.next_level = self.explored.states as u32;
        }
        self.explored.depth = self.depth;
        for _ in 0..BATCH.min(self.next_level - self.visited) {
            let Some(state) = self.frontier.pop_front() else { break };
            let index = StateIndex(self.visited);
            self.visited += 1;
            self.actions.clear();
            self.machine.enabled(&state, &mut self.actions);
            let enabled = self.actions.len();
            self.machine.disturbances(&state, &mut self.actions);
            self.explored.ends += usize::from(enabled == 0);
            let (enabled, disturbances) = self.actions.split_at(enabled);
            let seen = Visit { index, state: &state, depth: self.depth, enabled, disturbances };
            if visit(seen).is_break() {
                return Err(Finish::Stopped);
            }
            self.expand(&state, index).map_err(|refused| Finish::Refused { index, refused })?;
            if self.spare.len() < SPARE_MAX {
                self.spare.push(state);
            }
        }
        Ok(())
    }

    /// Carries out every action of a state.
    fn expand(&mut self, state: &M::State, parent: StateIndex) -> Result<(), Refused> {
        for &action in &self.actions {
            let position = self.successors.len();
            match self.states.get_mut(position) {
                Some(next) => next.clone_from(state),
                None => self.states.push(state.clone()),
            }
            let next = &mut self.states[position];
            self.machine.apply(next, &action)?;
            self.explored.transitions += 1;
            self.successors.push(Successor { fingerprint: fingerprint(next), parent, action });
        }
        Ok(())
    }

    /// Keeps those of the batch's successors that were not seen before. At the limit it keeps no
    /// more, but what is kept is still visited.
    fn keep_new(&mut self) {
        self.seen.touch(self.successors.iter().map(|successor| successor.fingerprint));
        for (successor, state) in self.successors.drain(..).zip(&mut self.states) {
            if self.explored.states >= self.states_max {
                if !self.seen.contains(successor.fingerprint) {
                    self.explored.finish = Finish::StatesMax(self.states_max);
                }
            } else if self.seen.insert(successor.fingerprint) {
                self.explored.states += 1;
                self.explored.parents.push((successor.parent.0, successor.action));
                let new = match self.spare.pop() {
                    Some(spare) => std::mem::replace(state, spare),
                    None => state.clone(),
                };
                self.frontier.push_back(new);
            }
        }
    }
}
