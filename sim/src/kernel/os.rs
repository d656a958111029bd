//! The simulated operating system: a name for the kernel of this thread. Every step parks its
//! lane; the host lets one lane at a time go on.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::task::Poll;
use std::time::Duration;

use midput_model::os::pipe::Pipe;
use midput_model::os::semaphore::Semaphore;
use midput_model::program::{LaneId, ProcessId};
use midput_model::step::StepResult;
use midput_real::os::{self as real, Exported, Os, SemaphoreSpecification, Site, Start, Wait};

use super::objects::{Advance, bad_descriptor, count};
use super::{
    Grant, Kernel, KernelPipe, KernelSemaphore, LaneFuture, Monitor, Parked, PipeEnd, Request,
    exit_of, signal_of,
};

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

thread_local! {
    static LOCAL: RefCell<Local> = RefCell::new(Local {
        kernel: Kernel::default(),
        spawned: Vec::new(),
        launch: None,
    });
}

/// Lends the kernel of this thread.
pub(crate) fn with_kernel<R>(body: impl FnOnce(&mut Kernel) -> R) -> R {
    LOCAL.with_borrow_mut(|local| body(&mut local.kernel))
}

/// Sets how processes begin in this thread's simulation.
pub(crate) fn set_launch(launch: Launch) {
    LOCAL.with_borrow_mut(|local| local.launch = Some(launch));
}

