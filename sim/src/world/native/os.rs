//! [`NativeOs`]: Linux, with a name for every step, a log of what it did, and kills at their sites.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use midput_model::program::{self, LaneId, Operation, Outcome, ProcessId};
use midput_model::step::StepResult;
use midput_real::os::linux::{self, Linux};
use midput_real::os::{
    Address, Awaited, Exit, Exported, Os, SemaphoreSpecification, Signal, Site, Start, Wait,
};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

use super::record::{Waits, What};
use super::scene::{Scene, Step, arrive, arrive_monitor, become_lane, count, done, limit, scene};
use crate::kernel::signal_of;
use crate::script::Stage;

/// The bytes of one page slot of a pipe.
const SLOT_BYTES: usize = 4096;

/// The process of a native run that this code runs in.
///
/// Every step is one of [`Linux`]; around it the process notes what it does, and dies or sleeps
/// where its run says so. Outside a native run it is [`Linux`] alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeOs;

/// A process-local lock with its number in its process.
#[derive(Clone, Debug)]
pub struct NativeMonitor {
    inner: linux::Monitor,
    number: u32,
}

/// A child process with its place in the program.
#[derive(Clone, Debug)]
pub struct NativeProcess {
    inner: linux::Process,
    process: Option<ProcessId>,
}

fn waits(wait: Wait) -> Option<Waits> {
    match wait {
        Wait::Forever => Some(Waits::Forever),
        Wait::Try => None,
        Wait::Until(_) => Some(Waits::Limited),
    }
}

/// What a step that failed is noted with.
fn failed(error: &io::Error) -> StepResult {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::INTR) => StepResult::Interrupted,
        Some(Errno::PIPE) => StepResult::BrokenPipe,
        Some(Errno::BADF) => StepResult::BadDescriptor,
        other => StepResult::Error(other.map_or(0, Errno::raw_os_error)),
    }
}

/// What a step is noted with that found something, or did not.
fn found(result: &io::Result<bool>, yes: StepResult) -> StepResult {
    match result {
        Ok(true) => yes,
        Ok(false) => StepResult::Unavailable,
        Err(error) => failed(error),
    }
}

impl Os for NativeOs {
    type Semaphore = linux::Semaphore;
    type Descriptor = linux::Descriptor;
    type Monitor = NativeMonitor;
    type Thread = linux::Thread;
    type Process = NativeProcess;

    fn now(&self) -> Duration {
        Linux.now()
    }

    async fn point(&self, site: Site) {
        let step = arrive(site, None);
        done(&step, StepResult::Done, true);
    }

    fn semaphores<const N: usize>(
        &self,
        specifications: [SemaphoreSpecification; N],
    ) -> io::Result<[linux::Semaphore; N]> {
        Linux.semaphores(specifications)
    }

    async fn semaphore_wait(
        &self,
        semaphore: &linux::Semaphore,
        wait: Wait,
        site: Site,
    ) -> io::Result<bool> {
        let step = arrive(site, waits(wait));
        let result = Linux.semaphore_wait(semaphore, wait, site).await;
        done(&step, found(&result, StepResult::Done), true);
        result
    }

    async fn semaphore_post(&self, semaphore: &linux::Semaphore, site: Site) -> io::Result<()> {
        let step = arrive(site, None);
        let result = Linux.semaphore_post(semaphore, site).await;
        let noted = result.as_ref().map_or_else(failed, |()| StepResult::Done);
        done(&step, noted, true);
        result
    }

    async fn semaphore_value(&self, semaphore: &linux::Semaphore, site: Site) -> io::Result<u32> {
        let step = arrive(site, None);
        let result = Linux.semaphore_value(semaphore, site).await;
        let noted = result.as_ref().map_or_else(failed, |value| StepResult::Value(*value));
        done(&step, noted, true);
        result
    }

    fn pipe(&self) -> io::Result<(linux::Descriptor, linux::Descriptor)> {
        let (reader, writer) = Linux.pipe()?;
        if let Some(scene) = scene() {
            let index = scene.pipes.fetch_add(1, Ordering::Relaxed);
            if let Some(queue) = scene.program.queues.get(index) {
                set_slots(&writer, usize::from(queue.pipe_slots))?;
            }
        }
        Ok((reader, writer))
    }

