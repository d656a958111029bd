//! Managers: server processes that own queues.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::process::{Process, StartError};
use crate::block_on;
use crate::manager::protocol::QueueId;
use crate::manager::{
    self, Client, GetError, JoinError, Key, Limits, ManagerError, PutError, Server, TaskDoneError,
};
use crate::os::linux::{self, Descriptor, Linux};
use crate::os::{Address, Os, Site};
use crate::process::FinalizerKey;
use crate::process::passing::Inherited;
use crate::timeout::Timeout;
use crate::worker::this_process;

/// When a process leaves, its managers are shut down in the middle (section 3).
const SHUTDOWN_PRIORITY: i32 = 0;
/// How long a server that was told to end may take before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// A server process that owns queues: CPython's `multiprocessing.Manager`, for queues.
///
/// It is this program again, so that [`init`](crate::init) must come first in `main`. It ends when
/// this is dropped or this process ends, however; its queues and their items end with it.
///
/// A process that is killed while it uses a queue harms no other: see [`manager`](crate::manager)
/// for what is guaranteed, and for what remains possible.
///
/// ```standalone_crate
/// use midput_real::{Manager, ManagerQueue, Process, workers};
///
/// fn square(
///     (numbers, squares): (ManagerQueue<u64>, ManagerQueue<u64>),
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let number = numbers.get()?;
///     Ok(squares.put(number * number)?)
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let _guard = midput_real::init(workers![square]);
///     let manager = Manager::start()?;
///     let (numbers, squares) = (manager.queue(0)?, manager.queue(0)?);
///     let process = Process::start(square, (numbers.clone(), squares.clone()))?;
///     numbers.put(12)?;
///     assert_eq!(squares.get()?, 144);
///     assert_eq!(process.join()?, 0);
///     manager.shutdown()?;
///     assert!(numbers.put(13).is_err());
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Manager {
    client: Client<Linux>,
    process: Process,
    lifeline: Descriptor,
    finalizer: Option<FinalizerKey>,
    /// Removed with this.
    _directory: Option<PrivateDirectory>,
}

/// How a manager is started.
#[derive(Clone, Debug, Default)]
pub struct ManagerSettings {
    /// The TCP port to listen at, 0 for one that is free; by default a Unix socket in a directory
    /// that only this user can enter.
    pub tcp: Option<SocketAddr>,
    /// What clients must have; by default random bytes, which queues take along to the processes
    /// that this one starts.
    pub key: Option<Key>,
    /// What the server takes upon itself.
    pub limits: Limits,
}

/// What the server is started with.
#[derive(Serialize, Deserialize)]
pub(crate) struct ServerStart {
    address: Address,
    key: Key,
    limits: Limits,
    listener: Inherited<Linux>,
    lifeline: Inherited<Linux>,
}

/// The worker that is the server.
pub(crate) fn serve(start: ServerStart) -> io::Result<()> {
    // Ctrl-C is for those who use it: they are to find it there while they end.
    linux::ignore_interrupts()?;
    let server = Server::new(Linux, &start.address, start.key, start.limits);
    let served = block_on(server.serve(start.listener.0, start.lifeline.0));
    if let Address::Unix(path) = &start.address
        && let Some(directory) = path.parent()
    {
        // Where the process that made it was killed nobody else does.
        remove(directory);
    }
    served
}

impl Manager {
    /// Starts a server that listens at a Unix socket in a private directory.
    ///
    /// # Errors
    /// As [`start_with`](Self::start_with).
    pub fn start() -> Result<Self, StartError> {
        Self::start_with(ManagerSettings::default())
    }

