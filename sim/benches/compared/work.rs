//! Who does what: every system on every workload that it can do.

use super::bounded::Bounded;
use super::{loom, midput, shuttle, stateright};

/// What the random schedules are drawn from.
pub(crate) const SEED: u64 = 7;

/// What a piece of work was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// Executions of W1, or states of W2.
    pub(crate) units: u64,
    /// The steps of all executions, where the system tells.
    pub(crate) steps: Option<u64>,
}

/// One system on one workload.
pub(crate) struct Work {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// The system, and how it is used.
    pub(crate) system: &'static str,
    /// Does so many executions or explorations.
    pub(crate) run: fn(u64) -> Done,
}

/// What is counted and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Execution,
    Step,
    State,
}

/// One workload: several systems do it, and are compared with the first.
pub(crate) struct Workload {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) work: &'static [Work],
    /// What one exploration must find, where it is one.
    pub(crate) states: Option<u64>,
}

const MIDPUT: Work =
    Work { name: "midput-w1", system: "midput, random", run: midput::bounded_queue };
const SHUTTLE: Work =
    Work { name: "shuttle-w1", system: "shuttle 0.9, random", run: shuttle::bounded_queue };
const LOOM: Work =
    Work { name: "loom-w1", system: "loom 0.7, two preemptions", run: loom::bounded_queue };

/// All of it. The one that the others are compared with comes first.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        title: "W1: a bounded queue of 2, two producers of 2 items, one consumer",
        unit: Unit::Execution,
        work: &[SHUTTLE, MIDPUT, LOOM],
        states: None,
    },
    Workload {
        title: "The equal of W1 on the real classic queue, against shuttle's W1",
        unit: Unit::Step,
        work: &[
            SHUTTLE,
            Work {
                name: "midput-queue",
                system: "midput, lockstep and guarantees",
                run: |executions| midput::classic_queue(executions, true),
            },
            Work {
                name: "midput-queue-unchecked",
                system: "midput, unchecked",
                run: |executions| midput::classic_queue(executions, false),
            },
        ],
        states: None,
    },
    Workload {
        title: "W2: the states of W1 with 3 producers of 4 items",
        unit: Unit::State,
        work: &[
            Work {
                name: "stateright-w2-small",
                system: "stateright 0.31, breadth first",
                run: |times| stateright::explore(Bounded::<3> { items: 4 }, times),
            },
            Work {
                name: "midput-w2-small",
                system: "midput, explore",
                run: |times| midput::explore(Bounded::<3> { items: 4 }, times),
            },
        ],
        states: Some(20_016),
    },
    Workload {
        title: "W2: the states of W1 with 4 producers of 6 items",
        unit: Unit::State,
        work: &[
            Work {
                name: "stateright-w2-large",
                system: "stateright 0.31, breadth first",
                run: |times| stateright::explore(Bounded::<4> { items: 6 }, times),
            },
            Work {
                name: "midput-w2-large",
                system: "midput, explore",
                run: |times| midput::explore(Bounded::<4> { items: 6 }, times),
            },
        ],
        states: Some(920_077),
    },
];

/// The work with this name.
pub(crate) fn find(name: &str) -> Option<&'static Work> {
    WORKLOADS.iter().flat_map(|workload| workload.work).find(|work| work.name == name)
}

/// What W1 asserts: each producer's items come out in the order in which they went in.
#[derive(Debug, Default)]
pub(crate) struct InOrder {
    next: [u16; 2],
}

impl InOrder {
    /// The consumer has taken the item `k` of producer `i`, which is `i * 100 + k`.
    pub(crate) fn take(&mut self, item: u16) {
        let next = &mut self.next[usize::from(item / 100)];
        assert_eq!(item % 100, *next);
        *next += 1;
    }
}
