//! The names of results in scenario files.

use std::fmt;
use std::str::FromStr;

use midput_model::program::{Outcome, Program};

use crate::nearest::one_of;

/// The name of a result: `Done`, `Empty`, `True`, `3`, `Item` for any item, `a` for the item `a`.
///
/// Names of results begin with an upper-case letter, names of items with a lower-case one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeName {
    /// Any item that was put: `Item`.
    AnyItem,
    /// The item of this name.
    Item(String),
    /// Any other result than an item.
    Other(Outcome),
}

const NAMED: &[(&str, Outcome)] = &[
    ("Done", Outcome::Done),
    ("Garbage", Outcome::Garbage),
    ("True", Outcome::Bool(true)),
    ("False", Outcome::Bool(false)),
    ("Full", Outcome::Full),
    ("Empty", Outcome::Empty),
    ("Closed", Outcome::Closed),
    ("HandleClosed", Outcome::HandleClosed),
    ("NotClosed", Outcome::NotClosed),
    ("TooMany", Outcome::TooMany),
    ("Missing", Outcome::Missing),
    ("EndOfFile", Outcome::EndOfFile),
    ("Torn", Outcome::Torn),
    ("Failed", Outcome::Failed),
];

impl OutcomeName {
    /// Whether `outcome`, in a run of `program`, is one that this names.
    pub fn matches(&self, outcome: Outcome, program: &Program) -> bool {
        match (self, outcome) {
            (Self::AnyItem, Outcome::Item(_)) => true,
            (Self::Item(name), Outcome::Item(item)) => {
                program.items.get(usize::from(item.0)).is_some_and(|item| item.name == *name)
            }
            (Self::Other(wanted), outcome) => *wanted == outcome,
            _ => false,
        }
    }
}

impl fmt::Display for OutcomeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyItem => formatter.write_str("Item"),
            Self::Item(name) => formatter.write_str(name),
            Self::Other(Outcome::Number(number)) => write!(formatter, "{number}"),
            Self::Other(Outcome::Item(item)) => write!(formatter, "#{}", item.0),
            Self::Other(outcome) => {
                let name = NAMED.iter().find(|(_, named)| named == outcome).map(|(name, _)| *name);
                formatter.write_str(name.unwrap_or("Failed"))
            }
        }
    }
}

/// Why a text names no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown outcome '{text}'; {hint}")]
pub struct NoOutcome {
    /// The text.
    pub text: String,
    /// What would be right.
    pub hint: String,
}

impl FromStr for OutcomeName {
    type Err = NoOutcome;

    fn from_str(text: &str) -> Result<Self, NoOutcome> {
        if let Some((_, outcome)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Other(*outcome));
        }
        if text == "Item" {
            return Ok(Self::AnyItem);
        }
        if let Ok(number) = text.parse::<u32>() {
            return Ok(Self::Other(Outcome::Number(number)));
        }
        if text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.contains(char::is_whitespace)
        {
            return Ok(Self::Item(text.to_owned()));
        }
        let hint = one_of(text, NAMED.iter().map(|(name, _)| *name).chain(["Item"]));
        Err(NoOutcome { text: text.to_owned(), hint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_back_from_its_text() {
        let names = NAMED.iter().map(|(name, _)| *name);
        for text in names.chain(["Item", "a", "a#2", "0", "17"]) {
            assert_eq!(text.parse::<OutcomeName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_outcome_names_the_nearest() {
        let error = "Emty".parse::<OutcomeName>().unwrap_err().to_string();
        assert_eq!(error, "unknown outcome 'Emty'; did you mean 'Empty'?");
    }
}
