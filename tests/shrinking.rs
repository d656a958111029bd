//! Shrinking, measured: failing cases of altered code come down to about what the altered model's
//! shortest counterexample takes.

use midput_model::contract::{Guarantee, Verdict as Proof, prove_these};
use midput_model::explore::Limits;
use midput_model::mutant::Mutant;
use midput_model::queue::classic::{Classic as Machine, Environment};
use midput_scenarios::Scenario;
use midput_sim::case::Case;
use midput_sim::mutation::{Against, Mutation};
use midput_sim::shrink::{Budget, Shrunk, Target, shrink};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Census, Runner, SweepOptions, draw};

const MANY: &str = r#"
why = "Two producers and two consumers, a bounded queue, everybody is joined."
[queue.jobs]
maxsize = 3
[process.P0]
main = ["start P1", "start P2", "start P3", "get", "get", "get", "join P1", "join P2", "join P3"]
[process.P1]
main = ["put a 100B", "put b 100B", "put c 100B"]
[process.P2]
main = ["put d 100B", "put e 100B", "put f 100B"]
[process.P3]
main = ["get", "get", "get"]
"#;

const LARGE: &str = r#"
why = "Two producers of items that do not fit into the pipe."
[queue.jobs]
maxsize = 4
[process.P0]
main = ["start P1", "start P2", "get", "get", "get", "get", "join P1", "join P2"]
[process.P1]
main = ["put a 70000B", "put b 20000B"]
[process.P2]
main = ["put c 20000B", "put d 70000B"]
"#;

const TIMED: &str = r#"
why = "Gets and puts that wait for a limited time."
[queue.jobs]
maxsize = 2
[process.P0]
main = [
    "start P1", "start P2", "get timeout=100ms", "get timeout=100ms", "get timeout=200ms",
    "get nowait", "put z 10B timeout=50ms", "join P1 timeout=1s", "join P2 timeout=1s",
]
[process.P1]
main = ["put a 100B timeout=100ms", "put b 20000B timeout=100ms", "put c 10B timeout=1s"]
[process.P2]
main = ["put d 100B", "get timeout=10ms", "put e 100B timeout=100ms", "get timeout=1s"]
"#;

fn scenarios() -> Vec<Scenario> {
    let parse = |(name, text)| midput_scenarios::parse(name, text).unwrap();
    [("made/many", MANY), ("made/large", LARGE), ("made/timed", TIMED)].map(parse).to_vec()
}

/// The first failing case of so many steps, of a scenario with a mutant.
fn failing(scenario: &Scenario, mutant: Mutant, wanted: Option<Guarantee>) -> Option<Case> {
    let mutation = Mutation { mutant, against: Against::Mutant };
    let options = SweepOptions { seed: 3, mutation: Some(mutation), ..SweepOptions::default() };
    let mut runner = Runner::new(scenario, true);
    let census = Census { choices_max: 200, ..Census::default() };
    (0..60).find_map(|number| {
        let case = draw(scenario, "classic", &census, &options, number);
        let outcome = runner.run::<Classic<_>>(&case, None);
        let target = Target::of(&outcome.judged.verdict)?;
        let Target::Guarantee(guarantee) = target else { return None };
        let fits = wanted.is_none_or(|it| it == guarantee) && outcome.steps >= 100;
        fits.then_some(outcome.case)
    })
}

/// The actions of the altered model's shortest way to the same violation, in the shrunk program.
fn shortest(scenario: &Scenario, mutant: Mutant, guarantee: Guarantee) -> Option<usize> {
    let machine =
        Machine::new(scenario.program.clone(), Environment::default()).with_mutant(mutant);
    let limits = Limits { states_max: 3_000_000 };
    prove_these(&machine, limits, [guarantee].into_iter().collect()).into_iter().find_map(
        |(_, proof)| match proof {
            Proof::Violated { path, .. } => Some(path.len()),
            _ => None,
        },
    )
}

#[test]
fn prototype() {
    for scenario in scenarios() {
        for mutant in Mutant::all() {
            let Some(case) = failing(&scenario, mutant, None) else { continue };
            let begun = std::time::Instant::now();
            let mut log = String::new();
            let shrunk = shrink::<Classic<_>>(&scenario, &case, Budget::default(), &mut |it| {
                log += &format!("   {it}\n")
            });
            let took = begun.elapsed();
            let Shrunk { case, target, before, after, runs, critical, .. } = match shrunk {
                Ok(shrunk) => shrunk,
                Err(error) => {
                    println!("{} {mutant}: {error}", scenario.name);
                    continue;
                }
            };
            let Target::Guarantee(guarantee) = target else { panic!() };
            let model = shortest(case.scenario_or(&scenario), mutant, guarantee);
            println!(
                "{:<12} {:<24} {guarantee} {before:>4} -> {after:>3}  model {:<8} {} runs {took:?}\n     {critical}",
                scenario.name,
                mutant.to_string(),
                model.map_or("-".into(), |m| format!("{m} {:.2}", after as f64 / m as f64)),
                runs
            );
            if std::env::var("SHOW").is_ok() { println!("{log}{case}"); }
        }
    }
}
