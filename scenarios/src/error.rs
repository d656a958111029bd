//! Why scenarios could not be loaded.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One mistake in a scenario file, with the place where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Why scenarios could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Files were read but say what makes no sense. Shown as one line for each mistake:
    /// `scenarios/kill-mid-put/x.toml:12:9: unknown operation 'pit'; did you mean 'put'?`.
    #[error("{}", Lines(mistakes))]
    Invalid {
        /// Each mistake with its file, in the order of files and lines.
        mistakes: Vec<(String, Mistake)>,
    },
}

struct Lines<'a>(&'a [(String, Mistake)]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (file, mistake)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let Mistake {
                line,
                column,
                message,
            } = mistake;
            write!(formatter, "{separator}{file}:{line}:{column}: {message}")?;
        }
        Ok(())
    }
}
