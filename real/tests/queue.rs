//! The classic queue within one process on Linux.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use midput_real::classic::{JoinableQueue, Queue};
use midput_real::codec::{Bytes, Codec, CodecError};
use midput_real::os::linux::Linux;
use midput_real::process::ThisProcess;
use midput_real::{
    FeederError, GetError, NotClosed, PollError, PutError, SendError, TaskDoneError, Timeout,
    block_on,
};

const SOON: Timeout = Timeout::After(Duration::from_millis(20));
/// Long enough for a loaded machine; reached only where something is wrong.
const LONG: Timeout = Timeout::After(Duration::from_secs(60));

fn queue<C: Codec<Vec<u8>>>(maxsize: usize) -> (ThisProcess<Linux>, Queue<Vec<u8>, Linux, C>) {
    let this = ThisProcess::new(Linux);
    let queue = Queue::create(&this, maxsize).unwrap();
    (this, queue)
}

/// Frames of one write and of two, and one of no bytes at all (`WF2`, `WF6`, `O1`).
#[test]
fn what_was_put_first_is_got_first_whatever_its_size() {
    let (this, queue) = queue::<Bytes>(0);
    let items: Vec<Vec<u8>> =
        [0, 5, 16_384, 16_385, 300_000, 1].map(|length| vec![7; length]).into();
    block_on(async {
        for item in &items {
            queue.put(item.clone(), Timeout::Never).await.unwrap();
        }
        assert_eq!(queue.qsize().await.unwrap(), items.len());
        for item in &items {
            assert!(queue.get(LONG).await.unwrap() == *item);
        }
        assert_eq!(queue.qsize().await.unwrap(), 0);
        this.leave().await;
    });
}

#[test]
fn a_full_queue_takes_no_more_in_time_and_gives_the_item_back() {
    let (this, queue) = queue::<Bytes>(1);
    block_on(async {
        queue.put(b"a".to_vec(), SOON).await.unwrap();
        assert!(queue.full().await.unwrap());
        for timeout in [Timeout::NoWait, SOON, Timeout::After(Duration::ZERO)] {
            let error = queue.put(b"b".to_vec(), timeout).await.unwrap_err();
            assert!(matches!(error, PutError::Full(_)), "{error:?}");
            assert_eq!(error.into_item().unwrap(), b"b");
        }
        assert_eq!(queue.get(Timeout::Never).await.unwrap(), b"a");
        assert!(!queue.full().await.unwrap());
        this.leave().await;
    });
}

#[test]
fn an_empty_queue_gives_nothing_in_time() {
    let (_this, queue) = queue::<Bytes>(1);
    block_on(async {
        assert!(queue.empty().await.unwrap());
        let before = Instant::now();
        assert!(matches!(queue.get(SOON).await, Err(GetError::Empty)));
        assert!(before.elapsed() >= Duration::from_millis(15));
        assert!(matches!(queue.get(Timeout::NoWait).await, Err(GetError::Empty)));
    });
}

#[test]
fn closing_ends_the_use_here_and_joining_sends_what_is_left() {
    let (this, queue) = queue::<Bytes>(0);
    block_on(async {
        let kept = queue.handle().unwrap();
        assert_eq!(queue.join_thread().await, Err(NotClosed));
        let item = vec![1; 200_000];
        queue.put(item.clone(), Timeout::Never).await.unwrap();
        queue.close().await;
        queue.close().await;
        assert!(matches!(queue.put(Vec::new(), SOON).await, Err(PutError::Closed(_))));
        assert!(matches!(queue.get(SOON).await, Err(GetError::Closed)));
        // Nobody can get in this process any more, and the reading end closes only after the
        // sentinel: closing it by hand is what lets the feeder end.
        let (told, errors) = mpsc::channel();
        queue.on_feeder_error(move |error| told.send(error).unwrap());
        queue.close_reader().await.unwrap();
        queue.join_thread().await.unwrap();
        queue.join_thread().await.unwrap();
        let error = errors.try_recv().unwrap();
        assert!(matches!(error, FeederError::Send(SendError::Io(_))), "{error}");
        // The slot of what was not sent is free (Q6).
        assert_eq!(queue.qsize().await.unwrap(), 0);
        assert!(matches!(queue.empty().await, Err(PollError::Closed)));
        assert_ne!(queue.handle().unwrap(), kept, "closed ends are named as such");
        this.leave().await;
    });
}

#[test]
fn leaving_sends_what_was_put() {
    let (this, queue) = queue::<Bytes>(0);
    let reader = queue.clone();
    block_on(async {
        this.thread_start("reader", move || async move {
            assert_eq!(reader.get(LONG).await.unwrap().len(), 200_000);
        })
        .await
        .unwrap();
        queue.put(vec![1; 200_000], Timeout::Never).await.unwrap();
        this.leave().await;
        assert!(matches!(queue.empty().await, Err(PollError::Closed)), "the feeder has ended");
    });
}

