//! Shrinking, measured: failing cases of altered code come down to about what the altered model's
//! shortest counterexample takes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use midput_model::contract::{Guarantee, Verdict as Proof, prove_these};
use midput_model::explore::Limits;
use midput_model::mutant::Mutant;
use midput_model::queue::classic::{Classic as Machine, Environment};
use midput_scenarios::Scenario;
use midput_sim::case::Case;
use midput_sim::host::Alternative;
use midput_sim::keep;
use midput_sim::kernel::Kernel;
use midput_sim::mutation::{Against, Mutation};
use midput_sim::schedule::{Halt, Strategy};
use midput_sim::shrink::{
    Budget, Continuations, Critical, NotShrunk, Shrunk, Target, emit_rust, shrink,
};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Runner, SweepOptions, census, draw};

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

const WIDE: &str = r#"
why = "Many items of two producers, taken in turn by two consumers."
[queue.jobs]
maxsize = 5
[process.P0]
main = ["start P1", "start P2", "start P3", "repeat 6 get", "join P1", "join P2", "join P3"]
[process.P1]
main = ["repeat 6 put a 100B"]
[process.P2]
main = ["repeat 6 put b 5000B"]
[process.P3]
main = ["repeat 6 get"]
"#;

fn scenarios() -> Vec<Scenario> {
    let parse = |(name, text)| midput_scenarios::parse(name, text).unwrap();
    [("made/many", MANY), ("made/large", LARGE), ("made/timed", TIMED), ("made/wide", WIDE)]
        .map(parse)
        .to_vec()
}

/// Cases tried for each scenario, mutant and guarantee.
const CASES: u64 = 60;
/// A failing case takes so many steps until the guarantee is broken.
const STEPS: u64 = 100;

/// The first failing case with a mutant that breaks a guarantee late enough.
fn failing(scenario: &Scenario, mutant: Mutant, wanted: Guarantee) -> Option<Case> {
    // Held against the altered model hazards would be seen, too, and stand for guarantees.
    let mutation = Mutation { mutant, against: Against::Nothing };
    let options = SweepOptions { seed: 3, mutation: Some(mutation), ..SweepOptions::default() };
    let mut runner = Runner::new(scenario, true);
    let program = Arc::new(scenario.program.clone());
    let census = census::<Classic<_>>(scenario, &program, options.seed);
    (0..CASES).find_map(|number| {
        let case = draw(scenario, "classic", &census, &options, number);
        let outcome = runner.run::<Classic<_>>(&case, None);
        let observers = runner.observers();
        let broken = observers.broken.iter().find(|(guarantee, _)| *guarantee == wanted);
        let steps = broken.map_or(observers.actions, |(_, actions)| *actions);
        let target = Target::of(&outcome.judged.verdict)?;
        (target == Target::Guarantee(wanted) && steps >= STEPS).then_some(outcome.case)
    })
}

/// What the model says of a guarantee in a program, with a mutant or without.
fn proof(scenario: &Scenario, mutant: Option<Mutant>, guarantee: Guarantee) -> Proof<Machine> {
    let machine = Machine::new(scenario.program.clone(), Environment::default());
    let machine = match mutant {
        Some(mutant) => machine.with_mutant(mutant),
        None => machine,
    };
    let limits = Limits { states_max: 1_000_000 };
    let proofs = prove_these(&machine, limits, [guarantee].into_iter().collect());
    proofs.into_iter().next().unwrap().1
}

/// A shrunk case beside the altered model's shortest counterexample for its program.
struct Measured {
    name: String,
    before: u64,
    after: u64,
    model: usize,
    runs: u64,
    took: Duration,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.after as f64 / self.model as f64
    }
}

/// Shrinks a case and measures it; nothing where its harm is not the mutant's doing, or where the
/// model cannot follow the mutant.
fn measure(scenario: &Scenario, case: &Case, guarantee: Guarantee) -> Option<Measured> {
    let mutant = case.mutation.unwrap().mutant;
    let begun = Instant::now();
    let shrunk = shrink::<Classic<_>>(scenario, case, Budget::default(), &mut |_| ()).unwrap();
    let took = begun.elapsed();
    let Shrunk { case, target, before, after, runs, .. } = shrunk;
    assert_eq!(target, Target::Guarantee(guarantee));
    let small = case.scenario_or(scenario);
    if !matches!(proof(small, None, guarantee), Proof::Holds { .. }) {
        return None;
    }
    let Proof::Violated { path, .. } = proof(small, Some(mutant), guarantee) else { return None };
    replays(&case, guarantee);
    let name = format!("{} {mutant} {guarantee}", scenario.name);
    Some(Measured { name, before, after, model: path.len(), runs, took })
}

