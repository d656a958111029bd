//! What the figures of a report say.

use serde::{Deserialize, Serialize};

use super::{Expected, Report, Scope};

/// What a sweep says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "why", rename_all = "lowercase")]
pub enum ReportVerdict {
    /// Nothing was found that must not be, everything was reached that must be.
    Pass,
    /// Why not.
    Fail(String),
    /// Why it cannot be said.
    Inconclusive(String),
}

impl Report {
    /// What the sweep says: a canary passes where it fails.
    pub(super) fn judge(&self) -> ReportVerdict {
        if self.expect == Expected::Fail {
            return self.canary();
        }
        if !self.failures.is_empty() {
            return ReportVerdict::Fail(format!("{} of {} cases", self.failures.len(), self.run));
        }
        if let Some(undecided) = &self.inconclusive {
            let text = format!("{} cases: {}", undecided.cases, undecided.why);
            return ReportVerdict::Inconclusive(text);
        }
        if self.run == 0 && self.planned > 0 {
            return ReportVerdict::Inconclusive("no case ran".to_owned());
        }
        let missed: Vec<String> = self.missed().into_iter().collect();
        if missed.is_empty() || self.is_part() {
            return ReportVerdict::Pass;
        }
        let text = format!("vacuous, never reached: {}", missed.join("; "));
        if self.skipped > 0 {
            ReportVerdict::Inconclusive(format!("{} cases skipped; {text}", self.skipped))
        } else if self.scope == Scope::Kills {
            // Nobody schedules real processes: that they never came by says nothing for sure.
            ReportVerdict::Inconclusive(text)
        } else {
            ReportVerdict::Fail(text)
        }
    }

    /// A canary passes where harm is found, and only harm: any other failure is one of the check.
    fn canary(&self) -> ReportVerdict {
        let other = self.failures.iter().find(|failed| !failed.harm);
        match (other, self.failures.is_empty()) {
            (Some(failed), _) => ReportVerdict::Fail(format!(
                "it must fail by harm, and fails otherwise in case {}",
                failed.number
            )),
            (None, false) => ReportVerdict::Pass,
            // Of a shard it is not asked: the merged whole must fail.
            (None, true) if self.planned < self.planned_in_all && self.skipped == 0 => {
                ReportVerdict::Pass
            }
            (None, true) if self.is_part() || self.skipped > 0 => {
                ReportVerdict::Inconclusive("it must fail, and this part did not".to_owned())
            }
            (None, true) => ReportVerdict::Fail("it must fail, and nothing was found".to_owned()),
        }
    }
}
