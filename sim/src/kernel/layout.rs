//! Which processes and lanes there are before a run begins.

use midput_model::program::{ProcessId, Program};

/// The names that a kernel starts from: made once for a program and shared by all its runs.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) processes: Vec<String>,
    /// Every lane that the program names, with its process.
    pub(super) lanes: Vec<(String, ProcessId)>,
    /// How many page slots the pipes have, in order of creation; 16 beyond.
    pub(super) pipe_slots: Vec<u16>,
}

impl Layout {
    /// The processes, lanes and pipes of a program.
    pub fn of(program: &Program) -> Self {
        let processes = program.processes.iter().map(|process| process.name.clone());
        let lanes = program.lanes().into_iter().map(|lane| (lane.name, lane.process));
        let slots = program.queues.iter().map(|queue| queue.pipe_slots);
        Self { processes: processes.collect(), lanes: lanes.collect(), pipe_slots: slots.collect() }
    }

    /// One process with one lane, `P0.main`, which starts threads as it likes.
    pub fn one_process() -> Self {
        Self {
            processes: vec!["P0".to_owned()],
            lanes: vec![("P0.main".to_owned(), ProcessId(0))],
            pipe_slots: Vec::new(),
        }
    }
}
