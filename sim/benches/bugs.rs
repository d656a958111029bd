//! Which strategy finds which bug, in how many executions: the median over 31 seeds.
//! `cargo bench -p midput-sim --bench bugs`.

#[path = "../tests/bugs/bug/mod.rs"]
mod bug;
#[path = "../tests/bugs/hunt.rs"]
mod hunt;

use bug::ALL;
use hunt::{Hunter, SEEDS, SINGLE, geometric_mean};
use midput_sim::schedule::Strategies;

/// The executions after which a strategy gives up.
const MOST: u64 = 20_000;

fn main() {
    let all = SINGLE.into_iter().map(Strategies::Only).chain([Strategies::Portfolio]);
    let all: Vec<Strategies> = all.collect();
    println!("median of the executions to find each bug, over {} seeds", SEEDS.count());
    print!("{:<22}", "");
    for strategies in &all {
        print!("{:>10}", short(*strategies));
    }
    println!("{:>11}{:>7}", "exhaustive", "ratio");
    let mut hunter = Hunter::default();
    let mut ratios = Vec::new();
    for bug in &ALL {
        print!("{:<20} {}", bug.name, bug.depth);
        let medians: Vec<Option<u64>> =
            all.iter().map(|&it| hunter.median(bug, it, SEEDS, MOST)).collect();
        for median in &medians {
            print!("{:>10}", median.map_or("-".to_owned(), |it| it.to_string()));
        }
        let exhaustive = hunter.exhaustive(bug, false, MOST);
        print!("{:>11}", exhaustive.map_or("-".to_owned(), |it| it.to_string()));
        let (portfolio, single) = medians.split_last().expect("the portfolio is the last");
        let best = single.iter().chain([&exhaustive]).flatten().min();
        let ratio = match (portfolio, best) {
            (Some(portfolio), Some(best)) => *portfolio as f64 / *best as f64,
            _ => f64::INFINITY,
        };
        println!("{ratio:>7.2}");
        ratios.push(ratio);
    }
    println!("geometric mean of portfolio / best single strategy: {:.2}", geometric_mean(&ratios));
    println!("the number after a name is its depth; - is more than {MOST} executions");
    for bug in &ALL {
        println!("{:<22}{}", bug.name, bug.wrong);
    }
}

/// `pct 3`, `bounded 2`.
fn short(strategies: Strategies) -> String {
    let text = strategies.to_string();
    match text.split_once(' ') {
        None => text,
        Some((name, value)) => format!("{name} {}", value.split('=').next_back().unwrap_or("")),
    }
}
