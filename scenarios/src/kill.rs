//! Where a kill lands, and where a lane is held, in the text form of scenario and case files.

use std::fmt;
use std::str::FromStr;

use midput_model::program::{ProcessId, Signal};
use midput_model::site::Site;
use serde::{Deserialize, Serialize};

/// One kill: who dies, of what, and where.
///
/// Its text form, also in serde, is one of
/// `P1 SIGKILL before P1.feed write-frame[1]`, `P1 SIGKILL at P1.feed write-body[1]+63145`,
/// `P1 SIGKILL blocked in P0.main read-header[1]` (with an offset where bytes have moved) and
/// `P1 SIGKILL after P1.feed wlock.release[1]`.
///
/// The site is mostly one of the victim's own lanes, but may be any lane's: `P1` dies when `P0` is
/// there.
///
/// ```
/// use midput_scenarios::{KillPoint, Place};
///
/// let kill: KillPoint = "P1 SIGKILL at P1.feed write-body[1]+63145".parse().unwrap();
/// assert_eq!(kill.place, Place::At);
/// assert_eq!(kill.site.offset, 63145);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KillPoint {
    /// The victim.
    pub process: ProcessId,
    /// The signal that kills it.
    pub signal: Signal,
    /// The step. Its offset is above 0 for [`Place::At`], any for [`Place::Blocked`], else 0.
    pub site: Site,
    /// Where in the step.
    pub place: Place,
}

/// Where in a step a kill lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// Right before the step does anything.
    Before,
    /// After so many bytes of the transfer as the site's offset says, whether or not the lane is
    /// blocked then.
    At,
    /// While the lane waits in the step.
    Blocked,
    /// Right after the step is done as a whole.
    After,
}

impl Place {
    /// Every place, in the order in which one step meets them.
    pub const ALL: [Self; 4] = [Self::Before, Self::At, Self::Blocked, Self::After];

    fn text(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::At => "at",
            Self::Blocked => "blocked in",
            Self::After => "after",
        }
    }
}

impl fmt::Display for KillPoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            signal,
            site,
            place,
        } = self;
        write!(
            formatter,
            "P{} {} {} {site}",
            process.0,
            signal.name(),
            place.text()
        )
    }
}

/// Why a text names no kill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no kill: {reason}")]
pub struct NoKillPoint {
    /// The text.
    pub text: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl FromStr for KillPoint {
    type Err = NoKillPoint;

    fn from_str(text: &str) -> Result<Self, NoKillPoint> {
        parse_kill(text).map_err(|reason| NoKillPoint {
            text: text.to_owned(),
            reason,
        })
    }
}

fn parse_kill(text: &str) -> Result<KillPoint, String> {
    const FORM: &str = "it looks like 'P1 SIGKILL before P1.feed write-frame[1]'";
    let (process, rest) = text.trim().split_once(' ').ok_or(FORM)?;
    let process =
        parse_process(process).ok_or_else(|| format!("'{process}' is no process; {FORM}"))?;
    let (signal, rest) = rest.trim_start().split_once(' ').ok_or(FORM)?;
    let signal = parse_signal(signal)
        .ok_or_else(|| format!("'{signal}' is no signal; write SIGKILL or SIGTERM"))?;
    let rest = rest.trim_start();
    let (place, site) = Place::ALL
        .into_iter()
        .find_map(|place| Some((place, rest.strip_prefix(place.text())?.strip_prefix(' ')?)))
        .ok_or("the place is one of 'before', 'at', 'blocked in' and 'after'")?;
    let site: Site = site.parse().map_err(|error| format!("{error}"))?;
    match (place, site.offset) {
        (Place::At, 0) => Err("'at' needs the bytes moved by then, such as '+100'".to_owned()),
        (Place::Before | Place::After, 1..) => Err(format!(
            "'{}' takes no offset; write 'at' instead",
            place.text()
        )),
        _ => Ok(KillPoint {
            process,
            signal,
            site,
            place,
        }),
    }
}

/// `P0`, `P1`, …, without leading zeros.
pub(crate) fn parse_process(text: &str) -> Option<ProcessId> {
    let number: u8 = text.strip_prefix('P')?.parse().ok()?;
    (format!("P{number}") == text).then_some(ProcessId(number))
}

/// `SIGKILL` or `SIGTERM`.
pub(crate) fn parse_signal(text: &str) -> Option<Signal> {
    [Signal::Kill, Signal::Terminate]
        .into_iter()
        .find(|signal| signal.name() == text)
}

/// A lane that stays parked right before a site until its process dies: a thread that the system
/// does not run for very long. Its text form, also in serde, is `P1.feed before encode[1]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hold {
    /// The step that the lane does not begin. Its offset is 0.
    pub site: Site,
}

