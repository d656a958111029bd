//! What is printed of a failing case, by the command and by tests. The replay line stands last.

use std::fmt::Write as _;
use std::path::Path;

use midput_model::contract::Violation;
use midput_model::program::Program;
use midput_scenarios::Scenario;
use serde::{Deserialize, Serialize};

use super::judge::{Failure, Verdict};
use super::runner::CaseOutcome;
use crate::case::{Case, NoCase};

/// A failing case, as a report keeps it: enough to say what was found, and to run it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedCase {
    /// The position among the cases of the sweep, the kept ones first.
    pub position: u64,
    /// The number that it was drawn with.
    pub number: u64,
    /// What it fails by, a word for each: `hazard H3`.
    pub kinds: Vec<String>,
    /// Whether it fails by harm alone: by hazards and broken guarantees.
    pub harm: bool,
    /// What is said of it.
    pub lines: Vec<Line>,
    /// The text of the case, with its choices: what `midput replay` reads.
    pub case: String,
}

/// One line of what is said of a failing case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What the line is about: `hazard`, `expected`, `found`, `kill`.
    pub about: String,
    /// What it says.
    pub text: String,
}

impl Line {
    fn new(about: &str, text: &str) -> Self {
        Self { about: about.to_owned(), text: text.to_owned() }
    }
}

impl FailedCase {
    pub(super) fn of(
        scenario: &Scenario,
        world: &str,
        position: u64,
        outcome: &CaseOutcome,
    ) -> Self {
        let failures = match &outcome.judged.verdict {
            Verdict::Fail(failures) => failures.as_slice(),
            _ => &[],
        };
        Self {
            position,
            number: outcome.case.number,
            kinds: outcome.judged.verdict.kinds(),
            harm: failures
                .iter()
                .all(|it| matches!(it, Failure::Hazard(_) | Failure::Guarantee(_))),
            lines: lines(scenario, outcome, world),
            case: outcome.case.to_string(),
        }
    }
}

/// A failing case in words. `cases` is how many the sweep had, if there was one, `notes` what else
/// is to be said of it by a word and a text, `saved` where the case is, and `replay` the whole line
/// that runs it again.
pub fn describe(
    scenario: &Scenario,
    outcome: &CaseOutcome,
    cases: Option<u64>,
    world: &str,
    notes: &[(&str, String)],
    saved: &Path,
    replay: &str,
) -> String {
    let mut lines = lines(scenario, outcome, world);
    lines.extend(notes.iter().map(|(about, text)| Line::new(about, text)));
    text(&outcome.case, &lines, cases, world, saved, replay)
}

/// As [`describe`], of a failing case that a report kept.
///
/// # Errors
/// Where its text is no case.
pub fn describe_kept(
    failed: &FailedCase,
    cases: u64,
    world: &str,
    saved: &Path,
    replay: &str,
) -> Result<String, NoCase> {
    let case: Case = failed.case.parse()?;
    Ok(text(&case, &failed.lines, Some(cases), world, saved, replay))
}

fn text(
    case: &Case,
    lines: &[Line],
    cases: Option<u64>,
    world: &str,
    saved: &Path,
    replay: &str,
) -> String {
    let mut out = String::new();
    let of = cases.map_or(String::new(), |cases| format!(" of {cases}"));
    let _ = writeln!(
        out,
        "scenario {} FAILED   case {}{of}, seed {:#x}, world {world}",
        case.scenario, case.number, case.seed
    );
    let saved = saved.display().to_string();
    let lines = lines.iter().map(|line| (line.about.as_str(), line.text.as_str()));
    for (about, text) in lines.chain([("saved", saved.as_str()), ("replay", replay)]) {
        let _ = writeln!(out, "  {about:<9} {text}");
    }
    out
}

/// What is said of a failing case: why it fails, who is blocked, and which kills landed.
fn lines(scenario: &Scenario, outcome: &CaseOutcome, world: &str) -> Vec<Line> {
    let scenario = outcome.case.scenario_or(scenario);
    let mut lines = Vec::new();
    let mut line = |about: &str, text: &str| lines.push(Line::new(about, text));
    if let Verdict::Fail(failures) = &outcome.judged.verdict {
        for failure in failures {
            failure_lines(scenario, &outcome.case.subject, failure, &mut line);
        }
    }
    for chain in &outcome.chains {
        line("found", chain);
    }
    for (kill, injected) in &outcome.landed {
        let forced = if *injected { " (injected)" } else { "" };
        line("kill", &format!("{kill}{forced}"));
    }
    if world == "sim" {
        line("found by", &outcome.case.strategy.to_string());
    }
    if let Some(mutation) = &outcome.case.mutation {
        line("mutant", &mutation.to_string());
    }
    lines
}

fn failure_lines(
    scenario: &Scenario,
    subject: &str,
    failure: &Failure,
    line: &mut impl FnMut(&str, &str),
) {
    match failure {
        Failure::Diverged(divergence) => {
            line("model", &format!("differs at {}", divergence.at));
            line("expected", &divergence.expected);
            line("found", &divergence.found);
        }
        Failure::Hazard(hazard) => {
            let allowed: Vec<String> =
                scenario.allowed(subject).iter().map(ToString::to_string).collect();
            let allowed = match allowed.as_slice() {
                [] => "none is allowed here".to_owned(),
                some => format!("allowed here: {}", some.join(", ")),
            };
            line("hazard", &format!("{hazard} {} ({allowed})", hazard.name()));
            line("harm", hazard.loss());
        }
        Failure::Guarantee(violation) => {
            line("guarantee", &violation_text(&scenario.program, violation));
            line("expected", violation.guarantee.meaning());
        }
        Failure::NotTheSameTwice => {
            line("expected", "the same case does the same twice");
            line("found", "two different traces; something reads a clock, an address or a hash");
        }
        Failure::Replay(text) => line("replayed", text),
        Failure::Panicked(text) => line("panic", text),
        Failure::Inconsistent(text) => {
            line("expected", "the logs agree with some interleaving of the model");
            line("found", text);
        }
    }
}

fn violation_text(program: &Program, violation: &Violation) -> String {
    format!("broken: {}", violation.describe(program))
}
