//! The program points: where a lane can stand, what its next step is called, and what it awaits.

/// Where a lane stands: the step that it will do next.
///
/// The names in brackets are the steps of the documented protocol: `p0`-`p5` for put, `f1`-`f7`
/// for the feeder, `g0`-`g6` for get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// The lane has not begun.
    NotStarted,
    /// The lane has ended, or its process is dead.
    Ended,
    /// `after P1 died`.
    AwaitDeath,

    /// Handle SIGTERM from now on (`LC5`).
    TerminateHandle,
    /// Has SIGTERM asked the process to leave (`LC5`)?
    TerminateCheck,

    /// Closed? (`p0`)
    Put,
    /// Take a slot (`p1`).
    PutAcquire,
    /// Lock the local condition (`p2`).
    PutLock,
    /// Start the feeder (`p3`).
    PutStart,
    /// Into the local buffer (`p4`).
    PutAppend,
    /// Tell the feeder (`p5`).
    PutNotify,
    /// Unlock (`p5`).
    PutUnlock,

    /// Closed? (`g0`)
    Get,
    /// Take the read lock (`g1`).
    GetAcquire,
    /// Wait for a byte (`g2`, timed and non-blocking only).
    GetPoll,
    /// Read the frame's header.
    GetHeader,
    /// Read the frame's payload.
    GetBody,
    /// Give the read lock back.
    GetReleaseLock,
    /// Give the slot back.
    GetReleaseSlot,
    /// Decode the payload.
    GetDecode,

    /// Read the slots' semaphore (`qsize`, `full`).
    ReadValue,
    /// Look into the pipe (`empty`).
    LookInPipe,
    /// `close`: closed from now on.
    Close,
    /// Lock the local condition, to tell the feeder to end.
    SentinelLock,
    /// The sentinel into the buffer.
    SentinelAppend,
    /// Tell the feeder.
    SentinelNotify,
    /// Unlock.
    SentinelUnlock,
    /// `join_thread`: closed?
    JoinThread,
    /// Wait for the feeder's end.
    FeederJoin,
    /// `cancel_join_thread`.
    CancelJoinThread,
    /// `close reader`.
    CloseReader,
    /// Give the read lock back by force (`X13`).
    ForceReadLock,
    /// Give the write lock back by force (`X13`).
    ForceWriteLock,

    /// Start a process.
    ProcessStart,
    /// Wait for a process's end.
    ProcessJoin,
    /// Look whether a process has ended (`LC7`).
    ProcessPoll,
    /// Send SIGTERM.
    ProcessTerminate,
    /// Send SIGKILL.
    ProcessKill,
    /// Start a thread.
    ThreadStart,

    /// Begin to leave the process (`LC1`).
    Leave,
    /// Wait for a further thread of this process.
    LeaveThreadJoin,
    /// Send SIGTERM to a child that is a daemon (`LC1`).
    LeaveChildTerminate,
    /// Wait for a child.
    LeaveChildJoin,
    /// End the process.
    Exit,

    /// Lock the local condition (`f1`).
    FeedLock,
    /// Give the lock back and sleep (`f1`).
    FeedWait,
    /// Woken: take the lock again (`f1`).
    FeedWake,
    /// Unlock (`f1`).
    FeedUnlock,
    /// Take from the buffer (`f2`).
    FeedPop,
    /// The sentinel: close the reading end (`f3`).
    FeedCloseReader,
    /// Close the writing end (`f3`).
    FeedCloseWriter,
    /// Encode the item (`f4`).
    SendEncode,
    /// Take the write lock (`f5`).
    SendAcquire,
    /// Header and payload in one write (`f6`, `WF2`).
    SendWriteFrame,
    /// The header alone (`f6`, `WF2`).
    SendWriteHeader,
    /// The payload alone (`f6`, `WF2`).
    SendWriteBody,
    /// Give the write lock back (`f7`).
    SendRelease,
    /// After an error: give the slot back (`Q6`).
    FeedGiveBack,

    /// Lock the counter of tasks (`JQ1`).
    PutTasksLock,
    /// One task more (`JQ1`).
    PutCount,
    /// Unlock the counter of tasks (`JQ1`).
    PutTasksUnlock,
    /// `close writer` of a bare pipe.
    CloseWriter,
    /// `close` of a simple queue: the reading end (`SQ3`).
    SimpleCloseReader,
    /// The writing end (`SQ3`).
    SimpleCloseWriter,
    /// Lock the counter of tasks (`JQ2`).
    DoneLock,
    /// One task less (`JQ2`).
    DoneTake,
    /// Was it the last (`JQ2`)?
    DoneValue,
    /// Lock the counter of tasks (`JQ3`).
    JoinLock,
    /// Is anything left to be done (`JQ3`)?
    JoinValue,
    /// Unlock the counter of tasks.
    TasksUnlock,
    /// Count as a sleeper (`K1`).
    WaitCount,
    /// Unlock for the time of sleeping (`K1`).
    WaitUnlock,
    /// Sleep (`K1`).
    WaitAcquire,
    /// Say that one is awake (`K1`).
    WaitWoken,
    /// Lock again (`K1`).
    WaitLock,
    /// Has somebody a wake-up that nobody gave (`K2`)?
    NotifyCheck,
    /// Forget who woke since the last time (`K2`).
    NotifyDrainWoken,
    /// Such a one is no sleeper any more (`K2`).
    NotifyDrainSleeping,
    /// Is there a sleeper (`K2`)?
    NotifyTake,
    /// Wake it (`K2`).
    NotifyWake,
    /// Wait until it has said that it is awake (`K2`).
    NotifyAwait,
    /// Take back wake-ups that nobody took (`K2`).
    NotifyDrainWait,
}

