//! Who waits for a process that waits to be read (H7), or cannot leave for want of room (H8).

use midput_scenarios::Hazard;

use super::{Finding, Queue, Where, all_called, called, leaving, unsettled};
use crate::inspect::picture::{Doing, Role};

/// A process whose feeder is blocked in a write, or behind one that is, and nobody reads.
pub(super) fn deadlocked(queue: &Queue<'_>, findings: &mut Vec<Finding>) {
    let mut stuck = queue.writing();
    if stuck.is_empty() || !queue.reading().is_empty() || !queue.polling().is_empty() {
        return;
    }
    stuck.extend(queue.waiting(Role::WriteLock));
    let doubt = will_be_read(queue, &stuck);
    let inode = Some(queue.pipe.inode);
    let mut joined = false;
    for joiner in queue.threads(|doing| !joins(doing).is_empty()) {
        let reads = queue.pipe.readers.iter().any(|end| end.pid == joiner.0.pid);
        let is_child = |it: &&Where<'_>| {
            let named = joins(&joiner.1.doing);
            named.contains(&Some(it.0.pid))
                || (named.contains(&None) && it.0.parent == joiner.0.pid)
        };
        let Some(child) = stuck.iter().find(is_child).filter(|_| reads) else { continue };
        joined = true;
        let why = format!(
            "{} waits for {} to end, whose thread {} cannot write the rest of its items to {}: the \
             pipe is full, and nobody reads it while {0} waits",
            called(&joiner),
            child.0.pid,
            child.1.tid,
            queue.name()
        );
        findings.push(Finding::new(Hazard::H7, inode, why).unless(doubt.clone()));
    }
    let leaving = leaving(&stuck);
    if !joined && !leaving.is_empty() {
        let why = format!(
            "waiting for room in the pipe of {}, which nobody reads: {}; and the first thread of the \
             same process waits for something of its own, as one that leaves waits for its feeder",
            queue.name(),
            all_called(&leaving)
        );
        findings.push(Finding::new(Hazard::H8, inode, why).unless(doubt));
    }
}

/// The children whose end a call waits for without a timeout; `None` is any.
fn joins(doing: &Doing) -> Vec<Option<u32>> {
    match doing {
        Doing::Joins { child, limited: false } => vec![*child],
        Doing::Polls { children, limited: false, .. } => {
            children.iter().copied().map(Some).collect()
        }
        _ => Vec::new(),
    }
}

/// Why somebody who has the reading end may read yet.
fn will_be_read(queue: &Queue<'_>, stuck: &[Where<'_>]) -> Option<String> {
    let readers: Vec<u32> = queue.pipe.readers.iter().map(|end| end.pid).collect();
    if let Some(doubt) = unsettled(queue.picture, &readers, "may read it yet") {
        return Some(doubt);
    }
    let others = queue.threads(|doing| match doing {
        // What these wait for may come from elsewhere.
        Doing::Other { .. } => true,
        Doing::Waits { limited, .. } | Doing::Local { limited } => *limited,
        Doing::Joins { limited, .. } | Doing::Polls { limited, .. } => *limited,
        _ => false,
    });
    let mut others = others.iter().filter(|(process, _)| {
        readers.contains(&process.pid) && !stuck.iter().any(|it| it.0.pid == process.pid)
    });
    others.next().map(|it| format!("{} waits for something else and may read it yet", called(it)))
}
