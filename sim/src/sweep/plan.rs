//! A sweep: the cases of one scenario in one world, and how they are run and counted.

use midput_scenarios::{Expect, Goal, KillPoint, Scenario, World};

use super::census::Census;
use super::draw::draw;
use super::jobs::{Sharing, Watch, in_jobs};
use super::native::run_until_it_lands;
use super::report::{Report, Scope, Unbalanced};
use super::runner::{CaseOutcome, Runner, run_twice};
use super::tally::{Frame, Tally};
use crate::case::Case;
use crate::kernel::SimulatedOs;
use crate::mutation::Mutation;
use crate::schedule::Strategies;
use crate::settings::Shard;
use crate::subject::Subject;
use crate::world::native::NativeOptions;

/// A thread takes so many simulated cases at a time: enough that it is rarely in the others' way.
const CHUNK: u64 = 64;
/// One native case for so many simulated ones.
const NATIVE_SHARE: u64 = 10;

/// How a sweep is carried out.
#[derive(Clone, Copy, Debug)]
pub struct SweepOptions {
    /// What the cases are drawn from.
    pub seed: u64,
    /// How many simulated cases, all shards together.
    pub cases: u64,
    /// Which of them.
    pub shard: Shard,
    /// How many threads.
    pub jobs: usize,
    /// Stop after so many failing cases; 0 is never.
    pub failures_max: u64,
    /// Stop once so many cases in a row have brought nothing new: no action of the model, no kill
    /// site hit, no hazard and no ending; 0 is never. Asked after every 64 simulated cases.
    pub until_quiet: u64,
    /// Run every case twice and compare.
    pub twice: bool,
    /// Waits may expire from the moment that they block.
    pub time_any: bool,
    /// Who decides at the choices.
    pub strategies: Strategies,
    /// How the code is altered, where it does not run as it is.
    pub mutation: Option<Mutation>,
}

impl Default for SweepOptions {
    /// 512 cases of the default seed in one thread, by the portfolio, in patient time, all of them
    /// whatever fails.
    fn default() -> Self {
        Self {
            seed: crate::settings::DEFAULT_SEED,
            cases: 512,
            shard: Shard::default(),
            jobs: 1,
            failures_max: 0,
            until_quiet: 0,
            twice: false,
            time_any: false,
            strategies: Strategies::default(),
            mutation: None,
        }
    }
}

/// The cases of one scenario in one world: the kept ones first, then those that are drawn.
#[derive(Clone, Debug)]
pub struct Sweep<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: World,
    pub(super) kept: Vec<Case>,
    pub(super) scope: Scope,
    pub(super) frame: Frame,
    census: &'a Census,
    options: SweepOptions,
    lockstep: bool,
    /// How many cases are drawn, all shards together.
    drawn: u64,
}

/// What a sweep found.
#[derive(Clone, Debug)]
pub struct Swept {
    /// What its cases add up to.
    pub report: Report,
    /// The failing cases, in their order.
    pub failing: Vec<CaseOutcome>,
}

impl<'a> Sweep<'a> {
    /// The sweep of a scenario in one world. `lockstep` says whether its subject has a model.
    pub fn new(
        scenario: &'a Scenario,
        world: World,
        census: &'a Census,
        options: SweepOptions,
        kept: Vec<Case>,
        lockstep: bool,
    ) -> Self {
        let native = world != World::Sim;
        let sites = sites_drawn(scenario, census);
        let drawn =
            if native { native_cases(options.cases, sites.len() as u64) } else { options.cases };
        let scope = match (drawn < (sites.len() as u64).max(1), native) {
            (true, _) => Scope::Part,
            (false, true) => Scope::Kills,
            (false, false) => Scope::Whole,
        };
        let goals = scenario.goals(subject(scenario, lockstep)).iter().filter(|goal| match scope {
            Scope::Whole => true,
            Scope::Kills => matches!(goal, Goal::Kill { .. } | Goal::KillHolding(_)),
            Scope::Part => false,
        });
        let goals = goals.cloned().collect();
        let of_kept = kept.iter().flat_map(|case| &case.kills);
        let all = sites.iter().chain(&scenario.faults.pinned).chain(of_kept).cloned();
        let frame = Frame::new(&scenario.program, goals, all);
        Self { scenario, world, kept, scope, frame, census, options, lockstep, drawn }
    }

    /// Where its cases run.
    pub fn world(&self) -> World {
        self.world
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.scenario.name
    }

    /// How many of these failing cases were not known before and are not expected.
    pub fn news(&self, tally: &Tally) -> usize {
        if self.scenario.expect != Expect::Pass {
            return 0;
        }
        let kept = self.kept.len() as u64;
        tally.failing.iter().filter(|(position, _)| *position >= kept).count()
    }

    /// How many cases this shard has.
    pub fn planned(&self) -> u64 {
        self.kept_here().saturating_add(self.options.shard.share(self.drawn))
    }

