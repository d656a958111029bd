use std::time::Duration;

use midput_model::event::{End, Event};
use midput_model::machine::Machine;
use midput_model::program::{
    Exit, Instruction, Item, ItemId, LaneId, LaneProgram, Operation, Outcome, ProcessId,
    ProcessProgram, Program, QueueId, QueueKind, QueueParameters, Signal, Timeout,
};
use midput_model::queue::classic::{Action, Classic, Environment, Time};
use midput_model::step::StepResult;

use super::check;
use crate::world::native::{Killed, NativeRun, ProcessLog, Record, StepName, Waits, What};

const QUEUE: QueueId = QueueId(0);

/// `P1` puts two items, `P0` gets both and joins it.
fn machine(sizes: [u32; 2]) -> Classic {
    let item =
        |bytes| Item { name: format!("{bytes}"), bytes, producer: ProcessId(1), queue: QUEUE };
    let put = |item| Operation::Put { queue: QUEUE, item: ItemId(item), timeout: Timeout::Never };
    let get = |timeout| Operation::Get { queue: QUEUE, timeout };
    let process = |name: &str, operations: &[Operation]| ProcessProgram {
        daemon: false,
        leaves_on_terminate: false,
        name: name.to_owned(),
        lanes: vec![LaneProgram {
            name: "main".to_owned(),
            instructions: operations.iter().map(|&it| Instruction::from(it)).collect(),
        }],
    };
    let join = Operation::Join { process: ProcessId(1), timeout: Timeout::Never };
    let first = [
        Operation::Start { process: ProcessId(1) },
        get(Timeout::Never),
        get(Timeout::Milliseconds(9)),
        join,
    ];
    let program = Program {
        queues: vec![QueueParameters {
            name: "jobs".to_owned(),
            kind: QueueKind::Queue,
            maxsize: 2,
            pipe_slots: 16,
        }],
        items: sizes.map(item).into(),
        processes: vec![process("P0", &first), process("P1", &[put(0), put(1)])],
    };
    Classic::new(program, Environment { time: Time::Any, ..Environment::default() })
}

fn nothing_yet() -> NativeRun {
    NativeRun {
        end: End::default(),
        ended: true,
        logs: vec![ProcessLog::default(); 2],
        alive: vec![false; 2],
        exits: vec![None; 2],
        killed: vec![None; 2],
        landed: Vec::new(),
        held: Vec::new(),
        took: Duration::ZERO,
    }
}

