//! What holds when clients, servers and owners are killed.

use std::thread;
use std::time::{Duration, Instant};

use midput_real::manager::{GetError, JoinError, Key, ManagerError, PutError};
use midput_real::os::Address;
use midput_real::{Connection, Manager, ManagerQueue, ManagerSettings, Process, pipe};

use crate::workers::{self, STOPS};
use crate::{LONG, SHORT, Test};

pub(crate) const TESTS: &[Test] = &[
    ("h14_a_client_killed_in_get_swallows_nothing", h14_a_client_killed_in_get_swallows_nothing),
    ("h15_a_put_of_a_dead_client_is_never_done", h15_a_put_of_a_dead_client_is_never_done),
    ("a_client_may_die_anywhere_in_the_protocol", a_client_may_die_anywhere_in_the_protocol),
    ("a_join_says_what_a_dead_client_has_not_done", a_join_says_what_a_dead_client_has_not_done),
    ("kills_in_a_storm_lose_and_double_nothing", kills_in_a_storm_lose_and_double_nothing),
    ("calls_end_when_the_server_is_killed", calls_end_when_the_server_is_killed),
    ("shutting_down_ends_blocked_calls", shutting_down_ends_blocked_calls),
    ("the_server_ends_with_its_owner", the_server_ends_with_its_owner),
    ("dropping_a_manager_does_not_wait", dropping_a_manager_does_not_wait),
];

/// Waits until a worker says something.
fn hear(receiver: &Connection) {
    assert!(receiver.poll(LONG).unwrap(), "the worker says nothing");
    let _: String = receiver.recv().unwrap();
}

fn kill(process: &Process) {
    process.kill().unwrap();
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(-9));
}

fn h14_a_client_killed_in_get_swallows_nothing() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue(0).unwrap();
    for item in 1..=5 {
        let (receiver, ready) = pipe().unwrap();
        let start = || Process::start(workers::get_one, (queue.clone(), ready.clone())).unwrap();
        let (victim, survivor) = (start(), start());
        hear(&receiver);
        hear(&receiver);
        thread::sleep(SHORT);
        kill(&victim);
        queue.put(item).unwrap();
        // The other one gets it, or nobody has it: it is not gone.
        assert_eq!(survivor.join_timeout(LONG).unwrap(), Some(i32::from(item)));
        assert!(queue.empty().unwrap());
    }
}

fn h15_a_put_of_a_dead_client_is_never_done() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue(1).unwrap();
    queue.put(1).unwrap();
    let (receiver, ready) = pipe().unwrap();
    let victim = Process::start(workers::put_one, (queue.clone(), 2, ready)).unwrap();
    hear(&receiver);
    thread::sleep(SHORT);
    kill(&victim);
    assert_eq!(queue.get().unwrap(), 1);
    assert!(matches!(queue.get_timeout(SHORT), Err(GetError::Empty)), "a ghost was put");
    // Its place in line is free as well (G8).
    queue.put_timeout(3, LONG).unwrap();
    assert_eq!(queue.get().unwrap(), 3);
}

/// And harms nobody else (`MQ5`).
fn a_client_may_die_anywhere_in_the_protocol() {
    let key = b"known to the test".to_vec();
    let settings =
        ManagerSettings { key: Some(Key::new(key.clone())), ..ManagerSettings::default() };
    let manager = Manager::start_with(settings).unwrap();
    let queue = manager.queue::<u8>(0).unwrap();
    for (item, stop) in (1..).zip(STOPS) {
        if stop == "delivered" {
            queue.put(item).unwrap();
        }
        let (receiver, ready) = pipe().unwrap();
        let number = queue.identifier().0;
        let argument = (manager.address().clone(), key.clone(), number, stop.to_owned(), ready);
        let victim = Process::start(workers::stop_half_way, argument).unwrap();
        hear(&receiver);
        thread::sleep(SHORT);
        if stop == "delivered" {
            // On its way, and not taken: it is still inside.
            assert_eq!(queue.qsize().unwrap(), 1);
        }
        kill(&victim);
        if stop != "delivered" {
            queue.put(item).unwrap();
        }
        assert_eq!(queue.get_timeout(LONG).unwrap(), item, "after a death when {stop}");
        queue.task_done().unwrap();
        queue.join().unwrap();
    }
}

