//! shuttle's side.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shuttle::future::batch_semaphore::{BatchSemaphore, Fairness};
use shuttle::scheduler::{RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::sync::Mutex;
use shuttle::{Runner, thread};

use super::work::{Done, InOrder, SEED};

/// Runs W1 so many times with random schedules.
pub(crate) fn bounded_queue(executions: u64) -> Done {
    STEPS.store(0, Ordering::Relaxed);
    let random = RandomScheduler::new_from_seed(SEED, executions as usize);
    let ran = Runner::new(Counting(random), Default::default()).run(body);
    Done { units: ran as u64, steps: Some(STEPS.load(Ordering::Relaxed)) }
}

fn body() {
    let queue = Arc::new(Mutex::new(VecDeque::new()));
    let free = Arc::new(BatchSemaphore::new(2, Fairness::StrictlyFair));
    let filled = Arc::new(BatchSemaphore::new(0, Fairness::StrictlyFair));
    let producers = [0, 1].map(|producer| {
        let (queue, free, filled) = (queue.clone(), free.clone(), filled.clone());
        thread::spawn(move || {
            for k in 0..2 {
                free.acquire_blocking(1).unwrap();
                queue.lock().unwrap().push_back(producer * 100 + k);
                filled.release(1);
            }
        })
    });
    let mut in_order = InOrder::default();
    for _ in 0..4 {
        filled.acquire_blocking(1).unwrap();
        let item = queue.lock().unwrap().pop_front().unwrap();
        free.release(1);
        in_order.take(item);
    }
    for producer in producers {
        producer.join().unwrap();
    }
}

/// How often a scheduler was asked in all.
static STEPS: AtomicU64 = AtomicU64::new(0);

/// Counts how often a scheduler is asked.
struct Counting<S>(S);

impl<S: Scheduler> Scheduler for Counting<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        STEPS.fetch_add(1, Ordering::Relaxed);
        self.0.next_task(runnable, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}
