//! Carries out a program with a subject: the same code in every world.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use midput_model::program::{
    LaneId, Operation, Outcome, ProcessId, Program, QueueId, Signal, Timeout,
};
use midput_real::os::Os;
use midput_real::process::{Process, ThisProcess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::payload;
use crate::subject::{Parameters, Subject};

/// What a world offers to the lanes of a program beyond the operating system.
pub trait Stage: Os {
    /// A lane begins an operation.
    fn call(&self, lane: LaneId, operation: Operation);
    /// The lane's operation has ended.
    fn returned(&self, lane: LaneId, outcome: Outcome);
    /// A process begins to leave.
    fn leaving(&self, process: ProcessId);
    /// A folder of this run alone, where sockets may be.
    fn directory(&self) -> PathBuf;
    /// Waits until a process of the program is dead, whoever started it (step `await-death`), or,
    /// where the lane heeds that, until its own process is asked to leave.
    fn await_death(&self, process: ProcessId, or_asked: bool) -> impl Future<Output = ()>;
}

/// One process of a program while it runs.
pub(crate) struct Script<S: Stage, Q: Subject<S>> {
    stage: S,
    program: Arc<Program>,
    process: ProcessId,
    this: ThisProcess<S>,
    queues: Vec<Q>,
    /// By process, once one was started from here.
    children: Mutex<Vec<Option<Process<S>>>>,
}

/// The queues of a program on their way to a child.
struct Passed<'a, S: Stage, Q: Subject<S>> {
    process: ProcessId,
    queues: &'a [Q],
    stage: std::marker::PhantomData<S>,
}

impl<S: Stage, Q: Subject<S>> Serialize for Passed<'_, S, Q> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut exported = Vec::with_capacity(self.queues.len());
        for queue in self.queues {
            let objects = queue.exported().map_err(serde::ser::Error::custom)?;
            midput_real::process::inherit(&objects).map_err(serde::ser::Error::custom)?;
            exported.push(objects);
        }
        (self.process, exported).serialize(serializer)
    }
}

/// What a child receives: which process it is, and the names of every queue's objects.
struct Received(ProcessId, Vec<Vec<midput_real::os::Exported>>);

impl<'de> Deserialize<'de> for Received {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (process, exported) = Deserialize::deserialize(deserializer)?;
        Ok(Self(process, exported))
    }
}

impl<S: Stage, Q: Subject<S>> Script<S, Q> {
    /// The main process, which makes the queues.
    pub(crate) fn first(stage: S, program: Arc<Program>) -> std::io::Result<Arc<Self>> {
        let this = ThisProcess::new(stage);
        let directory = stage.directory();
        let queues = (0u8..).zip(&program.queues).map(|(index, queue)| {
            let feeder = program.feeder_name(QueueId(index));
            Q::create(&this, &Parameters { queue, feeder: &feeder, directory: &directory })
        });
        let queues = queues.collect::<Result<_, _>>()?;
        Ok(Self::new(stage, program, ProcessId(0), this, queues))
    }

    /// A process that was started with this argument.
    pub(crate) fn child(
        stage: S,
        program: Arc<Program>,
        argument: &[u8],
    ) -> Result<Arc<Self>, midput_real::codec::CodecError> {
        let this = ThisProcess::new(stage);
        let Received(process, exported) = this.decode_argument(argument)?;
        let directory = stage.directory();
        let queues = (0u8..).zip(&program.queues).zip(&exported);
        let queues = queues.map(|((index, queue), objects)| {
            let feeder = program.feeder_name(QueueId(index));
            let parameters = Parameters { queue, feeder: &feeder, directory: &directory };
            Q::attach(&this, &parameters, objects)
        });
        let queues = queues.collect::<Result<_, _>>()?;
        Ok(Self::new(stage, program, process, this, queues))
    }

    fn new(
        stage: S,
        program: Arc<Program>,
        process: ProcessId,
        this: ThisProcess<S>,
        queues: Vec<Q>,
    ) -> Arc<Self> {
        Arc::new(Self { stage, program, process, this, queues, children: Mutex::default() })
    }

    /// The main lane: its operations, then leaving the process.
    pub(crate) fn run_main(self: Arc<Self>) -> impl Future<Output = ()> {
        self.run_lane(0)
    }

