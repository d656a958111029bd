//! The manager queue between real processes, some of which are killed. This program is its own
//! worker, so that it has a `main` of its own and no test harness.

mod clients;
mod deaths;
mod hostile;
mod impostor;
mod ordinary;
mod workers;

use std::time::Duration;

/// Reached only where something hangs.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Long enough for a blocked call to be blocked.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

type Test = (&'static str, fn());

fn main() {
    let _guard = midput_real::init(midput_real::workers![
        workers::produce,
        workers::consume,
        workers::get_one,
        workers::get_and_wait,
        workers::put_one,
        workers::stop_half_way,
        workers::own_a_manager,
    ]);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let tests = [ordinary::TESTS, deaths::TESTS, hostile::TESTS, impostor::TESTS];
    let tests: Vec<Test> = tests.into_iter().flatten().copied().collect();
    if arguments.iter().any(|argument| argument == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    // Where a test has failed, leaving this process may wait for a child that waits for ever.
    std::thread::spawn(|| {
        std::thread::sleep(5 * LONG);
        eprintln!("the tests did not end in {:?}", 5 * LONG);
        std::process::exit(101);
    });
    for (name, test) in tests {
        if filter.is_none_or(|filter| name.contains(filter.as_str())) {
            test();
            println!("test {name} ... ok");
        }
    }
}
