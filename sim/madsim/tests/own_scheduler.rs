//! The same code under a scheduler and kills that are madsim's, judged as in a sweep.
#![cfg(madsim)]

use std::collections::BTreeSet;
use std::sync::Arc;

use midput_madsim::{Kills, run_as_madsim_schedules};
use midput_model::program::{Program, Signal};
use midput_model::queue::classic::{Classic as Machine, Time};
use midput_scenarios::{Hazard, Scenario};
use midput_sim::check::Observers;
use midput_sim::host::Ending;
use midput_sim::subject::Classic;
use midput_sim::sweep::{Judged, Verdict, judge, machine};
use midput_sim::trace::{Story, TraceLog, render};

#[path = "../../examples/own_queue.rs"]
#[expect(dead_code, reason = "the example's own main")]
mod own_queue;

/// Seeds of each scenario.
const SEEDS: u64 = 150;

/// What one run was.
struct Seen {
    ending: Ending,
    steps: u64,
    judged: Judged,
    kills: usize,
    holding: usize,
}

struct Runs<'a> {
    scenario: &'a Scenario,
    program: Arc<Program>,
    machine: Arc<Machine>,
}

impl<'a> Runs<'a> {
    fn of(scenario: &'a Scenario) -> Self {
        let program = Arc::new(scenario.program.clone());
        Self { scenario, program, machine: Arc::new(machine(scenario, Time::Patient)) }
    }

    fn run(&self, seed: u64, kills: &Kills) -> Seen {
        let mut observers = Observers::new(&self.program, Some(&self.machine));
        let ran = run_as_madsim_schedules::<Classic<_>>(&self.program, seed, kills, &mut observers);
        let hazards = observers.lockstep.as_ref().unwrap().hazards();
        Seen {
            judged: judge(self.scenario, "classic", hazards, observers.violations()),
            ending: ran.ending,
            steps: ran.steps,
            kills: observers.kills.len(),
            holding: observers.kills.iter().filter(|kill| !kill.held.is_empty()).count(),
        }
    }

    fn trace(&self, seed: u64, kills: &Kills) -> String {
        let mut observers = Observers { trace: Some(TraceLog::default()), ..Observers::default() };
        run_as_madsim_schedules::<Classic<_>>(&self.program, seed, kills, &mut observers);
        let story = Story { all_steps: true, ..Story::default() };
        render(&self.program, observers.trace.as_ref().unwrap(), &story)
    }

    /// The kills that the scenario allows, among the steps of a run without any.
    fn kills(&self) -> Kills {
        let faults = &self.scenario.faults;
        let signals =
            if faults.signals.is_empty() { vec![Signal::Kill] } else { faults.signals.clone() };
        let steps_max = self.run(0, &Kills::default()).steps;
        Kills { victims: faults.victims.clone(), signals, number: faults.kills_max, steps_max }
    }

    fn fails(&self, seed: u64, seen: &Seen) -> Option<String> {
        let diverged = matches!(seen.ending, Ending::Diverged(_) | Ending::StepLimit);
        let fails = diverged || seen.judged.verdict != Verdict::Pass;
        let (ending, judged) = (&seen.ending, &seen.judged);
        fails.then(|| format!("{} seed {seed}: {ending:?} {judged:?}", self.scenario.name))
    }
}

fn scenario(name: &str) -> Scenario {
    midput_scenarios::builtin().into_iter().find(|it| it.name == name).unwrap()
}

/// The scenarios whose model runs step by step beside the code: not those of a manager's queue, which
/// `tests/manager` runs over madsim's network.
fn with_lockstep() -> impl Iterator<Item = Scenario> {
    midput_scenarios::builtin().into_iter().filter(|it| !it.program.is_managed())
}

