//! `midput inspect` on programs that hang: CPython's and ours, and on such that do not.

#[path = "../support/interpreters.rs"]
mod interpreters;
mod python;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use serde_json::Value as Json;

use interpreters::interpreters;
use python::Hung;

/// How long survivors may take to where they hang, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(30);

fn midput(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midput"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env("NO_COLOR", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MIDPUT_")) {
        command.env_remove(name);
    }
    command
}

/// What is said of a process, and how the command ends.
fn inspect(pid: u32) -> (Option<i32>, Json) {
    let output = midput(&["inspect", &pid.to_string(), "--json"]).output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), report)
}

/// The harms that are found with this certainty, in the order of their ids.
fn hazards(report: &Json, certainty: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let found = findings.filter(|finding| finding["certainty"] == certainty);
    let mut ids: Vec<String> =
        found.map(|it| it["hazard"].as_str().unwrap_or("none").to_owned()).collect();
    ids.sort();
    ids
}

/// Whether every process of a CPython program has arrived where it stays.
fn all_still(report: &Json) -> bool {
    let processes = report["picture"]["processes"].as_array().unwrap();
    let python =
        processes.iter().filter(|it| it["command"].as_str().unwrap().starts_with("python"));
    let mut threads = python.flat_map(|process| process["threads"].as_array().unwrap());
    threads.all(|thread| thread["doing"]["call"] != "runs")
}

/// Looks until exactly these harms are likely and nobody moves, and returns what was seen then.
fn found(pid: u32, wanted: &[&str]) -> Json {
    let begun = Instant::now();
    loop {
        let (code, report) = inspect(pid);
        if hazards(&report, "likely") == wanted && all_still(&report) {
            assert_eq!(code, Some(i32::from(!wanted.is_empty())), "{report:#}");
            return report;
        }
        assert!(begun.elapsed() < PATIENCE, "wanted {wanted:?}\n{report:#}");
    }
}

/// What the threads of a process do, the first first.
fn doing(report: &Json, pid: &Json) -> Vec<Json> {
    let processes = report["picture"]["processes"].as_array().unwrap();
    let process = processes.iter().find(|process| process["pid"] == *pid);
    let process = process.unwrap_or_else(|| panic!("no {pid}\n{report:#}"));
    let threads = process["threads"].as_array().unwrap();
    threads.iter().map(|thread| thread["doing"].clone()).collect()
}

/// The value of a semaphore of the only queue.
fn value(report: &Json, role: &str) -> Json {
    let semaphores = report["picture"]["semaphores"].as_array().unwrap();
    let found = semaphores.iter().find(|semaphore| semaphore["role"]["role"] == role);
    found.unwrap_or_else(|| panic!("no {role}\n{report:#}"))["value"].clone()
}

/// What this thread waits for.
fn awaited(report: &Json, doing: &Json) -> Json {
    assert_eq!(doing["call"], "waits", "{report:#}");
    let index = usize::try_from(doing["semaphore"].as_u64().unwrap()).unwrap();
    report["picture"]["semaphores"][index]["role"]["role"].clone()
}

/// The bytes in the only queue's pipe.
fn bytes(report: &Json) -> u64 {
    let pipes = report["picture"]["pipes"].as_array().unwrap();
    assert_eq!(pipes.len(), 1, "{report:#}");
    pipes[0]["bytes"].as_u64().unwrap()
}

/// Makes the state with every CPython there is, and looks at it from the parent and, where one is
/// named, from the survivor: both belong to one program, and the same is to be seen.
fn in_each(state: &str, method: &str, wanted: &[&str], check: impl Fn(&Json, &Json)) {
    for python in interpreters().values() {
        let hung = Hung::start(python, state, method);
        let report = found(hung.pid(), wanted);
        check(&report, &hung.facts);
        assert_eq!(report["picture"]["unread"].as_array().unwrap().len(), 0, "{report:#}");
        if let Some(survivor) = hung.facts["survivor"].as_u64() {
            check(&found(u32::try_from(survivor).unwrap(), wanted), &hung.facts);
        }
    }
}

