//! The scenarios that are part of the program, so that an installed command needs no folder.

use crate::Scenario;

/// One list of names gives the texts, so that name and file cannot differ.
macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../", $name, ".toml")))),*]
    };
}

const SOURCES: &[(&str, &str)] = sources!["canary/must-fail",];

/// Every built-in scenario, sorted by name.
///
/// ```
/// let scenarios = midput_scenarios::builtin();
/// assert!(scenarios.iter().any(|scenario| scenario.name == "canary/must-fail"));
/// ```
///
/// # Panics
/// Never: a test reads every one of the texts, which are fixed when the program is built.
pub fn builtin() -> Vec<Scenario> {
    let read = |&(name, text): &(&str, &str)| {
        crate::parse(name, text).unwrap_or_else(|error| panic!("{error}"))
    };
    SOURCES.iter().map(read).collect()
}

/// The name and the text of every built-in scenario, sorted by name.
pub fn builtin_sources() -> &'static [(&'static str, &'static str)] {
    SOURCES
}
