//! Every scenario in the simulated kernel, in lockstep with the model.
//!
//! `MIDPUT_SEED`, `MIDPUT_CASES`, `MIDPUT_BUDGET`, `MIDPUT_SHARD`, `MIDPUT_TWICE` and `MIDPUT_OUT`
//! have their meaning; `MIDPUT_CASE=FILE cargo test --test scenarios` runs exactly one case;
//! `MIDPUT_TRACE` prints the traces of failing cases (`fail`), of all (`all`, with `--nocapture`) or
//! none (`off`). The native world has `native_world.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use midput_scenarios::{Expect, Scenario, World};
use midput_sim::case::Case;
use midput_sim::keep;
use midput_sim::settings::{DEFAULT_SEED, Settings, Traces};
use midput_sim::subject::Classic;
use midput_sim::sweep::{
    ReportVerdict, Runner, Stop, Sweep, SweepOptions, Swept, Verdict, Watch, census, describe, draw,
};
use midput_sim::trace::{Story, TraceLog, render};

const CASES: u64 = 200;

fn settings() -> Settings {
    Settings::from_environment().unwrap_or_else(|error| panic!("{error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Where failing cases of tests are saved: not among the kept ones, which are for people.
fn out(settings: &Settings) -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/midput");
    settings.out.clone().unwrap_or(default).join("cases")
}

fn run(scenario: &Scenario, settings: &Settings, deadline: Option<Instant>) -> Swept {
    let kept = keep::kept(&root(), &scenario.name, true).unwrap_or_else(|error| panic!("{error}"));
    let kept: Vec<Case> = kept.into_iter().map(|(_, case)| case).collect();
    let program = Arc::new(scenario.program.clone());
    let options = SweepOptions {
        seed: settings.seed.unwrap_or(DEFAULT_SEED),
        cases: settings.cases.unwrap_or(CASES),
        shard: settings.shard.unwrap_or_default(),
        jobs: 2,
        failures_max: 3,
        twice: settings.twice.unwrap_or(false),
        ..SweepOptions::default()
    };
    let census = census::<Classic<_>>(scenario, &program, options.seed);
    let late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
    let stop = || late().then_some(Stop::Budget);
    if settings.traces == Some(Traces::All) {
        let numbers = (0..options.shard.share(options.cases)).map(|it| options.shard.case(it));
        let drawn = numbers.map(|it| draw(scenario, "classic", &census, &options, it));
        for case in kept.iter().cloned().chain(drawn) {
            println!("{}", trace_of(scenario, &case));
        }
    }
    let sweep = Sweep::new(scenario, World::Sim, &census, options, kept, true);
    let watch = Watch { stop: &stop, ..Watch::NOBODY };
    sweep.run::<Classic<_>>(&watch).unwrap_or_else(|error| panic!("{error}"))
}

fn trace_of(scenario: &Scenario, case: &Case) -> String {
    let mut log = TraceLog::default();
    let outcome = Runner::new(scenario, true).run::<Classic<_>>(case, Some(&mut log));
    render(&scenario.program, &log, &Story::of(scenario, &outcome))
}

/// What is printed of a failing scenario: each failing case with the line that replays it.
fn failures(scenario: &Scenario, swept: &Swept, settings: &Settings) -> String {
    let mut text = String::new();
    for failed in &swept.failing {
        let path = keep::save(&out(settings), &failed.case).unwrap();
        let replay = format!("MIDPUT_CASE={} cargo test --test scenarios", path.display());
        if settings.traces != Some(Traces::Off) {
            text += &trace_of(scenario, &failed.case);
        }
        text += &describe(scenario, failed, Some(swept.report.planned), "sim", &[], &path, &replay);
    }
    text
}

fn check(scenario: &Scenario, settings: &Settings, deadline: Option<Instant>) -> Option<String> {
    let swept = run(scenario, settings, deadline);
    match &swept.report.verdict {
        ReportVerdict::Pass => None,
        ReportVerdict::Inconclusive(why) => {
            println!("INCONCLUSIVE {}: {why}", scenario.name);
            settings.budget.is_none().then(|| format!("{} inconclusive: {why}", scenario.name))
        }
        ReportVerdict::Fail(why) => {
            let text = failures(scenario, &swept, settings);
            Some(format!("{}: {why}\n{text}", scenario.name))
        }
    }
}

/// Runs exactly the case in a file, prints its trace and fails if it fails.
fn check_one(path: &Path, settings: &Settings) -> Result<(), String> {
    let case = keep::read(path).map_err(|error| error.to_string())?;
    let scenarios = midput_scenarios::load_dir(root()).map_err(|error| error.to_string())?;
    let scenario = scenarios
        .iter()
        .find(|scenario| scenario.name == case.scenario)
        .ok_or_else(|| format!("{}: no scenario '{}'", path.display(), case.scenario))?;
    let scenario = case.scenario_or(scenario);
    let mut log = TraceLog::default();
    let outcome = Runner::new(scenario, true).run::<Classic<_>>(&case, Some(&mut log));
    if settings.traces != Some(Traces::Off) {
        println!("{}", render(&scenario.program, &log, &Story::of(scenario, &outcome)));
    }
    if outcome.judged.verdict == Verdict::Pass {
        return Ok(());
    }
    let replay = format!("MIDPUT_CASE={} cargo test --test scenarios", path.display());
    Err(describe(scenario, &outcome, None, "sim", &[], path, &replay))
}

#[test]
fn every_scenario_keeps_its_promises_in_simulation() {
    let settings = settings();
    if let Some(path) = &settings.case {
        check_one(path, &settings).unwrap_or_else(|failure| panic!("{failure}"));
        return;
    }
    let scenarios = midput_scenarios::load_dir(root()).unwrap_or_else(|error| panic!("{error}"));
    assert!(scenarios.len() >= 28, "only {} scenarios", scenarios.len());
    let deadline = settings.budget.map(|budget| Instant::now() + budget);
    let simulated = scenarios.iter().filter(|it| it.worlds.contains(&World::Sim));
    let failed: Vec<String> =
        simulated.filter_map(|scenario| check(scenario, &settings, deadline)).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// The canary: were the check blind, this scenario would pass.
#[test]
fn the_canary_is_found_to_fail() {
    let scenarios = midput_scenarios::builtin();
    let canary = scenarios.iter().find(|it| it.name == "canary/must-fail").unwrap();
    assert!(matches!(canary.expect, Expect::Fail { .. }));
    let swept = run(canary, &Settings::default(), None);
    assert!(!swept.failing.is_empty());
    assert_eq!(swept.report.verdict, ReportVerdict::Pass);
    let blind = Scenario { expect: Expect::Pass, ..canary.clone() };
    let verdict = run(&blind, &Settings::default(), None).report.verdict;
    assert!(matches!(verdict, ReportVerdict::Fail(_)), "{verdict:?}");
}

/// A scenario that reaches nothing of what it is for has shown nothing.
#[test]
fn a_scenario_that_misses_its_goal_fails_as_vacuous() {
    let text = "why = \"x\"\n[queue.q]\n[process.P0]\nmain = [\"put a 1B\", \"get timeout=10ms\"]\n\
                [reach]\nclassic = [\"result P0.main Empty\"]\n";
    let scenario = midput_scenarios::parse("test/vacuous", text).unwrap();
    let verdict = run(&scenario, &Settings::default(), None).report.verdict;
    let ReportVerdict::Fail(why) = verdict else { panic!("{verdict:?}") };
    assert!(why.contains("vacuous") && why.contains("result P0.main Empty"), "{why}");
}

/// The text of a failure is enough to run it again: its last line names the saved case.
#[test]
fn a_printed_failure_replays_to_the_same_failure() {
    let scenarios = midput_scenarios::builtin();
    let canary = scenarios.iter().find(|it| it.name == "canary/must-fail").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { out: Some(folder.path().to_owned()), ..Settings::default() };
    let swept = run(canary, &settings, None);
    let text = failures(canary, &swept, &settings);
    let last = text.lines().last().unwrap();
    let words = last.trim().strip_prefix("replay").unwrap().trim();
    let path = words.strip_prefix("MIDPUT_CASE=").unwrap().split(' ').next().unwrap();
    let failure = check_one(Path::new(path), &settings).unwrap_err();
    let harm = |text: &str| {
        let lines = text.lines().filter(|line| line.trim().starts_with("hazard"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let case = swept.failing.last().unwrap();
    let printed = text.split("scenario ").last().unwrap();
    assert!(failure.contains(&format!("case {}", case.case.number)), "{failure}");
    assert_eq!(harm(&failure), harm(printed));
    assert!(!harm(&failure).is_empty());
}
