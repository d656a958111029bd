//! What a second thread gains: a sweep with two jobs against one, beside a loop of plain arithmetic
//! with two threads against one, in turns, so that both meet the same machine.
//! `cargo bench -p midput-sim --bench jobs`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use midput_scenarios::{Scenario, World};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Report, Sweep, SweepOptions, Watch, census};

/// So many rounds, each of which measures everything once. Odd, so that there is a middle one.
const ROUNDS: usize = 15;
/// The jobs that are compared with one.
const JOBS: usize = 2;
/// How long one measurement takes with one job, about.
const TARGET: Duration = Duration::from_millis(400);

const SCENARIOS: [&str; 3] = [
    "kill-mid-put/small-one-producer",
    "kill-mid-put/large-200kB-two-producers",
    "no-fault/two-producers-two-consumers",
];

/// A number that follows from so many multiplications: nothing in memory, nothing shared.
fn arithmetic(rounds: u64) -> u64 {
    (0..rounds).fold(0x9e37_79b9_7f4a_7c15, |number: u64, round| {
        number.rotate_left(7).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ round
    })
}

/// As many rounds, shared out to so many threads.
fn arithmetic_in(threads: usize, rounds: u64) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| black_box(arithmetic(black_box(rounds / threads as u64))));
        }
    });
}

fn sweep(scenario: &Scenario, cases: u64, jobs: usize) -> Report {
    let census = census::<Classic<_>>(scenario, &Arc::new(scenario.program.clone()), 7);
    let options = SweepOptions { seed: 7, cases, jobs, ..SweepOptions::default() };
    let sweep = Sweep::new(scenario, World::Sim, &census, options, Vec::new(), true);
    sweep.run::<Classic<_>>(&Watch::NOBODY).unwrap_or_else(|error| panic!("{error}")).report
}

#[expect(clippy::disallowed_methods, reason = "the clock is of the bench, not of a run")]
fn time<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let result = black_box(work());
    (begun.elapsed().as_secs_f64(), result)
}

/// How much of `work` fits into [`TARGET`], from a first small piece of it.
fn sized(first: u64, work: impl Fn(u64)) -> u64 {
    let (seconds, ()) = time(|| work(first));
    ((first as f64 * TARGET.as_secs_f64() / seconds) as u64).max(first)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let scenarios: Vec<Scenario> = midput_scenarios::builtin();
    let rounds = sized(1_000_000, |rounds| arithmetic_in(1, rounds));
    println!("{JOBS} jobs against 1, {ROUNDS} rounds, medians; a gain of {JOBS} is perfect");
    for name in SCENARIOS {
        let Some(scenario) = scenarios.iter().find(|it| it.name == name) else { continue };
        let cases = sized(500, |cases| drop(sweep(scenario, cases, 1)));
        let (mut plain, mut swept, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (plain_one, ()) = time(|| arithmetic_in(1, rounds));
            let (swept_one, report_one) = time(|| sweep(scenario, cases, 1));
            let (plain_more, ()) = time(|| arithmetic_in(JOBS, rounds));
            let (swept_more, report_more) = time(|| sweep(scenario, cases, JOBS));
            assert!(report_one == report_more, "{name}: the reports differ");
            plain.push(plain_one / plain_more);
            swept.push(swept_one / swept_more);
            ratios.push((swept_one / swept_more) / (plain_one / plain_more));
        }
        let (plain, swept, ratio) = (median(plain), median(swept), median(ratios));
        println!(
            "{name:<42} {cases:>6} cases  arithmetic gains {plain:.2}  the sweep {swept:.2}  \
             ratio {ratio:.2}"
        );
    }
}
