//! loom's side. It has no semaphore, so that these are made of its mutex and condition; and it
//! draws no schedules, but enumerates those of up to two preemptions.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use loom::model::Builder;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::work::{Done, InOrder};

/// Runs W1 about so many times. loom does not tell its steps.
pub(crate) fn bounded_queue(executions: u64) -> Done {
    let ran = std::sync::Arc::new(AtomicU64::new(0));
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    // It looks at its limit only at a checkpoint.
    builder.max_permutations = Some(executions as usize + 1);
    builder.checkpoint_interval = executions as usize + 1;
    let count = ran.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        body();
    });
    Done { units: ran.load(Ordering::Relaxed), steps: None }
}

struct Semaphore {
    value: Mutex<u32>,
    given: Condvar,
}

impl Semaphore {
    fn new(value: u32) -> Arc<Self> {
        Arc::new(Self { value: Mutex::new(value), given: Condvar::new() })
    }

    fn acquire(&self) {
        let mut value = self.value.lock().unwrap();
        while *value == 0 {
            value = self.given.wait(value).unwrap();
        }
        *value -= 1;
    }

    fn release(&self) {
        *self.value.lock().unwrap() += 1;
        self.given.notify_one();
    }
}

fn body() {
    let queue = Arc::new(Mutex::new(VecDeque::new()));
    let (free, filled) = (Semaphore::new(2), Semaphore::new(0));
    let producers = [0, 1].map(|producer| {
        let (queue, free, filled) = (queue.clone(), free.clone(), filled.clone());
        thread::spawn(move || {
            for k in 0..2 {
                free.acquire();
                queue.lock().unwrap().push_back(producer * 100 + k);
                filled.release();
            }
        })
    });
    let mut in_order = InOrder::default();
    for _ in 0..4 {
        filled.acquire();
        let item = queue.lock().unwrap().pop_front().unwrap();
        free.release();
        in_order.take(item);
    }
    for producer in producers {
        producer.join().unwrap();
    }
}