fn a_join_says_what_a_dead_client_has_not_done() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue(0).unwrap();
    queue.put(1).unwrap();
    let (receiver, ready) = pipe().unwrap();
    let victim = Process::start(workers::get_and_wait, (queue.clone(), ready)).unwrap();
    hear(&receiver);
    let joining = thread::spawn({
        let queue = queue.clone();
        move || queue.join()
    });
    thread::sleep(SHORT);
    assert!(!joining.is_finished());
    kill(&victim);
    let ended = joining.join().unwrap();
    assert!(matches!(ended, Err(JoinError::Missing(1))), "{ended:?}");
    // A survivor says it in its place.
    queue.task_done().unwrap();
    queue.join().unwrap();
}

/// Consumers are killed at random moments. Each takes at most one item along (G5): what it was
/// given and had not passed on. Here it passes on by its exit code, so that what it took is known.
fn kills_in_a_storm_lose_and_double_nothing() {
    const ROUNDS: u8 = 30;
    let manager = Manager::start().unwrap();
    let queue = manager.queue(1).unwrap();
    let (mut got, mut killed) = (Vec::new(), 0);
    for item in 1..=ROUNDS {
        let (_receiver, ready) = pipe().unwrap();
        let victim = Process::start(workers::get_one, (queue.clone(), ready)).unwrap();
        queue.put_timeout(item, LONG).unwrap();
        // From before it connects to after it has left.
        thread::sleep(Duration::from_micros(u64::from(item) * 400));
        victim.kill().unwrap();
        match victim.join_timeout(LONG).unwrap() {
            Some(-9) => killed += 1,
            Some(code) => got.push(u8::try_from(code).unwrap()),
            None => panic!("a killed process has not ended"),
        }
        // What it has not taken is still there, and nothing else.
        if let Ok(item) = queue.get_nowait() {
            got.push(item);
        }
    }
    let missing = usize::from(ROUNDS) - got.len();
    assert!(got.is_sorted_by(|a, b| a < b), "in order, and each at most once: {got:?}");
    assert!(missing <= killed, "{missing} items are gone with {killed} processes");
    assert!(killed > 0, "nobody was killed in time");
}

/// Those that wait and those that come later (`MQ6`).
fn calls_end_when_the_server_is_killed() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue::<u8>(0).unwrap();
    let blocked = thread::spawn({
        let queue = queue.clone();
        move || queue.get()
    });
    thread::sleep(SHORT);
    kill(manager.process());
    let ended = blocked.join().unwrap();
    assert!(matches!(ended, Err(GetError::Manager(ManagerError::Ended))), "{ended:?}");
    let later = queue.put(1);
    let unreachable = matches!(later, Err(PutError::Manager(ManagerError::Unreachable(_))));
    assert!(unreachable, "{later:?}");
    assert!(queue.qsize().unwrap_err().to_string().contains("it has ended"));
    manager.shutdown().unwrap();
}

fn shutting_down_ends_blocked_calls() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue::<u8>(1).unwrap();
    let blocked = thread::spawn({
        let queue = queue.clone();
        move || queue.get()
    });
    thread::sleep(SHORT);
    let begun = Instant::now();
    manager.shutdown().unwrap();
    assert!(begun.elapsed() < LONG);
    let ended = blocked.join().unwrap();
    assert!(matches!(ended, Err(GetError::Manager(ManagerError::Ended))), "{ended:?}");
}

fn the_server_ends_with_its_owner() {
    let (receiver, ready) = pipe().unwrap();
    let owner = Process::start(workers::own_a_manager, ready).unwrap();
    assert!(receiver.poll(LONG).unwrap(), "the worker says nothing");
    let Address::Unix(path) = receiver.recv().unwrap() else { panic!("no Unix socket") };
    assert!(path.exists());
    kill(&owner);
    let begun = Instant::now();
    while path.parent().unwrap().exists() {
        assert!(begun.elapsed() < LONG, "the server of a dead owner lives on");
        thread::sleep(SHORT / 10);
    }
}

fn dropping_a_manager_does_not_wait() {
    let manager = Manager::start().unwrap();
    let queue: ManagerQueue<u8> = manager.queue(0).unwrap();
    let server = manager.process().clone();
    drop(manager);
    assert_eq!(server.join_timeout(LONG).unwrap(), Some(0));
    assert!(queue.qsize().is_err());
}
