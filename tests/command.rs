//! The command as its users see it: exit statuses, errors that say what to do, failures that replay.

use std::process::Command;

use support::{midput, root, text, with_forbidden_harm};

mod support;

#[test]
fn a_passing_check_ends_with_a_summary_and_status_0() {
    let output = midput(root(), &["check", "kill-mid-put/small-one-producer", "--cases", "64"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}{}", text(&output.stderr));
    assert!(out.contains("2 passed, 0 failed, 0 inconclusive"), "{out}");
    assert!(out.contains("seed 0x4d2"), "{out}");
    let totals = out.lines().find(|line| line.starts_with("planned")).unwrap();
    let number = |word: &str| {
        let rest = totals.split(word).nth(1).unwrap().trim_start();
        rest.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(number("planned"), number("run") + number("skipped"), "{totals}");
}

#[test]
fn a_printed_failure_replays_from_its_last_line_to_the_same_harm() {
    let folder = with_forbidden_harm();
    let arguments = ["check", "--world", "sim", "--max-fail", "1", "--cases", "200", "--jobs", "1"];
    let output = midput(folder.path(), &arguments);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    let failure: Vec<&str> = out.lines().take_while(|line| !line.is_empty()).collect();
    assert!(failure[0].starts_with("scenario mine/torn FAILED   case "), "{out}");
    let replay = failure.last().unwrap().trim().strip_prefix("replay").unwrap().trim();
    let words: Vec<&str> = replay.split(' ').collect();
    assert_eq!(words[..2], ["midput", "replay"], "{replay}");
    let again = midput(folder.path(), &words[1..]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stderr));
    let again = text(&again.stdout);
    let harm = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("  hazard"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(harm(&again), harm(&out));
    assert!(!harm(&out).is_empty(), "{out}");
    assert!(again.starts_with("# midput trace 1  mine/torn"), "{again}");
    // `last` is the same case, and a failing case runs first next time.
    assert_eq!(text(&midput(folder.path(), &["replay", "last"]).stdout), again);
    let next = midput(folder.path(), &["check", "--world", "sim", "--cases", "0"]);
    assert_eq!(next.status.code(), Some(1), "{}", text(&next.stdout));
    assert!(text(&next.stdout).contains("planned 1 = run 1 + skipped 0"));
}

#[test]
fn a_case_of_another_program_says_where_its_replay_diverged() {
    let folder = with_forbidden_harm();
    let arguments = ["check", "--world", "sim", "--max-fail", "1", "--cases", "200", "--jobs", "1"];
    midput(folder.path(), &arguments);
    let cases = folder.path().join("scenarios/mine/cases/new");
    let case = std::fs::read_dir(cases).unwrap().next().unwrap().unwrap().path();
    let saved = std::fs::read_to_string(&case).unwrap();
    let choice = saved.lines().find(|line| line.starts_with("  ")).unwrap();
    std::fs::write(&case, saved.replacen(choice, "  0 P9.main nothing[1]", 1)).unwrap();
    let output = midput(folder.path(), &["replay", case.to_str().unwrap()]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{out}");
    assert!(out.contains("choice 1 of the case does not fit"), "{out}");
    assert!(out.contains("P9.main nothing[1]"), "{out}");
}

#[test]
fn bad_input_is_answered_by_name_with_status_2() {
    let folder = with_forbidden_harm();
    for (arguments, hint) in [
        (&["check", "--seed", "x"][..], "a seed is a number"),
        (&["check", "--world", "moon"], "sim"),
        (&["check", "--budget", "30"], "30s"),
        (&["check", "--shard", "3/2"], "m/n"),
        (&["replay", "no-such.case"], "no-such.case"),
        (&["replay", "last"], "no case has failed yet"),
        (&["nonsense", "--flag"], "--flag"),
        (&["check", "--scenarios-in", "nowhere"], "nowhere"),
    ] {
        let output = midput(folder.path(), arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(hint), "{arguments:?}: {error}");
    }
}

#[test]
fn an_unknown_variable_is_an_error_that_names_the_known_ones() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midput"));
    let output = command.arg("list").env("MIDPUT_SEDE", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("MIDPUT_SEDE") && error.contains("MIDPUT_SEED"), "{error}");
}

#[test]
fn a_mistake_in_a_scenario_is_shown_with_file_line_and_column() {
    let folder = with_forbidden_harm();
    let path = folder.path().join("scenarios/mine/torn.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("\"get timeout", "\"got timeout")).unwrap();
    let output = midput(folder.path(), &["check"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("torn.toml:6:22"), "{error}");
    assert!(error.contains("'got'") && error.contains("did you mean 'get'"), "{error}");
}

#[test]
fn a_selection_of_nothing_has_its_own_status() {
    let output = midput(root(), &["check", "no-such-scenario"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
}

#[test]
fn a_budget_that_is_too_small_is_inconclusive_and_says_what_was_skipped() {
    let output = midput(root(), &["check", "kill-mid-put", "--world", "sim", "--budget", "0s"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{out}");
    assert!(out.contains("INCONCLUSIVE") && out.contains("skipped"), "{out}");
}

#[test]
fn an_empty_shard_passes() {
    let arguments = ["check", "no-fault", "--world", "sim", "--cases", "2", "--shard", "3/4"];
    let output = midput(root(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn one_job_and_two_print_the_same_table() {
    let table = |jobs| {
        let arguments =
            ["check", "kill-mid-get", "--world", "sim", "--cases", "128", "--jobs", jobs];
        let output = midput(root(), &arguments);
        let out = text(&output.stdout);
        out.lines().filter(|line| !line.starts_with("planned")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(table("1"), table("2"));
}

#[test]
fn lists_and_explorations_answer() {
    for (arguments, hint) in [
        (&["list"][..], "kill-mid-put/small-one-producer"),
        (&["list", "sites", "kill-mid-put/small-one-producer"], "P1.feed write-frame[1]"),
        (&["list", "hazards"], "reader-stuck-past-timeout"),
        (&["list", "guarantees"], "G11"),
        (&["explore", "join-unflushed/deadlocks"], "violated"),
        (&["--help"], "replay"),
        (&["check", "--help"], "--seed"),
        (&["check", "--help"], "--strategy"),
    ] {
        let output = midput(root(), arguments);
        let out = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        assert!(out.contains(hint), "{arguments:?}: {out}");
    }
}

#[test]
fn a_strategy_is_asked_for_by_name_and_named_where_something_was_found() {
    let check = ["check", "--world", "sim", "--max-fail", "1", "--strategy"];
    for strategy in ["random", "pct depth=2", "bounded preemptions=1"] {
        // In a folder of its own: a case that was kept would fail first.
        let folder = with_forbidden_harm();
        let output = midput(folder.path(), &[&check[..], &[strategy]].concat());
        let out = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{out}");
        assert!(out.contains(&format!("found by  {strategy}\n")), "{out}");
        let tallied = |line: &str| line.trim_start().starts_with(strategy);
        assert!(out.lines().any(tallied), "{out}");
    }
    let output = midput(root(), &[&check[..], &["luck"]].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("'luck' is no strategy; there are"), "{error}");
}

/// `midput list | head` ends in silence, as everybody's tools do.
#[test]
fn a_reader_that_has_gone_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_midput"))
        .current_dir(root())
        .args(["list", "sites"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_trace_goes_to_a_file_and_from_standard_input() {
    use std::io::Write;
    use std::process::Stdio;
    let folder = with_forbidden_harm();
    let case = "midput case 1\nscenario mine/torn\nsubject classic\ndrawn seed 0x1 case 0\n\
                time patient\nkill P1 SIGKILL before P1.feed write-body[1]\n";
    let mut child = Command::new(env!("CARGO_BIN_EXE_midput"))
        .current_dir(folder.path())
        .args(["trace", "-", "-o", "trace.txt"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(case.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let trace = std::fs::read_to_string(folder.path().join("trace.txt")).unwrap();
    assert!(trace.contains("x P1       kill SIGKILL"), "{trace}");
    assert!(trace.lines().all(|line| line.is_ascii()), "{trace}");
}
