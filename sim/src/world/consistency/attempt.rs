//! One place of the search: the model's state, how far each log has come, and what may be next.

use midput_model::event::Event;
use midput_model::machine::Machine;
use midput_model::os::process::ProcessState;
use midput_model::program::{Exit, LaneId, ProcessId};
use midput_model::queue::classic::{Action, Classic, Observation, Point, State};
use midput_model::step::StepResult;

use super::logs::{Logs, Told};

/// How far the log of a lane has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Position {
    pub(super) steps: usize,
    pub(super) told: usize,
    /// Bytes of the next record, a write, that are in the pipe by now.
    moved: u32,
    beyond: Beyond,
}

/// What a lane did after its log ended: a step may take effect before it is noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Beyond {
    #[default]
    Nothing,
    /// It is in a write that goes on.
    Writing,
    /// It did its one step.
    Step,
}

/// A place of the search.
#[derive(Clone, Debug, Hash)]
pub(super) struct Node {
    pub(super) state: State,
    pub(super) positions: Vec<Position>,
}

/// Something that may come next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) action: Action,
    why: Why,
    /// When it was logged, or about.
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The next record of a lane.
    Record(LaneId),
    /// A step that a lane did and did not live to note, or is in the middle of.
    Beyond(LaneId),
    /// A process has died.
    Death(ProcessId),
}

impl Node {
    pub(super) fn new(state: State, lanes: usize) -> Self {
        Self { state, positions: vec![Position::default(); lanes] }
    }

    /// How many records have been matched.
    pub(super) fn matched(&self) -> usize {
        self.positions.iter().map(|position| position.steps).sum()
    }

    pub(super) fn position(&self, lane: LaneId) -> &Position {
        &self.positions[usize::from(lane.0)]
    }

