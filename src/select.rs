//! Which scenarios a command is about, and where its files are.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use midput_scenarios::Scenario;

/// The scenarios of a command and the folder for the cases that fail.
pub(crate) struct Selected {
    /// In the order of their names.
    pub scenarios: Vec<Scenario>,
    /// Where kept cases are, and where new ones are saved.
    pub cases: PathBuf,
}

/// Everything below `folder` if it is given, below `./scenarios` if there is one, else what is
/// built in; of these the ones that a pattern names.
pub(crate) fn select(
    folder: Option<&Path>,
    out: Option<&Path>,
    patterns: &[String],
) -> anyhow::Result<Selected> {
    let folder = scenarios_folder(folder);
    let mut scenarios = match folder {
        Some(folder) => midput_scenarios::load_dir(folder)
            .with_context(|| format!("the scenarios in {} cannot be used", folder.display()))?,
        None => midput_scenarios::builtin(),
    };
    let cases = cases_folder(folder, out);
    for pattern in patterns {
        if !scenarios.iter().any(|scenario| matches(pattern, &scenario.name)) {
            bail!(NothingSelected { pattern: pattern.clone() });
        }
    }
    if !patterns.is_empty() {
        scenarios.retain(|it| patterns.iter().any(|pattern| matches(pattern, &it.name)));
    }
    Ok(Selected { scenarios, cases })
}

/// The folder that is given, or `./scenarios` if there is one.
fn scenarios_folder(given: Option<&Path>) -> Option<&Path> {
    let here = Path::new("scenarios");
    given.or_else(|| here.is_dir().then_some(here))
}

/// Where failing cases are saved, whatever the scenarios.
pub(crate) fn cases_folder(scenarios: Option<&Path>, out: Option<&Path>) -> PathBuf {
    let beside = || out_folder(out).join("cases");
    scenarios_folder(scenarios).map_or_else(beside, Path::to_owned)
}

/// Where files are written when there is no folder of scenarios.
pub(crate) fn out_folder(out: Option<&Path>) -> PathBuf {
    out.map_or_else(|| PathBuf::from("target/midput"), Path::to_owned)
}

/// A pattern that fits no scenario.
#[derive(Debug, thiserror::Error)]
#[error("no scenario fits '{pattern}'; see 'midput list scenarios'")]
pub(crate) struct NothingSelected {
    pattern: String,
}

/// Whether a name fits a pattern in which `*` stands for any text. A pattern without `*` also
/// fits as the first part of a path.
fn matches(pattern: &str, name: &str) -> bool {
    if pattern == name || name.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('/')) {
        return true;
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_fit_names_groups_and_stars() {
        let name = "kill-mid-put/small-one-producer";
        for pattern in [name, "kill-mid-put", "*", "kill-*", "*one*", "kill-mid-put/*", "k*r"] {
            assert!(matches(pattern, name), "{pattern}");
        }
        for pattern in ["kill-mid", "small-one-producer", "*two*", "kill-mid-put/small", "k*x"] {
            assert!(!matches(pattern, name), "{pattern}");
        }
    }
}
