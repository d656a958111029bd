//! Which actions of the machine runs have come to: the measure of how much of it they covered.

use super::Action;
use super::point::Point;
use crate::program::Signal;
use crate::step::StepResult;

/// How an action went, as far as coverage tells actions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Done,
    Whole,
    Part,
    End,
    Unavailable,
    Ready,
    Value,
    Interrupted,
    BrokenPipe,
    BadDescriptor,
    Error,
    Expired,
    Short,
    Overdue,
}

impl How {
    const ALL: [Self; 14] = [
        Self::Done,
        Self::Whole,
        Self::Part,
        Self::End,
        Self::Unavailable,
        Self::Ready,
        Self::Value,
        Self::Interrupted,
        Self::BrokenPipe,
        Self::BadDescriptor,
        Self::Error,
        Self::Expired,
        Self::Short,
        Self::Overdue,
    ];

    fn of(action: &Action, result: StepResult, stays: bool) -> Self {
        match (action, result) {
            (Action::Expire { .. }, _) => Self::Expired,
            (Action::Short { .. }, _) => Self::Short,
            (Action::Overdue { .. }, _) => Self::Overdue,
            (Action::Interrupt { .. }, _) | (_, StepResult::Interrupted) => Self::Interrupted,
            (_, StepResult::Moved(0)) => Self::End,
            (_, StepResult::Moved(_)) if stays => Self::Part,
            (_, StepResult::Moved(_)) => Self::Whole,
            (_, StepResult::Done) => Self::Done,
            (_, StepResult::Unavailable) => Self::Unavailable,
            (_, StepResult::Ready) => Self::Ready,
            (_, StepResult::Value(_)) => Self::Value,
            (_, StepResult::BrokenPipe) => Self::BrokenPipe,
            (_, StepResult::BadDescriptor) => Self::BadDescriptor,
            (_, StepResult::Error(_)) => Self::Error,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Whole => "whole",
            Self::Part => "part",
            Self::End => "end",
            Self::Unavailable => "unavailable",
            Self::Ready => "ready",
            Self::Value => "value",
            Self::Interrupted => "interrupted",
            Self::BrokenPipe => "broken-pipe",
            Self::BadDescriptor => "bad-descriptor",
            Self::Error => "error",
            Self::Expired => "expired",
            Self::Short => "short",
            Self::Overdue => "overdue",
        }
    }
}

/// Deaths are no step of a lane: they have bits of their own.
const DEATHS: [&str; 3] = ["kill SIGKILL", "kill SIGTERM", "die"];

/// A set of actions of the machine, told apart by program point and by how they went, not by
/// process, queue, item or number of bytes: `send write-body part`, `get poll expired`.
///
/// Adding to it costs a few instructions and allocates nothing, so that every step can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// By program point: one bit for each [`How`].
    steps: [u16; Point::ALL.len()],
    /// One bit for each of [`DEATHS`].
    deaths: u8,
}

impl Default for Covered {
    fn default() -> Self {
        Self { steps: [0; Point::ALL.len()], deaths: 0 }
    }
}

impl Covered {
    /// Adds an action by the points of its lane before and after it (the same where a transfer
    /// goes on) and what the operating system answered. Of a death the points do not matter.
    #[inline]
    pub fn add(&mut self, action: &Action, before: Point, after: Point, result: StepResult) {
        match action {
            Action::Kill { signal: Signal::Kill, .. } => self.deaths |= 1,
            Action::Kill { signal: Signal::Terminate, .. } => self.deaths |= 2,
            Action::Die { .. } => self.deaths |= 4,
            _ => {
                let how = How::of(action, result, before == after);
                self.steps[before as usize] |= 1 << how as u16;
            }
        }
    }

    /// Adds everything that is in another set.
    pub fn extend(&mut self, other: &Self) {
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            *mine |= theirs;
        }
        self.deaths |= other.deaths;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        let steps: u32 = self.steps.iter().map(|hows| hows.count_ones()).sum();
        (steps + self.deaths.count_ones()) as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their names, in the order of the protocol's parts.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let steps = Point::ALL.into_iter().flat_map(move |point| {
            let hows = How::ALL.into_iter();
            let there =
                hows.filter(move |&how| self.steps[point as usize] & (1 << how as u16) != 0);
            there.map(move |how| format!("{} {} {}", point.part(), point.step(), how.name()))
        });
        let deaths = DEATHS.into_iter().enumerate();
        let deaths = deaths.filter(|(bit, _)| self.deaths & (1 << bit) != 0);
        steps.chain(deaths.map(|(_, name)| name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::program::{LaneId, ProcessId};

    const STEP: Action = Action::Step { lane: LaneId(0) };

    fn everything() -> Covered {
        let mut all = Covered::default();
        all.steps.fill((1 << How::ALL.len()) - 1);
        all.deaths = 7;
        all
    }

    #[test]
    fn the_lists_are_in_the_order_of_their_numbers() {
        for (index, point) in Point::ALL.into_iter().enumerate() {
            assert_eq!(point as usize, index, "{point:?}");
        }
        for (index, how) in How::ALL.into_iter().enumerate() {
            assert_eq!(how as usize, index, "{how:?}");
        }
    }

    #[test]
    fn every_action_has_a_name_of_its_own() {
        let all = everything();
        let names: BTreeSet<String> = all.names().collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn a_transfer_is_told_by_how_far_it_came() {
        let mut covered = Covered::default();
        let body = Point::SendWriteBody;
        covered.add(&STEP, body, body, StepResult::Moved(9));
        covered.add(&STEP, body, Point::SendRelease, StepResult::Moved(9));
        covered.add(&STEP, Point::GetBody, Point::GetReleaseLock, StepResult::Moved(0));
        let kill = Action::Kill { process: ProcessId(1), signal: Signal::Kill };
        covered.add(&kill, Point::Ended, Point::Ended, StepResult::Done);
        let names: Vec<String> = covered.names().collect();
        let wanted =
            ["get read-body end", "send write-body whole", "send write-body part", "kill SIGKILL"];
        assert_eq!(names, wanted);
        let mut more = Covered::default();
        more.add(&STEP, Point::Put, Point::PutAcquire, StepResult::Done);
        covered.extend(&more);
        assert_eq!(covered.len(), 5);
    }
}
