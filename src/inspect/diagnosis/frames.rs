//! Frames of which the rest never comes (H3, H6).

use midput_scenarios::Hazard;

use super::{Finding, Queue, called, unsettled};
use crate::inspect::picture::{Doing, Role};

/// The bytes of a header: who waits for exactly so many is between two frames, or just as well
/// before the last four bytes of one, which nobody can tell from outside.
const HEADER: u64 = 4;

/// A reader waits inside a frame, nothing is in the pipe, and nobody is writing.
pub(super) fn torn(queue: &Queue<'_>, findings: &mut Vec<Finding>) {
    if queue.pipe.bytes.is_some_and(|bytes| bytes > 0) || !queue.writing().is_empty() {
        return;
    }
    for it in queue.reading() {
        let Doing::Reads { wants, .. } = it.1.doing else { continue };
        if wants == HEADER {
            continue;
        }
        let locked = queue.value(Role::WriteLock);
        let writers: Vec<u32> = queue.pipe.writers.iter().map(|end| end.pid).collect();
        let doubt = match (locked, queue.semaphore(Role::ReadLock)) {
            (_, None) => Some("which semaphores belong to this pipe cannot be told".to_owned()),
            // A writer has the lock from the first byte to the last.
            (Some(1..), Some(_)) => None,
            _ => unsettled(queue.picture, &writers, "may be about to write the rest"),
        };
        let why = format!(
            "{} is in the middle of a frame of {} and asks for {wants} bytes more; the pipe is \
             empty, and no living thread is writing to it",
            called(&it),
            queue.name()
        );
        let inode = Some(queue.pipe.inode);
        for hazard in [Hazard::H3, Hazard::H6] {
            findings.push(Finding::new(hazard, inode, why.clone()).unless(doubt.clone()));
        }
    }
}