    /// How many cases all shards have together.
    pub fn planned_in_all(&self) -> u64 {
        (self.kept.len() as u64).saturating_add(self.drawn)
    }

    fn kept_here(&self) -> u64 {
        self.options.shard.share(self.kept.len() as u64)
    }

    /// The case with this index in this shard: its position among the cases of all shards, and
    /// whether it was kept.
    fn case(&self, index: u64) -> (u64, Case, bool) {
        let shard = self.options.shard;
        let kept_here = self.kept_here();
        if index < kept_here {
            let position = shard.case(index);
            let kept = usize::try_from(position).ok().and_then(|it| self.kept.get(it));
            if let Some(case) = kept {
                return (position, case.clone(), true);
            }
        }
        let number = shard.case(index - kept_here);
        let case = draw(
            self.scenario,
            subject(self.scenario, self.lockstep),
            self.census,
            &self.options,
            number,
        );
        ((self.kept.len() as u64).saturating_add(number), case, false)
    }

    /// Runs the cases in simulation.
    ///
    /// # Errors
    /// Where the counts do not add up: a mistake in midput.
    pub fn run<Q: Subject<SimulatedOs>>(&self, watch: &Watch<'_>) -> Result<Swept, Unbalanced> {
        let worker = || Runner::new(self.scenario, self.lockstep);
        self.shared(CHUNK, watch, worker, |runner, index| {
            let (position, case, kept) = self.case(index);
            // A kept case may bring a program of its own.
            let mut outcome = match case.program.as_deref() {
                Some(own) => self.run_case::<Q>(&mut Runner::new(own, self.lockstep), &case),
                None => self.run_case::<Q>(runner, &case),
            };
            if kept {
                outcome.require_kills();
            }
            (position, outcome)
        })
    }

    fn run_case<Q: Subject<SimulatedOs>>(
        &self,
        runner: &mut Runner<'_>,
        case: &Case,
    ) -> CaseOutcome {
        match self.options.twice {
            true => run_twice::<Q>(runner, case),
            false => runner.run::<Q>(case, None),
        }
    }

    /// Runs the cases with real processes.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_native(
        &self,
        native: &NativeOptions,
        watch: &Watch<'_>,
    ) -> Result<Swept, Unbalanced> {
        // Cases take long and differ: each is a chunk.
        self.shared(
            1,
            watch,
            || (),
            |(), index| {
                let (position, mut case, kept) = self.case(index);
                if !kept {
                    case.faults.clear();
                    case.time_any = false;
                }
                let mut outcome =
                    run_until_it_lands(case.scenario_or(self.scenario), &case, native, watch.stop);
                if kept {
                    outcome.require_kills();
                }
                (position, outcome)
            },
        )
    }

    fn shared<W>(
        &self,
        chunk: u64,
        watch: &Watch<'_>,
        worker: impl Fn() -> W + Sync,
        case: impl Fn(&mut W, u64) -> (u64, CaseOutcome) + Sync,
    ) -> Result<Swept, Unbalanced> {
        let sharing = Sharing {
            cases: self.planned(),
            chunk,
            jobs: self.options.jobs,
            failures_max: self.options.failures_max,
            until_quiet: self.options.until_quiet,
        };
        let shared = in_jobs(&self.frame, &sharing, watch, worker, case);
        let report = Report::of(self, &shared)?;
        let failing = shared.tally.failing.into_iter().map(|(_, outcome)| outcome).collect();
        Ok(Swept { report, failing })
    }

    /// What tells this sweep from one of another scenario, other code or other kept cases: the
    /// same for all its shards.
    pub(super) fn fingerprint(&self) -> String {
        let scenario = serde_json::to_string(self.scenario).unwrap_or_default();
        let kills = self.census.kills.iter().map(ToString::to_string);
        let kept = self.kept.iter().map(ToString::to_string);
        let all: Vec<String> = [scenario].into_iter().chain(kills).chain(kept).collect();
        format!("{:#018x}", midput_model::explore::fingerprint(&all))
    }
}

fn subject(scenario: &Scenario, lockstep: bool) -> &'static str {
    if lockstep { scenario.subject() } else { "user" }
}

/// The kill sites over which a scenario is swept. One that pins its kills, or has none, is as
/// good as one with one site.
fn sites_drawn<'a>(scenario: &Scenario, census: &'a Census) -> &'a [KillPoint] {
    let swept = scenario.faults.pinned.is_empty() && scenario.faults.kills_max > 0;
    if swept { &census.kills } else { &[] }
}

/// Native cases are slow: one for every ten simulated ones, but every kill site once.
fn native_cases(cases: u64, sites: u64) -> u64 {
    let sites = sites.max(1);
    let share = cases.div_ceil(NATIVE_SHARE);
    // Fewer cases than sites were asked for: then it is the user who leaves sites out.
    sites.max(share.min(sites.max(4))).min(cases)
}