impl fmt::Display for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site {
            lane,
            step,
            occurrence,
            ..
        } = &self.site;
        write!(formatter, "{lane} before {step}[{occurrence}]")
    }
}

/// Why a text names no hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no hold; it looks like 'P1.feed before encode[1]'")]
pub struct NoHold {
    /// The text.
    pub text: String,
}

impl FromStr for Hold {
    type Err = NoHold;

    fn from_str(text: &str) -> Result<Self, NoHold> {
        let no_hold = || NoHold {
            text: text.to_owned(),
        };
        let (lane, step) = text.trim().split_once(" before ").ok_or_else(no_hold)?;
        let site: Site = format!("{lane} {step}").parse().map_err(|_| no_hold())?;
        if site.offset == 0 {
            Ok(Self { site })
        } else {
            Err(no_hold())
        }
    }
}

/// serde reads and writes these types through their text form.
macro_rules! as_text {
    ($type:ty) => {
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $type {
            type Error = <$type as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}
pub(crate) use as_text;

as_text!(KillPoint);
as_text!(Hold);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kill_point() -> impl Strategy<Value = KillPoint> {
        let places = prop::sample::select(Place::ALL.to_vec());
        let signals = prop::sample::select(vec![Signal::Kill, Signal::Terminate]);
        (
            any::<u8>(),
            signals,
            "P[0-9]\\.[a-z]{1,5}",
            "[a-z._-]{1,8}",
            1u32..,
            1u32..,
            places,
        )
            .prop_map(|(process, signal, lane, step, occurrence, offset, place)| {
                let offset = if matches!(place, Place::At | Place::Blocked) {
                    offset
                } else {
                    0
                };
                let site = Site {
                    lane,
                    step,
                    occurrence,
                    offset,
                };
                KillPoint {
                    process: ProcessId(process),
                    signal,
                    site,
                    place,
                }
            })
    }

    proptest! {
        #[test]
        fn a_kill_point_reads_back_from_its_text(kill in kill_point()) {
            prop_assert_eq!(kill.to_string().parse::<KillPoint>().unwrap(), kill);
        }

        #[test]
        fn a_hold_reads_back_from_its_text(lane in "P[0-9]\\.[a-z]{1,5}", step in "[a-z.-]{1,8}",
                                           occurrence in 1u32..) {
            let hold = Hold { site: Site { lane, step, occurrence, offset: 0 } };
            prop_assert_eq!(hold.to_string().parse::<Hold>().unwrap(), hold);
        }
    }

    #[test]
    fn the_text_form_is_the_one_of_case_files() {
        for text in [
            "P1 SIGKILL before P1.feed write-frame[1]",
            "P1 SIGKILL at P1.feed write-body[1]+63145",
            "P1 SIGKILL blocked in P0.main read-header[1]",
            "P2 SIGTERM blocked in P2.main read-body[1]+63145",
            "P1 SIGKILL after P1.feed wlock.release[1]",
        ] {
            assert_eq!(text.parse::<KillPoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_kill_is_refused_with_what_would_be_right() {
        for (text, hint) in [
            ("", "looks like"),
            ("main SIGKILL before P1.feed encode[1]", "no process"),
            ("P01 SIGKILL before P1.feed encode[1]", "no process"),
            ("P1 KILL before P1.feed encode[1]", "SIGKILL or SIGTERM"),
            ("P1 SIGKILL in P1.feed encode[1]", "'blocked in'"),
            ("P1 SIGKILL before P1.feed encode", "looks like 'P1.feed"),
            ("P1 SIGKILL at P1.feed write-body[1]", "needs the bytes"),
            ("P1 SIGKILL before P1.feed write-body[1]+3", "write 'at'"),
        ] {
            let error = text.parse::<KillPoint>().unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
        assert!("P1.feed before encode[1]+3".parse::<Hold>().is_err());
    }
}
