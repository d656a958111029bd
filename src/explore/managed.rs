//! `midput explore` of queues that a server owns.

use midput_model::contract::{Verdict, prove};
use midput_model::explore::{Limits, explore};
use midput_model::queue::manager::describe;
use midput_scenarios::Scenario;
use midput_sim::check::calls::explored_machine;
use std::ops::ControlFlow;

use super::what_broke;
use crate::arguments::{Explore, Time as TimeArgument};
use crate::exit::Status;
use crate::print::outln;

pub(super) fn one(scenario: &Scenario, arguments: &Explore) -> anyhow::Result<Status> {
    anyhow::ensure!(
        arguments.mutant.is_none(),
        "{}: the model of a manager's queue has no mutants; leave out --mutant",
        scenario.name
    );
    let time = match arguments.time {
        TimeArgument::Any => midput_model::queue::classic::Time::Any,
        TimeArgument::Patient => midput_model::queue::classic::Time::Patient,
    };
    let machine = explored_machine(scenario, time, !arguments.no_kills)?;
    let limits = Limits { states_max: arguments.states };
    let explored = explore(&machine, limits, |_| ControlFlow::Continue(()));
    let all = if explored.complete() { ", all visited" } else { "" };
    let (states, transitions) = (explored.states, explored.transitions);
    outln!("{}  {states} states, {transitions} transitions{all}", scenario.name);
    let mut status = Status::Pass;
    if !explored.complete() {
        outln!("  INCONCLUSIVE: {}; raise it with --states", explored.finish);
        status = Status::Inconclusive;
    }
    for (guarantee, verdict) in prove(&machine, limits) {
        let name = format!("{guarantee} {:<22}", guarantee.name());
        match verdict {
            Verdict::Holds { states } => outln!("  {name} holds in all {states} states"),
            Verdict::Undecided { finish } => {
                outln!("  {name} INCONCLUSIVE: {finish}");
                status = Status::Inconclusive;
            }
            Verdict::Violated { path, violation } => {
                let what = what_broke(&scenario.program, &violation);
                outln!("  {name} violated after {} actions: {what}", path.len());
                for (_, observation) in path.iter().filter(|_| arguments.traces) {
                    outln!("    {}", describe(&scenario.program, observation));
                }
            }
        }
    }
    if arguments.code {
        outln!("  code      not explored: of a manager's queue it is only swept, by midput check");
        status = status.and(Status::Inconclusive);
    }
    Ok(status)
}
