//! The simulated operating system: a name for the kernel of this thread. Every step parks its
//! lane; the host lets one lane at a time go on.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use midput_model::mutant::Change;
use midput_model::os::semaphore::Semaphore;
use midput_model::program::{LaneId, ProcessId};
use midput_model::step::StepResult;
use midput_real::os::{
    self as real, Address, Awaited, Exported, Os, SemaphoreSpecification, Site, Start, Wait,
};

use super::objects::{Advance, bad_descriptor, count, too_many_threads};
use super::{
    AwaitedName, Grant, Kernel, KernelSemaphore, LaneFuture, PipeEnd, Request, exit_of, signal_of,
};

/// The most lanes of one simulation: a set of them is one word.
const LANES_MAX: usize = 64;

/// What stands in the name of an object without a descriptor. -1 is a closed one (`EBADF`).
const NO_DESCRIPTOR: i32 = -2;

/// How a process of the scenario begins: its main lane's body.
pub(crate) type Launch = fn(ProcessId, &Start) -> LaneFuture;

struct Local {
    kernel: Kernel,
    /// Lanes that the last step started, for the host to take over.
    spawned: Vec<(LaneId, LaneFuture)>,
    launch: Option<Launch>,
}

impl Local {
    fn spawn(&mut self, lane: LaneId, future: LaneFuture) {
        self.spawned.push((lane, future));
        self.kernel.started = self.spawned.len() as u32;
    }
}

thread_local! {
    // Made when the program is compiled, so that a step need not ask whether it was made.
    static LOCAL: RefCell<Local> = const {
        RefCell::new(Local { kernel: Kernel::new(), spawned: Vec::new(), launch: None })
    };
}

/// Lends the kernel of this thread. `body` does not ask for it again, nor use [`SimulatedOs`]: a
/// panic says so.
#[inline]
pub fn with_kernel<R>(body: impl FnOnce(&mut Kernel) -> R) -> R {
    LOCAL.with_borrow_mut(|local| body(&mut local.kernel))
}

/// Sets how processes begin in this thread's simulation.
pub(crate) fn set_launch(launch: Launch) {
    LOCAL.with_borrow_mut(|local| local.launch = Some(launch));
}

/// The next lane that a step has started, if there is one, with its body: for hosts.
pub fn take_spawned() -> Option<(LaneId, LaneFuture)> {
    LOCAL.with_borrow_mut(|local| {
        let spawned = local.spawned.pop();
        local.kernel.started = local.spawned.len() as u32;
        spawned
    })
}

/// The operating system of a simulation: the process of the lane that runs now.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedOs;

/// A semaphore of the simulation.
#[derive(Clone, Copy, Debug)]
pub struct SemaphoreName(usize);

/// A descriptor's number in its process.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorNumber(usize);

/// A process-local lock of the simulation.
#[derive(Clone, Copy, Debug)]
pub struct MonitorName(usize);

/// A thread of the simulation.
#[derive(Clone, Copy, Debug)]
pub struct ThreadName(LaneId);

/// A process of the simulation.
#[derive(Clone, Copy, Debug)]
pub struct ProcessName(ProcessId);

/// One step: the lane parks, and once it is let, `body` does what the step does. `None` where the
/// call goes on: the lane parks again.
struct Step<B> {
    request: Request,
    site: Site,
    parked: bool,
    body: B,
}

impl<R, B: FnMut(&mut Kernel, Grant) -> Option<R> + Unpin> Future for Step<B> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
        let step = self.get_mut();
        if step.parked {
            let mut result = None;
            enter(&mut |kernel| result = (step.body)(kernel, kernel.granted));
            if let Some(result) = result {
                return Poll::Ready(result);
            }
        }
        step.parked = true;
        park(&step.request, &step.site);
        Poll::Pending
    }
}

// These two are compiled once, in this crate, so that finding the kernel of the thread becomes a
// part of them. Each step of a user's crate would make a call of it.

/// The lane that runs does its step.
fn enter(body: &mut dyn FnMut(&mut Kernel)) {
    with_kernel(body);
}

/// The lane that runs comes to a step.
fn park(request: &Request, site: &Site) {
    with_kernel(|kernel| kernel.park(request, site));
}

