//! Each hazard that the classic queue has, as a trace of the real code: found by a sweep of the
//! scenario that the hazard list names for it, at its first case.

use std::collections::BTreeMap;
use std::sync::Arc;

use midput_scenarios::Hazard;
use midput_sim::schedule::{Strategies, StrategyName};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Runner, SweepOptions, census, draw};
use midput_sim::trace::{Story, TraceLog, render};

const SEED: u64 = 0x4d2;

/// The trace of the shortest case, among the first 300, that shows the hazard.
fn trace_of(hazard: Hazard) -> String {
    let name = hazard.scenario();
    let scenarios = midput_scenarios::builtin();
    let scenario = scenarios.iter().find(|scenario| scenario.name == name).unwrap();
    let census = census::<Classic<_>>(scenario, &Arc::new(scenario.program.clone()), SEED);
    // By one strategy, so that the traces stay while the portfolio changes.
    let strategies = Strategies::Only(StrategyName::Random);
    let options = SweepOptions { seed: SEED, strategies, ..SweepOptions::default() };
    let mut runner = Runner::new(scenario, true);
    let mut shortest: BTreeMap<(u64, u64), String> = BTreeMap::new();
    for number in 0..300 {
        let case = draw(scenario, scenario.subject(), &census, &options, number);
        let mut log = TraceLog::default();
        let outcome = runner.run::<Classic<_>>(&case, Some(&mut log));
        if outcome.judged.hazards.contains(&hazard) {
            let text = render(&scenario.program, &log, &Story::of(scenario, &outcome));
            shortest.insert((outcome.steps, number), text);
        }
    }
    let (_, text) = shortest.pop_first().unwrap_or_else(|| panic!("{name} never shows {hazard}"));
    text
}

macro_rules! hazard {
    ($test:ident, $hazard:ident) => {
        #[test]
        fn $test() {
            insta::assert_snapshot!(trace_of(Hazard::$hazard));
        }
    };
}

hazard!(h1_slot_leaked, H1);
hazard!(h2_item_lost_after_put, H2);
hazard!(h3_reader_stuck_past_timeout, H3);
hazard!(h4_reader_lock_orphaned, H4);
hazard!(h5_writer_lock_orphaned, H5);
hazard!(h6_frame_torn, H6);
hazard!(h7_join_deadlock, H7);
hazard!(h8_exit_stuck, H8);
hazard!(h9_task_counter_stuck, H9);
hazard!(h10_dead_waiter_blocks_notify, H10);
hazard!(h11_empty_though_not_empty, H11);
hazard!(h12_tear_taken_for_close, H12);
hazard!(h13_items_dropped_by_cancel, H13);

hazard!(h14_item_swallowed_by_dead_client, H14);
hazard!(h15_put_after_death, H15);
