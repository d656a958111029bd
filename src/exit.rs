//! The exit statuses of the command.

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Status {
    /// Everything passed.
    Pass = 0,
    /// A violation was found.
    Violation = 1,
    /// The command line, a file or the environment is wrong.
    Usage = 2,
    /// Something could not be decided.
    Inconclusive = 3,
    /// Nothing was selected.
    Nothing = 4,
    /// A replay did not fit.
    Diverged = 5,
    /// This machine cannot run the world that was asked for.
    CannotRun = 69,
}

impl From<Status> for std::process::ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}
