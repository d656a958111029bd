//! One place of a path through the schedules: what can happen there, what was explored, what is
//! still to be.

use midput_model::program::{LaneId, ProcessId};

use super::actor::actor_of;
use super::races::Before;
use crate::host::Alternative;
use crate::kernel::{BUDGET_OF_FAULTS, BUDGET_OF_KILLS, Bits, Kernel};
use crate::schedule::{ReplayDiverged, describe};

/// A step that somebody stands at, whether it can be done or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub actor: usize,
    /// What it would touch.
    pub touches: Bits,
    pub alternative: Alternative,
    /// Where it stands, if it is a fault of a lane's call.
    pub stood: Option<Stood>,
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
    /// Everybody who stands at a step.
    pub pending: Vec<Pending>,
    /// The lanes that have begun.
    pub begun: Bits,
    /// Who is to be explored here.
    pub backtrack: Bits,
    /// Who was.
    pub done: Bits,
    /// Who was, with what their steps touched.
    explored: Vec<(usize, Bits)>,
    /// Whom exploring here would only repeat.
    sleep: Vec<(usize, Bits)>,
    /// Preemptions before this node.
    pub preemptions: u32,
    /// Who acts now.
    pub chosen: usize,
    chosen_alternative: Option<Alternative>,
    /// What that touches.
    pub touches: Bits,
    /// What came before it and made a difference to it.
    pub before: Before,
    /// Where its victim stands, if it is a kill.
    pub stood: Option<Stood>,
    /// Where each victim's lane stands that moved last.
    pub latest: Vec<(ProcessId, Stood)>,
}

impl Node {
    /// A new node for the present state.
    pub(super) fn reset(&mut self, kernel: &Kernel, alternatives: &[Alternative]) {
        self.pending.clear();
        self.explored.clear();
        self.sleep.clear();
        self.latest.clear();
        self.stood = None;
        (self.enabled, self.done, self.begun) = (Bits::NONE, Bits::NONE, Bits::NONE);
        for &alternative in alternatives {
            let actor = actor_of(alternative);
            self.enabled.insert(actor);
            let touches = touches(kernel, alternative);
            let stood = match alternative {
                Alternative::ShortHere(lane) | Alternative::InterruptHere(lane) => {
                    Stood::of(kernel, lane)
                }
                _ => None,
            };
            self.pending.push(Pending { actor, touches, alternative, stood });
        }
        for lane in (0u8..).take(kernel.lane_count()).map(LaneId) {
            if kernel.has_begun(lane) {
                self.begun.insert(usize::from(lane.0));
            }
            if kernel.parked(lane).is_some() && !self.enabled.contains(usize::from(lane.0)) {
                self.pending.push(Pending {
                    actor: usize::from(lane.0),
                    touches: kernel.footprint(lane),
                    alternative: Alternative::Lane(lane),
                    stood: None,
                });
            }
        }
    }

    /// The processes that can be killed here.
    pub(super) fn victims(&self) -> impl Iterator<Item = ProcessId> + '_ {
        self.pending.iter().filter_map(|pending| match pending.alternative {
            Alternative::KillHere(process, _) => Some(process),
            _ => None,
        })
    }

    /// What is asleep in the parent and has nothing to do with what was done there stays asleep.
    pub(super) fn inherit_sleep(&mut self, parent: &Self) {
        let asleep = parent.sleep.iter().chain(&parent.explored);
        self.sleep.extend(asleep.filter(|(_, touches)| !touches.meets(&parent.touches)).copied());
    }

    pub(super) fn sleeps(&self, actor: usize) -> bool {
        self.sleep.iter().any(|&(asleep, _)| asleep == actor)
    }

    /// Somebody acts here.
    pub(super) fn choose(&mut self, actor: usize) {
        self.chosen = actor;
        let pending = self.pending.iter().find(|pending| pending.actor == actor);
        self.touches = pending.map_or(Bits::ALL, |pending| pending.touches);
        self.chosen_alternative = pending.map(|pending| pending.alternative);
        self.stood = match self.chosen_alternative {
            Some(Alternative::KillHere(process, _)) => {
                self.latest.iter().find(|(of, _)| *of == process).map(|(_, stood)| *stood)
            }
            Some(Alternative::ShortHere(_) | Alternative::InterruptHere(_)) => {
                pending.and_then(|pending| pending.stood)
            }
            _ => None,
        };
    }

    /// What acted here is explored.
    pub(super) fn close(&mut self) {
        self.done.insert(self.chosen);
        self.explored.push((self.chosen, self.touches));
    }

    /// What acts here.
    pub(super) fn alternative(&self) -> Alternative {
        self.chosen_alternative.unwrap_or(Alternative::Pass)
    }
}

/// What an alternative touches.
fn touches(kernel: &Kernel, alternative: Alternative) -> Bits {
    match alternative {
        Alternative::Lane(lane) | Alternative::Expire(lane) => kernel.footprint(lane),
        Alternative::ShortHere(lane) | Alternative::InterruptHere(lane) => {
            kernel.footprint(lane).with(BUDGET_OF_FAULTS)
        }
        Alternative::Die(process) => kernel.death(process),
        Alternative::KillHere(process, _) => kernel.death(process).with(BUDGET_OF_KILLS),
        // Directed kills wait for their sites, and time passes only where nothing else can happen:
        // both touch everything.
        Alternative::Pass | Alternative::Kill(_) | Alternative::Interrupt(_) => Bits::ALL,
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
