//! Who waits for whom, where nothing more can happen.

use crate::program::{LaneId, LaneRole, Operation, ProcessId};

use super::point::Point;
use super::state::State;
use super::{Classic, lane_number};

/// A blocked lane, and whom or what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Which lane.
    pub lane: LaneId,
    /// What it does, in words: `P1.feed write-body, pipe full`.
    pub what: String,
    /// The lanes that could help it, if there are any.
    pub on: Vec<LaneId>,
    /// Why nobody can, or who alone could.
    pub because: String,
}

/// The chains of who waits for whom, one for each blocked lane that no other chain passes:
/// `P0.main join P1 <- P1.main feeder.join <- P1.feed write-body, pipe full <- only P0.main gets`.
pub fn why_stuck(machine: &Classic, state: &State) -> Vec<String> {
    let mut chains: Vec<(Vec<LaneId>, String)> = Vec::new();
    for blocked in machine.end(state).blocked {
        if chains.iter().any(|(lanes, _)| lanes.contains(&blocked.lane)) {
            continue;
        }
        let (lanes, text) = chain(machine, state, blocked.lane);
        // A chain that begins in the middle of this one says nothing more.
        chains.retain(|(others, _)| !others.iter().all(|lane| lanes.contains(lane)));
        chains.push((lanes, text));
    }
    chains.into_iter().map(|(_, text)| text).collect()
}

fn chain(machine: &Classic, state: &State, first: LaneId) -> (Vec<LaneId>, String) {
    let mut lanes = Vec::new();
    let mut text = String::new();
    let mut lane = first;
    loop {
        lanes.push(lane);
        let waits = machine.waits(state, lane);
        text.push_str(&waits.what);
        let next = waits.on.iter().find(|next| is_blocked(state, **next) && !lanes.contains(next));
        if waits.because.is_empty() && next.is_some() {
            text.push_str(" <- ");
        } else {
            let separator = if waits.because.is_empty() { "" } else { " <- " };
            text.push_str(separator);
            text.push_str(&waits.because);
            return (lanes, text);
        }
        match next {
            Some(&next) => lane = next,
            None => return (lanes, text),
        }
    }
}

fn is_blocked(state: &State, lane: LaneId) -> bool {
    !matches!(state.lane(lane).point, Point::NotStarted | Point::Ended)
}

impl Classic {
    /// What a blocked lane waits for.
    pub fn waits(&self, state: &State, lane: LaneId) -> Waits {
        let current = state.lane(lane);
        let process = self.process_of(lane);
        let mut what =
            format!("{} {}", self.lanes()[usize::from(lane.0)].name, current.point.step());
        let mut on = Vec::new();
        let mut because = String::new();
        match current.point {
            Point::ProcessJoin | Point::LeaveChildJoin | Point::AwaitDeath => {
                if let Some(other) = self.awaited_process(state, lane) {
                    let verb = if current.point == Point::AwaitDeath { "await" } else { "join" };
                    let own = &self.lanes()[usize::from(lane.0)].name;
                    what = format!("{own} {verb} {}", self.process_name(other));
                    on.push(self.program().lane_of(other, 0));
                }
            }
            Point::FeederJoin => {
                on.push(self.program().feeder_of(process, self.queue_of(state, lane)));
            }
            Point::LeaveThreadJoin => on.extend(self.leaving_thread(state, lane)),
            Point::GetAcquire => {
                let holder = state.queue(self.queue_of(state, lane)).read_lock.holder;
                because = self.held_by(state, holder, &mut on);
            }
            Point::SendAcquire => {
                let holder = state.queue(self.queue_of(state, lane)).write_lock.holder;
                because = self.held_by(state, holder, &mut on);
            }
            Point::PutLock | Point::SentinelLock | Point::FeedLock | Point::FeedWake => {
                on.extend(state.local(process, self.queue_of(state, lane)).locked_by);
            }
            Point::PutTasksLock | Point::DoneLock | Point::JoinLock | Point::WaitLock => {
                let tasks = state.queue(self.queue_of(state, lane)).tasks;
                because = self.held_by(state, tasks.and_then(|tasks| tasks.lock.holder), &mut on);
            }
            Point::WaitAcquire => {
                let tasks = state.queue(self.queue_of(state, lane)).tasks;
                let left = tasks.map_or(0, |tasks| tasks.unfinished.value());
                because = match left {
                    0 => "every task is done, and nobody wakes it".to_owned(),
                    1 => "1 task is not reported done".to_owned(),
                    left => format!("{left} tasks are not reported done"),
                };
            }
            Point::NotifyAwait => "a sleeper that it woke is dead".clone_into(&mut because),
            Point::PutAcquire => because = self.who_gets(state, lane, "no slot is given back"),
            point if point.writes() => {
                what.push_str(", pipe full");
                because = self.who_gets(state, lane, "nobody gets");
            }
            point if point.reads() => because = self.who_writes(state, lane),
            _ => {}
        }
        Waits { lane, what, on, because }
    }

    fn process_name(&self, process: ProcessId) -> &str {
        &self.program().processes[usize::from(process.0)].name
    }

    fn held_by(&self, state: &State, holder: Option<LaneId>, on: &mut Vec<LaneId>) -> String {
        let Some(holder) = holder else { return String::new() };
        let process = self.process_of(holder);
        if state.process(process).state.exit().is_some() {
            format!("held by {}, which is dead", self.lanes()[usize::from(holder.0)].name)
        } else {
            on.push(holder);
            String::new()
        }
    }

    /// The lanes that are in a get on the lane's queue, or have one still to do.
    fn who_gets(&self, state: &State, lane: LaneId, nobody: &str) -> String {
        let queue = self.queue_of(state, lane);
        let gets = |other: &LaneId| {
            let current = state.lane(*other);
            matches!(self.role(*other), LaneRole::Program(_))
                && current.point != Point::Ended
                && current.leaving.is_none()
                && (current.instruction..=u16::MAX)
                    .map_while(|index| self.instruction(*other, index))
                    .any(|it| matches!(it.operation, Operation::Get { queue: of, .. } if of == queue))
        };
        let names: Vec<&str> = (0..self.lanes().len())
            .map(|index| LaneId(lane_number(index)))
            .filter(gets)
            .map(|other| self.lanes()[usize::from(other.0)].name.as_str())
            .collect();
        match names.as_slice() {
            [] => nobody.to_owned(),
            [only] => format!("only {only} gets"),
            several => format!("only {} get", several.join(", ")),
        }
    }

    /// Why nothing comes for a reader: the frame's writer is dead, or nobody puts any more.
    fn who_writes(&self, state: &State, lane: LaneId) -> String {
        let current = state.lane(lane);
        let begun = current.point == Point::GetBody || current.moved > 0;
        match current.item {
            Some(item) if begun => {
                let total = self.transfer_bytes(state, lane);
                let producer = self.program().items[usize::from(item.0)].producer;
                let fate = if state.process(producer).state.exit().is_some() {
                    "is dead"
                } else {
                    "does not go on"
                };
                let name = self.process_name(producer);
                format!("{} of {total} B came, writer {name} {fate}", current.moved)
            }
            _ => "pipe empty, nobody writes".to_owned(),
        }
    }
}
