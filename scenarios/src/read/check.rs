//! The checks over a whole program: who starts whom, who may join whom, what may stand where.

use midput_model::program::{LaneId, Operation, ProcessId};
use midput_model::queue::manager::{Environment, Manager};

use super::document::Document;
use super::processes::Placed;

/// One instruction with all that the checks ask of it.
struct Seen {
    process: usize,
    lane: usize,
    index: usize,
    last: bool,
    place: usize,
    operation: Operation,
    after: Option<ProcessId>,
}

/// Reports what makes no sense in the program as a whole.
pub(crate) fn program(document: &Document<'_>, placed: &Placed) {
    let seen = all(placed);
    let starters = starters(document, placed, &seen);
    for instruction in &seen {
        check_process_use(document, placed, &seen, &starters, instruction);
        if matches!(instruction.operation, Operation::Exit { .. } | Operation::ExitNow { .. }) {
            let message = match (instruction.lane, instruction.last) {
                (0, true) => continue,
                (0, false) => "leaving must be the last operation of main",
                _ => "only main may leave the process",
            };
            document.mistake(instruction.place, message);
        }
    }
    check_threads(document, placed, &seen);
    check_managed(document, placed);
}

/// Where a server owns the queues, it owns all of them, and processes do nothing that its model does
/// not have.
fn check_managed(document: &Document<'_>, placed: &Placed) {
    let program = &placed.program;
    if program.is_managed()
        && let Err(error) = Manager::of(program.clone(), Environment::default())
    {
        let place = placed.process_places.first().copied().unwrap_or(0);
        document.mistake(place, error.to_string());
    }
}

fn all(placed: &Placed) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (process, program) in placed.program.processes.iter().enumerate() {
        for (lane, program) in program.lanes.iter().enumerate() {
            let count = program.instructions.len();
            for (index, instruction) in program.instructions.iter().enumerate() {
                seen.push(Seen {
                    process,
                    lane,
                    index,
                    last: index + 1 == count,
                    place: placed.places[process][lane][index],
                    operation: instruction.operation,
                    after: instruction.after,
                });
            }
        }
    }
    seen
}

/// For each process, the instruction that starts it, as an index into `seen`.
fn starters(document: &Document<'_>, placed: &Placed, seen: &[Seen]) -> Vec<Option<usize>> {
    let mut starters: Vec<Option<usize>> = vec![None; placed.program.processes.len()];
    for (number, instruction) in seen.iter().enumerate() {
        let Operation::Start { process } = instruction.operation else {
            continue;
        };
        let started = usize::from(process.0);
        if placed.program.processes[instruction.process].daemon {
            let message = "daemonic processes are not allowed to have children (LC7)";
            document.mistake(instruction.place, message);
        }
        if started == 0 {
            document.mistake(instruction.place, "P0 runs from the beginning; nobody starts it");
        } else if started == instruction.process {
            document.mistake(instruction.place, "a process cannot start itself");
        } else if let Some(earlier) = starters[started] {
            let line = document.line(seen[earlier].place);
            let message = format!("P{started} is already started in line {line}");
            document.mistake(instruction.place, message);
        } else {
            starters[started] = Some(number);
        }
    }
    for process in 1..starters.len() {
        let place = placed.process_places[process];
        let Some(starter) = starters[process] else {
            let message = format!("P{process} is never started; add 'start P{process}' to P0");
            document.mistake(place, message);
            continue;
        };
        // Following the starters leads to P0 within as many steps as there are processes.
        let mut ancestor = seen[starter].process;
        for _ in 0..starters.len() {
            ancestor = starters[ancestor].map_or(ancestor, |starter| seen[starter].process);
        }
        if ancestor != 0 && starters[ancestor].is_some() {
            let message = format!("P{process} is never started: its starters start each other");
            document.mistake(place, message);
        }
    }
    starters
}

/// Joins and signals are the parent's, and come after the start.
fn check_process_use(
    document: &Document<'_>,
    placed: &Placed,
    seen: &[Seen],
    starters: &[Option<usize>],
    instruction: &Seen,
) {
    if let Some(after) = instruction.after
        && usize::from(after.0) == instruction.process
    {
        document.mistake(instruction.place, "a process cannot wait for its own death");
    }
    let (Operation::Join { process, .. }
    | Operation::IsAlive { process }
    | Operation::Signal { process, .. }) = instruction.operation
    else {
        return;
    };
    let name = instruction.operation.name();
    let target = usize::from(process.0);
    let Some(starter) = starters[target].map(|starter| &seen[starter]) else {
        if target == 0 {
            let message = format!("nobody may {name} P0: no process of the scenario started it");
            document.mistake(instruction.place, message);
        }
        return;
    };
    if starter.process != instruction.process {
        let message = format!(
            "only {} may {name} P{target}, because it starts it in line {}",
            placed.program.processes[starter.process].name,
            document.line(starter.place)
        );
        document.mistake(instruction.place, message);
    } else if starter.lane == instruction.lane && starter.index > instruction.index {
        let message = format!("{name} P{target} stands before 'start P{target}'");
        document.mistake(instruction.place, message);
    }
}

/// Each further thread is started once, by a lane that runs.
fn check_threads(document: &Document<'_>, placed: &Placed, seen: &[Seen]) {
    for (process, program) in (0u8..).zip(&placed.program.processes) {
        let mut starters: Vec<Option<&Seen>> = vec![None; program.lanes.len()];
        let first = placed.program.lane_of(ProcessId(process), 0);
        for instruction in seen.iter().filter(|seen| seen.process == usize::from(process)) {
            let Operation::Thread { lane: LaneId(lane) } = instruction.operation else {
                continue;
            };
            let started = usize::from(lane - first.0);
            match starters[started] {
                None => starters[started] = Some(instruction),
                Some(earlier) => {
                    let message = format!(
                        "thread '{}' is already started in line {}",
                        program.lanes[started].name,
                        document.line(earlier.place)
                    );
                    document.mistake(instruction.place, message);
                }
            }
        }
        for (lane, lane_program) in program.lanes.iter().enumerate().skip(1) {
            let mut ancestor = lane;
            for _ in 0..program.lanes.len() {
                ancestor = starters[ancestor].map_or(ancestor, |starter| starter.lane);
            }
            if ancestor != 0 {
                let message = format!(
                    "thread '{name}' of {} is never started; add 'thread {name}' to its main",
                    program.name,
                    name = lane_program.name
                );
                let place = placed.process_places[usize::from(process)];
                document.mistake(place, message);
            }
        }
    }
}
