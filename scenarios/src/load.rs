//! Reading scenarios from texts, files and folders.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{LoadError, Mistake, Scenario};

/// The folders in which no scenarios are looked for.
const OTHER_FOLDERS: &[&str] = &["cases", "src", "tests", "target", "snapshots"];

/// Reads a scenario from a text. `name` becomes the scenario's name; errors name `name.toml`.
///
/// # Errors
/// [`LoadError::Invalid`] with the mistakes in the text.
pub fn parse(name: &str, text: &str) -> Result<Scenario, LoadError> {
    parse_as(name, &format!("{name}.toml"), text)
}

fn parse_as(name: &str, file: &str, text: &str) -> Result<Scenario, LoadError> {
    crate::read::scenario(name, text).map_err(|mistakes| LoadError::Invalid {
        mistakes: with_file(file, mistakes),
    })
}

fn with_file(file: &str, mistakes: Vec<Mistake>) -> Vec<(String, Mistake)> {
    mistakes
        .into_iter()
        .map(|mistake| (file.to_owned(), mistake))
        .collect()
}

/// Reads one scenario file. Its name is its folder's and its own, without `.toml`:
/// `kill-mid-put/mine`.
///
/// # Errors
/// [`LoadError::Unreadable`] where the file cannot be read or is no UTF-8, [`LoadError::Invalid`]
/// with the mistakes in it.
pub fn load_file(path: impl AsRef<Path>) -> Result<Scenario, LoadError> {
    let path = path.as_ref();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = path.parent().and_then(Path::file_name);
    let name = match folder {
        Some(folder) => format!("{}/{stem}", folder.to_string_lossy()),
        None => stem.into_owned(),
    };
    load_as(path, &name)
}

fn load_as(path: &Path, name: &str) -> Result<Scenario, LoadError> {
    let text = fs::read_to_string(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse_as(name, &path.display().to_string(), &text)
}

/// Reads every scenario below a folder, sorted by name: each `.toml` file but `Cargo.toml`. Hidden
/// folders and those called `cases`, `src`, `tests`, `target` and `snapshots` are left out.
///
/// # Errors
/// [`LoadError::Unreadable`] for the first file or folder that cannot be read, else
/// [`LoadError::Invalid`] with the mistakes of all files.
pub fn load_dir(path: impl AsRef<Path>) -> Result<Vec<Scenario>, LoadError> {
    let mut files = Vec::new();
    find(path.as_ref(), "", &mut files)?;
    files.sort();
    let mut scenarios = Vec::new();
    let mut all_mistakes = Vec::new();
    for (name, file) in files {
        match load_as(&file, &name) {
            Ok(scenario) => scenarios.push(scenario),
            Err(LoadError::Invalid { mistakes }) => all_mistakes.extend(mistakes),
            Err(error) => return Err(error),
        }
    }
    if all_mistakes.is_empty() {
        Ok(scenarios)
    } else {
        Err(LoadError::Invalid {
            mistakes: all_mistakes,
        })
    }
}

fn find(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link is not followed: it could lead in a circle.
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            if !name.starts_with('.') && !OTHER_FOLDERS.contains(&name.as_str()) {
                find(&entry.path(), &format!("{prefix}{name}/"), files)?;
            }
        } else if let Some(stem) = name.strip_suffix(".toml")
            && name != "Cargo.toml"
        {
            files.push((format!("{prefix}{stem}"), entry.path()));
        }
    }
    Ok(())
}
