//! What a check adds up to: the sweeps of its scenarios, and what they were run with. A file.

use serde::{Deserialize, Serialize};

use super::{Report, ReportVerdict, Unbalanced};
use crate::settings::Shard;

/// The version of report files that this crate writes and reads.
const VERSION: u32 = 1;

/// What a check adds up to. Apart from its times it is the same for any number of jobs, and that
/// of all shards, merged, is the same as that of one check without shards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckReport {
    /// The version of the form.
    midput_report: u32,
    /// The program that ran it, with its version.
    pub program: String,
    /// What the cases were drawn from: hexadecimal digits after `0x`, since not every reader of
    /// JSON has 64 bits.
    #[serde(with = "seed")]
    pub seed: u64,
    /// Which part of the cases this is.
    #[serde(with = "shard")]
    pub shard: Shard,
    /// What else the cases depend on.
    pub options: Options,
    /// Whether somebody stopped it, so that not all was run.
    pub interrupted: bool,
    /// The sums over all sweeps.
    pub totals: Figures,
    /// One for each scenario and world.
    pub sweeps: Vec<Report>,
    /// How long it took, by shard: all that may differ between two runs of the same.
    pub times: Vec<ShardTimes>,
}

/// What the cases of a check depend on beside the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What was tested.
    pub subject: String,
    /// Who decided at the choices.
    pub strategy: String,
    /// How the code was altered, if it was.
    pub mutant: Option<String>,
    /// Simulated cases for each scenario, all shards together.
    pub cases: u64,
    /// A sweep ends after so many failing cases; 0 is never.
    pub max_fail: u64,
    /// A sweep ends after so many cases that brought nothing new; 0 is never.
    pub until_quiet: u64,
    /// Whether every simulated case was run twice.
    pub twice: bool,
    /// How time passed in simulation: `patient` or `any`.
    pub time: String,
    /// How long a native run may take, in milliseconds.
    pub hang_after_ms: u64,
    /// How long the check may take, in milliseconds.
    pub budget_ms: Option<u64>,
}

/// Sums over sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Cases that were to run.
    pub planned: u64,
    /// Cases that ran.
    pub run: u64,
    /// Cases that did not.
    pub skipped: u64,
    /// Steps.
    pub steps: u64,
    /// Sweeps that passed.
    pub passed: u64,
    /// Sweeps that failed.
    pub failed: u64,
    /// Sweeps of which nothing can be said.
    pub inconclusive: u64,
}

/// How long one shard took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardTimes {
    /// Which.
    #[serde(with = "shard")]
    pub shard: Shard,
    /// With how many threads.
    pub jobs: u64,
    /// In all, in milliseconds.
    pub elapsed_ms: u64,
    /// Each sweep, in their order, in milliseconds.
    pub sweeps_ms: Vec<u64>,
}

/// Why a text is no report that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// It is not what `--report` writes.
    #[error("this is no report of 'midput check --report': {0}")]
    Form(String),
    /// It has another version.
    #[error(
        "this is a report of version {found}; this midput reads version {VERSION}: run that shard \
         again with it"
    )]
    Version {
        /// The version in the file.
        found: String,
    },
    /// Its counts do not add up.
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
    /// Its verdicts or sums are not what its figures say.
    #[error("its {0} is not what its figures say; the file was changed: run that shard again")]
    Changed(&'static str),
}

impl CheckReport {
    /// The report of these sweeps.
    ///
    /// # Errors
    /// Where the counts of one do not add up: a mistake in midput.
    pub fn new(
        program: String,
        seed: u64,
        shard: Shard,
        options: Options,
        sweeps: Vec<Report>,
    ) -> Result<Self, Unbalanced> {
        for sweep in &sweeps {
            sweep.balance()?;
        }
        Ok(Self {
            midput_report: VERSION,
            program,
            seed,
            shard,
            options,
            interrupted: false,
            totals: Figures::of(&sweeps),
            sweeps,
            times: Vec::new(),
        })
    }

    /// The text of a report file: one object, indented.
    pub fn to_json(&self) -> String {
        // Texts, numbers and lists of them are always written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a report file and holds that its figures agree with each other.
    ///
    /// # Errors
    /// [`NoReport`] says what is wrong.
    pub fn from_json(text: &str) -> Result<Self, NoReport> {
        let form = |error: serde_json::Error| NoReport::Form(error.to_string());
        let value: serde_json::Value = serde_json::from_str(text).map_err(form)?;
        match value.get("midput_report") {
            Some(version) if *version == VERSION => {}
            Some(version) => return Err(NoReport::Version { found: version.to_string() }),
            None => return Err(NoReport::Form("it has no 'midput_report'".to_owned())),
        }
        let report: Self = serde_json::from_value(value).map_err(form)?;
        for sweep in &report.sweeps {
            sweep.balance()?;
            if sweep.verdict != sweep.judge() {
                return Err(NoReport::Changed("verdict"));
            }
        }
        if report.totals != Figures::of(&report.sweeps) {
            return Err(NoReport::Changed("sum"));
        }
        Ok(report)
    }
}

impl Figures {
    pub(super) fn of(sweeps: &[Report]) -> Self {
        let mut sums = Self::default();
        for sweep in sweeps {
            sums.planned = sums.planned.saturating_add(sweep.planned);
            sums.run = sums.run.saturating_add(sweep.run);
            sums.skipped = sums.skipped.saturating_add(sweep.skipped);
            sums.steps = sums.steps.saturating_add(sweep.steps);
            match sweep.verdict {
                ReportVerdict::Pass => sums.passed += 1,
                ReportVerdict::Fail(_) => sums.failed += 1,
                ReportVerdict::Inconclusive(_) => sums.inconclusive += 1,
            }
        }
        sums
    }
}

mod seed {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::settings::parse_seed;

    pub(super) fn serialize<S: Serializer>(seed: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{seed:#x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.strip_prefix("0x").and_then(|_| parse_seed(&text));
        digits.ok_or_else(|| D::Error::custom(format!("'{text}' is no seed such as '0x4d2'")))
    }
}

mod shard {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::settings::Shard;

    pub(super) fn serialize<S: Serializer>(shard: &Shard, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(shard)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Shard, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|()| D::Error::custom(format!("'{text}' is no shard such as '1/8'")))
    }
}
