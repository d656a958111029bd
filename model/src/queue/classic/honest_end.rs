//! G11, which no history of calls shows: two receivers are told the same, and only the bytes before
//! tell whether it was the truth.

use std::ops::ControlFlow;

use crate::contract::{Guarantee, Verdict, Violation};
use crate::explore::{Limits, explore};
use crate::machine::Machine;
use crate::program::QueueKind;
use crate::step::StepResult;

use super::{Action, Classic, Point};

/// Explores whether the receiver of a bare pipe may find the end of the stream where a message's
/// body should begin, and so be told what the end between two messages tells it (`WF4`, H12).
/// `None` where the program has no bare pipe: in other queues nobody sees an end (`WF8`).
pub fn honest_end(machine: &Classic, limits: Limits) -> Option<(Guarantee, Verdict<Classic>)> {
    let queues = &machine.program().queues;
    if !queues.iter().any(|queue| queue.kind == QueueKind::Pipe) {
        return None;
    }
    let mut torn = None;
    let explored = explore(machine, limits, |visit| {
        torn = visit.enabled.iter().find_map(|&action| {
            let Action::Step { lane } = action else { return None };
            let current = visit.state.lane(lane);
            let begins = current.point == Point::GetBody && current.moved == 0;
            let (_, observation) = machine.step(visit.state, &action).ok().filter(|_| begins)?;
            let ends = observation.result == StepResult::Moved(0);
            ends.then_some((visit.index, action, observation))
        });
        if torn.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let verdict = match torn {
        Some((index, action, observation)) => {
            let text = "a message was cut off behind its header, and its receiver saw a clean end";
            let violation = Violation {
                guarantee: Guarantee::G11,
                queue: None,
                lane: observation.lane,
                process: None,
                item: None,
                text,
            };
            let mut path = explored.path(machine, index);
            path.push((action, observation));
            Verdict::Violated { path, violation }
        }
        None if explored.complete() => Verdict::Holds { states: explored.states },
        None => Verdict::Undecided { finish: explored.finish },
    };
    Some((Guarantee::G11, verdict))
}