/// A step that `body` does in one go.
fn step<R>(
    request: Request,
    site: Site,
    mut body: impl FnMut(&mut Kernel, Grant) -> R + Unpin,
) -> impl Future<Output = R> {
    let body = move |kernel: &mut Kernel, grant| Some(body(kernel, grant));
    Step { request, site, parked: false, body }
}

/// A step that waits, and is made again with the same deadline where a signal interrupts it (SL1).
fn wait_step<R>(
    request: Request,
    site: Site,
    mut body: impl FnMut(&mut Kernel, Grant) -> R + Unpin,
) -> impl Future<Output = R> {
    let body = move |kernel: &mut Kernel, grant| {
        if grant == Grant::Interrupted {
            kernel.note(StepResult::Interrupted, 0);
            None
        } else {
            Some(body(kernel, grant))
        }
    };
    Step { request, site, parked: false, body }
}

/// A step that never waits and answers nothing.
fn immediate<R>(
    request: Request,
    site: Site,
    mut body: impl FnMut(&mut Kernel) -> R + Unpin,
) -> impl Future<Output = R> {
    step(request, site, move |kernel, _| {
        kernel.note(StepResult::Done, 0);
        body(kernel)
    })
}

/// A step that answers nothing, and that a mutant may skip.
fn skippable(
    request: Request,
    site: Site,
    mut body: impl FnMut(&mut Kernel) + Unpin,
) -> impl Future<Output = ()> {
    step(request, site, move |kernel, _| {
        kernel.note(StepResult::Done, 0);
        if !kernel.skips() {
            body(kernel);
        }
    })
}

/// Where a mutant says so, a write that moved a part answers that it moved all.
fn as_the_mutant_says(
    change: Option<Change>,
    buffer: &[u8],
    advance: Advance,
    result: StepResult,
) -> Advance {
    let moved = matches!(result, StepResult::Moved(1..));
    if change == Some(Change::Whole) && moved {
        Advance::Returned(Ok(buffer.len()))
    } else {
        advance
    }
}

impl SimulatedOs {
    /// Waits until a process of the scenario is dead, whoever started it, or its own is asked to
    /// leave.
    pub(crate) async fn await_death(self, process: ProcessId, or_asked: bool) {
        immediate(Request::AwaitDeath { process, or_asked }, Site::new("await-death"), |_| ())
            .await;
    }
}

impl Os for SimulatedOs {
    type Semaphore = SemaphoreName;
    type Descriptor = DescriptorNumber;
    type Monitor = MonitorName;
    type Thread = ThreadName;
    type Process = ProcessName;

    fn now(&self) -> Duration {
        with_kernel(|kernel| kernel.clock)
    }

    fn point(&self, site: Site) -> impl Future<Output = ()> {
        immediate(Request::Point, site, move |kernel| {
            if site.name == "leave" {
                let process = kernel.process_of(kernel.current);
                let _ = kernel.processes[usize::from(process.0)].state.leave();
            }
        })
    }

    fn semaphores<const N: usize>(
        &self,
        specifications: [SemaphoreSpecification; N],
    ) -> io::Result<[SemaphoreName; N]> {
        Ok(specifications.map(|specification| {
            with_kernel(|kernel| {
                kernel.semaphores.push(KernelSemaphore {
                    role: specification.role,
                    semaphore: Semaphore::new(specification.value, specification.maximum),
                    holder: None,
                });
                SemaphoreName(kernel.semaphores.len() - 1)
            })
        }))
    }

