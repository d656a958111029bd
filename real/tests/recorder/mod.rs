//! Linux, with a list of the steps that were taken, and with interruptions and short reads.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use midput_real::os::linux::{self, Linux};
use midput_real::os::{
    Awaited, Exit, Exported, Os, SemaphoreSpecification, Signal, Site, Start, Wait,
};

static LOGS: Mutex<Vec<Log>> = Mutex::new(Vec::new());

#[derive(Default)]
struct Log {
    /// Lane and step: `feed write-body+4096`.
    steps: Vec<String>,
    /// Every step that can be interrupted is, once.
    interrupts: bool,
    /// The most bytes that one read moves; 0 is no bound.
    read_limit: usize,
}

/// The most bytes that Linux moves in one write (`MAX_RW_COUNT`).
const WRITE_MAX: usize = 0x7fff_f000;

/// Names one list.
#[derive(Clone, Copy, Default)]
pub(crate) struct Recorder(usize);

impl Recorder {
    pub(crate) fn new(interrupts: bool, read_limit: usize) -> Self {
        let mut logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
        logs.push(Log { steps: Vec::new(), interrupts, read_limit });
        Self(logs.len() - 1)
    }

    /// The steps of one lane, separated by spaces, and forgets them.
    pub(crate) fn take(self, lane: &str) -> String {
        self.with(|log| {
            let own = |step: &String| step.starts_with(&format!("{lane} "));
            let taken: Vec<String> = log.steps.extract_if(.., |step| own(step)).collect();
            let names = taken.iter().map(|step| &step[lane.len() + 1..]);
            names.collect::<Vec<_>>().join(" ")
        })
    }

    fn with<R>(self, run: impl FnOnce(&mut Log) -> R) -> R {
        run(&mut LOGS.lock().unwrap_or_else(PoisonError::into_inner)[self.0])
    }

    fn step(self, site: Site) {
        let thread = std::thread::current();
        let lane = thread.name().filter(|name| *name == "feed").unwrap_or("main");
        let offset = if site.offset == 0 { String::new() } else { format!("+{}", site.offset) };
        self.with(|log| log.steps.push(format!("{lane} {}{offset}", site.name)));
    }

    /// As [`step`](Self::step), for steps that a signal may interrupt.
    fn interruptible(self, site: Site) -> io::Result<()> {
        self.step(site);
        self.with(|log| match log.steps.last_mut() {
            Some(last) if log.interrupts => {
                let interrupted = format!("{last}!");
                let position = log.steps.iter().rposition(|step| *step == interrupted);
                match position {
                    Some(position) => {
                        log.steps.remove(position);
                        Ok(())
                    }
                    None => {
                        log.steps.pop();
                        log.steps.push(interrupted);
                        Err(io::ErrorKind::Interrupted.into())
                    }
                }
            }
            _ => Ok(()),
        })
    }
}

impl Os for Recorder {
    type Semaphore = linux::Semaphore;
    type Descriptor = linux::Descriptor;
    type Monitor = linux::Monitor;
    type Thread = linux::Thread;
    type Process = linux::Process;

    fn now(&self) -> Duration {
        Linux.now()
    }

    async fn point(&self, site: Site) {
        self.step(site);
    }

    fn semaphores<const N: usize>(
        &self,
        specifications: [SemaphoreSpecification; N],
    ) -> io::Result<[Self::Semaphore; N]> {
        Linux.semaphores(specifications)
    }

    async fn semaphore_wait(
        &self,
        semaphore: &Self::Semaphore,
        wait: Wait,
        site: Site,
    ) -> io::Result<bool> {
        self.interruptible(site)?;
        Linux.semaphore_wait(semaphore, wait, site).await
    }

    async fn semaphore_post(&self, semaphore: &Self::Semaphore, site: Site) -> io::Result<()> {
        self.step(site);
        Linux.semaphore_post(semaphore, site).await
    }

    async fn semaphore_value(&self, semaphore: &Self::Semaphore, site: Site) -> io::Result<u32> {
        self.step(site);
        Linux.semaphore_value(semaphore, site).await
    }

    fn pipe(&self) -> io::Result<(Self::Descriptor, Self::Descriptor)> {
        Linux.pipe()
    }

    fn socket_pair(&self) -> io::Result<(Self::Descriptor, Self::Descriptor)> {
        Linux.socket_pair()
    }