/// The built command shows the same failure from the saved case, without the scenario's file.
fn replays(case: &Case, guarantee: Guarantee) {
    let folder = tempfile::tempdir().unwrap();
    let path = keep::save(folder.path(), case).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_midput"));
    let output = command.current_dir(folder.path()).arg("replay").arg(&path).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{out}{case}");
    assert!(out.contains(&format!("  guarantee broken: {guarantee} ")), "{out}{case}");
    let replay = out.lines().last().unwrap().trim().strip_prefix("replay").unwrap().trim();
    assert_eq!(replay, format!("midput replay {}", path.display()));
}

#[test]
fn failing_cases_shrink_to_about_the_models_shortest_counterexamples() {
    let mut all = Vec::new();
    for scenario in scenarios() {
        for mutant in Mutant::all() {
            for guarantee in Guarantee::judged(&scenario.program).iter() {
                let case = failing(&scenario, mutant, guarantee);
                all.extend(case.and_then(|case| measure(&scenario, &case, guarantee)));
            }
        }
    }
    all.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    for measured in &all {
        let Measured { name, before, after, model, runs, took } = measured;
        println!(
            "{name:<42} {before:>4} -> {after:>3}  model {model:>3}  {:.2}  {runs:>5} runs  {:.2} s",
            measured.ratio(),
            took.as_secs_f64()
        );
    }
    assert!(all.len() >= 20, "only {} cases", all.len());
    let median = all[all.len() / 2].ratio();
    assert!(median <= 1.25, "median {median}");
    // None is far off: what is left over is what few preemptions cost.
    assert!(all.last().unwrap().ratio() <= 2.0);
    assert!(all.iter().all(|it| it.before >= STEPS && it.after < it.before));
}

/// A failing case of the canary's kind, in which a hazard shows.
fn torn() -> (Scenario, Case) {
    let scenario = midput_scenarios::parse(
        "made/torn",
        r#"
why = "A producer dies inside a large write, and nothing is allowed to come of it."
[queue.jobs]
maxsize = 4
[process.P0]
main = ["start P1", "start P2", "get timeout=50ms", "get timeout=50ms", "join P2"]
[process.P1]
main = ["put a 100000B", "put c 10B"]
[process.P2]
main = ["put b 50B", "put d 20000B"]
[allow]
classic = ["H1", "H2", "H5", "H6"]
"#,
    );
    let case = "midput case 1\nscenario made/torn\nsubject classic\ndrawn seed 0x1 case 4\n\
                time patient\nkill P1 SIGKILL at P1.feed write-body[1]+4096\n";
    (scenario.unwrap(), case.parse().unwrap())
}

#[test]
fn shrinking_is_the_same_each_time_and_tells_each_step() {
    let (scenario, case) = torn();
    let once = || {
        let mut log = String::new();
        let mut told = |accepted: &_| log += &format!("{accepted}\n");
        let shrunk = shrink::<Classic<_>>(&scenario, &case, Budget::default(), &mut told).unwrap();
        format!("{log}critical {}\n{}", shrunk.critical, shrunk.case)
    };
    let first = once();
    assert_eq!(first, once());
    insta::assert_snapshot!(first);
}

#[test]
fn what_does_not_fail_is_not_shrunk() {
    let (scenario, case) = torn();
    let harmless = Case { kills: Vec::new(), ..case };
    let shrunk = shrink::<Classic<_>>(&scenario, &harmless, Budget::default(), &mut |_| ());
    assert_eq!(shrunk.unwrap_err(), NotShrunk::Passes);
}