/// One run of the model as free-running processes would log it. The kill, if there is one, lands
/// when the lane of the feeder comes to this step.
fn logged(machine: &Classic, seed: u64, kill_before: Option<&str>) -> NativeRun {
    let mut state = machine.initial();
    let mut run = nothing_yet();
    let mut random = seed;
    let mut at = 0;
    tell(machine, &mut run, at, &machine.first_events());
    loop {
        let feeder = LaneId(3);
        let mut enabled = Vec::new();
        machine.enabled(&state, &mut enabled);
        if enabled.is_empty() {
            break;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let index = (random >> 33) as usize % enabled.len();
        let mut action = enabled[index];
        let signal = Signal::Kill;
        if kill_before == Some(state.lane(feeder).point.step()) && state.lane(feeder).moved == 0 {
            action = Action::Kill { process: ProcessId(1), signal };
            run.killed[1] = Some(Killed { signal, lane: feeder });
        }
        at += 1;
        let offsets: Vec<u32> = state.lanes.iter().map(|lane| lane.moved).collect();
        let observation = machine.apply(&mut state, &action).unwrap();
        if let Some(lane) = observation.lane {
            let offset = offsets[usize::from(lane.0)];
            let step =
                StepName { name: observation.step.into(), occurrence: 1, offset, monitor: None };
            let what = if observation.step == "exit" {
                What::Begin { step, thread: 0, waits: Waits::Forever }
            } else {
                What::Done { step, result: observation.result }
            };
            write(machine, &mut run, at, lane, what);
        }
        tell(machine, &mut run, at, &observation.events);
    }
    run.end = machine.end(&state);
    run.alive = state.processes.iter().map(|process| process.state.is_alive()).collect();
    run.ended = run.end.blocked.is_empty();
    join_writes(&mut run);
    run
}

/// Linux does a write that the model does in several advances in one call.
fn join_writes(run: &mut NativeRun) {
    for log in &mut run.logs {
        let mut joined: Vec<Record> = Vec::new();
        for record in log.records.drain(..) {
            if let What::Done { step, result: StepResult::Moved(bytes) } = &record.what
                && step.offset > 0
                && step.name.starts_with("write-")
            {
                let earlier = joined.iter_mut().rev().find(|it| it.lane == record.lane);
                if let Some(Record { what: What::Done { result, .. }, at, .. }) = earlier
                    && let StepResult::Moved(before) = result
                {
                    *result = StepResult::Moved(*before + bytes);
                    *at = record.at;
                    continue;
                }
            }
            joined.push(record);
        }
        log.records = joined;
    }
}

fn tell(machine: &Classic, run: &mut NativeRun, at: u64, events: &[Event]) {
    for event in events {
        let (lane, what) = match *event {
            Event::Call { lane, operation } => (lane, What::Call { operation }),
            Event::Return { lane, outcome } => (lane, What::Return { outcome }),
            Event::Leave { process } => (machine.program().lane_of(process, 0), What::Leave),
            Event::Death { process, exit } => {
                run.exits[usize::from(process.0)] = Some(exit);
                continue;
            }
            Event::Overdue { .. } => continue,
        };
        write(machine, run, at, lane, what);
    }
}

fn write(machine: &Classic, run: &mut NativeRun, at: u64, lane: LaneId, what: What) {
    let process = machine.lanes()[usize::from(lane.0)].process;
    run.logs[usize::from(process.0)].records.push(Record { at, lane, what });
}

#[test]
fn what_the_model_does_is_consistent_with_it() {
    for sizes in [[10, 200], [100_000, 10]] {
        let machine = machine(sizes);
        for seed in 0..30 {
            for kill in [None, Some("write-frame"), Some("wlock.release"), Some("wlock.acquire")] {
                let run = logged(&machine, seed, kill);
                let found = check(&machine, &run);
                let found = found.unwrap_or_else(|error| panic!("{seed} {kill:?}: {error}"));
                assert_eq!(machine.end(&found.state), run.end);
                let told = |event: &&Event| matches!(event, Event::Return { .. });
                let returns = run.logs.iter().flat_map(|log| &log.records);
                let returns =
                    returns.filter(|record| matches!(record.what, What::Return { .. })).count();
                assert_eq!(found.events.iter().filter(told).count(), returns);
            }
        }
    }
}

#[test]
fn the_order_of_the_clocks_is_a_hint_only() {
    let machine = machine([10, 200]);
    for seed in 0..30 {
        let mut run = logged(&machine, seed, None);
        for (index, record) in run.logs.iter_mut().flat_map(|log| &mut log.records).enumerate() {
            record.at += (index as u64 * 7) % 5;
        }
        check(&machine, &run).unwrap_or_else(|error| panic!("{seed}: {error}"));
    }
}

#[test]
fn a_record_that_is_missing_is_found() {
    let machine = machine([10, 200]);
    let run = logged(&machine, 1, None);
    for process in 0..2 {
        let records = &run.logs[process].records;
        for (place, record) in records.iter().enumerate() {
            let later = |other: &Record| {
                other.lane == record.lane && matches!(other.what, What::Done { .. })
            };
            let counts = matches!(record.what, What::Done { .. } | What::Return { .. });
            // The last step of a process that has ended may have been done and not noted.
            if !counts || !records[place + 1..].iter().any(later) {
                continue;
            }
            let mut edited = run.clone();
            edited.logs[process].records.remove(place);
            let error = check(&machine, &edited).unwrap_err();
            assert!(!error.exhausted && !error.misfits.is_empty(), "{record:?}");
        }
    }
}

#[test]
fn a_result_that_was_not_is_found() {
    let machine = machine([10, 200]);
    let run = logged(&machine, 1, None);
    for process in 0..2 {
        for place in 0..run.logs[process].records.len() {
            let mut edited = run.clone();
            match &mut edited.logs[process].records[place].what {
                What::Done { result, .. } => {
                    *result = match *result {
                        StepResult::Moved(bytes) => StepResult::Moved(bytes - 1),
                        StepResult::Done => StepResult::BadDescriptor,
                        _ => StepResult::Done,
                    }
                }
                What::Return { outcome } => {
                    *outcome = match *outcome {
                        Outcome::Item(ItemId(item)) => Outcome::Item(ItemId(1 - item)),
                        _ => Outcome::Failed,
                    }
                }
                _ => continue,
            }
            let error = check(&machine, &edited).unwrap_err();
            assert!(!error.exhausted, "{error}");
        }
    }
}

#[test]
fn two_results_that_were_swapped_are_found() {
    let machine = machine([10, 200]);
    let mut run = (0..).map(|seed| logged(&machine, seed, None)).find(|run| {
        let item = What::Return { outcome: Outcome::Item(ItemId(1)) };
        run.logs[0].records.iter().any(|record| record.what == item)
    });
    let run = run.as_mut().unwrap();
    for record in &mut run.logs[0].records {
        if let What::Return { outcome: Outcome::Item(ItemId(item)) } = &mut record.what {
            *item = 1 - *item;
        }
    }
    let error = check(&machine, run).unwrap_err();
    assert!(error.to_string().contains("P0.main told"), "{error}");
}

#[test]
fn another_end_and_another_exit_are_found() {
    let machine = machine([10, 200]);
    let stuck = logged(&machine, 3, Some("wlock.release"));
    check(&machine, &stuck).unwrap();
    let mut edited = stuck.clone();
    edited.exits[1] = Some(Exit::Signal(Signal::Terminate));
    assert!(check(&machine, &edited).unwrap_err().to_string().contains("P1 ended with"));
    let mut run = logged(&machine, 3, None);
    run.exits[1] = Some(Exit::Code(1));
    assert!(check(&machine, &run).unwrap_err().to_string().contains("P1 ended with"));

    let machine = self::machine([100_000, 10]);
    let stuck = (0..50).map(|seed| logged(&machine, seed, Some("write-body")));
    let mut stuck = stuck.filter(|run| !run.ended);
    let mut stuck = stuck.next().unwrap();
    check(&machine, &stuck).unwrap();
    stuck.end.blocked[0].step = "rlock.acquire".to_owned();
    assert!(check(&machine, &stuck).unwrap_err().to_string().contains("the run stands at"));
}
