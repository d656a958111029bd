//! Joins the reports of all shards of one check to the report that it would have had without
//! shards.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{CheckReport, GoalReached, Report, SiteHits, Undecided};
use crate::settings::Shard;
use crate::sweep::report::check::Figures;

/// A report and the file that it came from.
#[derive(Clone, Debug)]
pub struct Named {
    /// The file's name.
    pub file: String,
    /// What it holds.
    pub report: CheckReport,
}

/// Why reports cannot be joined, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There are none.
    #[error("there is no report to merge")]
    Nothing,
    /// Two reports were run with something different.
    #[error(
        "{first} and {second} are of different checks: {what} is {here} in the first and {there} \
         in the second; run one of them again as the other was run"
    )]
    Different {
        /// What is different.
        what: String,
        /// The one file.
        first: String,
        /// What it has.
        here: String,
        /// The other file.
        second: String,
        /// What it has.
        there: String,
    },
    /// Two reports are of the same shard.
    #[error("{first} and {second} are both of shard {shard}; leave one of them out")]
    Double {
        /// Which shard.
        shard: Shard,
        /// The one file.
        first: String,
        /// The other file.
        second: String,
    },
    /// Shards are missing.
    #[error("{}", missing(.shards, .files))]
    Missing {
        /// Which.
        shards: Vec<Shard>,
        /// The files that are there.
        files: Vec<String>,
    },
    /// The shards of a sweep have more or fewer cases together than it has.
    #[error(
        "{scenario} in world {world}: the shards have {planned} cases together, and all are \
         {planned_in_all}; these reports cannot be of one check"
    )]
    Unbalanced {
        /// Of which scenario.
        scenario: String,
        /// In which world.
        world: &'static str,
        /// The cases of all reports together.
        planned: u64,
        /// The cases that there are.
        planned_in_all: u64,
    },
}

fn missing(shards: &[Shard], files: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<String> = shards.iter().take(SHOWN).map(ToString::to_string).collect();
    if shards.len() > SHOWN {
        names.push(format!("{} more", shards.len() - SHOWN));
    }
    let (noun, them) = if shards.len() == 1 { ("shard", "it") } else { ("shards", "them") };
    format!(
        "{noun} {} missing from {}: run {them} with the same options, and merge all reports again",
        names.join(", "),
        files.join(", ")
    )
}

/// Joins the reports of all shards, in any order.
///
/// # Errors
/// Where they are not all shards of one check, each once; it says which files are at odds, and
/// what to do.
pub fn merge(reports: Vec<Named>) -> Result<CheckReport, MergeError> {
    let first = reports.first().ok_or(MergeError::Nothing)?;
    for other in &reports[1..] {
        same(first, other)?;
    }
    let mut by_shard: BTreeMap<u64, Named> = BTreeMap::new();
    let of = first.report.shard.of;
    let files: Vec<String> = reports.iter().map(|named| named.file.clone()).collect();
    for named in reports {
        let shard = named.report.shard;
        if let Some(there) = by_shard.get(&shard.number) {
            let (first, second) = (there.file.clone(), named.file);
            return Err(MergeError::Double { shard, first, second });
        }
        by_shard.insert(shard.number, named);
    }
    let there = by_shard.len() as u64;
    if there < of {
        // Of a list that is too long to be shown only what is shown and counted is made.
        let shards = (1..=of).filter(|number| !by_shard.contains_key(number));
        let shards = shards.map(|number| Shard { number, of }).take(1000).collect();
        return Err(MergeError::Missing { shards, files });
    }
    let mut named = by_shard.into_values().map(|named| named.report);
    let mut whole = named.next().ok_or(MergeError::Nothing)?;
    for report in named {
        join(&mut whole, report);
    }
    whole.shard = Shard::default();
    for sweep in &mut whole.sweeps {
        finish(sweep)?;
    }
    whole.totals = Figures::of(&whole.sweeps);
    Ok(whole)
}

