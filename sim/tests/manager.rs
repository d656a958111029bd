//! The manager queue in simulation: clients die at every step, under all sorts of schedules, and
//! the history keeps every guarantee and is one of the model's.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use midput_model::program::{ItemId, LaneId, Outcome};
use midput_scenarios::{KillPoint, Place, Scenario};
use midput_sim::subject::Classic;
use midput_sim::sweep::{CaseOutcome, Runner, SweepOptions, Verdict, census, draw};

fn scenario(text: &str) -> Scenario {
    midput_scenarios::parse("manager", text).unwrap_or_else(|error| panic!("{error}"))
}

/// What the lane returned from its last calls, in order.
fn returns_of(outcome: &CaseOutcome, lane: LaneId) -> Vec<Outcome> {
    let own = outcome.returns.iter().filter(|(other, _)| *other == lane);
    own.map(|(_, outcome)| *outcome).collect()
}

/// Runs every kill with so many schedules. Each case passes, and `check` says what else must be so
/// where its kills landed. There are kills at so many places at least, and in patient time nine of
/// ten are reached.
fn hold(
    text: &str,
    (places_min, schedules): (usize, u64),
    time_any: bool,
    check: impl Fn(&CaseOutcome),
) {
    let scenario = scenario(text);
    let census = census::<Classic<_>>(&scenario, &Arc::new(scenario.program.clone()), 1);
    let place = |it: &KillPoint| format!("{:?} {:?}", it.site, it.place);
    let places: BTreeSet<_> = census.kills.iter().map(place).collect();
    assert!(places.len() >= places_min, "{} places", places.len());
    let cases = places.len().max(1) as u64 * schedules;
    let options = SweepOptions { cases, time_any, ..SweepOptions::default() };
    let mut runner = Runner::new(&scenario, true);
    let mut landed = BTreeSet::new();
    for number in 0..cases {
        let case = draw(&scenario, "manager", &census, &options, number);
        let outcome = runner.run::<Classic<_>>(&case, None);
        let told = || format!("{number}: {:?}\n{case}\n{:?}", outcome.judged, outcome.returns);
        assert_eq!(outcome.judged.verdict, Verdict::Pass, "case {}", told());
        assert!(outcome.judged.violations.is_empty(), "case {}", told());
        landed.extend(outcome.landed.iter().map(|(kill, _)| place(kill)));
        if outcome.landed.len() == case.kills.len() {
            check(&outcome);
        }
    }
    let never: Vec<_> = places.difference(&landed).collect();
    assert!(time_any || never.len() * 10 <= places.len(), "never landed: {never:?}");
}

const P0: LaneId = LaneId(0);
const A: Outcome = Outcome::Item(ItemId(0));

/// Whether a client that gets one item has not accepted it yet, as it is killed there: its third
/// frame does, after its proof and its call.
fn is_before_acceptance(kill: &KillPoint) -> bool {
    match (kill.site.step.as_str(), kill.site.occurrence) {
        ("connect" | "call.send", 1..=2) => true,
        ("call.send", 3) => matches!(kill.place, Place::Before),
        // The challenge and the welcome, and then the item, come in two parts each.
        ("answer.read", occurrence) => occurrence <= 3,
        ("answer.wait", occurrence) => occurrence <= 6,
        _ => false,
    }
}

#[test]
fn h14_an_item_is_lost_only_with_a_client_that_had_accepted_it() {
    let text = r#"
why = "A client dies in get, with its item on its way to it."
[queue.jobs]
kind = "manager"
[process.P0]
main = ["put a 16B", "start P1", "after P1 died get nowait"]
[process.P1]
main = ["get"]
[faults]
kills = 1
victims = ["P1"]
"#;
    let lost = Cell::new(0);
    hold(text, (15, 40), false, |outcome| {
        let is_lost = returns_of(outcome, P0)[2..] != [A];
        let killed = outcome.landed.first().map(|(kill, _)| kill);
        let before = killed.is_some_and(is_before_acceptance);
        assert!(!(is_lost && before), "{:?} {:?}", outcome.case, outcome.returns);
        lost.set(lost.get() + u32::from(is_lost));
    });
    assert!(lost.get() > 0, "nobody has died with an item");
}

/// H14, whoever the Monitor gives the benefit of the doubt: the item is put after the death.
#[test]
fn h14_a_get_that_died_takes_nothing_that_is_put_later() {
    let text = r#"
why = "A client dies in get, and what is put after that is for others (MQ4)."
[queue.jobs]
kind = "manager"
[process.P0]
main = ["start P1", "after P1 died put a 16B", "get nowait", "get nowait"]
[process.P1]
main = ["get"]
[faults]
kills = 1
victims = ["P1"]
"#;
    hold(text, (8, 40), false, |outcome| {
        let returns = returns_of(outcome, P0);
        assert_eq!(returns[1..], [Outcome::Done, A, Outcome::Empty], "{:?}", outcome.case);
    });
}

