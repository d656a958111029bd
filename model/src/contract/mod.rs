//! The guarantees, as predicates over the history of a run.
//!
//! A [`Monitor`] reads a history of calls, returns and deaths event by event and says which
//! guarantees it breaks. It is small, can be compared and hashed, and so can be part of an
//! explored state: [`prove`] explores a machine together with its monitor and gives, for each
//! guarantee, the proof that it holds or the shortest way to break it.
//!
//! Every judgement is sound for a queue that linearizes: what could have happened in a correct
//! queue is never called a violation. Where a history leaves open whether an item is inside (its
//! put had not returned when its process was killed, say), it is given the benefit of the doubt
//! until a later get tells.
//!
//! ```
//! use midput_model::contract::{Guarantee, judge};
//! use midput_model::event::{End, Event};
//! use midput_model::program::*;
//!
//! let queue = QueueId(0);
//! let program = Program {
//!     queues: vec![QueueParameters { name: "q".into(), kind: QueueKind::Queue, maxsize: 1, pipe_slots: 16 }],
//!     items: vec![Item { name: "a".into(), bytes: 1, producer: ProcessId(0), queue }],
//!     processes: vec![ProcessProgram {
//!         daemon: false,
//!         leaves_on_terminate: false,
//!         name: "P0".into(),
//!         lanes: vec![LaneProgram { name: "main".into(), instructions: vec![] }],
//!     }],
//! };
//! let lane = LaneId(0);
//! let get = Operation::Get { queue, timeout: Timeout::Never };
//! let history = [
//!     Event::Call { lane, operation: get },
//!     Event::Return { lane, outcome: Outcome::Item(ItemId(0)) },
//! ];
//! let violations = judge(&program, &history, &End::default());
//! assert_eq!(violations[0].guarantee, Guarantee::G1);
//! assert_eq!(
//!     violations[0].describe(&program),
//!     "G1 intact: an item was got that was not put, or whose put was refused \
//!      (P0.main, item a, queue q)"
//! );
//! ```

mod bounded;
mod capacity;
mod exit_ends;
mod guarantee;
mod intact;
mod ledger;
mod loss_bound;
mod no_loss;
mod no_survivor_blocked;
mod order;
mod prove;
mod tasks;
#[cfg(test)]
mod tests;
mod timeouts;

use std::hash::{Hash, Hasher};

use bounded::Bounded;
use capacity::Capacity;
use exit_ends::ExitEnds;
pub use guarantee::{Guarantee, GuaranteeSet, Violation};
use intact::Intact;
use ledger::{Fact, Ledger};
use loss_bound::LossBound;
use no_loss::NoLoss;
use no_survivor_blocked::NoSurvivorBlocked;
use order::Order;
pub use prove::{Historic, Judged, JudgedState, Verdict, prove, prove_these};
use tasks::Tasks;
use timeouts::Timeouts;

use crate::clone::clone_by_field;
use crate::event::{End, Event};
use crate::program::{Program, Timeout};

/// Reads a history and says which guarantees it breaks.
///
/// Two monitors are equal if they judge alike from here on: they know the same of the history and
/// have seen the same guarantees broken. How those were broken is no part of the comparison.
///
/// Each item is accepted at most once, as [`Program::items`] says.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    watched: GuaranteeSet,
    broken: GuaranteeSet,
    found: Found,
    ledger: Ledger,
    intact: Intact,
    order: Order,
    bounded: Bounded,
    no_loss: NoLoss,
    loss_bound: LossBound,
    no_survivor_blocked: NoSurvivorBlocked,
    timeouts: Timeouts,
    capacity: Capacity,
    exit_ends: ExitEnds,
    tasks: Tasks,
}

clone_by_field!(Monitor {
    watched,
    broken,
    found,
    ledger,
    intact,
    order,
    bounded,
    no_loss,
    loss_bound,
    no_survivor_blocked,
    timeouts,
    capacity,
    exit_ends,
    tasks
});

/// How guarantees were broken: kept to be told, and no part of what is compared.
#[derive(Clone, Debug, Default)]
struct Found(Vec<Violation>);

impl PartialEq for Found {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Found {}

impl Hash for Found {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Monitor {
    /// A monitor of everything, before the first event.
    pub fn new(program: &Program) -> Self {
        Self::watching(program, Guarantee::judged(program))
    }

