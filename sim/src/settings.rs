//! The settings that `cargo test` and the command read from the environment.

use std::path::PathBuf;
use std::time::Duration;

use midput_scenarios::World;

/// The seed of every sweep that names no other: fixed, so that a run says the same tomorrow.
pub const DEFAULT_SEED: u64 = 0x4d2;

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No variable of this name has a meaning.
    #[error("unknown variable {name}; midput reads {}", NAMES.join(", "))]
    Unknown {
        /// Its name.
        name: String,
    },
    /// Its value cannot be read.
    #[error("{name}={value} cannot be read: {right}")]
    Value {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// What would be right.
        right: &'static str,
    },
}

const NAMES: &[&str] = &[
    "MIDPUT_SEED",
    "MIDPUT_CASES",
    "MIDPUT_BUDGET",
    "MIDPUT_CASE",
    "MIDPUT_WORLD",
    "MIDPUT_SHARD",
    "MIDPUT_OUT",
    "MIDPUT_TRACE",
    "MIDPUT_HANG_AFTER",
    "MIDPUT_TWICE",
    "MIDPUT_LOG",
];

/// Which traces are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traces {
    /// Those of failing cases.
    #[default]
    Fail,
    /// Those of all cases.
    All,
    /// None.
    Off,
}

/// What the environment says. What it leaves open is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `MIDPUT_SEED`: what cases are drawn from.
    pub seed: Option<u64>,
    /// `MIDPUT_CASES`: how many cases for each scenario.
    pub cases: Option<u64>,
    /// `MIDPUT_BUDGET`: how long to go on, such as `30s`.
    pub budget: Option<Duration>,
    /// `MIDPUT_CASE`: run exactly the case in this file.
    pub case: Option<PathBuf>,
    /// `MIDPUT_WORLD`: only this world.
    pub world: Option<World>,
    /// `MIDPUT_SHARD`: `m/n`, from 1.
    pub shard: Option<Shard>,
    /// `MIDPUT_OUT`: where files are written.
    pub out: Option<PathBuf>,
    /// `MIDPUT_TRACE`: which traces are written.
    pub traces: Option<Traces>,
    /// `MIDPUT_HANG_AFTER`: how long a native run may go on without an end.
    pub hang_after: Option<Duration>,
    /// `MIDPUT_TWICE`: run every case twice and compare.
    pub twice: Option<bool>,
    /// `MIDPUT_LOG`: a filter for what the harness logs.
    pub log: Option<String>,
}

impl Settings {
    /// Reads the variables of this process whose names begin with `MIDPUT_`.
    ///
    /// # Errors
    /// An unknown name, or a value that cannot be read, by name and with what would be right.
    pub fn from_environment() -> Result<Self, SettingsError> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("MIDPUT_").then(|| (name, value.to_string_lossy().into_owned()))
        });
        Self::from_variables(variables)
    }

    /// Reads these variables.
    ///
    /// # Errors
    /// As [`from_environment`](Self::from_environment).
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        for (name, value) in variables {
            settings.read(&name, &value)?;
        }
        Ok(settings)
    }

    fn read(&mut self, name: &str, value: &str) -> Result<(), SettingsError> {
        let bad =
            |right| SettingsError::Value { name: name.to_owned(), value: value.to_owned(), right };
        const SEED: &str = "a seed is a number, 0x and digits, a commit's 40 digits, or 'random'";
        const COUNT: &str = "it is a whole number";
        const TIME: &str = "a time looks like 500ms, 30s or 2m";
        match name {
            "MIDPUT_SEED" => self.seed = Some(parse_seed(value).ok_or(bad(SEED))?),
            "MIDPUT_CASES" => self.cases = Some(value.parse().map_err(|_| bad(COUNT))?),
            "MIDPUT_BUDGET" => self.budget = Some(parse_time(value).ok_or(bad(TIME))?),
            "MIDPUT_CASE" => self.case = Some(value.into()),
            "MIDPUT_WORLD" => {
                let world = World::ALL.into_iter().find(|world| world.name() == value);
                self.world = Some(world.ok_or(bad("a world is 'sim' or 'native'"))?);
            }
            "MIDPUT_SHARD" => {
                let right = "a shard is m/n with 1 <= m <= n, such as 2/8";
                self.shard = Some(value.parse().map_err(|()| bad(right))?);
            }
            "MIDPUT_OUT" => self.out = Some(value.into()),
            "MIDPUT_TRACE" => {
                self.traces = Some(match value {
                    "fail" => Traces::Fail,
                    "all" => Traces::All,
                    "off" => Traces::Off,
                    _ => return Err(bad("it is 'fail', 'all' or 'off'")),
                });
            }
            "MIDPUT_HANG_AFTER" => self.hang_after = Some(parse_time(value).ok_or(bad(TIME))?),
            "MIDPUT_TWICE" => {
                self.twice = Some(match value {
                    "1" | "true" => true,
                    "0" | "false" => false,
                    _ => return Err(bad("it is 1 or 0")),
                });
            }
            "MIDPUT_LOG" => self.log = Some(value.to_owned()),
            _ => return Err(SettingsError::Unknown { name: name.to_owned() }),
        }
        Ok(())
    }
}

