//! What a process of a native run writes down, one line for each record.

use std::borrow::Cow;

use midput_model::program::{Exit, LaneId, Operation, Outcome, ProcessId};
use midput_model::step::StepResult;
use serde::{Deserialize, Serialize};

/// One line of a process's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, in nanoseconds of `CLOCK_MONOTONIC`, which all processes share.
    pub at: u64,
    /// Which lane wrote it.
    pub lane: LaneId,
    /// What.
    pub what: What,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The process runs.
    Started {
        /// Its number in the system.
        pid: u32,
        /// Its thread that is no lane and ends it together with the harness.
        watchdog: u32,
    },
    /// The process cannot do its part.
    Failed {
        /// Why.
        why: String,
    },
    /// The lane comes to a step that may wait.
    Begin {
        /// Which step, and how far into its transfer.
        step: StepName,
        /// The thread that runs the lane.
        thread: u32,
        /// How long it may wait.
        waits: Waits,
    },
    /// The lane has done a step.
    Done {
        /// Which step, and how far into its transfer it was before.
        step: StepName,
        /// What the system answered.
        result: StepResult,
    },
    /// The lane begins an operation.
    Call {
        /// Which.
        operation: Operation,
    },
    /// Its operation has ended.
    Return {
        /// How.
        outcome: Outcome,
    },
    /// The process begins to leave.
    Leave,
    /// The lane has started a process.
    Child {
        /// Which.
        process: ProcessId,
        /// Its number in the system.
        pid: u32,
    },
    /// The lane has waited for a process.
    Reaped {
        /// Which.
        process: ProcessId,
        /// How it had ended.
        exit: Exit,
    },
    /// The lane has come to the place of the kill of this index. If its own process is to die it
    /// kills itself now, else it waits until the harness has killed the other.
    Kill {
        /// Its position among the kills of the run.
        index: usize,
    },
}

/// A step as a log names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepName {
    /// Such as `write-body`.
    pub name: Cow<'static, str>,
    /// The n-th time that the lane does a step of this name, from 1.
    pub occurrence: u32,
    /// Bytes moved so far in this transfer.
    pub offset: u32,
    /// Which lock of the process, where it is a step of one.
    pub monitor: Option<u32>,
}

/// How long a step may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waits {
    /// Until it can be done.
    Forever,
    /// Until a moment: such a wait is no hang.
    Limited,
    /// For ever, because the run holds the lane here.
    Held,
}

/// The log of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessLog {
    /// Its records, in the order in which its lanes wrote them.
    pub records: Vec<Record>,
}

impl ProcessLog {
    /// The step that a lane has begun and not done, if it has logged one.
    pub fn open_step(&self, lane: LaneId) -> Option<(&StepName, u32, Waits)> {
        let mut own = self
            .records
            .iter()
            .rev()
            .filter(|record| record.lane == lane);
        own.find_map(|record| match &record.what {
            What::Begin {
                step,
                thread,
                waits,
            } => Some(Some((step, *thread, *waits))),
            What::Done { .. } | What::Call { .. } | What::Return { .. } => Some(None),
            _ => None,
        })?
    }

    /// Adds the whole lines of `bytes` and says how many bytes they were. The line that a death
    /// has cut off is left.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<usize, serde_json::Error> {
        let mut taken = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if !line.ends_with(b"\n") {
                break;
            }
            self.records.push(serde_json::from_slice(line)?);
            taken += line.len();
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_read_and_a_torn_one_is_left() {
        let step = StepName {
            name: "put".into(),
            occurrence: 1,
            offset: 0,
            monitor: None,
        };
        let begin = What::Begin {
            step: step.clone(),
            thread: 7,
            waits: Waits::Forever,
        };
        let done = What::Done {
            step: step.clone(),
            result: StepResult::Done,
        };
        let mut text = Vec::new();
        for what in [begin, done] {
            let record = Record {
                at: 1,
                lane: LaneId(2),
                what,
            };
            text.extend(serde_json::to_vec(&record).unwrap());
            text.push(b'\n');
        }
        let first = text.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        let mut log = ProcessLog::default();
        assert_eq!(log.extend(&text[..text.len() - 1]).unwrap(), first);
        assert_eq!(log.open_step(LaneId(2)), Some((&step, 7, Waits::Forever)));
        assert_eq!(log.open_step(LaneId(1)), None);
        log.extend(&text[first..]).unwrap();
        assert_eq!(log.open_step(LaneId(2)), None);
        assert!(log.extend(b"{}\n").is_err());
    }
}
