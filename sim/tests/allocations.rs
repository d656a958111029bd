//! Once warm, a step of the simulation allocates nothing: not in the kernel, not in the host, not
//! in the lockstep check or the guarantees.

use std::sync::Arc;

use midput_model::queue::classic::Time;
use midput_sim::check::Observers;
use midput_sim::host::{Directives, Ending, Host, Settings};
use midput_sim::schedule::{Drawn, PORTFOLIO, StrategyName};
use midput_sim::subject::Classic;
use midput_sim::sweep::machine;

/// Allocations and steps of a run in which two processes look and try so often.
fn run(host: &mut Host, strategy: StrategyName, times: u32) -> (u64, u64) {
    let looks = format!(r#""repeat {times} get nowait", "repeat {times} qsize""#);
    let text = format!(
        "why = \"x\"\n[queue.q]\nmaxsize = 4\n[process.P0]\nmain = [\"start P1\", {looks}]\n\
         [process.P1]\nmain = [{looks}]\n"
    );
    let scenario = midput_scenarios::parse("test/looks", &text).unwrap();
    let program = Arc::new(scenario.program.clone());
    let machine = Arc::new(machine(&scenario, Time::Patient));
    let mut observers = Observers::new(&program, Some(&machine));
    let (mut steps, mut fewest) = (0, u64::MAX);
    // The first run warms the memory that is kept.
    for case in 0..3 {
        observers.reset();
        let mut drawn = Drawn::new(strategy, 3, case, 500);
        let mut directives = Directives::default();
        let allocated = allocation_counter::measure(|| {
            let settings = Settings::default();
            let ran = host.run::<Classic<_>>(
                &program,
                &mut drawn,
                &mut directives,
                &mut observers,
                settings,
            );
            assert!(matches!(ran.ending, Ending::AllEnded), "{:?}", ran.ending);
            steps = ran.steps;
        });
        fewest = fewest.min(allocated.count_total);
    }
    (fewest, steps)
}

#[test]
fn a_step_allocates_nothing_once_warm() {
    let mut host = Host::default();
    run(&mut host, StrategyName::Random, 60);
    for &strategy in PORTFOLIO {
        let (few, few_steps) = run(&mut host, strategy, 20);
        let (many, many_steps) = run(&mut host, strategy, 60);
        assert!(many_steps > few_steps + 300, "{few_steps} and {many_steps} steps");
        // What a lane's results need grows by doubling: a few allocations, not one for each step.
        assert!(many <= few + 8, "{few} for {few_steps} steps, {many} for {many_steps}");
    }
}
