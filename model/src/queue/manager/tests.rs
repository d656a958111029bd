use std::ops::ControlFlow;

use super::*;
use crate::contract::{Guarantee, Verdict, prove};
use crate::explore::{Explored, Limits, StateIndex, explore};
use crate::program::{Item, LaneProgram, ProcessProgram, QueueKind, QueueParameters, Timeout};

const QUEUE: QueueId = QueueId(0);

fn put(item: u16) -> Instruction {
    put_for(item, Timeout::Never)
}

fn put_for(item: u16, timeout: Timeout) -> Instruction {
    Operation::Put { queue: QUEUE, item: ItemId(item), timeout }.into()
}

fn get(timeout: Timeout) -> Instruction {
    Operation::Get { queue: QUEUE, timeout }.into()
}

fn start(process: u8) -> Instruction {
    Operation::Start { process: ProcessId(process) }.into()
}

fn after(process: u8, instruction: Instruction) -> Instruction {
    Instruction { after: Some(ProcessId(process)), ..instruction }
}

/// Items are `(producer)`s, in their order.
fn program(maxsize: u32, producers: &[u8], processes: &[&[Instruction]]) -> Program {
    let items = producers.iter().enumerate().map(|(index, &producer)| Item {
        name: char::from(b'a' + index as u8).to_string(),
        bytes: 1,
        producer: ProcessId(producer),
        queue: QUEUE,
    });
    let processes = processes.iter().enumerate().map(|(index, instructions)| ProcessProgram {
        daemon: false,
        leaves_on_terminate: false,
        name: format!("P{index}"),
        lanes: vec![LaneProgram { name: "main".to_owned(), instructions: instructions.to_vec() }],
    });
    Program {
        queues: vec![QueueParameters {
            name: "jobs".to_owned(),
            kind: QueueKind::Manager,
            maxsize,
            pipe_slots: 16,
        }],
        items: items.collect(),
        processes: processes.collect(),
    }
}

fn killing(victims: &[u8], kills: u8) -> Environment {
    let victims = victims.iter().map(|&victim| ProcessId(victim)).collect();
    Environment { kills, victims, ..Environment::default() }
}

/// Programs in which clients die in get, in put, with others waiting, one after the other.
fn programs() -> Vec<(Program, Environment)> {
    let (never, soon) = (Timeout::Never, Timeout::Milliseconds(100));
    vec![
        (
            program(
                0,
                &[0, 0],
                &[
                    &[start(1), start(2), put(0), put(1)],
                    &[get(never)],
                    &[get(soon), get(Timeout::NoWait)],
                ],
            ),
            killing(&[1, 2], 2),
        ),
        (
            program(
                1,
                &[0, 1, 0],
                &[
                    &[
                        start(1),
                        put(0),
                        after(1, get(never)),
                        put_for(2, soon),
                        get(soon),
                        get(soon),
                    ],
                    &[put(1)],
                ],
            ),
            killing(&[1], 1),
        ),
        (
            program(
                1,
                &[1, 1, 2],
                &[
                    &[start(1), start(2), get(never), get(soon), get(Timeout::NoWait)],
                    &[put(0), put_for(1, Timeout::NoWait)],
                    &[put(2), get(soon)],
                ],
            ),
            killing(&[1, 2], 2),
        ),
    ]
}

fn broken(form: Form, program: &Program, environment: &Environment) -> Vec<Guarantee> {
    let machine = Manager::new(program.clone(), form, environment.clone()).unwrap();
    let verdicts = prove(&machine, Limits::default());
    let broken = verdicts.into_iter().filter_map(|(guarantee, verdict)| match verdict {
        Verdict::Holds { states } => {
            assert!(states > 10, "{states} states prove little");
            None
        }
        Verdict::Violated { .. } => Some(guarantee),
        Verdict::Undecided { finish } => panic!("{guarantee}: {finish}"),
    });
    broken.collect()
}

#[test]
fn the_closed_form_keeps_every_guarantee_and_does_no_harm() {
    for (program, environment) in programs() {
        assert_eq!(broken(Form::Closed, &program, &environment), []);
        let (explored, first) =
            first_harm(Form::Closed, &program, environment, |harm| *harm != Harm::default());
        assert!(explored.complete() && first.is_none());
    }
}

