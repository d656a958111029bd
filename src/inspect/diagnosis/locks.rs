//! Locks whose holder is dead (H4, H5), and who cannot leave for that (H8).

use midput_scenarios::Hazard;

use super::{Certainty, Finding, Queue, all_called, leaving, unsettled, waiting};
use crate::inspect::picture::{Picture, Role};

/// The read lock and the write lock of a queue: taken, and nobody who lives uses the pipe.
pub(super) fn orphaned(queue: &Queue<'_>, findings: &mut Vec<Finding>) {
    let inode = Some(queue.pipe.inode);
    let is_read = !queue.reading().is_empty() || !queue.polling().is_empty();
    if is_taken(queue, Role::ReadLock) && !is_read {
        let why = format!(
            "the read lock of {} is taken, and no living thread reads its pipe or waits to; {}",
            queue.name(),
            who_waits(queue, Role::ReadLock)
        );
        let doubt = queue.may_hold(Role::ReadLock);
        findings.push(Finding::new(Hazard::H4, inode, why).unless(doubt));
    }
    if !is_taken(queue, Role::WriteLock) || !queue.writing().is_empty() {
        return;
    }
    let doubt = queue.may_hold(Role::WriteLock);
    let why = format!(
        "the write lock of {} is taken, and no living thread writes to its pipe; {}",
        queue.name(),
        who_waits(queue, Role::WriteLock)
    );
    findings.push(Finding::new(Hazard::H5, inode, why).unless(doubt.clone()));
    if let Some(bytes) = queue.pipe.bytes.filter(|bytes| *bytes > 0 && doubt.is_none()) {
        let why = "whoever died with the write lock may have left a frame in part".to_owned();
        let unread = format!(
            "the {bytes} bytes in the pipe may be whole frames, which cannot be told without \
             reading them"
        );
        findings.push(Finding::new(Hazard::H6, inode, why).unless(Some(unread)));
    }
    let leaving = leaving(&queue.waiting(Role::WriteLock));
    if !leaving.is_empty() {
        let why = format!(
            "waiting for that lock: {}; and the first thread of the same process waits for \
             something of its own, as one that leaves waits for its feeder",
            all_called(&leaving)
        );
        findings.push(Finding::new(Hazard::H8, inode, why).unless(doubt));
    }
}

/// Whether a lock is taken for longer than a moment: somebody waits for it and does not get it, or
/// nobody is there who could be in the steps that take it.
fn is_taken(queue: &Queue<'_>, role: Role) -> bool {
    let is_awaited = !queue.waiting(role).is_empty();
    queue.value(role) == Some(0) && (is_awaited || queue.may_hold(role).is_none())
}

fn who_waits(queue: &Queue<'_>, role: Role) -> String {
    match queue.waiting(role).as_slice() {
        [] => "no living thread waits for it yet".to_owned(),
        waiting => format!("waiting for it: {}", all_called(waiting)),
    }
}

/// Semaphores at 0 that somebody waits for, and of which it is not known what they are.
pub(super) fn unnamed(picture: &Picture, findings: &mut Vec<Finding>) {
    for (index, semaphore) in picture.semaphores.iter().enumerate() {
        let waiting = waiting(picture, index);
        let is_known = semaphore.role.is_some() || semaphore.event_wait;
        if is_known || semaphore.value != Some(0) || waiting.is_empty() {
            continue;
        }
        let moving = unsettled(picture, &semaphore.mapped_by, "may hold it");
        let is_busy = picture.pipes.iter().any(|pipe| {
            let queue = Queue { picture, pipe };
            let users = [queue.reading(), queue.polling(), queue.writing()];
            users.iter().any(|users| !users.is_empty())
        });
        let why = format!(
            "waiting for semaphore {index} ({}), which is at 0: {}; which lock or counter of the \
             program it is cannot be told",
            semaphore.name,
            all_called(&waiting)
        );
        let doubt = moving.unwrap_or_else(|| match is_busy {
            true => "somebody uses a queue's pipe and may hold it".to_owned(),
            false => "nobody uses a queue's pipe: if it is the lock of one, its holder is dead \
                      (H4, H5)"
                .to_owned(),
        });
        findings.push(Finding {
            hazard: None,
            name: None,
            certainty: Certainty::CannotTell,
            pipe: None,
            why: format!("{why}; {doubt}"),
            remedy: None,
        });
    }
}
