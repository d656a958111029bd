//! Runs the bugs under strategies and counts executions.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use midput_sim::check::Observers;
use midput_sim::host::{Directives, Ending, Host, Settings};
use midput_sim::schedule::{
    Drawn, Exhaustive, ExhaustiveOptions, Random, Strategies, Strategy, StrategyName,
};

use crate::bug::{Bug, Scene};

/// The strategies that are compared.
pub(crate) const SINGLE: [StrategyName; 11] = [
    StrategyName::Random,
    StrategyName::Bounded { preemptions: 0 },
    StrategyName::Bounded { preemptions: 1 },
    StrategyName::Bounded { preemptions: 2 },
    StrategyName::Bounded { preemptions: 3 },
    StrategyName::Bounded { preemptions: 5 },
    StrategyName::Pct { depth: 1 },
    StrategyName::Pct { depth: 2 },
    StrategyName::Pct { depth: 3 },
    StrategyName::Pct { depth: 4 },
    StrategyName::Pct { depth: 8 },
];

/// The seeds of what is reported. The portfolio was tuned on others.
pub(crate) const SEEDS: RangeInclusive<u64> = 1..=31;

/// How many runs find the length of a program, as in the census of a sweep.
const CENSUS: u64 = 48;

/// Runs bugs, keeping its memory between them.
#[derive(Default)]
pub(crate) struct Hunter {
    host: Host,
    directives: Directives,
    observers: Observers,
    /// What the census has found, by bug, version and seed.
    lengths: BTreeMap<(&'static str, bool, u64), u32>,
}

impl Hunter {
    /// Runs one version of a bug once. Whether it did what it must not, or hangs.
    pub(crate) fn fails(&mut self, bug: &Bug, right: bool, strategy: &mut dyn Strategy) -> bool {
        let scene = Scene::new(right);
        let main = (bug.main)(scene.clone());
        let (directives, observers) = (&mut self.directives, &mut self.observers);
        let ran = self.host.run_body(main, strategy, directives, observers, Settings::default());
        match ran.ending {
            Ending::AllEnded => scene.has_failed(),
            Ending::Stuck => true,
            Ending::Redundant => false,
            other => panic!("{}: {other:?}", bug.name),
        }
    }

    /// The choices of a run, on average: of random runs that count for no strategy.
    fn length(&mut self, bug: &Bug, right: bool, seed: u64) -> u32 {
        let key = (bug.name, right, seed);
        if let Some(&length) = self.lengths.get(&key) {
            return length;
        }
        let runs = (0..CENSUS).map(|run| {
            self.fails(bug, right, &mut Random::new(seed, u64::MAX - run));
            self.host.choices().len() as u64
        });
        let length = u32::try_from(runs.sum::<u64>().div_ceil(CENSUS)).unwrap_or(u32::MAX);
        self.lengths.insert(key, length);
        length
    }

    /// How many of so many cases of a sweep with this seed it takes to find the bug, if it is found.
    pub(crate) fn executions(
        &mut self,
        bug: &Bug,
        right: bool,
        strategies: Strategies,
        seed: u64,
        cases: u64,
    ) -> Option<u64> {
        let length = self.length(bug, right, seed);
        let mut fails = |&case: &u64| {
            let name = strategies.of(case, 1);
            self.fails(bug, right, &mut Drawn::new(name, seed, case, length))
        };
        (0..cases).find(&mut fails).map(|case| case + 1)
    }

    /// How many executions the exhaustive search takes, depth first with reduction, broken off ones
    /// counted; it draws nothing, so that there is no seed.
    pub(crate) fn exhaustive(&mut self, bug: &Bug, right: bool, most: u64) -> Option<u64> {
        let mut search = Exhaustive::new(ExhaustiveOptions::default());
        for execution in 1..=most {
            if self.fails(bug, right, &mut search) {
                return Some(execution);
            }
            if !search.advance() {
                break;
            }
        }
        None
    }

    /// The median of the executions over these seeds, if it is at most `most`.
    pub(crate) fn median(
        &mut self,
        bug: &Bug,
        strategies: Strategies,
        seeds: RangeInclusive<u64>,
        most: u64,
    ) -> Option<u64> {
        let half = seeds.clone().count() / 2;
        let mut found = Vec::new();
        let mut failed = 0;
        for seed in seeds {
            match self.executions(bug, false, strategies, seed, most) {
                Some(executions) => found.push(executions),
                None => failed += 1,
            }
            // Whatever the other seeds say, the median is beyond.
            if failed > half {
                return None;
            }
        }
        found.sort_unstable();
        found.get(half).copied()
    }
}

/// The geometric mean.
pub(crate) fn geometric_mean(ratios: &[f64]) -> f64 {
    let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (logarithms / ratios.len() as f64).exp()
}
