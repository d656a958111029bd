//! Cases in the native world: real processes, whose logs are held against the model.

use std::collections::BTreeSet;

use midput_model::contract::Monitor;
use midput_model::event::Event;
use midput_model::machine::Machine;
use midput_model::queue::classic::{self, Classic, Covered, Time};
use midput_scenarios::{Hazard, Scenario};

use super::jobs::Stop;
use super::judge::{Failure, Judged, Verdict, judge};
use super::runner::{CaseOutcome, machine};
use crate::case::Case;
use crate::check::HazardWatch;
use crate::world::consistency::{self, Consistent};
use crate::world::native::{self, NativeOptions, NativeRun};

mod managed;

/// How often a case is run again whose kill did not land.
const RETRIES: u32 = 2;

/// Runs one case with real processes and judges it as a simulated one. Its choices are not
/// followed: real processes run freely.
pub fn run_native(scenario: &Scenario, case: &Case, options: &NativeOptions) -> CaseOutcome {
    let subject = scenario.subject();
    let run = native::run(&scenario.program, subject, &case.kills, &case.holds, options);
    tracing::debug!(scenario = case.scenario, case = case.number, ?run, "ran natively");
    match run {
        Ok(run) if scenario.program.is_managed() => managed::conclude(scenario, case, &run),
        // Waits of free-running processes may expire at any moment.
        Ok(run) => conclude(scenario, case, &machine(scenario, Time::Any), &run),
        Err(error) => not_judged(
            case,
            if error.is_inconclusive() {
                Verdict::Inconclusive(error.to_string())
            } else {
                Verdict::Fail(vec![Failure::Inconsistent(error.to_string())])
            },
        ),
    }
}

fn conclude(scenario: &Scenario, case: &Case, machine: &Classic, run: &NativeRun) -> CaseOutcome {
    let consistent = match consistency::check(machine, run) {
        Ok(consistent) => consistent,
        Err(inconsistent) => {
            let text = inconsistent.to_string();
            return not_judged(
                case,
                if inconsistent.exhausted {
                    Verdict::Inconclusive(text)
                } else {
                    Verdict::Fail(vec![Failure::Inconsistent(text)])
                },
            );
        }
    };
    let end = machine.end(&consistent.state);
    let mut monitor = Monitor::new(&scenario.program);
    for event in &consistent.events {
        monitor.observe(event);
    }
    let replayed = replay(machine, &consistent);
    let judged = judge(scenario, scenario.subject(), replayed.hazards, monitor.conclude(&end));
    let landed = case.kills.iter().zip(&run.landed).filter(|(_, landed)| **landed);
    let returns = consistent.events.iter().filter_map(|event| match *event {
        Event::Return { lane, outcome } => Some((lane, outcome)),
        _ => None,
    });
    CaseOutcome {
        judged,
        steps: run.logs.iter().map(|log| log.records.len() as u64).sum(),
        all_ended: run.ended,
        landed: landed.map(|(kill, _)| (kill.clone(), false)).collect(),
        held: replayed.held,
        covered: replayed.covered,
        chains: classic::why_stuck(machine, &consistent.state),
        end,
        returns: returns.collect(),
        ..not_judged(case, Verdict::Pass)
    }
}

/// What the model shows when it is led along the actions of a run.
struct Replayed {
    hazards: BTreeSet<Hazard>,
    /// The locks that victims held.
    held: BTreeSet<String>,
    covered: Covered,
}

fn replay(machine: &Classic, consistent: &Consistent) -> Replayed {
    let mut watch = HazardWatch::default();
    let (mut held, mut covered) = (BTreeSet::new(), Covered::default());
    let mut state = machine.initial();
    for action in &consistent.actions {
        if let classic::Action::Kill { process, .. } = *action {
            for queue in &state.queues {
                let condition = queue.tasks.as_ref().map(|tasks| ("condlock", &tasks.lock));
                let locks = [("rlock", &queue.read_lock), ("wlock", &queue.write_lock)];
                let locks = locks.into_iter().chain(condition);
                let of_victim = locks.into_iter().filter(|(_, lock)| {
                    lock.holder.is_some_and(|holder| {
                        machine.lanes()[usize::from(holder.0)].process == process
                    })
                });
                held.extend(of_victim.map(|(name, _)| name.to_owned()));
            }
        }
        let before = state.point_of(action);
        // These actions were applied once before, in this order.
        if let Ok(observation) = machine.apply(&mut state, action) {
            covered.add(action, before, state.point_of(action), observation.result);
            let stepped = observation.lane.map(|lane| (lane, before));
            watch.observe(machine, &state, stepped, observation.result, &observation.events);
        }
    }
    Replayed { hazards: watch.conclude(machine, &state), held, covered }
}

fn not_judged(case: &Case, verdict: Verdict) -> CaseOutcome {
    let judged = Judged { verdict, hazards: BTreeSet::new(), violations: Vec::new() };
    CaseOutcome::without_run(case, judged)
}

/// Runs one case, and a few times more where its kill does not land: free-running processes may
/// pass by a site that another schedule would bring them to.
pub fn run_until_it_lands(
    scenario: &Scenario,
    case: &Case,
    native: &NativeOptions,
    stop: &(dyn Fn() -> Option<Stop> + Sync),
) -> CaseOutcome {
    let mut outcome = run_native(scenario, case, native);
    for _ in 0..RETRIES {
        let missed = !case.kills.is_empty() && outcome.landed.is_empty();
        if !missed || outcome.judged.verdict != Verdict::Pass || stop().is_some() {
            break;
        }
        outcome = run_native(scenario, case, native);
    }
    outcome
}
