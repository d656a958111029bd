//! What the kernel does when a process ends.

use midput_model::event::Event;
use midput_model::os::process::ProcessState;
use midput_model::program::{Exit, LaneId, ProcessId};

use super::{Kernel, PipeEnd};

impl Kernel {
    /// Ends a process: its lanes do no further step, its descriptors close, semaphores stay as
    /// they are (`LC11`).
    pub(crate) fn end_process(&mut self, process: ProcessId, exit: Exit) {
        for lane in &mut self.lanes {
            if lane.process == process && lane.begun {
                lane.ended = true;
                lane.parked = None;
            }
        }
        let entry = &mut self.processes[usize::from(process.0)];
        entry.state = ProcessState::Dead(exit);
        let descriptors = std::mem::take(&mut entry.descriptors);
        for end in descriptors.into_iter().flatten() {
            self.close_end(end);
        }
        self.events.push(Event::Death { process, exit });
    }

    pub(crate) fn close_end(&mut self, end: PipeEnd) {
        match end {
            PipeEnd::Reader(pipe) => self.pipes[pipe].pipe.close_reader(),
            PipeEnd::Writer(pipe) => self.pipes[pipe].pipe.close_writer(),
        }
    }

    /// A lane has returned from its body.
    pub(crate) fn end_lane(&mut self, lane: LaneId) {
        let lane = &mut self.lanes[usize::from(lane.0)];
        lane.ended = true;
        lane.parked = None;
    }

    /// Whether every process that was started is dead.
    pub fn all_ended(&self) -> bool {
        self.processes.iter().all(|process| {
            matches!(
                process.state,
                ProcessState::NotStarted | ProcessState::Dead(_) | ProcessState::Reaped(_)
            )
        })
    }
}
