//! The process that one runs in, and the processes that it starts.

mod child;
pub(crate) mod passing;

pub use child::{Process, StartError};
pub use passing::{OnlyByInheritance, inherit};

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use crate::codec::{self, CodecError};
use crate::os::{Os, Signal, Site, Wait};
use child::Child;

/// Priority and position in the order of registration.
pub(crate) type FinalizerKey = (i32, u64);
type Finalizer = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// The process that this code runs in: what it has started, and what it must do before it leaves.
///
/// Clones are the same process. Every queue belongs to one.
///
/// ```
/// use midput_real::block_on;
/// use midput_real::classic::Queue;
/// use midput_real::os::linux::Linux;
/// use midput_real::process::ThisProcess;
/// use midput_real::timeout::Timeout;
///
/// let this = ThisProcess::new(Linux);
/// block_on(async {
///     let queue: Queue<String, Linux> = Queue::create(&this, 0)?;
///     queue.put("spam".to_owned(), Timeout::Never).await?;
///     assert_eq!(queue.get(Timeout::Never).await?, "spam");
///     this.leave().await;
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThisProcess<O: Os> {
    shared: Arc<Shared<O>>,
}

struct Shared<O: Os> {
    os: O,
    exiting: Exiting,
    state: Mutex<State<O>>,
}

/// Whether leaving has come to the finalizers, `_exiting` in Python (`LC1`). It keeps nothing else of
/// the process alive.
#[derive(Clone, Default)]
pub(crate) struct Exiting(Arc<AtomicBool>);

impl Exiting {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

struct State<O: Os> {
    registered: u64,
    /// In the order of their keys.
    finalizers: Vec<(FinalizerKey, Finalizer)>,
    threads: VecDeque<O::Thread>,
    children: Vec<Arc<Child<O>>>,
    daemon: bool,
}

impl<O: Os> Clone for ThisProcess<O> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<O: Os> std::fmt::Debug for ThisProcess<O> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ThisProcess").finish_non_exhaustive()
    }
}

impl<O: Os> ThisProcess<O> {
    /// The process that `os` stands for. Make one for each process, where it begins.
    pub fn new(os: O) -> Self {
        let state = State {
            registered: 0,
            finalizers: Vec::new(),
            threads: VecDeque::new(),
            children: Vec::new(),
            daemon: false,
        };
        let (exiting, state) = (Exiting::default(), Mutex::new(state));
        Self { shared: Arc::new(Shared { os, exiting, state }) }
    }

    /// Says that this process was started as a daemon: it starts no process itself (`LC7`).
    pub fn mark_daemon(&self) {
        self.state().daemon = true;
    }

    /// Whether this process was started as a daemon.
    pub fn is_daemon(&self) -> bool {
        self.state().daemon
    }

    /// Its operating system.
    pub fn os(&self) -> O {
        self.shared.os
    }

    pub(crate) fn exiting(&self) -> Exiting {
        self.shared.exiting.clone()
    }

    fn state(&self) -> MutexGuard<'_, State<O>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The argument that this process was started with, from its bytes
    /// ([`Start::argument`](crate::os::Start::argument)). Queues in it are taken up here.
    ///
    /// # Errors
    /// Where the bytes are no such value, or name objects that were not inherited.
    pub fn decode_argument<A: DeserializeOwned>(&self, bytes: &[u8]) -> Result<A, CodecError> {
        passing::while_receiving(self, || codec::from_bytes(bytes))
    }

    /// Starts a further thread of this process, which leaving the process waits for.
    ///
    /// Step: `thread.start`.
    ///
    /// # Errors
    /// What the system says where it starts no thread.
    pub async fn thread_start<F, B>(&self, name: &str, body: F) -> io::Result<()>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static,
    {
        let thread = self.os().thread_start(name, body, Site::new("thread.start")).await?;
        self.state().threads.push_back(thread);
        Ok(())
    }

    pub(crate) fn register_finalizer<F>(&self, priority: i32, finalizer: F) -> FinalizerKey
    where
        F: AsyncFnOnce() + Send + 'static,
    {
        let mut state = self.state();
        let key = (priority, state.registered);
        state.registered += 1;
        let boxed: Finalizer = Box::new(move || Box::pin(async move { finalizer().await }));
        let place = state.finalizers.partition_point(|&(other, _)| other < key);
        state.finalizers.insert(place, (key, boxed));
        key
    }

    /// Runs this finalizer, unless it has run or was cancelled.
    pub(crate) async fn run_finalizer(&self, key: Option<FinalizerKey>) {
        if let Some(finalizer) = self.cancel_finalizer(key) {
            finalizer().await;
        }
    }

    /// Takes it out of the registry, so that it never runs.
    pub(crate) fn cancel_finalizer(&self, key: Option<FinalizerKey>) -> Option<Finalizer> {
        let mut state = self.state();
        let place = state.finalizers.iter().position(|&(other, _)| Some(other) == key)?;
        Some(state.finalizers.remove(place).1)
    }

