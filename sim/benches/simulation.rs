//! How fast cases run, without the checks and with them. `cargo bench -p midput-sim`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use midput_model::queue::classic::Time;
use midput_scenarios::Scenario;
use midput_sim::check::{Lockstep, Observers};
use midput_sim::host::{Directives, Host, Settings};
use midput_sim::schedule::Random;
use midput_sim::subject::Classic;
use midput_sim::sweep::machine;

fn scenario(name: &str) -> Scenario {
    let mut scenarios = midput_scenarios::builtin();
    scenarios.retain(|scenario| scenario.name == name);
    scenarios.remove(0)
}

/// Runs `cases` cases and returns their steps.
fn run(scenario: &Scenario, observers: &mut Observers, cases: u64) -> u64 {
    let program = Arc::new(scenario.program.clone());
    let mut host = Host::default();
    let mut steps = 0;
    for case in 0..cases {
        observers.reset();
        let mut random = Random::new(7, case);
        let mut directives = Directives::default();
        let settings = Settings::default();
        steps += host
            .run::<Classic<_>>(&program, &mut random, &mut directives, observers, settings)
            .steps;
    }
    steps
}

fn simulation(criterion: &mut Criterion) {
    for name in ["no-fault/two-producers-two-consumers", "kill-mid-put/small-one-producer"] {
        let scenario = scenario(name);
        let lockstep = || Some(Lockstep::new(Arc::new(machine(&scenario, Time::Patient))));
        let guarded = || Observers::new(&scenario.program, None);
        let steps = run(&scenario, &mut Observers::default(), 100);
        let mut group = criterion.benchmark_group(name);
        // One element is one step; a hundred cases are one iteration.
        group.throughput(Throughput::Elements(steps));
        let mut bench = |label: &str, mut observers: Observers| {
            group.bench_function(format!("{label} (100 cases, {steps} steps)"), |bencher| {
                bencher.iter(|| black_box(run(&scenario, &mut observers, 100)));
            });
        };
        bench("without checks", Observers::default());
        bench("guarantees", guarded());
        bench("lockstep and guarantees", Observers { lockstep: lockstep(), ..guarded() });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = simulation
}
criterion_main!(benches);
