//! The same case does the same, on every run and whatever the number of jobs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use midput_scenarios::{Scenario, World};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Runner, Sweep, SweepEnd, SweepOptions, Tally, Watch, census, draw};
use midput_sim::trace::{Story, TraceLog, render};

fn scenarios() -> Vec<Scenario> {
    let names = [
        "kill-mid-put/large-200kB-two-producers",
        "kill-mid-get/header-read-timed",
        "no-fault/short-transfers",
        "terminate-while-flushing/default",
    ];
    let mut scenarios = midput_scenarios::builtin();
    scenarios.retain(|scenario| names.contains(&scenario.name.as_str()));
    assert_eq!(scenarios.len(), names.len());
    scenarios
}

/// The traces of 250 cases of each scenario: 1,000 in all.
fn traces() -> Vec<String> {
    let mut traces = Vec::new();
    for scenario in scenarios() {
        let program = Arc::new(scenario.program.clone());
        let census = census::<Classic<_>>(&scenario, &program, 99);
        let mut runner = Runner::new(&scenario, true);
        for number in 0..250 {
            let time_any = number % 4 == 3;
            let options = SweepOptions { seed: 99, time_any, ..SweepOptions::default() };
            let case = draw(&scenario, "classic", &census, &options, number);
            let mut log = TraceLog::default();
            let outcome = runner.run::<Classic<_>>(&case, Some(&mut log));
            traces.push(render(&scenario.program, &log, &Story::of(&scenario, &outcome)));
        }
    }
    traces
}

#[test]
fn a_thousand_cases_give_the_same_traces_on_two_runs() {
    let first = traces();
    assert_eq!(first.len(), 1000);
    let different: std::collections::BTreeSet<&String> = first.iter().collect();
    assert!(different.len() > 500, "only {} different traces", different.len());
    assert!(first == traces());
}

/// Also where a sweep ends early, and with whatever number of threads.
#[test]
fn one_job_and_more_give_equal_reports() {
    let mut ends = BTreeSet::new();
    for mut scenario in scenarios() {
        // Without what it allows, some cases fail.
        for (failures_max, until_quiet) in [(0, 0), (5, 0), (0, 70)] {
            let program = Arc::new(scenario.program.clone());
            let census = census::<Classic<_>>(&scenario, &program, 99);
            let report = |jobs| {
                let options = SweepOptions {
                    seed: 99,
                    cases: 1000,
                    jobs,
                    failures_max,
                    until_quiet,
                    ..SweepOptions::default()
                };
                let seen = AtomicU64::new(0);
                let done = |tally: &Tally| {
                    seen.fetch_add(tally.run, Ordering::Relaxed);
                };
                let sweep = Sweep::new(&scenario, World::Sim, &census, options, Vec::new(), true);
                let watch = Watch { done: &done, ..Watch::NOBODY };
                let swept = sweep.run::<Classic<_>>(&watch).unwrap();
                // What was run beyond the end of a sweep was told and is not counted.
                assert!(seen.into_inner() >= swept.report.run);
                (swept.report, format!("{:?}", swept.failing))
            };
            let one = report(1);
            ends.insert(one.0.end);
            for jobs in [2, 3, 8] {
                assert!(one == report(jobs), "{} {jobs} jobs", scenario.name);
            }
            scenario.allow.clear();
        }
    }
    let wanted = [SweepEnd::All, SweepEnd::Quiet, SweepEnd::MaxFail];
    assert_eq!(ends, BTreeSet::from(wanted));
}

#[test]
fn another_seed_gives_other_cases() {
    let scenario = &scenarios()[0];
    let program = Arc::new(scenario.program.clone());
    let census = census::<Classic<_>>(scenario, &program, 1);
    let trace = |seed| {
        let mut log = TraceLog::default();
        let options = SweepOptions { seed, ..SweepOptions::default() };
        let case = draw(scenario, "classic", &census, &options, 0);
        let outcome = Runner::new(scenario, true).run::<Classic<_>>(&case, Some(&mut log));
        render(&scenario.program, &log, &Story::of(scenario, &outcome))
    };
    assert!((2..10).any(|seed| trace(seed) != trace(1)));
}
