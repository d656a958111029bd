//! Which tests and scenarios cite which rules.
//!
//! The sources are read as rustfmt leaves them: a function ends at the first brace that stands as
//! far to the right as its `fn`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use midput_scenarios::{Rule, builtin};

/// Where the tests of the workspace are.
const FOLDERS: [&str; 9] = [
    "model/src",
    "real/src",
    "real/tests",
    "scenarios/src",
    "sim/madsim/tests",
    "sim/src",
    "sim/tests",
    "src",
    "tests",
];

/// What cites a rule, in the order of the page: scenarios before tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Scenario(String),
    Test { file: String, function: String },
}

/// The ids that are cited, whether they are rules or not, with what cites them.
pub(crate) type Citations = BTreeMap<String, BTreeSet<Place>>;

/// All citations of the workspace in this folder, and of the built-in scenarios.
pub(crate) fn citations(root: &Path) -> Citations {
    let mut found = Citations::new();
    for folder in FOLDERS {
        for file in sources(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let file = file.strip_prefix(root).unwrap().display().to_string();
            for (function, comments) in tests_of(&text) {
                let place = Place::Test { file: file.clone(), function };
                add(&mut found, &comments, &place);
            }
        }
    }
    for scenario in builtin() {
        add(&mut found, &scenario.why, &Place::Scenario(scenario.name.clone()));
    }
    found
}

fn add(found: &mut Citations, text: &str, place: &Place) {
    for id in ids(text) {
        found.entry(id).or_default().insert(place.clone());
    }
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|it| panic!("{}: {it}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

/// The words of a text that have the form of a rule's id.
pub(crate) fn ids(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let is_id = |word: &&str| {
        let family = word.trim_end_matches(|it: char| it.is_ascii_digit());
        family.len() < word.len() && Rule::ALL.iter().any(|rule| rule.family() == family)
    };
    words.filter(is_id).map(str::to_owned).collect()
}

/// The test functions of a source, each with the comments before and in it.
///
/// A test has the attribute, or stands in a list of names and functions where a program brings its
/// own harness: `("name", name)`.
pub(crate) fn tests_of(text: &str) -> Vec<(String, String)> {
    let listed = |name: &str| {
        text.contains(&format!("(\"{name}\", {name})"))
            || text.contains(&format!("\"{name}\",\n        {name},\n"))
    };
    let mut tests = Vec::new();
    let (mut before, mut is_test) = (String::new(), false);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("//") || code.starts_with("#[") {
            is_test |= code == "#[test]";
            before.push_str(&comment(line));
        } else if let Some(name) = function(code) {
            let mut comments = std::mem::take(&mut before);
            comments.push_str(&comment(line));
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            if !code.ends_with('}') {
                for line in lines.by_ref().take_while(|line| *line != end) {
                    comments.push_str(&comment(line));
                }
            }
            if std::mem::take(&mut is_test) || listed(name) {
                tests.push((name.to_owned(), comments));
            }
        } else {
            (before, is_test) = (String::new(), false);
        }
    }
    tests
}

fn function(code: &str) -> Option<&str> {
    let name = code.strip_prefix("fn ")?;
    name.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').next()
}

/// The comment of a line, if it has one.
fn comment(line: &str) -> String {
    let starts = line.trim_start().starts_with("//");
    let at = if starts { line.find("//") } else { line.find(" // ") };
    at.map_or_else(String::new, |at| format!("{}\n", &line[at..]))
}
