//! The host that users run: it polls pinned futures in a loop, without a thread or a waker.

use std::cell::RefCell;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Waker};

use midput_model::program::{LaneId, Operation, Outcome, ProcessId, Program};
use midput_real::os::{Os, Site, Start};

use super::directive::Directives;
use super::engine::Memory as RunMemory;
use super::engine::{Ending, Engine, Settings, Turn};
use crate::check::Observers;
use crate::kernel::{
    LaneFuture, Layout, Memory, SimulatedOs, set_launch, take_spawned, with_kernel,
};
use crate::schedule::Strategy;
use crate::script::{Script, Stage};
use crate::subject::Subject;

/// What a run was.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub ending: Ending,
    /// Steps done.
    pub steps: u64,
}

thread_local! {
    static PROGRAM: RefCell<Option<Arc<Program>>> = const { RefCell::new(None) };
}

impl Stage for SimulatedOs {
    fn call(&self, lane: LaneId, operation: Operation) {
        with_kernel(|kernel| kernel.call(lane, operation));
    }

    fn returned(&self, lane: LaneId, outcome: Outcome) {
        with_kernel(|kernel| kernel.returned(lane, outcome));
    }

    fn leaving(&self, process: ProcessId) {
        with_kernel(|kernel| kernel.leaving(process));
    }

    fn directory(&self) -> PathBuf {
        PathBuf::new()
    }

    async fn await_death(&self, process: ProcessId, or_asked: bool) {
        SimulatedOs::await_death(*self, process, or_asked).await;
    }
}

/// The body of a process that the simulation starts.
fn launch<Q: Subject<SimulatedOs>>(_: ProcessId, start: &Start) -> LaneFuture {
    let program = PROGRAM.with_borrow(Option::clone).unwrap_or_default();
    match Script::<SimulatedOs, Q>::child(SimulatedOs, program, &start.argument) {
        Ok(script) => Box::pin(script.run_main()),
        // A child that cannot take up its queues ends at once with code 1.
        Err(_) => Box::pin(async {
            SimulatedOs.process_exit(1, Site::new("exit")).await;
        }),
    }
}

/// Makes the kernel of this thread ready for a run of `program` with subject `Q`, and gives the
/// body of its first lane, `P0.main`.
///
/// # Errors
/// What the subject says where it cannot make its queues.
pub fn prepare<Q: Subject<SimulatedOs>>(
    program: &Arc<Program>,
    layout: &Arc<Layout>,
) -> std::io::Result<LaneFuture> {
    prepare_kernel(layout);
    set_launch(launch::<Q>);
    with_kernel(|kernel| kernel.memory = Memory(Q::memory));
    PROGRAM.set(Some(Arc::clone(program)));
    let script = Script::<SimulatedOs, Q>::first(SimulatedOs, Arc::clone(program))?;
    Ok(Box::pin(script.run_main()))
}

fn prepare_kernel(layout: &Arc<Layout>) {
    while take_spawned().is_some() {}
    with_kernel(|kernel| {
        kernel.reset(layout);
        kernel.memory = Memory::UNKNOWN;
        kernel.begin_lane(LaneId(0));
    });
}

/// Runs programs, one after the other, keeping its memory between runs.
#[derive(Default)]
pub struct Host {
    futures: Vec<Option<LaneFuture>>,
    memory: RunMemory,
    /// The layout of the program that was run last.
    layout: Option<(Arc<Program>, Arc<Layout>)>,
    /// That of bodies of one's own.
    one_process: Option<Arc<Layout>>,
}

impl Host {
    /// Runs `program` with subject `Q` once.
    pub fn run<Q: Subject<SimulatedOs>>(
        &mut self,
        program: &Arc<Program>,
        strategy: &mut dyn Strategy,
        directives: &mut Directives,
        observers: &mut Observers,
        settings: Settings,
    ) -> Ran {
        self.futures.clear();
        let layout = self.layout_of(program);
        match prepare::<Q>(program, &layout) {
            Ok(main) => self.run_prepared(main, strategy, directives, observers, settings),
            Err(error) => Ran { ending: Ending::Setup(error.to_string()), steps: 0 },
        }
    }