#[test]
fn without_a_kill_all_end_and_no_guarantee_is_broken() {
    let (mut scenarios, mut runs) = (0, 0);
    for scenario in with_lockstep() {
        let harmless = scenario.faults.kills_max == 0 && scenario.allowed("classic").is_empty();
        if !harmless {
            continue;
        }
        scenarios += 1;
        let of = Runs::of(&scenario);
        for seed in 0..SEEDS {
            let seen = of.run(seed, &Kills::default());
            assert!(matches!(seen.ending, Ending::AllEnded), "{seed} {:?}", seen.ending);
            assert!(seen.judged.violations.is_empty(), "{seed} {:?}", seen.judged);
            assert_eq!(of.fails(seed, &seen), None);
            runs += 1;
        }
    }
    println!("{scenarios} scenarios, {runs} runs");
    assert!(scenarios >= 8, "only {scenarios} scenarios");
}

#[test]
fn with_kills_and_signals_only_what_the_scenario_allows_is_seen() {
    let (mut scenarios, mut runs, mut kills, mut holding, mut stuck) = (0, 0, 0, 0, 0);
    let mut hazards = BTreeSet::<Hazard>::new();
    for scenario in with_lockstep() {
        // Pinned kills are where they are: what is allowed there is not what is allowed elsewhere.
        if scenario.allowed("classic").is_empty() || !scenario.faults.pinned.is_empty() {
            continue;
        }
        scenarios += 1;
        let of = Runs::of(&scenario);
        let planned = of.kills();
        for seed in 0..SEEDS {
            let seen = of.run(seed, &planned);
            assert_eq!(of.fails(seed, &seen), None);
            runs += 1;
            kills += seen.kills;
            holding += seen.holding;
            stuck += usize::from(matches!(seen.ending, Ending::Stuck));
            hazards.extend(seen.judged.hazards);
        }
    }
    println!(
        "{scenarios} scenarios, {runs} runs, {kills} kills, {holding} of them while the victim \
         held a lock, {stuck} runs got stuck, hazards {hazards:?}"
    );
    assert!(scenarios >= 12, "only {scenarios} scenarios");
    assert!(kills > 800 && holding > 200 && stuck > 200, "{kills} {holding} {stuck}");
    assert!(hazards.len() >= 5, "only {hazards:?}");
}

/// The canary: were these checks blind, it would pass.
#[test]
fn where_nothing_is_allowed_kills_are_found_to_harm() {
    let mut scenario = scenario("kill-mid-put/small-two-producers");
    scenario.allow.clear();
    let of = Runs::of(&scenario);
    let kills = of.kills();
    let failed = (0..SEEDS).filter(|&seed| of.fails(seed, &of.run(seed, &kills)).is_some()).count();
    println!("{failed} of {SEEDS} runs show harm");
    assert!(failed >= 10, "only {failed}");
}

/// A queue that goes wrong in some schedules only: madsim finds one of them.
#[test]
fn a_mistake_that_only_a_schedule_shows_is_found() {
    let text = include_str!("../../examples/own_queue.toml");
    let scenario = midput_scenarios::parse("test/two-readers", text).unwrap();
    let program = Arc::new(scenario.program.clone());
    let broken = |seed: &u64| {
        let mut observers = Observers::new(&program, None);
        run_as_madsim_schedules::<own_queue::Packets<_>>(
            &program,
            *seed,
            &Kills::default(),
            &mut observers,
        );
        !observers.violations().is_empty()
    };
    let broken = (0..SEEDS).filter(broken).count();
    println!("{broken} of {SEEDS} runs break a guarantee");
    assert!(broken > 0 && broken < SEEDS as usize, "{broken} of {SEEDS}");
}

#[test]
fn schedules_differ_from_seed_to_seed_and_not_from_run_to_run() {
    let scenario = scenario("kill-mid-put/small-two-producers");
    let of = Runs::of(&scenario);
    for kills in [Kills::default(), of.kills()] {
        let traces: Vec<String> = (0..200).map(|seed| of.trace(seed, &kills)).collect();
        let different: BTreeSet<&String> = traces.iter().collect();
        println!("{} different traces of 200", different.len());
        assert!(different.len() >= 190, "only {} different", different.len());
        for (seed, trace) in (0..).zip(&traces) {
            assert!(*trace == of.trace(seed, &kills), "seed {seed} differs from itself");
        }
    }
}