    fn semaphore_wait(
        &self,
        semaphore: &SemaphoreName,
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<bool>> {
        let semaphore = semaphore.0;
        let request = Request::SemaphoreWait { semaphore, wait };
        wait_step(request, site, move |kernel, grant| {
            let taken =
                kernel.skips() || (grant != Grant::Expired && kernel.take_semaphore(semaphore));
            let result = if taken { StepResult::Done } else { StepResult::Unavailable };
            kernel.note(result, 0);
            Ok(taken)
        })
    }

    fn semaphore_post(
        &self,
        semaphore: &SemaphoreName,
        site: Site,
    ) -> impl Future<Output = io::Result<()>> {
        let semaphore = semaphore.0;
        let request = Request::SemaphorePost { semaphore };
        step(request, site, move |kernel, _| {
            kernel.note(StepResult::Done, 0);
            if kernel.skips() { Ok(()) } else { kernel.post_semaphore(semaphore) }
        })
    }

    fn semaphore_value(
        &self,
        semaphore: &SemaphoreName,
        site: Site,
    ) -> impl Future<Output = io::Result<u32>> {
        let semaphore = semaphore.0;
        step(Request::SemaphoreValue { semaphore }, site, move |kernel, _| {
            let value = kernel.semaphores[semaphore].semaphore.value();
            kernel.note(StepResult::Value(value), 0);
            Ok(value)
        })
    }

    fn pipe(&self) -> io::Result<(DescriptorNumber, DescriptorNumber)> {
        with_kernel(|kernel| {
            let index = kernel.add_pipe();
            let process = kernel.process_of(kernel.current);
            let descriptors = &mut kernel.processes[usize::from(process.0)].descriptors;
            descriptors.push(Some(PipeEnd::Reader(index)));
            descriptors.push(Some(PipeEnd::Writer(index)));
            let writer = descriptors.len() - 1;
            Ok((DescriptorNumber(writer - 1), DescriptorNumber(writer)))
        })
    }

    fn socket_pair(&self) -> io::Result<(DescriptorNumber, DescriptorNumber)> {
        let (first, second) = with_kernel(Kernel::socket_pair);
        Ok((DescriptorNumber(first), DescriptorNumber(second)))
    }

    fn read(
        &self,
        descriptor: &DescriptorNumber,
        buffer: &mut [u8],
        site: Site,
    ) -> impl Future<Output = io::Result<usize>> {
        let descriptor = descriptor.0;
        step(Request::Read { descriptor }, site, move |kernel, grant| {
            let (read, result) = match kernel.end_of(descriptor) {
                Some(PipeEnd::Reader(pipe)) => kernel.read(pipe, buffer, grant),
                Some(PipeEnd::Socket(pair, side)) => kernel.receive((pair, side), buffer, grant),
                _ => {
                    kernel.note(StepResult::BadDescriptor, 0);
                    return Err(bad_descriptor());
                }
            };
            kernel.note(result, count(site.offset + buffer.len()));
            read
        })
    }

    async fn write(
        &self,
        descriptor: &DescriptorNumber,
        buffer: &[u8],
        site: Site,
    ) -> io::Result<usize> {
        let descriptor = descriptor.0;
        let mut moved = 0;
        loop {
            let bytes = count(buffer.len() - moved);
            let request = Request::Write { descriptor, bytes, in_call: moved > 0 };
            let site = site.at(site.offset + moved);
            let total = count(site.offset + buffer.len() - moved);
            let advance = step(request, site, |kernel, grant| {
                if kernel.skips() {
                    // No byte arrives, and the call answers that all have.
                    kernel.note(StepResult::Moved(bytes), total);
                    return Advance::Returned(Ok(buffer.len()));
                }
                let (advance, result) = match kernel.end_of(descriptor) {
                    Some(PipeEnd::Writer(pipe)) => kernel.write(pipe, buffer, moved, grant),
                    Some(PipeEnd::Socket(pair, side)) => {
                        kernel.send((pair, side), buffer, moved, grant)
                    }
                    _ => {
                        kernel.note(StepResult::BadDescriptor, 0);
                        return Advance::Returned(Err(bad_descriptor()));
                    }
                };
                kernel.note(result, total);
                as_the_mutant_says(kernel.change(), buffer, advance, result)
            });
            match advance.await {
                Advance::Returned(result) => return result,
                Advance::Goes(now) => moved = now,
            }
        }
    }

    fn poll(
        &self,
        descriptor: &DescriptorNumber,
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<bool>> {
        let descriptor = descriptor.0;
        wait_step(Request::Poll { descriptor, wait }, site, move |kernel, grant| {
            if kernel.skips() {
                kernel.note(StepResult::Ready, 0);
                return Ok(true);
            }
            if kernel.end_of(descriptor).is_none() {
                kernel.note(StepResult::BadDescriptor, 0);
                return Err(bad_descriptor());
            }
            let ready = !kernel.finds_nothing(grant);
            let result = if ready { StepResult::Ready } else { StepResult::Unavailable };
            kernel.note(result, 0);
            Ok(ready)
        })
    }

    async fn wait_any(
        &self,
        awaited: &[Awaited<'_, Self>],
        wait: Wait,
        site: Site,
    ) -> io::Result<Vec<bool>> {
        with_kernel(|kernel| {
            let names = awaited.iter().map(|awaited| match *awaited {
                Awaited::Readable(descriptor) => AwaitedName::Readable(descriptor.0),
                Awaited::Ended(process) => AwaitedName::Ended(process.0),
            });
            let current = usize::from(kernel.current.0);
            kernel.lanes[current].awaited = names.collect();
        });
        wait_step(Request::WaitAny { wait }, site, |kernel, grant| {
            let lane = usize::from(kernel.current.0);
            let awaited = std::mem::take(&mut kernel.lanes[lane].awaited);
            let closed = |awaited: &AwaitedName| match *awaited {
                AwaitedName::Readable(descriptor) => kernel.end_of(descriptor).is_none(),
                AwaitedName::Ended(_) => false,
            };
            if awaited.iter().any(closed) {
                kernel.note(StepResult::BadDescriptor, 0);
                return Err(bad_descriptor());
            }
            let is_so = |awaited| grant != Grant::Expired && kernel.is_awaited(lane, awaited);
            let ready: Vec<bool> = awaited.iter().map(is_so).collect();
            let any = ready.contains(&true);
            kernel.note(if any { StepResult::Ready } else { StepResult::Unavailable }, 0);
            Ok(ready)
        })
        .await
    }

    fn listen(&self, address: &Address) -> io::Result<(DescriptorNumber, Address)> {
        let listener = with_kernel(|kernel| kernel.listen(address))?;
        Ok((DescriptorNumber(listener), address.clone()))
    }

    fn accept(
        &self,
        listener: &DescriptorNumber,
        site: Site,
    ) -> impl Future<Output = io::Result<DescriptorNumber>> {
        let descriptor = listener.0;
        wait_step(Request::Accept { descriptor }, site, move |kernel, _| {
            let (accepted, result) = kernel.accept(descriptor);
            kernel.note(result, 0);
            accepted.map(DescriptorNumber)
        })
    }

    fn connect(
        &self,
        address: &Address,
        _: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<DescriptorNumber>> {
        let address = address.clone();
        step(Request::Connect, site, move |kernel, _| {
            let (connected, result) = kernel.connect(&address);
            kernel.note(result, 0);
            connected.map(DescriptorNumber)
        })
    }

    fn send(
        &self,
        socket: &DescriptorNumber,
        buffer: &[u8],
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<usize>> {
        let descriptor = socket.0;
        let request = Request::Send { descriptor, bytes: count(buffer.len()), wait };
        wait_step(request, site, move |kernel, grant| {
            let Some(PipeEnd::Socket(pair, side)) = kernel.end_of(descriptor) else {
                kernel.note(StepResult::BadDescriptor, 0);
                return Err(bad_descriptor());
            };
            if kernel.finds_nothing(grant) {
                kernel.note(StepResult::Unavailable, 0);
                return Err(io::ErrorKind::TimedOut.into());
            }
            let (advance, result) = kernel.send((pair, side), buffer, 0, grant);
            kernel.note(result, count(site.offset + buffer.len()));
            match advance {
                Advance::Returned(result) => result,
                Advance::Goes(moved) => Ok(moved),
            }
        })
    }

    /// Every process here belongs to one user.
    fn peer_is_same_user(&self, socket: &DescriptorNumber) -> io::Result<bool> {
        match with_kernel(|kernel| kernel.end_of(socket.0)) {
            Some(PipeEnd::Socket(..)) => Ok(true),
            _ => Err(bad_descriptor()),
        }
    }

    /// The same in each run: nobody here guesses.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        with_kernel(|kernel| kernel.random(bytes));
        Ok(())
    }

    fn close(
        &self,
        descriptor: &DescriptorNumber,
        site: Site,
    ) -> impl Future<Output = io::Result<()>> {
        let descriptor = descriptor.0;
        step(Request::Close { descriptor }, site, move |kernel, _| {
            kernel.note(StepResult::Done, 0);
            if !kernel.skips() {
                kernel.close_descriptor(descriptor);
            }
            Ok(())
        })
    }

    fn is_closed(&self, descriptor: &DescriptorNumber) -> bool {
        with_kernel(|kernel| kernel.end_of(descriptor.0).is_none())
    }

    fn export_semaphore(&self, semaphore: &SemaphoreName) -> Exported {
        Exported { descriptor: NO_DESCRIPTOR, index: count(semaphore.0) }
    }

    fn export_descriptor(&self, descriptor: &DescriptorNumber) -> io::Result<Exported> {
        let number = i32::try_from(descriptor.0).map_err(|_| bad_descriptor())?;
        Ok(Exported { descriptor: number, index: 0 })
    }

    fn import_semaphore(&self, exported: Exported) -> io::Result<SemaphoreName> {
        let index = exported.index as usize;
        let exists = with_kernel(|kernel| index < kernel.semaphores.len());
        if exists { Ok(SemaphoreName(index)) } else { Err(bad_descriptor()) }
    }

    fn import_descriptor(&self, exported: Exported) -> io::Result<DescriptorNumber> {
        usize::try_from(exported.descriptor).map(DescriptorNumber).map_err(|_| bad_descriptor())
    }

    fn monitor(&self) -> MonitorName {
        MonitorName(with_kernel(Kernel::add_monitor))
    }

    fn monitor_lock(&self, monitor: &MonitorName, site: Site) -> impl Future<Output = ()> {
        let monitor = monitor.0;
        skippable(Request::MonitorLock { monitor }, site, move |kernel| {
            kernel.monitors[monitor].locked_by = Some(kernel.current);
        })
    }

    fn monitor_unlock(&self, monitor: &MonitorName, site: Site) -> impl Future<Output = ()> {
        let monitor = monitor.0;
        skippable(Request::MonitorUnlock { monitor }, site, move |kernel| {
            kernel.monitors[monitor].locked_by = None;
        })
    }

    async fn monitor_wait(&self, monitor: &MonitorName, site: Site, wake: Site) {
        let monitor = monitor.0;
        immediate(Request::MonitorSleep { monitor }, site, move |kernel| {
            let current = kernel.current;
            let monitor = &mut kernel.monitors[monitor];
            monitor.locked_by = None;
            monitor.sleepers.push_back((current, false));
        })
        .await;
        immediate(Request::MonitorWake { monitor }, wake, move |kernel| {
            let current = kernel.current;
            let monitor = &mut kernel.monitors[monitor];
            monitor.locked_by = Some(current);
            monitor.sleepers.retain(|&(sleeper, _)| sleeper != current);
        })
        .await;
    }

    fn monitor_notify(&self, monitor: &MonitorName, site: Site) -> impl Future<Output = ()> {
        let monitor = monitor.0;
        skippable(Request::MonitorNotify { monitor }, site, move |kernel| {
            let sleepers = &mut kernel.monitors[monitor].sleepers;
            if let Some((_, notified)) = sleepers.iter_mut().find(|(_, notified)| !notified) {
                *notified = true;
            }
        })
    }

    async fn thread_start<F, B>(&self, name: &str, body: F, site: Site) -> io::Result<ThreadName>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static,
    {
        immediate(Request::ThreadStart, site, |_| ()).await;
        let future: LaneFuture = Box::pin(body());
        LOCAL.with_borrow_mut(|local| {
            let lane = local.kernel.new_thread(name).ok_or_else(too_many_threads)?;
            local.spawn(lane, future);
            Ok(ThreadName(lane))
        })
    }

    fn thread_join(&self, thread: &ThreadName, site: Site) -> impl Future<Output = ()> {
        immediate(Request::ThreadJoin { lane: thread.0 }, site, |_| ())
    }

    async fn process_start(&self, start: &Start, site: Site) -> io::Result<ProcessName> {
        // A closed descriptor's name is no number of an open one, so that inheriting it fails.
        let descriptors: Vec<usize> = start
            .inherit
            .iter()
            .filter(|exported| exported.descriptor != NO_DESCRIPTOR)
            .map(|exported| usize::try_from(exported.descriptor).unwrap_or(usize::MAX))
            .collect();
        let child = step(Request::ProcessStart, site, |kernel, _| {
            let found = kernel.processes.iter().position(|entry| entry.name == start.worker);
            let child = ProcessId(count(found.ok_or_else(bad_descriptor)?) as u8);
            let inherited = kernel.inherit(child, &descriptors);
            let result =
                if inherited.is_ok() { StepResult::Done } else { StepResult::BadDescriptor };
            kernel.note(result, 0);
            inherited.map(|()| child)
        })
        .await?;
        let launch = LOCAL.with_borrow(|local| local.launch).ok_or_else(bad_descriptor)?;
        // The child takes up what it inherits as itself.
        let lane = with_kernel(|kernel| kernel.main_lane(child));
        let parent = with_kernel(|kernel| std::mem::replace(&mut kernel.current, lane));
        let future = launch(child, start);
        LOCAL.with_borrow_mut(|local| {
            local.kernel.current = parent;
            local.spawn(lane, future);
        });
        Ok(ProcessName(child))
    }

    fn process_wait(
        &self,
        process: &ProcessName,
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<Option<real::Exit>>> {
        let process = process.0;
        wait_step(Request::ProcessWait { process, wait }, site, move |kernel, grant| {
            let exit = if grant == Grant::Expired { None } else { kernel.reap(process) };
            let result = if exit.is_some() { StepResult::Done } else { StepResult::Unavailable };
            kernel.note(result, 0);
            Ok(exit.map(exit_of))
        })
    }

    fn process_signal(
        &self,
        process: &ProcessName,
        signal: real::Signal,
        site: Site,
    ) -> impl Future<Output = io::Result<()>> {
        let process = process.0;
        immediate(Request::ProcessSignal { process }, site, move |kernel| {
            kernel.signal(process, signal_of(signal));
            Ok(())
        })
    }

    fn handle_terminate(&self, site: Site) -> impl Future<Output = io::Result<()>> {
        immediate(Request::TerminateHandle, site, |kernel| {
            let process = kernel.process_of(kernel.current);
            kernel.processes[usize::from(process.0)].handler.install();
            Ok(())
        })
    }

    fn asked_to_leave(&self, site: Site) -> impl Future<Output = bool> {
        step(Request::TerminateCheck, site, |kernel, _| {
            let asked = kernel.is_asked(kernel.process_of(kernel.current));
            kernel.note(if asked { StepResult::Ready } else { StepResult::Unavailable }, 0);
            asked
        })
    }

    async fn process_exit(&self, code: i32, site: Site) -> Infallible {
        immediate(Request::ProcessExit, site, move |kernel| {
            // The low eight bits, as on Linux (LC4).
            kernel.exit(code.to_le_bytes()[0]);
        })
        .await;
        std::future::pending().await
    }
}

impl Kernel {
    /// The lane of a new thread of the current process: the one that the program names so, or
    /// one more at the end, while there is room for one.
    fn new_thread(&mut self, name: &str) -> Option<LaneId> {
        let process = self.process_of(self.current);
        let prefix = self.process_name(process).len() + 1;
        let found = self.lanes.iter().position(|lane| {
            lane.process == process && !lane.begun && lane.name.get(prefix..) == Some(name)
        });
        let index = match found {
            Some(index) => index,
            None if self.lanes.len() < LANES_MAX => self.add_lane(process, name),
            None => return None,
        };
        self.lanes[index].begun = true;
        Some(LaneId(count(index) as u8))
    }

    fn main_lane(&mut self, process: ProcessId) -> LaneId {
        let found = self.lanes.iter().position(|lane| lane.process == process);
        let index = found.unwrap_or_default();
        self.lanes[index].begun = true;
        LaneId(count(index) as u8)
    }
}
