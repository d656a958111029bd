//! A shrunk case as a Rust test that stands alone.

use std::fmt::Write as _;

use midput_scenarios::Scenario;

use super::Target;
use crate::case::Case;
use crate::subject::Classic;
use crate::sweep::{CaseOutcome, Runner};

/// Why a case cannot be run alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAlone {
    /// It names its scenario and does not carry it.
    #[error("the case has no program of its own; 'midput shrink --emit rust' writes one that has")]
    NoProgram,
    /// It is of a subject that this crate does not have.
    #[error("the case is of subject '{0}'; this midput has: classic")]
    Subject(String),
}

/// Runs a case that carries its own program.
///
/// # Errors
/// Where it does not, or where its subject is not among those that this crate brings.
pub fn run_alone(case: &Case) -> Result<CaseOutcome, NotAlone> {
    if case.subject != "classic" {
        return Err(NotAlone::Subject(case.subject.clone()));
    }
    let scenario = case.program.as_deref().ok_or(NotAlone::NoProgram)?;
    Ok(Runner::new(scenario, true).run::<Classic<_>>(case, None))
}

/// The text of a test that runs a case and asserts that it shows what it showed. It needs
/// `midput-sim` and nothing else.
pub fn emit_rust(scenario: &Scenario, case: &Case, target: &Target) -> String {
    let own = case.scenario_or(scenario).clone();
    let case = Case { program: Some(Box::new(own)), ..case.clone() };
    let kind = match target {
        Target::Divergence(_) => "divergence".to_owned(),
        other => other.to_string(),
    };
    let name: String = format!("{} shows {kind}", case.scenario)
        .chars()
        .map(
            |letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' },
        )
        .collect();
    let text = case.to_string();
    let hashes = (1..).map(|count| "#".repeat(count)).find(|it| !text.contains(&format!("\"{it}")));
    let hashes = hashes.unwrap_or_default();
    let mut out = String::new();
    let _ = write!(
        out,
        "//! Shrunk by midput from case {} of seed {:#x} of the scenario {}: {target}.\n\
         //!\n\
         //! The case carries its own program; `midput trace` shows what it does.\n\n\
         use midput_sim::case::Case;\n\
         use midput_sim::shrink::run_alone;\n\n\
         const CASE: &str = r{hashes}\"{text}\"{hashes};\n\n\
         #[test]\n\
         fn {name}() {{\n    \
             let case: Case = CASE.parse().expect(\"the case is readable\");\n    \
             let outcome = run_alone(&case).expect(\"the case carries its program\");\n    \
             let kinds = outcome.judged.verdict.kinds();\n    \
             assert!(kinds.iter().any(|kind| kind == \"{kind}\"), \"{{kinds:?}}\");\n\
         }}\n",
        case.number, case.seed, case.scenario,
    );
    out
}
