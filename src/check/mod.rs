//! `midput check`: all scenarios, in every world that they name.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midput_scenarios::{Scenario, World};
use midput_sim::keep;
use midput_sim::mutation::Mutation;
use midput_sim::settings::{DEFAULT_SEED, Settings};
use midput_sim::subject::Classic;
use midput_sim::sweep::{
    CaseOutcome, Census, Report, ReportVerdict, Runner, Scope, SweepOptions, census, describe,
    run_until_it_lands, sweep,
};

use crate::arguments::{Check, Time, WorldArgument};
use crate::case_file::{known_subject, last_file, native_options, replay_line};
use crate::exit::Status;
use crate::print::outln;
use crate::select::{Selected, select};
use crate::shrink::shrink_found;

mod progress;
mod summary;

use progress::Progress;

/// Simulated cases for each scenario.
const CASES: u64 = 512;
/// How long the failing cases of one check are shrunk, all together.
const SHRINK_BUDGET: Duration = Duration::from_secs(2);
/// One native case for so many simulated ones.
const NATIVE_SHARE: u64 = 10;

/// Every value in force.
struct Plan {
    options: SweepOptions,
    worlds: Vec<World>,
    deadline: Option<Instant>,
    native: midput_sim::world::native::NativeOptions,
    last: PathBuf,
}

impl Plan {
    fn new(arguments: &Check, settings: &Settings) -> anyhow::Result<Self> {
        let world = arguments.world.map(|world| match world {
            WorldArgument::Sim => World::Sim,
            WorldArgument::Native => World::Native,
        });
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let options = SweepOptions {
            seed: arguments.seed.or(settings.seed).unwrap_or(DEFAULT_SEED),
            cases: arguments.cases.or(settings.cases).unwrap_or(CASES),
            shard: arguments.shard.or(settings.shard).unwrap_or_default(),
            jobs: arguments.jobs.unwrap_or(processors).max(1),
            failures_max: arguments.max_fail.unwrap_or(3),
            twice: arguments.twice || settings.twice.unwrap_or(false),
            time_any: arguments.time == Some(Time::Any),
            strategies: arguments.strategy.unwrap_or_default(),
            mutation: arguments
                .mutant
                .map(|mutant| Mutation { mutant, against: arguments.against.unwrap_or_default() }),
        };
        let world = match (world, options.mutation) {
            (Some(World::Native), Some(_)) => {
                anyhow::bail!("a mutant runs in the simulation only; leave out --world native")
            }
            (None, Some(_)) => Some(World::Sim),
            (world, _) => world,
        };
        let budget = arguments.budget.or(settings.budget);
        let out = arguments.out.as_deref().or(settings.out.as_deref());
        Ok(Self {
            options,
            worlds: world.or(settings.world).map_or(World::DEFAULT.to_vec(), |it| vec![it]),
            // A budget beyond the clock's end is none.
            deadline: budget.and_then(|budget| Instant::now().checked_add(budget)),
            native: native_options(arguments.hang_after.or(settings.hang_after))?,
            last: last_file(out),
        })
    }

    /// Where failing cases are saved: those of altered code are no cases of the scenarios.
    fn cases_folder(&self, selected: &Selected) -> PathBuf {
        match (self.options.mutation, self.last.parent()) {
            (Some(_), Some(out)) => out.join("cases"),
            _ => selected.cases.clone(),
        }
    }

    fn print(&self, selected: &Selected) {
        let SweepOptions { seed, cases, shard, jobs, failures_max, twice, .. } = self.options;
        let SweepOptions { strategies, time_any, .. } = self.options;
        eprintln!("seed {seed:#x}, cases {cases}, shard {}/{}", shard.number, shard.of);
        eprintln!("jobs {jobs}, max-fail {failures_max}, twice {twice}");
        eprintln!("strategy {strategies}, time {}", if time_any { "any" } else { "patient" });
        eprintln!("scenarios {}, cases in {}", selected.scenarios.len(), selected.cases.display());
        eprintln!("worlds {:?}, native {:?}", self.worlds, self.native);
    }
}

pub(crate) fn check(
    arguments: &Check,
    settings: &Settings,
    verbose: bool,
    color: bool,
) -> anyhow::Result<Status> {
    let out = arguments.out.as_deref().or(settings.out.as_deref());
    let selected = select(arguments.scenarios_in.as_deref(), out, &arguments.scenarios)?;
    let plan = Plan::new(arguments, settings)?;
    if let Some(mutation) = plan.options.mutation {
        outln!(
            "mutant {}: the code is altered, and held against {}",
            mutation.mutant,
            mutation.against.in_words()
        );
    }
    if verbose {
        plan.print(&selected);
    }
    if let Some(status) = cannot_run(&plan, arguments.world) {
        return Ok(status);
    }
    let stopped = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stopped);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed))?;
    let stop = || {
        let late = plan.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        late || stopped.load(Ordering::Relaxed)
    };
    let begun = Instant::now();
    let mut reports = Vec::new();
    let mut status = Status::Pass;
    let progress = Progress::new();
    let shrinks = !arguments.no_shrink && settings.case.is_none();
    let mut shrink_left = shrinks.then_some(SHRINK_BUDGET);
    for scenario in &selected.scenarios {
        if let Some(path) = &settings.case {
            let kept = keep::read(path)?;
            if kept.scenario != scenario.name {
                continue;
            }
        }
        for &world in plan.worlds.iter().filter(|world| scenario.worlds.contains(world)) {
            progress.at(&scenario.name, world.name());
            let report = one(scenario, world, &plan, settings, &selected, &stop, &progress)?;
            let concluded =
                conclude(scenario, &report, &plan, &selected, &progress, &mut shrink_left)?;
            status = status.and(concluded);
            reports.push(report);
        }
    }
    progress.finish();
    summary::print(&reports, &plan.options, begun.elapsed(), color);
    if reports.is_empty() {
        return Ok(Status::Nothing);
    }
    if stopped.load(Ordering::Relaxed) {
        eprintln!("midput: stopped; the summary says what ran");
        status = status.and(Status::Inconclusive);
    }
    Ok(status)
}

