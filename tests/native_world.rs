//! Programs of real processes on the real kernel.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use midput_model::event::Event;
use midput_model::program::{
    Exit, Instruction, Item, ItemId, LaneId, LaneProgram, Operation, Outcome, ProcessId,
    ProcessProgram, Program, QueueId, QueueKind, QueueParameters, Signal, Timeout,
};
use midput_model::queue::classic::{Classic, Environment, Time};
use midput_scenarios::KillPoint;
use midput_sim::world::consistency::{Consistent, check};
use midput_sim::world::native::{self, NativeError, NativeOptions, NativeRun, What};

const QUEUE: QueueId = QueueId(0);
const NEVER: Timeout = Timeout::Never;

/// `P0` starts `P1`, which puts items of these sizes; `P0` then does the rest.
fn program(sizes: &[u32], rest: &[Instruction]) -> Program {
    let item = |(number, &bytes): (usize, &u32)| Item {
        name: format!("item{number}"),
        bytes,
        producer: ProcessId(1),
        queue: QUEUE,
    };
    let process = |name: &str, instructions: Vec<Instruction>| ProcessProgram {
        daemon: false,
        leaves_on_terminate: false,
        name: name.to_owned(),
        lanes: vec![LaneProgram { name: "main".to_owned(), instructions }],
    };
    let mut parent = vec![Operation::Start { process: ProcessId(1) }.into()];
    parent.extend_from_slice(rest);
    let child = (0u16..).take(sizes.len()).map(|item| put(item).into()).collect();
    Program {
        queues: vec![QueueParameters {
            name: "jobs".to_owned(),
            kind: QueueKind::Queue,
            maxsize: 0,
            pipe_slots: 16,
        }],
        items: sizes.iter().enumerate().map(item).collect(),
        processes: vec![process("P0", parent), process("P1", child)],
    }
}

fn get(timeout: Timeout) -> Instruction {
    Operation::Get { queue: QUEUE, timeout }.into()
}

fn put(item: u16) -> Operation {
    Operation::Put { queue: QUEUE, item: ItemId(item), timeout: NEVER }
}

fn after(process: u8, operation: Operation) -> Instruction {
    let after = Some(ProcessId(process));
    Instruction { after, ..operation.into() }
}

fn join() -> Instruction {
    Operation::Join { process: ProcessId(1), timeout: NEVER }.into()
}

fn options() -> NativeOptions {
    NativeOptions::new(PathBuf::from(env!("CARGO_BIN_EXE_midput")))
}

fn run(program: &Program, kills: &[&str]) -> Result<NativeRun, NativeError> {
    let kills: Vec<KillPoint> = kills.iter().map(|text| text.parse().unwrap()).collect();
    native::run(program, "classic", &kills, &[], &options())
}

fn consistent(program: &Program, run: &NativeRun) -> Consistent {
    let environment = Environment { time: Time::Any, ..Environment::default() };
    let machine = Classic::new(program.clone(), environment);
    check(&machine, run).unwrap_or_else(|error| {
        let mut records: Vec<_> = run.logs.iter().flat_map(|log| &log.records).collect();
        records.sort_by_key(|record| record.at);
        for record in records {
            eprintln!("{record:?}");
        }
        panic!("{error}\n{:?} {:?} {:?}", run.end, run.exits, run.killed)
    })
}

fn outcomes(found: &Consistent, lane: u8) -> Vec<Outcome> {
    let of = |event: &Event| match *event {
        Event::Return { lane: by, outcome } if by == LaneId(lane) => Some(outcome),
        _ => None,
    };
    found.events.iter().filter_map(of).collect()
}

fn blocked(run: &NativeRun) -> Vec<String> {
    run.end.blocked.iter().map(|it| format!("{} {}", it.lane.0, it.step)).collect()
}

