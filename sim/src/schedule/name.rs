//! The strategies by their names, as cases and the command line write them.

use std::fmt;
use std::str::FromStr;

/// The deepest bug that PCT is asked for; and the most preemptions of the bounded strategy.
pub const PLACES_MAX: usize = 16;

/// Who decides at the choices of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StrategyName {
    /// Every alternative is as likely as every other.
    Random,
    /// Random priorities, and `depth - 1` places where who goes first falls behind all others.
    Pct {
        /// The depth of the bugs that are looked for: how many orders of two steps must be just so.
        depth: u8,
    },
    /// A lane goes on until it blocks or ends, but for so many preemptions.
    Bounded {
        /// How many.
        preemptions: u8,
    },
}

impl StrategyName {
    /// What is meant by `pct` without a depth.
    const DEPTH: u8 = 3;
    /// What is meant by `bounded` without a number of preemptions.
    const PREEMPTIONS: u8 = 2;
}

impl fmt::Display for StrategyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => formatter.write_str("random"),
            Self::Pct { depth } => write!(formatter, "pct depth={depth}"),
            Self::Bounded { preemptions } => write!(formatter, "bounded preemptions={preemptions}"),
        }
    }
}

/// A text names no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no strategy; there are 'random', 'pct depth=3' (1 to {PLACES_MAX}) and \
     'bounded preemptions=2' (0 to {PLACES_MAX}){hint}", hint = hint(.0)
)]
pub struct UnknownStrategy(pub String);

/// A case depends on seed and number alone; a search goes from one schedule to the next.
fn hint(text: &str) -> &'static str {
    if text == "exhaustive" {
        "; every schedule of a scenario is run by 'midput explore SCENARIO --code'"
    } else {
        ""
    }
}

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let unknown = || UnknownStrategy(text.to_owned());
        let parameter = |word: &str, name: &str, least: u8| {
            let value = word.strip_prefix(name).and_then(|it| it.strip_prefix('='));
            let value = value.and_then(|it| it.parse().ok());
            value.filter(|it| (least..=PLACES_MAX as u8).contains(it)).ok_or_else(unknown)
        };
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["random"] => Ok(Self::Random),
            ["pct"] => Ok(Self::Pct { depth: Self::DEPTH }),
            ["pct", depth] => Ok(Self::Pct { depth: parameter(depth, "depth", 1)? }),
            ["bounded"] => Ok(Self::Bounded { preemptions: Self::PREEMPTIONS }),
            ["bounded", preemptions] => {
                Ok(Self::Bounded { preemptions: parameter(preemptions, "preemptions", 0)? })
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_reads_back_from_its_name() {
        let names = [
            StrategyName::Random,
            StrategyName::Pct { depth: 1 },
            StrategyName::Pct { depth: 16 },
            StrategyName::Bounded { preemptions: 0 },
            StrategyName::Bounded { preemptions: 16 },
        ];
        for name in names {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!("pct".parse(), Ok(StrategyName::Pct { depth: 3 }));
        assert_eq!("bounded".parse(), Ok(StrategyName::Bounded { preemptions: 2 }));
    }

    #[test]
    fn what_is_no_strategy_is_refused_with_what_is_one() {
        let wrong = [
            "",
            "rnd",
            "pct depth=0",
            "pct depth=17",
            "pct preemptions=2",
            "bounded 2",
            "random 1",
        ];
        for text in wrong {
            let error = text.parse::<StrategyName>().unwrap_err().to_string();
            assert!(error.contains(&format!("'{text}'")), "{error}");
            assert!(error.contains("bounded preemptions=2"), "{error}");
        }
    }
}