    /// The operations of one lane, in order; the main lane then leaves the process, with the code
    /// that its last operation asks for.
    // One body for all of it: a lane that steps comes through every future that waits for another.
    async fn run_lane(self: Arc<Self>, index: u8) {
        if index == 0 && self.process == ProcessId(0) {
            for queue in &self.queues {
                queue.begin().await;
            }
        }
        let lane = self.program.lane_of(self.process, index);
        let process = &self.program.processes[usize::from(self.process.0)];
        let mut code = 0;
        let mut instructions = process.lanes[usize::from(index)].instructions.iter();
        // A handler runs in the main thread.
        let heeds = index == 0 && process.leaves_on_terminate;
        if heeds && self.this.leave_on_terminate().await.is_err() {
            (code, instructions) = (1, [].iter());
        }
        'lane: for instruction in instructions {
            if let Some(process) = instruction.after {
                self.stage.await_death(process, heeds).await;
            }
            if heeds && self.this.asked_to_leave().await {
                break;
            }
            let operation = instruction.operation;
            match operation {
                Operation::Exit { code: asked } => {
                    self.stage.call(lane, operation);
                    code = asked;
                    break;
                }
                Operation::ExitNow { code } => {
                    self.stage.call(lane, operation);
                    match self.this.exit_now(i32::from(code)).await {}
                }
                _ => {}
            }
            loop {
                self.stage.call(lane, operation);
                let outcome = match operation.queue() {
                    Some(queue) => self.operate_queue(queue, operation).await,
                    None => self.operate(operation).await,
                };
                self.stage.returned(lane, outcome);
                if instruction.until.is_none_or(|until| until == outcome) {
                    break;
                }
                if heeds && self.this.asked_to_leave().await {
                    break 'lane;
                }
            }
        }
        if index == 0 {
            self.stage.leaving(self.process);
            self.this.exit(i32::from(code)).await;
        }
    }

    async fn operate(self: &Arc<Self>, operation: Operation) -> Outcome {
        match operation {
            Operation::Start { process } => self.start(process).await,
            Operation::Join { process, timeout } => match self.child_of(process) {
                Some(child) => done(child.join(timeout_of(timeout)).await),
                None => Outcome::Failed,
            },
            Operation::Signal { process, signal } => match self.child_of(process) {
                Some(child) if signal == Signal::Terminate => done(child.terminate().await),
                Some(child) => done(child.kill().await),
                None => Outcome::Failed,
            },
            Operation::Thread { lane } => self.start_thread(lane).await,
            Operation::IsAlive { process } => match self.child_of(process) {
                Some(child) => child.is_alive().await.map_or(Outcome::Failed, Outcome::Bool),
                None => Outcome::Failed,
            },
            _ => Outcome::Failed,
        }
    }

    async fn operate_queue(&self, queue: QueueId, operation: Operation) -> Outcome {
        let queue = &self.queues[usize::from(queue.0)];
        let outcome = match operation {
            Operation::Put { item, timeout, .. } => {
                let bytes = self.program.items[usize::from(item.0)].bytes;
                let payload = payload::make(item, bytes);
                queue.put(payload, timeout_of(timeout)).await.map(|()| Outcome::Done)
            }
            Operation::Get { timeout, .. } => {
                let got = queue.get(timeout_of(timeout)).await;
                got.map(|payload| payload::identify(&self.program, &payload))
            }
            Operation::Size { .. } => queue.qsize().await.map(Outcome::Number),
            Operation::Empty { .. } => queue.empty().await.map(Outcome::Bool),
            Operation::Full { .. } => queue.full().await.map(Outcome::Bool),
            Operation::Close { .. } => queue.close().await.map(|()| Outcome::Done),
            Operation::CloseReader { .. } => queue.close_reader().await.map(|()| Outcome::Done),
            Operation::CloseWriter { .. } => queue.close_writer().await.map(|()| Outcome::Done),
            Operation::ForceRelease { lock, .. } => {
                queue.force_release(lock).await.map(|()| Outcome::Done)
            }
            Operation::JoinThread { .. } => queue.join_thread().await.map(|()| Outcome::Done),
            Operation::TaskDone { .. } => queue.task_done().await.map(|()| Outcome::Done),
            Operation::JoinQueue { .. } => queue.join_queue().await.map(|()| Outcome::Done),
            _ => queue.cancel_join_thread().await.map(|()| Outcome::Done),
        };
        outcome.unwrap_or_else(|outcome| outcome)
    }

    async fn start(&self, process: ProcessId) -> Outcome {
        // The worker of each process has the process's name.
        let entry = &self.program.processes[usize::from(process.0)];
        let worker = &entry.name;
        let passed = Passed { process, queues: &self.queues, stage: std::marker::PhantomData::<S> };
        let started = match entry.daemon {
            true => Process::start_daemon(&self.this, worker, passed).await,
            false => Process::start(&self.this, worker, passed).await,
        };
        match started {
            Ok(child) => {
                let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
                if children.is_empty() {
                    children.resize(self.program.processes.len(), None);
                }
                children[usize::from(process.0)] = Some(child);
                Outcome::Done
            }
            Err(_) => Outcome::HandleClosed,
        }
    }

    fn child_of(&self, process: ProcessId) -> Option<Process<S>> {
        let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.get(usize::from(process.0)).cloned().flatten()
    }

    async fn start_thread(self: &Arc<Self>, lane: LaneId) -> Outcome {
        let index = lane.0 - self.program.lane_of(self.process, 0).0;
        let process = &self.program.processes[usize::from(self.process.0)];
        let name = &process.lanes[usize::from(index)].name;
        let script = Arc::clone(self);
        done(self.this.thread_start(name, move || script.run_lane(index)).await)
    }
}

fn done<T>(result: std::io::Result<T>) -> Outcome {
    result.map_or(Outcome::Failed, |_| Outcome::Done)
}

/// A bound on waiting, in the words of `midput_real`; negative ones are one try (`Q10`).
pub(crate) fn timeout_of(timeout: Timeout) -> midput_real::timeout::Timeout {
    match timeout {
        Timeout::Never => midput_real::timeout::Timeout::Never,
        Timeout::NoWait => midput_real::timeout::Timeout::NoWait,
        Timeout::Milliseconds(milliseconds) => midput_real::timeout::Timeout::After(
            Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)),
        ),
    }
}
