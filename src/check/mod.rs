//! `midput check`: all scenarios, in every world that they name.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midput_model::queue::classic;
use midput_scenarios::{Expect, Scenario, World};
use midput_sim::keep;
use midput_sim::mutation::Mutation;
use midput_sim::settings::{DEFAULT_SEED, Settings};
use midput_sim::subject::Classic;
use midput_sim::sweep::{
    Census, CheckReport, Options, ShardTimes, Stop, Sweep, SweepEnd, SweepOptions, Swept, Tally,
    Universe, Watch, census, describe,
};

use crate::arguments::{Check, Time, WorldArgument};
use crate::case_file::{known_subject, native_options, note_last, replay_line};
use crate::exit::Status;
use crate::print::outln;
use crate::reports::Destinations;
use crate::select::{Selected, out_folder, select};
use crate::shrink::shrink_found;
use crate::summary;

mod progress;

use progress::Progress;

/// Simulated cases for each scenario.
const CASES: u64 = 512;
/// How long the failing cases of one check are shrunk, all together.
const SHRINK_BUDGET: Duration = Duration::from_secs(2);

/// Every value in force.
struct Plan {
    options: SweepOptions,
    worlds: Vec<World>,
    budget: Option<Duration>,
    native: midput_sim::world::native::NativeOptions,
    out: Option<PathBuf>,
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
            until_quiet: arguments.until_quiet.unwrap_or(0),
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
        Ok(Self {
            options,
            worlds: world.or(settings.world).map_or(World::DEFAULT.to_vec(), |it| vec![it]),
            budget: arguments.budget.or(settings.budget),
            native: native_options(arguments.hang_after.or(settings.hang_after))?,
            out: arguments.out.clone().or_else(|| settings.out.clone()),
        })
    }

    /// Where failing cases are saved: those of altered code are no cases of the scenarios.
    fn cases_folder(&self, selected: &Selected) -> PathBuf {
        match self.options.mutation {
            Some(_) => out_folder(self.out.as_deref()).join("cases"),
            None => selected.cases.clone(),
        }
    }

    /// What the cases depend on, as reports have it.
    fn options(&self) -> Options {
        Options {
            subject: "classic".to_owned(),
            strategy: self.options.strategies.to_string(),
            mutant: self.options.mutation.map(|mutation| mutation.to_string()),
            cases: self.options.cases,
            max_fail: self.options.failures_max,
            until_quiet: self.options.until_quiet,
            twice: self.options.twice,
            time: if self.options.time_any { "any" } else { "patient" }.to_owned(),
            hang_after_ms: milliseconds(self.native.deadline),
            budget_ms: self.budget.map(milliseconds),
        }
    }

    fn print(&self, selected: &Selected) {
        let SweepOptions { seed, cases, shard, jobs, failures_max, until_quiet, twice, .. } =
            self.options;
        eprintln!("seed {seed:#x}, cases {cases}, shard {shard}, budget {:?}", self.budget);
        eprintln!("jobs {jobs}, max-fail {failures_max}, until-quiet {until_quiet}, twice {twice}");
        let SweepOptions { strategies, time_any, .. } = self.options;
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
    let plan = Plan::new(arguments, settings)?;
    let selected =
        select(arguments.scenarios_in.as_deref(), plan.out.as_deref(), &arguments.scenarios)?;
    if verbose {
        plan.print(&selected);
    }
    if let Some(status) = cannot_run(&plan, arguments.world) {
        return Ok(status);
    }
    let destinations = Destinations::open(&arguments.reports)?;
    if let Some(mutation) = plan.options.mutation {
        outln!(
            "mutant {}: the code is altered, and held against {}",
            mutation.mutant,
            mutation.against.in_words()
        );
    }
    let censuses = selected.scenarios.iter().map(|scenario| censuses(scenario, &plan, settings));
    let censuses: Vec<Census> = censuses.collect();
    let sweeps = sweeps(&selected, &censuses, &plan, settings)?;
    let shrinks = !arguments.no_shrink && settings.case.is_none();
    let report = run(&plan, &selected, &sweeps, shrinks)?;
    summary::print(&report, color);
    destinations.write(&report)?;
    if report.sweeps.is_empty() {
        return Ok(Status::Nothing);
    }
    if report.interrupted {
        eprintln!("midput: stopped; the summary says what ran");
    }
    Ok(summary::status(&report))
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

/// What kill-free runs of a scenario find; nothing where one case alone is run.
fn censuses(scenario: &Scenario, plan: &Plan, settings: &Settings) -> Census {
    if settings.case.is_some() {
        return Census::default();
    }
    let program = Arc::new(scenario.program.clone());
    census::<Classic<_>>(scenario, &program, plan.options.seed)
}

/// One sweep for each scenario and world, in the order in which they are run.
fn sweeps<'a>(
    selected: &'a Selected,
    censuses: &'a [Census],
    plan: &Plan,
    settings: &Settings,
) -> anyhow::Result<Vec<(&'a Scenario, Sweep<'a>)>> {
    let alone = settings.case.as_deref().map(keep::read).transpose()?;
    let mut options = plan.options;
    if alone.is_some() {
        options.cases = 0;
    }
    let mut sweeps = Vec::new();
    for (scenario, census) in selected.scenarios.iter().zip(censuses) {
        let kept = match &alone {
            Some(case) if case.scenario != scenario.name => continue,
            Some(case) => vec![case.clone()],
            // What was kept is of the code as it is.
            None if options.mutation.is_some() => Vec::new(),
            None => {
                // Shards must agree on their cases, and new ones appear while they run.
                let with_new = options.shard.of == 1;
                let kept = keep::kept(&selected.cases, &scenario.name, with_new)?;
                kept.into_iter().map(|(_, case)| case).collect()
            }
        };
        kept.iter().try_for_each(known_subject)?;
        for &world in plan.worlds.iter().filter(|world| scenario.worlds.contains(world)) {
            let sweep = Sweep::new(scenario, world, census, options, kept.clone(), true);
            sweeps.push((scenario, sweep));
        }
    }
    Ok(sweeps)
}

