//! A report in the form that continuous integration reads: one test for each scenario and world.

use std::time::Duration;

use anyhow::Context as _;
use midput_sim::sweep::{CheckReport, FailedCase, Report, ReportVerdict};
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

/// The text of a JUnit file.
pub(crate) fn junit(check: &CheckReport) -> anyhow::Result<String> {
    let mut file = quick_junit::Report::new("midput");
    let mut worlds: Vec<_> = check.sweeps.iter().map(|sweep| sweep.world).collect();
    worlds.sort_unstable();
    worlds.dedup();
    for world in worlds {
        let mut suite = TestSuite::new(world.name());
        let properties = [
            ("program", check.program.clone()),
            ("seed", format!("{:#x}", check.seed)),
            ("shard", check.shard.to_string()),
            ("interrupted", check.interrupted.to_string()),
        ];
        suite.add_properties(properties.map(|(name, value)| Property::new(name, value)));
        let sweeps = check.sweeps.iter().enumerate().filter(|(_, sweep)| sweep.world == world);
        suite.add_test_cases(sweeps.map(|(index, sweep)| test(check, index, sweep)));
        file.add_test_suite(suite);
    }
    file.to_string().context("the JUnit report cannot be written")
}

fn test(check: &CheckReport, index: usize, sweep: &Report) -> TestCase {
    let non_success = |kind, why: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(why);
        status.set_description(sweep.failures.iter().map(text).collect::<Vec<_>>().join("\n"));
        status
    };
    let status = match &sweep.verdict {
        ReportVerdict::Pass => TestCaseStatus::success(),
        ReportVerdict::Fail(why) => non_success(NonSuccessKind::Failure, why),
        ReportVerdict::Inconclusive(why) => non_success(NonSuccessKind::Error, why),
    };
    let mut test = TestCase::new(sweep.scenario.clone(), status);
    let spent = check.times.iter().filter_map(|times| times.sweeps_ms.get(index));
    test.set_classname(format!("midput.{}", sweep.world));
    test.set_time(Duration::from_millis(spent.sum()));
    test.set_system_out(format!(
        "planned {} = run {} + skipped {}   steps {}",
        sweep.planned, sweep.run, sweep.skipped, sweep.steps
    ));
    test
}

fn text(failed: &FailedCase) -> String {
    let lines = failed.lines.iter().map(|line| format!("  {:<9} {}\n", line.about, line.text));
    format!("case {}\n{}{}", failed.number, lines.collect::<String>(), failed.case)
}