    /// What may come next, the earliest last.
    pub(super) fn candidates(&self, machine: &Classic, logs: &Logs<'_>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for lane in (0u8..).take(logs.lanes.len()).map(LaneId) {
            if self.position(lane).steps < logs.lane(lane).steps.len() {
                self.next_record(lane, logs, &mut candidates);
            } else if let Some(at) = self.may_go_beyond(machine, lane, logs) {
                let action = Action::Step { lane };
                candidates.push(Candidate { action, why: Why::Beyond(lane), at });
            }
        }
        for process in (0u8..).take(self.state.processes.len()).map(ProcessId) {
            self.deaths(machine, process, logs, &mut candidates);
        }
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.at));
        candidates
    }

    fn next_record(&self, lane: LaneId, logs: &Logs<'_>, candidates: &mut Vec<Candidate>) {
        let position = self.position(lane);
        let steps = &logs.lane(lane).steps;
        let record = &steps[position.steps];
        let mut push = |action| {
            candidates.push(Candidate { action, why: Why::Record(lane), at: record.at });
        };
        match record.result {
            StepResult::Interrupted => push(Action::Interrupt { lane }),
            StepResult::Unavailable => {
                push(Action::Step { lane });
                push(Action::Expire { lane });
            }
            StepResult::Moved(bytes) => {
                // Only a kill inside a transfer cuts it short.
                let cut = logs.run.killed.iter().flatten().any(|killed| killed.lane == lane);
                if cut && position.steps + 1 == steps.len() {
                    let bytes = bytes - position.moved.min(bytes);
                    push(Action::Short { lane, bytes });
                }
                push(Action::Step { lane });
            }
            _ => push(Action::Step { lane }),
        }
    }

    /// Whether a lane whose log has ended may do something more, and about when.
    fn may_go_beyond(&self, machine: &Classic, lane: LaneId, logs: &Logs<'_>) -> Option<u64> {
        let process = machine.lanes()[usize::from(lane.0)].process;
        let point = self.state.lane(lane).point;
        let has_begun = !matches!(point, Point::NotStarted | Point::Ended | Point::Exit);
        if !has_begun || self.position(lane).beyond == Beyond::Step {
            return None;
        }
        if point.writes()
            && let Some((_, begun)) = logs.lane(lane).open
        {
            return Some(begun);
        }
        // A lane at whose site a kill landed did nothing more, unless the kill came from outside
        // while it was in a call: that may still have taken effect.
        let in_call = logs.lane(lane).open.is_some_and(|(step, _)| step == point.step());
        let free = !logs.is_alive(process) && (in_call || !is_killed_at(logs, process, lane));
        free.then(|| logs.last[usize::from(process.0)].saturating_add(2))
    }

    /// How a process may die now, when all that it logged has happened.
    fn deaths(
        &self,
        machine: &Classic,
        process: ProcessId,
        logs: &Logs<'_>,
        candidates: &mut Vec<Candidate>,
    ) {
        let index = usize::from(process.0);
        let over = (machine.lanes().iter().zip(&self.positions).zip(&logs.lanes))
            .filter(|((lane, _), _)| lane.process == process)
            .all(|((_, position), log)| position.steps == log.steps.len());
        let state = self.state.process(process).state;
        if logs.is_alive(process) || !state.is_alive() || !over {
            return;
        }
        let at = logs.last[index].saturating_add(1);
        let mut push = |action| {
            candidates.push(Candidate { action, why: Why::Death(process), at });
        };
        let main = machine.program().lane_of(process, 0);
        let exits = logs.lane(main).open.is_some_and(|(step, _)| step == "exit");
        if exits && self.state.lane(main).point == Point::Exit {
            push(Action::Step { lane: main });
        }
        if matches!(state, ProcessState::Dying(_)) {
            push(Action::Die { process });
        }
        if let Some(killed) = logs.run.killed[index] {
            push(Action::Kill { process, signal: killed.signal });
        }
    }

    /// The place after a candidate and what it adds to the history; or why it does not fit.
    pub(super) fn attempt(
        &self,
        machine: &Classic,
        logs: &Logs<'_>,
        candidate: &Candidate,
    ) -> Result<(Self, Vec<Event>), String> {
        let mut next = self.clone();
        let observation = match candidate.why {
            Why::Record(lane) => next.record(machine, logs, lane, &candidate.action),
            Why::Beyond(lane) => next.beyond(machine, logs, lane, &candidate.action),
            Why::Death(process) => machine
                .apply(&mut next.state, &candidate.action)
                .map_err(|refused| format!("death of P{}: {refused}", process.0)),
        }?;
        next.expect(machine, logs, &observation.events)?;
        Ok((next, observation.events.to_vec()))
    }

    fn record(
        &mut self,
        machine: &Classic,
        logs: &Logs<'_>,
        lane: LaneId,
        action: &Action,
    ) -> Result<Observation, String> {
        let position = self.positions[usize::from(lane.0)];
        let record = &logs.lane(lane).steps[position.steps];
        let name = &machine.lanes()[usize::from(lane.0)].name;
        let found = || {
            let at = format!("{name} {}[{}]+{}", record.name, record.occurrence, record.offset);
            format!("{at} {:?}", record.result)
        };
        let before = self.state.lane(lane);
        let (point, in_call) = (before.point, before.in_call);
        if point.step() != record.name || before.moved != record.offset + position.moved {
            let stands = format!("{} at offset {}", point.step(), before.moved);
            return Err(format!("{}, where the model has {stands}", found()));
        }
        let observation = machine
            .apply(&mut self.state, action)
            .map_err(|refused| format!("{}, where {refused}", found()))?;
        let position = &mut self.positions[usize::from(lane.0)];
        match (observation.result, record.result) {
            // One call of Linux is several advances of the model.
            (StepResult::Moved(part), StepResult::Moved(whole))
                if point.writes() && part > 0 && part <= whole - position.moved =>
            {
                position.moved += part;
                if position.moved == whole {
                    position.moved = 0;
                    position.steps += 1;
                    // A handler interrupted the call; the rest is a new one (`WF2`).
                    if self.state.lane(lane).in_call {
                        let interrupt = Action::Interrupt { lane };
                        machine
                            .apply(&mut self.state, &interrupt)
                            .map_err(|refused| format!("{}, where {refused}", found()))?;
                    }
                }
            }
            // A call that was cut off returns what it has written, then the next one fails.
            (StepResult::Moved(0), StepResult::BrokenPipe) if in_call => {}
            (model, logged) if model == logged => position.steps += 1,
            (model, _) => return Err(format!("{}, where the model has {model:?}", found())),
        }
        Ok(observation)
    }

    fn beyond(
        &mut self,
        machine: &Classic,
        logs: &Logs<'_>,
        lane: LaneId,
        action: &Action,
    ) -> Result<Observation, String> {
        let name = &machine.lanes()[usize::from(lane.0)].name;
        let process = machine.lanes()[usize::from(lane.0)].process;
        let point = self.state.lane(lane).point;
        let observation = machine
            .apply(&mut self.state, action)
            .map_err(|refused| format!("{name} beyond its log: {refused}"))?;
        let goes_on = point.writes() && self.state.lane(lane).point == point;
        if logs.is_alive(process) && !goes_on {
            return Err(format!("{name} is blocked in {}, and the model is not", point.step()));
        }
        let beyond = if goes_on { Beyond::Writing } else { Beyond::Step };
        self.positions[usize::from(lane.0)].beyond = beyond;
        Ok(observation)
    }

    /// The history must be what the lanes told, and the deaths what the harness saw.
    pub(super) fn expect(
        &mut self,
        machine: &Classic,
        logs: &Logs<'_>,
        events: &[Event],
    ) -> Result<(), String> {
        for event in events {
            let (lane, told) = match *event {
                Event::Call { lane, operation } => (lane, Told::Call(operation)),
                Event::Return { lane, outcome } => (lane, Told::Return(outcome)),
                Event::Leave { process } => (machine.program().lane_of(process, 0), Told::Leave),
                Event::Death { process, exit } => {
                    died(logs, process, exit)?;
                    continue;
                }
                Event::Overdue { .. } => continue,
            };
            let position = &mut self.positions[usize::from(lane.0)];
            let log = logs.lane(lane);
            let process = machine.lanes()[usize::from(lane.0)].process;
            match log.told.get(position.told) {
                Some(&(steps, logged)) if logged == told && steps == position.steps => {
                    position.told += 1;
                }
                // The process died before it could tell.
                None if !logs.is_alive(process) && position.steps == log.steps.len() => {}
                other => {
                    let name = &machine.lanes()[usize::from(lane.0)].name;
                    return Err(format!("{name} told {other:?}, the model {told:?}"));
                }
            }
        }
        Ok(())
    }
}

/// Whether the kill that ended a process landed at a site of this lane.
fn is_killed_at(logs: &Logs<'_>, process: ProcessId, lane: LaneId) -> bool {
    logs.run.killed[usize::from(process.0)].is_some_and(|killed| killed.lane == lane)
}

fn died(logs: &Logs<'_>, process: ProcessId, exit: Exit) -> Result<(), String> {
    match logs.run.exits[usize::from(process.0)] {
        _ if logs.is_alive(process) => Err(format!("P{} is alive, not dead", process.0)),
        Some(seen) if seen != exit => {
            Err(format!("P{} ended with {seen:?}, in the model with {exit:?}", process.0))
        }
        _ => Ok(()),
    }
}
