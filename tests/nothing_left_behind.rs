//! However a check with real processes ends, none of them is left: killed, interrupted by itself,
//! or interrupted together with everything in its terminal.
//!
//! Every process that the command starts inherits a variable of its environment, by which it is
//! found in `/proc` wherever it has been moved to since.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// What the processes of one test carry; never one of the variables that the command knows.
const VARIABLE: &str = "NOTHING_LEFT_BEHIND";
/// How long the command's processes may be there after it; far more than they take.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Far more than starting or ending takes; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two processes that have a minute of waiting before them, so that only their harness's death
/// can be the reason for theirs.
const LONG: &str = r#"
why = "Two processes wait for a minute, for whoever wants to see them end before."

[queue.jobs]

[process.P0]
main = ["start P1", "get timeout=60s"]

[process.P1]
main = ["get timeout=60s"]
"#;

/// The command at work, in a process group and a folder of its own.
struct Check {
    child: Child,
    entry: Vec<u8>,
    folder: TempDir,
}

impl Check {
    fn start(arguments: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let token = format!("{}-{number}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_midput"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MIDPUT_") {
                command.env_remove(name);
            }
        }
        let child = command
            .args(["check", "--world", "native", "--out", "out"])
            .args(arguments)
            .env(VARIABLE, &token)
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Self { child, entry: format!("{VARIABLE}={token}").into_bytes(), folder }
    }

    /// A sweep over all scenarios.
    fn sweep() -> Self {
        Self::start(&[], |_| ())
    }

    /// The processes that the command has started and that are there.
    fn others(&self) -> Vec<u32> {
        let is_marked = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|entry| entry == self.entry)
        };
        let processes = fs::read_dir("/proc").unwrap();
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid| *pid != self.child.id()).filter(is_marked).collect()
    }

    /// Waits until the command has so many processes at once.
    fn await_others(&self, count: usize) {
        let begun = Instant::now();
        while self.others().len() < count {
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "no {count} processes were there at once\n{}", self.told());
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn await_end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the command goes on\n{}", self.told());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn assert_nothing_left(&self) {
        let begun = Instant::now();
        loop {
            let left = self.others();
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < GONE_WITHIN, "left behind: {left:?}\n{}", self.told());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn told(&self) -> String {
        self.read("stdout") + &self.read("stderr")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// An interrupted sweep ends with its summary, has judged nothing wrongly, and says that it
    /// was stopped.
    fn assert_stopped_well(&mut self) {
        let status = self.await_end();
        self.assert_nothing_left();
        assert_eq!(status.code(), Some(3), "{}", self.told());
        let summary = self.read("stdout");
        let last = summary.lines().last().unwrap_or_default();
        assert!(last.contains(" 0 failed, "), "{}", self.told());
        assert!(summary.contains("skipped"), "{}", self.told());
        assert!(self.read("stderr").contains("stopped"), "{}", self.told());
        let kept = walk(&self.folder.path().join("scenarios"));
        assert!(kept.is_empty(), "cases were kept: {kept:?}");
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        // Where the test has failed. It is not waited for yet, or this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files below a folder that may not exist.
fn walk(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }
        })
        .collect()
}

#[test]
fn processes_that_would_wait_for_a_minute_end_with_a_killed_harness() {
    let long = |folder: &Path| {
        fs::create_dir_all(folder.join("scenarios/long")).unwrap();
        fs::write(folder.join("scenarios/long/wait.toml"), LONG).unwrap();
    };
    let mut check = Check::start(&["--jobs", "1", "--hang-after", "120s"], long);
    check.await_others(2);
    // Both are on their way: until they wait they would end because they find no harness.
    thread::sleep(Duration::from_secs(1));
    assert_eq!(check.others().len(), 2, "{}", check.told());
    check.child.kill().unwrap();
    check.await_end();
    check.assert_nothing_left();
}

#[test]
fn a_sweep_killed_at_any_moment_leaves_no_process() {
    for milliseconds in [0, 3, 7, 20, 55, 150] {
        let mut check = Check::sweep();
        check.await_others(1);
        thread::sleep(Duration::from_millis(milliseconds));
        check.child.kill().unwrap();
        check.await_end();
        check.assert_nothing_left();
    }
}

#[test]
fn an_interrupted_sweep_ends_with_its_summary_and_leaves_no_process() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut check = Check::sweep();
        check.await_others(1);
        kill_process(check.pid(), signal).unwrap();
        check.assert_stopped_well();
    }
}

/// What Ctrl-C in a terminal does: the signal goes to the whole process group.
#[test]
fn a_sweep_interrupted_in_a_terminal_takes_its_processes_for_nothing_that_failed() {
    for _ in 0..3 {
        let mut check = Check::sweep();
        check.await_others(2);
        kill_process_group(check.pid(), Signal::INT).unwrap();
        check.assert_stopped_well();
    }
}
