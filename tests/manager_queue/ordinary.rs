//! What holds while nobody dies.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use midput_real::manager::Limits;
use midput_real::manager::{GetError, JoinError, Key, ManagerError, PutError, TaskDoneError};
use midput_real::os::Address;
use midput_real::{Manager, ManagerQueue, ManagerSettings, Process};

use crate::{LONG, SHORT, Test, workers};

pub(crate) const TESTS: &[Test] = &[
    ("many_clients_put_and_get_in_order", many_clients_put_and_get_in_order),
    ("it_holds_no_more_than_its_bound", it_holds_no_more_than_its_bound),
    ("timeouts_hold_and_say_what_is_so", timeouts_hold_and_say_what_is_so),
    ("tasks_are_counted", tasks_are_counted),
    ("items_of_all_lengths_arrive", items_of_all_lengths_arrive),
    ("it_works_over_tcp", it_works_over_tcp),
    ("only_its_user_can_enter_the_directory", only_its_user_can_enter_the_directory),
    ("it_refuses_what_is_beyond_its_limits", it_refuses_what_is_beyond_its_limits),
];

fn many_clients_put_and_get_in_order() {
    const ITEMS: u32 = 200;
    let manager = Manager::start().unwrap();
    let (queue, got) = (manager.queue(5).unwrap(), manager.queue(0).unwrap());
    let consumers: Vec<_> = (0..3)
        .map(|_| Process::start(workers::consume, (queue.clone(), got.clone())).unwrap())
        .collect();
    let producers: Vec<_> = (1..=3)
        .map(|producer| Process::start(workers::produce, (queue.clone(), producer, ITEMS)).unwrap())
        .collect();
    for producer in producers {
        // Nothing is buffered: it leaves once the last put has returned (MQ8).
        assert_eq!(producer.join_timeout(LONG).unwrap(), Some(0));
    }
    for _ in &consumers {
        queue.put_timeout((0, 0), LONG).unwrap();
    }
    let mut all = BTreeMap::new();
    for consumer in consumers {
        let items: Vec<(u32, u32)> = got.get_timeout(LONG).unwrap();
        let mut latest = BTreeMap::new();
        for (producer, item) in items {
            assert!(latest.insert(producer, item) < Some(item), "first in, first out");
            *all.entry((producer, item)).or_insert(0) += 1;
        }
        assert_eq!(consumer.join_timeout(LONG).unwrap(), Some(0));
    }
    assert_eq!(all.len(), 3 * ITEMS as usize);
    assert!(all.values().all(|&times| times == 1), "each once");
    assert!(queue.empty().unwrap());
}

/// Sizes are exact, and what was put is there at once (`MQ3`).
fn it_holds_no_more_than_its_bound() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue(2).unwrap();
    queue.put(1).unwrap();
    assert!(!queue.full().unwrap() && !queue.empty().unwrap());
    queue.put(2).unwrap();
    assert!(queue.full().unwrap());
    assert_eq!(queue.qsize().unwrap(), 2);
    assert!(matches!(queue.put_nowait(3), Err(PutError::Full(3))));
    let blocked = thread::spawn({
        let queue = queue.clone();
        move || queue.put_timeout(3, LONG)
    });
    thread::sleep(SHORT);
    assert!(!blocked.is_finished());
    assert_eq!(queue.get().unwrap(), 1);
    blocked.join().unwrap().unwrap();
    assert_eq!((queue.get().unwrap(), queue.get().unwrap()), (2, 3));
    assert!(matches!(queue.get_nowait(), Err(GetError::Empty)));
}

fn timeouts_hold_and_say_what_is_so() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue(1).unwrap();
    let timed = |call: &dyn Fn() -> bool| {
        let begun = Instant::now();
        assert!(call());
        let taken = begun.elapsed();
        assert!(taken >= SHORT && taken < LONG, "{taken:?}");
    };
    timed(&|| matches!(queue.get_timeout(SHORT), Err(GetError::Empty)));
    queue.put(1).unwrap();
    timed(&|| matches!(queue.put_timeout(2, SHORT), Err(PutError::Full(2))));
    timed(&|| matches!(queue.join_timeout(SHORT), Err(JoinError::Unfinished(1))));
    // Nothing that timed out is carried out later, and no answer is taken for another's (MQ7).
    assert_eq!(queue.qsize().unwrap(), 1);
    assert_eq!(queue.get().unwrap(), 1);
    assert!(queue.empty().unwrap());
}