    /// Starts a server.
    ///
    /// # Errors
    /// Where [`init`](crate::init) has not run, where somebody else listens at this port, and what
    /// the system says.
    pub fn start_with(settings: ManagerSettings) -> Result<Self, StartError> {
        let ManagerSettings { tcp, key, limits } = settings;
        let (directory, address) = match tcp {
            Some(address) => (None, Address::Tcp(address)),
            None => {
                let directory = PrivateDirectory::create()?;
                let path = directory.path.join("socket");
                (Some(directory), Address::Unix(path))
            }
        };
        let key = key.map_or_else(random_key, Ok)?;
        let (listener, address) = Linux.listen(&address)?;
        // Only this process has the other end: the server sees its end, and needs no frame for it.
        let (watched, lifeline) = Linux.pipe()?;
        let client = Client::new(Linux, address.clone(), key.clone(), limits.patience)?;
        let (listener, watched) = (Inherited(listener), Inherited(watched));
        let start = ServerStart { address, key, limits, listener, lifeline: watched };
        let process = Process::start(serve, start)?;
        let finalizer = this_process().register_finalizer(SHUTDOWN_PRIORITY, {
            let lifeline = lifeline.clone();
            async move || close(&lifeline).await
        });
        Ok(Self { client, process, lifeline, finalizer: Some(finalizer), _directory: directory })
    }

    /// Makes a queue for at most `maxsize` items; 0 is no bound. It is there as long as the server.
    ///
    /// # Errors
    /// Where the server does not answer, or has as many queues as it allows.
    pub fn queue<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        maxsize: u32,
    ) -> Result<ManagerQueue<T>, ManagerError> {
        let queue = block_on(self.client.create(maxsize))?;
        Ok(ManagerQueue { queue: manager::Queue::new(self.client.clone(), queue) })
    }

    /// Where the server listens.
    pub fn address(&self) -> &Address {
        self.client.address()
    }

    /// The server's process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Tells the server to end and waits for it; calls that are under way end with an error.
    /// A server that does not end within five seconds is killed.
    ///
    /// # Errors
    /// What the system says.
    pub fn shutdown(self) -> io::Result<()> {
        block_on(close(&self.lifeline));
        if self.process.join_timeout(ENDS_WITHIN)?.is_none() {
            self.process.kill()?;
            self.process.join()?;
        }
        Ok(())
    }
}

/// Tells the server to end, and does not wait for it.
impl Drop for Manager {
    fn drop(&mut self) {
        this_process().cancel_finalizer(self.finalizer.take());
        block_on(close(&self.lifeline));
    }
}

async fn close(lifeline: &Descriptor) {
    // Closing it again is nothing.
    let _ = Linux.close(lifeline, Site::new("lifeline.close")).await;
}

fn random_key() -> io::Result<Key> {
    let mut bytes = [0; 32];
    Linux.random(&mut bytes)?;
    Ok(Key::new(bytes))
}

/// A directory that only this user can enter. Dropping it removes it.
#[derive(Debug)]
struct PrivateDirectory {
    path: PathBuf,
}

