//! Which actions of the model a sweep covered.

use std::collections::BTreeSet;

use midput_model::queue::classic::Covered;
use serde::{Deserialize, Serialize};

use crate::sweep::universe::Universe;

/// How far it is known what there is to cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Every state of the model was visited: there are no further actions.
    Explored,
    /// The model is too large: there may be further actions.
    ExploredInPart,
    /// Nobody looked: only what was seen is known.
    NotExplored,
}

/// Which actions of the model a sweep covered, by their names: `send write-body part`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actions {
    /// How far it is known what there is to cover.
    pub model: Model,
    /// The states of the model that were found.
    pub states: u64,
    /// The actions that cases came to.
    pub covered: BTreeSet<String>,
    /// Those that the model has, as far as it was explored, and no case came to.
    pub never: BTreeSet<String>,
    /// Those that cases came to, but not the model as far as it was explored: a transfer that a
    /// kill cuts by force, for one.
    pub beyond: BTreeSet<String>,
}

impl Actions {
    /// What cases came to, of a model that was not explored.
    pub(super) fn seen(covered: &Covered) -> Self {
        Self {
            model: Model::NotExplored,
            states: 0,
            covered: covered.names().collect(),
            never: BTreeSet::new(),
            beyond: BTreeSet::new(),
        }
    }

    /// Compares what was covered with what there is.
    pub fn compare(&mut self, universe: &Universe) {
        self.model = if universe.complete { Model::Explored } else { Model::ExploredInPart };
        self.states = universe.states as u64;
        self.within(&universe.actions.names().collect());
    }

    fn within(&mut self, universe: &BTreeSet<String>) {
        self.never = universe - &self.covered;
        self.beyond = &self.covered - universe;
    }

    /// The actions that the model has, as far as it was explored.
    fn universe(&self) -> BTreeSet<String> {
        &(&self.covered - &self.beyond) | &self.never
    }

    /// How many of the model's actions were covered.
    pub fn covered_within(&self) -> usize {
        self.covered.len() - self.beyond.len()
    }

    /// Adds what another shard covered. Where one did not look into the model, the other did.
    pub(super) fn join(&mut self, other: &Self) {
        let universe = match self.model {
            Model::NotExplored => other.universe(),
            _ => self.universe(),
        };
        if self.model == Model::NotExplored {
            (self.model, self.states) = (other.model, other.states);
        }
        self.covered.extend(other.covered.iter().cloned());
        if self.model != Model::NotExplored {
            self.within(&universe);
        }
    }
}