#[test]
fn a_cancelled_join_waits_for_nothing() {
    let (this, queue) = queue::<Bytes>(0);
    block_on(async {
        queue.put(vec![1; 200_000], Timeout::Never).await.unwrap();
        queue.cancel_join_thread().await;
        // The feeder is blocked in the full pipe, and yet this returns.
        this.leave().await;
        assert!(queue.empty().await.is_ok(), "the feeder has not come to closing the pipe");
    });
}

/// Refuses empty items, both ways.
struct NotEmpty;

impl Codec<Vec<u8>> for NotEmpty {
    fn encode(item: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        if item.is_empty() { Err("empty".into()) } else { Ok(item) }
    }

    fn decode(payload: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        if payload == b"bad" { Err("bad".into()) } else { Ok(payload) }
    }
}

/// Encoding fails in the feeder, and decoding with the item taken and its slot free (`Q6`, `Q11`).
#[test]
fn an_item_that_cannot_be_encoded_is_reported_and_its_slot_is_free_again() {
    let (this, queue) = queue::<NotEmpty>(1);
    let (told, errors) = mpsc::channel();
    queue.on_feeder_error(move |error| told.send(error.to_string()).unwrap());
    block_on(async {
        queue.put(Vec::new(), Timeout::Never).await.unwrap();
        let report = errors.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(report.contains("could not be encoded: empty"), "{report}");
        queue.put(b"a".to_vec(), LONG).await.unwrap();
        assert_eq!(queue.get(LONG).await.unwrap(), b"a");
        queue.put(b"bad".to_vec(), LONG).await.unwrap();
        assert!(matches!(queue.get(LONG).await, Err(GetError::Decode(_))));
        assert_eq!(queue.qsize().await.unwrap(), 0);
        this.leave().await;
    });
}

/// An item that its feeder could not send gives its slot back and stays counted: somebody has to
/// report it, or `join` never ends (`JQ5`).
#[test]
fn an_item_that_was_not_sent_stays_counted() {
    let this = ThisProcess::new(Linux);
    let queue = JoinableQueue::<Vec<u8>, Linux, NotEmpty>::create(&this, 1).unwrap();
    let (told, errors) = mpsc::channel();
    queue.uncounted().on_feeder_error(move |error| told.send(error.to_string()).unwrap());
    block_on(async {
        queue.put(Vec::new(), Timeout::Never).await.unwrap();
        errors.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(queue.uncounted().qsize().await.unwrap(), 0);
        queue.put(b"a".to_vec(), Timeout::NoWait).await.unwrap();
        assert_eq!(queue.uncounted().get(LONG).await.unwrap(), b"a");
        for _ in 0..2 {
            queue.task_done().await.unwrap();
        }
        assert!(matches!(queue.task_done().await, Err(TaskDoneError::TooMany)));
        queue.join().await.unwrap();
        this.leave().await;
    });
}

/// Panics instead of refusing.
struct Panics;

impl Codec<Vec<u8>> for Panics {
    fn encode(item: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        assert!(!item.is_empty(), "on purpose: the feeder is to die");
        Ok(item)
    }

    fn decode(payload: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        Ok(payload)
    }
}

/// A feeder that died is not started again: what is put later has a slot and is never sent, and
/// leaving waits for nobody (`Q7`).
#[test]
fn a_feeder_that_died_sends_no_more() {
    let (this, queue) = queue::<Panics>(2);
    block_on(async {
        queue.put(Vec::new(), Timeout::Never).await.unwrap();
        queue.put(b"a".to_vec(), Timeout::NoWait).await.unwrap();
        assert!(matches!(queue.get(SOON).await, Err(GetError::Empty)));
        assert_eq!(queue.qsize().await.unwrap(), 2);
        assert!(matches!(queue.put(b"b".to_vec(), SOON).await, Err(PutError::Full(_))));
        this.leave().await;
    });
}

/// By inheritance only, and with a bound that a semaphore can count (`Q1`, `Q2`).
#[test]
fn a_queue_travels_only_with_the_start_of_a_process() {
    let queue = midput_real::Queue::<u8>::new(0).unwrap();
    let error = midput_real::Queue::new(0).map(|queues| {
        let (told, errors) = mpsc::channel();
        queues.on_feeder_error(move |error| told.send(error.to_string()).unwrap());
        queues.put(queue).unwrap();
        errors.recv_timeout(Duration::from_secs(60)).unwrap()
    });
    assert!(error.unwrap().contains("could not be encoded"));
    assert!(Queue::<Vec<u8>, Linux, Bytes>::create(&ThisProcess::new(Linux), 1 << 31).is_err());
}
