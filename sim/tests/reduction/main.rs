//! Small drawn programs on the kernel's objects, each searched with reduction and without: both come
//! to the same ends, with kills, faults and expiries at any step.

use std::collections::BTreeSet;

use midput_model::queue::classic::Time;
use midput_scenarios::Scenario;
use midput_sim::schedule::{ExhaustiveOptions, Random};
use midput_sim::search::{EndState, SearchOptions, Searched, search};

mod scripted;

use scripted::{SCRIPTS, Scripted, draw};

/// How many programs are drawn, …
const PROGRAMS: u64 = 400;
/// … which of those after them are compared, too, because each has found a mistake, …
const FOUND: [u64; 1] = [2048];
/// … and how many schedules without reduction are few enough to be run.
const SMALL: u64 = 6_000;

/// A program of two or three lanes in two processes, with what may befall it, and its scripts.
fn program(number: u64) -> (Scenario, Time) {
    let mut random = Random::new(11, number);
    let threads = random.below(3) == 0;
    let lengths = if threads { [1, 1, 2] } else { [2, 3, 0] };
    let scripts = lengths.map(|most| (0..most).map(|_| draw(&mut random)).collect::<Vec<_>>());
    SCRIPTS.set(scripts.to_vec());
    let thread =
        if threads { ("\"thread other\", ", "other = [\"put c 3B\"]\n") } else { ("", "") };
    let faults = ["kills = 1\nvictims = [\"P0\", \"P1\"]\n", "kills = 1\nvictims = [\"P1\"]\n", ""]
        [random.below(3)];
    let disturbed = ["", "", "short_transfers = true\n", "interruptions = true\n"][random.below(4)];
    let text = format!(
        "why = \"x\"\n[queue.q]\nmaxsize = {}\npipe_slots = {}\n\
         [process.P0]\nmain = [\"start P1\", \"put a 1B\"]\n\
         [process.P1]\nmain = [{}\"put b 2B\"]\n{}[faults]\n{faults}{disturbed}",
        1 + random.below(2),
        1 + random.below(2),
        thread.0,
        thread.1,
    );
    let scenario = midput_scenarios::parse(&format!("drawn/{number}"), &text);
    let time = if random.below(4) == 0 { Time::Any } else { Time::Patient };
    (scenario.unwrap_or_else(|error| panic!("{error}\n{text}")), time)
}

fn searched(scenario: &Scenario, time: Time, reduction: bool) -> Searched {
    let exhaustive = ExhaustiveOptions { reduction, ..ExhaustiveOptions::default() };
    let options = SearchOptions { exhaustive, runs_max: SMALL, time, judged: false };
    search::<Scripted>(scenario, options)
        .unwrap_or_else(|ending| panic!("{}: {ending:?}", scenario.name))
}

#[test]
fn drawn_programs_end_with_reduction_as_they_do_without() {
    let (mut compared, mut run, mut without, mut redundant) = (0, 0, 0, 0);
    for number in (0..PROGRAMS).chain(FOUND) {
        let (scenario, time) = program(number);
        let unreduced = searched(&scenario, time, false);
        if !unreduced.complete {
            continue;
        }
        let reduced = searched(&scenario, time, true);
        assert!(reduced.complete, "{}", scenario.name);
        let ends = |it: &Searched| it.ends.keys().cloned().collect::<BTreeSet<EndState>>();
        let (few, all) = (ends(&reduced), ends(&unreduced));
        if few != all {
            let scripts = SCRIPTS.with_borrow(|all| format!("{all:?}"));
            for end in all.symmetric_difference(&few) {
                let reached = unreduced.ends.get(end).or(reduced.ends.get(end));
                let path = reached.into_iter().flat_map(|it| it.path.iter().map(|it| it.0));
                let without = all.contains(end);
                println!("without reduction {without}: {end:?} by {:?}", path.collect::<Vec<_>>());
            }
            panic!("{} {time:?} {:?}: {scripts}", scenario.name, scenario.faults);
        }
        compared += 1;
        run += reduced.tally.schedules;
        redundant += reduced.tally.redundant;
        without += unreduced.tally.schedules;
    }
    println!("{compared} programs: {run} schedules, {redundant} redundant, instead of {without}");
    assert!(compared > PROGRAMS / 2, "only {compared} programs were small enough");
}
