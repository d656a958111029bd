//! Actions in words, for paths that people read.

use super::{Action, Observation};
use crate::program::{ItemId, Operation, Outcome, Program};

/// One line of a path.
pub fn describe(program: &Program, observation: &Observation) -> String {
    let call = call(program, observation.operation);
    let outcome = ended(program, observation.outcome);
    match observation.action {
        Action::Call(process) => format!("P{}      calls {call}", process.0),
        Action::Send(process) => format!("P{}      sends {call}", process.0),
        Action::Serve(process) => format!("server  serves P{}'s {call}: {outcome}", process.0),
        Action::Expire(process) => format!("time    is up for P{}'s {call}: {outcome}", process.0),
        Action::Receive(process) => format!("P{}      {call} answered: {outcome}", process.0),
        Action::Confirm(process) => format!("server  P{} has {outcome}", process.0),
        Action::Notice(process) => format!("server  P{} is gone, back comes {outcome}", process.0),
        Action::Exit(process) => format!("P{}      ends", process.0),
        Action::Interrupt(process) => format!("P{}      an exception ends its call", process.0),
        Action::Kill(process) => format!("P{}      SIGKILL", process.0),
        Action::KillServer => "server  SIGKILL".to_owned(),
    }
}

fn call(program: &Program, operation: Option<Operation>) -> String {
    match operation {
        None => "leave".to_owned(),
        Some(Operation::Put { item, .. }) => format!("put {}", name(program, item)),
        Some(Operation::Start { process }) => format!("start P{}", process.0),
        Some(Operation::Join { process, .. }) => format!("join P{}", process.0),
        Some(operation) => operation.name().to_owned(),
    }
}

fn name(program: &Program, item: ItemId) -> &str {
    program.items.get(usize::from(item.0)).map_or("?", |item| item.name.as_str())
}

fn ended(program: &Program, outcome: Option<Outcome>) -> String {
    match outcome {
        None => "nothing".to_owned(),
        Some(Outcome::Item(item)) => name(program, item).to_owned(),
        Some(outcome) => format!("{outcome:?}"),
    }
}
