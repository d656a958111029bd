//! Every operation of the classic queue takes exactly the steps that its table names, in order.

mod recorder;

use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use midput_real::classic::{JoinableQueue, Queue, SimpleQueue};
use midput_real::codec::{Bytes, Codec, CodecError};
use midput_real::process::ThisProcess;
use midput_real::{
    GetError, PollError, PutError, SimpleGetError, SimplePutError, TaskDoneError, Timeout, block_on,
};
use recorder::Recorder;

/// Reached only where something hangs.
const LONG: Timeout = Timeout::After(Duration::from_secs(60));
const PUT: &str = "put sem.acquire notempty.lock buffer.append notempty.notify notempty.unlock";
const FIRST_PUT: &str = "put sem.acquire notempty.lock feeder.start buffer.append \
                         notempty.notify notempty.unlock";
const TELL: &str = "notempty.lock sentinel.append notempty.notify notempty.unlock";

type Recorded = Queue<Vec<u8>, Recorder, Bytes>;

fn recorded(os: Recorder, maxsize: usize) -> (ThisProcess<Recorder>, Recorded) {
    let this = ThisProcess::new(os);
    let queue = Queue::create(&this, maxsize).unwrap();
    (this, queue)
}

/// The first put alone starts the feeder (`Q5`).
#[test]
fn putting_and_getting() {
    let os = Recorder::new(false, 0);
    let (this, queue) = recorded(os, 1);
    block_on(async {
        queue.put(b"abc".to_vec(), Timeout::Never).await.unwrap();
        assert_eq!(os.take("main"), FIRST_PUT);
        assert!(matches!(queue.put(Vec::new(), Timeout::NoWait).await, Err(PutError::Full(_))));
        assert_eq!(os.take("main"), "put sem.acquire");
        queue.get(Timeout::Never).await.unwrap();
        assert_eq!(
            os.take("main"),
            "get rlock.acquire read-header read-body rlock.release sem.release decode"
        );
        queue.put(Vec::new(), Timeout::Never).await.unwrap();
        assert_eq!(os.take("main"), PUT);
        queue.get(LONG).await.unwrap();
        assert_eq!(
            os.take("main"),
            "get rlock.acquire poll read-header sem.release rlock.release decode"
        );
        assert!(matches!(queue.get(Timeout::NoWait).await, Err(GetError::Empty)));
        assert_eq!(os.take("main"), "get rlock.acquire poll rlock.release");
        queue.qsize().await.unwrap();
        queue.full().await.unwrap();
        queue.empty().await.unwrap();
        assert_eq!(os.take("main"), "sem.value sem.value empty.poll");
        this.leave().await;
    });
}

/// Closing tells the feeder, joining waits for it, each once; leaving waits for threads first and
/// then does both for every queue (`Q14`, `Q15`, `LC1`, `LC2`).
#[test]
fn closing_joining_and_leaving() {
    let os = Recorder::new(false, 0);
    let (this, used) = recorded(os, 0);
    let [second, unused]: [Recorded; 2] = [0, 0].map(|max| Queue::create(&this, max).unwrap());
    block_on(async {
        for queue in [&used, &second] {
            queue.put(vec![1], Timeout::Never).await.unwrap();
        }
        os.take("main");
        used.join_thread().await.unwrap_err();
        unused.close().await;
        unused.join_thread().await.unwrap();
        assert_eq!(os.take("main"), "join_thread close join_thread");
        used.close().await;
        assert_eq!(os.take("main"), format!("close {TELL}"));
        used.close().await;
        used.put(vec![2], Timeout::Never).await.unwrap_err();
        used.get(Timeout::Never).await.unwrap_err();
        assert_eq!(os.take("main"), "close put get");
        used.join_thread().await.unwrap();
        used.join_thread().await.unwrap();
        assert_eq!(os.take("main"), "join_thread feeder.join join_thread");
        this.thread_start("further", async || {}).await.unwrap();
        this.leave().await;
        let steps = format!("thread.start leave thread.join {TELL} feeder.join");
        assert_eq!(os.take("main"), steps);
    });
}

/// The slot that a put took before it failed stays taken (`Q4`).
#[test]
fn a_put_without_a_thread_keeps_its_slot() {
    let os = Recorder::new(false, 0);
    let (this, queue) = recorded(os, 1);
    let queue = queue.with_feeder_named("refused");
    block_on(async {
        let error = queue.put(b"a".to_vec(), Timeout::Never).await.unwrap_err();
        assert!(matches!(error, PutError::Feeder { .. }), "{error:?}");
        assert_eq!(error.into_item().unwrap(), b"a");
        let steps = "put sem.acquire notempty.lock feeder.start notempty.unlock";
        assert_eq!(os.take("main"), steps);
        assert_eq!(queue.qsize().await.unwrap(), 1);
        assert!(queue.empty().await.unwrap());
        assert!(matches!(queue.put(Vec::new(), Timeout::NoWait).await, Err(PutError::Full(_))));
        this.leave().await;
    });
}

