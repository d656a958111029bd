//! Workers: functions that this program runs in processes of their own.

use std::any::TypeId;
use std::fmt::Display;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use crate::block_on;
use crate::os::Start;
use crate::os::linux::{self, Linux};
use crate::process::ThisProcess;

/// The exit code of a process whose worker failed, panicked, is unknown or got an argument that
/// is none (`LC4`).
const FAILURE: u8 = 1;

static THIS: OnceLock<ThisProcess<Linux>> = OnceLock::new();
static WORKERS: OnceLock<Vec<Worker>> = OnceLock::new();

/// The process that this code runs in.
pub(crate) fn this_process() -> &'static ThisProcess<Linux> {
    THIS.get_or_init(|| ThisProcess::new(Linux))
}

/// From the encoded argument to the exit code.
type Run = Box<dyn Fn(&[u8]) -> u8 + Send + Sync>;

/// A function that this program can run in a process of its own, by its name.
///
/// Usually made by [`workers!`](crate::workers).
pub struct Worker {
    name: &'static str,
    function: TypeId,
    run: Run,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Worker {
    /// Names a function, which takes one argument (a tuple for several) and returns an
    /// [`Outcome`].
    pub fn new<F, A, R>(name: &'static str, function: F) -> Self
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: DeserializeOwned,
        R: Outcome,
    {
        let run = move |argument: &[u8]| match this_process().decode_argument(argument) {
            Ok(argument) => function(argument).exit_code(),
            Err(error) => {
                eprintln!("midput: the argument of worker '{name}' cannot be decoded: {error}");
                FAILURE
            }
        };
        Self { name, function: function_id::<F>(), run: Box::new(run) }
    }

    fn run(&self, argument: &[u8]) -> u8 {
        // What it panicked with has been printed.
        catch_unwind(AssertUnwindSafe(|| (self.run)(argument))).unwrap_or(FAILURE)
    }
}

/// What tells one worker from another. A function pointer would not: all of one signature are one
/// type.
fn function_id<F: 'static>() -> TypeId {
    const {
        assert!(
            size_of::<F>() == 0,
            "a worker is a function by its name, not a function pointer or a closure that captures"
        );
    }
    TypeId::of::<F>()
}

/// What a worker returns: the exit code of its process (`LC4`).
pub trait Outcome {
    /// The exit code, after telling standard error what is to be told.
    fn exit_code(self) -> u8;
}

/// Returning is success: 0.
impl Outcome for () {
    fn exit_code(self) -> u8 {
        0
    }
}

/// The code itself.
impl Outcome for u8 {
    fn exit_code(self) -> u8 {
        self
    }
}

/// An error is told to standard error, and is 1.
impl<R: Outcome, E: Display> Outcome for Result<R, E> {
    fn exit_code(self) -> u8 {
        match self {
            Ok(outcome) => outcome.exit_code(),
            Err(error) => {
                eprintln!("midput: the worker failed: {error}");
                FAILURE
            }
        }
    }
}

/// Names the functions that this program can run in processes of their own, for
/// [`init`](crate::init).
///
/// ```
/// fn square(_number: u64) {}
/// fn report((_path, _lines): (String, usize)) -> Result<(), std::io::Error> {
///     Ok(())
/// }
///
/// let workers = midput_real::workers![square, report];
/// assert_eq!(workers.len(), 2);
/// ```
#[macro_export]
macro_rules! workers {
    ($($worker:path),* $(,)?) => {
        [$($crate::Worker::new(stringify!($worker), $worker)),*]
    };
}

/// Leaves the process when it is dropped, at the end of `main`: tells feeders to finish, waits for
/// children and for what was put to be sent (`LC1`). That may take for ever where nobody gets
/// (`LC9`).
///
/// `std::process::exit` skips it, and what was put and not yet sent is lost.
#[derive(Debug)]
#[must_use = "keep it until the end of main: `let _guard = midput_real::init(…);`"]
pub struct Guard {
    _private: (),
}

impl Drop for Guard {
    fn drop(&mut self) {
        block_on(this_process().leave());
    }
}

/// Makes this program able to start processes; to be called first in `main`.
///
/// In a process that [`Process::start`](crate::Process::start) started, it runs the worker and
/// never returns. Otherwise it returns a guard, to be kept until the end of `main`.
///
/// # Panics
/// Where it is called twice, or where two workers have one name.
pub fn init(workers: impl IntoIterator<Item = Worker>) -> Guard {
    // No path of a function has a space.
    let own = Worker::new("midput manager", crate::blocking::serve_manager);
    let workers: Vec<Worker> = workers.into_iter().chain([own]).collect();
    for (position, worker) in workers.iter().enumerate() {
        let twin = workers[..position].iter().any(|other| other.name == worker.name);
        assert!(!twin, "init: two workers have the name '{}'; give each its own", worker.name);
    }
    assert!(WORKERS.set(workers).is_ok(), "init: it is called once, first in main");
    linux::allow_start();
    match linux::inherited_start() {
        None => Guard { _private: () },
        Some(start) => work(start),
    }
}

/// From now on SIGTERM does not end this process but asks it to leave: its main thread looks with
/// [`asked_to_leave`] between two calls and returns, and what it put is sent (`LC5`). A call that
/// waits is not ended by it.
///
/// # Errors
/// What the system says.
pub fn leave_on_terminate() -> std::io::Result<()> {
    block_on(this_process().leave_on_terminate())
}

/// Whether SIGTERM has come since [`leave_on_terminate`].
pub fn asked_to_leave() -> bool {
    block_on(this_process().asked_to_leave())
}

/// Ends this process at once with this code, as `os._exit` does: nothing is waited for, what was
/// put and not sent is lost, and a write into a queue is cut off where it stands, with the queue
/// (`X12`).
pub fn exit_without_flush(code: u8) -> ! {
    match block_on(this_process().exit_now(code.into())) {}
}

/// Runs the worker that this process was started for, and ends it.
fn work(start: std::io::Result<Start>) -> ! {
    let code = match start {
        Ok(start) => run_registered(&start),
        Err(error) => {
            eprintln!("midput: this process was not started by midput_real: {error}");
            FAILURE
        }
    };
    // The process ends without running what would flush it. Nobody is left to tell of an error.
    let _ = std::io::stdout().flush();
    match block_on(this_process().exit(code.into())) {}
}

/// The exit code of the worker that a process was started for.
fn run_registered(start: &Start) -> u8 {
    if start.daemon {
        this_process().mark_daemon();
    }
    match registered().iter().find(|worker| worker.name == start.worker) {
        Some(worker) => worker.run(&start.argument),
        None => {
            eprintln!(
                "midput: this program has no worker '{}'; name it in midput_real::init",
                start.worker
            );
            FAILURE
        }
    }
}

fn registered() -> &'static [Worker] {
    WORKERS.get().map(Vec::as_slice).unwrap_or_default()
}

/// The name under which this function was given to [`init`].
pub(crate) fn registered_name<F: 'static>() -> Option<&'static str> {
    let function = function_id::<F>();
    registered().iter().find(|worker| worker.function == function).map(|worker| worker.name)
}
