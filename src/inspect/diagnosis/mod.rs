//! From what was seen to what is wrong: a pure function of the picture.
//!
//! A rule says that something is likely only where nobody who could prove it wrong was seen: a
//! thread that runs, is stopped, or could not be seen may hold the lock in question or be on its
//! way to the other end.

mod frames;
mod joins;
mod locks;
mod slots;
mod tasks;
#[cfg(test)]
mod tests;

use midput_scenarios::Hazard;
use serde::Serialize;

use super::picture::{Doing, Picture, Pipe, Process, Role, Semaphore, Thread};

/// Something that is wrong, or may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Which known harm it is; none where that depends on what could not be told.
    pub(super) hazard: Option<Hazard>,
    /// The harm's name.
    pub(super) name: Option<&'static str>,
    pub(super) certainty: Certainty,
    /// The inode of the queue's pipe.
    pub(super) pipe: Option<u64>,
    /// What was seen that says so.
    pub(super) why: String,
    /// What somebody who has met it can do.
    pub(super) remedy: Option<&'static str>,
}

/// How much what was seen says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Certainty {
    /// Nothing that was seen speaks against it.
    Likely,
    /// It may also be otherwise, and the reason says how.
    CannotTell,
}

impl Finding {
    fn new(hazard: Hazard, pipe: Option<u64>, why: String) -> Self {
        Self {
            hazard: Some(hazard),
            name: Some(hazard.name()),
            certainty: Certainty::Likely,
            pipe,
            why,
            remedy: Some(hazard.remedy()),
        }
    }

    /// The same, less certain where there is a reason to doubt.
    fn unless(self, doubt: Option<String>) -> Self {
        match doubt {
            None => self,
            Some(doubt) => {
                let why = format!("{}; but {doubt}", self.why);
                Self { certainty: Certainty::CannotTell, why, ..self }
            }
        }
    }

    pub(super) fn is_likely(&self) -> bool {
        self.certainty == Certainty::Likely
    }
}

/// Everything that is wrong.
pub(super) fn diagnose(picture: &Picture) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pipe in &picture.pipes {
        let queue = Queue { picture, pipe };
        let before = findings.len();
        frames::torn(&queue, &mut findings);
        locks::orphaned(&queue, &mut findings);
        tasks::stuck(&queue, &mut findings);
        joins::deadlocked(&queue, &mut findings);
        if findings.len() == before {
            slots::leaked(&queue, &mut findings);
        }
    }
    locks::unnamed(picture, &mut findings);
    findings
}

/// A thread and its process.
type Where<'a> = (&'a Process, &'a Thread);

/// A queue as the rules ask about it.
struct Queue<'a> {
    picture: &'a Picture,
    pipe: &'a Pipe,
}

impl<'a> Queue<'a> {
    fn threads(&self, does: impl Fn(&Doing) -> bool) -> Vec<Where<'a>> {
        self.picture.threads().filter(|(_, thread)| does(&thread.doing)).collect()
    }

    fn semaphore(&self, role: Role) -> Option<&'a Semaphore> {
        Some(self.picture.semaphore(self.pipe.inode, role)?.1)
    }

    fn value(&self, role: Role) -> Option<u32> {
        self.semaphore(role)?.value
    }

    /// Who waits for a semaphore of this queue.
    fn waiting(&self, role: Role) -> Vec<Where<'a>> {
        let Some((index, _)) = self.picture.semaphore(self.pipe.inode, role) else {
            return Vec::new();
        };
        waiting(self.picture, index)
    }

    /// Who is blocked in a read of its pipe.
    fn reading(&self) -> Vec<Where<'a>> {
        let inode = self.pipe.inode;
        self.threads(|doing| matches!(doing, Doing::Reads { pipe, .. } if *pipe == inode))
    }

    /// Who waits until there is something to read.
    fn polling(&self) -> Vec<Where<'a>> {
        let inode = self.pipe.inode;
        self.threads(|doing| matches!(doing, Doing::Polls { pipes, .. } if pipes.contains(&inode)))
    }

    /// Who is blocked in a write to its pipe.
    fn writing(&self) -> Vec<Where<'a>> {
        let inode = self.pipe.inode;
        self.threads(|doing| matches!(doing, Doing::Writes { pipe, .. } if *pipe == inode))
    }

    /// Why somebody who has this semaphore may hold it all the same, unseen.
    fn may_hold(&self, role: Role) -> Option<String> {
        unsettled(self.picture, &self.semaphore(role)?.mapped_by, "may hold it")
    }

    fn name(&self) -> String {
        format!("the queue on pipe {}", self.pipe.inode)
    }
}

/// Who waits for this semaphore.
fn waiting(picture: &Picture, index: usize) -> Vec<Where<'_>> {
    let waits =
        |doing: &Doing| matches!(doing, Doing::Waits { semaphore, .. } if *semaphore == index);
    picture.threads().filter(|(_, thread)| waits(&thread.doing)).collect()
}

/// A thread of these processes of which nobody knows where it is going.
fn unsettled(picture: &Picture, processes: &[u32], may: &str) -> Option<String> {
    let mut threads = picture.threads().filter(|(process, _)| processes.contains(&process.pid));
    threads.find_map(|it| {
        let does = match it.1.doing {
            Doing::Runs => "runs",
            Doing::Stopped => "is stopped",
            Doing::Unknown => "could not be seen",
            _ => return None,
        };
        Some(format!("{} {does} and {may}", called(&it)))
    })
}

/// What a thread is called: its process, and its own number where it is not the first.
fn called((process, thread): &Where<'_>) -> String {
    if thread.tid == process.pid {
        process.pid.to_string()
    } else {
        format!("{} thread {}", process.pid, thread.tid)
    }
}

fn all_called(threads: &[Where<'_>]) -> String {
    threads.iter().map(called).collect::<Vec<_>>().join(", ")
}

/// The threads of these that are not the first of their process, where CPython and `midput-real`
/// have their feeders, and whose process's first thread waits on something of its own, as one does
/// that leaves and joins its feeder.
fn leaving<'a>(threads: &[Where<'a>]) -> Vec<Where<'a>> {
    let first_waits = |process: &Process| {
        let first = process.threads.iter().find(|it| it.tid == process.pid);
        first.is_some_and(|first| first.doing == Doing::Local { limited: false })
    };
    let is_leaving = |it: &&Where<'a>| it.1.tid != it.0.pid && first_waits(it.0);
    threads.iter().filter(is_leaving).copied().collect()
}
