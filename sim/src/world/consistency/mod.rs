//! Whether what free-running processes logged can have happened: a search of the model for one
//! order of their steps that agrees with every result, every death and who is blocked at the end.
//!
//! Depth first, trying first what was logged first; a state that was met before at the same
//! places in the logs is not searched again.

use std::collections::BTreeSet;

use midput_model::event::Event;
use midput_model::explore::fingerprint;
use midput_model::machine::Machine;
use midput_model::queue::classic::{Action, Classic, State};

use super::native::NativeRun;

mod attempt;
mod goal;
mod logs;
#[cfg(test)]
mod tests;

use attempt::{Candidate, Node};
use logs::Logs;

/// The most states that one search visits.
pub const STATES_MAX: usize = 200_000;

/// One order of the steps that agrees with the logs.
#[derive(Clone, Debug)]
pub struct Consistent {
    /// The state of the model at the end.
    pub state: State,
    /// The history in that order: what hazards and guarantees are judged from.
    pub events: Vec<Event>,
    /// The actions of the model in that order.
    pub actions: Vec<Action>,
    /// How many states were visited.
    pub searched: usize,
}

/// No order of the steps agrees with the logs, or none was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{verdict} the logs: {matched} of {records} records fit, then: {misfits}",
    verdict = if *.exhausted { "searched too long for an order of" } else { "the model has no order of" },
    misfits = .misfits.join("; ")
)]
pub struct Inconsistent {
    /// How many records fit at most.
    pub matched: usize,
    /// Of so many.
    pub records: usize,
    /// What did not fit there, one line for each alternative.
    pub misfits: Vec<String>,
    /// The search was given up after [`STATES_MAX`] states: nothing is known.
    pub exhausted: bool,
}

/// A node of the search on the way to the current one.
struct Frame {
    node: Node,
    /// What can come next, the last first.
    candidates: Vec<Candidate>,
    /// The history before this node.
    events: usize,
    /// What led to it.
    action: Option<Action>,
}

/// Searches the model for an order of the logged steps. `machine` has `time = any`.
///
/// # Errors
/// [`Inconsistent`], with what did not fit at the furthest place.
pub fn check(machine: &Classic, run: &NativeRun) -> Result<Consistent, Inconsistent> {
    let logs = Logs::new(machine, run);
    let mut furthest =
        Inconsistent { matched: 0, records: logs.records(), misfits: Vec::new(), exhausted: false };
    let mut events = machine.first_events().to_vec();
    let mut first = Node::new(machine.initial(), logs.lanes.len());
    if let Err(misfit) = first.expect(machine, &logs, &events) {
        furthest.misfits.push(misfit);
        return Err(furthest);
    }
    let mut seen = BTreeSet::from([fingerprint(&first)]);
    let candidates = first.candidates(machine, &logs);
    let mut path = vec![Frame { node: first, candidates, events: events.len(), action: None }];
    let mut misfits = Vec::new();
    while let Some(frame) = path.last_mut() {
        events.truncate(frame.events);
        let Some(candidate) = frame.candidates.pop() else {
            note(&mut furthest, &frame.node, &mut misfits);
            path.pop();
            continue;
        };
        let (node, new) = match frame.node.attempt(machine, &logs, &candidate) {
            Ok(next) => next,
            Err(misfit) => {
                misfits.push((frame.node.matched(), misfit));
                continue;
            }
        };
        if !seen.insert(fingerprint(&node)) {
            continue;
        }
        if seen.len() > STATES_MAX {
            furthest.exhausted = true;
            break;
        }
        events.extend(new);
        match node.is_goal(machine, &logs) {
            Ok(true) => {
                let actions = path.iter().filter_map(|frame| frame.action);
                return Ok(Consistent {
                    state: node.state,
                    events,
                    actions: actions.chain([candidate.action]).collect(),
                    searched: seen.len(),
                });
            }
            Ok(false) => {}
            Err(misfit) => misfits.push((node.matched(), misfit)),
        }
        let candidates = node.candidates(machine, &logs);
        path.push(Frame { node, candidates, events: events.len(), action: Some(candidate.action) });
    }
    Err(furthest)
}

/// Keeps the misfits of the node that came furthest.
fn note(furthest: &mut Inconsistent, node: &Node, misfits: &mut Vec<(usize, String)>) {
    let matched = node.matched();
    let here = misfits.iter().filter(|(at, _)| *at == matched).map(|(_, misfit)| misfit);
    if matched > furthest.matched || furthest.misfits.is_empty() {
        furthest.matched = matched;
        furthest.misfits = here.cloned().collect();
        furthest.misfits.dedup();
    }
    misfits.retain(|(at, _)| *at != matched);
}
