//! Smaller programs: what is left of a scenario when parts of it are taken away, and what its
//! case and its course mean there.

use midput_model::program::{
    Instruction, Item, ItemId, LaneId, LaneProgram, LaneRole, Operation, Outcome, ProcessId,
    ProcessProgram, Program, QueueId,
};
use midput_model::site::Site;
use midput_scenarios::{Faults, Scenario};

use super::bench::Candidate;
use super::course::Deviation;
use crate::host::Alternative;

/// A place in a program: process, lane, instruction.
pub(super) type Place = (usize, usize, usize);

/// Which parts of a program stay.
#[derive(Clone, Debug)]
pub(super) struct Stays {
    pub processes: Vec<bool>,
    /// By process.
    pub lanes: Vec<Vec<bool>>,
    /// By process and lane.
    pub instructions: Vec<Vec<Vec<bool>>>,
}

impl Stays {
    /// Everything stays.
    pub(super) fn all(program: &Program) -> Self {
        let processes = &program.processes;
        let instructions = |lane: &LaneProgram| vec![true; lane.instructions.len()];
        Self {
            processes: vec![true; processes.len()],
            lanes: processes.iter().map(|it| vec![true; it.lanes.len()]).collect(),
            instructions: processes
                .iter()
                .map(|it| it.lanes.iter().map(instructions).collect())
                .collect(),
        }
    }
}

/// Every instruction of a program with its place.
pub(super) fn places(program: &Program) -> Vec<(Place, Instruction)> {
    let mut places = Vec::new();
    for (process, entry) in program.processes.iter().enumerate() {
        for (lane, entry) in entry.lanes.iter().enumerate() {
            let instructions = entry.instructions.iter().enumerate();
            places.extend(instructions.map(|(index, it)| ((process, lane, index), it.clone())));
        }
    }
    places
}

/// What remains of a candidate, where that is a scenario that a file can say.
pub(super) fn without(candidate: &Candidate, stays: &Stays) -> Option<Candidate> {
    let before = &candidate.scenario.program;
    let builder = Builder::new(before, stays);
    let program = builder.program();
    let scenario = on_its_own(&candidate.scenario, program)?;
    let renamed = Renamed::new(&builder, before, &scenario.program);
    let mut case = candidate.case.clone();
    case.kills.retain_mut(|kill| {
        let process = builder.process(kill.process);
        process.is_some_and(|process| {
            kill.process = process;
            renamed.site(&mut kill.site)
        })
    });
    case.holds.retain_mut(|site| renamed.site(site));
    case.faults.retain_mut(|fault| renamed.site(&mut fault.site));
    // Kills are chosen by their position, which must not have changed.
    let same_kills = case.kills.len() == candidate.case.kills.len();
    let course = candidate.course.iter().filter(|_| same_kills);
    let course = course.filter_map(|it| renamed.deviation(&builder, it)).collect();
    Some(Candidate { scenario, case, course, cost: candidate.cost })
}

/// A scenario with another program, as the case's own: without what is for sweeps.
pub(super) fn on_its_own(scenario: &Scenario, program: Program) -> Option<Scenario> {
    let own = Scenario {
        program,
        faults: Faults::default(),
        reach: Default::default(),
        expect: Default::default(),
        ..scenario.clone()
    };
    let read = midput_scenarios::parse(&own.name, &midput_scenarios::write(&own)).ok()?;
    (read == own).then_some(own)
}

struct Builder<'a> {
    before: &'a Program,
    stays: &'a Stays,
    /// By old index, the new one.
    processes: Vec<Option<u8>>,
    items: Vec<Option<u16>>,
    queues: Vec<Option<u8>>,
}

