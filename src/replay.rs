//! `midput replay` and `midput trace`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use midput_scenarios::Scenario;
use midput_sim::case::Case;
use midput_sim::schedule::{Random, Replay as Replaying, Until};
use midput_sim::settings::Settings;
use midput_sim::subject::Classic;
use midput_sim::sweep::{CaseOutcome, Failure, Runner, Verdict, describe};
use midput_sim::trace::{Story, TraceLog, render};

use crate::arguments::{Place, Replay, Trace, WorldArgument};
use crate::case_file::{known_subject, last_file, native_case, replay_line};
use crate::exit::Status;
use crate::print::{out, outln};
use crate::select::select;

/// A case with its scenario and the file that it came from.
pub(crate) struct Loaded {
    pub case: Case,
    pub scenario: Scenario,
    pub path: PathBuf,
}

/// Reads a case and finds its scenario: its own, or the one of its name.
pub(crate) fn load(
    name: &str,
    scenarios_in: Option<&Path>,
    out: Option<&Path>,
) -> anyhow::Result<Loaded> {
    let (path, case) = match name {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            (PathBuf::from("-"), text.parse().context("standard input holds no case")?)
        }
        _ => {
            let path = match name {
                "last" => {
                    let last = last_file(out);
                    let text = std::fs::read_to_string(&last).with_context(|| {
                        format!("no case has failed yet: there is no {}", last.display())
                    })?;
                    PathBuf::from(text.trim())
                }
                _ => PathBuf::from(name),
            };
            let case = midput_sim::keep::read(&path)?;
            (path, case)
        }
    };
    known_subject(&case)?;
    if let Some(program) = &case.program {
        let scenario = (**program).clone();
        return Ok(Loaded { case, scenario, path });
    }
    let selected = select(scenarios_in, out, &[])?;
    let found = selected.scenarios.into_iter().find(|it| it.name == case.scenario);
    let Some(scenario) = found else {
        bail!(
            "{}: there is no scenario '{}'; give its folder with --scenarios-in",
            path.display(),
            case.scenario
        );
    };
    Ok(Loaded { case, scenario, path })
}

fn load_from(name: &str, place: &Place, settings: &Settings) -> anyhow::Result<Loaded> {
    let out = place.out.as_deref().or(settings.out.as_deref());
    let loaded = load(name, place.scenarios_in.as_deref(), out)?;
    if let (Some(mutation), WorldArgument::Native) = (&loaded.case.mutation, place.world) {
        bail!("the case is of altered code ({mutation}), which runs in the simulation only");
    }
    Ok(loaded)
}

pub(crate) fn replay(arguments: &Replay, settings: &Settings) -> anyhow::Result<Status> {
    let loaded = load_from(&arguments.case, &arguments.place, settings)?;
    let mut status = Status::Pass;
    for time in 0..arguments.times {
        let mut outcome = match arguments.place.world {
            WorldArgument::Sim => match simulate(&loaded, arguments, time)? {
                Some(outcome) => outcome,
                None => continue,
            },
            WorldArgument::Native => native_case(&loaded.scenario, &loaded.case, settings)?,
        };
        outcome.require_kills();
        status = status.and(report(&loaded, &outcome, arguments.place.world));
    }
    Ok(status)
}

/// Runs a case once more in simulation and prints its trace. `None` where it was to stop at a site
/// and did.
fn simulate(loaded: &Loaded, arguments: &Replay, time: u32) -> anyhow::Result<Option<CaseOutcome>> {
    let mut log = TraceLog::default();
    if arguments.then.is_none() && arguments.until.is_none() {
        let outcome = run(loaded, &mut log);
        out!("{}", text(&loaded.scenario, &outcome, &log, false));
        return Ok(Some(outcome));
    }
    let case = &loaded.case;
    let Some(choices) = case.choices.clone() else {
        bail!("the case has no recorded choices: there is nothing to go on from or to stop in");
    };
    let seed = arguments.seed.unwrap_or(case.seed);
    let mut replay = Replaying::new(choices);
    if arguments.then.is_some() {
        replay = replay.then(Random::new(seed, u64::from(time)));
    }
    let mut runner = Runner::new(&loaded.scenario, true);
    let Some(site) = &arguments.until else {
        let outcome = runner.run_with::<Classic<_>>(case, &mut replay, Some(&mut log));
        out!("{}", text(&loaded.scenario, &outcome, &log, false));
        match replay.diverged() {
            Some(diverged) => {
                outln!("{diverged}");
                outln!("went on from there at random, seed {seed:#x}, number {time}");
            }
            None => outln!("all recorded choices fit"),
        }
        return Ok(Some(outcome));
    };
    let mut until = Until::new(&mut replay, site.clone());
    let outcome = runner.run_with::<Classic<_>>(case, &mut until, Some(&mut log));
    if !until.reached {
        outln!("the run never comes to {site}");
        return Ok(Some(outcome));
    }
    let trace = text(&loaded.scenario, &outcome, &log, true);
    // How it ends and who is blocked is not said of a run that was ended.
    let happened = |line: &&str| !line.starts_with('=') && !line.contains(" BLOCKED ");
    trace.lines().filter(happened).for_each(|line| outln!("{line}"));
    outln!("stopped before {site}");
    Ok(None)
}

fn report(loaded: &Loaded, outcome: &CaseOutcome, world: WorldArgument) -> Status {
    let world = if world == WorldArgument::Sim { "sim" } else { "native" };
    match &outcome.judged.verdict {
        Verdict::Pass => {
            outln!("the case passes in world {world}");
            Status::Pass
        }
        Verdict::Inconclusive(reason) => {
            outln!("inconclusive: {reason}");
            Status::Inconclusive
        }
        Verdict::Fail(failures) => {
            let diverged = failures.iter().any(|failure| matches!(failure, Failure::Replay(_)));
            let replay = replay_line(&loaded.path, world);
            let text = describe(&loaded.scenario, outcome, None, world, &[], &loaded.path, &replay);
            out!("{text}");
            if diverged { Status::Diverged } else { Status::Violation }
        }
    }
}

pub(crate) fn trace(arguments: &Trace, settings: &Settings) -> anyhow::Result<Status> {
    if arguments.place.world != WorldArgument::Sim {
        bail!("only the simulation has one order of all events; 'replay --world native' runs it");
    }
    let loaded = load_from(&arguments.case, &arguments.place, settings)?;
    let mut log = TraceLog::default();
    let outcome = run(&loaded, &mut log);
    let text = text(&loaded.scenario, &outcome, &log, arguments.all_steps);
    match arguments.output.as_deref() {
        None => out!("{text}"),
        Some(path) if path == Path::new("-") => out!("{text}"),
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("the trace cannot be written to {}", path.display()))?,
    }
    Ok(match &outcome.judged.verdict {
        Verdict::Fail(failures) if failures.iter().any(|it| matches!(it, Failure::Replay(_))) => {
            Status::Diverged
        }
        _ => Status::Pass,
    })
}

fn run(loaded: &Loaded, log: &mut TraceLog) -> CaseOutcome {
    let mut runner = Runner::new(&loaded.scenario, true);
    runner.run::<Classic<_>>(&loaded.case, Some(log))
}

/// The trace of a case with its head and its verdict.
pub(crate) fn text(
    scenario: &Scenario,
    outcome: &CaseOutcome,
    log: &TraceLog,
    all_steps: bool,
) -> String {
    let story = Story { all_steps, ..Story::of(scenario, outcome) };
    render(&scenario.program, log, &story)
}
