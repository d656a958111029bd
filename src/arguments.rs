//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use midput_model::mutant::Mutant;
use midput_model::site::Site;
use midput_sim::mutation::Against;
use midput_sim::schedule::Strategies;
use midput_sim::settings::{Shard, parse_seed, parse_time};

/// Kills processes in the middle of a put, says what the survivors see, and replays it.
///
/// Without a command, checks all scenarios in every world that they name.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub check: Check,
    /// Print every value in force, and where it comes from.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Colours: auto, always, never. `NO_COLOR` is heeded.
    #[arg(long, global = true, default_value = "auto")]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the cases of scenarios (the default command).
    Check(Check),
    /// Run a saved case again.
    Replay(Replay),
    /// Make a failing case as small as it goes while it shows the same.
    Shrink(Shrink),
    /// Show what a saved case does, one event a line.
    Trace(Trace),
    /// Visit every state of a scenario's model: outcomes and shortest counterexamples.
    Explore(Explore),
    /// Which guarantee holds for which class of queue: in the model and in the simulated kernel, with
    /// and without kills, each violation with its smallest case.
    Matrix(Matrix),
    /// Say what a hazard, a guarantee, a rule or a step is, what to do, and where it is tested.
    Explain(Explain),
    /// Join the reports of shards to the report of the whole, and end as `check` would have.
    Merge(Merge),
    /// List scenarios, kill sites, hazards, guarantees or kept cases.
    List(List),
    /// Look at a program that hangs now: its queues, who is blocked where, and which harm it is.
    Inspect(Inspect),
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Check {
    /// Which scenarios: names, with `*` for any text. All by default.
    pub scenarios: Vec<String>,
    /// The folder of the scenario files [default: ./scenarios, else the built-in ones].
    #[arg(long, value_name = "DIR")]
    pub scenarios_in: Option<PathBuf>,
    /// What is tested.
    #[arg(long, default_value = "classic")]
    pub subject: Option<Subject>,
    /// Only this world [default: every world that the scenario names].
    #[arg(long)]
    pub world: Option<WorldArgument>,
    /// Who decides at the choices of simulated cases: portfolio, random, `pct depth=3`, `bounded
    /// preemptions=2` [default: portfolio].
    #[arg(long, value_name = "STRATEGY")]
    pub strategy: Option<Strategies>,
    /// What cases are drawn from: N, 0xN, a commit, or `random` [default: 0x4d2].
    #[arg(long, value_parser = seed)]
    pub seed: Option<u64>,
    /// Simulated cases for each scenario [default: 512]; native ones are a tenth, but every kill
    /// site once.
    #[arg(long)]
    pub cases: Option<u64>,
    /// Stop after so long, such as 30s; what did not run is said.
    #[arg(long, value_parser = time)]
    pub budget: Option<Duration>,
    /// Only these cases: m/n, from 1; case i belongs to shard i modulo n. `midput merge` joins the
    /// reports of all shards.
    #[arg(long, value_parser = shard)]
    pub shard: Option<Shard>,
    /// Threads [default: one for each processor].
    #[arg(long, value_parser = jobs)]
    pub jobs: Option<usize>,
    /// Stop a scenario after so many failing cases, kept ones included; 0 is never [default: 3].
    #[arg(long, value_name = "N")]
    pub max_fail: Option<u64>,
    /// Stop a scenario once N cases in a row brought nothing new: no action of the model, no kill
    /// site, no hazard, no ending. It is asked after every 64 simulated cases.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub until_quiet: Option<u64>,
    /// How long a native run may go on without ending or hanging for good [default: 10s].
    #[arg(long, value_parser = time)]
    pub hang_after: Option<Duration>,
    /// How time passes in simulation [default: patient].
    #[arg(long)]
    pub time: Option<Time>,
    /// Run the code with one call altered, such as 'skip rlock.release', to see whether the checks
    /// notice. In simulation only.
    #[arg(long, value_name = "'CHANGE STEP'")]
    pub mutant: Option<Mutant>,
    /// What altered code is held against: the model as it is, the model altered in the same way,
    /// or nothing but the guarantees [default: model].
    #[arg(long, requires = "mutant", value_name = "model|mutant|nothing")]
    pub against: Option<Against>,
    /// Save failing cases as they were found.
    #[arg(long)]
    pub no_shrink: bool,
    /// Run every simulated case twice and compare.
    #[arg(long)]
    pub twice: bool,
    /// Where files are written when there is no folder of scenarios [default: target/midput].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub reports: Reports,
}

