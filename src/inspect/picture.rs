//! What was seen of a program: its processes, pipes, semaphores and blocked calls, as plain data.

use serde::Serialize;

/// Everything that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Picture {
    /// The process that was asked about.
    pub(super) asked: u32,
    /// It and its relatives, the oldest first.
    pub(super) processes: Vec<Process>,
    /// Pipes of which one process holds both ends, as every user of a queue does (`WF8`).
    pub(super) pipes: Vec<Pipe>,
    /// In the order in which they were made, as far as that can be told.
    pub(super) semaphores: Vec<Semaphore>,
    /// What could not be read, and what would be needed.
    pub(super) unread: Vec<String>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// The beginning of its command line.
    pub(super) command: String,
    /// Dead, and not waited for by its parent.
    pub(super) zombie: bool,
    pub(super) threads: Vec<Thread>,
}

/// A thread, and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Thread {
    pub(super) tid: u32,
    /// Its name, as the kernel has it.
    pub(super) name: String,
    pub(super) doing: Doing,
}

/// What a thread does. Whatever blocks has not moved between two looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "call")]
pub(super) enum Doing {
    /// Blocked in `read` of a queue's pipe.
    Reads {
        /// The pipe's inode.
        pipe: u64,
        /// How many bytes it asks for.
        wants: u64,
    },
    /// Blocked in `write` to a queue's pipe.
    Writes {
        /// The pipe's inode.
        pipe: u64,
        /// How many bytes the call was given. The kernel does not say how many of them are
        /// through.
        given: u64,
    },
    /// Blocked in a wait for a semaphore.
    Waits {
        /// Its place in the list of semaphores.
        semaphore: usize,
        /// Whether the wait has a timeout.
        limited: bool,
    },
    /// Blocked on a lock of its own process: joins a thread, waits to be notified, and the like.
    Local {
        /// Whether the wait has a timeout.
        limited: bool,
    },
    /// Waits for a child to end; any child where none is named.
    Joins {
        /// The child.
        child: Option<u32>,
        /// Whether the wait has a timeout.
        limited: bool,
    },
    /// Waits for one of several things.
    Polls {
        /// The inodes of the queue pipes of which it waits to read.
        pipes: Vec<u64>,
        /// The children whose end it waits for.
        children: Vec<u32>,
        /// Whether the wait has a timeout.
        limited: bool,
    },
    /// Blocked in another system call, by its number.
    Other {
        /// The number.
        number: i64,
        /// Where in the kernel, if it says.
        place: String,
    },
    /// It runs, or ran between two looks.
    Runs,
    /// Stopped by a signal or a debugger.
    Stopped,
    /// It could not be seen.
    Unknown,
}

/// A pipe of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Pipe {
    pub(super) inode: u64,
    pub(super) readers: Vec<End>,
    pub(super) writers: Vec<End>,
    /// How many bytes are in it, where that could be asked.
    pub(super) bytes: Option<u64>,
    /// How many bytes it has room for where they come in whole pages.
    pub(super) capacity: Option<u64>,
}

/// A descriptor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct End {
    pub(super) pid: u32,
    pub(super) descriptor: i32,
}

/// A semaphore shared between processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Semaphore {
    #[serde(flatten)]
    pub(super) place: SemaphorePlace,
    /// Its name in one of the processes.
    pub(super) name: String,
    /// The processes that have it mapped.
    pub(super) mapped_by: Vec<u32>,
    pub(super) value: Option<u32>,
    /// How many wait for it, as the semaphore itself counts: a waiter that was killed counts on.
    pub(super) waiters: Option<u32>,
    /// How many semaphores its file holds, where it holds several.
    pub(super) of: Option<usize>,
    /// What it is, where that can be told.
    pub(super) role: Option<QueueRole>,
    /// Whether it is what the waiters for an `Event` of CPython wait for.
    pub(super) event_wait: bool,
}

/// Where a semaphore lies. Processes have it at addresses of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct SemaphorePlace {
    pub(super) device: String,
    pub(super) inode: u64,
    pub(super) offset: u64,
}

/// What a semaphore is to which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct QueueRole {
    /// The inode of the queue's pipe.
    pub(super) pipe: u64,
    pub(super) role: Role,
}

/// What a semaphore is to its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    /// Held by whoever reads the pipe.
    ReadLock,
    /// Held by whoever writes to the pipe.
    WriteLock,
    /// The free slots.
    Slots,
    /// The tasks that are not done.
    Unfinished,
    /// The lock of the condition of the tasks.
    ConditionLock,
    /// How many sleep in `join`.
    Sleeping,
    /// How many have woken up.
    Woken,
    /// What a sleeper waits for.
    Wait,
}

impl Role {
    /// What it is called in traces.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReadLock => "rlock",
            Self::WriteLock => "wlock",
            Self::Slots => "sem",
            Self::Unfinished => "unfinished",
            Self::ConditionLock => "condlock",
            Self::Sleeping => "sleeping",
            Self::Woken => "woken",
            Self::Wait => "wait",
        }
    }
}

/// A system call as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SystemCall {
    pub(super) number: i64,
    pub(super) arguments: [u64; 6],
}

impl Picture {
    /// Every thread of every living process.
    pub(super) fn threads(&self) -> impl Iterator<Item = (&Process, &Thread)> {
        let all = self.processes.iter();
        all.flat_map(|process| process.threads.iter().map(move |thread| (process, thread)))
    }

    /// The semaphore that is this to the queue with this pipe.
    pub(super) fn semaphore(&self, pipe: u64, role: Role) -> Option<(usize, &Semaphore)> {
        let wanted = Some(QueueRole { pipe, role });
        self.semaphores.iter().enumerate().find(|(_, semaphore)| semaphore.role == wanted)
    }
}