/// What the server refuses is the caller's error (`MQ2`).
fn tasks_are_counted() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue(0).unwrap();
    queue.join().unwrap();
    for item in 0..2 {
        queue.put(item).unwrap();
    }
    let (sender, joined) = mpsc::channel();
    let other = queue.clone();
    thread::spawn(move || sender.send(other.join()));
    for _ in 0..2 {
        assert!(joined.recv_timeout(SHORT).is_err());
        queue.get().unwrap();
        queue.task_done().unwrap();
    }
    joined.recv_timeout(LONG).unwrap().unwrap();
    assert!(matches!(queue.task_done(), Err(TaskDoneError::TooMany)));
}

fn items_of_all_lengths_arrive() {
    let manager = Manager::start().unwrap();
    let queue = manager.queue(0).unwrap();
    // Below and above what a socket takes at once, and what is read at once.
    for length in [0, 1, 4092, 65_536, 1_000_000, 5_000_000] {
        let item: Vec<u8> = (0..length).map(|byte: u32| byte.to_le_bytes()[1]).collect();
        queue.put_timeout(item.clone(), LONG).unwrap();
        assert!(queue.get_timeout(LONG).unwrap() == item, "{length} bytes");
    }
}

fn it_works_over_tcp() {
    let tcp = Some("127.0.0.1:0".parse().unwrap());
    let key = Key::new(b"a key that both know".as_slice());
    let settings = ManagerSettings { tcp, key: Some(key.clone()), ..Default::default() };
    let manager = Manager::start_with(settings).unwrap();
    let queue = manager.queue(0).unwrap();
    let other = ManagerQueue::connect(manager.address().clone(), key, queue.identifier()).unwrap();
    queue.put("spam".to_owned()).unwrap();
    assert_eq!(other.get_timeout(LONG).unwrap(), "spam");
    let wrong = Key::new(b"another".as_slice());
    let stranger =
        ManagerQueue::<String>::connect(manager.address().clone(), wrong, queue.identifier());
    let refused = stranger.unwrap().get_nowait();
    let refused = matches!(refused, Err(GetError::Manager(ManagerError::WrongKey)));
    assert!(refused, "a wrong key is refused");
    other.put("ham".to_owned()).unwrap();
    assert_eq!(queue.get_timeout(LONG).unwrap(), "ham");
}

/// The socket is in a private folder (`MQ1`).
fn only_its_user_can_enter_the_directory() {
    use std::os::unix::fs::MetadataExt;
    let manager = Manager::start().unwrap();
    let Address::Unix(path) = manager.address().clone() else { panic!("no Unix socket") };
    let directory = path.parent().unwrap();
    assert_eq!(directory.metadata().unwrap().mode() & 0o777, 0o700);
    manager.shutdown().unwrap();
    assert!(!directory.exists(), "it is removed");
}

fn it_refuses_what_is_beyond_its_limits() {
    let limits = Limits { largest_item: 100, queues: 1, connections: 2, ..Limits::default() };
    let manager = Manager::start_with(ManagerSettings { limits, ..Default::default() }).unwrap();
    let queue = manager.queue(0).unwrap();
    let refused = manager.queue::<u8>(0).unwrap_err().to_string();
    assert_eq!(refused, "the manager refuses: the server has as many queues as it allows");
    // One byte of postcard before the bytes themselves.
    queue.put(vec![0_u8; 99]).unwrap();
    let refused = queue.put(vec![0_u8; 100]).unwrap_err();
    let too_large = ManagerError::TooLarge { length: 101, most: 100 }.to_string();
    assert_eq!(refused.to_string(), too_large);
    assert_eq!(queue.get().unwrap().len(), 99);
    // One connection is kept, one is blocked, and a third is one too many.
    let blocked = thread::spawn({
        let queue = queue.clone();
        move || queue.get_timeout(LONG)
    });
    thread::sleep(SHORT);
    queue.qsize().unwrap();
    let Address::Unix(_) = manager.address() else { panic!("no Unix socket") };
    let mut third = crate::clients::RawClient::connect(manager.address());
    let refusal = format!("{:?}", third.receive());
    assert_eq!(refusal, "Answer(Refused(Connections))");
    queue.put(vec![1]).unwrap();
    assert_eq!(blocked.join().unwrap().unwrap(), [1]);
}
