use std::sync::Arc;

use midput_model::program::{
    Instruction, Item, ItemId, LaneProgram, Operation, ProcessId, ProcessProgram, Program, QueueId,
    QueueKind, QueueParameters, Timeout,
};
use midput_model::queue::classic;
use midput_scenarios::{KillPoint, Place};

use super::*;
use crate::check::Observers;
use crate::schedule::{Random, Replay};
use crate::subject::Classic;
use crate::trace::{Story, TraceLog, render};

fn producer_and_consumer(bytes: &[u32], maxsize: u32) -> Arc<Program> {
    let queue = QueueId(0);
    let item = |(index, &bytes): (usize, &u32)| Item {
        name: format!("{}", char::from(b'a' + index as u8)),
        bytes,
        producer: ProcessId(1),
        queue,
    };
    let process = |name: &str, instructions: Vec<Operation>| ProcessProgram {
        daemon: false,
        leaves_on_terminate: false,
        name: name.to_owned(),
        lanes: vec![LaneProgram {
            name: "main".to_owned(),
            instructions: instructions.into_iter().map(Instruction::from).collect(),
        }],
    };
    let timeout = Timeout::Never;
    let mut main = vec![Operation::Start { process: ProcessId(1) }];
    main.extend(bytes.iter().map(|_| Operation::Get { queue, timeout }));
    main.push(Operation::Join { process: ProcessId(1), timeout });
    let puts = (0..).zip(bytes).map(|(item, _)| Operation::Put {
        queue,
        item: ItemId(item),
        timeout: Timeout::Never,
    });
    Arc::new(Program {
        queues: vec![QueueParameters {
            name: "jobs".to_owned(),
            kind: QueueKind::Queue,
            maxsize,
            pipe_slots: 16,
        }],
        items: bytes.iter().enumerate().map(item).collect(),
        processes: vec![process("P0", main), process("P1", puts.collect())],
    })
}

fn observers(program: &Arc<Program>) -> Observers {
    let environment = classic::Environment { kills: 1, ..classic::Environment::default() };
    let machine = Arc::new(classic::Classic::new((**program).clone(), environment));
    Observers::new(program, Some(&machine))
}

#[test]
fn one_thread_too_many_is_refused_as_linux_does() {
    use midput_real::os::{Os, Site};

    let body = async {
        let os = crate::kernel::SimulatedOs;
        for thread in 1..64 {
            let started = os.thread_start("T", || async {}, Site::new("thread.start")).await;
            assert!(started.is_ok(), "thread {thread}");
        }
        let refused = os.thread_start("T", || async {}, Site::new("thread.start")).await;
        assert_eq!(refused.map(|_| ()).map_err(|error| error.raw_os_error()), Err(Some(11)));
    };
    let ran = Host::default().run_body(
        body,
        &mut Random::new(1, 1),
        &mut Directives::default(),
        &mut Observers::default(),
        Settings::default(),
    );
    assert!(matches!(ran.ending, Ending::AllEnded), "{:?}", ran.ending);
}

#[test]
fn a_reader_that_waits_sees_the_last_writer_close() {
    use midput_real::os::{Os, Site};

    let body = || async {
        let os = crate::kernel::SimulatedOs;
        let (reader, writer) = os.pipe().unwrap();
        let reads = move || async move {
            let read = os.read(&reader, &mut [0; 4], Site::new("read")).await;
            assert_eq!(read.unwrap(), 0);
        };
        let thread = os.thread_start("T", reads, Site::new("thread.start")).await.unwrap();
        os.point(Site::new("before")).await;
        os.point(Site::new("and after the read has begun to wait")).await;
        os.close(&writer, Site::new("close")).await.unwrap();
        os.thread_join(&thread, Site::new("thread.join")).await;
    };
    for case in 0..20 {
        let ran = Host::default().run_body(
            body(),
            &mut Random::new(1, case),
            &mut Directives::default(),
            &mut Observers::default(),
            Settings::default(),
        );
        assert!(matches!(ran.ending, Ending::AllEnded), "{:?}", ran.ending);
    }
}

#[test]
fn random_schedules_of_the_classic_queue_are_in_lockstep_with_its_model() {
    let program = producer_and_consumer(&[16, 200_000, 30], 2);
    let mut observers = observers(&program);
    let mut host = Host::default();
    for case in 0..500 {
        observers.reset();
        let ran = host.run::<Classic<_>>(
            &program,
            &mut Random::new(7, case),
            &mut Directives::default(),
            &mut observers,
            Settings::default(),
        );
        assert!(matches!(ran.ending, Ending::AllEnded), "case {case}: {:?}", ran.ending);
    }
}

#[test]
fn a_kill_inside_a_write_leaves_the_reader_stuck_and_replays_to_the_same_trace() {
    let program = producer_and_consumer(&[100_000, 30], 2);
    let kill = KillPoint {
        process: ProcessId(1),
        signal: midput_model::program::Signal::Kill,
        site: "P1.feed write-body[1]+63136".parse().unwrap(),
        place: Place::At,
    };
    let mut observers = observers(&program);
    let mut host = Host::default();
    let mut traces = Vec::new();
    let mut recorded = None;
    for _ in 0..2 {
        observers.reset();
        observers.trace = Some(TraceLog::default());
        let mut directives =
            Directives::new(&program, std::slice::from_ref(&kill), &[], &[]).unwrap();
        let choices = recorded.take();
        let mut random = Random::new(7, 1);
        let mut replay = Replay::new(choices.clone().unwrap_or_default());
        let strategy: &mut dyn crate::schedule::Strategy =
            if choices.is_some() { &mut replay } else { &mut random };
        let ran = host.run::<Classic<_>>(
            &program,
            strategy,
            &mut directives,
            &mut observers,
            Settings::default(),
        );
        assert!(matches!(ran.ending, Ending::Stuck), "{:?}", ran.ending);
        recorded = Some(host.recorded());
        let story = Story { scenario: "test".to_owned(), ..Story::default() };
        traces.push(render(&program, observers.trace.as_ref().unwrap(), &story));
    }
    println!("{}", traces[0]);
    assert_eq!(traces[0], traces[1]);
}

#[test]
fn a_waiting_call_is_interrupted_and_made_again() {
    let program = producer_and_consumer(&[16], 2);
    let fault = crate::case::Fault {
        site: "P0.main read-header[1]".parse().unwrap(),
        kind: crate::case::FaultKind::Interrupt,
    };
    let mut observers = observers(&program);
    let mut host = Host::default();
    let mut while_waiting = 0;
    for case in 0..50 {
        observers.reset();
        let mut directives =
            Directives::new(&program, &[], &[], std::slice::from_ref(&fault)).unwrap();
        let ran = host.run::<Classic<_>>(
            &program,
            &mut Random::new(7, case),
            &mut directives,
            &mut observers,
            Settings::default(),
        );
        assert!(matches!(ran.ending, Ending::AllEnded), "case {case}: {:?}", ran.ending);
        let interrupted =
            |choice: &&Choice| matches!(choice.alternative, Alternative::Interrupt(_));
        while_waiting += host.choices().iter().filter(interrupted).count();
    }
    assert!(while_waiting > 10, "only {while_waiting} of 50 calls were interrupted in waiting");
}