/// Holds that two reports are of the same check: all but the shard and what it found.
fn same(first: &Named, second: &Named) -> Result<(), MergeError> {
    let differs = |what: &str, here: String, there: String| MergeError::Different {
        what: what.to_owned(),
        first: first.file.clone(),
        here,
        second: second.file.clone(),
        there,
    };
    let (here, there) = (&first.report, &second.report);
    let mut pairs = vec![
        ("the program".to_owned(), here.program.clone(), there.program.clone()),
        ("the seed".to_owned(), format!("{:#x}", here.seed), format!("{:#x}", there.seed)),
    ];
    pairs.extend(
        options(here)
            .into_iter()
            .zip(options(there))
            .map(|((name, here), (_, there))| (format!("option '{name}'"), here, there)),
    );
    pairs.push((
        "the number of shards".to_owned(),
        here.shard.of.to_string(),
        there.shard.of.to_string(),
    ));
    let names = |report: &CheckReport| {
        let names = report.sweeps.iter().map(|it| format!("{} {}", it.scenario, it.world));
        names.collect::<Vec<_>>()
    };
    let (mine, theirs) = (names(here), names(there));
    if mine != theirs {
        let missing = |from: &[String], to: &[String]| {
            let extra: Vec<String> = from.iter().filter(|it| !to.contains(it)).cloned().collect();
            if extra.is_empty() { "none more".to_owned() } else { extra.join(", ") }
        };
        let (here, there) = (missing(&mine, &theirs), missing(&theirs, &mine));
        return Err(differs("the list of scenarios and worlds", here, there));
    }
    for (mine, theirs) in here.sweeps.iter().zip(&there.sweeps) {
        let what = format!(
            "the fingerprint of {} in world {} (the scenario, the code's kill sites or the kept \
             cases)",
            mine.scenario, mine.world
        );
        pairs.push((what, mine.fingerprint.clone(), theirs.fingerprint.clone()));
        let frame = |report: &Report| {
            let sites: Vec<_> = report.sites.iter().map(|site| site.kill.to_string()).collect();
            let goals: Vec<_> = report.goals.iter().map(|it| it.goal.to_string()).collect();
            format!(
                "{:?} {:?} {} {sites:?} {goals:?}",
                report.expect, report.scope, report.planned_in_all
            )
        };
        let what = format!("what is counted of {} in world {}", mine.scenario, mine.world);
        pairs.push((what, frame(mine), frame(theirs)));
    }
    match pairs.into_iter().find(|(_, here, there)| here != there) {
        None => Ok(()),
        Some((what, here, there)) => Err(differs(&what, here, there)),
    }
}

/// The options by their names in the file.
fn options(report: &CheckReport) -> Vec<(String, String)> {
    let value = serde_json::to_value(&report.options).unwrap_or(Value::Null);
    let object = value.as_object().cloned().unwrap_or_default();
    object.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}

fn join(whole: &mut CheckReport, other: CheckReport) {
    whole.interrupted |= other.interrupted;
    whole.times.extend(other.times);
    for (mine, theirs) in whole.sweeps.iter_mut().zip(other.sweeps) {
        join_sweep(mine, theirs);
    }
}

fn join_sweep(mine: &mut Report, theirs: Report) {
    mine.planned = mine.planned.saturating_add(theirs.planned);
    mine.run = mine.run.saturating_add(theirs.run);
    mine.skipped = mine.skipped.saturating_add(theirs.skipped);
    mine.steps = mine.steps.saturating_add(theirs.steps);
    mine.end = mine.end.max(theirs.end);
    for (SiteHits { drawn, landed, .. }, theirs) in mine.sites.iter_mut().zip(theirs.sites) {
        *drawn = drawn.saturating_add(theirs.drawn);
        *landed = landed.saturating_add(theirs.landed);
    }
    for (hazard, cases) in theirs.hazards {
        let mine = mine.hazards.entry(hazard).or_default();
        *mine = mine.saturating_add(cases);
    }
    for (ending, cases) in theirs.endings {
        let mine = mine.endings.entry(ending).or_default();
        *mine = mine.saturating_add(cases);
    }
    for (GoalReached { reached, .. }, theirs) in mine.goals.iter_mut().zip(theirs.goals) {
        *reached |= theirs.reached;
    }
    mine.actions.join(&theirs.actions);
    for (strategy, found) in theirs.strategies {
        mine.strategies.entry(strategy).or_default().extend(found);
    }
    mine.failures.extend(theirs.failures);
    mine.failures.sort_by_key(|failed| failed.position);
    mine.inconclusive = match (mine.inconclusive.take(), theirs.inconclusive) {
        (Some(one), Some(other)) => {
            let cases = one.cases.saturating_add(other.cases);
            let first = if one.position <= other.position { one } else { other };
            Some(Undecided { cases, ..first })
        }
        (one, other) => one.or(other),
    };
}

/// The merged sweep must have all cases, each run or skipped.
fn finish(sweep: &mut Report) -> Result<(), MergeError> {
    if sweep.planned != sweep.planned_in_all || sweep.balance().is_err() {
        return Err(MergeError::Unbalanced {
            scenario: sweep.scenario.clone(),
            world: sweep.world.name(),
            planned: sweep.planned,
            planned_in_all: sweep.planned_in_all,
        });
    }
    sweep.verdict = sweep.judge();
    Ok(())
}