/// That an item was swallowed that came after the death breaks a guarantee; the others only the
/// machine itself sees.
#[test]
fn the_classic_form_does_each_harm() {
    type IsIt = fn(&Harm) -> bool;
    let (swallowed, ghost): (IsIt, IsIt) = (|it| it.swallowed.is_some(), |it| it.ghost.is_some());
    let [(getting, killed), (putting, killed_too), _] = &programs()[..] else { panic!("three") };
    for (program, environment, is_it) in
        [(getting, killed, swallowed), (putting, killed_too, ghost)]
    {
        let (explored, first) = first_harm(Form::Classic, program, environment.clone(), is_it);
        assert!(explored.complete() && first.is_some());
    }
    assert_eq!(broken(Form::Classic, getting, killed), [Guarantee::G5, Guarantee::G6]);
    assert_eq!(broken(Form::Classic, putting, killed_too), []);
    let stale: IsIt = |harm| harm.stale;
    let interrupted = Environment { interrupts: 1, ..Environment::default() };
    let (explored, first) = first_harm(Form::Classic, getting, interrupted, stale);
    assert!(explored.complete() && first.is_some());
}

#[test]
fn both_forms_keep_every_guarantee_while_nobody_dies() {
    for (program, _) in programs() {
        for form in [Form::Classic, Form::Closed] {
            assert_eq!(broken(form, &program, &Environment::default()), []);
        }
    }
}

fn first_harm(
    form: Form,
    program: &Program,
    environment: Environment,
    is_it: impl Fn(&Harm) -> bool,
) -> (Explored<Manager>, Option<StateIndex>) {
    let machine = Manager::new(program.clone(), form, environment).unwrap();
    let mut first = None;
    let explored = explore(&machine, Limits::default(), |visit| {
        if first.is_none() && is_it(&visit.state.harm) {
            first = Some(visit.index);
        }
        ControlFlow::Continue(())
    });
    (explored, first)
}

#[test]
fn mq6_calls_of_a_dead_server_end_with_an_error() {
    let program = program(0, &[0], &[&[put(0), get(Timeout::Never), get(Timeout::Never)]]);
    let environment = Environment { kills: 1, server: true, ..Environment::default() };
    for form in [Form::Classic, Form::Closed] {
        let machine = Manager::new(program.clone(), form, environment.clone()).unwrap();
        let explored = explore(&machine, Limits::default(), |visit| {
            // Whoever waits for ever waits for a server that lives.
            let waits = visit.is_end() && visit.state.clients[0].waits;
            assert!(!waits || visit.state.server_lives);
            ControlFlow::Continue(())
        });
        assert!(explored.complete());
    }
}

/// `MQ3`: a worker dies with a task. Whoever joins is told so, or waits for ever as in CPython's, where
/// it may also have died before the first item came, which it swallows (`MQ4`).
#[test]
fn g10_join_says_what_is_missing_in_the_closed_form_alone() {
    let done = || Operation::TaskDone { queue: QUEUE }.into();
    let join = Operation::JoinQueue { queue: QUEUE }.into();
    let main = [start(1), put(0), put(1), after(1, get(Timeout::NoWait)), done(), join];
    let program = program(0, &[0, 0], &[&main, &[get(Timeout::Never), done()]]);
    let environment = killing(&[1], 1);
    assert_eq!(broken(Form::Closed, &program, &environment), []);
    assert_eq!(broken(Form::Classic, &program, &environment), [Guarantee::G5, Guarantee::G10]);
}

/// `MQ6`, where the server is part of a process that dies.
#[test]
fn mq6_a_server_ends_with_its_host_and_nobody_waits_for_it() {
    let program =
        program(1, &[0], &[&[start(1), put(0)], &[get(Timeout::Never), get(Timeout::Never)]]);
    let environment = Environment { host: Some(ProcessId(0)), ..killing(&[0], 1) };
    for form in [Form::Classic, Form::Closed] {
        let machine = Manager::new(program.clone(), form, environment.clone()).unwrap();
        let mut ends = 0;
        let explored = explore(&machine, Limits::default(), |visit| {
            let killed = visit.state.clients[0].life == Life::Killed;
            if visit.is_end() && killed {
                ends += 1;
                assert!(!visit.state.clients[1].waits, "{:?}", visit.state);
            }
            ControlFlow::Continue(())
        });
        assert!(explored.complete() && ends > 0);
    }
}

#[test]
fn what_is_not_modelled_is_refused() {
    let close = Operation::Close { queue: QUEUE }.into();
    let refused = Manager::new(program(0, &[], &[&[close]]), Form::Classic, Environment::default());
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the manager's machine does not have 'close' as P0 does it"
    );
}
