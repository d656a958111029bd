//! How a case is drawn from a seed and its number.

use midput_model::site::Site;
use midput_scenarios::Scenario;

use super::census::Census;
use super::plan::SweepOptions;
use crate::case::{Case, Fault, FaultKind};
use crate::schedule::Random;

/// Faults are drawn from a stream of their own, so that a change there leaves schedules alone.
const FAULT_STREAM: u64 = 1 << 63;

/// Case `number` of a sweep: its kill is site `number` modulo the number of sites, so that every
/// site is hit equally often, by every strategy in its turn, and no case depends on another.
pub fn draw(
    scenario: &Scenario,
    subject: &str,
    census: &Census,
    options: &SweepOptions,
    number: u64,
) -> Case {
    let SweepOptions { seed, time_any, strategies, mutation, .. } = *options;
    let mut random = Random::new(seed, FAULT_STREAM | number);
    let mut kills = scenario.faults.pinned.clone();
    let mut sites = 1;
    if kills.is_empty() && scenario.faults.kills_max > 0 && !census.kills.is_empty() {
        sites = census.kills.len() as u64;
        kills.push(census.kills[usize::try_from(number % sites).unwrap_or(0)].clone());
        for _ in 1..scenario.faults.kills_max {
            kills.push(census.kills[random.below(census.kills.len())].clone());
        }
    }
    let faults = fault(scenario, census, &mut random);
    Case {
        scenario: scenario.name.clone(),
        subject: subject.to_owned(),
        seed,
        number,
        strategy: strategies.of(number, sites),
        length: census.choices_mean,
        time_any,
        kills,
        holds: scenario.faults.holds.iter().map(|hold| hold.site.clone()).collect(),
        faults: faults.into_iter().collect(),
        choices: None,
        mutation,
        program: None,
        why: None,
    }
}

/// Half of the cases have a fault, where the scenario allows one: a transfer that moves few bytes,
/// or an interruption, of a transfer or of a call that waits.
fn fault(scenario: &Scenario, census: &Census, random: &mut Random) -> Option<Fault> {
    if random.below(2) == 1 {
        return None;
    }
    let mut sites: Vec<(&Site, FaultKind)> = Vec::new();
    if scenario.faults.short_transfers {
        let bytes = u32::try_from(1 + random.below(5000)).unwrap_or(1);
        sites.extend(census.transfers.iter().map(|site| (site, FaultKind::Short(bytes))));
    }
    if scenario.faults.interruptions {
        let interrupted = census.transfers.iter().chain(&census.waits);
        sites.extend(interrupted.map(|site| (site, FaultKind::Interrupt)));
    }
    if sites.is_empty() {
        return None;
    }
    let (site, kind) = sites[random.below(sites.len())];
    Some(Fault { site: site.clone(), kind })
}
