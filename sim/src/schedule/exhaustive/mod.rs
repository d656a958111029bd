//! Every schedule, depth first. With reduction, one of each class of schedules that differ only in
//! the order of steps that have nothing to do with each other.
//!
//! The reduction is dynamic, after Abdulla, Aronis, Jonsson and Sagonas ("Source Sets", JACM 2017): a
//! schedule is run, and wherever two of its steps have to do with each other and could have come in
//! the other order (`races.rs`), what leads to that other order is kept as a sequence to be run
//! (`wakeup.rs`). Sleep sets after Godefroid keep what was explored from being explored again in
//! another order. Kills, expiries and cut transfers are actors like lanes (`actor.rs`):
//!
//! - a kill changes its victim's lanes, the numbers of open ends of the pipes whose ends the victim
//!   holds, its exit status and the budget of kills, and it sees what its blocked lanes wait for;
//!   one that nobody can tell from an earlier one is left out (`kills.rs`);
//! - time passes only where nothing else can happen, so that its passing touches everything;
//! - an advance of a write that fills the pipe is a step of its own and touches the pipe.
//!
//! What steps touch is said by the kernel (`kernel/footprint.rs`), and by the subject for its
//! process's own memory. Nothing is said of the order of calls and returns of different lanes in
//! a history: a reduced search sees one of the orders that belong to a class.

mod actor;
mod kills;
mod node;
mod races;
mod wakeup;

use midput_model::program::{LaneId, ProcessId};

use super::{Halt, Strategy};
use crate::host::Alternative;
use crate::kernel::{Bits, Kernel};

pub use actor::TooMany;
use actor::{actor_of, lane_of};
use node::Node;
pub use node::Stood;
use races::EVENTS_MAX;
use wakeup::Act;

/// How an exhaustive search goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExhaustiveOptions {
    /// Whether orders that make no difference are left out.
    pub reduction: bool,
    /// The most preemptions of a schedule: choices of another lane although the one that moved
    /// last could go on. Only without reduction, which would cut schedules that the bound needs.
    pub preemptions_max: Option<u32>,
}

impl Default for ExhaustiveOptions {
    /// With reduction, without a bound.
    fn default() -> Self {
        Self { reduction: true, preemptions_max: None }
    }
}

/// What an exhaustive search has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Schedules run to their end.
    pub schedules: u64,
    /// Schedules that were broken off where all that follows had been explored.
    pub redundant: u64,
    /// Whether a schedule was too long to be searched whole.
    pub cut: bool,
}

/// A depth-first search over schedules: the strategy of one run after the other, until
/// [`advance`](Self::advance) says that all are done.
#[derive(Debug)]
pub struct Exhaustive {
    options: ExhaustiveOptions,
    /// The nodes of the current path, and behind them spare ones for their memory.
    nodes: Vec<Node>,
    /// How many of them belong to the path.
    length: usize,
    /// How many at its beginning are taken from the last run.
    prefix: usize,
    /// Where the run stands.
    depth: usize,
    /// The events up to here are known whole: what they touch and what came before them.
    finalized: usize,
    broken_off: bool,
    tally: Tally,
    /// Memory for a sequence of acts.
    sequence: Vec<Act>,
}

impl Exhaustive {
    /// A search that has not begun.
    pub fn new(options: ExhaustiveOptions) -> Self {
        Self {
            options,
            nodes: Vec::new(),
            length: 0,
            prefix: 0,
            depth: 0,
            finalized: 0,
            broken_off: false,
            tally: Tally::default(),
            sequence: Vec::new(),
        }
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether the last run was broken off because nothing new would have followed.
    pub fn broken_off(&self) -> bool {
        self.broken_off
    }

    /// The path of the last run: what was chosen at each of its steps, and for a kill where its
    /// victim stood.
    pub fn path(&self) -> impl Iterator<Item = (Alternative, Option<Stood>)> + '_ {
        self.nodes[..self.length].iter().map(|node| (node.alternative(), node.stood))
    }

    /// Makes ready for the next schedule; false where every one has been run. To be called after
    /// each run.
    pub fn advance(&mut self) -> bool {
        if self.broken_off {
            self.tally.redundant += 1;
        } else {
            self.tally.schedules += 1;
        }
        self.broken_off = false;
        self.depth = 0;
        while let Some(last) = self.length.checked_sub(1) {
            let node = &mut self.nodes[last];
            node.close();
            if let Some(actor) = self.candidate(last) {
                self.nodes[last].choose(actor);
                self.prefix = self.length;
                self.finalized = last;
                return true;
            }
            self.length = last;
        }
        false
    }

    /// What is to be explored next at a node.
    fn candidate(&mut self, index: usize) -> Option<usize> {
        if self.options.reduction {
            return self.nodes[index].wake();
        }
        let node = &self.nodes[index];
        node.enabled.without(&node.done).iter().find(|&actor| self.within_bound(index, actor))
    }

