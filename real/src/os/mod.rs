//! What the protocols ask of an operating system, nothing more.
//!
//! Every protocol of this crate is written once, against [`Os`]. On [`Linux`](linux::Linux) each
//! future is ready at its first poll, because it blocks in the system call. In a simulation each
//! method that takes a [`Site`] is a point where lanes interleave and where kills land.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod linux;
pub mod shared;

/// The name of a step, and how many bytes its transfer has moved before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Such as `write-body`. The same in code, traces and files.
    pub name: &'static str,
    /// Bytes moved so far in this transfer; 0 for steps that move none.
    pub offset: usize,
}

impl Site {
    /// A step at offset 0.
    pub const fn new(name: &'static str) -> Self {
        Self { name, offset: 0 }
    }

    /// The same step, so many bytes into its transfer.
    pub const fn at(self, offset: usize) -> Self {
        Self { name: self.name, offset }
    }
}

/// How long a step may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until it can be done.
    Forever,
    /// Not at all: one try.
    Try,
    /// Until this moment of [`Os::now`]. A moment in the past is one try.
    Until(Duration),
}

/// A signal that a process can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: asks; without a handler it ends the process at once.
    Terminate,
    /// SIGKILL: ends the process at once.
    Kill,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It left with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// A Unix socket at this path, on this machine.
    Unix(PathBuf),
    /// A TCP port.
    Tcp(SocketAddr),
}

/// A kernel object as it is named to a child process: a descriptor, and an index where several
/// objects share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The descriptor's number, the same in parent and child.
    pub descriptor: i32,
    /// Which object behind the descriptor.
    pub index: u32,
}

/// One of several things that are waited for at once.
pub enum Awaited<'a, O: Os> {
    /// That a read of this descriptor would not block: something is there, or the stream has
    /// ended. On the writing end of a pipe: that nobody can read any more.
    Readable(&'a O::Descriptor),
    /// That this process has ended.
    Ended(&'a O::Process),
}

impl<O: Os> Clone for Awaited<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O: Os> Copy for Awaited<'_, O> {}

impl<O: Os> std::fmt::Debug for Awaited<'_, O> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Readable(_) => "Readable(..)",
            Self::Ended(_) => "Ended(..)",
        })
    }
}

/// What a new process runs and inherits.
#[derive(Clone, Debug)]
pub struct Start {
    /// The registered name of the worker.
    pub worker: String,
    /// The worker's argument, encoded.
    pub argument: Vec<u8>,
    /// What it inherits, beside standard input, output and error.
    pub inherit: Vec<Exported>,
    /// Whether it is a daemon, which starts no process itself (`LC7`).
    pub daemon: bool,
}

/// How a semaphore is made.
#[derive(Clone, Copy, Debug)]
pub struct SemaphoreSpecification {
    /// What the protocol uses it for, such as `wlock`: the name that traces show.
    pub role: &'static str,
    /// Its first value.
    pub value: u32,
    /// The value that a post must not exceed (`SL2`).
    pub maximum: u32,
}