    /// Runs a body of one's own once, as the main lane of one process: it uses
    /// [`SimulatedOs`] for semaphores, local locks, pipes and threads, and asserts what it likes.
    /// The run is over when nothing more can happen, whoever has ended.
    ///
    /// A panic of the body comes out of this call; the host can be used on.
    ///
    /// ```
    /// use midput_real::os::{Os, SemaphoreSpecification, Site, Wait};
    /// use midput_sim::check::Observers;
    /// use midput_sim::host::{Directives, Ending, Host, Settings};
    /// use midput_sim::kernel::SimulatedOs;
    /// use midput_sim::schedule::Random;
    ///
    /// async fn main() {
    ///     let os = SimulatedOs;
    ///     let [ready] = os
    ///         .semaphores([SemaphoreSpecification { role: "ready", value: 0, maximum: 1 }])
    ///         .unwrap();
    ///     let body = move || async move {
    ///         os.semaphore_post(&ready, Site::new("ready.post")).await.unwrap();
    ///     };
    ///     os.thread_start("T", body, Site::new("thread.start")).await.unwrap();
    ///     assert!(os.semaphore_wait(&ready, Wait::Forever, Site::new("ready.wait")).await.unwrap());
    /// }
    ///
    /// let mut host = Host::default();
    /// for case in 0..100 {
    ///     let ran = host.run_body(
    ///         main(),
    ///         &mut Random::new(7, case),
    ///         &mut Directives::default(),
    ///         &mut Observers::default(),
    ///         Settings::default(),
    ///     );
    ///     assert!(matches!(ran.ending, Ending::AllEnded));
    /// }
    /// ```
    pub fn run_body(
        &mut self,
        main: impl Future<Output = ()> + 'static,
        strategy: &mut dyn Strategy,
        directives: &mut Directives,
        observers: &mut Observers,
        settings: Settings,
    ) -> Ran {
        self.futures.clear();
        let layout = self.one_process.get_or_insert_with(|| Arc::new(Layout::one_process()));
        prepare_kernel(layout);
        let mut ran = self.run_prepared(Box::pin(main), strategy, directives, observers, settings);
        // A body returns, it does not exit: its process has ended once all its lanes have.
        let ended = with_kernel(|kernel| kernel.lanes_ended());
        if matches!(ran.ending, Ending::Stuck) && ended {
            ran.ending = Ending::AllEnded;
        }
        ran
    }

    fn layout_of(&mut self, program: &Arc<Program>) -> Arc<Layout> {
        match &self.layout {
            Some((of, layout)) if Arc::ptr_eq(of, program) => Arc::clone(layout),
            _ => {
                let layout = Arc::new(Layout::of(program));
                self.layout = Some((Arc::clone(program), Arc::clone(&layout)));
                layout
            }
        }
    }

    /// Runs what was [prepared](prepare).
    fn run_prepared(
        &mut self,
        main: LaneFuture,
        strategy: &mut dyn Strategy,
        directives: &mut Directives,
        observers: &mut Observers,
        settings: Settings,
    ) -> Ran {
        let (futures, memory) = (&mut self.futures, &mut self.memory);
        let mut engine = Engine::new(memory, strategy, directives, observers, settings);
        place(futures, LaneId(0), main);
        let mut context = Context::from_waker(Waker::noop());
        poll(futures, LaneId(0), &mut engine, &mut context);
        engine.begin();
        loop {
            match engine.turn() {
                Turn::Poll(lane) => poll(futures, lane, &mut engine, &mut context),
                Turn::Started => {
                    while let Some((lane, future)) = take_spawned() {
                        place(futures, lane, future);
                        engine.begins(lane);
                        poll(futures, lane, &mut engine, &mut context);
                    }
                }
                Turn::Over => break,
            }
        }
        let (ending, steps) = engine.over();
        self.futures.clear();
        Ran { ending, steps }
    }

    /// The choices of the last run.
    pub fn choices(&self) -> &[super::Choice] {
        &self.memory.choices
    }

    /// The choices of the last run as a case keeps them: the position and what stood there.
    pub fn recorded(&self) -> Vec<(usize, String)> {
        with_kernel(|kernel| {
            let choices = self.memory.choices.iter();
            choices.map(|choice| (choice.index, choice.text(kernel))).collect()
        })
    }
}

fn place(futures: &mut Vec<Option<LaneFuture>>, lane: LaneId, future: LaneFuture) {
    let index = usize::from(lane.0);
    if futures.len() <= index {
        futures.resize_with(index + 1, || None);
    }
    futures[index] = Some(future);
}

/// Polls a lane once: it does its step and goes on to its next.
#[inline(always)]
fn poll(
    futures: &mut [Option<LaneFuture>],
    lane: LaneId,
    engine: &mut Engine<'_>,
    context: &mut Context<'_>,
) {
    let Some(future) = futures.get_mut(usize::from(lane.0)) else { return };
    let Some(body) = future else { return };
    let ended = body.as_mut().poll(context).is_ready();
    if ended {
        *future = None;
    }
    engine.polled(lane, ended);
}
