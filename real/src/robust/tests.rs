use std::time::Duration;

use proptest::prelude::*;

use super::layout::{ITEMS, Position, READ, SPACE, WRITE};
use super::ring::{Got, Put, Ring};
use super::*;
use crate::block_on;
use crate::codec::Bytes;
use crate::os::linux::Linux;
use crate::os::shared::{CellId, Change, SharedMemory};
use crate::os::{Os, Site, Wait};
use crate::timeout::Timeout;

const SMALLEST: usize = 1 << 16;
/// Reached only where something hangs.
const LONG: Timeout = Timeout::After(Duration::from_secs(30));

fn queue(maxsize: usize) -> Queue<Vec<u8>, Bytes> {
    Queue::with_ring(maxsize, SMALLEST).unwrap()
}

fn put(queue: &Queue<Vec<u8>, Bytes>, item: Vec<u8>, timeout: Timeout) -> bool {
    match block_on(queue.put(item.clone(), timeout)) {
        Ok(()) => true,
        Err(PutError::Full(back)) => {
            assert_eq!(back, item, "it comes back");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

fn get(queue: &Queue<Vec<u8>, Bytes>, timeout: Timeout) -> Option<Vec<u8>> {
    match block_on(queue.get(timeout)) {
        Ok(item) => Some(item),
        Err(GetError::Empty) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    /// Against a list: order, bounds of items and of bytes, exact sizes, across the ring's end.
    #[test]
    fn a_queue_is_a_bounded_list(
        maxsize in 0usize..5,
        calls in prop::collection::vec(prop::option::of(0usize..30_000), 1..120),
    ) {
        let (queue, mut list) = (queue(maxsize), std::collections::VecDeque::new());
        let bytes = |list: &std::collections::VecDeque<Vec<u8>>| -> usize {
            list.iter().map(|item| 8 + item.len().next_multiple_of(8)).sum()
        };
        for (number, call) in calls.into_iter().enumerate() {
            match call {
                Some(length) => {
                    let item = vec![number as u8; length];
                    list.push_back(item.clone());
                    let for_one_more = maxsize == 0 || list.len() <= maxsize;
                    let fits = for_one_more && bytes(&list) <= SMALLEST;
                    if !fits {
                        list.pop_back();
                    }
                    prop_assert_eq!(put(&queue, item, Timeout::NoWait), fits);
                }
                None => prop_assert_eq!(get(&queue, Timeout::NoWait), list.pop_front()),
            }
            prop_assert_eq!(block_on(queue.qsize()).unwrap(), list.len());
            prop_assert_eq!(block_on(queue.empty()).unwrap(), list.is_empty());
            let full = maxsize != 0 && list.len() == maxsize;
            prop_assert_eq!(block_on(queue.full()).unwrap(), full);
        }
    }

    /// Whatever somebody writes into the memory: errors, or items that are wrong; no panic, no
    /// endless call, no allocation beyond the ring.
    #[test]
    fn an_overwritten_queue_gives_errors(
        values in prop::collection::vec((1u16..3, any::<u64>(), any::<u64>()), 0..4),
        words in prop::collection::vec((3u16..5, any::<u32>()), 0..2),
        at in 0u64..1000,
        record in any::<u64>(),
        honest in 0usize..4,
    ) {
        let ring = Ring::create(Linux, 3, SMALLEST).unwrap();
        let mapping = ring.mapping();
        let soon = || Wait::Until(Linux.now() + Duration::from_millis(3));
        for _ in 0..honest {
            block_on(ring.put(&[[1; 20]], soon())).unwrap();
        }
        for (cell, value, note) in values {
            let cell = CellId(cell);
            block_on(Linux.store_value(mapping, cell, value, Site::new("overwrite")));
            Linux.set_note(mapping, cell, note);
        }
        for (cell, word) in words {
            let cell = CellId(cell);
            block_on(Linux.change(mapping, cell, Change::Set(word), Site::new("overwrite")));
        }
        block_on(Linux.copy_in(mapping, at, record, &[0xff; 64], Site::new("overwrite"))).unwrap();
        for _ in 0..4 {
            let mut bytes = 0;
            let _ = block_on(ring.get(2, soon(), |payload| bytes += payload.len()));
            prop_assert!(bytes <= SMALLEST);
            let _ = block_on(ring.put(&[[2; 30]], soon()));
            let _ = block_on(ring.count());
        }
    }
}

#[test]
fn what_was_overwritten_is_said() {
    let queue = queue(0);
    assert!(put(&queue, vec![1], Timeout::Never));
    let ring = Ring::create(Linux, 0, SMALLEST).unwrap();
    block_on(ring.put(&[[1; 8]], Wait::Forever)).unwrap();
    let overwrite = Site::new("overwrite");
    block_on(Linux.copy_in(ring.mapping(), 0, 7, &[], overwrite)).unwrap();
    let error = block_on(ring.get(1, Wait::Forever, |_| {})).unwrap_err();
    assert!(matches!(error, RingError::Overwritten("no record begins at the head")), "{error}");
    let far = Position(1 << 32 | 1 << 20);
    block_on(Linux.store_value(ring.mapping(), WRITE, far.0, overwrite));
    let error = block_on(ring.count()).unwrap_err();
    assert!(matches!(error, RingError::Overwritten(_)), "{error}");
}

#[test]
fn a_wait_ends_in_time_and_an_item_that_cannot_fit_is_refused() {
    let queue = queue(1);
    let short = Timeout::After(Duration::from_millis(20));
    let before = Linux.now();
    assert_eq!(get(&queue, short), None);
    assert!(put(&queue, vec![1], short));
    assert!(!put(&queue, vec![2], short));
    assert!(Linux.now() - before >= Duration::from_millis(40));
    let error = block_on(queue.put(vec![0; SMALLEST], LONG)).unwrap_err();
    assert!(matches!(error, PutError::TooLarge { bytes: SMALLEST, .. }), "{error}");
    assert_eq!(get(&queue, LONG), Some(vec![1]));
}

#[test]
fn a_batch_is_taken_as_far_as_it_fits() {
    let ring = Ring::create(Linux, 3, SMALLEST).unwrap();
    let batch = [[1; 4], [2; 4], [3; 4], [4; 4]];
    assert_eq!(block_on(ring.put(&batch, Wait::Forever)).unwrap(), Put::Done(3));
    assert_eq!(block_on(ring.put(&batch, Wait::Try)).unwrap(), Put::Full);
    let mut got = Vec::new();
    let taken = block_on(ring.get(2, Wait::Forever, |payload| got.push(payload[0]))).unwrap();
    assert_eq!((taken, &got[..]), (Got::Done(2), &[1, 2][..]));
    let taken = block_on(ring.get(9, Wait::Forever, |payload| got.push(payload[0]))).unwrap();
    assert_eq!((taken, &got[..]), (Got::Done(1), &[1, 2, 3][..]));
    assert_eq!(block_on(ring.get(9, Wait::Try, |_| {})).unwrap(), Got::Empty);
}

/// Both sides fall asleep and wake each other many times. (An event whose sleeper passes through
/// the other side's lock ends in a deadlock here: each holds its own side's and wants the other's.)
#[test]
fn sides_that_wait_for_each_other_all_get_through() {
    const EACH: u64 = 20_000;
    for (maxsize, producers, consumers) in [(1, 1, 1), (1, 2, 2), (3, 2, 1), (1000, 1, 2)] {
        let queue = Queue::<u64>::with_ring(maxsize, SMALLEST).unwrap();
        let (producers, consumers): (u64, u64) = (producers, consumers);
        std::thread::scope(|scope| {
            for producer in 0..producers {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..EACH {
                        block_on(queue.put(producer * EACH + number, LONG)).unwrap();
                    }
                });
            }
            let share = EACH * producers / consumers;
            let consume = |_| {
                let queue = &queue;
                scope.spawn(move || {
                    let mut last = vec![None; producers as usize];
                    let mut sum = 0;
                    for _ in 0..share {
                        let item = block_on(queue.get(LONG)).unwrap();
                        let last = &mut last[(item / EACH) as usize];
                        assert!(*last < Some(item), "in the order of its producer");
                        *last = Some(item);
                        sum += item;
                    }
                    sum
                })
            };
            let consumers: Vec<_> = (0..consumers).map(consume).collect();
            let sum: u64 = consumers.into_iter().map(|it| it.join().unwrap()).sum();
            assert_eq!(sum, (0..EACH * producers).sum());
        });
        assert!(block_on(queue.empty()).unwrap());
    }
}

/// A thread that ends while it owns what a killed one would own leaves it usable. (The kernel does
/// the same for a thread that ends as for one that is killed.)
#[test]
fn what_an_ended_thread_owned_goes_on() {
    let ring = Ring::create(Linux, 1, SMALLEST).unwrap();
    for (side, event) in [(WRITE, ITEMS), (READ, SPACE)] {
        let ended = ring.clone();
        std::thread::spawn(move || {
            let mapping = ended.mapping();
            assert!(block_on(lock::lock(Linux, mapping, side, Wait::Forever)).unwrap());
            block_on(Linux.register(mapping, event, Site::new("event.register")));
            block_on(Linux.change(
                mapping,
                event,
                Change::Add(Linux.thread()),
                Site::new("event.sign"),
            ));
        })
        .join()
        .unwrap();
        assert_eq!(block_on(ring.put(&[[1]], Wait::Try)).unwrap(), Put::Done(1));
        assert_eq!(block_on(ring.get(1, Wait::Try, |_| {})).unwrap(), Got::Done(1));
        let short = Wait::Until(Linux.now() + Duration::from_millis(20));
        assert_eq!(block_on(ring.get(1, short, |_| {})).unwrap(), Got::Empty);
    }
}
