//! The queue: a pipe, two locks and a counter of slots that all processes share, and in each
//! process that puts, a buffer and a thread that sends.

use std::borrow::Cow;
use std::io;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{FeederError, GetError, NotClosed, PutError};
use super::feeder::{Entry, Feeder, Outbox};
use super::handle::QueueHandle;
use super::joinable::Tasks;
use crate::codec::{Codec, Postcard};
use crate::connection::{Connection, PollError, export_descriptor};
use crate::interrupted::uninterrupted;
use crate::os::{Os, SemaphoreSpecification, Site, Wait};
use crate::process::{FinalizerKey, ThisProcess};
use crate::timeout::Timeout;

/// `SEM_VALUE_MAX`: the slots of a queue without a bound (`Q1`).
const UNBOUNDED: u32 = 0x7fff_ffff;
/// When a process leaves, feeders are told to finish early, … (section 3)
const CLOSE_PRIORITY: i32 = 10;
/// … and waited for late.
const JOIN_PRIORITY: i32 = -5;

/// CPython's `multiprocessing.Queue`, step by step, over any [`Os`].
///
/// Clones are the same queue in the same process. It reaches a child process as part of the
/// argument of [`Process::start`](crate::process::Process::start).
pub struct Queue<T, O: Os, C = Postcard> {
    local: Arc<Local<T, O>>,
    codec: PhantomData<fn() -> C>,
}

impl<T, O: Os, C> Clone for Queue<T, O, C> {
    fn clone(&self) -> Self {
        Self { local: Arc::clone(&self.local), codec: PhantomData }
    }
}

impl<T, O: Os, C> std::fmt::Debug for Queue<T, O, C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let closed = self.local.state().closed;
        formatter
            .debug_struct("Queue")
            .field("maxsize", &self.local.maxsize)
            .field("closed", &closed)
            .finish_non_exhaustive()
    }
}

/// The queue as one process has it.
struct Local<T, O: Os> {
    this: ThisProcess<O>,
    maxsize: u32,
    feeder_name: Cow<'static, str>,
    reader: Connection<O>,
    writer: Connection<O>,
    rlock: O::Semaphore,
    wlock: O::Semaphore,
    sem: O::Semaphore,
    outbox: Arc<Outbox<T, O>>,
    state: Mutex<State>,
}

/// What is this process's own and not shared (`Q3`).
#[derive(Default)]
struct State {
    closed: bool,
    join_cancelled: bool,
    feeder_started: bool,
    close_finalizer: Option<FinalizerKey>,
    join_finalizer: Option<FinalizerKey>,
}

