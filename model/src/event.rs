//! The history of a run: calls, returns and deaths. The guarantees are judged from this alone.

use serde::{Deserialize, Serialize};

use crate::program::{Exit, LaneId, Operation, Outcome, ProcessId};

/// One thing that a history records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A lane began an operation.
    Call {
        /// Which lane.
        lane: LaneId,
        /// What it calls.
        operation: Operation,
    },
    /// The lane's operation ended.
    Return {
        /// Which lane.
        lane: LaneId,
        /// What it ended with.
        outcome: Outcome,
    },
    /// The lane's call waits past its deadline in a step that has none (`Q9`).
    Overdue {
        /// Which lane.
        lane: LaneId,
    },
    /// A main lane has done its operations and begins to leave its process (`LC1`).
    Leave {
        /// Which process.
        process: ProcessId,
    },
    /// A process is dead.
    Death {
        /// Which process.
        process: ProcessId,
        /// How it ended: left, or was killed.
        exit: Exit,
    },
}

/// How a run stood when nothing more could happen: who waits for ever, and in what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct End {
    /// The lanes that are blocked for ever, with the step that each is blocked in.
    pub blocked: Vec<Blocked>,
}

/// One lane that is blocked for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Blocked {
    /// Which lane.
    pub lane: LaneId,
    /// The step that it waits in, such as `read-body`.
    pub step: String,
    /// Bytes moved so far in the transfer that it waits in.
    pub offset: u32,
    /// Whether its process is leaving and the lane is the one that leaves.
    pub leaving: bool,
}
