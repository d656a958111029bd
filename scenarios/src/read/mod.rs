//! From the text of a scenario file to a [`Scenario`](crate::Scenario).

mod check;
mod document;
mod faults;
mod operation;
mod processes;

pub(crate) use document::Document;

use crate::{Mistake, Scenario};

/// Reads a scenario's text.
///
/// Everything that can be read is read, so that one pass reports as many mistakes as it can; the
/// checks over the whole program run only where each part by itself is right.
pub(crate) fn scenario(name: &str, text: &str) -> Result<Scenario, Vec<Mistake>> {
    let document = Document::new(text);
    let scenario = faults::scenario(&document, name);
    document.finish(scenario)
}

#[cfg(test)]
mod tests;
