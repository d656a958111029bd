//! What the kernel does when a process ends.

use midput_model::event::Event;
use midput_model::os::process::{ProcessState, TerminateHandler};
use midput_model::program::{LaneId, ProcessId, Signal};

use super::{Kernel, PipeEnd};

impl Kernel {
    /// The current process ends itself with a code; a signal that came first decides instead.
    pub(crate) fn exit(&mut self, code: u8) {
        let process = self.process_of(self.current);
        let life = &mut self.processes[usize::from(process.0)].state;
        if life.end(code).is_err() {
            let _ = life.die();
        }
        self.end_process(process);
    }

    /// A process that was sent a signal dies of it.
    pub(crate) fn die(&mut self, process: ProcessId) {
        let _ = self.processes[usize::from(process.0)].state.die();
        self.end_process(process);
    }

    /// A process is sent a signal from outside and dies of it here and now, unless it handles it.
    pub(crate) fn kill(&mut self, process: ProcessId, signal: Signal) {
        self.signal(process, signal);
        self.die(process);
    }

    /// A dead process's lanes do no further step, its descriptors close, semaphores stay as they
    /// are (`LC11`).
    fn end_process(&mut self, process: ProcessId) {
        let Some(exit) = self.process_state(process).exit() else { return };
        self.dying &= !(1 << process.0);
        for index in (0u8..).take(self.lanes.len()) {
            let lane = &self.lanes[usize::from(index)];
            if lane.process == process && lane.begun {
                self.end_lane(LaneId(index));
            }
        }
        let entry = &mut self.processes[usize::from(process.0)];
        entry.handler = TerminateHandler::Absent;
        let mut descriptors = std::mem::take(&mut entry.descriptors);
        descriptors.drain(..).flatten().for_each(|end| self.close_end(end));
        // For the memory of the next run.
        self.processes[usize::from(process.0)].descriptors = descriptors;
        self.events.push(Event::Death { process, exit });
    }

    pub(crate) fn close_end(&mut self, end: PipeEnd) {
        match end {
            PipeEnd::Reader(pipe) => self.pipes[pipe].pipe.close_reader(),
            PipeEnd::Writer(pipe) => self.pipes[pipe].pipe.close_writer(),
            PipeEnd::Socket(pair, side) => self.streams[pair].stream.close(side),
            PipeEnd::Listener(listener) => self.close_listener(listener),
        }
    }

    /// A lane has returned from its body, or its process is dead: it does no further step.
    pub(crate) fn end_lane(&mut self, lane: LaneId) {
        let ended = &mut self.lanes[usize::from(lane.0)];
        ended.ended = true;
        ended.parked = None;
        self.can_no_more(lane);
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
