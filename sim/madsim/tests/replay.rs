//! What the poll host recorded replays on madsim, with an equal trace and an equal end.
#![cfg(madsim)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use midput_madsim::MadsimHost;
use midput_model::contract::Violation;
use midput_model::event::End;
use midput_model::program::{LaneId, Outcome, Program};
use midput_model::queue::classic::Time;
use midput_scenarios::{Hazard, Scenario};
use midput_sim::case::Case;
use midput_sim::check::Observers;
use midput_sim::host::{Alternative, Choice, Directives, Host, Landed, Ran, Settings};
use midput_sim::keep;
use midput_sim::schedule::{Drawn, Replay, Strategy};
use midput_sim::subject::Classic;
use midput_sim::sweep::{SweepOptions, census, draw, machine};
use midput_sim::trace::{Story, TraceLog, render};

/// Cases of each scenario.
const CASES: u64 = 40;

/// All that a run shows.
#[derive(Debug, PartialEq)]
struct Shown {
    trace: String,
    ending: String,
    steps: u64,
    choices: Vec<Choice>,
    landed: Vec<Landed>,
    returns: Vec<(LaneId, Outcome)>,
    end: End,
    hazards: BTreeSet<Hazard>,
    violations: Vec<Violation>,
}

/// A host, with the classic queue as the subject.
trait Hosts {
    fn host(
        &mut self,
        program: &Arc<Program>,
        strategy: &mut dyn Strategy,
        directives: &mut Directives,
        observers: &mut Observers,
        settings: Settings,
    ) -> (Ran, Vec<Choice>);
}

macro_rules! hosts {
    ($host:ty) => {
        impl Hosts for $host {
            fn host(
                &mut self,
                program: &Arc<Program>,
                strategy: &mut dyn Strategy,
                directives: &mut Directives,
                observers: &mut Observers,
                settings: Settings,
            ) -> (Ran, Vec<Choice>) {
                let ran =
                    self.run::<Classic<_>>(program, strategy, directives, observers, settings);
                (ran, self.choices().to_vec())
            }
        }
    };
}
hosts!(Host);
hosts!(MadsimHost);

/// Runs a case on a host, with everybody watching.
fn show(
    scenario: &Scenario,
    case: &Case,
    strategy: &mut dyn Strategy,
    host: &mut impl Hosts,
) -> Shown {
    let program = Arc::new(scenario.program.clone());
    let time = if case.time_any { Time::Any } else { Time::Patient };
    let mut observers = Observers::new(&program, Some(&Arc::new(machine(scenario, time))));
    observers.trace = Some(TraceLog::default());
    let mut directives = Directives::new(&program, &case.kills, &case.holds, &case.faults).unwrap();
    let settings = Settings { time_any: case.time_any, ..Settings::default() };
    let (ran, choices) = host.host(&program, strategy, &mut directives, &mut observers, settings);
    let story = Story { scenario: scenario.name.clone(), all_steps: true, ..Story::default() };
    Shown {
        trace: render(&program, observers.trace.as_ref().unwrap(), &story),
        ending: format!("{:?}", ran.ending),
        steps: ran.steps,
        choices,
        landed: directives.landed(),
        hazards: observers.lockstep.as_ref().unwrap().hazards(),
        violations: observers.violations(),
        returns: observers.returns,
        end: observers.end,
    }
}

/// Runs a case on the poll host, replays its choices on madsim, and compares. Gives what was shown.
fn compare(scenario: &Scenario, case: &Case, seed: u64) -> Shown {
    let mut drawn = Drawn::new(case.strategy, case.seed, case.number, case.length);
    let mut kept = case.choices.clone().map(Replay::new);
    let strategy: &mut dyn Strategy = match &mut kept {
        Some(replay) => replay,
        None => &mut drawn,
    };
    let mut host = Host::default();
    let polled = show(scenario, case, strategy, &mut host);
    let mut replay = Replay::new(host.recorded());
    let mut host = MadsimHost::new(seed);
    let replayed = show(scenario, case, &mut replay, &mut host);
    let name = format!("{} case {}", scenario.name, case.number);
    assert!(polled.trace == replayed.trace, "{name}\n{}\n{}", polled.trace, replayed.trace);
    assert_eq!(polled, replayed, "{name}");
    assert_eq!(replay.left(), 0, "{name}");
    polled
}

/// The cases that a sweep of every scenario draws: kills, faults, signals, deadlocks, timed waits
/// that expire early.
fn drawn_cases(scenario: &Scenario) -> Vec<Case> {
    let program = Arc::new(scenario.program.clone());
    let census = census::<Classic<_>>(scenario, &program, 7);
    let case = |number| {
        let time_any = number % 4 == 3;
        let options = SweepOptions { seed: 7, time_any, ..SweepOptions::default() };
        draw(scenario, "classic", &census, &options, number)
    };
    (0..CASES).map(case).collect()
}

/// The scenarios whose model runs step by step beside the code: not those of a manager's queue, which
/// `tests/manager` runs over madsim's network.
fn with_lockstep() -> impl Iterator<Item = Scenario> {
    midput_scenarios::builtin().into_iter().filter(|it| !it.program.is_managed())
}

#[test]
fn recorded_cases_of_all_scenarios_replay_with_equal_traces() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let (mut cases, mut choices, mut kills, mut faults, mut stuck) = (0, 0, 0, 0, 0);
    let (mut signalled, mut expired, mut harmful) = (0, 0, 0);
    for scenario in with_lockstep() {
        let kept = keep::kept(&root, &scenario.name, true).unwrap();
        for case in kept.into_iter().map(|(_, case)| case).chain(drawn_cases(&scenario)) {
            let shown = compare(&scenario, &case, cases);
            let chosen =
                |is: fn(&Alternative) -> bool| shown.choices.iter().any(|it| is(&it.alternative));
            cases += 1;
            choices += shown.choices.len();
            kills += shown.landed.len();
            faults += case.faults.len();
            stuck += usize::from(shown.ending == "Stuck");
            signalled += usize::from(chosen(|it| matches!(it, Alternative::Die(_))));
            expired += usize::from(chosen(|it| matches!(it, Alternative::Expire(_))));
            harmful += usize::from(!shown.violations.is_empty());
        }
    }
    println!(
        "{cases} cases, {choices} choices, {kills} kills, {faults} faults, {stuck} stuck, \
         {signalled} died of a signal, {expired} with early expiries, {harmful} broke a guarantee"
    );
    assert!(cases >= 28 * CASES && choices > 20_000, "{cases} cases, {choices} choices");
    let rare = [kills, faults, stuck, signalled, expired, harmful];
    assert!(rare.iter().all(|&count| count >= 10), "too little of something: {rare:?}");
}

/// Whatever madsim draws, a replay is the same.
#[test]
fn what_madsim_draws_changes_no_replay() {
    let scenarios = midput_scenarios::builtin();
    let name = "kill-mid-put/large-200kB-two-producers";
    let scenario = scenarios.iter().find(|it| it.name == name).unwrap();
    let case = &drawn_cases(scenario)[5];
    for seed in 0..50 {
        compare(scenario, case, seed);
    }
}
