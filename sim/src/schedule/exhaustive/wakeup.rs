//! Wakeup trees: the sequences of acts that are still to be explored from a node, those with a
//! common beginning as one branch (Abdulla, Aronis, Jonsson, Sagonas: "Source Sets", JACM 2017).
//!
//! A race says that some schedule has another order; the sequence that leads to it is kept whole,
//! not only its first act. Who is asleep at the node depends on an act of the sequence, or it would
//! not have been inserted: when it has been followed, nobody sleeps any more, and the run goes on to
//! its end. That is why no run is begun that would only repeat others.

use crate::kernel::Footprint;

/// What somebody does, once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    /// Who.
    pub actor: usize,
    /// What it touches.
    pub touches: Footprint,
}

impl Act {
    /// Whether the order of two acts makes a difference.
    pub(super) fn depends_on(&self, other: &Self) -> bool {
        self.touches.meets(&other.touches)
    }

    /// Whether a schedule that begins with this act can do the same as one that begins with the
    /// sequence.
    pub(super) fn begins(&self, sequence: &[Self]) -> Begins {
        for act in sequence {
            if act.actor == self.actor {
                return Begins::AsOne;
            }
            if act.depends_on(self) {
                return Begins::Not;
            }
        }
        Begins::Besides
    }
}

/// How an act can begin a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// It cannot.
    Not,
    /// It is one of its acts, and nothing before it there has to do with it.
    AsOne,
    /// It has nothing to do with any of it: of a longer sequence, this may be otherwise.
    Besides,
}

/// An act, and what is to follow: nothing in particular where it is a leaf.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub act: Act,
    pub then: Vec<Branch>,
}

/// Adds a sequence, unless a branch leads to all that it leads to. Whether that would be the same for
/// every longer sequence: no branch was followed that has nothing to do with this one.
pub(super) fn insert(branches: &mut Vec<Branch>, sequence: &mut Vec<Act>) -> bool {
    let like = branches.iter_mut().find_map(|branch| match branch.act.begins(sequence) {
        Begins::Not => None,
        begins => Some((branch, begins)),
    });
    let Some((branch, begins)) = like else {
        let mut acts = sequence.iter().copied().rev();
        if let Some(act) = acts.next() {
            let leaf = Branch { act, then: Vec::new() };
            branches.push(acts.fold(leaf, |then, act| Branch { act, then: vec![then] }));
        }
        return true;
    };
    if let Some(own) = sequence.iter().position(|act| act.actor == branch.act.actor) {
        sequence.remove(own);
    }
    // From a leaf on, everything is explored.
    let covered = sequence.is_empty() || branch.then.is_empty();
    let settled = covered || insert(&mut branch.then, sequence);
    settled && begins == Begins::AsOne
}