/// A death is awaited by a process that came to it long before the other was started.
#[test]
fn a_death_is_awaited_before_the_process_is_started() {
    let mut program = program(&[16], &[]);
    let start = |process| Operation::Start { process: ProcessId(process) }.into();
    let wait = Operation::Join { process: ProcessId(2), timeout: Timeout::Milliseconds(300) };
    let join = |process| Operation::Join { process: ProcessId(process), timeout: NEVER }.into();
    let main = vec![start(2), wait.into(), start(1), join(1), join(2)];
    program.processes[0].lanes[0].instructions = main;
    program.processes.push(ProcessProgram {
        daemon: false,
        leaves_on_terminate: false,
        name: "P2".to_owned(),
        lanes: vec![LaneProgram {
            name: "main".to_owned(),
            instructions: vec![after(1, Operation::Size { queue: QUEUE })],
        }],
    });
    let run = run(&program, &[]).unwrap();
    let returned = |event: &Event| match *event {
        Event::Return { outcome: Outcome::Number(number), .. } => Some(number),
        _ => None,
    };
    let found = consistent(&program, &run);
    assert_eq!(found.events.iter().find_map(returned), Some(1));
}

#[test]
fn a_program_that_ends_is_one_of_the_models_runs() {
    let program = program(&[100, 100_000], &[get(NEVER), get(NEVER), join()]);
    let run = run(&program, &[]).unwrap();
    assert!(run.ended, "{:?}", run.end);
    assert_eq!(run.exits, [Some(Exit::Code(0)); 2]);
    let found = consistent(&program, &run);
    let item = |number| Outcome::Item(ItemId(number));
    assert_eq!(outcomes(&found, 0), [Outcome::Done, item(0), item(1), Outcome::Done]);
}

#[test]
fn a_parent_that_joins_before_it_gets_is_stuck_with_its_child() {
    let program = program(&[100_000], &[join(), get(NEVER)]);
    let run = run(&program, &[]).unwrap();
    assert!(!run.ended);
    assert_eq!(blocked(&run), ["0 process.join", "2 feeder.join", "3 write-body"]);
    let found = consistent(&program, &run);
    assert_eq!(found.state.lanes[3].moved, 63_136);
}

#[test]
fn a_writer_killed_in_a_frame_leaves_its_reader_for_ever() {
    let program = program(&[100_000], &[get(Timeout::Milliseconds(500)), join()]);
    let kill = "P1 SIGKILL at P1.feed write-body[1]+70000";
    let run = run(&program, &[kill]).unwrap();
    assert_eq!(run.landed, [true]);
    assert_eq!(run.exits[1], Some(Exit::Signal(Signal::Kill)));
    assert_eq!(blocked(&run), ["0 read-body"]);
    consistent(&program, &run);
}

#[test]
fn a_reader_killed_where_it_is_blocked_takes_the_read_lock_with_it() {
    // P1 is the reader here: it waits for an item that comes only after its death.
    let mut program = program(&[], &[after(1, put(0)), get(Timeout::Milliseconds(100))]);
    program.items.push(Item {
        name: "late".to_owned(),
        bytes: 10,
        producer: ProcessId(0),
        queue: QUEUE,
    });
    program.processes[1].lanes[0].instructions.push(get(NEVER));
    for signal in ["SIGKILL", "SIGTERM"] {
        let kill = format!("P1 {signal} blocked in P1.main read-header[1]");
        let run = run(&program, &[&kill]).unwrap();
        assert_eq!(run.landed, [true]);
        assert!(run.ended);
        let found = consistent(&program, &run);
        assert_eq!(outcomes(&found, 0), [Outcome::Done, Outcome::Done, Outcome::Empty]);
    }
}

#[test]
fn kills_before_and_after_a_step_and_from_another_lane_land() {
    let program = program(&[10, 10], &[join(), get(Timeout::Milliseconds(50))]);
    let kills = [
        ("P1 SIGKILL before P1.feed wlock.acquire[1]", Outcome::Empty),
        ("P1 SIGKILL after P1.feed write-frame[1]", Outcome::Item(ItemId(0))),
        ("P1 SIGTERM after P1.feed wlock.acquire[2]", Outcome::Item(ItemId(0))),
    ];
    for (kill, got) in kills {
        let run = run(&program, &[kill]).unwrap();
        assert_eq!(run.landed, [true], "{kill}");
        assert!(run.ended, "{kill}: {:?}", run.end);
        let found = consistent(&program, &run);
        assert_eq!(outcomes(&found, 0)[2], got, "{kill}");
    }
    // P1 dies when P0 has come to its join.
    let run = run(&program, &["P1 SIGKILL before P0.main process.join[1]"]).unwrap();
    assert!(run.ended);
    consistent(&program, &run);
}

