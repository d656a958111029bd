//! One place of a path through the schedules: what can happen there, what was explored, what is
//! still to be.

use midput_model::program::LaneId;

use super::actor::actor_of;
use super::races::{Before, Race};
use super::wakeup::{Act, Branch};
use crate::host::Alternative;
use crate::kernel::{BUDGET_OF_FAULTS, BUDGET_OF_KILLS, Bits, Footprint, Kernel};
use crate::schedule::{ReplayDiverged, describe};

/// What can be done at a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Able {
    pub act: Act,
    pub alternative: Alternative,
}

impl Able {
    /// Whether time does not pass while this can be done: it is nothing that only a search does.
    pub(super) fn keeps_time(&self) -> bool {
        !matches!(
            self.alternative,
            Alternative::Pass
                | Alternative::KillHere(..)
                | Alternative::ShortHere(_)
                | Alternative::InterruptHere(_)
        )
    }
}

/// Where a lane stood: that of a victim which moved last, or one whose call is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stood {
    /// Which lane.
    pub lane: LaneId,
    /// The step that it stood at.
    pub step: &'static str,
    /// The n-th time of this step.
    pub occurrence: u32,
    /// The bytes that its transfer had moved.
    pub offset: usize,
}

impl Stood {
    pub(super) fn of(kernel: &Kernel, lane: LaneId) -> Option<Self> {
        let parked = kernel.parked(lane)?;
        let (step, offset) = (parked.site.name, parked.site.offset);
        Some(Self { lane, step, occurrence: parked.occurrence, offset })
    }
}

#[derive(Debug, Default)]
pub(super) struct Node {
    /// Who can act here.
    pub enabled: Bits,
    /// What they would do.
    pub able: Vec<Able>,
    /// The kills that could be done here and need not be.
    pub left_out: Vec<Act>,
    /// What may have been in another order, of what was done here or came to wait here.
    pub races: Vec<Race>,
    /// The lanes that have begun.
    pub begun: Bits,
    /// What had been told of calls and returns.
    pub told: u64,
    /// Who was explored here.
    pub done: Bits,
    /// What is to be explored here, in this order, beside what is being explored.
    pub wakeup: Vec<Branch>,
    /// What is to follow what is being explored.
    pub then: Vec<Branch>,
    /// What was explored here, or need not be.
    pub sleep: Vec<Act>,
    /// Preemptions before this node.
    pub preemptions: u32,
    /// Who acts now.
    pub chosen: usize,
    chosen_alternative: Option<Alternative>,
    /// What that touches.
    pub touches: Footprint,
    /// What came before it and made a difference to it.
    pub before: Before,
    /// Whether anybody beyond its process can tell that it was done.
    pub is_seen: bool,
    /// Where its victim stands, if it is a kill, or the lane whose call it disturbs.
    pub stood: Option<Stood>,
}

impl Node {
    /// A new node for the present state.
    pub(super) fn reset(&mut self, kernel: &Kernel, alternatives: &[Alternative]) {
        self.able.clear();
        self.left_out.clear();
        self.races.clear();
        self.wakeup.clear();
        self.then.clear();
        self.sleep.clear();
        (self.enabled, self.done, self.begun) = (Bits::NONE, Bits::NONE, Bits::NONE);
        self.told = kernel.told;
        for &alternative in alternatives {
            let act = Act { actor: actor_of(alternative), touches: touches(kernel, alternative) };
            self.enabled.insert(act.actor);
            self.able.push(Able { act, alternative });
        }
        for lane in (0u8..).take(kernel.lane_count()).map(LaneId) {
            if kernel.has_begun(lane) {
                self.begun.insert(usize::from(lane.0));
            }
        }
    }

    /// A kill need not be done here.
    pub(super) fn leave_out(&mut self, act: Act) {
        self.enabled = self.enabled.without(&Bits::NONE.with(act.actor));
        self.able.retain(|able| able.act.actor != act.actor);
        self.left_out.push(act);
    }

    /// What is asleep in the parent and has nothing to do with what was done there stays asleep, and
    /// what is to follow there is to be explored here.
    pub(super) fn inherit(&mut self, parent: &mut Self) {
        let asleep = parent.sleep.iter().filter(|act| !act.touches.meets(&parent.touches));
        self.sleep.extend(asleep);
        std::mem::swap(&mut self.wakeup, &mut parent.then);
    }

    pub(super) fn sleeps(&self, actor: usize) -> bool {
        self.sleep.iter().any(|act| act.actor == actor)
    }

    /// The next that is to be explored here, whose branch becomes what is to follow. What cannot be
    /// done after all is left out.
    pub(super) fn wake(&mut self) -> Option<usize> {
        while !self.wakeup.is_empty() {
            let Branch { act, then } = self.wakeup.remove(0);
            if self.enabled.contains(act.actor) && !self.sleeps(act.actor) {
                self.then = then;
                return Some(act.actor);
            }
        }
        None
    }

    /// Somebody acts here.
    pub(super) fn choose(&mut self, actor: usize) {
        self.chosen = actor;
        let able = self.able.iter().find(|able| able.act.actor == actor);
        self.touches = able.map_or(Footprint::ALL, |able| able.act.touches);
        self.chosen_alternative = able.map(|able| able.alternative);
        self.stood = None;
    }

    /// What acted here is explored.
    pub(super) fn close(&mut self) {
        self.done.insert(self.chosen);
        self.sleep.push(self.act());
    }

    /// What is done here.
    pub(super) fn act(&self) -> Act {
        Act { actor: self.chosen, touches: self.touches }
    }

    /// What acts here.
    pub(super) fn alternative(&self) -> Alternative {
        self.chosen_alternative.unwrap_or(Alternative::Pass)
    }
}

/// What an alternative touches.
fn touches(kernel: &Kernel, alternative: Alternative) -> Footprint {
    let budget = |bit| Footprint::of(Bits::NONE.with(bit));
    match alternative {
        Alternative::Lane(lane) | Alternative::Expire(lane) => kernel.footprint(lane),
        Alternative::ShortHere(lane) | Alternative::InterruptHere(lane) => {
            kernel.footprint(lane).union(&budget(BUDGET_OF_FAULTS))
        }
        Alternative::Die(process) => kernel.death(process),
        Alternative::KillHere(process, _) => kernel.death(process).union(&budget(BUDGET_OF_KILLS)),
        // Directed kills wait for their sites, and time passes only where nothing else can happen:
        // both touch everything.
        Alternative::Pass | Alternative::Kill(_) | Alternative::Interrupt(_) => Footprint::ALL,
    }
}

/// A run did not come to what an earlier one did under the same choices.
pub(super) fn not_the_same(
    kernel: &Kernel,
    number: usize,
    alternatives: &[Alternative],
) -> ReplayDiverged {
    let here = alternatives.iter().map(|&it| describe(kernel, it));
    ReplayDiverged {
        // Such a search is asked at every step.
        step: number as u64,
        number,
        recorded: "what an earlier run did: the subject does not do the same twice".to_owned(),
        index: 0,
        here: here.collect::<Vec<_>>().join(", "),
    }
}
