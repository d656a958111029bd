//! Twelve concurrency bugs, each a small program on the simulated kernel, in a wrong version and
//! in a right one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use midput_real::os::{Os, SemaphoreSpecification, Site, Wait};
use midput_sim::kernel::SimulatedOs;

mod atomicity;
mod deadlock;
mod exclusion;
mod free_list;
mod order;
mod pipe;
mod wake_up;

type Descriptor = <SimulatedOs as Os>::Descriptor;
type Monitor = <SimulatedOs as Os>::Monitor;
type Semaphore = <SimulatedOs as Os>::Semaphore;
type Thread = <SimulatedOs as Os>::Thread;

/// A bug.
pub(crate) struct Bug {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is wrong, in a sentence.
    pub(crate) wrong: &'static str,
    /// The least depth with which PCT finds it.
    pub(crate) depth: u8,
    /// The program.
    pub(crate) main: fn(Scene) -> Pin<Box<dyn Future<Output = ()>>>,
}

/// All of them.
pub(crate) const ALL: [Bug; 12] = [
    wake_up::LOST_WAKE_UP,
    wake_up::MISSED_NOTIFY,
    order::USED_BEFORE_MADE,
    order::PUBLISHED_TOO_SOON,
    deadlock::PHILOSOPHERS,
    exclusion::BOTH_INSIDE,
    exclusion::READER_OVERTAKES,
    atomicity::SENTINEL_LOST,
    atomicity::FOUND_AGAIN,
    free_list::TAKEN_TWICE,
    pipe::POLLED_BY_TWO,
    pipe::FRAMES_MIXED,
];

/// Which version runs, and whether it did what it must not. A program that hangs needs to say
/// nothing.
#[derive(Clone, Default)]
pub(crate) struct Scene {
    /// Whether the right version runs.
    pub(crate) right: bool,
    failed: Arc<AtomicBool>,
}

impl Scene {
    /// One version.
    pub(crate) fn new(right: bool) -> Self {
        Self { right, ..Self::default() }
    }

    /// Whether something was seen that must not be.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Says what must hold here.
    fn expect(&self, holds: bool) {
        if !holds {
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

/// A variable that lanes share. Each access is a step.
#[derive(Clone, Default)]
struct Shared(Arc<AtomicU32>);

impl Shared {
    fn new(value: u32) -> Self {
        Self(Arc::new(AtomicU32::new(value)))
    }

    async fn load(&self, step: &'static str) -> u32 {
        SimulatedOs.point(Site::new(step)).await;
        self.0.load(Ordering::Relaxed)
    }

    async fn store(&self, value: u32, step: &'static str) {
        SimulatedOs.point(Site::new(step)).await;
        self.0.store(value, Ordering::Relaxed);
    }

    /// In one step: counts up, and gives the new count.
    async fn increment(&self, step: &'static str) -> u32 {
        SimulatedOs.point(Site::new(step)).await;
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// In one step: counts down, and gives the new count.
    async fn decrement(&self, step: &'static str) -> u32 {
        SimulatedOs.point(Site::new(step)).await;
        self.0.fetch_sub(1, Ordering::Relaxed) - 1
    }

    /// In one step: `new` where it was `old`, and whether it was.
    async fn swap(&self, old: u32, new: u32, step: &'static str) -> bool {
        SimulatedOs.point(Site::new(step)).await;
        self.0.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A semaphore.
#[derive(Clone, Copy)]
struct Gate(Semaphore);

impl Gate {
    fn new(value: u32) -> Self {
        let specification = SemaphoreSpecification { role: "gate", value, maximum: 8 };
        let [semaphore] = SimulatedOs.semaphores([specification]).expect("there is memory");
        Self(semaphore)
    }

    async fn take(&self, step: &'static str) {
        let taken = SimulatedOs.semaphore_wait(&self.0, Wait::Forever, Site::new(step)).await;
        assert!(taken.expect("it waits for ever"));
    }

    async fn give(&self, step: &'static str) {
        SimulatedOs
            .semaphore_post(&self.0, Site::new(step))
            .await
            .expect("it is below its maximum");
    }
}

/// So many steps that have nothing to do with the bug.
async fn work(steps: u32) {
    for _ in 0..steps {
        SimulatedOs.point(Site::new("work")).await;
    }
}

async fn start(name: &str, body: impl Future<Output = ()> + Send + 'static) -> Thread {
    let started = SimulatedOs.thread_start(name, move || body, Site::new("thread.start")).await;
    started.expect("a thread can start")
}

async fn join(threads: impl IntoIterator<Item = Thread>) {
    for thread in threads {
        SimulatedOs.thread_join(&thread, Site::new("thread.join")).await;
    }
}
