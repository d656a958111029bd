//! The summary of a check, or of the checks of all shards together.

use std::collections::BTreeMap;

use midput_scenarios::World;
use midput_sim::sweep::{CheckReport, Model, Report, ReportVerdict, SweepEnd};

use crate::exit::Status;
use crate::print::outln;
use crate::table::{self, table, verdict};

/// At most so many actions that no case came to are printed.
const NEVER_SHOWN: usize = 12;

/// What a report means for the exit status.
pub(crate) fn status(report: &CheckReport) -> Status {
    let stopped = if report.interrupted { Status::Inconclusive } else { Status::Pass };
    report.sweeps.iter().fold(stopped, |status, sweep| {
        status.and(match sweep.verdict {
            ReportVerdict::Pass => Status::Pass,
            ReportVerdict::Fail(_) => Status::Violation,
            ReportVerdict::Inconclusive(_) => Status::Inconclusive,
        })
    })
}

pub(crate) fn print(check: &CheckReport, color: bool) {
    let reports = check.sweeps.as_slice();
    outln!();
    let mut main = table(
        &["scenario", "world", "cases", "steps", "kills", "sites", "hazards (cases)", "verdict"],
        &[2, 3, 4, 5],
    );
    for report in reports {
        let hazards = report.hazards.iter().map(|(hazard, cases)| format!("{hazard} {cases}"));
        let (text, good) = match &report.verdict {
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
            report.world.name().into(),
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
    actions(reports);
    totals(check);
}

/// How many of the kill sites were hit: `31/31`.
fn sites_text(report: &Report) -> String {
    match report.sites_landed() {
        (_, 0) => String::new(),
        (landed, drawn) => format!("{landed}/{drawn}"),
    }
}

/// A part of the protocol: its name, whether its lane is a feeder, whether every queue has it, and
/// its steps in their order.
type Part = (&'static str, bool, bool, &'static [&'static str]);

const PARTS: &[Part] = &[
    (
        "put",
        false,
        true,
        &[
            "put",
            "sem.acquire",
            "notempty.lock",
            "feeder.start",
            "buffer.append",
            "unfinished.release",
            "notempty.notify",
            "notempty.unlock",
        ],
    ),
    (
        "feeder",
        true,
        true,
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
        false,
        true,
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
    (
        "tasks",
        false,
        false,
        &[
            "cond.acquire",
            "unfinished.acquire",
            "unfinished.value",
            "sleeping.release",
            "wait.acquire",
            "woken.release",
            "wait.check",
            "woken.drain",
            "sleeping.drain",
            "sleeping.acquire",
            "wait.release",
            "woken.acquire",
            "wait.drain",
            "cond.release",
        ],
    ),
    (
        "simple",
        false,
        false,
        &[
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
    ("client", false, false, &["connect", "call.send", "answer.wait", "answer.read", "call.close"]),
];

/// How often a kill landed at each step of each part, in each world.
fn sites(reports: &[Report]) {
    let mut counts: BTreeMap<(World, bool, &str), u64> = BTreeMap::new();
    for report in reports {
        for hits in report.sites.iter().filter(|hits| hits.landed > 0) {
            let feeder = hits.kill.site.lane.contains(".feed");
            let site = (report.world, feeder, hits.kill.site.step.as_str());
            *counts.entry(site).or_default() += hits.landed;
        }
    }
    if counts.is_empty() {
        return;
    }
    outln!();
    let worlds = World::DEFAULT.map(|world| {
        let ran = reports.iter().any(|report| report.world == world);
        (world, ran)
    });
    outln!("kills landed at each step ({})", worlds.map(|(world, _)| world.name()).join("/"));
    for (part, feeder, always, steps) in PARTS {
        let landed = |step: &&str| {
            worlds.iter().any(|(world, _)| counts.contains_key(&(*world, *feeder, *step)))
        };
        if !always && !steps.iter().any(&landed) {
            continue;
        }
        // What only some queues have is listed where it was hit.
        let steps = steps.iter().filter(|step| **step != "unfinished.release" || landed(step));
        let cells = steps.map(|step| {
            let counts = worlds.map(|(world, ran)| {
                let count = counts.get(&(world, *feeder, *step)).copied();
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
                strategy.clone(),
                found.cases.to_string(),
                found.failing.to_string(),
                found.first.map_or(String::new(), |first| first.to_string()),
            ]);
        }
        table::print(&rows);
    }
}

/// Which actions of the models simulated cases came to, and which they never did.
fn actions(reports: &[Report]) {
    // Where a sweep was cut short, what it did not come to says nothing.
    let went_on = reports.iter().filter(|report| {
        report.world == World::Sim && matches!(report.end, SweepEnd::All | SweepEnd::Quiet)
    });
    let of = |model: Model| {
        let of_model = move |it: &&Report| it.actions.model == model;
        went_on.clone().filter(of_model)
    };
    let (mut covered, mut all) = (0, 0);
    for report in of(Model::Explored) {
        covered += report.actions.covered_within();
        all += report.actions.covered_within() + report.actions.never.len();
    }
    let mut cells = Vec::new();
    if all > 0 {
        cells.push(format!("{covered} of {all} covered"));
    }
    for report in of(Model::ExploredInPart).chain(of(Model::NotExplored)) {
        let (seen, model) = (report.actions.covered.len(), report.actions.model);
        let why = if model == Model::NotExplored { "not explored" } else { "too large to explore" };
        cells.push(format!("{} {why}, {seen} seen so far", report.scenario));
    }
    if cells.is_empty() {
        return;
    }
    outln!();
    outln!("actions of the models, scenario by scenario: {}", cells.join("; "));
    let never = went_on.clone().flat_map(|report| {
        report.actions.never.iter().map(move |action| (report.scenario.as_str(), action))
    });
    let never: Vec<_> = never.collect();
    let mut last = "";
    for (scenario, action) in never.iter().take(NEVER_SHOWN) {
        let name = if *scenario == last { "" } else { scenario };
        outln!("  never  {name:<40} {action}");
        last = scenario;
    }
    if never.len() > NEVER_SHOWN {
        outln!("  and {} more; --report has them all", never.len() - NEVER_SHOWN);
    }
}

fn totals(check: &CheckReport) {
    let totals = check.totals;
    // Shards run beside each other.
    let elapsed_ms = check.times.iter().map(|times| times.elapsed_ms).max().unwrap_or_default();
    outln!();
    outln!(
        "planned {} = run {} + skipped {}   steps {}   seed {:#x}   {:.1} s",
        totals.planned,
        totals.run,
        totals.skipped,
        totals.steps,
        check.seed,
        elapsed_ms as f64 / 1e3
    );
    outln!(
        "{} passed, {} failed, {} inconclusive",
        totals.passed,
        totals.failed,
        totals.inconclusive
    );
}