/// Where this machine cannot run the native world: said once, in one line. If it was asked for by
/// name there is nothing else to do; otherwise every native case will be inconclusive.
fn cannot_run(plan: &Plan, asked: Option<WorldArgument>) -> Option<Status> {
    if !plan.worlds.contains(&World::Native) {
        return None;
    }
    let missing = midput_sim::world::native::can_run().err()?;
    eprintln!("midput: this machine cannot run the native world: {missing}");
    (asked == Some(WorldArgument::Native)).then_some(Status::CannotRun)
}

/// Sweeps one scenario in one world, the kept cases first.
fn one(
    scenario: &Scenario,
    world: World,
    plan: &Plan,
    settings: &Settings,
    selected: &Selected,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &Progress,
) -> anyhow::Result<Report> {
    let done = |outcome: &CaseOutcome| progress.case(outcome);
    let mut outcomes = Vec::new();
    let kept = match &settings.case {
        Some(path) => vec![(path.clone(), keep::read(path)?)],
        // What was kept is of the code as it is.
        None if plan.options.mutation.is_some() => Vec::new(),
        None => keep::kept(&selected.cases, &scenario.name)?,
    };
    for (_, case) in &kept {
        if stop() {
            break;
        }
        known_subject(case)?;
        let mut outcome = match world {
            World::Sim => {
                Runner::new(case.scenario_or(scenario), true).run::<Classic<_>>(case, None)
            }
            _ => run_until_it_lands(case.scenario_or(scenario), case, &plan.native, stop),
        };
        outcome.require_kills();
        done(&outcome);
        outcomes.push(outcome);
    }
    let mut planned = kept.len() as u64;
    let mut scope = Scope::Part;
    if settings.case.is_none() {
        let program = Arc::new(scenario.program.clone());
        let census = census::<Classic<_>>(scenario, &program, plan.options.seed);
        let mut options = plan.options;
        if world == World::Native {
            options.cases = native_cases(&options, &census, scenario);
        }
        scope = Scope::of(&options, &census, scenario, world == World::Native);
        planned += options.shard.share(options.cases);
        outcomes.extend(match world {
            World::Sim => sweep::<Classic<_>>(scenario, &census, &options, true, stop, &done),
            _ => midput_sim::sweep::sweep_native(
                scenario,
                &census,
                &options,
                &plan.native,
                stop,
                &done,
            ),
        });
    }
    Ok(Report::new(scenario, "classic", world.name(), planned, scope, outcomes))
}

/// Native cases are slow: one for every ten simulated ones, but every kill site once.
fn native_cases(options: &SweepOptions, census: &Census, scenario: &Scenario) -> u64 {
    let sites = if scenario.faults.pinned.is_empty() { census.kills.len() as u64 } else { 1 };
    let share = options.cases.div_ceil(NATIVE_SHARE);
    let sites = if scenario.faults.kills_max == 0 { 1 } else { sites };
    // Fewer cases than sites were asked for: then it is the user who leaves sites out.
    sites.max(share.min(sites.max(4))).min(options.cases)
}

/// Prints what failed, saves it, and says what it means for the exit status.
fn conclude(
    scenario: &Scenario,
    report: &Report,
    plan: &Plan,
    selected: &Selected,
    progress: &Progress,
    shrink_left: &mut Option<Duration>,
) -> anyhow::Result<Status> {
    let verdict = report.verdict();
    let expected = matches!(scenario.expect, midput_scenarios::Expect::Fail { .. });
    for found in report.failures.iter().filter(|_| !expected) {
        let (shrunk, notes) = match shrink_left {
            // What carries its own program was shrunk before.
            Some(left) if report.world == "sim" && found.case.program.is_none() => {
                shrink_found(scenario, found, left)
            }
            _ => (None, Vec::new()),
        };
        let failed = shrunk.as_ref().map_or(found, |shrunk| &shrunk.outcome);
        let path = keep::save(&plan.cases_folder(selected), &failed.case)?;
        if failed.case != found.case {
            keep::save_original(&path, &found.case)?;
        }
        if let Some(folder) = plan.last.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&plan.last, path.display().to_string())?;
        let cases = plan.options.cases;
        let replay = replay_line(&path, report.world);
        let text = describe(scenario, failed, Some(cases), report.world, &notes, &path, &replay);
        progress.print(&text);
    }
    Ok(match verdict {
        ReportVerdict::Pass => Status::Pass,
        ReportVerdict::Fail(_) => Status::Violation,
        ReportVerdict::Inconclusive(_) => Status::Inconclusive,
    })
}
