//! How a case is drawn from a seed and its number.

use midput_scenarios::Scenario;

use super::census::Census;
use crate::case::{Case, Fault, FaultKind};
use crate::schedule::Random;

/// Faults are drawn from a stream of their own, so that a change there leaves schedules alone.
const FAULT_STREAM: u64 = 1 << 63;

/// Case `number` of a sweep: its kill is site `number` modulo the number of sites, so that every
/// site is hit equally often and no case depends on another.
pub fn draw(
    scenario: &Scenario,
    subject: &str,
    census: &Census,
    seed: u64,
    number: u64,
    time_any: bool,
) -> Case {
    let mut random = Random::new(seed, FAULT_STREAM | number);
    let mut kills = scenario.faults.pinned.clone();
    if kills.is_empty() && scenario.faults.kills_max > 0 && !census.kills.is_empty() {
        let sites = census.kills.len() as u64;
        kills.push(census.kills[usize::try_from(number % sites).unwrap_or(0)].clone());
        for _ in 1..scenario.faults.kills_max {
            kills.push(census.kills[random.below(census.kills.len())].clone());
        }
    }
    let mut faults = Vec::new();
    if !census.transfers.is_empty() && random.below(2) == 0 {
        let site = census.transfers[random.below(census.transfers.len())].clone();
        let bytes = u32::try_from(1 + random.below(5000)).unwrap_or(1);
        let kinds = [
            scenario.faults.short_transfers.then_some(FaultKind::Short(bytes)),
            scenario.faults.interruptions.then_some(FaultKind::Interrupt),
        ];
        let kinds: Vec<FaultKind> = kinds.into_iter().flatten().collect();
        if !kinds.is_empty() {
            faults.push(Fault { site, kind: kinds[random.below(kinds.len())] });
        }
    }
    Case {
        scenario: scenario.name.clone(),
        subject: subject.to_owned(),
        seed,
        number,
        time_any,
        kills,
        holds: scenario.faults.holds.iter().map(|hold| hold.site.clone()).collect(),
        faults,
        choices: None,
        why: None,
    }
}
