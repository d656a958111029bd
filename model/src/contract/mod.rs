//! The guarantees, as predicates over the history of a run.