impl<'a> Builder<'a> {
    fn new(before: &'a Program, stays: &'a Stays) -> Self {
        let mut builder = Self {
            before,
            stays,
            processes: numbered(stays.processes.iter().copied()),
            items: vec![None; before.items.len()],
            queues: Vec::new(),
        };
        let mut puts = vec![false; before.items.len()];
        let mut used = vec![false; before.queues.len()];
        for (place, instruction) in places(before) {
            if !builder.stays_at(place, &instruction) {
                continue;
            }
            if let Operation::Put { item, .. } = instruction.operation {
                puts[usize::from(item.0)] = true;
            }
            if let Some(queue) = instruction.operation.queue() {
                used[usize::from(queue.0)] = true;
            }
        }
        builder.items = numbered(puts.into_iter());
        builder.queues = numbered(used.into_iter());
        builder
    }

    fn stays_at(&self, (process, lane, index): Place, instruction: &Instruction) -> bool {
        let about = match instruction.operation {
            Operation::Start { process }
            | Operation::Join { process, .. }
            | Operation::IsAlive { process }
            | Operation::Signal { process, .. } => self.process(process).is_some(),
            Operation::Thread { lane: LaneId(thread) } => {
                let first = self.before.lane_of(ProcessId(process as u8), 0).0;
                self.stays.lanes[process][usize::from(thread - first)]
            }
            _ => true,
        };
        about
            && self.stays.processes[process]
            && self.stays.lanes[process][lane]
            && self.stays.instructions[process][lane][index]
    }

    fn process(&self, process: ProcessId) -> Option<ProcessId> {
        self.processes[usize::from(process.0)].map(ProcessId)
    }

    fn queue(&self, queue: QueueId) -> QueueId {
        QueueId(self.queues[usize::from(queue.0)].unwrap_or(0))
    }

    fn item(&self, item: ItemId) -> Option<ItemId> {
        self.items[usize::from(item.0)].map(ItemId)
    }

    /// A lane's new id.
    fn lane(&self, lane: LaneId) -> Option<LaneId> {
        let lanes = self.before.lanes();
        let old = lanes.get(usize::from(lane.0))?;
        self.process(old.process)?;
        let threads = &self.stays.lanes[usize::from(old.process.0)];
        let stay = |threads: &[bool]| threads.iter().filter(|stays| **stays).count() as u8;
        let queues = self.queues.iter().flatten().count() as u8;
        let before: u8 = (0..usize::from(old.process.0))
            .filter(|&process| self.stays.processes[process])
            .map(|process| stay(&self.stays.lanes[process]) + queues)
            .sum();
        let index = match old.role {
            LaneRole::Program(index) => {
                threads[usize::from(index)].then(|| stay(&threads[..usize::from(index)]))?
            }
            LaneRole::Feeder(queue) => stay(threads) + self.queues[usize::from(queue.0)]?,
        };
        Some(LaneId(before + index))
    }

    fn program(&self) -> Program {
        let before = self.before;
        let queues = before.queues.iter().zip(&self.queues);
        let items = before.items.iter().zip(&self.items).filter(|(_, stays)| stays.is_some());
        let processes = before.processes.iter().enumerate();
        let processes = processes.filter(|(process, _)| self.stays.processes[*process]);
        Program {
            queues: queues.filter(|(_, stays)| stays.is_some()).map(|(it, _)| it.clone()).collect(),
            items: items
                .map(|(item, _)| Item {
                    name: plain_name(before, &item.name),
                    producer: self.process(item.producer).unwrap_or(ProcessId(0)),
                    queue: self.queue(item.queue),
                    ..item.clone()
                })
                .collect(),
            processes: processes
                .enumerate()
                .map(|(new, (old, process))| ProcessProgram {
                    name: format!("P{new}"),
                    daemon: process.daemon,
                    leaves_on_terminate: process.leaves_on_terminate,
                    lanes: self.lanes_of(old, process),
                })
                .collect(),
        }
    }

    fn lanes_of(&self, process: usize, entry: &ProcessProgram) -> Vec<LaneProgram> {
        let lanes = entry.lanes.iter().enumerate();
        let lanes = lanes.filter(|(lane, _)| self.stays.lanes[process][*lane]);
        let instructions = |lane: usize, entry: &LaneProgram| {
            let all = entry.instructions.iter().enumerate();
            let stay = all.filter(|(index, it)| self.stays_at((process, lane, *index), it));
            stay.map(|(_, it)| self.instruction(it)).collect()
        };
        lanes
            .map(|(lane, entry)| LaneProgram {
                name: entry.name.clone(),
                instructions: instructions(lane, entry),
            })
            .collect()
    }

