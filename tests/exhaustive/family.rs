//! One producer of two items and one consumer of two, and one kill of either at any step: the
//! scenarios that are explored whole, by the real code and by the model.

use midput_model::queue::classic::Time;
use midput_scenarios::Scenario;
use midput_sim::schedule::Tally;
use midput_sim::search::{EndState, SearchOptions, ends_of_model, search};
use midput_sim::subject::Classic;

/// The sizes of items, with the page slots of the pipe: a frame in one write; the largest such
/// frame; a header and a body that fill the pipe several times.
pub(crate) const SIZES: [(&str, u32); 3] = [("16B", 16), ("16384B", 16), ("20kB", 2)];
/// How the consumer gets.
pub(crate) const GETS: [&str; 3] = ["get", "get timeout=100ms", "get nowait"];

/// The scenarios of one size, one kind of get and one bound: the consumer gets while the producer
/// lives, or joins it first.
pub(crate) fn scenarios((size, slots): (&str, u32), get: &str, maxsize: u32) -> [Scenario; 2] {
    let gets = format!("\"{get}\", \"{get}\"");
    let mains = [
        ("gets-first", format!("\"start P1\", {gets}, \"join P1\"")),
        ("joins-first", format!("\"start P1\", \"join P1\", {gets}")),
    ];
    mains.map(|(order, main)| {
        let name = format!("one-to-one/{size}-{}-{maxsize}-{order}", get.replace(' ', "-"));
        let text = format!(
            "why = \"Every schedule of two items, with a kill of either side at any step.\"\n\
             [queue.q]\nmaxsize = {maxsize}\npipe_slots = {slots}\n\
             [process.P0]\nmain = [{main}]\n\
             [process.P1]\nmain = [\"put a {size}\", \"put b {size}\"]\n\
             [faults]\nkills = 1\nvictims = [\"P0\", \"P1\"]\n"
        );
        midput_scenarios::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Explores a scenario both ways, the code in lockstep with the model, and compares the ends.
pub(crate) fn compare(scenario: &Scenario) -> (Tally, usize) {
    let options = SearchOptions { judged: true, ..SearchOptions::default() };
    let real = search::<Classic<_>>(scenario, options)
        .unwrap_or_else(|ending| panic!("{}: {ending:?}", scenario.name));
    let diverged = real.failures.get("divergence");
    assert!(real.complete, "{}: {:?}, {diverged:?}", scenario.name, real.tally);
    let model = ends_of_model(scenario, Time::Patient, 5_000_000)
        .unwrap_or_else(|| panic!("{}: the model is too large", scenario.name));
    let real_ends: Vec<&EndState> = real.ends.keys().collect();
    let model_ends: Vec<&EndState> = model.keys().collect();
    let only = |of: &[&EndState], other: &[&EndState]| {
        of.iter()
            .filter(|end| !other.contains(end))
            .map(|end| format!("{end:?}"))
            .collect::<Vec<_>>()
    };
    assert!(
        real_ends == model_ends,
        "{}: only the code ends in {:#?}, only the model in {:#?}",
        scenario.name,
        only(&real_ends, &model_ends),
        only(&model_ends, &real_ends)
    );
    (real.tally, real.ends.len())
}
