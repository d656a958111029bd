use super::*;
use crate::contract::{Guarantee, Verdict, prove};
use crate::explore::{Limits, explore};
use crate::program::{
    Instruction, Item, ItemId, LaneProgram, Operation, Outcome, ProcessProgram, QueueKind,
    QueueParameters, Timeout,
};
use std::ops::ControlFlow;

const QUEUE: QueueId = QueueId(0);

fn program(maxsize: u32, items: &[(u8, u32)], processes: &[&[Operation]]) -> Program {
    let items = items.iter().enumerate().map(|(index, &(producer, bytes))| Item {
        name: char::from(b'a' + index as u8).to_string(),
        bytes,
        producer: ProcessId(producer),
        queue: QUEUE,
    });
    let processes = processes.iter().enumerate().map(|(index, operations)| ProcessProgram {
        daemon: false,
        leaves_on_terminate: false,
        name: format!("P{index}"),
        lanes: vec![LaneProgram {
            name: "main".to_owned(),
            instructions: operations.iter().copied().map(Instruction::from).collect(),
        }],
    });
    Program {
        queues: vec![QueueParameters {
            name: "jobs".to_owned(),
            kind: QueueKind::Queue,
            maxsize,
            pipe_slots: 16,
        }],
        items: items.collect(),
        processes: processes.collect(),
    }
}

fn put(item: u16) -> Operation {
    Operation::Put { queue: QUEUE, item: ItemId(item), timeout: Timeout::Never }
}

fn get(timeout: Timeout) -> Operation {
    Operation::Get { queue: QUEUE, timeout }
}

fn start(process: u8) -> Operation {
    Operation::Start { process: ProcessId(process) }
}

fn join(process: u8) -> Operation {
    Operation::Join { process: ProcessId(process), timeout: Timeout::Never }
}

fn one_producer(maxsize: u32, bytes: u32) -> Program {
    let main = [start(1), get(Timeout::Never), get(Timeout::Never), join(1)];
    program(maxsize, &[(1, bytes), (1, bytes)], &[&main, &[put(0), put(1)]])
}

fn killing(victims: &[u8]) -> Environment {
    let victims = victims.iter().map(|&victim| ProcessId(victim)).collect();
    Environment { kills: 1, victims, ..Environment::default() }
}

/// States, ends, and how many of the ends are stuck.
fn count(machine: &Classic) -> (usize, usize, usize) {
    let mut stuck = 0;
    let explored = explore(machine, Limits::default(), |visit| {
        stuck += usize::from(visit.is_end() && !machine.end(visit.state).blocked.is_empty());
        ControlFlow::Continue(())
    });
    assert!(explored.complete());
    (explored.states, explored.ends, stuck)
}

fn broken(machine: &Classic) -> Vec<(Guarantee, usize)> {
    let verdicts = prove(machine, Limits::default());
    let broken = verdicts.into_iter().filter_map(|(guarantee, verdict)| match verdict {
        Verdict::Violated { path, .. } => Some((guarantee, path.len())),
        Verdict::Holds { .. } => None,
        Verdict::Undecided { finish } => panic!("{guarantee} is undecided: {finish}"),
    });
    broken.collect()
}

/// The counts are pinned: whatever changes a step of the protocol changes them.
#[test]
fn a_producer_and_a_consumer_always_end() {
    let machine = Classic::new(one_producer(1, 16), Environment::default());
    assert_eq!(count(&machine), (829, 1, 0));
    assert_eq!(broken(&machine), []);
}

#[test]
fn items_larger_than_the_pipe_always_arrive() {
    let machine = Classic::new(one_producer(2, 200_000), Environment::default());
    let (_, ends, stuck) = count(&machine);
    assert_eq!((ends, stuck), (1, 0));
    assert_eq!(broken(&machine), []);
}

#[test]
fn one_kill_of_the_producer_breaks_what_the_documentation_warns_of() {
    let machine = Classic::new(one_producer(1, 16), killing(&[1]));
    let broken: Vec<Guarantee> = broken(&machine).into_iter().map(|(it, _)| it).collect();
    assert_eq!(broken, [Guarantee::G5, Guarantee::G6]);
}

#[test]
fn joining_a_process_with_unflushed_items_is_a_deadlock() {
    let operations: [&[Operation]; 2] = [&[start(1), join(1), get(Timeout::Never)], &[put(0)]];
    let machine = Classic::new(program(0, &[(1, 200_000)], &operations), Environment::default());
    assert_eq!(broken(&machine).first().map(|(it, _)| *it), Some(Guarantee::G9));
    let small = Classic::new(program(0, &[(1, 16)], &operations), Environment::default());
    assert_eq!(broken(&small), []);
}

#[test]
fn a_stuck_state_says_who_waits_for_whom() {
    let operations: [&[Operation]; 2] = [&[start(1), join(1), get(Timeout::Never)], &[put(0)]];
    let machine = Classic::new(program(0, &[(1, 200_000)], &operations), Environment::default());
    let mut chains = Vec::new();
    explore(&machine, Limits::default(), |visit| {
        if visit.is_end() {
            chains = why_stuck(&machine, visit.state);
        }
        ControlFlow::Continue(())
    });
    let expected = "P0.main join P1 <- P1.main feeder.join <- P1.feed write-body, pipe full \
                    <- only P0.main gets";
    assert_eq!(chains, [expected]);
}

