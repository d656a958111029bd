//! The rows of queues that a server owns (M): what a survivor sees once a client, or the server, is
//! dead. Each run is besides one that the manager's machine has, call by call.

use midput_model::program::ProcessId;
use midput_scenarios::Scenario;
use midput_sim::subject::Classic;
use midput_sim::sweep::{CaseOutcome, Runner, Verdict, run_native};
use midput_sim::world::native::NativeOptions;

const TABLE: &str = include_str!("manager.txt");
const ROWS: usize = 10;

const OPERATIONS: [(&str, &[&str]); 11] = [
    ("empty", &["empty"]),
    ("full", &["full"]),
    ("qsize", &["qsize"]),
    ("get_nowait", &["get nowait"]),
    ("get_timeout", &["get timeout=60ms"]),
    ("get", &["get"]),
    ("put_nowait", &["put y 16B nowait"]),
    ("put_timeout", &["put y 16B timeout=60ms"]),
    ("put", &["put y 16B"]),
    ("put_then_get", &["get timeout=60ms"]),
    ("get_twice", &["get timeout=60ms", "get timeout=60ms"]),
];

/// Every cell: its name, its scenario, and what is to be seen.
fn cells() -> Vec<(String, Scenario, String)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split('|').map(str::trim).collect()).collect();
    assert_eq!(rows.len(), ROWS);
    let mut cells = Vec::new();
    for row in rows {
        let [id, kind, maxsize, before, victim, kill, seen @ ..] = &row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(seen.len(), OPERATIONS.len(), "{id}");
        for (seen, (name, operations)) in seen.iter().zip(OPERATIONS) {
            // Nothing can be put there before the survivor comes.
            if *seen == "-" {
                continue;
            }
            let text = text([kind, maxsize, before, victim, kill], name, operations);
            let cell = format!("{id} {name}");
            let scenario = midput_scenarios::parse(&format!("crash-table/{cell}"), &text);
            let scenario = scenario.unwrap_or_else(|error| panic!("{error}\n{text}"));
            cells.push((cell, scenario, (*seen).to_owned()));
        }
    }
    cells
}

/// P1 is the victim and P2 the survivor; where the server's process dies, P1 survives.
fn text([kind, maxsize, before, victim, kill]: [&str; 5], name: &str, does: &[&str]) -> String {
    let mut main: Vec<String> =
        before.split_whitespace().map(|item| format!("put {item} 16B")).collect();
    main.push("start P1".to_owned());
    let mut survivor: Vec<String> = does.iter().map(|&operation| operation.to_owned()).collect();
    let (dead, place) = kill.split_once(' ').unwrap();
    let processes = if dead == "P0" {
        main.push("join P1".to_owned());
        survivor[0].insert_str(0, "after P0 died ");
        survivor.insert(0, "empty".to_owned());
        vec![main, survivor]
    } else {
        let first = if name == "put_then_get" { "put z 16B" } else { "start P2" };
        main.push(format!("after P1 died {first}"));
        if first != "start P2" {
            main.push("start P2".to_owned());
        }
        vec![main, vec![victim.to_owned()], survivor]
    };
    let processes: Vec<String> = (0..)
        .zip(&processes)
        .map(|(number, lane): (u8, _)| format!("[process.P{number}]\nmain = {lane:?}\n"))
        .collect();
    let site = match place.strip_prefix("blocked in ") {
        Some(step) => format!("blocked in {dead}.main {step}"),
        None => place.replacen("before ", &format!("before {dead}.main "), 1),
    };
    format!(
        "why = \"A row of the crash table.\"\n[queue.jobs]\nkind = \"{kind}\"\nmaxsize = {maxsize}\n{}\
         [faults]\nkill = \"{dead} SIGKILL {site}\"\n\
         [allow]\nclassic = [\"H14\", \"H15\"]\n",
        processes.concat(),
    )
}

/// The last result of the survivor, or that it hangs.
fn seen(scenario: &Scenario, outcome: &CaseOutcome) -> String {
    let program = &scenario.program;
    let survivor = u8::try_from(program.processes.len() - 1).unwrap();
    let lane = program.lane_of(ProcessId(survivor), 0);
    if outcome.end.blocked.iter().any(|blocked| blocked.lane == lane) {
        return "HANG".to_owned();
    }
    let mut results = outcome.returns.iter().rev().filter(|(of, _)| *of == lane);
    results.next().map_or("nothing".to_owned(), |&(_, outcome)| super::text(program, outcome))
}

fn compare(mut run: impl FnMut(&Scenario) -> Vec<CaseOutcome>) {
    let (mut expected, mut found) = (String::new(), String::new());
    for (cell, scenario, wanted) in cells() {
        expected += &format!("{cell}: {wanted}\n");
        for outcome in run(&scenario) {
            assert_eq!(outcome.landed.len(), 1, "{cell}: the kill did not land");
            assert_eq!(outcome.judged.verdict, Verdict::Pass, "{cell}");
            let seen = seen(&scenario, &outcome);
            let line = format!("{cell}: {seen}\n");
            if !found.ends_with(&line) {
                found += &line;
            }
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn the_simulation_shows_the_crash_table_of_managers() {
    compare(|scenario| {
        let mut runner = Runner::new(scenario, true);
        (0..8)
            .map(|number| runner.run::<Classic<_>>(&super::case(scenario, number), None))
            .collect()
    });
}

#[test]
fn real_processes_show_the_crash_table_of_managers() {
    let options = NativeOptions::new(env!("CARGO_BIN_EXE_midput").into());
    compare(|scenario| vec![run_native(scenario, &super::case(scenario, 0), &options)]);
}
