//! The name of a place in a run: which lane, which step, which time, how many bytes in.

use serde::{Deserialize, Serialize};

/// A site: a lane's n-th step of a name, and how many bytes it has moved by then.
///
/// Its text form is `P1.feed write-body[1]+63145`; the offset is left out where it is 0.
/// The occurrence counts from 1, for each lane and step name; the continuation of one transfer
/// is the same occurrence at a larger offset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Site {
    /// The lane's name, such as `P1.feed`.
    pub lane: String,
    /// The step's name, such as `write-body`.
    pub step: String,
    /// The n-th time that the lane does this step, from 1.
    pub occurrence: u32,
    /// Bytes moved so far in this transfer.
    pub offset: u32,
}

impl std::fmt::Display for Site {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} {}[{}]",
            self.lane, self.step, self.occurrence
        )?;
        if self.offset > 0 {
            write!(formatter, "+{}", self.offset)?;
        }
        Ok(())
    }
}

/// Why a text is no site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no site; a site looks like 'P1.feed write-body[1]+63145'")]
pub struct NoSite {
    /// The text.
    pub text: String,
}

impl std::str::FromStr for Site {
    type Err = NoSite;

    fn from_str(text: &str) -> Result<Self, NoSite> {
        parse(text).ok_or_else(|| NoSite {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<Site> {
    let (lane, rest) = text.trim().split_once(' ')?;
    let (step, rest) = rest.trim().split_once('[')?;
    let (occurrence, rest) = rest.split_once(']')?;
    let offset = match rest {
        "" => 0,
        _ => rest.strip_prefix('+')?.parse().ok()?,
    };
    let occurrence = occurrence
        .parse()
        .ok()
        .filter(|&occurrence| occurrence > 0)?;
    let plain = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
    (plain(lane) && plain(step)).then(|| Site {
        lane: lane.to_owned(),
        step: step.to_owned(),
        occurrence,
        offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_reads_back_from_its_text() {
        for text in ["P1.feed write-body[1]+63145", "P0.main rlock.acquire[12]"] {
            assert_eq!(text.parse::<Site>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_site_is_refused() {
        for text in [
            "",
            "P1.feed",
            "P1.feed x",
            "P1.feed x[0]",
            "P1.feed x[1]-3",
            "a b c[1]",
        ] {
            assert!(text.parse::<Site>().is_err(), "{text}");
        }
    }
}
