//! Which strategy a case of a sweep gets. No single one finds everything soon, so that by default
//! they take turns.

use std::fmt;
use std::str::FromStr;

use super::{StrategyName, UnknownStrategy};

/// The strategies of the portfolio, in their turns: one that changes lanes all the time, one that
/// seldom does, and one that lets a lane fall far behind. What each is good at was measured on the
/// bugs of `sim/tests/bugs` (docs/strategies.md).
pub const PORTFOLIO: &[StrategyName] = &[
    StrategyName::Random,
    StrategyName::Bounded { preemptions: 3 },
    StrategyName::Pct { depth: 8 },
];

/// What decides in the cases of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategies {
    /// All of [`PORTFOLIO`], in turns.
    #[default]
    Portfolio,
    /// One strategy in all cases.
    Only(StrategyName),
}

impl Strategies {
    /// The strategy of case `number` in a sweep of a scenario with so many kill sites. The cases of
    /// one site meet one strategy after the other, whatever the number of sites.
    pub fn of(self, number: u64, sites: u64) -> StrategyName {
        match self {
            Self::Only(name) => name,
            Self::Portfolio => {
                let sites = sites.max(1);
                let turn = (number % sites).wrapping_add(number / sites);
                PORTFOLIO[(turn % PORTFOLIO.len() as u64) as usize]
            }
        }
    }
}

impl fmt::Display for Strategies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Portfolio => formatter.write_str("portfolio"),
            Self::Only(name) => name.fmt(formatter),
        }
    }
}

impl FromStr for Strategies {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        if text == "portfolio" { Ok(Self::Portfolio) } else { text.parse().map(Self::Only) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_site_meets_every_strategy_in_its_turn() {
        for sites in [1, 2, 3, 6, 12, 31] {
            let seen: BTreeSet<(u64, StrategyName)> = (0..sites * PORTFOLIO.len() as u64)
                .map(|number| (number % sites, Strategies::Portfolio.of(number, sites)))
                .collect();
            let all: BTreeSet<StrategyName> = PORTFOLIO.iter().copied().collect();
            assert_eq!(seen.len() as u64, sites * all.len() as u64, "{sites} sites");
        }
    }

    #[test]
    fn a_choice_of_strategies_reads_back_from_its_text() {
        for text in ["portfolio", "random", "pct depth=2", "bounded preemptions=0"] {
            assert_eq!(text.parse::<Strategies>().unwrap().to_string(), text);
        }
    }
}
