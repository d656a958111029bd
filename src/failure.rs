//! What is printed of a failing case. The replay line stands last.

use std::fmt::Write as _;
use std::path::Path;

use midput_model::program::Program;
use midput_scenarios::Scenario;
use midput_sim::sweep::{CaseOutcome, Failure, Verdict};

/// A failing case in words. `cases` is how many the sweep had; `saved` is where the case is.
pub(crate) fn describe(
    scenario: &Scenario,
    outcome: &CaseOutcome,
    cases: u64,
    world: &str,
    saved: &Path,
) -> String {
    let case = &outcome.case;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "scenario {} FAILED   case {} of {cases}, seed {:#x}, world {world}",
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
    line("saved", &saved.display().to_string());
    let world = if world == "sim" { String::new() } else { format!(" --world {world}") };
    line("replay", &format!("midput replay {}{world}", saved.display()));
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

fn violation_text(
    program: &Program,
    violation: &midput_model::contract::Violation,
) -> String {
    format!("{} broken: {}", violation.guarantee, violation.describe(program))
}