/// One part of a sweep that is shared out: case `i` belongs to shard `i mod n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub number: u64,
    /// Of so many.
    pub of: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Shard {
    /// How many of so many cases belong to this shard.
    pub fn share(self, cases: u64) -> u64 {
        if cases < self.number { 0 } else { (cases - self.number) / self.of + 1 }
    }

    /// The number of the `index`-th case of this shard.
    pub fn case(self, index: u64) -> u64 {
        index.saturating_mul(self.of).saturating_add(self.number - 1)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.number, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, of) = text.split_once('/').ok_or(())?;
        let shard = Self { number: number.parse().map_err(drop)?, of: of.parse().map_err(drop)? };
        if (1..=shard.of).contains(&shard.number) { Ok(shard) } else { Err(()) }
    }
}

/// A seed: a number, `0x` and hexadecimal digits, a commit (its first 64 bits), or `random`.
pub fn parse_seed(text: &str) -> Option<u64> {
    if text == "random" {
        // A hasher of the standard library is seeded by the operating system.
        use std::hash::{BuildHasher, Hasher, RandomState};
        return Some(RandomState::new().build_hasher().finish());
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let is_commit = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit { u64::from_str_radix(&text[..16], 16).ok() } else { text.parse().ok() }
}

/// A time: `500ms`, `30s`, `2m`.
pub fn parse_time(text: &str) -> Option<Duration> {
    let split = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, SettingsError> {
        Settings::from_variables([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn every_variable_is_read() {
        assert_eq!(read("MIDPUT_SEED", "0x10").unwrap().seed, Some(16));
        assert_eq!(read("MIDPUT_BUDGET", "2m").unwrap().budget, Some(Duration::from_secs(120)));
        assert_eq!(read("MIDPUT_SHARD", "2/8").unwrap().shard, Some(Shard { number: 2, of: 8 }));
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(read("MIDPUT_SEED", commit).unwrap().seed, Some(0x0123_4567_89ab_cdef));
        for name in NAMES {
            assert!(!matches!(read(name, "x"), Err(SettingsError::Unknown { .. })), "{name}");
        }
    }

    #[test]
    fn a_wrong_value_and_an_unknown_name_are_errors_that_say_what_is_right() {
        for (name, value) in [
            ("MIDPUT_SEED", "12x"),
            ("MIDPUT_CASES", "-1"),
            ("MIDPUT_BUDGET", "30"),
            ("MIDPUT_WORLD", "moon"),
            ("MIDPUT_SHARD", "0/8"),
            ("MIDPUT_SHARD", "9/8"),
            ("MIDPUT_TRACE", "some"),
            ("MIDPUT_TWICE", "yes"),
        ] {
            let error = read(name, value).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
        let error = read("MIDPUT_SEDE", "1").unwrap_err().to_string();
        assert!(error.contains("MIDPUT_SEDE") && error.contains("MIDPUT_SEED"), "{error}");
    }

    #[test]
    fn the_shards_share_out_every_case_once() {
        for of in 1..5 {
            let mut cases: Vec<u64> = (1..=of)
                .map(|number| Shard { number, of })
                .flat_map(|shard| (0..shard.share(11)).map(move |index| shard.case(index)))
                .collect();
            cases.sort_unstable();
            assert_eq!(cases, (0..11).collect::<Vec<_>>());
        }
    }
}
