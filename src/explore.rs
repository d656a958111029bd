//! `midput explore`: every state of a scenario's model.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use midput_model::contract::{Verdict, Violation, prove};
use midput_model::explore::{Limits, explore as visit_all};
use midput_model::program::Program;
use midput_model::queue::classic::{
    Classic as Machine, Ending, Environment, Time, honest_end, why_stuck,
};
use midput_scenarios::Scenario;
use midput_sim::counterexample::case_of;
use midput_sim::subject::Classic;
use midput_sim::sweep::{Runner, environment};
use midput_sim::trace::TraceLog;

use crate::arguments::{Explore, Time as TimeArgument};
use crate::exit::Status;
use crate::print::{out, outln};
use crate::replay::text;
use crate::select::select;

mod code;
mod managed;

/// Outcomes shown for each scenario.
const OUTCOMES_SHOWN: usize = 12;

pub(crate) fn explore(arguments: &Explore) -> anyhow::Result<Status> {
    let selected = select(arguments.scenarios_in.as_deref(), None, &arguments.scenarios)?;
    let mut status = Status::Pass;
    for scenario in &selected.scenarios {
        if scenario.program.is_managed() {
            status = status.and(managed::one(scenario, arguments)?);
            continue;
        }
        status = status.and(one(scenario, arguments));
        if arguments.code {
            status = status.and(code::search_code(scenario, arguments, &selected)?);
        }
    }
    Ok(status)
}

fn machine(scenario: &Scenario, arguments: &Explore) -> Machine {
    let any = arguments.time == TimeArgument::Any;
    let time = if any { Time::Any } else { Time::Patient };
    let mut environment = Environment { overdue: any, ..environment(scenario, time) };
    if arguments.no_kills {
        environment.kills = 0;
    }
    let machine = Machine::new(scenario.program.clone(), environment);
    match arguments.mutant {
        Some(mutant) => machine.with_mutant(mutant),
        None => machine,
    }
}

fn one(scenario: &Scenario, arguments: &Explore) -> Status {
    let machine = machine(scenario, arguments);
    let limits = Limits { states_max: arguments.states };
    let mut outcomes: BTreeMap<Ending, (u32, Vec<String>)> = BTreeMap::new();
    let explored = visit_all(&machine, limits, |visit| {
        if visit.is_end() {
            let ending = machine.ending(visit.state);
            let found = || (visit.depth, why_stuck(&machine, visit.state));
            outcomes.entry(ending).or_insert_with(found);
        }
        ControlFlow::Continue(())
    });
    outln!(
        "{}  {} states, {} transitions, {} outcomes{}",
        scenario.name,
        explored.states,
        explored.transitions,
        outcomes.len(),
        if explored.complete() { ", all visited" } else { "" }
    );
    let mut by_depth: Vec<_> = outcomes.iter().collect();
    by_depth.sort_by_key(|(_, (depth, _))| *depth);
    for (ending, (depth, chains)) in by_depth.iter().take(OUTCOMES_SHOWN) {
        outln!("  after {depth:>3} actions  {}", machine.ending_text(ending));
        for chain in chains {
            outln!("                     {chain}");
        }
    }
    if by_depth.len() > OUTCOMES_SHOWN {
        outln!("  … and {} more outcomes", by_depth.len() - OUTCOMES_SHOWN);
    }
    let mut status = if explored.complete() { Status::Pass } else { Status::Inconclusive };
    if !explored.complete() {
        outln!("  INCONCLUSIVE: {}; raise it with --states", explored.finish);
    }
    for (guarantee, verdict) in
        prove(&machine, limits).into_iter().chain(honest_end(&machine, limits))
    {
        match verdict {
            Verdict::Holds { states } => {
                outln!("  {guarantee} {:<22} holds in all {states} states", guarantee.name());
            }
            Verdict::Undecided { finish } => {
                outln!("  {guarantee} {:<22} INCONCLUSIVE: {finish}", guarantee.name());
                status = Status::Inconclusive;
            }
            Verdict::Violated { path, violation } => {
                outln!(
                    "  {guarantee} {:<22} violated after {} actions: {}",
                    guarantee.name(),
                    path.len(),
                    what_broke(&scenario.program, &violation)
                );
                if arguments.traces {
                    show(scenario, &machine, &path);
                }
            }
        }
    }
    status
}

/// How a guarantee is broken, without its name, which stands before it.
fn what_broke(program: &Program, violation: &Violation) -> String {
    let text = violation.describe(program);
    let name = format!("{} {}: ", violation.guarantee, violation.guarantee.name());
    text.strip_prefix(&name).unwrap_or(&text).to_owned()
}

/// The real code, led along the model's path.
fn show(
    scenario: &Scenario,
    machine: &Machine,
    path: &[(midput_model::queue::classic::Action, midput_model::queue::classic::Observation)],
) {
    let (case, mut follow) = case_of(scenario, machine, path);
    let mut log = TraceLog::default();
    let mut runner = Runner::new(scenario, true);
    let outcome = runner.run_with::<Classic<_>>(&case, &mut follow, Some(&mut log));
    outln!();
    out!("{}", text(scenario, &outcome, &log, false));
    outln!();
}
