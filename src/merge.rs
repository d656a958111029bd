//! `midput merge`: the reports of all shards as one.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use midput_sim::keep;
use midput_sim::settings::Settings;
use midput_sim::sweep::{CheckReport, Expected, Named, describe_kept, merge as join};

use crate::arguments::Merge;
use crate::case_file::{note_last, replay_line};
use crate::exit::Status;
use crate::print::out;
use crate::reports::Destinations;
use crate::select::cases_folder;
use crate::summary;

pub(crate) fn merge(arguments: &Merge, settings: &Settings, color: bool) -> anyhow::Result<Status> {
    let reports = arguments.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let merged = join(reports)?;
    let destinations = Destinations::open(&arguments.reports)?;
    let out = arguments.out.as_deref().or(settings.out.as_deref());
    failures(&merged, &cases_folder(arguments.scenarios_in.as_deref(), out), out)?;
    summary::print(&merged, color);
    destinations.write(&merged)?;
    Ok(summary::status(&merged))
}

fn read(path: &Path) -> anyhow::Result<Named> {
    let (file, text) = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        ("standard input".to_owned(), text)
    } else {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("{file} cannot be read: run its shard again, with --report {file}")
        })?;
        (file, text)
    };
    let report = CheckReport::from_json(&text).with_context(|| file.clone())?;
    Ok(Named { file, report })
}

/// Prints what failed as the check of its shard did, and saves the cases: the shard may have run
/// on another machine.
fn failures(merged: &CheckReport, cases: &Path, out: Option<&Path>) -> anyhow::Result<()> {
    for sweep in merged.sweeps.iter().filter(|sweep| sweep.expect == Expected::Pass) {
        for failed in &sweep.failures {
            let case = failed.case.parse().with_context(|| {
                format!("{}: the report's case {}", sweep.scenario, failed.number)
            })?;
            let path = keep::save(cases, &case)?;
            note_last(out, &path)?;
            let replay = replay_line(&path, sweep.world.name());
            let (of, world) = (sweep.planned_in_all, sweep.world.name());
            let text = describe_kept(failed, of, world, &path, &replay)?;
            out!("{text}");
        }
    }
    Ok(())
}