#[test]
fn processes_that_are_killed_and_terminated_by_the_program_die() {
    for signal in [Signal::Kill, Signal::Terminate] {
        let end = Operation::Signal { process: ProcessId(1), signal };
        // Nobody takes what P1's feeder has to send: only a signal ends it.
        let program = program(&[100_000], &[end.into(), join()]);
        let run = run(&program, &[]).unwrap();
        assert!(run.ended, "{:?}", run.end);
        assert_eq!(run.exits[1], Some(Exit::Signal(signal)));
        consistent(&program, &run);
    }
}

#[test]
fn a_lane_is_held_and_a_kill_that_does_not_land_is_none() {
    let program = program(&[10], &[get(NEVER)]);
    let hold = "P1.feed wlock.acquire[1]".parse().unwrap();
    let never = "P1 SIGKILL before P1.feed wlock.acquire[9]".parse().unwrap();
    let run = native::run(&program, "classic", &[never], &[hold], &options()).unwrap();
    assert_eq!(run.landed, [false]);
    assert_eq!(run.held, [LaneId(3)]);
    assert_eq!(blocked(&run), ["0 read-header", "2 feeder.join", "3 wlock.acquire"]);
    consistent(&program, &run);
}

#[test]
fn several_runs_at_once_do_not_meet() {
    let program = program(&[20_000, 7], &[get(NEVER), get(NEVER), join()]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let run = run(&program, &[]).unwrap();
                    assert!(run.ended, "{:?}", run.end);
                    consistent(&program, &run);
                }
            });
        }
    });
}

#[test]
fn a_wait_that_ends_by_itself_is_no_hang() {
    let program = program(&[], &[get(Timeout::Milliseconds(200))]);
    let run = run(&program, &[]).unwrap();
    assert!(run.ended, "{:?}", run.end);
    let found = consistent(&program, &run);
    assert_eq!(outcomes(&found, 0), [Outcome::Done, Outcome::Empty]);
}

#[test]
fn a_run_beyond_its_deadline_is_inconclusive_and_leaves_nobody() {
    let program = program(&[], &[get(Timeout::Milliseconds(60_000))]);
    let options = NativeOptions { deadline: Duration::from_millis(200), ..options() };
    let error = native::run(&program, "classic", &[], &[], &options).unwrap_err();
    assert!(matches!(error, NativeError::Undecided { .. }), "{error}");
    assert!(error.to_string().contains("P0.main poll[1] Limited"), "{error}");
}

/// Every place of the run: before and after each step that the two processes did without a kill,
/// and blocked in each that may wait.
#[test]
fn a_kill_at_every_site_is_one_of_the_models_runs() {
    let program = program(&[10, 70_000], &[get(Timeout::Milliseconds(30)), join()]);
    let names: Vec<_> = program.lanes().into_iter().map(|lane| lane.name).collect();
    let free = run(&program, &[]).unwrap();
    let mut kills = BTreeSet::new();
    for record in free.logs.iter().flat_map(|log| &log.records) {
        let places: &[&str] = match &record.what {
            What::Done { .. } => &["before", "after"],
            What::Begin { .. } => &["blocked in"],
            _ => continue,
        };
        if let What::Done { step, .. } | What::Begin { step, .. } = &record.what {
            let site = format!("{} {}", names[usize::from(record.lane.0)], step.name);
            for place in places {
                let process = &site[..2];
                let kill = format!("{process} SIGKILL {place} {site}[{}]", step.occurrence);
                kills.insert(kill);
            }
        }
    }
    let mut landed = 0;
    for kill in &kills {
        let run = run(&program, &[kill]).unwrap_or_else(|error| panic!("{kill}: {error}"));
        consistent(&program, &run);
        landed += usize::from(run.landed[0]);
    }
    assert!(landed * 3 > kills.len(), "{landed} of {}", kills.len());
}