    /// A monitor of some guarantees only, which has fewer states.
    pub fn watching(program: &Program, guarantees: GuaranteeSet) -> Self {
        let ledger = Ledger::new(program);
        Self {
            watched: guarantees,
            broken: GuaranteeSet::NONE,
            found: Found::default(),
            intact: Intact,
            order: Order::new(&ledger),
            bounded: Bounded,
            no_loss: NoLoss,
            loss_bound: LossBound,
            no_survivor_blocked: NoSurvivorBlocked,
            timeouts: Timeouts,
            capacity: Capacity::new(&ledger),
            exit_ends: ExitEnds,
            tasks: Tasks,
            ledger,
        }
    }

    /// Back to before the first event, in the memory that it has.
    pub fn reset(&mut self) {
        self.broken = GuaranteeSet::NONE;
        self.found.0.clear();
        self.ledger.reset();
        self.order.forget();
        self.capacity.forget();
    }

    /// Takes note of the next event. It allocates only where a guarantee is broken for the first
    /// time. Lanes and items that the program does not name are no part of its judgement, except
    /// that getting such an item breaks G1.
    pub fn observe(&mut self, event: &Event) {
        let fact = self.ledger.fact(event);
        let limit = match event {
            Event::Call { operation, .. } => operation.timeout(),
            _ => Timeout::Never,
        };
        if matches!(fact, Fact::OtherCalled { .. } | Fact::OtherEnded { .. } | Fact::Nothing) {
            // Only how a history ends can make of it a violation.
            return self.ledger.apply(fact, limit);
        }
        if self.watches(Guarantee::G1) {
            let violation = self.intact.observe(&self.ledger, fact);
            self.note(violation);
        }
        if self.watches(Guarantee::G2) {
            let violation = self.order.observe(&self.ledger, fact);
            self.note(violation);
        }
        self.ledger.apply(fact, limit);
        if self.watches(Guarantee::G3) {
            let violation = self.bounded.observe(&self.ledger, fact);
            self.note(violation);
        }
        if self.watches(Guarantee::G7) {
            let violation = self.timeouts.observe(fact);
            self.note(violation);
        }
        if self.watches(Guarantee::G8) {
            let violation = self.capacity.observe(&self.ledger, fact);
            self.note(violation);
        }
    }

    /// The guarantees broken so far. Whatever happens next, they stay broken.
    pub fn violations(&self) -> GuaranteeSet {
        self.broken
    }

    /// How they were broken, in the order of the history; the first time of each.
    pub fn found(&self) -> &[Violation] {
        &self.found.0
    }

    /// All violations of a history that ended like this, in the order of the guarantees: those so
    /// far, and those that only the end shows. At most one for each guarantee.
    pub fn conclude(&self, end: &End) -> Vec<Violation> {
        let ledger = &self.ledger;
        let at_end = [
            self.no_loss.conclude(ledger, end),
            self.loss_bound.conclude(ledger, end),
            self.no_survivor_blocked.conclude(ledger, end),
            self.timeouts.conclude(ledger, end),
            self.capacity.conclude(ledger, end),
            self.exit_ends.conclude(ledger, end),
            self.tasks.conclude(ledger, end),
        ];
        let at_end = at_end.into_iter().flatten();
        let fresh = at_end.filter(|violation| self.watches(violation.guarantee));
        let mut all: Vec<Violation> = self.found.0.iter().copied().chain(fresh).collect();
        all.sort_by_key(|violation| violation.guarantee);
        all
    }

    /// Whether a guarantee is watched and not broken yet.
    fn watches(&self, guarantee: Guarantee) -> bool {
        self.watched.without(self.broken).contains(guarantee)
    }

    fn note(&mut self, violation: Option<Violation>) {
        let Some(violation) = violation else { return };
        self.broken.insert(violation.guarantee);
        self.found.0.push(violation);
        match violation.guarantee {
            Guarantee::G2 => self.order.forget(),
            Guarantee::G8 => self.capacity.forget(),
            _ => {}
        }
    }
}

/// All violations of a whole history, at most one for each guarantee.
pub fn judge(program: &Program, events: &[Event], end: &End) -> Vec<Violation> {
    let mut monitor = Monitor::new(program);
    events.iter().for_each(|event| monitor.observe(event));
    monitor.conclude(end)
}
