//! Every scenario of one producer, one consumer, two items and one kill anywhere, explored whole by
//! the real code in the simulated kernel and by the model, with equal sets of ends.
//! `cargo bench -p midput-sim --bench exhaustive`; it fails where they differ. With a part of a name,
//! `-- get-nowait-2`, only such scenarios.

use std::time::Instant;

#[path = "../../tests/exhaustive/family.rs"]
mod family;

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn main() {
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let begun = Instant::now();
    let (mut scenarios, mut schedules, mut redundant) = (0, 0, 0);
    println!("{:<44} {:>9} {:>9} {:>5} {:>7}", "scenario", "schedules", "redundant", "ends", "s");
    for size in family::SIZES {
        for get in family::GETS {
            let all = [1, 2].into_iter().flat_map(|max| family::scenarios(size, get, max));
            for scenario in all {
                if part.as_ref().is_some_and(|part| !scenario.name.contains(part.as_str())) {
                    continue;
                }
                let one = Instant::now();
                let (tally, ends) = family::compare(&scenario);
                let seconds = one.elapsed().as_secs_f64();
                let name = &scenario.name;
                let (run, broken_off) = (tally.schedules, tally.redundant);
                println!("{name:<44} {run:>9} {broken_off:>9} {ends:>5} {seconds:>7.2}");
                scenarios += 1;
                schedules += run;
                redundant += broken_off;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{scenarios} scenarios, {schedules} schedules, {redundant} proved redundant: the ends of the \
         code and of the model are equal, in {seconds:.1} s"
    );
}
