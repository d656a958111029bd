//! CPython programs that hang, and the versions that there are.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

/// The interpreters on the path, by version: 3.8 to 3.13, each once.
///
/// # Panics
/// Where there is none: without a CPython nothing is tested.
pub(crate) fn interpreters() -> BTreeMap<(u64, u64), PathBuf> {
    let names = ["python3", "python3.8", "python3.9", "python3.10", "python3.11", "python3.12"];
    let names = names.iter().chain(&["python3.13"]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = BTreeMap::new();
    for folder in std::env::split_paths(&path) {
        for name in names.clone() {
            if let Some((version, program)) = version(&folder.join(name))
                && ((3, 8)..=(3, 13)).contains(&version)
            {
                found.entry(version).or_insert(program);
            }
        }
    }
    assert!(
        !found.is_empty(),
        "inconclusive: no CPython 3.8 to 3.13 is on the PATH, and nothing was tested; install \
         python3"
    );
    found
}

/// The version of a CPython and where it is itself; `None` where the file is none, or does not
/// run.
fn version(program: &Path) -> Option<((u64, u64), PathBuf)> {
    if !program.is_file() {
        return None;
    }
    let script = "import sys; assert sys.implementation.name == 'cpython'; \
                  print(*sys.version_info[:2], sys.executable)";
    let output = Command::new(program).args(["-I", "-S", "-c", script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let mut words = text.trim().splitn(3, ' ');
    let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((version, words.next()?.into()))
}

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
