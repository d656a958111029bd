//! The real code with one call altered, and what it is held against.

use std::fmt;
use std::str::FromStr;

use midput_model::mutant::{Mutant, NoMutant};

/// A mutant under test. Its text form is `skip rlock.release`, with `against mutant` or
/// `against nothing` where it is not held against the model as it is.
///
/// ```
/// use midput_sim::mutation::{Against, Mutation};
///
/// let mutation: Mutation = "skip rlock.release against mutant".parse().unwrap();
/// assert_eq!(mutation.against, Against::Mutant);
/// assert_eq!(mutation.to_string(), "skip rlock.release against mutant");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// How the code is altered.
    pub mutant: Mutant,
    /// What its steps are compared with.
    pub against: Against,
}

/// What the steps of altered code are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Against {
    /// The model as it is: the code diverges from it where the mutant first shows.
    #[default]
    Model,
    /// The model with the same mutant: what is found then is broken guarantees and hazards.
    Mutant,
    /// Nothing: only the guarantees are judged. Hazards are recognised in the model's state, and
    /// so none is seen.
    Nothing,
}

impl Against {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Model, "model"), (Self::Mutant, "mutant"), (Self::Nothing, "nothing")];

    /// `model`, `mutant` or `nothing`.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(it, _)| *it == self).map_or("model", |(_, name)| name)
    }
}

impl Against {
    /// What it is, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Model => "the model as it is",
            Self::Mutant => "the model, altered in the same way",
            Self::Nothing => "nothing but the guarantees",
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mutant.fmt(formatter)?;
        match self.against {
            Against::Model => Ok(()),
            other => write!(formatter, " against {}", other.name()),
        }
    }
}

/// Why a text is no mutation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMutation {
    /// Its mutant is none.
    #[error(transparent)]
    Mutant(#[from] NoMutant),
    /// It is held against something else than there is.
    #[error("a mutant is held against 'model', 'mutant' or 'nothing', not '{0}'")]
    Against(String),
}

impl FromStr for Mutation {
    type Err = NoMutation;

    fn from_str(text: &str) -> Result<Self, NoMutation> {
        let (mutant, against) = text.split_once(" against ").unwrap_or((text, "model"));
        Ok(Self { mutant: mutant.parse()?, against: against.parse()? })
    }
}

impl FromStr for Against {
    type Err = NoMutation;

    fn from_str(text: &str) -> Result<Self, NoMutation> {
        let found = Self::ALL.into_iter().find(|(_, name)| *name == text.trim());
        found.map(|(against, _)| against).ok_or_else(|| NoMutation::Against(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutation_reads_back_from_its_text() {
        for mutant in Mutant::all() {
            for (against, _) in Against::ALL {
                let mutation = Mutation { mutant, against };
                assert_eq!(mutation.to_string().parse::<Mutation>().unwrap(), mutation);
            }
        }
        let error = "skip poll against all".parse::<Mutation>().unwrap_err().to_string();
        assert!(error.contains("'nothing', not 'all'"), "{error}");
    }
}
