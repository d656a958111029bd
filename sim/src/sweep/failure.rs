//! What is printed of a failing case, by the command and by tests. The replay line stands last.

use std::fmt::Write as _;
use std::path::Path;

use midput_model::contract::Violation;
use midput_model::program::Program;
use midput_scenarios::Scenario;

use super::judge::{Failure, Verdict};
use super::runner::CaseOutcome;

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
    let scenario = outcome.case.scenario_or(scenario);
    let case = &outcome.case;
    let mut out = String::new();
    let of = cases.map_or(String::new(), |cases| format!(" of {cases}"));
    let _ = writeln!(
        out,
        "scenario {} FAILED   case {}{of}, seed {:#x}, world {world}",
        scenario.name, case.number, case.seed
    );
    let mut line = |key: &str, text: &str| {
        let _ = writeln!(out, "  {key:<9} {text}");
    };
    if let Verdict::Fail(failures) = &outcome.judged.verdict {
        for failure in failures {
            failure_lines(scenario, &case.subject, failure, &mut line);
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
        line("found by", &case.strategy.to_string());
    }
    if let Some(mutation) = &case.mutation {
        line("mutant", &mutation.to_string());
    }
    for (key, text) in notes {
        line(key, text);
    }
    line("saved", &saved.display().to_string());
    line("replay", replay);
    out
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