    /// Runs the finalizers of at least this priority that are registered now: the highest priority
    /// first, of one priority the last registered first, each once.
    async fn run_finalizers(&self, least_priority: i32) {
        let registered = self.state().registered;
        let mut below = (i32::MAX, u64::MAX);
        while let Some(key) = self.last_finalizer(below, registered)
            && key.0 >= least_priority
        {
            self.run_finalizer(Some(key)).await;
            below = key;
        }
    }

    /// The last finalizer below a key that was among the first so many.
    fn last_finalizer(&self, below: FinalizerKey, registered: u64) -> Option<FinalizerKey> {
        let state = self.state();
        let mut keys = state.finalizers.iter().rev().map(|&(key, _)| key);
        keys.find(|&key| key < below && key.1 < registered)
    }

    /// From now on SIGTERM does not end this process but asks it to leave: its main thread looks
    /// with [`asked_to_leave`](Self::asked_to_leave) between two calls and then
    /// [leaves](Self::exit), which is what a Python handler does that raises `SystemExit` between
    /// two calls (`LC5`). A handler that raises in the middle of a call has no counterpart here:
    /// a call that waits goes on waiting.
    ///
    /// Step: `terminate.handle`.
    ///
    /// # Errors
    /// What the system says, `Unsupported` where it has no such signal.
    pub async fn leave_on_terminate(&self) -> io::Result<()> {
        self.os().handle_terminate(Site::new("terminate.handle")).await
    }

    /// Whether SIGTERM has asked this process to leave.
    ///
    /// Step: `terminate.check`.
    pub async fn asked_to_leave(&self) -> bool {
        self.os().asked_to_leave(Site::new("terminate.check")).await
    }

    /// Does what a process does before it ends (`LC1`, CPython 3.13): waits for its further
    /// threads, tells its feeders to finish, ends its daemons by SIGTERM, waits for its children and
    /// then for its feeders.
    ///
    /// It waits as long as that takes, which may be for ever (`LC9`). To be called once, by the
    /// main thread.
    pub async fn leave(&self) {
        let os = self.os();
        os.point(Site::new("leave")).await;
        while let Some(thread) = self.next_thread() {
            os.thread_join(&thread, Site::new("thread.join")).await;
        }
        self.shared.exiting.set();
        self.run_finalizers(0).await;
        let mut next = 0;
        while let Some(child) = self.child(next) {
            next += 1;
            if child.is_daemon() && child.exit().is_none() {
                // A child that cannot be ended is waited for all the same.
                let _ = child.signal(os, Signal::Terminate, Site::new("child.terminate")).await;
            }
        }
        next = 0;
        while let Some(child) = self.child(next) {
            next += 1;
            if child.exit().is_none() {
                // A child that cannot be waited for is not waited for.
                let _ = child.wait(os, Wait::Forever, Site::new("child.join")).await;
            }
        }
        self.run_finalizers(i32::MIN).await;
    }

    /// Ends the process with this code and leaves nothing as it should be (`os._exit`): threads and
    /// children are not waited for, what was put and not sent is lost, and a write is cut off where
    /// it stands (`LC11`, `X12`).
    ///
    /// Step: `exit`.
    pub async fn exit_now(&self, code: i32) -> Infallible {
        self.os().process_exit(code, Site::new("exit")).await
    }

    /// Leaves the process and ends it with this code.
    ///
    /// Steps: those of [`leave`](Self::leave), and `exit`.
    pub async fn exit(&self, code: i32) -> Infallible {
        self.leave().await;
        self.os().process_exit(code, Site::new("exit")).await
    }

    fn next_thread(&self) -> Option<O::Thread> {
        self.state().threads.pop_front()
    }

    fn child(&self, position: usize) -> Option<Arc<Child<O>>> {
        self.state().children.get(position).cloned()
    }

    fn add_child(&self, child: Arc<Child<O>>) {
        let mut state = self.state();
        // A child that a join has found ended needs nothing more of this process.
        state.children.retain(|known| known.exit().is_none());
        state.children.push(child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use crate::os::linux::Linux;

    #[test]
    fn finalizers_run_once_by_priority_and_the_last_registered_first() {
        let this = ThisProcess::new(Linux);
        let order = Arc::new(Mutex::new(String::new()));
        let [_, _, run, _, cancelled, _] =
            [("a", 10), ("b", -5), ("c", 10), ("d", -5), ("e", 10), ("f", 0)].map(
                |(name, priority)| {
                    let order = Arc::clone(&order);
                    this.register_finalizer(priority, async move || {
                        order.lock().unwrap().push_str(name);
                    })
                },
            );
        block_on(async {
            this.run_finalizer(Some(run)).await;
            this.run_finalizer(Some(run)).await;
            assert!(this.cancel_finalizer(Some(cancelled)).is_some());
            this.run_finalizers(0).await;
            assert_eq!(*order.lock().unwrap(), "caf");
            this.leave().await;
        });
        assert_eq!(*order.lock().unwrap(), "cafdb");
    }
}