#[test]
fn h15_a_put_that_died_waiting_is_never_done() {
    let text = r#"
why = "A client dies in a put that waits, and is not put later (MQ4)."
[queue.jobs]
kind = "manager"
maxsize = 1
[process.P0]
main = ["put a 16B", "start P1", "after P1 died get nowait", "get nowait"]
[process.P1]
main = ["put b 16B"]
[faults]
kills = 1
victims = ["P1"]
"#;
    hold(text, (8, 40), false, |outcome| {
        let returns = returns_of(outcome, P0);
        let all = [Outcome::Done, Outcome::Done, A, Outcome::Empty];
        assert_eq!(returns, all, "{:?}", outcome.case);
    });
}

#[test]
fn h15_a_put_that_died_on_its_way_is_not_done_later() {
    let text = r#"
why = "A client dies in a put, and who has seen after that that nothing is inside is right for ever."
[queue.jobs]
kind = "manager"
[process.P0]
main = ["start P1", "after P1 died get nowait", "get nowait", "get nowait"]
[process.P1]
main = ["put a 16B"]
[faults]
kills = 1
victims = ["P1"]
"#;
    hold(text, (15, 40), false, |outcome| {
        let gets = &returns_of(outcome, P0)[1..];
        let later = gets.iter().skip_while(|outcome| **outcome != Outcome::Empty);
        assert!(later.clone().all(|outcome| *outcome == Outcome::Empty), "{:?}", outcome.case);
        assert!(later.count() >= 2, "there is one item at most");
    });
}

const CONSUMERS: &str = r#"
why = "Consumers die anywhere, and take along at most the item that each was getting."
[queue.jobs]
kind = "manager"
maxsize = 2
[process.P0]
main = [
    "start P1", "start P2", "put a 16B", "put b 16B", "put c 16B timeout=1s",
    "after P1 died put d 16B timeout=1s", "get timeout=100ms", "get nowait", "get nowait",
]
[process.P1]
main = ["get", "get"]
[process.P2]
main = ["get timeout=50ms", "get nowait"]
[faults]
kills = 2
victims = ["P1", "P2"]
"#;

const PRODUCERS: &str = r#"
why = "Producers die anywhere, and what they had handed over stays."
[queue.jobs]
kind = "manager"
maxsize = 1
[process.P0]
main = [
    "start P1", "start P2", "get timeout=100ms", "get timeout=100ms", "get timeout=100ms",
    "get nowait", "put e 16B timeout=100ms", "get nowait",
]
[process.P1]
main = ["put a 16B", "put b 16B"]
[process.P2]
main = ["put c 16B timeout=100ms", "put d 16B nowait"]
[faults]
kills = 1
victims = ["P1", "P2"]
"#;

fn each_item_once(outcome: &CaseOutcome) {
    let is_got = |(_, outcome): &&(LaneId, Outcome)| matches!(outcome, Outcome::Item(_));
    let got: Vec<_> = outcome.returns.iter().filter(is_got).map(|(_, outcome)| outcome).collect();
    let different: BTreeSet<_> = got.iter().collect();
    assert_eq!(got.len(), different.len(), "each once");
}

#[test]
fn consumers_may_die_anywhere() {
    hold(CONSUMERS, (60, 30), false, each_item_once);
}

#[test]
fn consumers_may_die_anywhere_and_waits_may_end_at_any_time() {
    hold(CONSUMERS, (60, 10), true, each_item_once);
}

#[test]
fn producers_may_die_anywhere() {
    hold(PRODUCERS, (40, 30), false, each_item_once);
}

#[test]
fn nobody_dies_and_transfers_are_short() {
    let text = r#"
why = "Frames arrive in parts, and calls are interrupted."
[queue.jobs]
kind = "manager"
maxsize = 1
[process.P0]
main = ["start P1", "get", "get", "get nowait", "qsize", "join P1"]
[process.P1]
main = ["put a 3000B", "put b 9000B"]
[faults]
short_transfers = true
interruptions = true
"#;
    hold(text, (0, 400), false, |outcome| {
        let b = Outcome::Item(ItemId(1));
        let all = [Outcome::Done, A, b, Outcome::Empty, Outcome::Number(0), Outcome::Done];
        assert_eq!(returns_of(outcome, P0), all, "{:?}", outcome.case);
        assert!(outcome.all_ended);
    });
}
