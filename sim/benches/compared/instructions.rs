//! How many instructions an execution or a state takes, under cachegrind: figures that do not
//! wander, and that can be compared between machines of one kind of processor.
//! `cargo bench -p midput-sim --bench instructions`.
//!
//! Each system runs twice, with a smaller and a larger number of executions, and the difference is
//! divided by how many there were more: so what a process does to set up is in neither figure.

use std::process::Command;

use work::{Done, Unit, WORKLOADS, Work};

mod bounded;
mod loom;
mod midput;
mod shuttle;
mod stateright;
mod work;

/// The smaller and the larger number of executions, and of explorations.
const EXECUTIONS: [u64; 2] = [500, 1500];
const EXPLORATIONS: [u64; 2] = [1, 3];
/// Explorations of more states than this would take minutes.
const STATES_MAX: u64 = 100_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, name, count] = &arguments[..]
        && mode == "--work"
    {
        let work = work::find(name).unwrap();
        return print_done((work.run)(count.parse().unwrap()));
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("inconclusive: valgrind is not installed (Debian package valgrind)");
        return;
    }
    for workload in WORKLOADS {
        if workload.states.is_some_and(|states| states > STATES_MAX) {
            continue;
        }
        let counts = workload.states.map_or(EXECUTIONS, |_| EXPLORATIONS);
        println!("\n{}", workload.title);
        println!("{:34} {:>16} {:>16} {:>8}", "", "run or state", "step", "ratio");
        let mut first = None;
        for work in workload.work {
            let [fewer, more] = counts.map(|count| instructions(work, count));
            let instructions = (more.0 - fewer.0) as f64;
            let units = (more.1.units - fewer.1.units) as f64;
            let steps = more.1.steps.zip(fewer.1.steps).map(|(more, fewer)| (more - fewer) as f64);
            let each_unit = instructions / units;
            let each_step = steps.map(|steps| instructions / steps);
            // Compared by what the workload compares.
            let each =
                if workload.unit == Unit::Step { each_step.unwrap_or(0.0) } else { each_unit };
            let ratio = *first.get_or_insert(each) / each;
            let each_step = each_step.map_or("-".to_owned(), |each| format!("{each:.0}"));
            println!("{:34} {each_unit:>16.0} {each_step:>16} {ratio:>8.2}", work.system);
        }
    }
}

/// What a child that was told to do some work did.
fn print_done(done: Done) {
    println!("{} {}", done.units, done.steps.map_or("-".to_owned(), |steps| steps.to_string()));
}

/// The instructions of a process that does so much of the work, and what it did.
fn instructions(work: &Work, count: u64) -> (u64, Done) {
    let own = std::env::current_exe().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(own)
        .args(["--work", work.name, &count.to_string()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", work.name);
    // ==123== I refs:        12,345,678
    let refs = errors.lines().find_map(|line| line.split_once("refs:")).unwrap().1;
    let digits: String = refs.chars().filter(char::is_ascii_digit).collect();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let (units, steps) = words.trim().split_once(' ').unwrap();
    let done = Done { units: units.parse().unwrap(), steps: steps.parse().ok() };
    (digits.parse().unwrap(), done)
}