/// The slots of a queue for at most `maxsize` items (`Q1`).
pub(super) fn slots(maxsize: usize) -> io::Result<u32> {
    match u32::try_from(maxsize) {
        Ok(0) => Ok(UNBOUNDED),
        Ok(maxsize) if maxsize <= UNBOUNDED => Ok(maxsize),
        _ => {
            let message = "a queue holds at most 2147483647 items; pass 0 for no bound";
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

impl<T, O: Os> Local<T, O> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static, O: Os, C: Codec<T>> Queue<T, O, C> {
    /// Makes a queue for at most `maxsize` items that were accepted and not yet taken; 0 is no
    /// bound.
    ///
    /// # Errors
    /// `InvalidInput` where `maxsize` is over 2,147,483,647 (`Q1`), and what the system says
    /// where it has no memory or descriptor left.
    pub fn create(this: &ThisProcess<O>, maxsize: usize) -> io::Result<Self> {
        let maxsize = slots(maxsize)?;
        let os = this.os();
        let (reader, writer) = os.pipe()?;
        let [rlock, wlock, sem] = os.semaphores([
            SemaphoreSpecification { role: "rlock", value: 1, maximum: 1 },
            SemaphoreSpecification { role: "wlock", value: 1, maximum: 1 },
            SemaphoreSpecification { role: "sem", value: maxsize, maximum: maxsize },
        ])?;
        Ok(Self::new(this, maxsize, [reader, writer], [rlock, wlock, sem]))
    }

    /// Takes up a queue whose kernel objects this process inherited.
    ///
    /// Nothing of another process's own state comes with it: the buffer is empty, no thread is
    /// started, the queue is open (`Q3`).
    ///
    /// # Errors
    /// What the system says where this process did not inherit what the handle names.
    pub fn attach(this: &ThisProcess<O>, handle: &QueueHandle) -> io::Result<Self> {
        let os = this.os();
        let ends = [os.import_descriptor(handle.reader)?, os.import_descriptor(handle.writer)?];
        let semaphores = [
            os.import_semaphore(handle.rlock)?,
            os.import_semaphore(handle.wlock)?,
            os.import_semaphore(handle.sem)?,
        ];
        Ok(Self::new(this, handle.maxsize, ends, semaphores))
    }

    fn new(
        this: &ThisProcess<O>,
        maxsize: u32,
        [reader, writer]: [O::Descriptor; 2],
        [rlock, wlock, sem]: [O::Semaphore; 3],
    ) -> Self {
        let os = this.os();
        let local = Local {
            this: this.clone(),
            maxsize,
            feeder_name: "feed".into(),
            reader: Connection::reader(os, reader),
            writer: Connection::writer(os, writer),
            rlock,
            wlock,
            sem,
            outbox: Arc::new(Outbox::new(os)),
            state: Mutex::default(),
        };
        Self { local: Arc::new(local), codec: PhantomData }
    }

    /// The same queue, whose feeder thread has this name in this process instead of `feed`. It has
    /// an effect on a queue that was just made or attached and not cloned yet.
    #[must_use]
    pub fn with_feeder_named(mut self, name: &str) -> Self {
        if let Some(local) = Arc::get_mut(&mut self.local)
            && local.feeder_name != name
        {
            local.feeder_name = name.to_owned().into();
        }
        self
    }

    /// The queue as it is named to a child that inherits its objects.
    ///
    /// An end that is closed here does not fail here: starting a process with it does.
    ///
    /// # Errors
    /// What the system says of an object that cannot be named.
    pub fn handle(&self) -> io::Result<QueueHandle> {
        let (os, local) = (self.os(), &*self.local);
        Ok(QueueHandle {
            maxsize: local.maxsize,
            reader: export_descriptor(os, local.reader.descriptor())?,
            writer: export_descriptor(os, local.writer.descriptor())?,
            rlock: os.export_semaphore(&local.rlock),
            wlock: os.export_semaphore(&local.wlock),
            sem: os.export_semaphore(&local.sem),
        })
    }

    fn os(&self) -> O {
        self.local.this.os()
    }

    /// Who is told of items that were put and could not be sent (`Q6`), in the feeder's thread.
    /// Without this call they are reported on standard error.
    pub fn on_feeder_error(&self, report: impl Fn(FeederError) + Send + Sync + 'static) {
        self.local.outbox.set_report(Arc::new(report));
    }

    /// Puts an item: takes a slot and hands the item to this process's feeder, which encodes and
    /// sends it later. Waits for a slot only, never for the pipe.
    ///
    /// # Errors
    /// Each gives the item back: no slot in time, the queue closed in this process, a thread that
    /// could not be started.
    pub fn put(&self, item: T, timeout: Timeout) -> impl Future<Output = Result<(), PutError<T>>> {
        self.put_counted(item, timeout, None)
    }

    /// The same, and counts the item where it is one of a joinable queue (`JQ1`).
    pub(super) async fn put_counted(
        &self,
        item: T,
        timeout: Timeout,
        tasks: Option<&Tasks<O>>,
    ) -> Result<(), PutError<T>> {
        let (os, local) = (self.os(), &*self.local);
        os.point(Site::new("put")).await;
        let closed = local.state().closed;
        if closed {
            return Err(PutError::Closed(item));
        }
        let wait = timeout.starting_now(os);
        let acquire = || os.semaphore_wait(&local.sem, wait, Site::new("sem.acquire"));
        match uninterrupted(acquire).await {
            Ok(true) => {}
            Ok(false) => return Err(PutError::Full(item)),
            Err(source) => return Err(PutError::Slot { item, source }),
        }
        local.outbox.lock().await;
        let put = match tasks {
            None => self.hand_over(item, None).await,
            Some(tasks) => match tasks.condition.acquire().await {
                Ok(()) => {
                    let put = self.hand_over(item, Some(tasks)).await;
                    let released = tasks.condition.release().await;
                    put.and(released.map_err(|source| PutError::Uncounted { source }))
                }
                Err(source) => Err(PutError::Lock { item, source }),
            },
        };
        local.outbox.unlock().await;
        put
    }

    /// Hands an item that has a slot to the feeder, with the local lock held (`p3` to `p5`).
    async fn hand_over(&self, item: T, tasks: Option<&Tasks<O>>) -> Result<(), PutError<T>> {
        let (os, local) = (self.os(), &*self.local);
        let started = local.state().feeder_started;
        if !started && let Err(source) = self.start_feeder().await {
            // The slot stays taken, as in Python (`Q4`).
            return Err(PutError::Feeder { item, source });
        }
        os.point(Site::new("buffer.append")).await;
        local.outbox.buffer().push_back(Entry::Item(item));
        if let Some(tasks) = tasks {
            // Where it fails nobody is notified: the item goes out with the next one (`JQ1`).
            tasks.add().await.map_err(|source| PutError::Uncounted { source })?;
        }
        local.outbox.notify().await;
        Ok(())
    }

    /// Starts the thread that sends, once for each process (`Q5`).
    async fn start_feeder(&self) -> io::Result<()> {
        let (os, local) = (self.os(), &*self.local);
        local.outbox.buffer().clear();
        let feeder = Feeder::<T, O, C> {
            os,
            outbox: Arc::clone(&local.outbox),
            reader: local.reader.clone(),
            writer: local.writer.clone(),
            wlock: local.wlock.clone(),
            sem: local.sem.clone(),
            exiting: local.this.exiting(),
            codec: PhantomData,
        };
        let site = Site::new("feeder.start");
        let thread = os.thread_start(&local.feeder_name, move || feeder.run(), site).await?;

        let mut state = local.state();
        state.feeder_started = true;
        if !state.join_cancelled {
            let join = async move || os.thread_join(&thread, Site::new("feeder.join")).await;
            state.join_finalizer = Some(local.this.register_finalizer(JOIN_PRIORITY, join));
        }
        let outbox = Arc::clone(&local.outbox);
        let close = async move || outbox.finish().await;
        state.close_finalizer = Some(local.this.register_finalizer(CLOSE_PRIORITY, close));
        Ok(())
    }

    /// Gets an item: waits until one is there.
    ///
    /// With a timeout, or none to wait, only the waiting for the reading lock and for the first
    /// byte are bounded; once a byte is there the rest is waited for without bound (`Q9`).
    ///
    /// # Errors
    /// Nothing in time, the queue or its reading end closed in this process, a stream that ended,
    /// an item that is none.
    pub async fn get(&self, timeout: Timeout) -> Result<T, GetError> {
        let (os, local) = (self.os(), &*self.local);
        os.point(Site::new("get")).await;
        let closed = local.state().closed;
        if closed {
            return Err(GetError::Closed);
        }
        let payload = match timeout.starting_now(os) {
            Wait::Forever => self.receive().await?,
            wait => self.receive_until(wait).await?,
        };
        os.point(Site::new("decode")).await;
        C::decode(payload).map_err(GetError::Decode)
    }

    /// `g1` to `g4` without a timeout: the lock is given back before the slot.
    async fn receive(&self) -> Result<Vec<u8>, GetError> {
        let (os, local) = (self.os(), &*self.local);
        self.acquire_rlock(Wait::Forever).await?;
        let received = local.reader.recv_bytes().await;
        let released = self.release_rlock().await;
        let payload = received?;
        released?;
        os.semaphore_post(&local.sem, Site::new("sem.release")).await?;
        Ok(payload)
    }

    /// `g1` to `g5` with a deadline, or with none to wait: the slot is given back before the lock.
    async fn receive_until(&self, wait: Wait) -> Result<Vec<u8>, GetError> {
        if !self.acquire_rlock(wait).await? {
            return Err(GetError::Empty);
        }
        let received = self.receive_locked(wait).await;
        let released = self.release_rlock().await;
        let payload = received?;
        released?;
        Ok(payload)
    }

    async fn receive_locked(&self, wait: Wait) -> Result<Vec<u8>, GetError> {
        let (os, local) = (self.os(), &*self.local);
        if !local.reader.poll_until(wait, Site::new("poll")).await? {
            return Err(GetError::Empty);
        }
        let payload = local.reader.recv_bytes().await?;
        os.semaphore_post(&local.sem, Site::new("sem.release")).await?;
        Ok(payload)
    }

    async fn acquire_rlock(&self, wait: Wait) -> io::Result<bool> {
        let (os, rlock) = (self.os(), &self.local.rlock);
        uninterrupted(|| os.semaphore_wait(rlock, wait, Site::new("rlock.acquire"))).await
    }

    async fn release_rlock(&self) -> io::Result<()> {
        self.os().semaphore_post(&self.local.rlock, Site::new("rlock.release")).await
    }

    /// Gives the read lock back by force, whoever holds it (`X13`).
    ///
    /// This is what some do by hand when its holder has died. What the holder had read of a frame
    /// stays lost, and if only the header is gone, every later [`get`](Self::get) reads payload as
    /// lengths (`WF5`). A holder that lives is no longer alone.
    ///
    /// # Errors
    /// Nobody holds it (`SL2`); or what the system says.
    pub async fn force_read_lock(&self) -> io::Result<()> {
        self.release_rlock().await
    }

    /// Gives the write lock back by force, whoever holds it (`X13`). What follows a torn frame is
    /// read as the rest of it.
    ///
    /// # Errors
    /// Nobody holds it (`SL2`); or what the system says.
    pub async fn force_write_lock(&self) -> io::Result<()> {
        self.os().semaphore_post(&self.local.wlock, Site::new("wlock.release")).await
    }

    /// The slots in use: items in buffers, in the pipe, being read, and slots that a death lost
    /// (`Q13`).
    ///
    /// # Errors
    /// What the system says.
    pub async fn qsize(&self) -> io::Result<usize> {
        let free = self.free_slots().await?;
        Ok(self.local.maxsize.saturating_sub(free) as usize)
    }

    /// Whether no slot is free (`Q13`). A queue may be full and empty at once.
    ///
    /// # Errors
    /// What the system says.
    pub async fn full(&self) -> io::Result<bool> {
        Ok(self.free_slots().await? == 0)
    }

    async fn free_slots(&self) -> io::Result<u32> {
        self.os().semaphore_value(&self.local.sem, Site::new("sem.value")).await
    }

    /// Whether the pipe holds no byte. What is still in a process's buffer does not count
    /// (`Q13`).
    ///
    /// # Errors
    /// Where the reading end is closed in this process, and what the system says.
    pub async fn empty(&self) -> Result<bool, PollError> {
        let site = Site::new("empty.poll");
        Ok(!self.local.reader.poll_until(Wait::Try, site).await?)
    }

    /// Says that this process will put no more (`Q14`). Its feeder sends what there is, closes
    /// both ends of the pipe and ends; a process that never put keeps them open.
    pub async fn close(&self) {
        let (os, local) = (self.os(), &*self.local);
        os.point(Site::new("close")).await;
        let finalizer = {
            let mut state = local.state();
            state.closed = true;
            state.close_finalizer.take()
        };
        local.this.run_finalizer(finalizer).await;
    }

    /// Waits until this process's feeder has sent everything, once (`Q15`).
    ///
    /// # Errors
    /// Where the queue is not closed in this process.
    pub async fn join_thread(&self) -> Result<(), NotClosed> {
        let (os, local) = (self.os(), &*self.local);
        os.point(Site::new("join_thread")).await;
        let finalizer = {
            let mut state = local.state();
            if !state.closed {
                return Err(NotClosed);
            }
            state.join_finalizer.take()
        };
        local.this.run_finalizer(finalizer).await;
        Ok(())
    }

    /// Lets this process leave without waiting for its feeder (`Q16`). What is not yet in the
    /// pipe is then lost, and a feeder cut off in the middle of a write takes the queue with it.
    pub async fn cancel_join_thread(&self) {
        let (os, local) = (self.os(), &*self.local);
        os.point(Site::new("cancel_join_thread")).await;
        let finalizer = {
            let mut state = local.state();
            state.join_cancelled = true;
            state.join_finalizer.take()
        };
        local.this.cancel_finalizer(finalizer);
    }

    /// Closes this process's reading end of the pipe. Closing it again is nothing.
    ///
    /// # Errors
    /// What the system says.
    pub async fn close_reader(&self) -> io::Result<()> {
        self.local.reader.close().await
    }
}