#[test]
fn a_divergence_shrinks_to_one_at_the_same_step() {
    let scenario = &scenarios()[0];
    let mutation = Some("skip rlock.release".parse().unwrap());
    let options = SweepOptions { seed: 3, mutation, ..SweepOptions::default() };
    let census = census::<Classic<_>>(scenario, &Arc::new(scenario.program.clone()), 3);
    let case = draw(scenario, "classic", &census, &options, 0);
    let shrunk = shrink::<Classic<_>>(scenario, &case, Budget::default(), &mut |_| ()).unwrap();
    assert!(matches!(shrunk.target, Target::Divergence(_)), "{:?}", shrunk.target);
    assert!(shrunk.target.is_shown_by(&shrunk.outcome.judged.verdict));
    assert!(matches!(shrunk.critical, Critical::None(_)));
    assert!(shrunk.after < shrunk.before, "{} -> {}", shrunk.before, shrunk.after);
}

/// Makes these choices, then the first alternative, and notes how many there were each time.
struct Counted {
    positions: Vec<usize>,
    alternatives: Vec<usize>,
}

impl Strategy for Counted {
    fn choose(&mut self, _: &Kernel, alternatives: &[Alternative]) -> Result<usize, Box<Halt>> {
        let position = self.positions.get(self.alternatives.len()).copied().unwrap_or(0);
        self.alternatives.push(alternatives.len());
        Ok(position)
    }
}

/// How many continuations of these choices there are, and how many of them show the harm.
fn all_continuations(case: &Case, target: &Target, begun: &[usize]) -> (u64, u64) {
    let mut runner = Runner::new(case.program.as_ref().unwrap(), true);
    let (mut all, mut showing) = (0, 0);
    let mut positions = begun.to_vec();
    loop {
        let mut counted = Counted { positions: positions.clone(), alternatives: Vec::new() };
        let outcome = runner.run_with::<Classic<_>>(case, &mut counted, None);
        all += 1;
        showing += u64::from(target.is_shown_by(&outcome.judged.verdict));
        positions.resize(counted.alternatives.len(), 0);
        while positions.len() > begun.len()
            && positions[positions.len() - 1] + 1 == counted.alternatives[positions.len() - 1]
        {
            positions.pop();
        }
        if positions.len() <= begun.len() {
            return (all, showing);
        }
        *positions.last_mut().unwrap() += 1;
    }
}

/// The producer's kills after its put has returned: the item may be lost, or be handed over in time.
#[test]
fn after_the_critical_choice_every_continuation_shows_the_harm_and_before_it_not() {
    let text = r#"
why = "A put has returned, and its process dies."
[queue.jobs]
maxsize = 2
[process.P0]
main = ["start P1", "join P1", "get timeout=100ms"]
[process.P1]
main = ["put a 100B"]
[allow]
classic = ["H1"]
"#;
    let scenario = midput_scenarios::parse("made/late", text).unwrap();
    let mut found = 0;
    for site in ["leave[1]", "notempty.lock[2]", "sentinel.append[1]", "notempty.notify[2]"] {
        for number in 0..40 {
            let case = format!(
                "midput case 1\nscenario made/late\nsubject classic\ndrawn seed 0x1 case {number}\n\
                 time patient\nkill P1 SIGKILL before P1.main {site}\n"
            );
            let case: Case = case.parse().unwrap();
            let shrunk = shrink::<Classic<_>>(&scenario, &case, Budget::default(), &mut |_| ());
            let Ok(Shrunk { case, target, critical, .. }) = shrunk else { continue };
            let choices: Vec<usize> =
                case.choices.iter().flatten().map(|(position, _)| *position).collect();
            let Critical::Choice { number, continuations, .. } = critical else {
                panic!("{critical} in {case}")
            };
            let (all, showing) = all_continuations(&case, &target, &choices[..number]);
            assert_eq!(all, showing, "{critical} in {case}");
            assert_eq!(continuations, Continuations::All(all), "{case}");
            let (all, showing) = all_continuations(&case, &target, &choices[..number - 1]);
            assert!(showing < all, "{critical} in {case}");
            found += 1;
            break;
        }
    }
    assert!(found >= 3, "only {found} cases failed");
}

#[test]
fn an_emitted_test_is_exactly_the_committed_one() {
    let (scenario, case) = torn();
    let shrunk = shrink::<Classic<_>>(&scenario, &case, Budget::default(), &mut |_| ()).unwrap();
    let emitted = emit_rust(&scenario, &shrunk.case, &shrunk.target);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emitted_torn.rs");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != emitted {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emitted_torn.rs");
        std::fs::write(&fresh, &emitted).unwrap();
        panic!("{} is not what is emitted now: {}", path.display(), fresh.display());
    }
}
