//! The CPython interpreters that there are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The interpreters on the path, by version: 3.8 to 3.13, each once.
///
/// # Panics
/// Where there is none: without a CPython nothing is tested.
pub(crate) fn interpreters() -> &'static BTreeMap<(u64, u64), PathBuf> {
    static FOUND: OnceLock<BTreeMap<(u64, u64), PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find)
}

fn find() -> BTreeMap<(u64, u64), PathBuf> {
    let names = ["python3", "python3.8", "python3.9", "python3.10", "python3.11", "python3.12"];
    let names = names.iter().chain(&["python3.13"]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = BTreeMap::new();
    for folder in std::env::split_paths(&path) {
        for name in names.clone() {
            let program = folder.join(name);
            if let Some((version, program)) = asked(&program)
                && ((3, 8)..=(3, 13)).contains(&version)
            {
                found.entry(version).or_insert(program);
            }
        }
    }
    assert!(
        !found.is_empty(),
        "inconclusive: no CPython 3.8 to 3.13 is on the PATH, and nothing was tested against one; \
         install python3"
    );
    found
}

/// The version of a CPython and its own path, where the file only leads to it; `None` where it is
/// none, or does not run.
fn asked(program: &Path) -> Option<((u64, u64), PathBuf)> {
    if !program.is_file() {
        return None;
    }
    let script = "import sys; assert sys.implementation.name == 'cpython'; \
                  print(*sys.version_info[:2], sys.executable)";
    let output = Command::new(program).args(["-I", "-S", "-c", script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let mut parts = text.trim().splitn(3, ' ');
    let version = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((version, PathBuf::from(parts.next()?)))
}