    /// Whether an actor may be chosen at a node under the bound on preemptions.
    fn within_bound(&self, index: usize, actor: usize) -> bool {
        let Some(most) = self.options.preemptions_max else { return true };
        self.preemptions(index) + u32::from(self.preempts(index, actor)) <= most
    }

    /// Whether choosing an actor at a node takes the turn from a lane that could go on.
    fn preempts(&self, index: usize, actor: usize) -> bool {
        let last = self.nodes[..index].iter().rev().map(|node| node.chosen).find_map(lane_of);
        last.is_some_and(|last| {
            lane_of(actor).is_some_and(|lane| lane != last)
                && self.nodes[index].enabled.contains(usize::from(last.0))
        })
    }

    /// How many preemptions the path has before a node.
    fn preemptions(&self, index: usize) -> u32 {
        index.checked_sub(1).map_or(0, |last| {
            let node = &self.nodes[last];
            node.preemptions + u32::from(self.preempts(last, node.chosen))
        })
    }

    /// A new node at the end of the path, with what can happen there.
    fn open(&mut self, kernel: &Kernel, alternatives: &[Alternative]) {
        let index = self.length;
        if self.nodes.len() == index {
            self.nodes.push(Node::default());
        }
        let (before, rest) = self.nodes.split_at_mut(index);
        let node = &mut rest[0];
        node.reset(kernel, alternatives);
        if self.options.reduction {
            if let Some(parent) = before.last_mut() {
                node.inherit(parent);
            }
            self.leave_out_kills(kernel, index);
        }
        self.nodes[index].preemptions = self.preemptions(index);
    }

    /// Who acts at the new node at the end of the path.
    fn choose_first(&mut self) -> Result<(), Box<Halt>> {
        let index = self.length;
        let woken = self.nodes[index].wake();
        // A lane goes on while it can, so that the first schedules are simple ones.
        let node = &self.nodes[index];
        let last = index.checked_sub(1).map(|last| self.nodes[last].chosen);
        let enabled = last.into_iter().filter(|&last| node.enabled.contains(last));
        let all = enabled.chain(node.enabled.iter());
        let mut able = all.filter(|&it| !node.sleeps(it) && self.within_bound(index, it));
        let Some(actor) = woken.or_else(|| able.next()) else {
            self.broken_off = true;
            return Err(Halt::Redundant.into());
        };
        self.nodes[index].choose(actor);
        self.length += 1;
        Ok(())
    }

    /// Where the victim of a kill stands that is chosen, or the lane whose call is disturbed.
    fn note_place(&mut self, kernel: &Kernel, index: usize) {
        self.nodes[index].stood = match self.nodes[index].alternative() {
            Alternative::KillHere(victim, _) => self.place_of(kernel, victim, index),
            Alternative::ShortHere(lane) | Alternative::InterruptHere(lane) => {
                Stood::of(kernel, lane)
            }
            _ => None,
        };
    }

    /// Where the lane of a victim stands that moved last, or the first of its lanes that stands.
    fn place_of(&self, kernel: &Kernel, victim: ProcessId, index: usize) -> Option<Stood> {
        let stands =
            |&lane: &LaneId| kernel.process_of(lane) == victim && kernel.parked(lane).is_some();
        let moved = self.nodes[..index].iter().rev().filter_map(|node| lane_of(node.chosen));
        let all = (0u8..).take(kernel.lane_count()).map(LaneId);
        moved.chain(all).find(stands).and_then(|lane| Stood::of(kernel, lane))
    }
}

impl Strategy for Exhaustive {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        if self.depth >= self.prefix {
            if self.length >= EVENTS_MAX {
                self.tally.cut = true;
                self.broken_off = true;
                return Err(Halt::Redundant.into());
            }
            actor::check(kernel, alternatives)?;
            let acted = self.depth > self.finalized && self.options.reduction;
            if acted {
                self.finalize(kernel);
            }
            self.finalized = self.depth;
            self.open(kernel, alternatives);
            if acted {
                let node = &mut self.nodes[self.depth];
                let left_out = std::mem::take(&mut node.left_out);
                let enabled = node.enabled;
                self.note_races(kernel, enabled, &left_out);
                self.nodes[self.depth].left_out = left_out;
            }
            self.choose_first()?;
        }
        let node = &self.nodes[self.depth];
        let chosen = node.chosen;
        if self.depth + 1 >= self.prefix {
            self.note_place(kernel, self.depth);
        }
        self.depth += 1;
        let position = alternatives.iter().position(|&it| actor_of(it) == chosen);
        // The same program does the same in every run; a subject that does not is found out here.
        position.ok_or_else(|| {
            Halt::Diverged(node::not_the_same(kernel, self.depth, alternatives)).into()
        })
    }

    fn wants_every_step(&self) -> bool {
        true
    }

    fn ended(&mut self, kernel: &Kernel) {
        if !self.options.reduction {
            return;
        }
        if self.depth > self.finalized {
            self.finalized = self.depth;
            self.finalize(kernel);
            self.note_races(kernel, Bits::NONE, &[]);
        }
        self.find_races(kernel);
    }
}
