//! The rules of CPython's multiprocessing that midput follows, as data.

mod list;

use crate::nearest::one_of;
use list::RULES;

/// One rule of the semantics of CPython's queues, pipes and processes on Linux.
///
/// Code and tests cite it by its id: `SL` semaphore, `Q` Queue, `SQ` SimpleQueue, `JQ`
/// JoinableQueue, `K` Condition, `CN` Connection, `WF` wire format, `LC` life of a process, `X`
/// what a crash leaves, `O` ordering, `MQ` manager queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `WF4`; it never changes.
    pub id: &'static str,
    /// What it says.
    pub says: &'static str,
    /// How much of it applies.
    pub scope: Scope,
}

/// How much of a rule applies to midput's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Whole,
    /// All of it but a part; the text says which, and why.
    Without(&'static str),
    /// Nothing of it; the text says why.
    LeftOut(&'static str),
}

impl Rule {
    /// Every rule in the order of the semantics.
    pub const ALL: &'static [Self] = RULES;

    /// The rule with this id.
    ///
    /// # Errors
    /// Where there is none: what the text may have meant.
    pub fn find(id: &str) -> Result<&'static Self, String> {
        let found = RULES.iter().find(|rule| rule.id == id);
        found.ok_or_else(|| one_of(id, RULES.iter().map(|rule| rule.id)))
    }

    /// The letters of its id: `WF`.
    pub fn family(&self) -> &'static str {
        self.id.trim_end_matches(|letter: char| letter.is_ascii_digit())
    }

    /// Whether it applies, if only in part.
    pub fn applies(&self) -> bool {
        !matches!(self.scope, Scope::LeftOut(_))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Hazard;

    #[test]
    fn the_rules_of_a_family_are_numbered_without_a_gap() {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for rule in Rule::ALL {
            let count = counts.entry(rule.family()).or_default();
            *count += 1;
            assert_eq!(rule.id, format!("{}{count}", rule.family()));
        }
        let expected = "CN8 JQ5 K2 LC11 MQ8 O7 Q19 SL3 SQ4 WF11 X14";
        let found = counts.iter().map(|(family, count)| format!("{family}{count}"));
        assert_eq!(found.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn hazards_follow_from_rules_that_apply() {
        for hazard in Hazard::ALL {
            for id in hazard.rules() {
                assert!(Rule::find(id).unwrap().applies(), "{hazard}: {id}");
            }
        }
    }
}