    fn socket_pair(&self) -> io::Result<(linux::Descriptor, linux::Descriptor)> {
        Linux.socket_pair()
    }

    async fn read(
        &self,
        descriptor: &linux::Descriptor,
        buffer: &mut [u8],
        site: Site,
    ) -> io::Result<usize> {
        let step = arrive(site, Some(Waits::Forever));
        let wanted = buffer.len();
        let most = limit(&step, wanted);
        let result = Linux.read(descriptor, &mut buffer[..most], site).await;
        let noted = result.as_ref().map_or_else(failed, |moved| StepResult::Moved(count(*moved)));
        let whole = match noted {
            StepResult::Moved(moved) => moved == 0 || moved as usize >= wanted,
            result => result != StepResult::Interrupted,
        };
        done(&step, noted, whole);
        result
    }

    async fn write(
        &self,
        descriptor: &linux::Descriptor,
        buffer: &[u8],
        site: Site,
    ) -> io::Result<usize> {
        let step = arrive(site, Some(Waits::Forever));
        let most = limit(&step, buffer.len());
        let result = Linux.write(descriptor, &buffer[..most], site).await;
        transferred(&step, &result, buffer.len());
        result
    }

    async fn poll(
        &self,
        descriptor: &linux::Descriptor,
        wait: Wait,
        site: Site,
    ) -> io::Result<bool> {
        let step = arrive(site, waits(wait));
        let result = Linux.poll(descriptor, wait, site).await;
        done(&step, found(&result, StepResult::Ready), true);
        result
    }

