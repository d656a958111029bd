//! A native run of queues that a server owns, held against the manager's model.

use midput_model::event::Event;
use midput_model::program::{LaneId, ProcessId};
use midput_model::queue::classic::Time;
use midput_scenarios::Scenario;

use super::not_judged;
use crate::case::Case;
use crate::check::calls::{Death, Deaths, explain, machine};
use crate::sweep::judge::{Failure, Verdict, judge};
use crate::sweep::runner::CaseOutcome;
use crate::world::native::{NativeRun, What};

/// What the processes logged, in the order of their common clock: a call is logged before anything
/// is done for it, a return after all of it. When a process died is not logged; it was after the
/// last that it logged.
fn history(run: &NativeRun, main_of: impl Fn(usize) -> LaneId) -> (Vec<Event>, Deaths) {
    let mut all = Vec::new();
    for (process, log) in run.logs.iter().enumerate() {
        let lane = main_of(process);
        let id = ProcessId(u8::try_from(process).unwrap_or(u8::MAX));
        for record in log.records.iter().filter(|record| record.lane == lane) {
            let event = match record.what {
                What::Call { operation } => Event::Call { lane, operation },
                What::Return { outcome } => Event::Return { lane, outcome },
                What::Leave => Event::Leave { process: id },
                _ => continue,
            };
            all.push((record.at, process, event));
        }
    }
    // Stable, so that what one process logs stays in its order.
    all.sort_by_key(|(at, ..)| *at);
    let death = |(process, killed): (usize, &Option<_>)| Death {
        after: all.iter().rposition(|(_, other, _)| *other == process).map_or(0, |at| at + 1),
        killed: killed.is_some(),
    };
    let deaths = run.killed.iter().enumerate().map(death).collect();
    (all.into_iter().map(|(.., event)| event).collect(), Deaths::Somewhere(deaths))
}

pub(super) fn conclude(scenario: &Scenario, case: &Case, run: &NativeRun) -> CaseOutcome {
    let inconsistent =
        |text: String| not_judged(case, Verdict::Fail(vec![Failure::Inconsistent(text)]));
    let machine = match machine(scenario, Time::Any) {
        Ok(machine) => machine,
        Err(error) => return inconsistent(error.to_string()),
    };
    let main_of = |process: usize| {
        scenario.program.lane_of(ProcessId(u8::try_from(process).unwrap_or(u8::MAX)), 0)
    };
    let (history, deaths) = history(run, main_of);
    let explained = match explain(&machine, &history, &run.end, &deaths) {
        Ok(Ok(explained)) => explained,
        Ok(Err(divergence)) => return inconsistent(divergence.to_string()),
        Err(too_much) => return not_judged(case, Verdict::Inconclusive(too_much.to_string())),
    };
    let landed = case.kills.iter().zip(&run.landed).filter(|(_, landed)| **landed);
    let returns = history.iter().filter_map(|event| match *event {
        Event::Return { lane, outcome } => Some((lane, outcome)),
        _ => None,
    });
    CaseOutcome {
        judged: judge(scenario, scenario.subject(), explained.hazards, explained.violations),
        steps: run.logs.iter().map(|log| log.records.len() as u64).sum(),
        all_ended: run.ended,
        landed: landed.map(|(kill, _)| (kill.clone(), false)).collect(),
        end: run.end.clone(),
        returns: returns.collect(),
        ..not_judged(case, Verdict::Pass)
    }
}