/// What the protocols ask of an operating system.
///
/// A value of this type is a name for "the process that I run in" and is copied freely. Methods
/// that take a [`Site`] are steps; the others are instantaneous and belong to the step before.
pub trait Os: Copy + Default + Send + Sync + 'static {
    /// A semaphore shared between processes, without an owner: nobody posts it for the dead.
    type Semaphore: Clone + Send + Sync + 'static;
    /// One end of a pipe or of a pair of sockets, in this process.
    type Descriptor: Clone + Send + Sync + 'static;
    /// A lock with one condition, for the threads of one process.
    type Monitor: Clone + Send + Sync + 'static;
    /// A thread of this process that was started.
    type Thread: Clone + Send + Sync + 'static;
    /// A child process.
    type Process: Clone + Send + Sync + 'static;

    /// Time since some moment before the first call; it never goes backwards.
    fn now(&self) -> Duration;

    /// A named local point: nothing happens, but lanes interleave and kills land here.
    fn point(&self, site: Site) -> impl Future<Output = ()>;

    /// Makes semaphores that this process's children can inherit.
    ///
    /// # Errors
    /// What the system says where it has no memory or descriptor left.
    fn semaphores<const N: usize>(
        &self,
        specifications: [SemaphoreSpecification; N],
    ) -> io::Result<[Self::Semaphore; N]>;

    /// Takes one from the semaphore; `false` where it is 0 and the wait is over (`SL1`).
    fn semaphore_wait(
        &self,
        semaphore: &Self::Semaphore,
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<bool>>;

    /// Gives one to the semaphore; `InvalidInput` beyond its maximum (`SL2`).
    fn semaphore_post(
        &self,
        semaphore: &Self::Semaphore,
        site: Site,
    ) -> impl Future<Output = io::Result<()>>;

    /// The semaphore's value.
    fn semaphore_value(
        &self,
        semaphore: &Self::Semaphore,
        site: Site,
    ) -> impl Future<Output = io::Result<u32>>;

    /// Makes a pipe: its reading and its writing end.
    ///
    /// # Errors
    /// What the system says where it has no descriptor left.
    fn pipe(&self) -> io::Result<(Self::Descriptor, Self::Descriptor)>;

    /// Makes a pair of connected stream sockets: what one sends the other receives.
    ///
    /// # Errors
    /// What the system says where it has no descriptor left.
    fn socket_pair(&self) -> io::Result<(Self::Descriptor, Self::Descriptor)>;

    /// Reads what is there, up to the buffer's length; blocks while nothing is; 0 at the end.
    fn read(
        &self,
        descriptor: &Self::Descriptor,
        buffer: &mut [u8],
        site: Site,
    ) -> impl Future<Output = io::Result<usize>>;

    /// Writes and returns the bytes written; blocks until all are, fewer only when interrupted.
    fn write(
        &self,
        descriptor: &Self::Descriptor,
        buffer: &[u8],
        site: Site,
    ) -> impl Future<Output = io::Result<usize>>;

    /// Whether a read would not block: something is there, or the stream has ended.
    fn poll(
        &self,
        descriptor: &Self::Descriptor,
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<bool>>;

    /// Waits until at least one of these is so, and says of each whether it is; of none where the
    /// wait is over before.
    fn wait_any(
        &self,
        awaited: &[Awaited<'_, Self>],
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<Vec<bool>>>;

    /// Opens a stream socket to which others can connect, and says where: a TCP port 0 becomes one
    /// that is free. It is readable where there is somebody to [`accept`](Self::accept).
    ///
    /// This and what follows down to [`random`](Self::random) is for servers and their clients. An
    /// operating system that runs none may leave them out: they answer `Unsupported`.
    ///
    /// # Errors
    /// What the system says: `AddrInUse` where somebody listens there.
    fn listen(&self, _address: &Address) -> io::Result<(Self::Descriptor, Address)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes the next connection; blocks while there is none.
    fn accept(
        &self,
        _listener: &Self::Descriptor,
        _site: Site,
    ) -> impl Future<Output = io::Result<Self::Descriptor>> {
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Connects to a server; `TimedOut` where the wait is over before.
    fn connect(
        &self,
        _address: &Address,
        _wait: Wait,
        _site: Site,
    ) -> impl Future<Output = io::Result<Self::Descriptor>> {
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Writes to a socket what it takes at once, at least one byte, and returns how many; waits
    /// while it takes none, `TimedOut` where the wait is over before.
    fn send(
        &self,
        _socket: &Self::Descriptor,
        _buffer: &[u8],
        _wait: Wait,
        _site: Site,
    ) -> impl Future<Output = io::Result<usize>> {
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Whether the process at the other end of a Unix socket belongs to this process's user.
    ///
    /// # Errors
    /// What the system says, such as that this is no such socket.
    fn peer_is_same_user(&self, _socket: &Self::Descriptor) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Fills the bytes with random ones that nobody can guess.
    ///
    /// # Errors
    /// What the system says where it has none.
    fn random(&self, _bytes: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Closes the descriptor in this process, for every clone of it. Closing it again is nothing.
    fn close(
        &self,
        descriptor: &Self::Descriptor,
        site: Site,
    ) -> impl Future<Output = io::Result<()>>;

    /// Whether the descriptor is closed in this process.
    fn is_closed(&self, descriptor: &Self::Descriptor) -> bool;

    /// The names of these objects for a child ([`Start::inherit`]).
    fn export_semaphore(&self, semaphore: &Self::Semaphore) -> Exported;
    /// As [`export_semaphore`](Self::export_semaphore); an error where it is closed here.
    ///
    /// # Errors
    /// `EBADF` where the descriptor is closed in this process.
    fn export_descriptor(&self, descriptor: &Self::Descriptor) -> io::Result<Exported>;
    /// Takes up an object that this process inherited.
    ///
    /// # Errors
    /// What the system says where the descriptor is not what its name promises.
    fn import_semaphore(&self, exported: Exported) -> io::Result<Self::Semaphore>;
    /// Takes up a descriptor that this process inherited.
    ///
    /// # Errors
    /// What the system says where there is no such descriptor.
    fn import_descriptor(&self, exported: Exported) -> io::Result<Self::Descriptor>;

    /// Makes a process-local lock with a condition.
    fn monitor(&self) -> Self::Monitor;
    /// Takes the lock; blocks while another thread has it.
    fn monitor_lock(&self, monitor: &Self::Monitor, site: Site) -> impl Future<Output = ()>;
    /// Gives the lock back.
    fn monitor_unlock(&self, monitor: &Self::Monitor, site: Site) -> impl Future<Output = ()>;
    /// Gives the lock back and sleeps (one step, `site`), then takes it again once notified
    /// (another step, `wake`).
    fn monitor_wait(
        &self,
        monitor: &Self::Monitor,
        site: Site,
        wake: Site,
    ) -> impl Future<Output = ()>;
    /// Wakes one sleeper.
    fn monitor_notify(&self, monitor: &Self::Monitor, site: Site) -> impl Future<Output = ()>;

    /// Starts a thread of this process. `name` is its lane's name, such as `feed`.
    fn thread_start<F, B>(
        &self,
        name: &str,
        body: F,
        site: Site,
    ) -> impl Future<Output = io::Result<Self::Thread>>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static;

    /// Waits until the thread has ended.
    fn thread_join(&self, thread: &Self::Thread, site: Site) -> impl Future<Output = ()>;

    /// Starts a process that runs a registered worker.
    fn process_start(
        &self,
        start: &Start,
        site: Site,
    ) -> impl Future<Output = io::Result<Self::Process>>;

    /// Waits until the process has ended; `None` where the wait is over before.
    fn process_wait(
        &self,
        process: &Self::Process,
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<Option<Exit>>>;

    /// Sends a signal; nothing where the process has ended.
    fn process_signal(
        &self,
        process: &Self::Process,
        signal: Signal,
        site: Site,
    ) -> impl Future<Output = io::Result<()>>;

    /// From now on SIGTERM does not end this process but asks it to leave, which
    /// [`asked_to_leave`](Self::asked_to_leave) says. Calls that wait go on (`PEP 475`); the
    /// processes that it starts begin without.
    ///
    /// An operating system without such signals may leave both out.
    fn handle_terminate(&self, _site: Site) -> impl Future<Output = io::Result<()>> {
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Whether SIGTERM has come since this process handles it.
    fn asked_to_leave(&self, _site: Site) -> impl Future<Output = bool> {
        async { false }
    }

    /// Ends this process with a code: no finalizer, no flush.
    fn process_exit(&self, code: i32, site: Site) -> impl Future<Output = Infallible>;
}
