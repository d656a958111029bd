//! What the tests of the command share.

use std::path::Path;
use std::process::{Command, Output};

/// The command in a folder, without the variables that this test was started with.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midput"));
    command.current_dir(folder).args(arguments).env("NO_COLOR", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MIDPUT_")) {
        command.env_remove(name);
    }
    command
}

pub(crate) fn midput(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with one scenario in which a harm is not allowed.
pub(crate) fn with_forbidden_harm() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("scenarios/mine");
    std::fs::create_dir_all(&group).unwrap();
    let scenario = r#"
why = "A producer dies inside a large write, and nothing is allowed to come of it."
[queue.jobs]
maxsize = 4
[process.P0]
main = ["start P1", "get timeout=50ms"]
[process.P1]
main = ["put a 100000B"]
[faults]
kills = 1
victims = ["P1"]
"#;
    std::fs::write(group.join("torn.toml"), scenario).unwrap();
    folder
}
