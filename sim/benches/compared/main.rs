//! midput beside the tools that a user would pick instead, in one run and one thread each:
//! `cargo bench -p midput-sim --bench compared`. With `-- --plot` it draws `docs/performance.svg`.
//!
//! The systems take turns, in rounds, because a machine's speed changes while other load comes and
//! goes; what is compared is processor time, so that being interrupted counts for nobody. That is
//! also why this is no criterion bench: criterion does all of one before it begins the next.

use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use work::{Done, Unit, WORKLOADS, Work, Workload};

mod bounded;
mod loom;
mod midput;
mod plot;
mod shuttle;
mod stateright;
mod work;

const ROUNDS: usize = 11;
/// The least processor time of one system in one round.
const TURN: Duration = Duration::from_millis(60);

/// One system's figures for one workload.
struct Measured {
    work: &'static Work,
    /// Executions or explorations of one turn.
    count: u64,
    last: Done,
    /// Units per second, by round.
    rates: Vec<f64>,
    /// The peak of its memory beyond what its process had at the beginning, for an exploration.
    peak_kilobytes: Option<u64>,
}

/// One line of a table.
pub(crate) struct Line {
    system: &'static str,
    /// Units per second, the median of the rounds.
    rate: f64,
    /// By the first system's rate: lowest, median and highest of the rounds.
    ratios: [f64; 3],
    steps: Option<f64>,
    peak_kilobytes: Option<u64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, name] = &arguments[..]
        && mode == "--peak"
    {
        return print_peak(name);
    }
    // Without `--bench`, which cargo bench adds, it is only tried out.
    let rounds = if arguments.iter().any(|it| it == "--bench") { ROUNDS } else { 1 };
    let tables: Vec<_> = WORKLOADS
        .iter()
        .map(|workload| {
            let lines = compare(workload, rounds);
            print_table(workload, &lines);
            (workload, lines)
        })
        .collect();
    if arguments.iter().any(|it| it == "--plot") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.svg");
        std::fs::write(path, plot::draw(&tables)).unwrap();
        println!("drawn: docs/performance.svg");
    }
    println!("\nSummary, each by the median of {rounds} rounds:");
    for (workload, lines) in &tables {
        for line in &lines[1..] {
            println!(
                "{:6.2} times {} in {}/s: {} ({})",
                line.ratios[1],
                lines[0].system,
                plural(workload.unit),
                line.system,
                workload.title,
            );
        }
    }
}

fn plural(unit: Unit) -> &'static str {
    match unit {
        Unit::Execution => "executions",
        Unit::Step => "steps",
        Unit::State => "states",
    }
}

/// How many of these were done.
fn units_of(unit: Unit, done: Done) -> u64 {
    match unit {
        Unit::Execution | Unit::State => done.units,
        Unit::Step => done.steps.unwrap_or(0),
    }
}

/// Lets every system of a workload take its turn, so many times.
fn compare(workload: &Workload, rounds: usize) -> Vec<Line> {
    let mut all: Vec<Measured> = workload.work.iter().map(|work| prepare(workload, work)).collect();
    for _ in 0..rounds {
        for measured in &mut all {
            let (done, time) = timed(measured.work, measured.count);
            let units = units_of(workload.unit, done);
            measured.rates.push(units as f64 / time.as_secs_f64());
            measured.last = done;
        }
    }
    let first = all[0].rates.clone();
    all.into_iter().map(|measured| line(measured, &first)).collect()
}

/// Finds out how much of the work fills a turn, and that it does what it should.
fn prepare(workload: &Workload, work: &'static Work) -> Measured {
    let (mut count, mut last) = (1, (work.run)(1));
    if let Some(states) = workload.states {
        assert_eq!(last.units, states, "{} found other states", work.system);
    }
    let peak_kilobytes = workload.states.map(|_| peak_of(work));
    loop {
        let (done, time) = timed(work, count);
        if time >= TURN {
            break;
        }
        last = done;
        count *= 2;
    }
    Measured { work, count, last, rates: Vec::new(), peak_kilobytes }
}

fn timed(work: &Work, count: u64) -> (Done, Duration) {
    let before = processor_time();
    let done = (work.run)(count);
    (done, processor_time() - before)
}

/// The processor time of all threads of this process.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn line(measured: Measured, first: &[f64]) -> Line {
    let mut ratios: Vec<f64> =
        measured.rates.iter().zip(first).map(|(rate, first)| rate / first).collect();
    let mut rates = measured.rates;
    let (rate, ratio) = (median(&mut rates), median(&mut ratios));
    let done = measured.last;
    Line {
        system: measured.work.system,
        rate,
        ratios: [ratios[0], ratio, ratios[ratios.len() - 1]],
        steps: done.steps.map(|steps| steps as f64 / done.units as f64),
        peak_kilobytes: measured.peak_kilobytes,
    }
}

/// The middle one; it leaves the figures in order.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn print_table(workload: &Workload, lines: &[Line]) {
    println!("\n{}", workload.title);
    let unit = plural(workload.unit);
    println!(
        "{:34} {:>16} {:>24} {:>10} {:>12}",
        "",
        format!("{unit}/s"),
        "ratio (lowest, highest)",
        "steps each",
        "peak memory"
    );
    for line in lines {
        let [lowest, ratio, highest] = line.ratios;
        let ratio = format!("{ratio:.2} ({lowest:.2}, {highest:.2})");
        let steps = line.steps.map_or("-".to_owned(), |steps| format!("{steps:.1}"));
        let peak = line.peak_kilobytes.map_or("-".to_owned(), |peak| format!("{peak} kB"));
        println!("{:34} {:>16.0} {ratio:>24} {steps:>10} {peak:>12}", line.system, line.rate);
    }
}

/// The peak memory of one exploration, in a process of its own.
fn peak_of(work: &Work) -> u64 {
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own).args(["--peak", work.name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

fn print_peak(name: &str) {
    let work = work::find(name).unwrap();
    let before = most_resident_kilobytes();
    (work.run)(1);
    println!("{}", most_resident_kilobytes() - before);
}

/// The most memory that this process ever had in RAM.
fn most_resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
