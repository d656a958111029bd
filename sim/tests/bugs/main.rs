//! Twelve concurrency bugs: the portfolio finds them, and nearly as soon as the best single
//! strategy does. `cargo bench -p midput-sim --bench bugs` prints the table.

mod bug;
mod hunt;

use bug::ALL;
use hunt::{Hunter, SEEDS, SINGLE, geometric_mean};
use midput_sim::schedule::{Strategies, StrategyName};

#[test]
fn no_strategy_finds_a_bug_in_a_right_version() {
    let mut hunter = Hunter::default();
    for bug in &ALL {
        for name in SINGLE {
            let found = hunter.executions(bug, true, Strategies::Only(name), 1, 300);
            assert_eq!(found, None, "{} by {name}", bug.name);
        }
    }
}

#[test]
fn the_portfolio_finds_every_bug() {
    let mut hunter = Hunter::default();
    for bug in &ALL {
        let found = hunter.executions(bug, false, Strategies::Portfolio, 1, 2000);
        assert!(found.is_some(), "{}: {}", bug.name, bug.wrong);
    }
}

#[test]
fn every_bug_is_as_deep_as_it_says_and_three_of_them_have_depth_3() {
    let mut hunter = Hunter::default();
    for bug in &ALL {
        let mut found = |depth, seed, cases| {
            let pct = Strategies::Only(StrategyName::Pct { depth });
            hunter.executions(bug, false, pct, seed, cases)
        };
        assert!(found(bug.depth, 1, 10_000).is_some(), "{}", bug.name);
        if bug.depth > 1 {
            let sooner = (0..4).find_map(|seed| found(bug.depth - 1, seed, 1000));
            assert_eq!(sooner, None, "{} is not that deep", bug.name);
        }
    }
    assert_eq!(ALL.iter().filter(|bug| bug.depth >= 3).count(), 3);
}

/// The median over 31 seeds, against that of the strategy which is best for the bug in question.
#[test]
fn the_portfolio_is_within_twice_the_best_single_strategy() {
    let mut hunter = Hunter::default();
    let mut ratios = Vec::new();
    for bug in &ALL {
        let portfolio = hunter.median(bug, Strategies::Portfolio, SEEDS, 20_000).unwrap();
        // Only what is better than the best so far needs to be known.
        let best = SINGLE.into_iter().fold(20_000, |best, name| {
            hunter.median(bug, Strategies::Only(name), SEEDS, best - 1).unwrap_or(best)
        });
        let best = hunter.exhaustive(bug, false, best - 1).unwrap_or(best);
        println!("{:<20} portfolio {portfolio:>4}, best {best:>4}", bug.name);
        ratios.push(portfolio as f64 / best as f64);
    }
    let mean = geometric_mean(&ratios);
    println!("geometric mean {mean:.2}");
    assert!(mean <= 2.0, "{mean:.2}");
}
