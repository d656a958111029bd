//! The crash table: what a process that was killed at a known point leaves to every operation of
//! a survivor. Model, simulation and real processes must all show the same.
//!
//! Rows are crash points by their ids; P4, P6, P12 and S1 are injected: the kernel itself never leaves
//! a frame at that byte. In the model every continuation after the crash is visited.

mod manager;
mod rows;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use midput_model::explore::{Limits, explore};
use midput_model::program::{LaneId, Outcome, ProcessId, Program};
use midput_model::queue::classic::{Classic as Machine, From, Point, State, Time};
use midput_scenarios::Scenario;
use midput_sim::case::Case;
use midput_sim::subject::Classic;
use midput_sim::sweep::{Runner, Verdict, machine};
use midput_sim::world::consistency;
use midput_sim::world::native::{self, NativeOptions};
use rows::{Row, TABLES, scenario};

fn case(scenario: &Scenario, number: u64) -> Case {
    Case {
        scenario: scenario.name.clone(),
        subject: scenario.subject().to_owned(),
        seed: 1,
        number,
        strategy: midput_sim::schedule::StrategyName::Random,
        length: 0,
        time_any: false,
        kills: scenario.faults.pinned.clone(),
        holds: scenario.faults.holds.iter().map(|hold| hold.site.clone()).collect(),
        faults: Vec::new(),
        choices: None,
        mutation: None,
        program: None,
        why: None,
    }
}

/// A result, as the tables write it.
fn text(program: &Program, outcome: Outcome) -> String {
    match outcome {
        Outcome::Done => "ok".to_owned(),
        Outcome::Item(item) => program.items[usize::from(item.0)].name.clone(),
        Outcome::Number(number) => number.to_string(),
        Outcome::Bool(true) => "True".to_owned(),
        Outcome::Bool(false) => "False".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The cell that an end shows: what the survivor's operation returned, or where it hangs.
fn cell(machine: &Machine, state: &State) -> String {
    let survivor: LaneId = machine.program().lane_of(ProcessId(2), 0);
    let lane = state.lane(survivor);
    let blocked = machine.end(state).blocked.iter().any(|it| it.lane == survivor);
    let result = lane.results.first().map(|&outcome| text(machine.program(), outcome));
    match (result, blocked, lane.point) {
        (Some(result), true, Point::FeederJoin) => format!("{result}, exit HANGS"),
        (Some(result), false, _) => result,
        (None, true, Point::GetHeader | Point::GetBody) => "HANG(read)".to_owned(),
        (
            None,
            true,
            Point::GetAcquire
            | Point::SendAcquire
            | Point::PutTasksLock
            | Point::DoneLock
            | Point::JoinLock,
        ) => "HANG(lock)".to_owned(),
        (None, true, Point::WaitAcquire) => "HANG(wait)".to_owned(),
        (None, true, Point::NotifyAwait) => "HANG(notify)".to_owned(),
        (None, true, Point::PutAcquire) => "HANG(sem)".to_owned(),
        (result, blocked, point) => format!("{result:?}, blocked {blocked}, at {point:?}"),
    }
}

fn objects(machine: &Machine, state: &State) -> Vec<u32> {
    let ending = machine.ending(state);
    let objects = &ending.objects[0];
    objects.semaphores.iter().copied().chain([objects.bytes]).collect()
}

/// Every cell as text, from a function that gives the cell of a scenario.
fn table(mut cell: impl FnMut(&Row, &Scenario) -> String) -> (String, String) {
    let (mut expected, mut found) = (String::new(), String::new());
    for row in TABLES.iter().flat_map(|table| table.rows()) {
        for operation in &row.cells {
            let scenario = scenario(&row, operation);
            expected += &format!("{} {}: {}\n", row.id, operation.name, operation.seen);
            found += &format!("{} {}: {}\n", row.id, operation.name, cell(&row, &scenario));
        }
    }
    (expected, found)
}

#[test]
fn simulation_and_every_continuation_in_the_model_show_the_crash_table() {
    let (expected, found) = table(|row, scenario| {
        let mut cells = BTreeSet::new();
        let mut runner = Runner::new(scenario, true);
        for number in 0..8 {
            runner.observers().keep_states = true;
            let outcome = runner.run::<Classic<_>>(&case(scenario, number), None);
            let landed: Vec<bool> = outcome.landed.iter().map(|(_, injected)| *injected).collect();
            let wanted = vec![row.is_injected(); scenario.faults.pinned.len()];
            assert_eq!(landed, wanted, "{}: kills that landed, injected or not", scenario.name);
            let observers = runner.observers();
            let lockstep = observers.lockstep.as_ref().unwrap();
            let seen = cell(lockstep.machine(), lockstep.state());
            // Bytes that nobody put are what no hazard allows (G1).
            let verdict = &outcome.judged.verdict;
            assert_eq!(*verdict == Verdict::Pass, seen != "Garbage", "{}", scenario.name);
            cells.insert(seen);
            let died = |(process, _): &&(ProcessId, State)| *process == ProcessId(1);
            let (_, after) = observers.deaths.iter().find(died).unwrap().clone();
            let model = machine(scenario, Time::Patient);
            let left = objects(&model, &after);
            assert_eq!(left, row.left, "{}: right after the crash", scenario.name);
            let explored = explore(&From::new(&model, after), Limits::default(), |visit| {
                if visit.is_end() {
                    cells.insert(cell(&model, visit.state));
                }
                ControlFlow::Continue(())
            });
            assert!(explored.complete());
        }
        cells.into_iter().collect::<Vec<_>>().join(" or ")
    });
    assert_eq!(found, expected);
}

/// The same with real processes, whose logs must agree with the model besides.
#[test]
fn real_processes_show_the_crash_table() {
    let options = NativeOptions::new(env!("CARGO_BIN_EXE_midput").into());
    let (expected, found) = table(|_, scenario| {
        let case = case(scenario, 0);
        let run = native::run(&scenario.program, "classic", &case.kills, &case.holds, &options);
        let run = run.unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
        if run.landed != vec![true; case.kills.len()] {
            return "the kill did not land".to_owned();
        }
        let model = machine(scenario, Time::Any);
        match consistency::check(&model, &run) {
            Ok(consistent) => cell(&model, &consistent.state),
            Err(inconsistent) => inconsistent.to_string(),
        }
    });
    assert_eq!(found, expected);
}
