//! Whether the search has arrived: everything has happened, and the model stands as the run did.

use midput_model::event::Blocked;
use midput_model::os::process::ProcessState;
use midput_model::program::{LaneId, ProcessId};
use midput_model::queue::classic::{Classic, Ready};

use super::attempt::Node;
use super::logs::Logs;

impl Node {
    /// Whether this place is the run's end; an error where all has happened and somebody stands
    /// elsewhere.
    pub(super) fn is_goal(&self, machine: &Classic, logs: &Logs<'_>) -> Result<bool, String> {
        let over = self.positions.iter().zip(&logs.lanes).all(|(position, log)| {
            position.steps == log.steps.len() && position.told == log.told.len()
        });
        let processes = (0u8..).zip(&self.state.processes);
        let dead = |(index, process): (u8, &midput_model::queue::classic::Process)| {
            !process.state.is_alive() || logs.is_alive(ProcessId(index))
        };
        if !over || !processes.into_iter().all(dead) {
            return Ok(false);
        }
        self.stands_as(machine, logs).map(|()| true)
    }

    fn stands_as(&self, machine: &Classic, logs: &Logs<'_>) -> Result<(), String> {
        let end = machine.end(&self.state).blocked;
        let seen = &logs.run.end.blocked;
        if end.len() != seen.len() || !end.iter().zip(seen).all(|(model, seen)| agree(model, seen))
        {
            return Err(format!("the run stands at {seen:?}, the model at {end:?}"));
        }
        let held = logs.run.held.iter().fold(0, |held, lane| held | 1 << lane.0);
        let ready = Ready::new(machine, &self.state).lanes() & !held;
        if ready != 0 {
            let lane = LaneId(ready.trailing_zeros().to_le_bytes()[0]);
            let name = &machine.lanes()[usize::from(lane.0)].name;
            return Err(format!("{name} is blocked, and in the model it can go on"));
        }
        let dying = |process: &midput_model::queue::classic::Process| {
            matches!(process.state, ProcessState::Dying(_))
        };
        match self.state.processes.iter().position(dying) {
            Some(process) => Err(format!("P{process} was sent a signal and is alive")),
            None => Ok(()),
        }
    }
}

/// Where a blocked write stands, only the model knows: Linux tells how far it came when it is
/// done.
fn agree(model: &Blocked, seen: &Blocked) -> bool {
    let writes = model.step.starts_with("write-");
    model.lane == seen.lane
        && model.step == seen.step
        && model.leaving == seen.leaving
        && (model.offset == seen.offset || writes && model.offset > seen.offset)
}
