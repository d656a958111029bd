//! What a run has come to: the same summary for the model, for simulated and for real runs.

use crate::program::{Exit, LaneId, Outcome, QueueId};

use super::state::State;
use super::{Classic, lane_number};

/// What somebody can tell of a program that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ending {
    /// By lane.
    pub lanes: Vec<LaneEnding>,
    /// By process: how it ended.
    pub exits: Vec<Option<Exit>>,
    /// By queue: free slots, read lock, write lock, bytes in the pipe.
    pub objects: Vec<[u32; 4]>,
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
            [
                queue.slots.value(),
                queue.read_lock.semaphore.value(),
                queue.write_lock.semaphore.value(),
                queue.pipe.available(),
            ]
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
        for (queue, [slots, read_lock, write_lock, bytes]) in
            self.program().queues.iter().zip(&ending.objects)
        {
            let lock = |value: u32| if value == 0 { "taken" } else { "free" };
            let slots = if queue.maxsize == 0 { "-".to_owned() } else { slots.to_string() };
            parts.push(format!(
                "{} slots {slots}, rlock {}, wlock {}, pipe {bytes}",
                queue.name,
                lock(*read_lock),
                lock(*write_lock)
            ));
        }
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
