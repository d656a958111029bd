//! Running a protocol where every step blocks in the system instead of being awaited.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future whose every step is ready at once, as all of [`Linux`](crate::os::linux::Linux)
/// are: they block in the system call.
///
/// # Panics
/// Where the future is not ready at its first poll: it awaits something else than `Linux`, and
/// nobody would wake it here.
///
/// ```
/// assert_eq!(midput_real::block_on(async { 6 * 7 }), 42);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!(
            "block_on: the future waits for something that does not block; \
             only futures over os::linux::Linux run here"
        ),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic = "the future waits for something that does not block"]
    fn a_future_that_waits_is_refused() {
        super::block_on(std::future::pending::<()>());
    }
}
