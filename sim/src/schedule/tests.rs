use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use midput_real::os::{Os, Site};

use super::*;
use crate::check::Observers;
use crate::host::{Directives, Ending, Host, Settings};
use crate::kernel::SimulatedOs;

const STEPS: usize = 12;
const LENGTH: u32 = 3 * STEPS as u32;

/// Two threads and the main lane do so many steps each, and wait for nobody.
async fn three_lanes() {
    let body = || async {
        for _ in 0..STEPS {
            SimulatedOs.point(Site::new("step")).await;
        }
    };
    for name in ["A", "B"] {
        SimulatedOs.thread_start(name, body, Site::new("start")).await.unwrap();
    }
    body().await;
}

/// How often a lane that could have gone on did not, in one case.
fn preemptions(host: &mut Host, name: StrategyName, case: u64) -> usize {
    let mut drawn = Drawn::new(name, 7, case, LENGTH);
    let (mut directives, mut observers) = (Directives::default(), Observers::default());
    let settings = Settings::default();
    let ran = host.run_body(three_lanes(), &mut drawn, &mut directives, &mut observers, settings);
    assert!(matches!(ran.ending, Ending::AllEnded), "{:?}", ran.ending);
    let lanes: Vec<_> = host.choices().iter().map(|choice| choice.alternative).collect();
    // A lane that comes again later had not ended.
    let left = |at: usize| lanes[at] != lanes[at - 1] && lanes[at..].contains(&lanes[at - 1]);
    (1..lanes.len()).filter(|&at| left(at)).count()
}

fn most_preemptions(name: StrategyName) -> usize {
    let mut host = Host::default();
    (0..3000).map(|case| preemptions(&mut host, name, case)).max().unwrap()
}

#[test]
fn a_bound_on_preemptions_holds_and_is_used() {
    for bound in [0, 1, 2, 5] {
        let name = StrategyName::Bounded { preemptions: bound };
        assert_eq!(most_preemptions(name), usize::from(bound));
    }
}

#[test]
fn pct_changes_lanes_at_one_place_less_than_its_depth() {
    // When a thread is started that goes first, the main lane is left as well: twice at most.
    for depth in [1, 2, 3, 6] {
        let most = most_preemptions(StrategyName::Pct { depth });
        assert!((usize::from(depth) - 1..=usize::from(depth) + 1).contains(&most), "{most}");
    }
}

#[test]
fn a_lane_that_spins_does_not_spin_for_ever() {
    let mut host = Host::default();
    for name in [
        StrategyName::Random,
        StrategyName::Pct { depth: 1 },
        StrategyName::Bounded { preemptions: 0 },
    ] {
        for case in 0..20 {
            let flag = Arc::new(AtomicBool::new(false));
            let setter = Arc::clone(&flag);
            let main = async move {
                let set = || async move {
                    SimulatedOs.point(Site::new("set")).await;
                    setter.store(true, Ordering::Relaxed);
                };
                SimulatedOs.thread_start("set", set, Site::new("start")).await.unwrap();
                while !flag.load(Ordering::Relaxed) {
                    SimulatedOs.point(Site::new("spin")).await;
                }
            };
            let mut drawn = Drawn::new(name, 7, case, LENGTH);
            let ran = host.run_body(
                main,
                &mut drawn,
                &mut Directives::default(),
                &mut Observers::default(),
                Settings::default(),
            );
            assert!(matches!(ran.ending, Ending::AllEnded), "{name}: {:?}", ran.ending);
        }
    }
}
