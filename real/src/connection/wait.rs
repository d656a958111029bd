//! Waiting for several things at once.

use super::error::WaitError;
use super::is_closed_descriptor;
use crate::interrupted::uninterrupted;
use crate::os::{Awaited, Os, Site};
use crate::timeout::Timeout;

/// Waits until at least one of these is ready, and returns the places of those that are, in their
/// order; none where the time is over before (`CN8`). Without anything to wait for it sleeps.
///
/// A connection is ready where a receive would not wait: something is there, or its stream has
/// ended. A process is ready once it has ended. Unlike CPython's sentinel, which a grandchild
/// keeps open (`LC6`), it is the end of that process alone.
///
/// Step: `wait`.
///
/// # Errors
/// Where a connection is closed in this process, and what the system says.
pub async fn wait<O: Os>(
    os: O,
    awaited: &[Awaited<'_, O>],
    timeout: Timeout,
) -> Result<Vec<usize>, WaitError> {
    let until = timeout.starting_now(os);
    let waited = uninterrupted(|| os.wait_any(awaited, until, Site::new("wait"))).await;
    let ready = waited.map_err(|error| {
        if is_closed_descriptor(&error) { WaitError::Closed } else { error.into() }
    })?;
    Ok((0..).zip(ready).filter(|&(_, ready)| ready).map(|(place, _)| place).collect())
}
