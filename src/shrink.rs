//! `midput shrink`, and the shrinking of what a check has found.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use midput_scenarios::Scenario;
use midput_sim::settings::Settings;
use midput_sim::shrink::{Budget, NotShrunk, Shrunk, emit_rust, shrink as make_small};
use midput_sim::subject::Classic;
use midput_sim::sweep::CaseOutcome;

use crate::arguments::{Emit, Shrink};
use crate::exit::Status;
use crate::print::out;
use crate::replay::load;

pub(crate) fn shrink(arguments: &Shrink, settings: &Settings) -> anyhow::Result<Status> {
    let out = arguments.out.as_deref().or(settings.out.as_deref());
    let loaded = load(&arguments.case, arguments.scenarios_in.as_deref(), out)?;
    let begun = Instant::now();
    let late = || arguments.budget.is_some_and(|budget| begun.elapsed() >= budget);
    let budget = Budget { stop: &late, ..Budget::default() };
    let mut told = |accepted: &_| eprintln!("{accepted}");
    let shrunk = match make_small::<Classic<_>>(&loaded.scenario, &loaded.case, budget, &mut told) {
        Ok(shrunk) => shrunk,
        Err(NotShrunk::Lost) => {
            eprintln!("midput: {}", NotShrunk::Lost);
            return Ok(Status::Internal);
        }
        Err(error) => return Err(error.into()),
    };
    for (key, text) in notes(&shrunk, begun.elapsed()) {
        eprintln!("{key:<9} {text}");
    }
    let text = match arguments.emit {
        Emit::Case => shrunk.case.to_string(),
        Emit::Rust => emit_rust(&loaded.scenario, &shrunk.case, &shrunk.target),
    };
    match arguments.output.as_deref() {
        None => out!("{text}"),
        Some(path) if path == Path::new("-") => out!("{text}"),
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("what was shrunk cannot be written to {}", path.display()))?,
    }
    Ok(Status::Pass)
}

/// What is said of a shrunk case, by a word and a text.
fn notes(shrunk: &Shrunk, took: Duration) -> Vec<(&'static str, String)> {
    let Shrunk { before, after, runs, critical, .. } = shrunk;
    let took = took.as_secs_f64();
    vec![
        ("shrunk", format!("{before} -> {after} steps in {took:.1}s, {runs} runs")),
        ("critical", critical.to_string()),
    ]
}

/// Shrinks what a check has found, as long as there is time left for it, and takes the time that
/// it used. Accepted steps go to standard error. Without a shrunk case there is a note why.
pub(crate) fn shrink_found(
    scenario: &Scenario,
    found: &CaseOutcome,
    left: &mut Duration,
) -> (Option<Shrunk>, Vec<(&'static str, String)>) {
    if left.is_zero() {
        let why = "no: the time for it is used up; 'midput shrink' takes its own".to_owned();
        return (None, vec![("shrunk", why)]);
    }
    let begun = Instant::now();
    let given = *left;
    let late = || begun.elapsed() >= given;
    let budget = Budget { stop: &late, ..Budget::default() };
    let mut told = |accepted: &_| eprintln!("{}: {accepted}", scenario.name);
    let shrunk = make_small::<Classic<_>>(scenario, &found.case, budget, &mut told);
    let took = begun.elapsed();
    *left = left.saturating_sub(took);
    match shrunk {
        Ok(shrunk) => {
            let notes = notes(&shrunk, took);
            (Some(shrunk), notes)
        }
        Err(error) => (None, vec![("shrunk", format!("no: {error}"))]),
    }
}
