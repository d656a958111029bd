//! The two warnings of CPython's documentation, found by exploring the model: corruption by a kill
//! in the middle of a put, and deadlock by joining a process with unflushed items. Each shortest
//! counterexample is then carried out by the real code in the simulated kernel, and what it does
//! there is the snapshot.

use midput_model::contract::{Guarantee, Verdict, prove};
use midput_model::explore::Limits;
use midput_model::queue::classic::{Classic as Machine, Environment, Time};
use midput_scenarios::Scenario;
use midput_sim::counterexample::case_of;
use midput_sim::subject::Classic;
use midput_sim::sweep::{Failure, Runner, Verdict as CaseVerdict};
use midput_sim::trace::{Story, TraceLog, render};

fn parse(text: &str) -> Scenario {
    midput_scenarios::parse("documented", text).unwrap_or_else(|error| panic!("{error}"))
}

fn machine(scenario: &Scenario, time: Time, kills: u8) -> Machine {
    let environment = Environment {
        time,
        kills,
        victims: scenario.faults.victims.clone(),
        overdue: time == Time::Any,
        ..Environment::default()
    };
    Machine::new(scenario.program.clone(), environment)
}

/// The guarantees that exploring breaks; everything else is proved.
fn broken(scenario: &Scenario, time: Time, kills: u8) -> Vec<Guarantee> {
    let verdicts = prove(&machine(scenario, time, kills), Limits::default());
    let broken = verdicts.into_iter().filter_map(|(guarantee, verdict)| match verdict {
        Verdict::Holds { .. } => None,
        Verdict::Violated { .. } => Some(guarantee),
        Verdict::Undecided { finish } => panic!("{guarantee}: {finish}"),
    });
    broken.collect()
}

/// The trace of the real code on the shortest way to break a guarantee.
fn counterexample(scenario: &Scenario, kills: u8, guarantee: Guarantee) -> String {
    let machine = machine(scenario, Time::Patient, kills);
    let verdict = prove(&machine, Limits::default()).into_iter().find(|(it, _)| *it == guarantee);
    let Some((_, Verdict::Violated { path, .. })) = verdict else {
        panic!("{guarantee} is not violated")
    };
    let (case, mut follow) = case_of(scenario, &machine, &path);
    let mut log = TraceLog::default();
    let mut runner = Runner::new(scenario, true);
    let outcome = runner.run_with::<Classic<_>>(&case, &mut follow, Some(&mut log));
    let diverged = matches!(&outcome.judged.verdict, CaseVerdict::Fail(failures)
        if failures.iter().any(|it| matches!(it, Failure::Diverged(_) | Failure::Replay(_))));
    assert!(!diverged, "{:?}", outcome.judged.verdict);
    let violated = outcome.judged.violations.iter().any(|it| it.guarantee == guarantee);
    assert!(violated, "the real code keeps {guarantee} on the model's path");
    render(&scenario.program, &log, &Story::of(scenario, &outcome))
}

const MID_PUT: &str = r#"
why = "Documented: a process that is killed while it uses a queue may corrupt it."
[queue.jobs]
maxsize = 2
[process.P0]
main = ["start P1", "get timeout=100ms", "put b 16B"]
[process.P1]
main = ["put a 70000B"]
[faults]
kills = 1
victims = ["P1"]
"#;

const UNFLUSHED: &str = r#"
why = "Documented: joining a process before its items are taken may deadlock."
[queue.jobs]
[process.P0]
main = ["start P1", "join P1", "get"]
[process.P1]
main = ["put a 70000B"]
"#;

#[test]
fn a_kill_mid_put_corrupts_the_queue_for_the_survivors() {
    let scenario = parse(MID_PUT);
    insta::assert_snapshot!(counterexample(&scenario, 1, Guarantee::G7));
}

#[test]
fn joining_a_process_with_unflushed_items_deadlocks() {
    let scenario = parse(UNFLUSHED);
    insta::assert_snapshot!(counterexample(&scenario, 0, Guarantee::G9));
}

const CONSUMER: &str = r#"
why = "A consumer may die with an item, a slot or the read lock."
[queue.jobs]
maxsize = 2
[process.P0]
main = ["start P1", "put a 16B", "after P1 died put b 16B timeout=100ms", "get"]
[process.P1]
main = ["get"]
[faults]
kills = 1
victims = ["P1"]
"#;

const LATE_GET: &str = r#"
why = "A producer may die with a slot, an item or the write lock."
[queue.jobs]
maxsize = 1
[process.P0]
main = [
    "start P1", "after P1 died get timeout=100ms", "put b 16B timeout=100ms", "get timeout=100ms",
]
[process.P1]
main = ["put a 16B"]
[faults]
kills = 1
victims = ["P1"]
"#;

const CANCELLED: &str = r#"
why = "Leaving without waiting for the feeder drops what it had (Q16)."
[queue.jobs]
[process.P0]
main = ["start P1", "join P1", "get timeout=100ms"]
[process.P1]
main = ["put a 16B", "cancel_join_thread"]
"#;

/// What the classic discipline has and lacks, as explored: the front page in small.
#[test]
fn exploring_proves_what_holds_and_breaks_what_does_not() {
    let small = MID_PUT.replace("70000B", "16B");
    let rows = [
        ("small items, nobody killed, any time", small.as_str(), Time::Any, 0),
        ("large items, nobody killed, patient time", MID_PUT, Time::Patient, 0),
        ("large items, nobody killed, any time", MID_PUT, Time::Any, 0),
        ("large items, the producer killed", MID_PUT, Time::Patient, 1),
        ("a producer killed before the get", LATE_GET, Time::Patient, 1),
        ("a consumer killed", CONSUMER, Time::Patient, 1),
        ("join before get", UNFLUSHED, Time::Patient, 0),
        ("cancel_join_thread", CANCELLED, Time::Patient, 0),
    ];
    let mut table = String::new();
    for (name, text, time, kills) in rows {
        let lacks = broken(&parse(text), time, kills);
        let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
        let lacks = if lacks.is_empty() { "none".to_owned() } else { lacks.join(" ") };
        table += &format!("{name:<42} lacks {lacks}\n");
    }
    insta::assert_snapshot!(table);
}
