//! The hazards of CPython's manager queue, each by the shortest way there that exploring finds, and
//! the proof that the closed form has none of them.

use std::ops::ControlFlow;

use midput_model::explore::{Limits, explore};
use midput_model::machine::Machine;
use midput_model::program::{ProcessId, Program};
use midput_model::queue::manager::{Environment, Form, Harm, Manager, describe};

fn program(text: &str) -> Program {
    midput_scenarios::parse("manager", text).unwrap_or_else(|error| panic!("{error}")).program
}

fn killing(victim: u8) -> Environment {
    Environment { kills: 1, victims: vec![ProcessId(victim)], ..Environment::default() }
}

/// The shortest way of the classic form to a harm, and that the closed form has no way.
fn shortest(text: &str, environment: &Environment, is_it: fn(&Harm) -> bool) -> String {
    let program = program(text);
    let search = |form| {
        let machine = Manager::new(program.clone(), form, environment.clone()).unwrap();
        let mut first = None;
        let explored = explore(&machine, Limits::default(), |visit| {
            if is_it(&visit.state.harm) {
                first = Some(visit.index);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        (machine, explored, first)
    };
    let (_, explored, first) = search(Form::Closed);
    assert!(first.is_none() && explored.complete(), "the closed form does it, too");
    let mut text = format!("closed form: none in {} states\n", explored.states);
    let (machine, explored, first) = search(Form::Classic);
    let path = explored.path(&machine, first.expect("the classic form does it"));
    let mut state = machine.initial();
    for (action, observation) in path {
        machine.apply(&mut state, &action).unwrap();
        text += &describe(&program, &observation);
        text.push('\n');
    }
    text
}

/// `MQ4` of the classic form; the closed one does without.
#[test]
fn h14_an_item_is_swallowed_by_a_dead_client() {
    let text = r#"
why = "A client that waits in get dies, and the item that is put later goes to it (MQ4)."
[queue.jobs]
[process.P0]
main = ["start P1", "after P1 died put a 1B", "get timeout=100ms"]
[process.P1]
main = ["get"]
[faults]
kills = 1
victims = ["P1"]
"#;
    insta::assert_snapshot!(shortest(text, &killing(1), |harm| harm.swallowed.is_some()));
}

/// `MQ4` of the classic form; the closed one does without.
#[test]
fn h15_a_put_is_done_after_its_process_died() {
    let text = r#"
why = "A client that waits in put dies, and once there is room its item is put (MQ4)."
[queue.jobs]
maxsize = 1
[process.P0]
main = ["put a 1B", "start P1", "after P1 died get", "get timeout=100ms"]
[process.P1]
main = ["put b 1B"]
[faults]
kills = 1
victims = ["P1"]
"#;
    insta::assert_snapshot!(shortest(text, &killing(1), |harm| harm.ghost.is_some()));
}

/// `MQ7` of the classic form; the closed one does without.
#[test]
fn mq7_an_answer_is_taken_for_the_next_call_s() {
    let text = r#"
why = "An exception ends a get that waits, and the next call gets its answer (MQ7)."
[queue.jobs]
[process.P0]
main = ["get timeout=100ms", "put a 1B"]
"#;
    let environment = Environment { interrupts: 1, ..Environment::default() };
    insta::assert_snapshot!(shortest(text, &environment, |harm| harm.stale));
}