impl Point {
    /// Every point, in the order of the protocol's parts.
    pub const ALL: [Self; 82] = [
        Self::NotStarted,
        Self::Ended,
        Self::AwaitDeath,
        Self::TerminateHandle,
        Self::TerminateCheck,
        Self::Put,
        Self::PutAcquire,
        Self::PutLock,
        Self::PutStart,
        Self::PutAppend,
        Self::PutNotify,
        Self::PutUnlock,
        Self::Get,
        Self::GetAcquire,
        Self::GetPoll,
        Self::GetHeader,
        Self::GetBody,
        Self::GetReleaseLock,
        Self::GetReleaseSlot,
        Self::GetDecode,
        Self::ReadValue,
        Self::LookInPipe,
        Self::Close,
        Self::SentinelLock,
        Self::SentinelAppend,
        Self::SentinelNotify,
        Self::SentinelUnlock,
        Self::JoinThread,
        Self::FeederJoin,
        Self::CancelJoinThread,
        Self::CloseReader,
        Self::ForceReadLock,
        Self::ForceWriteLock,
        Self::ProcessStart,
        Self::ProcessJoin,
        Self::ProcessPoll,
        Self::ProcessTerminate,
        Self::ProcessKill,
        Self::ThreadStart,
        Self::Leave,
        Self::LeaveThreadJoin,
        Self::LeaveChildTerminate,
        Self::LeaveChildJoin,
        Self::Exit,
        Self::FeedLock,
        Self::FeedWait,
        Self::FeedWake,
        Self::FeedUnlock,
        Self::FeedPop,
        Self::FeedCloseReader,
        Self::FeedCloseWriter,
        Self::SendEncode,
        Self::SendAcquire,
        Self::SendWriteFrame,
        Self::SendWriteHeader,
        Self::SendWriteBody,
        Self::SendRelease,
        Self::FeedGiveBack,
        Self::PutTasksLock,
        Self::PutCount,
        Self::PutTasksUnlock,
        Self::CloseWriter,
        Self::SimpleCloseReader,
        Self::SimpleCloseWriter,
        Self::DoneLock,
        Self::DoneTake,
        Self::DoneValue,
        Self::JoinLock,
        Self::JoinValue,
        Self::TasksUnlock,
        Self::WaitCount,
        Self::WaitUnlock,
        Self::WaitAcquire,
        Self::WaitWoken,
        Self::WaitLock,
        Self::NotifyCheck,
        Self::NotifyDrainWoken,
        Self::NotifyDrainSleeping,
        Self::NotifyTake,
        Self::NotifyWake,
        Self::NotifyAwait,
        Self::NotifyDrainWait,
    ];

