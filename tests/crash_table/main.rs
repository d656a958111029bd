//! The crash table: what a process that was killed at a known point leaves to every operation of
//! a survivor. Model, simulation and real processes must all show the same.
//!
//! Rows are crash points by their ids; P4 and P6 are injected: the kernel itself never leaves
//! a frame at that byte. In the model every continuation after the crash is visited.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use midput_model::explore::{Limits, explore};
use midput_model::program::{LaneId, Outcome};
use midput_model::queue::classic::{Classic as Machine, From, Point, State, Time};
use midput_scenarios::Scenario;
use midput_sim::case::Case;
use midput_sim::subject::Classic;
use midput_sim::sweep::{Runner, Verdict, machine};
use midput_sim::world::consistency;
use midput_sim::world::native::{self, NativeOptions};

/// The survivor's operations, as columns, and how the survivor does each.
const OPERATIONS: [(&str, &str); 10] = [
    ("empty", "empty"),
    ("full", "full"),
    ("qsize", "qsize"),
    ("get_nowait", "get nowait"),
    ("get_timeout", "get timeout=60ms"),
    ("get", "get"),
    ("put_nowait", "put y 16B nowait"),
    ("put_timeout", "put y 16B timeout=60ms"),
    ("put", "put y 16B"),
    ("put_then_get", "get timeout=60ms"),
];

/// A crash point: the queue's bound, what is in it before, what the victim does, where it dies.
struct Row {
    id: String,
    maxsize: u32,
    /// Items `a` and `b` were put and are in the pipe before the victim starts.
    filled: bool,
    victim: String,
    hold: String,
    kill: String,
    /// Free slots, read lock, write lock, bytes in the pipe, right after the crash.
    left: [u32; 4],
    /// What the survivor sees, in the order of [`OPERATIONS`].
    seen: Vec<String>,
}

fn rows() -> Vec<Row> {
    let lines = include_str!("table.txt").lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Row> = lines.map(row).collect();
    assert_eq!(rows.len(), 16);
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [id, maxsize, before, victim, hold, kill, left, seen @ ..] = &cells[..] else {
        panic!("{line}")
    };
    assert_eq!(seen.len(), OPERATIONS.len(), "{line}");
    let left: Vec<u32> = left.split(' ').map(|number| number.parse().unwrap()).collect();
    Row {
        id: (*id).to_owned(),
        maxsize: maxsize.parse().unwrap(),
        filled: *before == "a and b",
        victim: (*victim).to_owned(),
        hold: hold.replace("V.", "P1."),
        kill: kill.replace("V.", "P1."),
        left: left.try_into().unwrap(),
        seen: seen.iter().map(|cell| cell.replace("STUCK", "ok, exit HANGS")).collect(),
    }
}

/// The scenario of one cell. P1 is the victim, P2 the survivor, P3 helps.
fn scenario(row: &Row, column: usize) -> Scenario {
    let (name, operation) = OPERATIONS[column];
    let also = name == "put_then_get";
    let mut main = Vec::new();
    let mut processes = String::new();
    if row.filled {
        main.extend(["start P3", "join P3"]);
        processes += "[process.P3]\nmain = [\"put a 16B\", \"put b 16B\"]\n";
    }
    main.push("start P1");
    if also {
        let putter = if row.filled { "P4" } else { "P3" };
        main.push(if row.filled { "after P1 died start P4" } else { "after P1 died start P3" });
        processes += &format!("[process.{putter}]\nmain = [\"put z 16B\"]\n");
    }
    main.extend(["after P1 died start P2", "join P2"]);
    let main: Vec<String> = main.iter().map(|it| format!("\"{it}\"")).collect();
    let hold = match row.hold.as_str() {
        "" => String::new(),
        hold => format!("hold = [\"{hold}\"]\n"),
    };
    let text = format!(
        "why = \"Row {} of the crash table.\"\n[queue.jobs]\nmaxsize = {}\n\
         [process.P0]\nmain = [{}]\n[process.P1]\nmain = [\"{}\"]\n\
         [process.P2]\nmain = [\"{operation}\"]\n{processes}\
         [faults]\nkill = \"P1 SIGKILL {}\"\n{hold}\
         [allow]\nclassic = [\"H1\", \"H2\", \"H3\", \"H4\", \"H5\", \"H6\", \"H7\", \"H8\", \"H11\"]\n",
        row.id,
        row.maxsize,
        main.join(", "),
        row.victim,
        row.kill,
    );
    let name = format!("crash-table/{}-{name}", row.id);
    midput_scenarios::parse(&name, &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn case(scenario: &Scenario, number: u64) -> Case {
    Case {
        scenario: scenario.name.clone(),
        subject: "classic".to_owned(),
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

/// The cell that an end shows: what the survivor's operation returned, or where it hangs.
fn cell(machine: &Machine, state: &State) -> String {
    let survivor: LaneId = machine.program().lane_of(midput_model::program::ProcessId(2), 0);
    let lane = state.lane(survivor);
    let blocked = machine.end(state).blocked.iter().any(|it| it.lane == survivor);
    let result = lane.results.first().map(|outcome| match *outcome {
        Outcome::Done => "ok".to_owned(),
        Outcome::Item(item) => machine.program().items[usize::from(item.0)].name.clone(),
        Outcome::Number(number) => number.to_string(),
        Outcome::Bool(true) => "True".to_owned(),
        Outcome::Bool(false) => "False".to_owned(),
        other => format!("{other:?}"),
    });
    match (result, blocked, lane.point) {
        (Some(result), true, Point::FeederJoin) => format!("{result}, exit HANGS"),
        (Some(result), false, _) => result,
        (None, true, Point::GetHeader | Point::GetBody) => "HANG(read)".to_owned(),
        (None, true, Point::GetAcquire) => "HANG(lock)".to_owned(),
        (None, true, Point::PutAcquire) => "HANG(sem)".to_owned(),
        (result, blocked, point) => format!("{result:?}, blocked {blocked}, at {point:?}"),
    }
}

fn objects(state: &State) -> [u32; 4] {
    let queue = &state.queues[0];
    [
        queue.slots.value(),
        queue.read_lock.semaphore.value(),
        queue.write_lock.semaphore.value(),
        queue.pipe.available(),
    ]
}

/// Every cell as text, from a function that gives the cell of a scenario.
fn table(mut cell: impl FnMut(&Row, &Scenario) -> String) -> (String, String) {
    let (mut expected, mut found) = (String::new(), String::new());
    for row in rows() {
        for (column, (name, _)) in OPERATIONS.iter().enumerate() {
            let scenario = scenario(&row, column);
            expected += &format!("{} {name}: {}\n", row.id, row.seen[column]);
            found += &format!("{} {name}: {}\n", row.id, cell(&row, &scenario));
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
            assert_eq!(outcome.landed.len(), 1, "{}: the kill did not land", scenario.name);
            let forced = matches!(row.id.as_str(), "P4" | "P6");
            assert_eq!(outcome.landed[0].1, forced, "{}: injected", scenario.name);
            assert_eq!(outcome.judged.verdict, Verdict::Pass, "{}", scenario.name);
            let observers = runner.observers();
            let lockstep = observers.lockstep.as_ref().unwrap();
            cells.insert(cell(lockstep.machine(), lockstep.state()));
            let after = observers.kills[0].after.clone().unwrap();
            assert_eq!(objects(&after), row.left, "{}: right after the crash", scenario.name);
            let model = machine(scenario, Time::Patient);
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
        if run.landed != [true] {
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