impl PrivateDirectory {
    fn create() -> io::Result<Self> {
        let mut bytes = [0; 8];
        Linux.random(&mut bytes)?;
        let name = format!("midput-{:016x}", u64::from_le_bytes(bytes));
        let path = std::env::temp_dir().join(name);
        // It fails where it exists: nobody can have prepared it.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes a socket's directory. It may be gone already.
fn remove(directory: &Path) {
    let _ = fs::remove_file(directory.join("socket"));
    let _ = fs::remove_dir(directory);
}

/// A queue that a [`Manager`]'s server owns.
///
/// Clones are the same queue; to another process it goes in the argument of
/// [`Process::start`](crate::Process::start). Items travel in the
/// [`Postcard`](crate::codec::Postcard) format, as those of [`Queue`](crate::Queue).
///
/// What was put is there for everybody when `put` returns: there is nothing to flush, and leaving
/// never waits (`MQ8`). Sizes are exact (`MQ3`).
///
/// ```standalone_crate
/// use std::time::Duration;
/// use midput_real::manager::{GetError, JoinError, PutError, TaskDoneError};
/// use midput_real::{Manager, workers};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let _guard = midput_real::init(workers![]);
///     let manager = Manager::start()?;
///     let queue = manager.queue(1)?;
///     queue.put("spam".to_owned())?;
///     assert!(queue.full()? && queue.qsize()? == 1);
///     let full = queue.put_timeout("ham".to_owned(), Duration::from_millis(10));
///     assert!(matches!(full, Err(PutError::Full(item)) if item == "ham"));
///     assert_eq!(queue.get()?, "spam");
///     assert!(queue.empty()? && matches!(queue.get_nowait(), Err(GetError::Empty)));
///     let unfinished = queue.join_timeout(Duration::from_millis(10));
///     assert!(matches!(unfinished, Err(JoinError::Unfinished(1))));
///     queue.task_done()?;
///     queue.join()?;
///     assert!(matches!(queue.task_done(), Err(TaskDoneError::TooMany)));
///     Ok(())
/// }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct ManagerQueue<T: Serialize + DeserializeOwned + Send + 'static> {
    queue: manager::Queue<T, Linux>,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Clone for ManagerQueue<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> ManagerQueue<T> {
    /// The queue of this number in a server that listens there: for programs that the server's did
    /// not start. Its items must be of this type. It connects when it is first used.
    ///
    /// # Errors
    /// What the system says where it has no random bytes.
    pub fn connect(address: Address, key: Key, queue: QueueId) -> io::Result<Self> {
        let client = Client::new(Linux, address, key, Limits::default().patience)?;
        Ok(Self { queue: manager::Queue::new(client, queue) })
    }

    /// Its number in its server.
    pub fn identifier(&self) -> QueueId {
        self.queue.identifier()
    }

    /// Puts an item; waits while the queue is full.
    ///
    /// # Errors
    /// Where the server did not say that it has the item: it may have it then.
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::Never))
    }

    /// Puts an item if the queue is not full.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`PutError::Full`].
    pub fn put_nowait(&self, item: T) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::NoWait))
    }

    /// Puts an item; waits at most so long while the queue is full.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`PutError::Full`].
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        block_on(self.queue.put(item, Timeout::After(timeout)))
    }

    /// Gets an item; waits until one is there.
    ///
    /// # Errors
    /// Where the item is none of this type, and where the server does not answer.
    pub fn get(&self) -> Result<T, GetError> {
        block_on(self.queue.get(Timeout::Never))
    }

    /// Gets an item if one is there.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`GetError::Empty`].
    pub fn get_nowait(&self) -> Result<T, GetError> {
        block_on(self.queue.get(Timeout::NoWait))
    }

    /// Gets an item; waits at most so long for one.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`GetError::Empty`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        block_on(self.queue.get(Timeout::After(timeout)))
    }

    /// How many items were put and not taken.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub fn qsize(&self) -> Result<u64, ManagerError> {
        block_on(self.queue.qsize())
    }

    /// Whether nothing is inside.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub fn empty(&self) -> Result<bool, ManagerError> {
        block_on(self.queue.empty())
    }

    /// Whether there is no room.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub fn full(&self) -> Result<bool, ManagerError> {
        block_on(self.queue.full())
    }

    /// Says that an item that was got is done.
    ///
    /// # Errors
    /// Where it was said as often as items were put, and where the server does not answer.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        block_on(self.queue.task_done())
    }

    /// Waits until every item that was put is done.
    ///
    /// # Errors
    /// Where those who got the rest are gone, and where the server does not answer.
    pub fn join(&self) -> Result<(), JoinError> {
        block_on(self.queue.join(Timeout::Never))
    }

    /// As [`join`](Self::join), for at most so long.
    ///
    /// # Errors
    /// As [`join`](Self::join), and [`JoinError::Unfinished`].
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), JoinError> {
        block_on(self.queue.join(Timeout::After(timeout)))
    }
}
