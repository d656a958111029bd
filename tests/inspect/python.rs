//! CPython programs that hang.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

/// A program that hangs; it ends with this value, and its children with it.
pub(crate) struct Hung {
    child: Child,
    /// What it said of itself.
    pub(crate) facts: Json,
}

impl Hung {
    /// Starts a state of `hung.py`, and waits until its survivors are on their way.
    pub(crate) fn start(python: &Path, state: &str, method: &str) -> Self {
        let mut child = Command::new(python)
            .args(["-B", "tests/inspect/hung.py", state, method])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        // It is bounded by the program's own alarm.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let facts = serde_json::from_str(&line);
        let mut hung = Self { child, facts: Json::Null };
        hung.facts = facts.unwrap_or_else(|error| panic!("{python:?} {state}: {error}: {line:?}"));
        hung
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
