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
    /// The bound that CPython's number of seconds says: `None` is no bound; 0, less or not a
    /// number is one try (`CN6`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use midput_real::Timeout;
    ///
    /// assert_eq!(Timeout::from_seconds(None), Timeout::Never);
    /// assert_eq!(Timeout::from_seconds(Some(-1.0)), Timeout::NoWait);
    /// assert_eq!(Timeout::from_seconds(Some(0.5)), Timeout::After(Duration::from_millis(500)));
    /// ```
    pub fn from_seconds(seconds: Option<f64>) -> Self {
        match seconds {
            None => Self::Never,
            Some(seconds) if seconds > 0.0 => {
                Duration::try_from_secs_f64(seconds).map_or(Self::Never, Self::After)
            }
            Some(_) => Self::NoWait,
        }
    }

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
