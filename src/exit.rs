//! The exit statuses of the command.

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The program itself failed.
    Internal = 70,
}

impl Status {
    /// The one that says more: what was found counts more than what was not decided.
    pub(crate) fn and(self, other: Self) -> Self {
        let rank = |status| match status {
            Self::Pass => 0,
            Self::Nothing => 1,
            Self::Inconclusive => 2,
            Self::CannotRun => 3,
            Self::Usage => 4,
            Self::Diverged => 5,
            Self::Violation => 6,
            Self::Internal => 7,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Status> for std::process::ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}
