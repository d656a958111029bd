//! The same case does the same, on every run and whatever the number of jobs.

use std::sync::{Arc, Mutex};

use midput_scenarios::Scenario;
use midput_sim::subject::Classic;
use midput_sim::sweep::{Runner, SweepOptions, census, draw, sweep};
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

#[test]
fn one_job_and_two_give_equal_outcomes_in_equal_order() {
    for scenario in scenarios() {
        let program = Arc::new(scenario.program.clone());
        let census = census::<Classic<_>>(&scenario, &program, 99);
        let outcomes = |jobs| {
            let options = SweepOptions { seed: 99, cases: 250, jobs, ..SweepOptions::default() };
            let seen = Mutex::new(0);
            let done = |_: &_| *seen.lock().unwrap() += 1;
            let outcomes =
                sweep::<Classic<_>>(&scenario, &census, &options, true, &|| false, &done);
            assert_eq!(*seen.lock().unwrap(), 250);
            format!("{outcomes:?}")
        };
        assert!(outcomes(1) == outcomes(2), "{}", scenario.name);
    }
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