/// The files that a check leaves behind.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reports {
    /// Write all figures and failing cases as JSON; `-` is standard output, and what else is
    /// printed there goes to standard error then. docs/report.schema.json says what is in it.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write a JUnit file; `-` as for `--report`.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Matrix {
    /// Visit at most so many states of one model.
    #[arg(long, default_value_t = 2_000_000)]
    pub states: usize,
    /// So many simulated cases for each scenario.
    #[arg(long, default_value_t = 256)]
    pub cases: u64,
    /// Run real processes as well: each kill site of each scenario once.
    #[arg(long)]
    pub native: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Explain {
    /// `H3`, `G6`, `WF4`, or a step such as `write-body`; without it, what there is.
    pub id: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Merge {
    /// The files that the shards wrote with `--report`, in any order; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The folder of the scenario files, where failing cases are saved [default: ./scenarios].
    #[arg(long, value_name = "DIR")]
    pub scenarios_in: Option<PathBuf>,
    /// Where files are written when there is no folder of scenarios [default: target/midput].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub reports: Reports,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// CPython's protocol.
    #[default]
    Classic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorldArgument {
    /// The simulated kernel.
    Sim,
    /// Real processes.
    Native,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A case file, `last` for the last failing case, or `-` for standard input.
    pub case: String,
    #[command(flatten)]
    pub place: Place,
    /// How often.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub times: u32,
    /// Go on where the recorded choices do not fit any more: `random`.
    #[arg(long)]
    pub then: Option<Then>,
    /// What `--then random` draws from [default: the case's own seed].
    #[arg(long, value_parser = seed, requires = "then")]
    pub seed: Option<u64>,
    /// Stop before this site, such as `P1.feed write-body[1]`.
    #[arg(long, value_name = "SITE")]
    pub until: Option<Site>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Then {
    /// By a drawn schedule.
    Random,
}

#[derive(Debug, Args)]
pub(crate) struct Shrink {
    /// A case file, `last` for the last failing case, or `-` for standard input.
    pub case: String,
    /// The folder of the scenario files [default: ./scenarios, else the built-in ones].
    #[arg(long, value_name = "DIR")]
    pub scenarios_in: Option<PathBuf>,
    /// Where files were written when there is no folder of scenarios [default: target/midput].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Stop after so long with what has been found, such as 30s [default: when nothing gets
    /// smaller].
    #[arg(long, value_parser = time)]
    pub budget: Option<Duration>,
    /// What is printed: a case, or a Rust test that stands alone.
    #[arg(long, default_value = "case")]
    pub emit: Emit,
    /// Where to [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// A case file.
    Case,
    /// A test.
    Rust,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// A case file, `last` for the last failing case, or `-` for standard input.
    pub case: String,
    #[command(flatten)]
    pub place: Place,
    /// The form of the trace.
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Show every step, local ones too.
    #[arg(long)]
    pub all_steps: bool,
    /// Where to [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Fixed columns.
    Text,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The folder of the scenario files [default: ./scenarios, else the built-in ones].
    #[arg(long, value_name = "DIR")]
    pub scenarios_in: Option<PathBuf>,
    /// In which world.
    #[arg(long, default_value = "sim")]
    pub world: WorldArgument,
    /// Where files were written when there is no folder of scenarios [default: target/midput].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Explore {
    /// Which scenarios: names, with `*` for any text.
    #[arg(required = true)]
    pub scenarios: Vec<String>,
    /// The folder of the scenario files [default: ./scenarios, else the built-in ones].
    #[arg(long, value_name = "DIR")]
    pub scenarios_in: Option<PathBuf>,
    /// Without kills, whatever the scenario allows.
    #[arg(long)]
    pub no_kills: bool,
    /// Explore the model with one call altered, such as 'skip rlock.release'.
    #[arg(long, value_name = "'CHANGE STEP'")]
    pub mutant: Option<Mutant>,
    /// How time passes: a wait expires only when nothing else can happen, or at any moment.
    #[arg(long, default_value = "patient")]
    pub time: Time,
    /// Visit at most so many states.
    #[arg(long, default_value_t = 2_000_000)]
    pub states: usize,
    /// Run every schedule of the real code, too, in the simulated kernel, with the scenario's kills
    /// and faults at every step, and compare what both come to. Each schedule that is run is held
    /// against the model step by step, and its hazards and guarantees are judged by what the scenario
    /// allows. Of schedules that differ only in the order of steps that make no difference one is
    /// run, so that the proof is of lockstep and of ends; a guarantee over the order of calls and
    /// returns is judged in that one's.
    #[arg(long)]
    pub code: bool,
    /// Run at most so many schedules of the code.
    #[arg(long, default_value_t = 1_000_000, requires = "code")]
    pub schedules: u64,
    /// Run the orders of steps of the code that make no difference, too.
    #[arg(long, requires = "code")]
    pub no_reduction: bool,
    /// Only schedules of the code with at most so many preemptions; without reduction.
    #[arg(long, value_name = "N", requires = "code")]
    pub preemptions: Option<u32>,
    /// Show the shortest counterexamples as traces.
    #[arg(long)]
    pub traces: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Time {
    /// A wait expires only when nothing else can happen.
    Patient,
    /// A wait may expire from the moment that it blocks.
    Any,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// What to list.
    #[arg(default_value = "scenarios")]
    pub what: What,
    /// Of which scenarios: names, with `*` for any text.
    pub scenarios: Vec<String>,
    /// The folder of the scenario files [default: ./scenarios, else the built-in ones].
    #[arg(long, value_name = "DIR")]
    pub scenarios_in: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Names, and the first sentence of each why.
    Scenarios,
    /// Where kills can land.
    Sites,
    /// Known harms.
    Hazards,
    /// What a queue can promise.
    Guarantees,
    /// Kept cases.
    Cases,
}

/// Reads only: nothing is stopped, signalled or changed. Ends with 0 where nothing wrong is seen, 1
/// for a hazard, 2 where there is no such process, 3 where it cannot be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Inspect {
    /// Any process of the program, CPython or Rust with `midput-real`.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: u32,
    /// Print everything that was seen as JSON.
    #[arg(long)]
    pub json: bool,
}

fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=256).contains(jobs));
    jobs.ok_or("jobs are a number from 1 to 256".into())
}

fn seed(text: &str) -> Result<u64, String> {
    parse_seed(text).ok_or("a seed is a number, 0xN, a commit's 40 digits, or 'random'".into())
}

fn time(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or("a time looks like 500ms, 30s or 2m".into())
}

fn shard(text: &str) -> Result<Shard, String> {
    text.parse().map_err(|()| "a shard is m/n with 1 <= m <= n, such as 2/8".into())
}
