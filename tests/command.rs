//! The command as its users see it: exit statuses, errors that say what to do, failures that replay.

use std::path::Path;
use std::process::Command;

use midput_scenarios::Topic;
use midput_sim::case::Case;
use midput_sim::subject::Classic;
use midput_sim::sweep::Runner;
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

/// Runs a check that fails in a folder and returns the file of the case that it saved.
fn saved_case(folder: &Path) -> std::path::PathBuf {
    let arguments = ["check", "--world", "sim", "--max-fail", "1", "--cases", "200", "--jobs", "1"];
    let output = midput(folder, &[&arguments[..], &["--no-shrink"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let cases = folder.join("scenarios/mine/cases/new");
    let mut files = std::fs::read_dir(cases).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "nothing was shrunk, and there is one file");
    file
}

#[test]
fn a_case_of_another_program_says_where_its_replay_diverged() {
    let folder = with_forbidden_harm();
    let case = saved_case(folder.path());
    let saved = std::fs::read_to_string(&case).unwrap();
    let choice = saved.lines().find(|line| line.starts_with("  ")).unwrap();
    std::fs::write(&case, saved.replacen(choice, "  0 P9.main nothing[1]", 1)).unwrap();
    let output = midput(folder.path(), &["replay", case.to_str().unwrap()]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{out}");
    assert!(out.contains("choice 1 of the case does not fit"), "{out}");
    assert!(out.contains("P9.main nothing[1]"), "{out}");
}

/// The code has changed since the case was recorded: here by a mutant, which does not wait for
/// something to read.
#[test]
fn a_replay_of_changed_code_says_where_it_parts_and_goes_on_at_random() {
    let folder = with_forbidden_harm();
    let scenario = midput_scenarios::load_file(folder.path().join("scenarios/mine/torn.toml"));
    let scenario = scenario.unwrap();
    let text_of_case = "midput case 2\nscenario mine/torn\nsubject classic\ndrawn seed 0x4d2 case \
                        0\nstrategy random\nlength 80\ntime patient\n";
    let mut case: Case = text_of_case.parse().unwrap();
    let mut runner = Runner::new(&scenario, true);
    runner.run::<Classic<_>>(&case, None);
    case.choices = Some(runner.recorded());
    let path = folder.path().join("recorded.case");
    let file = path.to_str().unwrap();
    std::fs::write(&path, case.to_string()).unwrap();
    assert_eq!(midput(folder.path(), &["replay", file]).status.code(), Some(0));
    case.mutation = Some("skip poll against nothing".parse().unwrap());
    std::fs::write(&path, case.to_string()).unwrap();
    let output = midput(folder.path(), &["replay", file]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{out}");
    let said = out.lines().find(|line| line.contains("diverged at step ")).unwrap().trim();
    let step = said.split("step ").nth(1).unwrap().split(':').next().unwrap();
    assert!(step.parse::<u64>().unwrap() > 1, "{said}");
    assert!(said.contains(": choice ") && said.contains("it chose '"), "{said}");
    assert!(said.contains("here are: P0.main poll[1], "), "{said}");
    // From there on at random: the same each time, and another way with another seed.
    let then = |more: &[&str]| {
        let arguments = [&["replay", file, "--then", "random"][..], more].concat();
        let output = midput(folder.path(), &arguments);
        assert_ne!(output.status.code(), Some(5), "{}", text(&output.stdout));
        text(&output.stdout)
    };
    let once = then(&[]);
    assert_eq!(once, then(&[]));
    assert!(once.contains(&format!("diverged at step {step}")), "{once}");
    assert!(once.contains("went on from there at random, seed 0x4d2, number 0"), "{once}");
    let others = (0..20).map(|seed| then(&["--seed", &seed.to_string()]));
    let others: std::collections::BTreeSet<String> = others.collect();
    assert!(others.len() > 5, "{} different ways", others.len());
}

#[test]
fn a_replay_stops_before_a_site() {
    let folder = with_forbidden_harm();
    let case = saved_case(folder.path());
    let file = case.to_str().unwrap();
    let output = midput(folder.path(), &["replay", file, "--until", "P1.main sem.acquire[1]"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.ends_with("stopped before P1.main sem.acquire[1]\n"), "{out}");
    assert!(out.contains("P1.main  put a") && !out.contains("P1.main  sem.acquire "), "{out}");
    let output = midput(folder.path(), &["replay", file, "--until", "P1.main sem.acquire[9]"]);
    assert!(text(&output.stdout).contains("never comes to P1.main sem.acquire[9]"));
}

#[test]
fn what_a_check_finds_is_shrunk_and_the_original_is_kept_beside_it() {
    let folder = with_forbidden_harm();
    let arguments = ["check", "--world", "sim", "--max-fail", "1", "--cases", "200", "--jobs", "1"];
    let output = midput(folder.path(), &arguments);
    let (out, log) = (text(&output.stdout), text(&output.stderr));
    let line = |key: &str| {
        let found = out.lines().find_map(|line| line.trim().strip_prefix(key));
        found.unwrap_or_else(|| panic!("no line '{key}' in {out}")).trim().to_owned()
    };
    let shrunk = line("shrunk");
    let steps: Vec<u64> = shrunk
        .split(" steps")
        .next()
        .unwrap()
        .split(" -> ")
        .map(|it| it.parse().unwrap())
        .collect();
    assert!(steps[1] < steps[0], "{shrunk}");
    assert!(!line("critical").is_empty());
    assert!(log.lines().any(|line| line.contains(" -> ")), "{log}");
    let saved = folder.path().join(line("saved"));
    let case = std::fs::read_to_string(&saved).unwrap();
    assert!(case.contains("\nprogram "), "{case}");
    let original = saved.with_extension("original.case");
    let original = original.to_str().unwrap();
    let mut printed = Command::new(env!("CARGO_BIN_EXE_midput"));
    let printed = printed.current_dir(folder.path()).args(["shrink", original]).output().unwrap();
    assert_eq!(text(&printed.stdout), case, "shrinking it again gives the same");
    let emit = ["shrink", original, "--emit", "rust", "-o", "emitted.rs"];
    assert_eq!(midput(folder.path(), &emit).status.code(), Some(0));
    let emitted = std::fs::read_to_string(folder.path().join("emitted.rs")).unwrap();
    assert!(emitted.contains("#[test]\nfn mine_torn_shows_hazard_"), "{emitted}");
    // The scenario's file may go: the case has its own.
    std::fs::remove_file(folder.path().join("scenarios/mine/torn.toml")).unwrap();
    let replayed = midput(folder.path(), &["replay", &line("saved")]);
    assert_eq!(replayed.status.code(), Some(1), "{}", text(&replayed.stderr));
    let hazard = line("hazard");
    assert!(text(&replayed.stdout).contains(&hazard), "{hazard}");
}

#[test]
fn a_mutant_is_noticed_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["check", "no-fault/close-and-look", "--mutant", "skip sem.release"];
    let output = midput(folder.path(), &arguments);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(
        out.starts_with(
            "mutant skip sem.release: the code is altered, and held against the \
                             model as it is\n"
        ),
        "{out}"
    );
    assert!(out.contains("  mutant    skip sem.release\n"), "{out}");
    let saved = out.lines().find_map(|line| line.strip_prefix("  saved     ")).unwrap();
    let replayed = midput(folder.path(), &["replay", saved]);
    assert_eq!(replayed.status.code(), Some(1), "{}", text(&replayed.stdout));
    let explored = midput(
        folder.path(),
        &["explore", "no-fault/one-producer-two-consumers", "--mutant", "skip rlock.release"],
    );
    assert!(text(&explored.stdout).contains("G4 no loss                violated"));
    for (arguments, hint) in [
        (&["check", "--mutant", "skip encode"][..], "goes with"),
        (&["check", "--against", "nothing"], "--mutant"),
        (&["check", "--mutant", "skip poll", "--world", "native"], "in the simulation only"),
    ] {
        let output = midput(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(hint), "{}", text(&output.stderr));
    }
}

#[test]
fn bad_input_is_answered_by_name_with_status_2() {
    let folder = with_forbidden_harm();
    for (arguments, hint) in [
        (&["check", "--seed", "x"][..], "a seed is a number"),
        (&["check", "--world", "moon"], "sim"),
        (&["check", "--budget", "30"], "30s"),
        (&["check", "--shard", "3/2"], "m/n"),
        (&["check", "--strategy", "exhaustive"], "midput explore SCENARIO --code"),
        (&["explain", "wirte-body"], "did you mean 'write-body'?"),
        (&["explain", "everything"], "'midput explain' lists what there is"),
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
        (&["explain"], "guarantees"),
        (&["explain", "H3"], "reader-stuck-past-timeout"),
        (&["explain", "frame-torn"], "what to do"),
        (&["explain", "g6"], "midput explore bounded-full/slot-leak-after-kill --traces"),
        (&["explain", "Q19"], "left out"),
        (&["explain", "write-body"], "midput check kill-mid-put/large-200kB-one-producer"),
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
fn everything_that_has_an_id_is_explained() {
    let hazards = std::fs::read_to_string(root().join("tests/hazards.rs")).unwrap();
    for topic in Topic::all() {
        let id = topic.to_string();
        let output = midput(root(), &["explain", &id]);
        let out = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{id}: {}", text(&output.stderr));
        assert!(out.starts_with(&id) && out.lines().count() > 1, "{out}");
        assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
        match topic {
            Topic::Hazard(_) => {
                let test = out.rsplit("tests/hazards.rs ").next().unwrap().trim();
                assert!(hazards.contains(&format!("hazard!({test}, {id});")), "{out}");
            }
            Topic::Rule(_) => {
                let where_tested = ["  tested by ", "  left out ", "  not yet "];
                assert!(where_tested.iter().any(|label| out.contains(label)), "{out}");
            }
            Topic::Guarantee(_) | Topic::Step(_) => {}
        }
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

#[test]
fn exploring_the_code_says_what_is_proved_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let scenarios = folder.path().join("scenarios/mine");
    std::fs::create_dir_all(&scenarios).unwrap();
    let text = "why = \"x\"\n[queue.q]\n[process.P0]\nmain = [\"start P1\", \"get\"]\n\
                [process.P1]\nmain = [\"put a 1B\"]\n[faults]\nkills = 1\nvictims = [\"P1\"]\n";
    std::fs::write(scenarios.join("harm.toml"), text).unwrap();
    let output = midput(folder.path(), &["explore", "mine/harm", "--code"]);
    let out = self::text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("a proof: every schedule was run, or is like one that was"), "{out}");
    assert!(out.contains("FAIL hazard H2 in "), "{out}");
    assert!(out.contains("none for guarantees over every order"), "{out}");
    let line = out.lines().find(|line| line.contains("midput replay ")).unwrap();
    let case = line.split("midput replay ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(midput(folder.path(), &["replay", case]).status.code(), Some(1), "{out}");
    std::fs::write(
        scenarios.join("harm.toml"),
        text.to_owned() + "[allow]\nclassic = [\"H1\", \"H2\", \"H4\", \"H5\", \"H6\", \"H8\"]\n",
    )
    .unwrap();
    let output = midput(folder.path(), &["explore", "mine/harm", "--code"]);
    let out = self::text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains("each in lockstep with its model"), "{out}");
}
