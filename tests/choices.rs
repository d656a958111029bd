//! Any list of choices is a valid case: the real code stays in lockstep with its model under every
//! schedule, kills, interruptions and short transfers included.

use std::cell::RefCell;
use std::sync::Arc;

use midput_model::site::Site;
use midput_scenarios::Scenario;
use midput_sim::case::{Case, Fault, FaultKind};
use midput_sim::schedule::{Clamped, Strategies, StrategyName};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Census, Failure, Runner, SweepOptions, Verdict, census, draw};
use proptest::prelude::*;

fn scenario(name: &str) -> Scenario {
    let mut scenarios = midput_scenarios::builtin();
    scenarios.retain(|scenario| scenario.name == name);
    scenarios.remove(0)
}

fn found(scenario: &Scenario) -> Census {
    census::<Classic<_>>(scenario, &Arc::new(scenario.program.clone()), 5)
}

fn faults(transfers: Vec<Site>) -> impl Strategy<Value = Vec<Fault>> {
    let kind = prop_oneof![(1u32..9000).prop_map(FaultKind::Short), Just(FaultKind::Interrupt)];
    let fault = (prop::sample::select(transfers), kind);
    prop::collection::vec(fault.prop_map(|(site, kind)| Fault { site, kind }), 0..4)
}

fn holds_in_lockstep(name: &str, cases: u32) {
    let scenario = scenario(name);
    let census = found(&scenario);
    let sites = census.kills.len().max(1) as u64;
    let choices = prop::collection::vec(any::<u8>(), 0..200);
    let input =
        (choices, 0..sites, faults([&census.transfers[..], &census.waits].concat()), any::<bool>());
    let runner = RefCell::new(Runner::new(&scenario, true));
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    let mut tests = proptest::test_runner::TestRunner::new(config);
    let result = tests.run(&input, |(choices, number, faults, time_any)| {
        let options = SweepOptions { seed: 5, time_any, ..SweepOptions::default() };
        let drawn = draw(&scenario, "classic", &census, &options, number);
        let case = Case { faults, ..drawn };
        let mut strategy = Clamped::new(choices);
        let mut runner = runner.borrow_mut();
        let outcome = runner.run_with::<Classic<_>>(&case, &mut strategy, None);
        let diverged = match &outcome.judged.verdict {
            Verdict::Fail(failures) => failures.iter().find(|failure| {
                matches!(failure, Failure::Diverged(_) | Failure::Panicked(_) | Failure::Replay(_))
            }),
            Verdict::Pass => None,
            Verdict::Inconclusive(why) => return Err(TestCaseError::fail(why.clone())),
        };
        prop_assert!(diverged.is_none(), "{diverged:?}\n{}", outcome.case);
        // What was recorded replays strictly to the same.
        let recorded = Case { choices: Some(runner.recorded()), ..case };
        let again = runner.run::<Classic<_>>(&recorded, None);
        prop_assert_eq!(&outcome.returns, &again.returns);
        prop_assert_eq!(&outcome.end, &again.end);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_list_of_choices_is_a_case_of_two_large_producers() {
    holds_in_lockstep("kill-mid-put/large-200kB-two-producers", 200);
}

#[test]
fn every_list_of_choices_is_a_case_of_timed_gets() {
    holds_in_lockstep("kill-mid-get/header-read-timed", 300);
}

#[test]
fn every_list_of_choices_is_a_case_of_bounded_puts() {
    holds_in_lockstep("bounded-full/slot-leak-after-kill", 300);
}

#[test]
fn a_case_reads_back_from_its_text() {
    let scenario = scenario("kill-mid-put/frame-16kB-two-producers");
    let census = found(&scenario);
    let mut runner = Runner::new(&scenario, true);
    for number in 0..40 {
        let time_any = number % 2 == 0;
        let options = SweepOptions { seed: 5, time_any, ..SweepOptions::default() };
        let mut case = draw(&scenario, "classic", &census, &options, number);
        runner.run::<Classic<_>>(&case, None);
        case.choices = Some(runner.recorded());
        case.faults.push(Fault {
            site: "P1.feed write-frame[1]+3".parse().unwrap(),
            kind: FaultKind::Short(7),
        });
        case.why = Some("kept for a reason".to_owned());
        assert_eq!(case.to_string().parse::<Case>().unwrap(), case);
    }
}

#[test]
fn a_case_of_the_first_version_was_drawn_at_random_and_replays() {
    let scenario = scenario("kill-mid-put/small-one-producer");
    let options =
        SweepOptions { strategies: Strategies::Only(StrategyName::Random), ..Default::default() };
    let case = draw(&scenario, "classic", &found(&scenario), &options, 3);
    let text = case.to_string();
    let without = |line: &&str| !line.starts_with("strategy ") && !line.starts_with("length ");
    let lines: Vec<&str> = text.lines().filter(without).collect();
    let first = lines.join("\n").replace("midput case 2", "midput case 1");
    let read: Case = first.parse().unwrap();
    assert_eq!(read, Case { length: 0, ..case.clone() });
    let mut runner = Runner::new(&scenario, true);
    let again = runner.run::<Classic<_>>(&read, None);
    assert_eq!(runner.run::<Classic<_>>(&case, None).returns, again.returns);
}

#[test]
fn a_damaged_case_is_refused_with_what_is_wrong() {
    let scenario = scenario("kill-mid-put/small-one-producer");
    let case = draw(&scenario, "classic", &found(&scenario), &SweepOptions::default(), 3);
    let good = Case { choices: Some(vec![(0, "P0.main get[1]".into())]), ..case }.to_string();
    for (from, to, hint) in [
        ("midput case 2", "midput case 3", "reads versions 1 to 2"),
        ("midput case 2", "something else", "begins with"),
        ("subject classic\n", "", "subject"),
        ("time patient", "time soon", "'patient' or 'any'"),
        ("strategy ", "strategy pct depth=99 ", "'pct depth=3' (1 to 16)"),
        ("strategy ", "# ", "no line 'strategy"),
        ("length ", "length minus ", "no number"),
        ("drawn seed", "drawn sead", "seed 0x4d2 case 118"),
        ("  0 P0.main get[1]\n", "", "cut short"),
        ("kill P1", "kill P1 nowhere", "no kill"),
        ("scenario", "scenery", "no line 'scenery'"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let error = bad.parse::<Case>().unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
}