    async fn wait_any(
        &self,
        awaited: &[Awaited<'_, Self>],
        wait: Wait,
        site: Site,
    ) -> io::Result<Vec<bool>> {
        let step = arrive(site, waits(wait));
        let inner = awaited.iter().map(|awaited| match *awaited {
            Awaited::Readable(descriptor) => Awaited::Readable(descriptor),
            Awaited::Ended(process) => Awaited::Ended(&process.inner),
        });
        let result = Linux.wait_any(&inner.collect::<Vec<_>>(), wait, site).await;
        let noted = match &result {
            Ok(ready) if ready.contains(&true) => StepResult::Ready,
            Ok(_) => StepResult::Unavailable,
            Err(error) => failed(error),
        };
        done(&step, noted, true);
        result
    }

    fn listen(&self, address: &Address) -> io::Result<(linux::Descriptor, Address)> {
        Linux.listen(address)
    }

    async fn accept(
        &self,
        listener: &linux::Descriptor,
        site: Site,
    ) -> io::Result<linux::Descriptor> {
        let step = arrive(site, Some(Waits::Forever));
        let result = Linux.accept(listener, site).await;
        done(&step, result.as_ref().map_or_else(failed, |_| StepResult::Done), true);
        result
    }

    async fn connect(
        &self,
        address: &Address,
        wait: Wait,
        site: Site,
    ) -> io::Result<linux::Descriptor> {
        let step = arrive(site, waits(wait));
        let result = Linux.connect(address, wait, site).await;
        done(&step, result.as_ref().map_or_else(failed, |_| StepResult::Done), true);
        result
    }

    async fn send(
        &self,
        socket: &linux::Descriptor,
        buffer: &[u8],
        wait: Wait,
        site: Site,
    ) -> io::Result<usize> {
        let step = arrive(site, waits(wait));
        let most = limit(&step, buffer.len());
        let result = Linux.send(socket, &buffer[..most], wait, site).await;
        transferred(&step, &result, buffer.len());
        result
    }

    fn peer_is_same_user(&self, socket: &linux::Descriptor) -> io::Result<bool> {
        Linux.peer_is_same_user(socket)
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        Linux.random(bytes)
    }

    async fn close(&self, descriptor: &linux::Descriptor, site: Site) -> io::Result<()> {
        let step = arrive(site, None);
        let result = Linux.close(descriptor, site).await;
        let noted = result.as_ref().map_or_else(failed, |()| StepResult::Done);
        done(&step, noted, true);
        result
    }

    fn is_closed(&self, descriptor: &linux::Descriptor) -> bool {
        Linux.is_closed(descriptor)
    }

    fn export_semaphore(&self, semaphore: &linux::Semaphore) -> Exported {
        Linux.export_semaphore(semaphore)
    }

    fn export_descriptor(&self, descriptor: &linux::Descriptor) -> io::Result<Exported> {
        Linux.export_descriptor(descriptor)
    }

    fn import_semaphore(&self, exported: Exported) -> io::Result<linux::Semaphore> {
        Linux.import_semaphore(exported)
    }

    fn import_descriptor(&self, exported: Exported) -> io::Result<linux::Descriptor> {
        Linux.import_descriptor(exported)
    }

    fn monitor(&self) -> NativeMonitor {
        let number = scene().map_or(0, |scene| scene.monitors.fetch_add(1, Ordering::Relaxed));
        NativeMonitor { inner: Linux.monitor(), number }
    }

    async fn monitor_lock(&self, monitor: &NativeMonitor, site: Site) {
        let step = arrive_monitor(site, Some(Waits::Forever), Some(monitor.number), || {});
        Linux.monitor_lock(&monitor.inner, site).await;
        done(&step, StepResult::Done, true);
    }

    async fn monitor_unlock(&self, monitor: &NativeMonitor, site: Site) {
        let step = arrive_monitor(site, None, Some(monitor.number), || {});
        Linux.monitor_unlock(&monitor.inner, site).await;
        done(&step, StepResult::Done, true);
    }

    async fn monitor_wait(&self, monitor: &NativeMonitor, site: Site, wake: Site) {
        // Linux unlocks and sleeps in one call. That the lane unlocked is noted before, which
        // nobody can see from within: who comes to the lock until then waits for it.
        let step = arrive_monitor(site, None, Some(monitor.number), || {});
        done(&step, StepResult::Done, true);
        let unlock = || midput_real::block_on(Linux.monitor_unlock(&monitor.inner, site));
        let step = arrive_monitor(wake, Some(Waits::Forever), Some(monitor.number), unlock);
        Linux.monitor_wait(&monitor.inner, site, wake).await;
        done(&step, StepResult::Done, true);
    }

    async fn monitor_notify(&self, monitor: &NativeMonitor, site: Site) {
        let step = arrive_monitor(site, None, Some(monitor.number), || {});
        Linux.monitor_notify(&monitor.inner, site).await;
        done(&step, StepResult::Done, true);
    }

    async fn thread_start<F, B>(&self, name: &str, body: F, site: Site) -> io::Result<linux::Thread>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static,
    {
        let step = arrive(site, None);
        let lane = scene().map_or(Ok(LaneId(0)), |scene| scene.lane_of_thread(name));
        let result = match lane {
            Ok(lane) => {
                let body = move || {
                    become_lane(lane);
                    body()
                };
                Linux.thread_start(name, body, site).await
            }
            Err(error) => Err(error),
        };
        let noted = result.as_ref().map_or_else(failed, |_| StepResult::Done);
        done(&step, noted, true);
        result
    }

    async fn thread_join(&self, thread: &linux::Thread, site: Site) {
        let step = arrive(site, Some(Waits::Forever));
        Linux.thread_join(thread, site).await;
        done(&step, StepResult::Done, true);
    }

    async fn process_start(&self, start: &Start, site: Site) -> io::Result<NativeProcess> {
        let step = arrive(site, Some(Waits::Forever));
        let result = match scene() {
            Some(scene) => start_process(scene, start, site).await,
            None => {
                let inner = Linux.process_start(start, site).await;
                inner.map(|inner| NativeProcess { inner, process: None })
            }
        };
        let noted = result.as_ref().map_or_else(failed, |_| StepResult::Done);
        done(&step, noted, true);
        result
    }

    async fn process_wait(
        &self,
        process: &NativeProcess,
        wait: Wait,
        site: Site,
    ) -> io::Result<Option<Exit>> {
        let step = arrive(site, waits(wait));
        let result = Linux.process_wait(&process.inner, wait, site).await;
        let noted = match &result {
            Ok(Some(exit)) => {
                if let (Some(scene), Some(process)) = (scene(), process.process)
                    && let Some(exit) = exit_of(*exit)
                {
                    scene.log(What::Reaped { process, exit });
                }
                StepResult::Done
            }
            Ok(None) => StepResult::Unavailable,
            Err(error) => failed(error),
        };
        done(&step, noted, true);
        result
    }

    async fn process_signal(
        &self,
        process: &NativeProcess,
        signal: Signal,
        site: Site,
    ) -> io::Result<()> {
        let step = arrive(site, None);
        let result = Linux.process_signal(&process.inner, signal, site).await;
        let noted = result.as_ref().map_or_else(failed, |()| StepResult::Done);
        done(&step, noted, true);
        result
    }

    async fn handle_terminate(&self, site: Site) -> io::Result<()> {
        let step = arrive(site, None);
        let result = Linux.handle_terminate(site).await;
        done(&step, result.as_ref().map_or_else(failed, |()| StepResult::Done), true);
        result
    }

    async fn asked_to_leave(&self, site: Site) -> bool {
        let step = arrive(site, None);
        let asked = Linux.asked_to_leave(site).await;
        done(&step, if asked { StepResult::Ready } else { StepResult::Unavailable }, true);
        asked
    }

    async fn process_exit(&self, code: i32, site: Site) -> Infallible {
        // Nothing is noted after it: that the process has exited is seen from outside.
        arrive(site, Some(Waits::Forever));
        Linux.process_exit(code, site).await
    }
}

impl Stage for NativeOs {
    fn call(&self, _: LaneId, operation: Operation) {
        if let Some(scene) = scene() {
            scene.log(What::Call { operation });
        }
    }

