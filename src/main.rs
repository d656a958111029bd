//! The command `midput`: parse, call, print.

use std::process::ExitCode;

use clap::Parser;
use midput_sim::settings::Settings;

use arguments::{Arguments, Color, Command};
use exit::Status;

mod arguments;
mod case_file;
mod check;
mod exit;
mod explain;
mod explore;
mod inspect;
mod junit;
mod list;
mod matrix;
mod merge;
mod print;
mod replay;
mod reports;
mod select;
mod shrink;
mod summary;
mod table;

fn main() -> ExitCode {
    // A process of a native run is this program again: it plays its part and never returns.
    if midput_sim::world::native::is_subject() {
        midput_sim::world::native::subject_main();
    }
    let arguments = Arguments::parse();
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("midput: {error}");
            return Status::Usage.into();
        }
    };
    if let Err(error) = start_log(&settings) {
        eprintln!("midput: {error:#}");
        return Status::Usage.into();
    }
    let ran = std::panic::catch_unwind(|| run(arguments, &settings));
    // What panicked has said so itself.
    let Ok(ran) = ran else { return Status::Internal.into() };
    match ran {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("midput: {error:#}");
            let nothing = error.downcast_ref::<select::NothingSelected>().is_some();
            let status = if nothing { Status::Nothing } else { Status::Usage };
            status.into()
        }
    }
}

fn run(arguments: Arguments, settings: &Settings) -> anyhow::Result<Status> {
    let verbose = arguments.verbose;
    let color = match arguments.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            wanted && std::io::IsTerminal::is_terminal(&std::io::stdout())
        }
    };
    match arguments.command {
        None => check::check(&arguments.check, settings, verbose, color),
        Some(Command::Check(check)) => check::check(&check, settings, verbose, color),
        Some(Command::Replay(replay)) => replay::replay(&replay, settings),
        Some(Command::Shrink(arguments)) => shrink::shrink(&arguments, settings),
        Some(Command::Trace(trace)) => replay::trace(&trace, settings),
        Some(Command::Explore(explore)) => explore::explore(&explore),
        Some(Command::Matrix(arguments)) => matrix::matrix(&arguments),
        Some(Command::Explain(arguments)) => explain::explain(&arguments),
        Some(Command::Merge(merge)) => merge::merge(&merge, settings, color),
        Some(Command::List(list)) => list::list(&list),
        Some(Command::Inspect(arguments)) => inspect::inspect(&arguments),
    }
}

/// What the harness does, on standard error, filtered by `MIDPUT_LOG`.
fn start_log(settings: &Settings) -> anyhow::Result<()> {
    let Some(filter) = &settings.log else { return Ok(()) };
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| anyhow::anyhow!("MIDPUT_LOG={filter} cannot be read: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .init();
    Ok(())
}