#[test]
fn p3_a_producer_died_before_its_frame() {
    in_each("producer_before_the_frame", "fork", &["H5", "H8"], |report, facts| {
        assert_eq!(bytes(report), 0);
        let survivor = doing(report, &facts["survivor"]);
        assert_eq!(survivor[0]["call"], "local", "{report:#}");
        assert_eq!(awaited(report, &survivor[1]), "write-lock");
        assert_eq!(value(report, "write-lock"), 0);
        assert_eq!(value(report, "read-lock"), 1);
    });
}

fn torn(method: &str) {
    in_each("producer_inside_the_frame", method, &["H3", "H5", "H6"], |report, facts| {
        assert_eq!(bytes(report), 0, "the reader has taken what was there");
        let survivor = doing(report, &facts["survivor"]);
        assert_eq!(survivor[0]["call"], "reads", "{report:#}");
        assert_eq!(survivor[0]["wants"], facts["left"]);
        assert_eq!(value(report, "read-lock"), 0);
    });
}

#[test]
fn p6_a_producer_died_inside_its_frame_and_somebody_reads() {
    torn("fork");
}

#[test]
fn p6_under_spawn() {
    torn("spawn");
}

#[test]
fn p6_a_producer_died_inside_its_frame_and_nobody_reads() {
    in_each("producer_inside_the_frame_unread", "fork", &["H5", "H8"], |report, _| {
        assert_eq!(bytes(report), 1004);
        assert_eq!(hazards(report, "cannot-tell"), ["H6"]);
    });
}

fn consumers(method: &str) {
    in_each("consumer_while_it_waits", method, &["H4"], |report, facts| {
        assert_eq!(bytes(report), 0);
        for survivor in facts["survivors"].as_array().unwrap() {
            assert_eq!(awaited(report, &doing(report, survivor)[0]), "read-lock");
        }
        assert_eq!(value(report, "read-lock"), 0);
        assert_eq!(value(report, "write-lock"), 1);
    });
}

#[test]
fn c1_a_consumer_died_while_it_waited() {
    consumers("fork");
}

#[test]
fn c1_under_spawn() {
    consumers("spawn");
}

#[test]
fn s2_a_consumer_of_a_simple_queue_died_while_it_waited() {
    in_each("simple_consumer_while_it_waits", "fork", &["H4"], |report, facts| {
        assert_eq!(awaited(report, &doing(report, &facts["survivor"])[0]), "read-lock");
    });
}

#[test]
fn p1_a_producer_died_with_the_slot() {
    in_each("producer_with_the_slot", "fork", &["H1"], |report, facts| {
        assert_eq!(awaited(report, &doing(report, &facts["survivor"])[0]), "slots");
    });
}

#[test]
fn j2_a_producer_died_with_the_counter_locked() {
    in_each("producer_with_the_counter_locked", "fork", &["H9"], |report, facts| {
        assert_eq!(awaited(report, &doing(report, &facts["survivor"])[0]), "condition-lock");
        assert_eq!(value(report, "slots"), 2, "one slot each");
    });
}

#[test]
fn j1_a_worker_died_with_a_task() {
    for python in interpreters().values() {
        let hung = Hung::start(python, "worker_with_a_task", "fork");
        let report = found(hung.pid(), &["H9"]);
        let parent = doing(&report, &hung.pid().into());
        assert_eq!(awaited(&report, &parent[0]), "wait");
        assert_eq!(value(&report, "unfinished"), 1);
    }
}

#[test]
fn j4_a_joiner_died_and_somebody_notifies_it() {
    in_each("joiner", "fork", &["H10"], |report, facts| {
        assert_eq!(awaited(report, &doing(report, &facts["survivor"])[0]), "woken");
    });
}

#[test]
fn lc9_a_process_is_joined_before_its_items_are_read() {
    in_each("join_with_unflushed_items", "fork", &["H7"], |report, facts| {
        let survivor = doing(report, &facts["survivor"]);
        assert_eq!(survivor[1]["call"], "writes", "{report:#}");
        // All but what the last page has no room for (`P9`).
        assert!((60_000..=65_536).contains(&bytes(report)), "{report:#}");
    });
}

