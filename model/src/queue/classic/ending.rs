//! What a run has come to: the same summary for the model, for simulated and for real runs.

use crate::program::{Exit, LaneId, Outcome, QueueId, QueueKind, QueueParameters};

use super::state::State;
use super::tasks::Tasks;
use super::{Classic, lane_number};

/// What somebody can tell of a program that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ending {
    /// By lane.
    pub lanes: Vec<LaneEnding>,
    /// By process: how it ended.
    pub exits: Vec<Option<Exit>>,
    /// By queue: what its kernel objects hold.
    pub objects: Vec<Objects>,
}

/// What the kernel objects of a queue hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objects {
    /// The values of its semaphores, in order of creation: the read and the write lock, unless it is
    /// a bare pipe; the slots, unless it is a simple queue either; of a joinable queue the
    /// unfinished tasks, the lock of their
    /// condition, and its sleepers, woken and wake-ups.
    pub semaphores: Vec<u32>,
    /// The bytes in its pipe.
    pub bytes: u32,
}

/// What a lane has come to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneEnding {
    /// What its calls returned.
    pub results: Vec<Outcome>,
    /// The step that it is blocked in for ever, and how far its transfer has come.
    pub blocked: Option<(&'static str, u32)>,
}

impl Classic {
    /// Summarizes an end.
    pub fn ending(&self, state: &State) -> Ending {
        let blocked = self.end(state).blocked;
        let lanes = (0..self.lanes().len()).map(|index| {
            let lane = LaneId(lane_number(index));
            let site = blocked.iter().find(|it| it.lane == lane);
            let current = state.lane(lane);
            LaneEnding {
                results: current.results.clone(),
                blocked: site.map(|it| (current.point.step(), it.offset)),
            }
        });
        let exits = state.processes.iter().map(|process| process.state.exit());
        let objects = (0..state.queues.len()).map(|index| {
            let queue = state.queue(QueueId(lane_number(index)));
            let kind = self.kind(QueueId(lane_number(index)));
            let mut semaphores = Vec::new();
            if kind != QueueKind::Pipe {
                let locks = [queue.read_lock, queue.write_lock];
                semaphores.extend(locks.map(|lock| lock.semaphore.value()));
            }
            if matches!(kind, QueueKind::Queue | QueueKind::Joinable) {
                semaphores.push(queue.slots.value());
            }
            semaphores.extend(queue.tasks.iter().flat_map(Tasks::values));
            Objects { semaphores, bytes: queue.pipe.available() }
        });
        Ending { lanes: lanes.collect(), exits: exits.collect(), objects: objects.collect() }
    }

    /// An ending in words, without what every ending has: `P0.main Done a Empty; P1 SIGKILL`.
    pub fn ending_text(&self, ending: &Ending) -> String {
        let mut parts = Vec::new();
        for (lane, ending) in self.lanes().iter().zip(&ending.lanes) {
            let mut words: Vec<String> =
                ending.results.iter().map(|result| self.outcome_text(*result)).collect();
            if let Some((step, offset)) = ending.blocked {
                let offset = if offset > 0 { format!("+{offset}") } else { String::new() };
                words.push(format!("BLOCKED in {step}{offset}"));
            }
            if !words.is_empty() {
                parts.push(format!("{} {}", lane.name, words.join(" ")));
            }
        }
        for (process, exit) in self.program().processes.iter().zip(&ending.exits) {
            match exit {
                Some(Exit::Signal(signal)) => {
                    parts.push(format!("{} {}", process.name, signal.name()));
                }
                Some(Exit::Code(code)) if *code != 0 => {
                    parts.push(format!("{} exits with {code}", process.name));
                }
                _ => {}
            }
        }
        let queues = self.program().queues.iter().zip(&ending.objects);
        parts.extend(queues.map(|(queue, objects)| objects_text(queue, objects)));
        parts.join("; ")
    }

    fn outcome_text(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Done => "ok".to_owned(),
            Outcome::Item(item) => self.program().items[usize::from(item.0)].name.clone(),
            Outcome::Number(number) => number.to_string(),
            Outcome::Bool(value) => value.to_string(),
            other => format!("{other:?}"),
        }
    }
}

/// The objects of a queue in words: `jobs slots 2, rlock free, wlock taken, pipe 4`.
fn objects_text(queue: &QueueParameters, objects: &Objects) -> String {
    let lock = |value: u32| if value == 0 { "taken" } else { "free" };
    let mut text = queue.name.clone();
    let (slots, tasks) = match objects.semaphores[..] {
        [_, _, slots, ref tasks @ ..] => (Some(slots), tasks),
        _ => (None, &[][..]),
    };
    if let Some(slots) = slots {
        let slots = if queue.maxsize == 0 { "-".to_owned() } else { slots.to_string() };
        text = format!("{text} slots {slots},");
    }
    if let [read_lock, write_lock, ..] = objects.semaphores[..] {
        text = format!("{text} rlock {}, wlock {},", lock(read_lock), lock(write_lock));
    }
    if let [unfinished, condition, sleeping, woken, wait] = *tasks {
        text = format!("{text} unfinished {unfinished}, cond {},", lock(condition));
        for (name, value) in [("sleeping", sleeping), ("woken", woken), ("wait", wait)] {
            if value > 0 {
                text = format!("{text} {name} {value},");
            }
        }
    }
    format!("{text} pipe {}", objects.bytes)
}
