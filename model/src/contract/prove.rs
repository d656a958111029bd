//! A machine together with the monitor of its history, and what exploring both proves.

use std::fmt;
use std::ops::ControlFlow;

use super::{Guarantee, GuaranteeSet, Monitor, Violation};
use crate::event::{End, Event};
use crate::explore::{Finish, Limits, StateIndex, Visit, explore};
use crate::machine::{Machine, Refused};
use crate::program::Program;

/// A machine whose observations say what its history records.
pub trait Historic: Machine {
    /// The program that its lanes run.
    fn program(&self) -> &Program;

    /// The events before the first action: the first calls.
    fn first_events(&self) -> Vec<Event> {
        Vec::new()
    }

    /// The events of one action, in their order.
    fn events(observation: &Self::Observation) -> &[Event];

    /// Who is blocked for ever in a state in which nothing can happen by itself.
    fn end(&self, state: &Self::State) -> End;
}

/// A machine whose states carry the judgement of the history that led there.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a, M> {
    machine: &'a M,
    guarantees: GuaranteeSet,
}

impl<'a, M: Historic> Judged<'a, M> {
    /// Judges a machine by these guarantees.
    pub fn new(machine: &'a M, guarantees: GuaranteeSet) -> Self {
        Self { machine, guarantees }
    }
}

/// A state of a machine and of the monitor of its history.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JudgedState<S> {
    /// The machine's state.
    pub machine: S,
    /// What is known of the history that led there.
    pub monitor: Monitor,
}

impl<S: Clone> Clone for JudgedState<S> {
    fn clone(&self) -> Self {
        Self { machine: self.machine.clone(), monitor: self.monitor.clone() }
    }

    fn clone_from(&mut self, source: &Self) {
        self.machine.clone_from(&source.machine);
        self.monitor.clone_from(&source.monitor);
    }
}

impl<M: Historic> Machine for Judged<'_, M> {
    type State = JudgedState<M::State>;
    type Action = M::Action;
    type Observation = M::Observation;

    fn initial(&self) -> Self::State {
        let mut monitor = Monitor::watching(self.machine.program(), self.guarantees);
        for event in self.machine.first_events() {
            monitor.observe(&event);
        }
        JudgedState { machine: self.machine.initial(), monitor }
    }

    fn enabled(&self, state: &Self::State, out: &mut Vec<M::Action>) {
        self.machine.enabled(&state.machine, out);
    }

    fn disturbances(&self, state: &Self::State, out: &mut Vec<M::Action>) {
        self.machine.disturbances(&state.machine, out);
    }

    fn apply(
        &self,
        state: &mut Self::State,
        action: &M::Action,
    ) -> Result<M::Observation, Refused> {
        let observation = self.machine.apply(&mut state.machine, action)?;
        for event in M::events(&observation) {
            state.monitor.observe(event);
        }
        Ok(observation)
    }
}

/// What exploring a machine says about one guarantee.
pub enum Verdict<M: Machine> {
    /// No history breaks it.
    Holds {
        /// How many states, of machine and history together, were visited to prove it.
        states: usize,
    },
    /// Some history breaks it.
    Violated {
        /// A shortest such history: each action with what was observed. For a violation that
        /// only the end shows, the last state is that end.
        path: Vec<(M::Action, M::Observation)>,
        /// How it breaks the guarantee.
        violation: Violation,
    },
    /// No history that was explored breaks it, but not all were explored.
    Undecided {
        /// Why not.
        finish: Finish,
    },
}

impl<M: Machine> fmt::Debug for Verdict<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { states } => write!(formatter, "Holds {{ states: {states} }}"),
            Self::Violated { path, violation } => formatter
                .debug_struct("Violated")
                .field("path", path)
                .field("violation", violation)
                .finish(),
            Self::Undecided { finish } => write!(formatter, "Undecided {{ {finish} }}"),
        }
    }
}

/// Proves or breaks every guarantee that a queue can keep, in one exploration.
pub fn prove<M: Historic>(machine: &M, limits: Limits) -> Vec<(Guarantee, Verdict<M>)> {
    prove_these(machine, limits, Guarantee::judged(machine.program()))
}

/// Proves or breaks some guarantees, in one exploration. It ends as soon as all are broken.
/// Those that are not [judged](Guarantee::judged) get no verdict.
pub fn prove_these<M: Historic>(
    machine: &M,
    limits: Limits,
    guarantees: GuaranteeSet,
) -> Vec<(Guarantee, Verdict<M>)> {
    let judged = Guarantee::judged(machine.program());
    let is_judged = |guarantee: &Guarantee| judged.contains(*guarantee);
    let guarantees: GuaranteeSet = guarantees.iter().filter(is_judged).collect();
    let judged = Judged::new(machine, guarantees);
    let mut broken = Broken { all: guarantees, set: GuaranteeSet::NONE, first: Vec::new() };
    let explored = explore(&judged, limits, |visit| broken.look(machine, &visit));
    let verdict = |guarantee| {
        let first = broken.first.iter().find(|(_, violation)| violation.guarantee == guarantee);
        match (first, &explored.finish) {
            (Some(&(index, violation)), _) => {
                Verdict::Violated { path: explored.path(&judged, index), violation }
            }
            (None, Finish::Complete) => Verdict::Holds { states: explored.states },
            (None, finish) => Verdict::Undecided { finish: finish.clone() },
        }
    };
    guarantees.iter().map(|guarantee| (guarantee, verdict(guarantee))).collect()
}

/// The first violation of each guarantee, with the state that shows it.
struct Broken {
    all: GuaranteeSet,
    set: GuaranteeSet,
    first: Vec<(StateIndex, Violation)>,
}

impl Broken {
    fn look<M: Historic>(
        &mut self,
        machine: &M,
        visit: &Visit<'_, Judged<'_, M>>,
    ) -> ControlFlow<()> {
        let monitor = &visit.state.monitor;
        if visit.is_end() {
            for violation in monitor.conclude(&machine.end(&visit.state.machine)) {
                self.note(visit.index, violation);
            }
        } else if !monitor.violations().without(self.set).is_empty() {
            for &violation in monitor.found() {
                self.note(visit.index, violation);
            }
        }
        if self.all.without(self.set).is_empty() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn note(&mut self, index: StateIndex, violation: Violation) {
        if !self.set.contains(violation.guarantee) {
            self.set.insert(violation.guarantee);
            self.first.push((index, violation));
        }
    }
}
