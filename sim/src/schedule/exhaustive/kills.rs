//! Which kills make a difference.
//!
//! What a process does to its own memory, its threads and its local locks dies with it. A kill
//! after such a step leaves the same behind as a kill before it, if nothing else of the process has
//! come after that step: no result, no call or return in the history, no object that lives on. So
//! a kill is done only where each lane's latest step was seen beyond the process, or by another
//! lane of it that went on. Taking away unseen steps one by one leads from every other kill to such a
//! one, which comes to the same end.

use super::Exhaustive;
use crate::host::Alternative;
use crate::kernel::{Bits, Footprint, Kernel};

impl Exhaustive {
    /// Leaves out the kills at a new node that leave behind what others do.
    pub(super) fn leave_out_kills(&mut self, kernel: &Kernel, index: usize) {
        for at in (0..self.nodes[index].able.len()).rev() {
            let able = self.nodes[index].able[at];
            if let Alternative::KillHere(process, _) = able.alternative
                && !self.is_last_seen(kernel.lanes_of(process), 0..index)
            {
                self.nodes[index].leave_out(able.act);
            }
        }
    }

    /// Whether each last step of these lanes of one process, among these events, was seen.
    pub(super) fn is_last_seen(
        &self,
        lanes: Bits,
        events: impl DoubleEndedIterator<Item = usize>,
    ) -> bool {
        // What the process has touched since.
        let mut later = Footprint::NONE;
        let mut left = lanes;
        for event in events.rev() {
            let node = &self.nodes[event];
            if !node.touches.changes.meets(&lanes) {
                continue;
            }
            if node.touches.changes.meets(&left) && !node.is_seen && !node.touches.meets(&later) {
                return false;
            }
            later = later.union(&node.touches);
            left = left.without(&node.touches.changes);
            if left == Bits::NONE {
                break;
            }
        }
        true
    }
}
