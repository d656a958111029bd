//! Steps that a signal interrupts.

use std::future::Future;
use std::io;

/// Repeats a step that a signal interrupted before it did anything (`EINTR`), as Python does. A
/// step with a deadline keeps it.
pub(crate) async fn uninterrupted<T, F>(mut step: impl FnMut() -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    loop {
        match step().await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