    fn returned(&self, _: LaneId, outcome: Outcome) {
        if let Some(scene) = scene() {
            scene.log(What::Return { outcome });
        }
    }

    fn leaving(&self, _: ProcessId) {
        if let Some(scene) = scene() {
            scene.log(What::Leave);
        }
    }

    fn directory(&self) -> PathBuf {
        scene().map(|scene| scene.setup.directory.clone()).unwrap_or_default()
    }

    async fn await_death(&self, process: ProcessId, or_asked: bool) {
        let step = arrive(Site::new("await-death"), Some(Waits::Forever));
        if let Some(scene) = scene() {
            match wait_for_death(scene, process, or_asked) {
                Ok(()) => done(&step, StepResult::Done, true),
                Err(error) => {
                    scene.log(What::Failed { why: format!("cannot await a death: {error}") });
                }
            }
        }
    }
}

/// A transfer of at most so many bytes is done, with its step where it moved them all.
fn transferred(step: &Step, result: &io::Result<usize>, bytes: usize) {
    let noted = result.as_ref().map_or_else(failed, |moved| StepResult::Moved(count(*moved)));
    let whole = match noted {
        StepResult::Moved(moved) => moved as usize >= bytes,
        result => result != StepResult::Interrupted,
    };
    done(step, noted, whole);
}

/// How a process ended, in the words of the model.
pub(super) fn exit_of(exit: Exit) -> Option<program::Exit> {
    Some(match exit {
        // The low eight bits, as on Linux (LC4).
        Exit::Code(code) => program::Exit::Code(code.to_le_bytes()[0]),
        Exit::Signal(15) => program::Exit::Signal(signal_of(Signal::Terminate)),
        Exit::Signal(9) => program::Exit::Signal(signal_of(Signal::Kill)),
        Exit::Signal(_) => return None,
    })
}

/// Starts a process of the program. It alone has the writing end of the pipe that tells of its
/// life.
async fn start_process(scene: &Scene, start: &Start, site: Site) -> io::Result<NativeProcess> {
    let named = |(_, process): &(u8, &program::ProcessProgram)| process.name == start.worker;
    let found = (0u8..).zip(&scene.program.processes).find(named);
    let (index, _) = found.ok_or(Errno::SRCH)?;
    let life = write_end(scene, ProcessId(index))?;
    let mut start = start.clone();
    start.inherit.push(Exported { descriptor: life.as_raw_fd(), index: 0 });
    let inner = Linux.process_start(&start, site).await?;
    scene.log(What::Child { process: ProcessId(index), pid: inner.identifier() });
    note_start(scene, ProcessId(index), inner.identifier())?;
    Ok(NativeProcess { inner, process: Some(ProcessId(index)) })
}

/// The writing end of the pipe that tells of a process's life.
pub(super) fn write_end(scene: &Scene, process: ProcessId) -> io::Result<OwnedFd> {
    let objects = scene.setup.processes[usize::from(process.0)];
    objects.life.open(scene.harness, OFlags::WRONLY | OFlags::NONBLOCK)
}

/// Notes that a process was started, for those who await its death.
pub(super) fn note_start(scene: &Scene, process: ProcessId, number: u32) -> io::Result<()> {
    let objects = scene.setup.processes[usize::from(process.0)];
    let file = objects.number.open(scene.harness, OFlags::WRONLY)?;
    rustix::io::write(&file, &number.to_ne_bytes())?;
    let started = objects.started.open(scene.harness, OFlags::WRONLY | OFlags::NONBLOCK)?;
    rustix::io::write(&started, &[1])?;
    Ok(())
}

/// How long a process whose pipe has ended may take to be gone.
const GONE_WITHIN: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };

