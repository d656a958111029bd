//! The guarantees by name, sets of them, and how a history breaks one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::program::{ItemId, LaneId, ProcessId, Program, QueueId};

/// One clause of the contract between a queue and its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Guarantee {
    /// Intact.
    G1,
    /// Order.
    G2,
    /// Bounded.
    G3,
    /// No loss.
    G4,
    /// Loss bound.
    G5,
    /// No survivor blocked.
    G6,
    /// Timeouts hold.
    G7,
    /// Capacity comes back.
    G8,
    /// Exit ends.
    G9,
    /// Tasks. Belongs to the joinable queue.
    G10,
    /// Honest end. Belongs to bare pipes; no history is judged by it yet.
    G11,
}

impl Guarantee {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::G1,
        Self::G2,
        Self::G3,
        Self::G4,
        Self::G5,
        Self::G6,
        Self::G7,
        Self::G8,
        Self::G9,
        Self::G10,
        Self::G11,
    ];

    /// Those that a [`Monitor`](super::Monitor) judges in the histories of a program: all that its
    /// queues can keep or break.
    pub fn judged(program: &Program) -> GuaranteeSet {
        let counts = program.queues.iter().any(|queue| queue.kind.counts_tasks());
        let judged = |guarantee: &Self| match guarantee {
            Self::G10 => counts,
            Self::G11 => false,
            _ => true,
        };
        Self::ALL.into_iter().filter(judged).collect()
    }

    /// `G1`, `G2`, ….
    pub fn id(self) -> &'static str {
        match self {
            Self::G1 => "G1",
            Self::G2 => "G2",
            Self::G3 => "G3",
            Self::G4 => "G4",
            Self::G5 => "G5",
            Self::G6 => "G6",
            Self::G7 => "G7",
            Self::G8 => "G8",
            Self::G9 => "G9",
            Self::G10 => "G10",
            Self::G11 => "G11",
        }
    }

    /// A short name, such as `order`.
    pub fn name(self) -> &'static str {
        match self {
            Self::G1 => "intact",
            Self::G2 => "order",
            Self::G3 => "bounded",
            Self::G4 => "no loss",
            Self::G5 => "loss bound",
            Self::G6 => "no survivor blocked",
            Self::G7 => "timeouts hold",
            Self::G8 => "capacity comes back",
            Self::G9 => "exit ends",
            Self::G10 => "tasks",
            Self::G11 => "honest end",
        }
    }

    /// What it promises, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::G1 => "What is got was put into that queue, byte for byte, and is got only once.",
            Self::G2 => "The items of one producing process come out in the order they went in.",
            Self::G3 => "Never are more than maxsize items accepted and not yet taken.",
            Self::G4 => "While nobody is killed, no accepted item is lost.",
            Self::G5 => {
                "A death loses at most the puts that had not returned and one item for each get \
                 that the victim was in."
            }
            Self::G6 => {
                "After a death a survivor's call stays blocked only where a bounded queue with the \
                 same history could not serve it."
            }
            Self::G7 => "A call with a timeout ends within it.",
            Self::G8 => "After a death a queue with room accepts items again.",
            Self::G9 => "Leaving or joining a process never waits for somebody who never comes.",
            Self::G10 => "After a death join() of a joinable queue ends, or says what is missing.",
            Self::G11 => "A torn stream is never taken for a clean close.",
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

/// A set of guarantees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuaranteeSet(u16);

impl GuaranteeSet {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it has this one.
    pub fn contains(self, guarantee: Guarantee) -> bool {
        self.0 & 1 << guarantee as u16 != 0
    }

    /// Adds one.
    pub fn insert(&mut self, guarantee: Guarantee) {
        self.0 |= 1 << guarantee as u16;
    }

    /// Those of this set that the other one does not have.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its guarantees, in order.
    pub fn iter(self) -> impl Iterator<Item = Guarantee> {
        Guarantee::ALL.into_iter().filter(move |&guarantee| self.contains(guarantee))
    }
}

impl FromIterator<Guarantee> for GuaranteeSet {
    fn from_iter<I: IntoIterator<Item = Guarantee>>(guarantees: I) -> Self {
        let mut set = Self::NONE;
        guarantees.into_iter().for_each(|guarantee| set.insert(guarantee));
        set
    }
}

/// How a history breaks a guarantee: the first place where it does, as far as places are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// Which guarantee.
    pub guarantee: Guarantee,
    /// The queue that it is about.
    pub queue: Option<QueueId>,
    /// The lane whose call breaks it.
    pub lane: Option<LaneId>,
    /// The process that it is about.
    pub process: Option<ProcessId>,
    /// The item that it is about.
    pub item: Option<ItemId>,
    /// What is wrong, in a clause without names.
    pub text: &'static str,
}

impl Violation {
    pub(super) fn new(guarantee: Guarantee, text: &'static str) -> Self {
        Self { guarantee, queue: None, lane: None, process: None, item: None, text }
    }

    pub(super) fn queue(self, queue: QueueId) -> Self {
        Self { queue: Some(queue), ..self }
    }

    pub(super) fn lane(self, lane: LaneId) -> Self {
        Self { lane: Some(lane), ..self }
    }

    pub(super) fn process(self, process: ProcessId) -> Self {
        Self { process: Some(process), ..self }
    }

    pub(super) fn item(self, item: Option<ItemId>) -> Self {
        Self { item, ..self }
    }

    /// The violation in words, with the names that the program gives.
    pub fn describe(&self, program: &Program) -> String {
        let mut text = format!("{} {}: {}", self.guarantee, self.guarantee.name(), self.text);
        let lane = self.lane.and_then(|lane| {
            program.lanes().get(usize::from(lane.0)).map(|lane| lane.name.clone())
        });
        let process = self.process.and_then(|process| {
            program.processes.get(usize::from(process.0)).map(|process| process.name.clone())
        });
        let item = self.item.and_then(|item| {
            program.items.get(usize::from(item.0)).map(|item| format!("item {}", item.name))
        });
        let queue = self.queue.and_then(|queue| {
            program.queues.get(usize::from(queue.0)).map(|queue| format!("queue {}", queue.name))
        });
        let places: Vec<String> = [lane, process, item, queue].into_iter().flatten().collect();
        if !places.is_empty() {
            text.push_str(&format!(" ({})", places.join(", ")));
        }
        text
    }
}
