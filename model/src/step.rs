//! The result of one step, as the operating system reports it.

use serde::{Deserialize, Serialize};

/// What one step of a lane did. The same in the model, in the simulated kernel and in the logs of
/// real processes: this is what lockstep compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepResult {
    /// It happened: a lock was taken or released, a point passed, a thread or process started.
    Done,
    /// So many bytes moved in this step. Zero bytes read is the end of the stream.
    Moved(u32),
    /// A try found nothing, or a wait reached its deadline.
    Unavailable,
    /// Polling found something to read (or the end of the stream).
    Ready,
    /// A value was read.
    Value(u32),
    /// A signal interrupted the call before it did anything; the caller tries again.
    Interrupted,
    /// Nobody can read any more (`EPIPE`, `WF7`).
    BrokenPipe,
    /// The descriptor is closed in this process.
    BadDescriptor,
    /// Any other error of the system, by its number.
    Error(i32),
}