/// Runs the sweeps one after the other, and prints what fails as soon as its sweep has ended.
fn run(
    plan: &Plan,
    selected: &Selected,
    sweeps: &[(&Scenario, Sweep<'_>)],
    shrinks: bool,
) -> anyhow::Result<CheckReport> {
    let stopped = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stopped);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed))?;
    let begun = Instant::now();
    // A budget beyond the clock's end is none.
    let deadline = plan.budget.and_then(|budget| begun.checked_add(budget));
    let stop = || {
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        match stopped.load(Ordering::Relaxed) {
            true => Some(Stop::Interrupted),
            false => late.then_some(Stop::Budget),
        }
    };
    let progress = Progress::new(deadline, sweeps.iter().map(|(_, sweep)| sweep));
    let mut shrink_left = shrinks.then_some(SHRINK_BUDGET);
    let (mut reports, mut times) = (Vec::new(), Vec::new());
    for (scenario, sweep) in sweeps {
        let started = Instant::now();
        progress.begin(sweep);
        let done = |tally: &Tally| progress.count(sweep, tally);
        let watch = Watch { stop: &stop, done: &done };
        let mut swept = match sweep.world() {
            World::Sim => sweep.run::<Classic<_>>(&watch)?,
            _ => sweep.run_native(&plan.native, &watch)?,
        };
        progress.end(sweep);
        if sweep.world() == World::Sim && stop().is_none() {
            let time = match plan.options.time_any {
                true => classic::Time::Any,
                false => classic::Time::Patient,
            };
            swept.report.actions.compare(&Universe::of(scenario, time));
        }
        print_failures(scenario, &swept, plan, selected, &progress, &mut shrink_left)?;
        times.push(milliseconds(started.elapsed()));
        reports.push(swept.report);
    }
    progress.finish();
    let program = concat!("midput ", env!("CARGO_PKG_VERSION")).to_owned();
    let SweepOptions { seed, shard, jobs, .. } = plan.options;
    let mut report = CheckReport::new(program, seed, shard, plan.options(), reports)?;
    report.interrupted = report.sweeps.iter().any(|sweep| sweep.end == SweepEnd::Interrupted);
    report.times.push(ShardTimes {
        shard,
        jobs: jobs as u64,
        elapsed_ms: milliseconds(begun.elapsed()),
        sweeps_ms: times,
    });
    Ok(report)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Prints what failed, and saves it.
fn print_failures(
    scenario: &Scenario,
    swept: &Swept,
    plan: &Plan,
    selected: &Selected,
    progress: &Progress,
    shrink_left: &mut Option<Duration>,
) -> anyhow::Result<()> {
    if matches!(scenario.expect, Expect::Fail { .. }) {
        return Ok(());
    }
    let (world, cases) = (swept.report.world.name(), swept.report.planned_in_all);
    for found in &swept.failing {
        let (shrunk, notes) = match shrink_left {
            // What carries its own program was shrunk before.
            Some(left) if swept.report.world == World::Sim && found.case.program.is_none() => {
                shrink_found(scenario, found, left)
            }
            _ => (None, Vec::new()),
        };
        let failed = shrunk.as_ref().map_or(found, |shrunk| &shrunk.outcome);
        let path = keep::save(&plan.cases_folder(selected), &failed.case)?;
        if failed.case != found.case {
            keep::save_original(&path, &found.case)?;
        }
        note_last(plan.out.as_deref(), &path)?;
        let replay = replay_line(&path, world);
        progress.print(&describe(scenario, failed, Some(cases), world, &notes, &path, &replay));
    }
    Ok(())
}
