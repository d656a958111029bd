//! What the commands that run cases share: where case files are, and how one is run natively.

use std::path::{Path, PathBuf};
use std::time::Duration;

use midput_scenarios::Scenario;
use midput_sim::case::Case;
use midput_sim::settings::Settings;
use midput_sim::sweep::CaseOutcome;
use midput_sim::world::native::NativeOptions;

use crate::select::out_folder;

/// Where the last failing case's path is noted.
pub(crate) fn last_file(out: Option<&Path>) -> PathBuf {
    out_folder(out).join("last")
}

/// Notes a failing case as the last one.
pub(crate) fn note_last(out: Option<&Path>, case: &Path) -> anyhow::Result<()> {
    let last = last_file(out);
    if let Some(folder) = last.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&last, case.display().to_string())?;
    Ok(())
}

/// The line that runs a saved case again.
pub(crate) fn replay_line(path: &Path, world: &str) -> String {
    let world = if world == "sim" { String::new() } else { format!(" --world {world}") };
    format!("midput replay {}{world}", path.display())
}

pub(crate) fn native_options(hang_after: Option<Duration>) -> anyhow::Result<NativeOptions> {
    let mut options = NativeOptions::new(std::env::current_exe()?);
    if let Some(hang_after) = hang_after {
        options.deadline = hang_after;
    }
    Ok(options)
}

/// A case of a subject that this program does not have cannot be run.
pub(crate) fn known_subject(case: &Case) -> anyhow::Result<()> {
    anyhow::ensure!(
        ["classic", "manager"].contains(&case.subject.as_str()),
        "the case is of subject '{}', which cannot be run; this midput has: classic, manager",
        case.subject
    );
    Ok(())
}

/// Runs one case with real processes and judges it.
pub(crate) fn native_case(
    scenario: &Scenario,
    case: &Case,
    settings: &Settings,
) -> anyhow::Result<CaseOutcome> {
    let options = native_options(settings.hang_after)?;
    Ok(midput_sim::sweep::run_native(scenario, case, &options))
}
