//! What is tested: a queue between processes, with a short adapter.

use std::future::Future;
use std::io;
use std::path::Path;

use midput_model::program::{Outcome, QueueLock, QueueParameters};
use midput_real::os::{Exported, Os};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;

use crate::kernel::Cells;

mod classic;
mod manager;

pub use classic::Classic;

/// How a queue of a program is made.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// Its name and its bound.
    pub queue: &'a QueueParameters,
    /// The name of the lane that the program has for a thread of the queue: `feed`. A thread of
    /// another name is a lane of its own, after all others.
    pub feeder: &'a str,
    /// Where its sockets may be: a folder of this run alone.
    pub directory: &'a Path,
}

/// A queue that can be run in simulation: what a program's operations mean for it.
///
/// It is written against [`Os`], which the simulation implements: every `await` on a method of
/// `Os` is a step at which lanes interleave and processes die. Operations that the queue does
/// not have keep their default and answer [`Outcome::Failed`].
///
/// `examples/own_queue.rs` is a complete one in 60 lines.
pub trait Subject<O: Os>: Clone + Send + Sync + Sized + 'static {
    /// Makes the queue, in the main process, before its first operation.
    ///
    /// # Errors
    /// What the system says.
    fn create(this: &ThisProcess<O>, parameters: &Parameters<'_>) -> io::Result<Self>;

    /// What the main process does before its first operation, in steps where it likes.
    fn begin(&self) -> impl Future<Output = ()> {
        async {}
    }

    /// The kernel objects that a child must inherit to use the queue, in an order of its own.
    ///
    /// # Errors
    /// What the system says of an object that cannot be named.
    fn exported(&self) -> io::Result<Vec<Exported>>;

    /// Takes up the queue in a child that inherited these objects.
    ///
    /// # Errors
    /// What the system says where they were not inherited.
    fn attach(
        this: &ThisProcess<O>,
        parameters: &Parameters<'_>,
        exported: &[Exported],
    ) -> io::Result<Self>;

    /// What a lane (`main`, `feed`) reads or writes of its process's own memory in the code after a
    /// step of this name. It is what tells an exhaustive search which orders of steps make no
    /// difference; the default is right for every queue and slow.
    fn memory(_lane: &str, _step: &'static str) -> Cells {
        Cells::ALL
    }

    /// Puts an item.
    fn put(&self, payload: Vec<u8>, timeout: Timeout) -> impl Future<Output = Result<(), Outcome>>;

    /// Gets an item.
    fn get(&self, timeout: Timeout) -> impl Future<Output = Result<Vec<u8>, Outcome>>;

    /// The items in the queue.
    fn qsize(&self) -> impl Future<Output = Result<u32, Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// Whether nothing is to be got.
    fn empty(&self) -> impl Future<Output = Result<bool, Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// Whether nothing can be put.
    fn full(&self) -> impl Future<Output = Result<bool, Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// This process puts no more.
    fn close(&self) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// This process reads no more.
    fn close_reader(&self) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// This process writes no more into a bare pipe.
    fn close_writer(&self) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// Waits until all that this process put is handed over.
    fn join_thread(&self) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// Gives a lock back by force, whoever holds it (`X13`).
    fn force_release(&self, _lock: QueueLock) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// One item that was got is done.
    fn task_done(&self) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// Waits until all items that were put are done.
    fn join_queue(&self) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }

    /// Lets this process leave without that.
    fn cancel_join_thread(&self) -> impl Future<Output = Result<(), Outcome>> {
        async { Err(Outcome::Failed) }
    }
}
