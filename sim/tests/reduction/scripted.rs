//! A subject whose every put is a drawn list of steps on the kernel's objects, each of whose answers
//! is a part of the result: what a step touches and does not say would show in the ends.

use std::cell::RefCell;
use std::io;

use midput_model::program::Outcome;
use midput_real::os::{Exported, Os, SemaphoreSpecification, Site, Wait};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;
use midput_sim::kernel::{Cells, SimulatedOs};
use midput_sim::schedule::Random;
use midput_sim::subject::{Parameters, Subject};

/// One step of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Takes from a semaphore.
    Take(usize, Patience),
    /// Gives to it.
    Give(usize),
    /// Asks for its value.
    Value(usize),
    /// Writes so many bytes into the pipe.
    Write(usize),
    /// Reads up to so many.
    Read(usize),
    /// Asks whether there are any.
    Poll(Patience),
    /// Closes the reading end, or the writing one.
    Close(bool),
    /// Locks the process's lock, sleeps or not, and unlocks.
    Lock { sleeps: bool },
    /// Wakes a sleeper, without the lock.
    Notify,
    /// Reads or writes the process's own memory.
    Memory,
}

/// How long a step waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Forever,
    Try,
    Briefly,
}

/// Draws a step of a script.
pub(crate) fn draw(random: &mut Random) -> Op {
    let patience =
        [Patience::Forever, Patience::Try, Patience::Briefly, Patience::Forever][random.below(4)];
    let semaphore = random.below(2);
    match random.below(16) {
        0..3 => Op::Take(semaphore, patience),
        3..6 => Op::Give(semaphore),
        6 => Op::Value(semaphore),
        7 | 8 => Op::Write([1, 10, 4096, 5000][random.below(4)]),
        9 | 10 => Op::Read([1, 4096, 9000][random.below(3)]),
        11 => Op::Poll(patience),
        12 => Op::Close(random.below(2) == 0),
        13 | 14 => {
            let [lock, sleep] = [false, true].map(|sleeps| Op::Lock { sleeps });
            [lock, Op::Notify, sleep][random.below(3)]
        }
        _ => Op::Memory,
    }
}

thread_local! {
    /// The scripts of the program that is searched, by the length of the item less one.
    pub(crate) static SCRIPTS: RefCell<Vec<Vec<Op>>> = const { RefCell::new(Vec::new()) };
    /// A number in each process's own memory, which both its lanes change.
    static MEMORY: RefCell<[u32; 4]> = const { RefCell::new([0; 4]) };
}

type Semaphore = <SimulatedOs as Os>::Semaphore;
type Descriptor = <SimulatedOs as Os>::Descriptor;
type Monitor = <SimulatedOs as Os>::Monitor;

#[derive(Clone)]
pub(crate) struct Scripted {
    semaphores: [Semaphore; 2],
    reader: Descriptor,
    writer: Descriptor,
    monitor: Monitor,
    process: usize,
}

impl Subject<SimulatedOs> for Scripted {
    fn create(_: &ThisProcess<SimulatedOs>, parameters: &Parameters<'_>) -> io::Result<Self> {
        MEMORY.set([0; 4]);
        let maximum = parameters.queue.maxsize;
        let semaphores = SimulatedOs.semaphores([
            SemaphoreSpecification { role: "first", value: 1, maximum },
            SemaphoreSpecification { role: "second", value: 0, maximum: 2 },
        ])?;
        let (reader, writer) = SimulatedOs.pipe()?;
        Ok(Self { semaphores, reader, writer, monitor: SimulatedOs.monitor(), process: 0 })
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        let mut all: Vec<_> =
            self.semaphores.iter().map(|it| SimulatedOs.export_semaphore(it)).collect();
        for end in [&self.reader, &self.writer] {
            all.push(SimulatedOs.export_descriptor(end)?);
        }
        Ok(all)
    }

    fn attach(
        _: &ThisProcess<SimulatedOs>,
        _: &Parameters<'_>,
        all: &[Exported],
    ) -> io::Result<Self> {
        Ok(Self {
            semaphores: [
                SimulatedOs.import_semaphore(all[0])?,
                SimulatedOs.import_semaphore(all[1])?,
            ],
            reader: SimulatedOs.import_descriptor(all[2])?,
            writer: SimulatedOs.import_descriptor(all[3])?,
            monitor: SimulatedOs.monitor(),
            process: 1,
        })
    }

    fn memory(_: &str, step: &'static str) -> Cells {
        match step {
            "memory" => Cells(0b10),
            "step" | "wake" => Cells::NONE,
            _ => Cells(0b01),
        }
    }

    async fn put(&self, payload: Vec<u8>, _: Timeout) -> Result<(), Outcome> {
        let script = SCRIPTS.with_borrow(|all| all[payload.len() - 1].clone());
        let mut told = 17_u32;
        for op in script {
            told = told.wrapping_mul(31).wrapping_add(self.step(op).await);
        }
        Err(Outcome::Number(told))
    }

    async fn get(&self, _: Timeout) -> Result<Vec<u8>, Outcome> {
        Err(Outcome::Failed)
    }
}

impl Scripted {
    /// Does a step, and says what it answered.
    async fn step(&self, op: Op) -> u32 {
        let (os, site) = (SimulatedOs, Site::new("step"));
        match op {
            Op::Take(semaphore, patience) => {
                let wait = wait(patience);
                let taken = os.semaphore_wait(&self.semaphores[semaphore], wait, site).await;
                taken.map_or(2, u32::from)
            }
            Op::Give(semaphore) => {
                let given = os.semaphore_post(&self.semaphores[semaphore], site).await;
                u32::from(given.is_ok())
            }
            Op::Value(semaphore) => {
                os.semaphore_value(&self.semaphores[semaphore], site).await.unwrap_or(9)
            }
            Op::Write(bytes) => {
                let written = os.write(&self.writer, &vec![7; bytes], site).await;
                written.map_or(1_000_000, |bytes| bytes as u32)
            }
            Op::Read(bytes) => {
                let read = os.read(&self.reader, &mut vec![0; bytes], site).await;
                read.map_or(1_000_000, |bytes| bytes as u32)
            }
            Op::Poll(patience) => {
                os.poll(&self.reader, wait(patience), site).await.map_or(2, u32::from)
            }
            Op::Close(reads) => {
                let end = if reads { &self.reader } else { &self.writer };
                u32::from(os.close(end, site).await.is_ok())
            }
            Op::Notify => {
                os.monitor_notify(&self.monitor, site).await;
                3
            }
            Op::Lock { sleeps } => {
                os.monitor_lock(&self.monitor, site).await;
                if sleeps {
                    os.monitor_wait(&self.monitor, site, Site::new("wake")).await;
                }
                os.monitor_unlock(&self.monitor, site).await;
                3
            }
            Op::Memory => {
                os.point(Site::new("memory")).await;
                MEMORY.with_borrow_mut(|memory| {
                    memory[self.process] = memory[self.process].wrapping_mul(3).wrapping_add(1);
                    memory[self.process]
                })
            }
        }
    }
}

fn wait(patience: Patience) -> Wait {
    match patience {
        Patience::Forever => Wait::Forever,
        Patience::Try => Wait::Try,
        Patience::Briefly => Wait::Until(SimulatedOs.now() + std::time::Duration::from_millis(5)),
    }
}
