//! The summary of a check.

use std::collections::BTreeMap;
use std::time::Duration;

use midput_sim::sweep::{Report, ReportVerdict, SweepOptions};

use crate::print::outln;
use crate::table::{self, table, verdict};

pub(super) fn print(reports: &[Report], options: &SweepOptions, elapsed: Duration, color: bool) {
    outln!();
    let mut main = table(
        &["scenario", "world", "cases", "steps", "kills", "sites", "hazards (cases)", "verdict"],
        &[2, 3, 4, 5],
    );
    for report in reports {
        let hazards = report.hazards.iter().map(|(hazard, cases)| format!("{hazard} {cases}"));
        let (text, good) = match report.verdict() {
            ReportVerdict::Pass if !report.failures.is_empty() => {
                ("fails, as it must".to_owned(), Some(true))
            }
            ReportVerdict::Pass if report.planned == 0 => {
                ("pass (nothing belongs to this shard)".to_owned(), Some(true))
            }
            ReportVerdict::Pass if report.is_part() => {
                ("pass (a part: goals not asked)".to_owned(), Some(true))
            }
            ReportVerdict::Pass => ("pass".to_owned(), Some(true)),
            ReportVerdict::Fail(why) => (format!("FAIL  {why}"), Some(false)),
            ReportVerdict::Inconclusive(why) => (format!("INCONCLUSIVE  {why}"), None),
        };
        main.add_row([
            report.scenario.clone().into(),
            report.world.into(),
            report.run.to_string().into(),
            report.steps.to_string().into(),
            report.kills_landed().to_string().into(),
            sites_text(report).into(),
            hazards.collect::<Vec<_>>().join("  ").into(),
            verdict(&text, good, color),
        ]);
    }
    table::print(&main);
    sites(reports);
    found_by(reports);
    totals(reports, options, elapsed);
}

/// How many of the kill sites were hit: `31/31`.
fn sites_text(report: &Report) -> String {
    match report.sites_landed() {
        (_, 0) => String::new(),
        (landed, drawn) => format!("{landed}/{drawn}"),
    }
}

/// The parts of the protocol and their steps, in their order.
const PARTS: &[(&str, &[&str])] = &[
    (
        "put",
        &[
            "put",
            "sem.acquire",
            "notempty.lock",
            "feeder.start",
            "buffer.append",
            "notempty.notify",
            "notempty.unlock",
        ],
    ),
    (
        "feeder",
        &[
            "notempty.lock",
            "notempty.wait",
            "notempty.wake",
            "notempty.unlock",
            "buffer.popleft",
            "encode",
            "wlock.acquire",
            "write-frame",
            "write-header",
            "write-body",
            "wlock.release",
            "reader.close",
            "writer.close",
        ],
    ),
    (
        "get",
        &[
            "get",
            "rlock.acquire",
            "poll",
            "read-header",
            "read-body",
            "sem.release",
            "rlock.release",
            "decode",
        ],
    ),
];

/// How often a kill landed at each step of put, feeder and get, in each world.
fn sites(reports: &[Report]) {
    let mut counts: BTreeMap<(&str, bool, &str), u64> = BTreeMap::new();
    for report in reports {
        for ((lane, step), count) in &report.kills {
            let feeder = lane.contains(".feed");
            *counts.entry((report.world, feeder, step)).or_default() += count;
        }
    }
    if counts.is_empty() {
        return;
    }
    outln!();
    let worlds = ["sim", "native"].map(|world| {
        let ran = reports.iter().any(|report| report.world == world);
        (world, ran)
    });
    outln!("kills landed at each step ({})", worlds.map(|(world, _)| world).join("/"));
    for (part, steps) in PARTS {
        let cells = steps.iter().map(|step| {
            let counts = worlds.map(|(world, ran)| {
                let count = counts.get(&(world, *part == "feeder", *step)).copied();
                if ran { count.unwrap_or(0).to_string() } else { "-".to_owned() }
            });
            format!("{step} {}", counts.join("/"))
        });
        print_wrapped(part, cells.collect());
    }
}

fn print_wrapped(head: &str, cells: Vec<String>) {
    let mut line = format!("  {head:<7}");
    for cell in cells {
        if line.len() + cell.len() > 98 {
            outln!("{}", line.trim_end());
            line = " ".repeat(9);
        }
        line.push_str(&cell);
        line.push_str("  ");
    }
    outln!("{}", line.trim_end());
}

/// Which strategy found what, where something was found.
fn found_by(reports: &[Report]) {
    let found = |report: &&Report| report.strategies.values().any(|found| found.failing > 0);
    for report in reports.iter().filter(found) {
        outln!();
        outln!("{}: failing cases, and the first, by strategy", report.scenario);
        let mut rows = table(&["strategy", "cases", "failing", "first"], &[1, 2, 3]);
        for (strategy, found) in &report.strategies {
            rows.add_row([
                strategy.to_string(),
                found.cases.to_string(),
                found.failing.to_string(),
                found.first.map_or(String::new(), |first| first.to_string()),
            ]);
        }
        table::print(&rows);
    }
}

fn totals(reports: &[Report], options: &SweepOptions, elapsed: Duration) {
    let sum = |number: fn(&Report) -> u64| reports.iter().map(number).sum::<u64>();
    let (planned, run, skipped) = (sum(|it| it.planned), sum(|it| it.run), sum(Report::skipped));
    let failed = reports.iter().filter(|it| matches!(it.verdict(), ReportVerdict::Fail(_)));
    outln!();
    outln!(
        "planned {planned} = run {run} + skipped {skipped}   steps {}   seed {:#x}   {:.1} s",
        sum(|it| it.steps),
        options.seed,
        elapsed.as_secs_f64()
    );
    let failed = failed.count();
    let passed = reports.iter().filter(|it| it.verdict() == ReportVerdict::Pass).count();
    let undecided = reports.len() - failed - passed;
    outln!("{passed} passed, {failed} failed, {undecided} inconclusive");
}