    /// The part of the protocol that the point belongs to: `put`, `get`, `close`, `feeder`,
    /// `send` (of a feeder, a simple queue's put or a pipe's), `look`;
    /// `force`; of a joinable queue `task_done`, `join`, `sleep` and `tasks`; of a simple one
    /// `simple`; or the
    /// life of a `process`.
    pub fn part(self) -> &'static str {
        match self {
            Self::Put
            | Self::PutAcquire
            | Self::PutLock
            | Self::PutStart
            | Self::PutAppend
            | Self::PutNotify
            | Self::PutUnlock
            | Self::PutTasksLock
            | Self::PutCount
            | Self::PutTasksUnlock => "put",
            Self::Get
            | Self::GetAcquire
            | Self::GetPoll
            | Self::GetHeader
            | Self::GetBody
            | Self::GetReleaseLock
            | Self::GetReleaseSlot
            | Self::GetDecode => "get",
            Self::Close
            | Self::SentinelLock
            | Self::SentinelAppend
            | Self::SentinelNotify
            | Self::SentinelUnlock
            | Self::JoinThread
            | Self::FeederJoin
            | Self::CancelJoinThread
            | Self::CloseReader
            | Self::CloseWriter => "close",
            Self::SimpleCloseReader | Self::SimpleCloseWriter => "simple",
            Self::ForceReadLock | Self::ForceWriteLock => "force",
            Self::ReadValue | Self::LookInPipe => "look",
            Self::FeedLock
            | Self::FeedWait
            | Self::FeedWake
            | Self::FeedUnlock
            | Self::FeedPop
            | Self::FeedCloseReader
            | Self::FeedCloseWriter
            | Self::FeedGiveBack => "feeder",
            Self::SendEncode
            | Self::SendAcquire
            | Self::SendWriteFrame
            | Self::SendWriteHeader
            | Self::SendWriteBody
            | Self::SendRelease => "send",
            Self::NotStarted
            | Self::Ended
            | Self::AwaitDeath
            | Self::TerminateHandle
            | Self::TerminateCheck
            | Self::ProcessStart
            | Self::ProcessJoin
            | Self::ProcessPoll
            | Self::ProcessTerminate
            | Self::ProcessKill
            | Self::ThreadStart
            | Self::Leave
            | Self::LeaveThreadJoin
            | Self::LeaveChildTerminate
            | Self::LeaveChildJoin
            | Self::Exit => "process",
            _ => self.part_of_tasks(),
        }
    }

    /// The same for what only a joinable queue has.
    fn part_of_tasks(self) -> &'static str {
        match self {
            Self::DoneLock
            | Self::DoneTake
            | Self::DoneValue
            | Self::NotifyCheck
            | Self::NotifyDrainWoken
            | Self::NotifyDrainSleeping
            | Self::NotifyTake
            | Self::NotifyWake
            | Self::NotifyAwait
            | Self::NotifyDrainWait => "task_done",
            Self::JoinLock | Self::JoinValue => "join",
            Self::WaitCount
            | Self::WaitUnlock
            | Self::WaitAcquire
            | Self::WaitWoken
            | Self::WaitLock => "sleep",
            _ => "tasks",
        }
    }

    /// The step's name in sites, traces and files.
    pub fn step(self) -> &'static str {
        match self {
            Self::NotStarted => "not-started",
            Self::Ended => "ended",
            Self::AwaitDeath => "await-death",
            Self::TerminateHandle => "terminate.handle",
            Self::TerminateCheck => "terminate.check",
            Self::Put => "put",
            Self::PutAcquire => "sem.acquire",
            Self::PutLock | Self::SentinelLock | Self::FeedLock => "notempty.lock",
            Self::PutStart => "feeder.start",
            Self::PutAppend => "buffer.append",
            Self::PutNotify | Self::SentinelNotify => "notempty.notify",
            Self::PutUnlock | Self::SentinelUnlock | Self::FeedUnlock => "notempty.unlock",
            Self::Get => "get",
            Self::GetAcquire => "rlock.acquire",
            Self::GetPoll => "poll",
            Self::GetHeader => "read-header",
            Self::GetBody => "read-body",
            Self::GetReleaseLock | Self::ForceReadLock => "rlock.release",
            Self::GetReleaseSlot | Self::FeedGiveBack => "sem.release",
            Self::GetDecode => "decode",
            Self::ReadValue => "sem.value",
            Self::LookInPipe => "empty.poll",
            Self::Close => "close",
            Self::SentinelAppend => "sentinel.append",
            Self::JoinThread => "join_thread",
            Self::FeederJoin => "feeder.join",
            Self::CancelJoinThread => "cancel_join_thread",
            Self::CloseReader | Self::FeedCloseReader | Self::SimpleCloseReader => "reader.close",
            Self::ProcessStart => "process.start",
            Self::ProcessJoin => "process.join",
            Self::ProcessPoll => "process.poll",
            Self::ProcessTerminate => "process.terminate",
            Self::ProcessKill => "process.kill",
            Self::ThreadStart => "thread.start",
            Self::Leave => "leave",
            Self::LeaveThreadJoin => "thread.join",
            Self::LeaveChildTerminate => "child.terminate",
            Self::LeaveChildJoin => "child.join",
            Self::Exit => "exit",
            Self::FeedWait => "notempty.wait",
            Self::FeedWake => "notempty.wake",
            Self::FeedPop => "buffer.popleft",
            Self::FeedCloseWriter | Self::SimpleCloseWriter | Self::CloseWriter => "writer.close",
            Self::SendEncode => "encode",
            Self::SendAcquire => "wlock.acquire",
            Self::SendWriteFrame => "write-frame",
            Self::SendWriteHeader => "write-header",
            Self::SendWriteBody => "write-body",
            Self::SendRelease | Self::ForceWriteLock => "wlock.release",
            Self::PutTasksLock | Self::DoneLock | Self::JoinLock | Self::WaitLock => "cond.acquire",
            Self::PutCount => "unfinished.release",
            Self::PutTasksUnlock | Self::TasksUnlock | Self::WaitUnlock => "cond.release",
            Self::DoneTake => "unfinished.acquire",
            Self::DoneValue | Self::JoinValue => "unfinished.value",
            Self::WaitCount => "sleeping.release",
            Self::WaitAcquire => "wait.acquire",
            Self::WaitWoken => "woken.release",
            Self::NotifyCheck => "wait.check",
            Self::NotifyDrainWoken => "woken.drain",
            Self::NotifyDrainSleeping => "sleeping.drain",
            Self::NotifyTake => "sleeping.acquire",
            Self::NotifyWake => "wait.release",
            Self::NotifyAwait => "woken.acquire",
            Self::NotifyDrainWait => "wait.drain",
        }
    }

    /// Whether the step moves bytes, and so can be cut short.
    pub fn moves_bytes(self) -> bool {
        self.reads() || self.writes()
    }

    /// Whether the step reads from the pipe.
    pub fn reads(self) -> bool {
        matches!(self, Self::GetHeader | Self::GetBody)
    }

    /// Whether the step writes into the pipe.
    pub fn writes(self) -> bool {
        matches!(self, Self::SendWriteFrame | Self::SendWriteHeader | Self::SendWriteBody)
    }
}