    async fn read(
        &self,
        end: &Self::Descriptor,
        buffer: &mut [u8],
        site: Site,
    ) -> io::Result<usize> {
        self.interruptible(site)?;
        let limit = self.with(|log| log.read_limit);
        let room = if limit == 0 { buffer.len() } else { limit.min(buffer.len()) };
        Linux.read(end, &mut buffer[..room], site).await
    }

    async fn write(&self, end: &Self::Descriptor, buffer: &[u8], site: Site) -> io::Result<usize> {
        self.interruptible(site)?;
        // Nobody would read so much: it is answered, not made.
        if buffer.len() > WRITE_MAX {
            return Ok(WRITE_MAX);
        }
        Linux.write(end, buffer, site).await
    }

    async fn poll(&self, end: &Self::Descriptor, wait: Wait, site: Site) -> io::Result<bool> {
        self.interruptible(site)?;
        Linux.poll(end, wait, site).await
    }

    async fn wait_any(
        &self,
        awaited: &[Awaited<'_, Self>],
        wait: Wait,
        site: Site,
    ) -> io::Result<Vec<bool>> {
        self.interruptible(site)?;
        let inner = awaited.iter().map(|awaited| match *awaited {
            Awaited::Readable(end) => Awaited::Readable(end),
            Awaited::Ended(process) => Awaited::Ended(process),
        });
        Linux.wait_any(&inner.collect::<Vec<_>>(), wait, site).await
    }

    async fn close(&self, end: &Self::Descriptor, site: Site) -> io::Result<()> {
        self.step(site);
        Linux.close(end, site).await
    }

    fn is_closed(&self, end: &Self::Descriptor) -> bool {
        Linux.is_closed(end)
    }

    fn export_semaphore(&self, semaphore: &Self::Semaphore) -> Exported {
        Linux.export_semaphore(semaphore)
    }

    fn export_descriptor(&self, end: &Self::Descriptor) -> io::Result<Exported> {
        Linux.export_descriptor(end)
    }

    fn import_semaphore(&self, exported: Exported) -> io::Result<Self::Semaphore> {
        Linux.import_semaphore(exported)
    }

    fn import_descriptor(&self, exported: Exported) -> io::Result<Self::Descriptor> {
        Linux.import_descriptor(exported)
    }

    fn monitor(&self) -> Self::Monitor {
        Linux.monitor()
    }

    async fn monitor_lock(&self, monitor: &Self::Monitor, site: Site) {
        self.step(site);
        Linux.monitor_lock(monitor, site).await;
    }

    async fn monitor_unlock(&self, monitor: &Self::Monitor, site: Site) {
        self.step(site);
        Linux.monitor_unlock(monitor, site).await;
    }

    async fn monitor_wait(&self, monitor: &Self::Monitor, site: Site, wake: Site) {
        self.step(site);
        Linux.monitor_wait(monitor, site, wake).await;
        self.step(wake);
    }

    async fn monitor_notify(&self, monitor: &Self::Monitor, site: Site) {
        self.step(site);
        Linux.monitor_notify(monitor, site).await;
    }

    async fn thread_start<F, B>(&self, name: &str, body: F, site: Site) -> io::Result<Self::Thread>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static,
    {
        self.step(site);
        // No thread of this name can be started.
        if name == "refused" {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Linux.thread_start(name, body, site).await
    }

    async fn thread_join(&self, thread: &Self::Thread, site: Site) {
        self.step(site);
        Linux.thread_join(thread, site).await;
    }

    async fn process_start(&self, start: &Start, site: Site) -> io::Result<Self::Process> {
        self.step(site);
        Linux.process_start(start, site).await
    }

    async fn process_wait(
        &self,
        process: &Self::Process,
        wait: Wait,
        site: Site,
    ) -> io::Result<Option<Exit>> {
        self.interruptible(site)?;
        Linux.process_wait(process, wait, site).await
    }

    async fn process_signal(
        &self,
        process: &Self::Process,
        signal: Signal,
        site: Site,
    ) -> io::Result<()> {
        self.step(site);
        Linux.process_signal(process, signal, site).await
    }

    async fn handle_terminate(&self, site: Site) -> io::Result<()> {
        self.step(site);
        Linux.handle_terminate(site).await
    }

    async fn asked_to_leave(&self, site: Site) -> bool {
        self.step(site);
        Linux.asked_to_leave(site).await
    }

    async fn process_exit(&self, code: i32, site: Site) -> Infallible {
        self.step(site);
        Linux.process_exit(code, site).await
    }
}
