//! `midput inspect`: what a program that hangs now is waiting for, and which harm that is.
//!
//! Everything is read from `/proc`: what relatives hold (`family`), what their threads do
//! (`calls`), what is in their pipes and semaphores (`look`), and which semaphore is what
//! (`roles`). The `diagnosis` is a function of that picture alone.

mod calls;
mod diagnosis;
mod family;
mod look;
mod parse;
mod picture;
#[cfg(test)]
mod pictures;
mod printing;
mod roles;

use serde::Serialize;

use crate::arguments::Inspect;
use crate::exit::Status;
use crate::print::outln;
use diagnosis::{Finding, diagnose};
use family::NoProcess;
use picture::Picture;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    verdict: Verdict,
    findings: &'a [Finding],
    picture: &'a Picture,
}

/// What the findings come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    NothingSeen,
    Hazard,
    CannotTell,
}

pub(crate) fn inspect(arguments: &Inspect) -> anyhow::Result<Status> {
    let picture = match look::look(arguments.pid) {
        Ok(picture) => picture,
        Err(error @ NoProcess::NoProc(_)) => {
            eprintln!("midput: {error}");
            return Ok(Status::CannotRun);
        }
        Err(error) => return Err(error.into()),
    };
    let findings = diagnose(&picture);
    let verdict = verdict(&picture, &findings);
    if arguments.json {
        let report = Report { verdict, findings: &findings, picture: &picture };
        outln!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        printing::print(&picture, &findings, verdict);
    }
    Ok(match verdict {
        Verdict::NothingSeen => Status::Pass,
        Verdict::Hazard => Status::Violation,
        Verdict::CannotTell => Status::Inconclusive,
    })
}

/// Nothing is well that could not be read.
fn verdict(picture: &Picture, findings: &[Finding]) -> Verdict {
    if findings.iter().any(Finding::is_likely) {
        Verdict::Hazard
    } else if findings.is_empty() && picture.unread.is_empty() {
        Verdict::NothingSeen
    } else {
        Verdict::CannotTell
    }
}
