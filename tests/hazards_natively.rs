//! Each hazard is met by real processes, in the scenario that the hazard list names for it.

use std::sync::Arc;

use midput_scenarios::{Hazard, Scenario};
use midput_sim::subject::Classic;
use midput_sim::sweep::{SweepOptions, Verdict, census, draw, run_native};
use midput_sim::world::native::NativeOptions;

const SEED: u64 = 0x4d2;

/// So many runs: enough for every kill site of these scenarios, some of them twice.
const RUNS: u64 = 120;

/// Runs of the scenario until one shows the hazard; how many that took.
fn runs_until(hazard: Hazard, scenario: &Scenario) -> Option<u64> {
    let native = NativeOptions::new(env!("CARGO_BIN_EXE_midput").into());
    let census = census::<Classic<_>>(scenario, &Arc::new(scenario.program.clone()), SEED);
    let options = SweepOptions { seed: SEED, ..SweepOptions::default() };
    (0..RUNS).find(|&number| {
        let case = draw(scenario, "classic", &census, &options, number);
        let judged = run_native(scenario, &case, &native).judged;
        let name = &scenario.name;
        assert!(!matches!(judged.verdict, Verdict::Fail(_)), "{name}: {:?}", judged.verdict);
        judged.hazards.contains(&hazard)
    })
}

#[test]
fn real_processes_meet_every_hazard() {
    let scenarios = midput_scenarios::builtin();
    let mut never = Vec::new();
    for hazard in Hazard::ALL {
        let name = hazard.scenario();
        let scenario = scenarios.iter().find(|scenario| scenario.name == name).unwrap();
        if runs_until(hazard, scenario).is_none() {
            never.push(format!("inconclusive: {RUNS} runs of {name} never met {hazard}"));
        }
    }
    assert!(never.is_empty(), "{}", never.join("\n"));
}