#[test]
fn programs_that_are_well_have_no_hazard() {
    for python in interpreters().values() {
        for state in ["healthy_and_idle", "healthy_pool"] {
            let hung = Hung::start(python, state, "fork");
            let begun = Instant::now();
            loop {
                let (code, report) = inspect(hung.pid());
                assert_ne!(report["verdict"], "hazard", "{report:#}");
                if report["verdict"] == "nothing-seen" {
                    assert_eq!(code, Some(0));
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{report:#}");
            }
        }
        let busy = Hung::start(python, "healthy_and_busy", "fork");
        for _ in 0..5 {
            let (code, report) = inspect(busy.pid());
            assert!(matches!(code, Some(0 | 3)), "{report:#}");
        }
    }
}

/// Nothing is taken from the program and nothing is lost to it.
#[test]
fn looking_changes_nothing() {
    let python = interpreters().values().next_back().unwrap();
    let hung = Hung::start(python, "producer_inside_the_frame_unread", "fork");
    let first = found(hung.pid(), &["H5", "H8"]);
    for _ in 0..5 {
        let again = inspect(hung.pid()).1;
        assert_eq!(again, first);
    }
}

#[test]
fn who_is_not_there_or_dead_is_said() {
    let above_all = "4194305";
    let output = midput(&["inspect", above_all]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("there is no process 4194305"), "{said}");
    assert_eq!(midput(&["inspect", "0"]).output().unwrap().status.code(), Some(2));

    let mut dead = Command::new("true").spawn().unwrap();
    let begun = Instant::now();
    loop {
        let output = midput(&["inspect", &dead.id().to_string()]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(2) && said.contains("is a zombie") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{said}");
    }
    dead.wait().unwrap();
}

#[test]
fn what_another_user_may_not_see_is_said() {
    if !getuid().is_root() {
        eprintln!("inconclusive: only root can make a process of another user");
        return;
    }
    let python = interpreters().values().next_back().unwrap();
    let hung = Hung::start(python, "consumer_while_it_waits", "fork");
    found(hung.pid(), &["H4"]);
    // Where anybody may go.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("midput");
    std::fs::copy(env!("CARGO_BIN_EXE_midput"), &program).unwrap();
    let output = Command::new(program)
        .args(["inspect", &hung.pid().to_string()])
        .current_dir("/")
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said.contains("not read"), "{said}");
    assert!(said.contains("be the same user"), "{said}");
    assert!(said.ends_with("= cannot tell\n"), "{said}");
}

/// The example of docs/inspect.md, with numbers that are the same each time.
#[test]
fn the_page_shows_what_is_printed() {
    let python = interpreters().values().next_back().unwrap();
    let hung = Hung::start(python, "consumer_while_it_waits", "fork");
    let report = found(hung.pid(), &["H4"]);
    let output = midput(&["inspect", &hung.pid().to_string()]).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    let pipe = report["picture"]["pipes"][0]["inode"].to_string();
    text = text.replace(&format!("pipe {pipe}"), "pipe 90210");
    let pids = report["picture"]["processes"].as_array().unwrap();
    for (number, process) in (4711..).zip(pids) {
        text = replace_number(&text, &process["pid"].to_string(), &number.to_string());
    }
    text = replace_number(&text, &std::process::id().to_string(), "4242");
    // `sys.executable` has the version in its name on some machines.
    let program = text.split_whitespace().find(|word| word.starts_with("python3")).unwrap();
    let text = text.replace(&format!("  {program} "), "  python3 ");
    let shown = format!("```console\n$ midput inspect 4711\n{text}```\n");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/inspect.md");
    let page = std::fs::read_to_string(page).unwrap();
    // Where a line is broken depends on how many digits the numbers have.
    let unbroken = |text: &str| text.replace("\n          ", " ");
    assert!(unbroken(&page).contains(&unbroken(&shown)), "docs/inspect.md must hold:\n{shown}");
}

/// Replaces a number where it stands alone.
fn replace_number(text: &str, number: &str, by: &str) -> String {
    let mut replaced = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        replaced.push_str(if digits == number { by } else { &digits });
        digits.clear();
        replaced.push(letter);
    }
    replaced.pop();
    replaced
}

/// A check that leaves real processes of `midput-real` where they hang, until it is dropped.
struct Check {
    child: std::process::Child,
    entry: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Check {
    const VARIABLE: &str = "INSPECT_TEST";

    fn start(name: &str, scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join("scenarios/mine");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::write(group.join(format!("{name}.toml")), scenario).unwrap();
        let token = format!("{}-{name}", std::process::id());
        let child = midput(&["check", "--world", "native", "--jobs", "1", "--hang-after", "120s"])
            .current_dir(folder.path())
            .env(Self::VARIABLE, &token)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let entry = format!("{}={token}", Self::VARIABLE).into_bytes();
        Self { child, entry, _folder: folder }
    }

    /// Its processes.
    fn others(&self) -> Vec<u32> {
        let processes = std::fs::read_dir("/proc").unwrap();
        let pids = processes.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
        let is_ours = |pid: &u32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|entry| entry == self.entry)
        };
        pids.filter(|pid| *pid != self.child.id()).filter(is_ours).collect()
    }

    /// One of its processes, once there are so many.
    fn one_of(&self, count: usize) -> u32 {
        loop_until(|| Some(self.others()).filter(|others| others.len() >= count))[0]
    }

    /// Stops the harness, and says whether there still are so many of its processes.
    fn stopped_with(&self, count: usize) -> bool {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
        loop_until(|| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
            status.unwrap().contains("State:\tT").then_some(())
        });
        self.others().len() == count
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_join_deadlock_of_midput_real_is_seen() {
    let scenario = r#"
why = "A parent joins a child whose items it has not read."
[queue.jobs]
[process.P0]
main = ["start P1", "join P1"]
[process.P1]
main = ["put a 100000B"]
"#;
    // The harness finds the deadlock, too, and ends it unless it is stopped before.
    let check = loop_until(|| {
        let check = Check::start("unflushed", scenario);
        check.one_of(2);
        check.stopped_with(2).then_some(check)
    });
    let report = found(check.one_of(2), &["H7"]);
    assert!(bytes(&report) > 60_000, "{report:#}");
    assert_eq!(value(&report, "write-lock"), 0, "its living writer has it");
}

#[test]
fn a_dead_reader_of_midput_real_is_seen() {
    let check = Check::start(
        "idle",
        r#"
why = "Two consumers wait, and one that holds the read lock is killed by somebody else."
[queue.jobs]
[process.P0]
main = ["start P1", "start P2", "join P2 timeout=100s"]
[process.P1]
main = ["get timeout=100s"]
[process.P2]
main = ["get timeout=100s"]
"#,
    );
    let one = check.one_of(3);
    let reader = loop_until(|| {
        let (_, report) = inspect(one);
        assert_ne!(report["verdict"], "hazard", "{report:#}");
        let processes = report["picture"]["processes"].as_array().unwrap().clone();
        let pipes = report["picture"]["pipes"].as_array().unwrap().len();
        let holds = |process: &Json| {
            let mut threads = process["threads"].as_array().unwrap().iter();
            threads
                .any(|thread| thread["doing"]["pipes"].as_array().is_some_and(|it| it.len() == 1))
        };
        let holder = processes.iter().find(|process| pipes == 1 && holds(process))?;
        // The other one must be behind it.
        let waits = |process: &Json| {
            process["threads"].as_array().unwrap().iter().any(|it| it["doing"]["call"] == "waits")
        };
        processes.iter().any(waits).then(|| holder["pid"].as_u64().unwrap())
    });
    let reader = Pid::from_raw(i32::try_from(reader).unwrap()).unwrap();
    kill_process(reader, Signal::KILL).unwrap();
    let survivor = check.one_of(2);
    let report = found(survivor, &["H4"]);
    assert_eq!(value(&report, "read-lock"), 0);
    assert_eq!(bytes(&report), 0);
}

fn loop_until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came to that");
    }
}