    fn instruction(&self, instruction: &Instruction) -> Instruction {
        Instruction {
            after: instruction.after.and_then(|process| self.process(process)),
            until: match instruction.until {
                Some(Outcome::Item(item)) => self.item(item).map(Outcome::Item),
                other => other,
            },
            operation: self.operation(instruction.operation),
        }
    }

    fn operation(&self, operation: Operation) -> Operation {
        let mut new = operation;
        match &mut new {
            Operation::Put { queue, item, .. } => {
                *queue = self.queue(*queue);
                *item = self.item(*item).unwrap_or(*item);
            }
            Operation::Get { queue, .. }
            | Operation::Size { queue }
            | Operation::Empty { queue }
            | Operation::Full { queue }
            | Operation::Close { queue }
            | Operation::CloseReader { queue }
            | Operation::CloseWriter { queue }
            | Operation::JoinThread { queue }
            | Operation::CancelJoinThread { queue }
            | Operation::TaskDone { queue }
            | Operation::JoinQueue { queue }
            | Operation::ForceRelease { queue, .. } => *queue = self.queue(*queue),
            Operation::Start { process }
            | Operation::Join { process, .. }
            | Operation::IsAlive { process }
            | Operation::Signal { process, .. } => {
                *process = self.process(*process).unwrap_or(*process);
            }
            Operation::Thread { lane } => *lane = self.lane(*lane).unwrap_or(*lane),
            Operation::Exit { .. } | Operation::ExitNow { .. } => {}
        }
        new
    }
}

/// The numbers that those get which stay.
fn numbered<N: TryFrom<usize>>(stays: impl Iterator<Item = bool>) -> Vec<Option<N>> {
    let mut next = 0..;
    stays
        .map(|stays| stays.then(|| next.next()).flatten().and_then(|it| it.try_into().ok()))
        .collect()
}

/// A name of an item that a `put` can say: `a#2` comes from a `repeat` that may be gone.
fn plain_name(program: &Program, name: &str) -> String {
    let Some((first, number)) = name.split_once('#') else { return name.to_owned() };
    let mut plain = format!("{first}{number}");
    while program.items.iter().any(|item| item.name == plain) {
        plain.push('x');
    }
    plain
}

/// The lanes' old names and their new ones.
struct Renamed {
    names: Vec<(String, Option<String>)>,
}

impl Renamed {
    fn new(builder: &Builder<'_>, before: &Program, after: &Program) -> Self {
        let after = after.lanes();
        let names = (0u8..).zip(before.lanes()).map(|(old, lane)| {
            let new = builder.lane(LaneId(old)).and_then(|it| after.get(usize::from(it.0)));
            (lane.name, new.map(|lane| lane.name.clone()))
        });
        Self { names: names.collect() }
    }

    /// Gives a site its new name; `false` where its lane is gone.
    fn site(&self, site: &mut Site) -> bool {
        let found = self.names.iter().find(|(old, _)| *old == site.lane);
        match found.and_then(|(_, new)| new.clone()) {
            Some(new) => {
                site.lane = new;
                true
            }
            None => false,
        }
    }

    fn deviation(&self, builder: &Builder<'_>, deviation: &Deviation) -> Option<Deviation> {
        let alternative = |it| {
            Some(match it {
                Alternative::Lane(lane) => Alternative::Lane(builder.lane(lane)?),
                Alternative::Expire(lane) => Alternative::Expire(builder.lane(lane)?),
                Alternative::Die(process) => Alternative::Die(builder.process(process)?),
                other => other,
            })
        };
        Some(Deviation {
            usual: alternative(deviation.usual)?,
            taken: alternative(deviation.taken)?,
            step: deviation.step,
        })
    }
}
