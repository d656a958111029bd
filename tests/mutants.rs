//! The real code with one call altered: the model, altered in the same way, does what it does, and
//! the checks notice.

use std::collections::BTreeSet;
use std::sync::Arc;

use midput_model::mutant::Mutant;
use midput_scenarios::Scenario;
use midput_sim::mutation::{Against, Mutation};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Failure, Runner, SweepOptions, Verdict, census, draw};

const SEED: u64 = 7;

fn scenarios() -> Vec<Scenario> {
    let mut scenarios = midput_scenarios::builtin();
    // The mutants are of the classic queue's steps: what a server owns has none of them.
    scenarios.retain(|it| it.name != "canary/must-fail" && !it.program.is_managed());
    scenarios
}

/// The failures of each case of every scenario, with the mutant in the code, until one says stop.
fn failures(mutation: Mutation, cases: u64, mut stop: impl FnMut(&Scenario, Vec<Failure>) -> bool) {
    let options = SweepOptions { seed: SEED, mutation: Some(mutation), ..SweepOptions::default() };
    for scenario in scenarios() {
        let program = Arc::new(scenario.program.clone());
        let census = census::<Classic<_>>(&scenario, &program, SEED);
        let mut runner = Runner::new(&scenario, true);
        for number in 0..cases {
            let options = SweepOptions { time_any: number % 4 == 3, ..options };
            let case = draw(&scenario, "classic", &census, &options, number);
            let outcome = runner.run::<Classic<_>>(&case, None);
            if let Verdict::Fail(failures) = outcome.judged.verdict
                && stop(&scenario, failures)
            {
                return;
            }
        }
    }
}

#[test]
fn altered_code_does_what_the_altered_model_does() {
    let mut followed = BTreeSet::new();
    for mutant in Mutant::all() {
        failures(Mutation { mutant, against: Against::Mutant }, 12, |scenario, failures| {
            for failure in &failures {
                let diverged = matches!(failure, Failure::Diverged(_));
                assert!(!diverged, "{mutant} in {}: {failure:?}", scenario.name);
                followed.insert(mutant);
            }
            false
        });
    }
    // So many mutants break something that is not allowed, in lockstep with the altered model.
    assert!(followed.len() >= 15, "{followed:?}");
}

#[test]
fn the_model_as_it_is_notices_mutants() {
    let mut unnoticed = Vec::new();
    for mutant in Mutant::all() {
        let mut noticed = false;
        failures(Mutation { mutant, against: Against::Model }, 24, |_, _| {
            noticed = true;
            noticed
        });
        if !noticed {
            unnoticed.push(mutant.to_string());
        }
    }
    // What no scenario of ours would notice: four bytes are never written in part.
    insta::assert_snapshot!(unnoticed.join("\n"), @"whole write-header");
}