/// The feeder is told all the same, and nobody waits for it (`Q16`).
#[test]
fn cancelling_before_and_after_the_first_put() {
    for before in [true, false] {
        let os = Recorder::new(false, 0);
        let (this, queue) = recorded(os, 0);
        block_on(async {
            if before {
                queue.cancel_join_thread().await;
            }
            queue.put(vec![1], Timeout::Never).await.unwrap();
            if !before {
                queue.cancel_join_thread().await;
            }
            os.take("main");
            this.leave().await;
            assert_eq!(os.take("main"), format!("leave {TELL}"));
        });
    }
}

/// One write up to 16384 bytes, two above (`WF2`).
#[test]
fn the_feeder_sends_each_size_in_its_writes() {
    let os = Recorder::new(false, 0);
    let (this, queue) = recorded(os, 0);
    block_on(async {
        for (length, writes) in [(16_384, "write-frame"), (16_385, "write-header write-body")] {
            queue.put(vec![1; length], Timeout::Never).await.unwrap();
            queue.get(LONG).await.unwrap();
            // Until the feeder sleeps its steps are not all there, and when it began to sleep
            // depends on who was first.
            let steps = format!("encode wlock.acquire {writes} wlock.release buffer.popleft");
            let mut taken = String::new();
            while !taken.ends_with("notempty.wait") {
                std::thread::yield_now();
                taken = [taken, os.take("feed")].join(" ").trim().to_owned();
            }
            assert!(taken.contains(&steps), "{taken}");
        }
        queue.close().await;
        queue.join_thread().await.unwrap();
        let end = "notempty.wake notempty.unlock buffer.popleft reader.close writer.close";
        assert_eq!(os.take("feed"), end);
        this.leave().await;
    });
}

/// The feeder goes on after an error (`Q6`); a read that fails gives the lock back and no slot
/// (`Q11`).
#[test]
fn a_write_that_fails_gives_lock_and_slot_back_and_starts_over() {
    let os = Recorder::new(false, 0);
    let (this, queue) = recorded(os, 1);
    let (told, errors) = mpsc::channel();
    queue.on_feeder_error(move |error| told.send(error.to_string()).unwrap());
    block_on(async {
        queue.close_reader().await.unwrap();
        assert_eq!(os.take("main"), "reader.close");
        queue.put(vec![1], Timeout::Never).await.unwrap();
        errors.recv_timeout(Duration::from_secs(60)).unwrap();
        this.leave().await;
        let steps = os.take("feed");
        let expected = "encode wlock.acquire write-frame wlock.release sem.release notempty.lock";
        assert!(steps.contains(expected), "{steps}");
        assert_eq!(queue.qsize().await.unwrap(), 0);

        os.take("main");
        queue.get(Timeout::NoWait).await.unwrap_err();
        assert_eq!(os.take("main"), "get rlock.acquire poll rlock.release");
        queue.get(Timeout::Never).await.unwrap_err();
        assert_eq!(os.take("main"), "get rlock.acquire read-header rlock.release");
    });
}

/// Encodes nothing, and not before main has told the feeder to end.
struct TooLate;

/// The recorder of the one test that has this codec.
static LEAVING: OnceLock<Recorder> = OnceLock::new();

impl Codec<Vec<u8>> for TooLate {
    fn encode(item: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        let first = item == [1];
        while first && !LEAVING.wait().take("main").contains("sentinel.append") {
            std::thread::yield_now();
        }
        Err("too late".into())
    }

    fn decode(payload: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        Ok(payload)
    }
}

/// The feeder ends at an error where its process is leaving: no slot is given back, nothing behind
/// is sent, and the pipe stays open (`Q6`).
#[test]
fn an_error_ends_the_feeder_of_a_process_that_leaves() {
    let os = *LEAVING.get_or_init(|| Recorder::new(false, 0));
    let this = ThisProcess::new(os);
    let queue = Queue::<Vec<u8>, Recorder, TooLate>::create(&this, 2).unwrap();
    let (told, errors) = mpsc::channel();
    queue.on_feeder_error(move |error| told.send(error.to_string()).unwrap());
    block_on(async {
        queue.put(vec![1], Timeout::Never).await.unwrap();
        queue.put(vec![2], Timeout::Never).await.unwrap();
        this.leave().await;
        let steps = os.take("feed");
        assert!(steps.ends_with("buffer.popleft encode"), "{steps}");
        let error = errors.try_recv().unwrap();
        assert!(error.contains("too late"), "{error}");
        assert!(errors.try_recv().is_err(), "nothing is said of what was not tried");
        assert_eq!(queue.qsize().await.unwrap(), 2);
        assert!(queue.empty().await.unwrap(), "the reading end is open");
    });
}