/// Waits until the process was started, then until nobody can write its pipe, then until it is gone; or,
/// where that is asked for, until this process is asked to leave.
/// A process that ends closes one descriptor after the other, and whoever that wakes may be faster:
/// what else it held, such as a connection, would still look alive.
pub(super) fn wait_for_death(scene: &Scene, process: ProcessId, or_asked: bool) -> io::Result<()> {
    let asked = if or_asked { linux::asked_to_leave() } else { None };
    let objects = scene.setup.processes[usize::from(process.0)];
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    if wait_readable(&objects.started.open(scene.harness, flags)?, asked)? {
        return Ok(());
    }
    let life = objects.life.open(scene.harness, flags)?;
    // A pipe that had no writer when it was opened does not poll as ended, but reads so.
    while !super::has_ended(&life)? {
        if wait_readable(&life, asked)? {
            return Ok(());
        }
    }
    let mut number = [0; 4];
    rustix::io::pread(objects.number.open(scene.harness, OFlags::RDONLY)?, &mut number, 0)?;
    let number = i32::try_from(u32::from_ne_bytes(number)).ok().and_then(Pid::from_raw);
    // Nobody has this number any more where its parent has waited for it. Somebody else may have it
    // already: therefore the bound.
    if let Some(number) = number
        && let Ok(process) = rustix::process::pidfd_open(number, PidfdFlags::empty())
    {
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        while rustix::event::poll(&mut polled, Some(&GONE_WITHIN)) == Err(Errno::INTR) {}
    }
    Ok(())
}

/// Waits until the pipe has bytes or has ended, or the other descriptor can be read; whether that
/// can.
pub(super) fn wait_readable(pipe: &OwnedFd, asked: Option<BorrowedFd<'_>>) -> io::Result<bool> {
    let descriptors = [Some(pipe.as_fd()), asked];
    let mut polled: Vec<_> =
        descriptors.iter().flatten().map(|it| PollFd::new(it, PollFlags::IN)).collect();
    loop {
        match rustix::event::poll(&mut polled, None) {
            Ok(_) => return Ok(polled.get(1).is_some_and(|asked| !asked.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives a pipe so many page slots; an error where the system gives another number.
fn set_slots(writer: &linux::Descriptor, slots: usize) -> io::Result<()> {
    let number = Linux.export_descriptor(writer)?.descriptor;
    let path = format!("/proc/self/fd/{number}");
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let pipe = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    let bytes = slots * SLOT_BYTES;
    rustix::pipe::fcntl_setpipe_size(&pipe, bytes)?;
    if rustix::pipe::fcntl_getpipe_size(&pipe)? == bytes {
        Ok(())
    } else {
        Err(io::Error::other(format!("a pipe of {slots} page slots; use a power of two")))
    }
}
