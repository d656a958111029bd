//! The tasks of a joinable queue: a counter that never reaches 0 or that nobody can lock (H9), a
//! notifier that waits for a dead waiter (H10).

use midput_scenarios::Hazard;

use super::{Finding, Queue, all_called, unsettled};
use crate::inspect::picture::{Doing, Role};

pub(super) fn stuck(queue: &Queue<'_>, findings: &mut Vec<Finding>) {
    let inode = Some(queue.pipe.inode);
    let locked = queue.value(Role::ConditionLock) == Some(0);
    let notifying = queue.waiting(Role::Woken);
    let waiting = queue.waiting(Role::ConditionLock);
    if locked && !notifying.is_empty() {
        let why = format!(
            "notifying the joiners of {}, with the task counter locked, and waiting for the \
             acknowledgement of one who is no living thread: {}",
            queue.name(),
            all_called(&notifying)
        );
        let doubt = queue.semaphore(Role::Woken).and_then(|semaphore| {
            unsettled(queue.picture, &semaphore.mapped_by, "may acknowledge it yet")
        });
        findings.push(Finding::new(Hazard::H10, inode, why).unless(doubt));
    } else if locked && !waiting.is_empty() {
        let why = format!(
            "the task counter of {} is locked, and no living thread is in a step that holds it; \
             waiting for it: {}",
            queue.name(),
            all_called(&waiting)
        );
        let doubt = queue.may_hold(Role::ConditionLock);
        findings.push(Finding::new(Hazard::H9, inode, why).unless(doubt));
    }
    let joining = queue.waiting(Role::Wait);
    let unfinished = queue.value(Role::Unfinished).unwrap_or(0);
    if !joining.is_empty() && unfinished > 0 {
        let why = format!(
            "waiting until {unfinished} tasks of {} are done: {}; nobody else is at work, all wait \
             for the queue or for each other",
            queue.name(),
            all_called(&joining)
        );
        findings.extend(nobody_works(queue).map(|()| Finding::new(Hazard::H9, inode, why)));
    }
}

/// Whether none of the processes that have the counter may be at work on a task: the first thread
/// of each waits for the queue or for a child.
fn nobody_works(queue: &Queue<'_>) -> Option<()> {
    let mapped_by = &queue.semaphore(Role::Unfinished)?.mapped_by;
    let mut mapping = queue.picture.processes.iter().filter(|it| mapped_by.contains(&it.pid));
    let all_wait = mapping.all(|process| {
        process.threads.iter().all(|thread| match thread.doing {
            Doing::Reads { pipe, .. } => pipe == queue.pipe.inode,
            Doing::Waits { limited, .. } | Doing::Joins { limited, .. } => !limited,
            // A feeder that has nothing to do.
            Doing::Local { limited } => !limited && thread.tid != process.pid,
            _ => false,
        })
    });
    all_wait.then_some(())
}