/// Short transfers and interruptions harm nobody who does not die (`WF2`, `SL1`).
#[test]
fn faults_that_are_no_kills_break_nothing() {
    let environment = Environment { faults: 2, ..Environment::default() };
    let machine = Classic::new(one_producer(1, 20_000), environment);
    let (states, ends, stuck) = count(&machine);
    assert!(states > 829, "{states} states: the faults happen");
    assert_eq!((ends, stuck), (3, 0), "one end for each number of faults that happened");
    assert_eq!(broken(&machine), []);
}

/// Zero and negative time-outs are one try, as `nowait` is (`Q10`).
#[test]
fn a_timeout_that_is_not_positive_is_one_try() {
    for timeout in [Timeout::NoWait, Timeout::Milliseconds(0), Timeout::Milliseconds(-5)] {
        let full = Operation::Put { queue: QUEUE, item: ItemId(1), timeout };
        let operations = [get(timeout), put(0), full];
        let program = program(1, &[(0, 16), (0, 16)], &[&operations]);
        let machine = Classic::new(program, Environment::default());
        let mut results = Vec::new();
        explore(&machine, Limits::default(), |visit| {
            if visit.is_end() {
                results.push(visit.state.lane(LaneId(0)).results.clone());
            }
            ControlFlow::Continue(())
        });
        assert_eq!(results, [[Outcome::Empty, Outcome::Done, Outcome::Full]], "{timeout:?}");
    }
}

/// A get with a timeout is one try of a lock and a wait for a byte (`Q8`, `Q10`).
#[test]
fn a_get_that_may_wait_a_limited_time_ends_with_an_item_or_empty() {
    let main = [start(1), get(Timeout::Milliseconds(100)), join(1)];
    let results = |time| {
        let environment = Environment { time, ..Environment::default() };
        let machine = Classic::new(program(1, &[(1, 16)], &[&main, &[put(0)]]), environment);
        let mut results = Vec::new();
        explore(&machine, Limits::default(), |visit| {
            let result = visit.state.lane(LaneId(0)).results.get(1).copied();
            if visit.is_end() && !results.contains(&result) {
                results.push(result);
            }
            ControlFlow::Continue(())
        });
        results.sort();
        results
    };
    let (item, empty) = (Some(Outcome::Item(ItemId(0))), Some(Outcome::Empty));
    assert_eq!(results(Time::Patient), [item]);
    assert_eq!(results(Time::Any), [item, empty]);
}

/// The same program with a queue that counts tasks.
fn joinable(mut program: Program) -> Program {
    program.queues[0].kind = QueueKind::Joinable;
    program
}

const TASK_DONE: Operation = Operation::TaskDone { queue: QUEUE };
const JOIN_QUEUE: Operation = Operation::JoinQueue { queue: QUEUE };

/// The joiner sleeps before the only task is done, and another item may be put before it has come
/// back: it does not look again, so that everybody ends (`JQ3`, `O5`).
#[test]
fn who_joins_a_queue_looks_once() {
    let limited = Timeout::Milliseconds(100);
    let asleep = Operation::Join { process: ProcessId(1), timeout: limited };
    let main = [start(1), put(0), asleep, get(Timeout::Never), TASK_DONE, put(1), join(1)];
    let program = joinable(program(2, &[(0, 16), (0, 16)], &[&main, &[JOIN_QUEUE]]));
    let machine = Classic::new(program, Environment::default());
    let joiner = machine.program().lane_of(ProcessId(1), 0);
    let mut late = 0;
    explore(&machine, Limits::default(), |visit| {
        let tasks = visit.state.queue(QUEUE).tasks.as_ref().unwrap();
        let came_back = visit.state.lane(joiner).point == Point::TasksUnlock;
        late += usize::from(came_back && tasks.unfinished.value() > 0);
        ControlFlow::Continue(())
    });
    assert!(late > 0, "it never came back to a counter that was not 0");
    let (_, ends, stuck) = count(&machine);
    assert!(ends > 0 && stuck == 0, "{stuck} of {ends} ends are stuck");
}

/// Counted before anybody can have it: a consumer reports no task too early (`O6`).
#[test]
fn no_task_is_done_before_it_is_counted() {
    let main = [start(1), put(0), put(1), join(1)];
    let worker = [get(Timeout::Never), TASK_DONE, get(Timeout::Never), TASK_DONE];
    let machine = Classic::new(
        joinable(program(2, &[(0, 16), (0, 16)], &[&main, &worker])),
        Environment::default(),
    );
    let worker = machine.program().lane_of(ProcessId(1), 0);
    let mut results = Vec::new();
    explore(&machine, Limits::default(), |visit| {
        if visit.is_end() {
            results.push(visit.state.lane(worker).results.clone());
        }
        ControlFlow::Continue(())
    });
    let item = |number| Outcome::Item(ItemId(number));
    assert_eq!(results, [[item(0), Outcome::Done, item(1), Outcome::Done]]);
}

#[test]
fn an_action_that_is_not_enabled_is_refused_and_changes_nothing() {
    let machine = Classic::new(one_producer(1, 16), Environment::default());
    let mut state = machine.initial();
    let before = state.clone();
    for action in [
        Action::Step { lane: LaneId(1) },
        Action::Expire { lane: LaneId(0) },
        Action::Die { process: ProcessId(0) },
        Action::Kill { process: ProcessId(1), signal: Signal::Kill },
    ] {
        assert!(machine.apply(&mut state, &action).is_err(), "{action:?}");
        assert_eq!(state, before);
    }
}