/// The next lane that a step has started, if there is one.
pub(crate) fn take_spawned() -> Option<(LaneId, LaneFuture)> {
    LOCAL.with_borrow_mut(|local| local.spawned.pop())
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

/// Parks the current lane at a step until the host lets it go on.
fn park(request: Request, site: Site) -> impl Future<Output = (Parked, Grant)> {
    let mut parked = false;
    poll_fn(move |_| {
        if std::mem::replace(&mut parked, true) {
            Poll::Ready(with_kernel(Kernel::unpark))
        } else {
            with_kernel(|kernel| kernel.park(request, site));
            Poll::Pending
        }
    })
}

/// A step that never waits and answers nothing.
async fn immediate<R>(request: Request, site: Site, body: impl FnOnce(&mut Kernel) -> R) -> R {
    let (parked, _) = park(request, site).await;
    with_kernel(|kernel| {
        kernel.note(&parked, StepResult::Done, 0);
        body(kernel)
    })
}

impl SimulatedOs {
    /// Waits until a process of the scenario is dead, whoever started it.
    pub(crate) async fn await_death(self, process: ProcessId) {
        let (parked, _) = park(Request::AwaitDeath { process }, Site::new("await-death")).await;
        with_kernel(|kernel| kernel.note(&parked, StepResult::Done, 0));
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

    async fn point(&self, site: Site) {
        immediate(Request::Point, site, |kernel| {
            let process = kernel.process_of(kernel.current);
            if site.name == "leave" {
                let _ = kernel.processes[usize::from(process.0)].state.leave();
            }
        })
        .await;
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

    async fn semaphore_wait(
        &self,
        semaphore: &SemaphoreName,
        wait: Wait,
        site: Site,
    ) -> io::Result<bool> {
        let request = Request::SemaphoreWait { semaphore: semaphore.0, wait };
        loop {
            let (parked, grant) = park(request, site).await;
            if grant == Grant::Interrupted {
                // The wait is made again with the same deadline (SL1).
                with_kernel(|kernel| kernel.note(&parked, StepResult::Interrupted, 0));
                continue;
            }
            return Ok(with_kernel(|kernel| {
                let taken = grant != Grant::Expired && kernel.take_semaphore(semaphore.0);
                let result = if taken { StepResult::Done } else { StepResult::Unavailable };
                kernel.note(&parked, result, 0);
                taken
            }));
        }
    }

    async fn semaphore_post(&self, semaphore: &SemaphoreName, site: Site) -> io::Result<()> {
        let request = Request::SemaphorePost { semaphore: semaphore.0 };
        immediate(request, site, |kernel| kernel.post_semaphore(semaphore.0)).await
    }

    async fn semaphore_value(&self, semaphore: &SemaphoreName, site: Site) -> io::Result<u32> {
        let request = Request::SemaphoreValue { semaphore: semaphore.0 };
        let (parked, _) = park(request, site).await;
        Ok(with_kernel(|kernel| {
            let value = kernel.semaphores[semaphore.0].semaphore.value();
            kernel.note(&parked, StepResult::Value(value), 0);
            value
        }))
    }

    fn pipe(&self) -> io::Result<(DescriptorNumber, DescriptorNumber)> {
        with_kernel(|kernel| {
            let index = kernel.pipes.len();
            let mut pipe = Pipe::new(kernel.next_pipe_slots());
            pipe.open_reader();
            pipe.open_writer();
            kernel.pipes.push(KernelPipe { pipe, bytes: Default::default() });
            let process = kernel.process_of(kernel.current);
            let descriptors = &mut kernel.processes[usize::from(process.0)].descriptors;
            descriptors.push(Some(PipeEnd::Reader(index)));
            descriptors.push(Some(PipeEnd::Writer(index)));
            let writer = descriptors.len() - 1;
            Ok((DescriptorNumber(writer - 1), DescriptorNumber(writer)))
        })
    }

    async fn read(
        &self,
        descriptor: &DescriptorNumber,
        buffer: &mut [u8],
        site: Site,
    ) -> io::Result<usize> {
        let (parked, grant) = park(Request::Read { descriptor: descriptor.0 }, site).await;
        with_kernel(|kernel| {
            let Some(PipeEnd::Reader(pipe)) = kernel.end_of(descriptor.0) else {
                kernel.note(&parked, StepResult::BadDescriptor, 0);
                return Err(bad_descriptor());
            };
            let (read, result) = kernel.read(pipe, buffer, grant);
            kernel.note(&parked, result, count(site.offset + buffer.len()));
            read
        })
    }

    async fn write(
        &self,
        descriptor: &DescriptorNumber,
        buffer: &[u8],
        site: Site,
    ) -> io::Result<usize> {
        let mut moved = 0;
        loop {
            let bytes = count(buffer.len() - moved);
            let request = Request::Write { descriptor: descriptor.0, bytes, in_call: moved > 0 };
            let (parked, grant) = park(request, site.at(site.offset + moved)).await;
            let advance = with_kernel(|kernel| {
                let Some(PipeEnd::Writer(pipe)) = kernel.end_of(descriptor.0) else {
                    kernel.note(&parked, StepResult::BadDescriptor, 0);
                    return Advance::Returned(Err(bad_descriptor()));
                };
                let (advance, result) = kernel.write(pipe, buffer, moved, grant);
                kernel.note(&parked, result, count(site.offset + buffer.len()));
                advance
            });
            match advance {
                Advance::Returned(result) => return result,
                Advance::Goes(now) => moved = now,
            }
        }
    }

    async fn poll(
        &self,
        descriptor: &DescriptorNumber,
        wait: Wait,
        site: Site,
    ) -> io::Result<bool> {
        loop {
            let request = Request::Poll { descriptor: descriptor.0, wait };
            let (parked, grant) = park(request, site).await;
            if grant == Grant::Interrupted {
                with_kernel(|kernel| kernel.note(&parked, StepResult::Interrupted, 0));
                continue;
            }
            return with_kernel(|kernel| {
                if kernel.end_of(descriptor.0).is_none() {
                    kernel.note(&parked, StepResult::BadDescriptor, 0);
                    return Err(bad_descriptor());
                }
                let ready = !kernel.finds_nothing(&parked, grant);
                let result = if ready { StepResult::Ready } else { StepResult::Unavailable };
                kernel.note(&parked, result, 0);
                Ok(ready)
            });
        }
    }

    async fn close(&self, descriptor: &DescriptorNumber, site: Site) -> io::Result<()> {
        let request = Request::Close { descriptor: descriptor.0 };
        immediate(request, site, |kernel| kernel.close_descriptor(descriptor.0)).await;
        Ok(())
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
        with_kernel(|kernel| {
            kernel.monitors.push(Monitor::default());
            MonitorName(kernel.monitors.len() - 1)
        })
    }

    async fn monitor_lock(&self, monitor: &MonitorName, site: Site) {
        let (parked, _) = park(Request::MonitorLock { monitor: monitor.0 }, site).await;
        with_kernel(|kernel| {
            kernel.monitors[monitor.0].locked_by = Some(kernel.current);
            kernel.note(&parked, StepResult::Done, 0);
        });
    }

    async fn monitor_unlock(&self, monitor: &MonitorName, site: Site) {
        let request = Request::MonitorUnlock { monitor: monitor.0 };
        immediate(request, site, |kernel| kernel.monitors[monitor.0].locked_by = None).await;
    }

    async fn monitor_wait(&self, monitor: &MonitorName, site: Site, wake: Site) {
        immediate(Request::MonitorSleep { monitor: monitor.0 }, site, |kernel| {
            let current = kernel.current;
            let monitor = &mut kernel.monitors[monitor.0];
            monitor.locked_by = None;
            monitor.sleepers.push_back((current, false));
        })
        .await;
        let (parked, _) = park(Request::MonitorWake { monitor: monitor.0 }, wake).await;
        with_kernel(|kernel| {
            let current = kernel.current;
            let monitor = &mut kernel.monitors[monitor.0];
            monitor.locked_by = Some(current);
            monitor.sleepers.retain(|&(sleeper, _)| sleeper != current);
            kernel.note(&parked, StepResult::Done, 0);
        });
    }

    async fn monitor_notify(&self, monitor: &MonitorName, site: Site) {
        immediate(Request::MonitorNotify { monitor: monitor.0 }, site, |kernel| {
            let sleepers = &mut kernel.monitors[monitor.0].sleepers;
            if let Some((_, notified)) = sleepers.iter_mut().find(|(_, notified)| !notified) {
                *notified = true;
            }
        })
        .await;
    }

    async fn thread_start<F, B>(&self, name: &str, body: F, site: Site) -> io::Result<ThreadName>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static,
    {
        let (parked, _) = park(Request::ThreadStart, site).await;
        let future: LaneFuture = Box::pin(async move { body().await });
        Ok(LOCAL.with_borrow_mut(|local| {
            local.kernel.note(&parked, StepResult::Done, 0);
            let lane = local.kernel.new_thread(name);
            local.spawned.push((lane, future));
            ThreadName(lane)
        }))
    }

    async fn thread_join(&self, thread: &ThreadName, site: Site) {
        let (parked, _) = park(Request::ThreadJoin { lane: thread.0 }, site).await;
        with_kernel(|kernel| kernel.note(&parked, StepResult::Done, 0));
    }

    async fn process_start(&self, start: &Start, site: Site) -> io::Result<ProcessName> {
        let (parked, _) = park(Request::ProcessStart, site).await;
        // A closed descriptor's name is no number of an open one, so that inheriting it fails.
        let descriptors: Vec<usize> = start
            .inherit
            .iter()
            .filter(|exported| exported.descriptor != NO_DESCRIPTOR)
            .map(|exported| usize::try_from(exported.descriptor).unwrap_or(usize::MAX))
            .collect();
        let (child, launch) = LOCAL.with_borrow_mut(|local| {
            let kernel = &mut local.kernel;
            let found = kernel.processes.iter().position(|entry| entry.name == start.worker);
            let child = ProcessId(count(found.ok_or_else(bad_descriptor)?) as u8);
            match kernel.inherit(child, &descriptors) {
                Ok(()) => kernel.note(&parked, StepResult::Done, 0),
                Err(error) => {
                    kernel.note(&parked, StepResult::BadDescriptor, 0);
                    return Err(error);
                }
            }
            Ok((child, local.launch.ok_or_else(bad_descriptor)?))
        })?;
        let future = launch(child, start);
        LOCAL.with_borrow_mut(|local| {
            let lane = local.kernel.main_lane(child);
            local.spawned.push((lane, future));
        });
        Ok(ProcessName(child))
    }

    async fn process_wait(
        &self,
        process: &ProcessName,
        wait: Wait,
        site: Site,
    ) -> io::Result<Option<real::Exit>> {
        loop {
            let request = Request::ProcessWait { process: process.0, wait };
            let (parked, grant) = park(request, site).await;
            if grant == Grant::Interrupted {
                with_kernel(|kernel| kernel.note(&parked, StepResult::Interrupted, 0));
                continue;
            }
            return Ok(with_kernel(|kernel| {
                let exit = if grant == Grant::Expired { None } else { kernel.reap(process.0) };
                let result =
                    if exit.is_some() { StepResult::Done } else { StepResult::Unavailable };
                kernel.note(&parked, result, 0);
                exit.map(exit_of)
            }));
        }
    }

    async fn process_signal(
        &self,
        process: &ProcessName,
        signal: real::Signal,
        site: Site,
    ) -> io::Result<()> {
        let request = Request::ProcessSignal { process: process.0 };
        immediate(request, site, |kernel| kernel.signal(process.0, signal_of(signal))).await;
        Ok(())
    }

    async fn process_exit(&self, code: i32, site: Site) -> Infallible {
        immediate(Request::ProcessExit, site, |kernel| {
            // The low eight bits, as on Linux (LC4).
            kernel.exit(code.to_le_bytes()[0]);
        })
        .await;
        std::future::pending().await
    }
}

impl Kernel {
    /// The lane of a new thread of the current process: the one that the program names so, or
    /// one more at the end.
    fn new_thread(&mut self, name: &str) -> LaneId {
        let process = self.process_of(self.current);
        let prefix = self.process_name(process).len() + 1;
        let found = self.lanes.iter().position(|lane| {
            lane.process == process && !lane.begun && lane.name.get(prefix..) == Some(name)
        });
        let index = found.unwrap_or_else(|| self.add_lane(process, name));
        self.lanes[index].begun = true;
        LaneId(count(index) as u8)
    }

    fn main_lane(&mut self, process: ProcessId) -> LaneId {
        let found = self.lanes.iter().position(|lane| lane.process == process);
        let index = found.unwrap_or_default();
        self.lanes[index].begun = true;
        LaneId(count(index) as u8)
    }
}
