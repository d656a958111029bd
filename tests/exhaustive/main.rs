//! Every schedule of the real code, with a kill at every step: what it can come to is exactly what
//! its model can come to, with the orders left out that make no difference and without.

use std::collections::BTreeSet;

use midput_scenarios::{Scenario, World};
use midput_sim::schedule::ExhaustiveOptions;
use midput_sim::search::{EndState, SearchOptions, Searched, search};
use midput_sim::subject::Classic;

mod family;
mod judged;

/// Searches of this many runs without reduction are small enough to be compared, …
const SMALL: u64 = 25_000;
/// … which those can be that have so few classes of schedules.
const CLASSES: u64 = 400;

fn searched(scenario: &Scenario, exhaustive: ExhaustiveOptions, runs_max: u64) -> Searched {
    let options = SearchOptions { exhaustive, runs_max, ..SearchOptions::default() };
    search::<Classic<_>>(scenario, options)
        .unwrap_or_else(|ending| panic!("{}: {ending:?}", scenario.name))
}

/// The whole family is explored by `cargo bench --bench exhaustive`; here a queue of one slot, all
/// sizes and gets, and one of two slots that is joined first.
#[test]
fn one_producer_one_consumer_two_items_and_one_kill_anywhere_end_as_in_the_model() {
    let mut ends = 0;
    for size in family::SIZES {
        for get in family::GETS {
            let [gets_first, joins_first] = family::scenarios(size, get, 1);
            let [_, joins_two_first] = family::scenarios(size, get, 2);
            for scenario in [gets_first, joins_first, joins_two_first] {
                ends += family::compare(&scenario).1;
            }
        }
    }
    assert!(ends > 27 * 5, "only {ends} ends in 27 scenarios");
}

#[test]
fn leaving_out_what_makes_no_difference_leaves_out_no_end() {
    let mut compared = 0;
    let builtin = midput_scenarios::builtin();
    let small = ["put a 1B", "put a 1B\", \"close\", \"join_thread"].map(|operations| {
        let text = format!(
            "why = \"x\"\n[queue.q]\nmaxsize = 1\n[process.P0]\nmain = [\"{operations}\"]\n\
             [faults]\nkills = 1\nvictims = [\"P0\"]\nsignals = [\"SIGKILL\", \"SIGTERM\"]\n"
        );
        midput_scenarios::parse(&format!("test/{operations}"), &text).unwrap()
    });
    // A manager's queue is not searched.
    let searchable = |it: &&Scenario| it.worlds.contains(&World::Sim) && !it.program.is_managed();
    let simulated = builtin.iter().filter(searchable).chain(&small);
    for scenario in simulated {
        let reduced = searched(scenario, ExhaustiveOptions::default(), CLASSES);
        if !reduced.complete {
            continue;
        }
        let all = ExhaustiveOptions { reduction: false, ..ExhaustiveOptions::default() };
        let unreduced = searched(scenario, all, SMALL);
        if !unreduced.complete {
            continue;
        }
        assert!(reduced.tally.schedules <= unreduced.tally.schedules, "{}", scenario.name);
        let ends =
            |searched: &Searched| searched.ends.keys().cloned().collect::<BTreeSet<EndState>>();
        assert_eq!(ends(&reduced), ends(&unreduced), "{}", scenario.name);
        compared += 1;
        println!("{}: {:?} instead of {:?}", scenario.name, reduced.tally, unreduced.tally);
    }
    assert!(compared >= 6, "only {compared} scenarios were small enough");
}

/// What a feeder does after an error depends on whether leaving has come to its finalizers, with and
/// without a thread to wait for (`Q6`): the slot is free again at the end, or taken.
#[test]
fn an_error_of_a_feeder_comes_before_and_after_the_finalizers_begin() {
    let thread = ["\"thread other\", ", "other = [\"full\"]\n"];
    for [start, other] in [["", ""], thread] {
        let text = format!(
            "why = \"x\"\n[queue.q]\nmaxsize = 1\n[process.P0]\n\
             main = [\"close reader\", {start}\"put a 1B\"]\n{other}"
        );
        let scenario = midput_scenarios::parse("test/leaving", &text).unwrap();
        let [reduced, unreduced] = [true, false].map(|reduction| {
            let exhaustive = ExhaustiveOptions { reduction, ..ExhaustiveOptions::default() };
            let searched = searched(&scenario, exhaustive, SMALL);
            assert!(searched.complete, "{:?}", searched.tally);
            searched.ends.into_keys().collect::<BTreeSet<EndState>>()
        });
        assert_eq!(reduced, unreduced);
        let slots: BTreeSet<u32> = reduced.iter().map(|end| end.semaphores[2]).collect();
        assert_eq!(slots, [0, 1].into());
    }
}

/// With a bound of preemptions nothing is found that the unbounded search does not find, and with
/// a higher bound no less.
#[test]
fn a_higher_bound_of_preemptions_finds_no_less() {
    let builtin = midput_scenarios::builtin();
    let scenario = builtin.iter().find(|it| it.name == "kill-mid-put/small-one-producer").unwrap();
    let all = searched(scenario, ExhaustiveOptions::default(), 100_000);
    let mut before = BTreeSet::new();
    for most in 0..3 {
        let options = ExhaustiveOptions { reduction: false, preemptions_max: Some(most) };
        let bounded = searched(scenario, options, 100_000);
        assert!(bounded.complete);
        let ends: BTreeSet<EndState> = bounded.ends.into_keys().collect();
        assert!(ends.is_superset(&before));
        assert!(ends.iter().all(|end| all.ends.contains_key(end)));
        before = ends;
    }
    assert_eq!(before.len(), all.ends.len());
}
