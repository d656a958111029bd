//! The census: kill-free runs that find a scenario's sites.

use std::sync::Arc;

use midput_model::program::{Program, Signal};
use midput_model::site::Site;
use midput_scenarios::{KillPoint, Place, Scenario};

use crate::check::{Observers, SiteSeen, SitesSeen};
use crate::host::{Directives, Host, Settings};
use crate::kernel::SimulatedOs;
use crate::schedule::Random;
use crate::subject::Subject;

/// How many schedules the census runs. Steps that only rare schedules reach are found by the
/// sweep itself, not as kill sites.
const RUNS: u64 = 48;
/// At most about so many places inside one transfer, the first and the last among them.
const OFFSETS_MAX: usize = 4;

/// What the census found.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// The kills that can land, site by site, lane by lane, in a fixed order.
    pub kills: Vec<KillPoint>,
    /// The transfers of all lanes, which can be short.
    pub transfers: Vec<Site>,
    /// The calls of all lanes that wait and can be interrupted.
    pub waits: Vec<Site>,
    /// The steps of the longest run.
    pub steps_max: u64,
    /// The choices of a run, on average.
    pub choices_mean: u32,
}

/// Runs the scenario without kills and lists its sites.
pub fn census<Q: Subject<SimulatedOs>>(
    scenario: &Scenario,
    program: &Arc<Program>,
    seed: u64,
) -> Census {
    let mut host = Host::default();
    let mut observers = Observers { sites: Some(SitesSeen::default()), ..Observers::default() };
    let (mut steps_max, mut choices) = (0, 0);
    for run in 0..RUNS {
        let ran = host.run::<Q>(
            program,
            &mut Random::new(seed, u64::MAX - run),
            &mut Directives::default(),
            &mut observers,
            Settings::default(),
        );
        steps_max = steps_max.max(ran.steps);
        choices += host.choices().len() as u64;
    }
    let seen = observers.sites.unwrap_or_default();
    let lanes = program.lanes();
    let named = |site: &SiteSeen| Site {
        lane: lanes.get(usize::from(site.lane.0)).map_or(String::new(), |it| it.name.clone()),
        step: site.step.to_owned(),
        occurrence: site.occurrence,
        offset: 0,
    };
    let choices_mean = u32::try_from(choices.div_ceil(RUNS)).unwrap_or(u32::MAX);
    let mut found = Census { steps_max, choices_mean, ..Census::default() };
    for site in seen.by_lane() {
        let Some(lane) = lanes.get(usize::from(site.lane.0)) else { continue };
        if site.transfer {
            found.transfers.push(named(site));
        }
        if site.interruptible {
            found.waits.push(named(site));
        }
        if scenario.faults.victims.contains(&lane.process) {
            for &signal in &signals(scenario) {
                let kill = |place, offset| KillPoint {
                    process: lane.process,
                    signal,
                    site: Site { offset, ..named(site) },
                    place,
                };
                found.kills.extend(places(site).into_iter().map(|(place, at)| kill(place, at)));
            }
        }
    }
    let (kills, transfers) = (found.kills.len(), found.transfers.len());
    tracing::info!(scenario = scenario.name, kills, transfers, steps_max, choices_mean, "census");
    found
}

fn signals(scenario: &Scenario) -> Vec<Signal> {
    if scenario.faults.signals.is_empty() {
        vec![Signal::Kill]
    } else {
        scenario.faults.signals.clone()
    }
}

/// Where in a step a kill can land.
fn places(site: &SiteSeen) -> Vec<(Place, u32)> {
    let mut places = vec![(Place::Before, 0)];
    let every = site.inside.len().div_ceil(OFFSETS_MAX).max(1);
    for (index, &offset) in site.inside.iter().enumerate() {
        if index % every == 0 || index + 1 == site.inside.len() {
            places.push((Place::At, offset));
        }
    }
    if site.blocked {
        places.push((Place::Blocked, 0));
    }
    // "After" is "before the lane's next step", except where there is none, or where the next
    // step comes only when somebody else has acted: after a transfer.
    if site.transfer || (site.last && site.step != "exit") {
        places.push((Place::After, 0));
    }
    places
}
