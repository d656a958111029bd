//! How long a call may wait.

use std::time::Duration;

use crate::os::{Os, Wait};

/// How long a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// No bound: `block=True, timeout=None` in Python.
    Never,
    /// One try: `block=False` in Python.
    NoWait,
    /// At most so long; zero is one try (`Q10`).
    After(Duration),
}

impl Timeout {
    /// The same bound as a moment, counted from now. The clock is asked only where it matters.
    pub(crate) fn starting_now(self, os: impl Os) -> Wait {
        match self {
            Self::Never => Wait::Forever,
            Self::NoWait | Self::After(Duration::ZERO) => Wait::Try,
            Self::After(limit) => Wait::Until(os.now().saturating_add(limit)),
        }
    }
}

impl From<Duration> for Timeout {
    fn from(limit: Duration) -> Self {
        Self::After(limit)
    }
}