/// Every wait is tried again, every read goes on (`SL1`, `WF4`).
#[test]
fn interruptions_and_short_reads_change_nothing_but_the_reads() {
    let os = Recorder::new(true, 3);
    let (this, queue) = recorded(os, 0);
    block_on(async {
        queue.put(b"abcde".to_vec(), LONG).await.unwrap();
        assert_eq!(os.take("main"), FIRST_PUT);
        assert_eq!(queue.get(LONG).await.unwrap(), b"abcde");
        assert_eq!(
            os.take("main"),
            "get rlock.acquire poll read-header read-header+3 read-body read-body+3 \
             sem.release rlock.release decode"
        );
        this.leave().await;
    });
}

/// `JQ1`, `JQ2`, `JQ3`, and `K2` where nobody sleeps.
#[test]
fn counting_what_is_to_be_done() {
    let os = Recorder::new(false, 0);
    let this = ThisProcess::new(os);
    let queue = JoinableQueue::<Vec<u8>, Recorder, Bytes>::create(&this, 2).unwrap();
    block_on(async {
        queue.put(b"abc".to_vec(), Timeout::Never).await.unwrap();
        let first = "put sem.acquire notempty.lock cond.acquire feeder.start buffer.append \
                     unfinished.release notempty.notify cond.release notempty.unlock";
        assert_eq!(os.take("main"), first);
        queue.uncounted().get(Timeout::Never).await.unwrap();
        os.take("main");
        queue.task_done().await.unwrap();
        let last = "cond.acquire unfinished.acquire unfinished.value wait.check woken.drain \
                    sleeping.acquire cond.release";
        assert_eq!(os.take("main"), last);
        assert!(matches!(queue.task_done().await, Err(TaskDoneError::TooMany)));
        assert_eq!(os.take("main"), "cond.acquire unfinished.acquire cond.release");
        queue.join().await.unwrap();
        assert_eq!(os.take("main"), "cond.acquire unfinished.value cond.release");
        this.leave().await;
    });
}

/// A sleeper counts itself, sleeps without the lock, says that it is awake and takes the lock again
/// (`K1`); who wakes it waits for that (`K2`).
#[test]
fn waiting_for_what_is_to_be_done() {
    let os = Recorder::new(false, 0);
    let this = ThisProcess::new(os);
    let queue = JoinableQueue::<Vec<u8>, Recorder, Bytes>::create(&this, 2).unwrap();
    block_on(async {
        for _ in 0..2 {
            queue.put(Vec::new(), Timeout::Never).await.unwrap();
        }
        // A thread of the recorder is told by its name: the joiner stands as `feed` does, so the
        // feeder has to be asleep before it comes.
        let wait_until = |is_so: &dyn Fn(&str) -> bool| {
            let mut taken = String::new();
            while !is_so(&taken) {
                std::thread::yield_now();
                taken = [taken, os.take("feed")].join(" ").trim().to_owned();
            }
            taken
        };
        let wait_for = |end: &str| wait_until(&|taken| taken.ends_with(end));
        wait_until(&|taken| {
            taken.matches("write-frame").count() == 2 && taken.ends_with("notempty.wait")
        });
        os.take("main");
        let joiner = queue.clone();
        let body = move || async move { joiner.join().await.unwrap() };
        this.thread_start("feed", body).await.unwrap();
        let asleep = "cond.acquire unfinished.value sleeping.release cond.release wait.acquire";
        assert!(wait_for("wait.acquire").ends_with(asleep));
        queue.task_done().await.unwrap();
        queue.task_done().await.unwrap();
        let steps = os.take("main");
        let woken = "unfinished.value wait.check woken.drain sleeping.acquire wait.release \
                     sleeping.acquire woken.acquire wait.drain cond.release";
        assert!(steps.ends_with(woken), "{steps}");
        let awake = "woken.release cond.acquire cond.release";
        assert_eq!(wait_for("cond.release"), awake);
        this.leave().await;
    });
}

/// `SQ1`, `SQ2` and `SQ3`, step by step.
#[test]
fn a_pipe_with_two_locks() {
    let os = Recorder::new(false, 0);
    let this = ThisProcess::new(os);
    let queue = SimpleQueue::<Vec<u8>, Recorder, Bytes>::create(&this).unwrap();
    block_on(async {
        queue.put(b"abc".to_vec()).await.unwrap();
        assert_eq!(os.take("main"), "encode wlock.acquire write-frame wlock.release");
        assert!(!queue.empty().await.unwrap());
        assert_eq!(os.take("main"), "empty.poll");
        assert_eq!(queue.get().await.unwrap(), b"abc");
        assert_eq!(os.take("main"), "rlock.acquire read-header read-body rlock.release decode");
        assert!(queue.empty().await.unwrap());
        os.take("main");
        queue.close().await.unwrap();
        assert_eq!(os.take("main"), "reader.close writer.close");
        assert!(matches!(queue.put(Vec::new()).await, Err(SimplePutError::HandleClosed)));
        assert!(matches!(queue.get().await, Err(SimpleGetError::HandleClosed)));
        assert!(matches!(queue.empty().await, Err(PollError::Closed)));
    });
}
