//! The logs of a run, lane by lane.

use midput_model::program::{LaneId, Operation, Outcome, ProcessId};
use midput_model::queue::classic::Classic;
use midput_model::step::StepResult;

use crate::world::native::{NativeRun, What};

/// A step that a lane has done.
#[derive(Clone, Debug)]
pub(super) struct Done<'a> {
    pub(super) name: &'a str,
    pub(super) occurrence: u32,
    pub(super) offset: u32,
    pub(super) result: StepResult,
    pub(super) at: u64,
}

/// What a lane logged beside its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Call(Operation),
    Return(Outcome),
    Leave,
}

/// What one lane logged.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneLog<'a> {
    pub(super) steps: Vec<Done<'a>>,
    /// Each with the steps that the lane had done before.
    pub(super) told: Vec<(usize, Told)>,
    /// The step that it had begun when its log ended, and when.
    pub(super) open: Option<(&'a str, u64)>,
}

/// What all lanes logged.
pub(super) struct Logs<'a> {
    pub(super) run: &'a NativeRun,
    pub(super) lanes: Vec<LaneLog<'a>>,
    /// By process: when it wrote its last record.
    pub(super) last: Vec<u64>,
}

impl<'a> Logs<'a> {
    pub(super) fn new(machine: &Classic, run: &'a NativeRun) -> Self {
        let mut lanes = vec![LaneLog::default(); machine.lanes().len()];
        for record in run.logs.iter().flat_map(|log| &log.records) {
            let Some(lane) = lanes.get_mut(usize::from(record.lane.0)) else {
                continue;
            };
            let steps = lane.steps.len();
            match &record.what {
                What::Begin { step, .. } => lane.open = Some((&step.name, record.at)),
                What::Done { step, result } => {
                    lane.open = None;
                    lane.steps.push(Done {
                        name: &step.name,
                        occurrence: step.occurrence,
                        offset: step.offset,
                        result: *result,
                        at: record.at,
                    });
                }
                What::Call { operation } => lane.told.push((steps, Told::Call(*operation))),
                What::Return { outcome } => lane.told.push((steps, Told::Return(*outcome))),
                What::Leave => lane.told.push((steps, Told::Leave)),
                _ => {}
            }
        }
        let last = |log: &crate::world::native::ProcessLog| {
            log.records.iter().map(|record| record.at).max().unwrap_or(0)
        };
        Self { run, lanes, last: run.logs.iter().map(last).collect() }
    }

    pub(super) fn lane(&self, lane: LaneId) -> &LaneLog<'a> {
        &self.lanes[usize::from(lane.0)]
    }

    pub(super) fn is_alive(&self, process: ProcessId) -> bool {
        self.run.alive.get(usize::from(process.0)).copied().unwrap_or(false)
    }

    pub(super) fn records(&self) -> usize {
        self.lanes.iter().map(|lane| lane.steps.len()).sum()
    }
}
