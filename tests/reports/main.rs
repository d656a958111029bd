//! The reports of a check: their form, that jobs and shards change nothing in them, how they are
//! merged, and that they are written however a check ends.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use schema::Schema;
use support::{command, midput, root, text, with_forbidden_harm};

mod merged;
mod schema;
#[path = "../support/mod.rs"]
mod support;

/// Far more than starting and ending takes; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What spoils a report in one way.
type Spoil = fn(&mut Value);

/// Runs a check with these arguments and returns its report and its exit status.
fn check(folder: &Path, arguments: &[&str]) -> (Value, i32) {
    let (files, file) = somewhere("report.json");
    let all = [&["check"], arguments, &["--report", &file]].concat();
    let output = midput(folder, &all);
    let report = fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr))
    });
    drop(files);
    (serde_json::from_str(&report).unwrap(), output.status.code().unwrap())
}

/// A name in a folder that goes with the value.
fn somewhere(name: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name).display().to_string();
    (folder, file)
}

/// A report apart from its times.
fn timeless(mut report: Value) -> Value {
    let times = report.as_object_mut().unwrap().remove("times");
    assert!(times.is_some_and(|times| !times.as_array().unwrap().is_empty()));
    report
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A check that would go on for hours is sent a signal once it runs.
fn interrupted(signal: Signal) -> (Value, String, String) {
    let (files, file) = somewhere("report.json");
    let junit = files.path().join("junit.xml");
    let scenarios = ["kill-mid-put/small-one-producer", "no-fault/one-deadline"];
    let options = ["--world", "sim", "--cases", "1000000000000", "--report", &file, "--junit"];
    let arguments = [&["check"], &scenarios[..], &options, &[junit.to_str().unwrap()]].concat();
    let child =
        command(root(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !Path::new(&format!("{file}.unfinished")).exists() {
        assert!(begun.elapsed() < PATIENCE, "the check did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("stopped"), "{}", text(&output.stderr));
    let left = fs::read_dir(files.path()).unwrap().count();
    assert_eq!(left, 2, "only the two reports are left");
    let report = fs::read_to_string(file).unwrap();
    let junit = fs::read_to_string(junit).unwrap();
    (serde_json::from_str(&report).unwrap(), junit, text(&output.stdout))
}

#[test]
fn every_report_fits_the_schema_and_the_schema_has_no_more() {
    let schema = fs::read_to_string(root().join("docs/report.schema.json")).unwrap();
    let mut schema = Schema::read(&schema);
    let harm = with_forbidden_harm();
    let put = "kill-mid-put/small-one-producer";
    let large = "no-fault/one-producer-two-consumers-nowait";
    for (folder, arguments, status) in [
        (root(), &[put, "no-fault/one-deadline", "--cases", "64"][..], 0),
        (root(), &["canary/must-fail", "--world", "sim", "--twice"], 0),
        (root(), &[put, "--world", "sim", "--shard", "2/3", "--time", "any"], 0),
        (root(), &[put, "--world", "sim", "--cases", "9999", "--until-quiet", "64"], 0),
        (root(), &[put, "--world", "sim", "--budget", "0s"], 3),
        (root(), &["no-fault/one-deadline", "--world", "native", "--hang-after", "1ms"], 3),
        (root(), &[large, "--world", "sim", "--cases", "64"], 0),
        (root(), &[put, "--world", "sim", "--cases", "9"], 0),
        (harm.path(), &["--cases", "64"], 1),
    ] {
        let (report, found) = check(folder, arguments);
        assert_eq!(found, status, "{arguments:?}: {report:#}");
        let misfits = schema.misfits(&report);
        assert!(misfits.is_empty(), "{arguments:?}: {misfits:#?}");
    }
    let (report, ..) = interrupted(Signal::INT);
    assert!(schema.misfits(&report).is_empty(), "{:#?}", schema.misfits(&report));
    let unseen = schema.unseen();
    assert!(unseen.is_empty(), "in the schema, and in no report: {unseen:#?}");
}

/// The check of the test above can fail: it sees what is missing, too much, or of another form.
#[test]
fn what_does_not_fit_the_schema_is_found() {
    let text = fs::read_to_string(root().join("docs/report.schema.json")).unwrap();
    let (report, _) = check(root(), &["no-fault/one-deadline", "--world", "sim", "--cases", "9"]);
    let spoil: [(&str, Spoil); 6] = [
        ("required", |it| drop(it.as_object_mut().unwrap().remove("seed"))),
        ("is in no schema", |it| it["totals"]["more"] = Value::from(1)),
        ("pattern", |it| it["shard"] = Value::from("0/1")),
        ("type", |it| it["sweeps"][0]["run"] = Value::from("9")),
        ("enum", |it| it["sweeps"][0]["end"] = Value::from("tired")),
        ("minimum", |it| it["times"][0]["jobs"] = Value::from(0)),
    ];
    assert!(Schema::read(&text).misfits(&report).is_empty());
    for (word, spoil) in spoil {
        let mut spoilt = report.clone();
        spoil(&mut spoilt);
        let misfits = Schema::read(&text).misfits(&spoilt);
        assert!(misfits.len() == 1 && misfits[0].contains(word), "{word}: {misfits:?}");
    }
}

#[test]
fn an_interrupted_check_writes_its_reports_and_says_so() {
    for signal in [Signal::INT, Signal::TERM] {
        let (report, junit, out) = interrupted(signal);
        assert_eq!(report["interrupted"], true);
        let [first, second] = report["sweeps"].as_array().unwrap().as_slice() else {
            panic!("{report:#}")
        };
        for sweep in [first, second] {
            let (planned, run) = (number(&sweep["planned"]), number(&sweep["run"]));
            assert_eq!(planned, 1_000_000_000_000);
            assert_eq!(planned, run + number(&sweep["skipped"]));
            assert_eq!(sweep["end"], "interrupted");
        }
        assert!(number(&first["run"]) > 0);
        assert_eq!(second["run"], 0);
        let ran = first["run"].to_string();
        assert!(out.contains(&format!("planned 2000000000000 = run {ran} + skipped ")), "{out}");
        assert!(junit.contains(r#"<property name="interrupted" value="true"/>"#), "{junit}");
        assert!(junit.contains("no case ran"), "{junit}");
    }
}

#[test]
fn a_report_alone_is_enough_to_run_its_failing_cases_again() {
    use std::io::Write as _;
    let folder = with_forbidden_harm();
    let (report, status) = check(folder.path(), &["--world", "sim", "--cases", "64"]);
    assert_eq!(status, 1);
    let failures = report["sweeps"][0]["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 3, "--max-fail is 3 by default");
    for failed in failures {
        let mut child = command(folder.path(), &["replay", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let case = failed["case"].as_str().unwrap();
        child.stdin.take().unwrap().write_all(case.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let out = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{out}");
        for line in failed["lines"].as_array().unwrap() {
            let line = format!(
                "  {:<9} {}\n",
                line["about"].as_str().unwrap(),
                line["text"].as_str().unwrap()
            );
            assert!(out.contains(&line), "{line} is not in\n{out}");
        }
    }
}

#[test]
fn one_job_and_two_write_equal_reports() {
    let folder = with_forbidden_harm();
    for (folder, arguments) in [
        (root(), &["kill-mid-get", "canary", "--cases", "200"][..]),
        (folder.path(), &["--cases", "300", "--max-fail", "7"]),
    ] {
        let report = |jobs| {
            let all = [arguments, &["--world", "sim", "--jobs", jobs]].concat();
            let (report, _) = check(folder, &all);
            // What failed is kept, and would run first the next time.
            let _ = fs::remove_dir_all(folder.join("scenarios/mine/cases"));
            timeless(report)
        };
        assert!(report("1") == report("2"), "{arguments:?}");
    }
}

#[test]
fn a_quiet_sweep_ends_and_has_missed_nothing_that_more_cases_find() {
    let arguments = ["kill-mid-put/small-one-producer", "--world", "sim", "--cases", "20000"];
    let (all, _) = check(root(), &arguments);
    let (quiet, status) = check(root(), &[&arguments[..], &["--until-quiet", "1000"]].concat());
    assert_eq!(status, 0);
    let (all, quiet) = (&all["sweeps"][0], &quiet["sweeps"][0]);
    assert_eq!((&all["end"], &quiet["end"]), (&Value::from("all"), &Value::from("quiet")));
    let run = number(&quiet["run"]);
    assert!((1000..10_000).contains(&run) && run.is_multiple_of(64), "{run}");
    assert_eq!(number(&quiet["planned"]), run + number(&quiet["skipped"]));
    assert_eq!(quiet["actions"], all["actions"]);
    let names = |sweep: &Value| {
        let endings = sweep["endings"].as_object().unwrap().keys().cloned();
        endings.collect::<Vec<_>>()
    };
    assert_eq!(names(quiet), names(all));
}

#[test]
fn actions_that_no_case_came_to_are_named() {
    let arguments = ["kill-mid-put/small-one-producer", "--world", "sim", "--cases"];
    let (few, _) = check(root(), &[&arguments[..], &["1"]].concat());
    let actions = &few["sweeps"][0]["actions"];
    assert_eq!(actions["model"], "explored");
    let names = |list: &str| {
        let names = actions[list].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let never = names("never");
    assert!(never.iter().any(|name| name == "send write-frame whole"), "{never:?}");
    assert!(!names("covered").iter().any(|name| never.contains(name)));
    let output = midput(root(), &["check", arguments[0], "--world", "sim", "--cases", "1"]);
    let out = text(&output.stdout);
    let line =
        format!("{} of {} covered", names("covered").len(), never.len() + names("covered").len());
    assert!(out.contains(&line) && out.contains(&never[0]), "{line}: {out}");
}

#[test]
fn a_report_on_standard_output_is_all_that_is_there() {
    let arguments = ["check", "no-fault/one-deadline", "--world", "sim", "--cases", "9"];
    let output = midput(root(), &[&arguments[..], &["--report", "-"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["totals"]["run"], 9);
    assert!(text(&output.stderr).contains("planned 9 = run 9 + skipped 0"));
    let output = midput(root(), &[&arguments[..], &["--junit", "-"]].concat());
    let out = text(&output.stdout);
    assert!(out.starts_with("<?xml") && out.trim_end().ends_with("</testsuites>"), "{out}");
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_anything_runs() {
    let (files, file) = somewhere("file");
    fs::write(&file, "text").unwrap();
    let folder = files.path().to_str().unwrap();
    let below = format!("{file}/report.json");
    for (flag, path, hint) in
        [("--report", folder, "folder"), ("--report", &below, &below), ("--junit", &below, &below)]
    {
        let output = midput(root(), &["check", "--cases", "1000000000", flag, path]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(hint), "{}", text(&output.stderr));
    }
    let output = midput(root(), &["check", "--report", "-", "--junit", "-"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_junit_file_has_the_failures_and_what_was_not_decided() {
    let folder = with_forbidden_harm();
    let (files, file) = somewhere("reports/junit.xml");
    let arguments = ["check", "--cases", "64", "--world", "sim", "--junit", &file];
    midput(folder.path(), &arguments);
    let junit = fs::read_to_string(&file).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&junit).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (1, 1, 0));
    let case = &report.test_suites[0].test_cases[0];
    assert_eq!(case.name.as_str(), "mine/torn");
    let description = format!("{:?}", case.status);
    assert!(description.contains("midput case "), "{description}");
    midput(folder.path(), &[&arguments[..], &["--budget", "0s"]].concat());
    let junit = fs::read_to_string(&file).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&junit).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (1, 0, 1));
    drop(files);
}
