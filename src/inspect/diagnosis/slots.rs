//! Slots that nobody will give back (H1).

use midput_scenarios::Hazard;

use super::{Finding, Queue, all_called};
use crate::inspect::picture::Role;

/// Somebody waits for a slot, all are taken, and there is no item that could be taken for one.
pub(super) fn leaked(queue: &Queue<'_>, findings: &mut Vec<Finding>) {
    let waiting = queue.waiting(Role::Slots);
    let full = queue.value(Role::Slots) == Some(0) && !waiting.is_empty();
    if !full || queue.pipe.bytes != Some(0) || !queue.writing().is_empty() {
        return;
    }
    let why = format!(
        "waiting for a slot of {}: {}; none is free, although nothing is in its pipe and nobody is \
         writing to it: the slots are those of the dead",
        queue.name(),
        all_called(&waiting)
    );
    let doubt = queue.may_hold(Role::Slots);
    findings.push(Finding::new(Hazard::H1, Some(queue.pipe.inode), why).unless(doubt));
}
