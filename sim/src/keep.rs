//! Cases kept in files beside their scenarios: those that failed come first next time.

use std::io;
use std::path::{Path, PathBuf};

use crate::case::{Case, NoCase};

/// How the files of cases end that were shrunk.
const ORIGINAL: &str = ".original.case";

/// Why a case file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    /// It cannot be read.
    #[error("the case file {path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no case.
    #[error("{path}: {source}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: NoCase,
    },
}

/// Reads one case file.
///
/// # Errors
/// Where it cannot be read or is no case.
pub fn read(path: &Path) -> Result<Case, CaseFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CaseFileError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|source| CaseFileError::Parse { path: path.to_owned(), source })
}

/// The folder of a scenario's cases below the folder of all scenarios.
fn folder(root: &Path, scenario: &str) -> PathBuf {
    let group = scenario.rsplit_once('/').map_or("", |(group, _)| group);
    root.join(group).join("cases")
}

/// The kept cases of a scenario, those that failed last first: `cases/new/*.case`, then
/// `cases/*.case`, each in the order of their names. Those in `new` are left out unless they are
/// asked for.
///
/// # Errors
/// Where one of them cannot be read or is no case.
pub fn kept(
    root: &Path,
    scenario: &str,
    with_new: bool,
) -> Result<Vec<(PathBuf, Case)>, CaseFileError> {
    let folder = folder(root, scenario);
    let mut cases = Vec::new();
    let new = with_new.then(|| folder.join("new"));
    for folder in new.into_iter().chain([folder]) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
        paths.retain(|path| !path.to_string_lossy().ends_with(ORIGINAL));
        paths.sort();
        for path in paths {
            let case = read(&path)?;
            if case.scenario == scenario {
                cases.push((path, case));
            }
        }
    }
    Ok(cases)
}

/// Saves a failing case and returns its path. The same case gets the same name.
///
/// # Errors
/// What the system says where the file cannot be written.
pub fn save(root: &Path, case: &Case) -> io::Result<PathBuf> {
    let folder = folder(root, &case.scenario).join("new");
    std::fs::create_dir_all(&folder)?;
    let text = case.to_string();
    let path = folder.join(format!("{}.case", short_name(&text)));
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Saves the case that a saved one was shrunk from, beside it. It is not run again by itself.
///
/// # Errors
/// What the system says where the file cannot be written.
pub fn save_original(shrunk: &Path, original: &Case) -> io::Result<PathBuf> {
    let path = PathBuf::from(format!("{}{ORIGINAL}", shrunk.with_extension("").display()));
    std::fs::write(&path, original.to_string())?;
    Ok(path)
}

/// Six letters and digits that follow from the text.
fn short_name(text: &str) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut hash = midput_model::explore::fingerprint(text);
    let digit = |_| {
        let digit = DIGITS[(hash % 32) as usize];
        hash /= 32;
        char::from(digit)
    };
    (0..6).map(digit).collect()
}
