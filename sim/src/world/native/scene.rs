//! One process of a native run from within: its lane, its log, and what befalls it where.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use midput_model::program::{Lane, LaneId, ProcessId, Program, Signal};
use midput_model::step::StepResult;
use midput_real::os::Site;
use midput_scenarios::Place;
use rustix::process::{getpid, kill_process};

use super::record::{Record, StepName, Waits, What};
use super::setup::{Kill, Setup};

static SCENE: OnceLock<Scene> = OnceLock::new();

/// The lane of threads that are none of the program's: a server's. They leave no trace in the log,
/// and no kill finds them.
const NO_LANE: LaneId = LaneId(u8::MAX);

thread_local! {
    static LANE: Cell<LaneId> = const { Cell::new(LaneId(0)) };
    static OCCURRENCES: RefCell<Vec<(&'static str, u32)>> = const { RefCell::new(Vec::new()) };
}

/// What a process of a run is part of.
pub(super) struct Scene {
    pub(super) harness: u32,
    pub(super) setup: Setup,
    pub(super) program: Arc<Program>,
    pub(super) process: ProcessId,
    lanes: Vec<Lane>,
    log: OwnedFd,
    /// The pipes made so far, which are the program's queues in their order.
    pub(super) pipes: AtomicUsize,
    pub(super) monitors: AtomicU32,
    /// The lanes that have begun in this process, one bit for each.
    begun: Mutex<u64>,
}

/// The scene of this process; none where it is no process of a run.
pub(super) fn scene() -> Option<&'static Scene> {
    SCENE.get()
}

/// Enters the scene: this thread is the main lane of its process.
pub(super) fn enter(
    harness: u32,
    setup: Setup,
    process: ProcessId,
    log: OwnedFd,
) -> &'static Scene {
    let program = Arc::new(setup.program.clone());
    let main = program.lane_of(process, 0);
    LANE.set(main);
    SCENE.get_or_init(|| Scene {
        harness,
        lanes: program.lanes(),
        program,
        setup,
        process,
        log,
        pipes: AtomicUsize::new(0),
        monitors: AtomicU32::new(0),
        begun: Mutex::new(1 << main.0),
    })
}

impl Scene {
    /// Writes one record of the lane that runs now. One that cannot be written is missing in the
    /// log, where the harness sees that the step was not done.
    pub(super) fn log(&self, what: What) {
        if LANE.get() == NO_LANE {
            return;
        }
        let record = Record { at: monotonic_nanoseconds(), lane: LANE.get(), what };
        if let Ok(mut line) = serde_json::to_vec(&record) {
            line.push(b'\n');
            let _ = rustix::io::write(&self.log, &line);
        }
    }

    /// The lane of a thread that this process is about to start: the one that the program names
    /// so. A server's threads are none.
    pub(super) fn lane_of_thread(&self, name: &str) -> io::Result<LaneId> {
        let prefix = self.program.processes[usize::from(self.process.0)].name.len() + 1;
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (0u8..).zip(&self.lanes).find(|(index, lane)| {
            let named = lane.name.get(prefix..) == Some(name);
            lane.process == self.process && *begun & (1 << index) == 0 && named
        });
        if found.is_none() && self.program.is_managed() {
            return Ok(NO_LANE);
        }
        let (index, _) = found.ok_or_else(|| {
            io::Error::other(format!("the program has no further lane named '{name}'"))
        })?;
        *begun |= 1 << index;
        Ok(LaneId(index))
    }

    /// A kill of the run lands: this process dies here and now. Where another one is to die, the
    /// harness sees to it, and the lane goes on afterwards.
    fn carry_out(&self, kill: &Kill) {
        self.log(What::Kill { index: kill.index });
        if kill.victim != self.process {
            if let Err(error) = super::os::wait_for_death(self, kill.victim, false) {
                self.log(What::Failed { why: format!("cannot await a death: {error}") });
            }
            return;
        }
        let signal = match kill.signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        let _ = kill_process(getpid(), signal);
        sleep_for_ever()
    }
}

/// Sleeps until the process ends.
pub(super) fn sleep_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// This thread is that lane from now on.
pub(super) fn become_lane(lane: LaneId) {
    LANE.set(lane);
}

/// A step that a lane stands at.
pub(super) struct Step {
    lane: LaneId,
    name: &'static str,
    occurrence: u32,
    offset: u32,
    monitor: Option<u32>,
}

impl Step {
    fn name(&self) -> StepName {
        StepName {
            name: Cow::Borrowed(self.name),
            occurrence: self.occurrence,
            offset: self.offset,
            monitor: self.monitor,
        }
    }
}

/// The lane comes to a step: it dies or is held here where the run says so. `waits` is how long
/// the step may wait, if it may.
pub(super) fn arrive(site: Site, waits: Option<Waits>) -> Step {
    arrive_monitor(site, waits, None, || {})
}

/// [`arrive`] at a step of a process-local lock; `held` comes before the lane sleeps for ever.
pub(super) fn arrive_monitor(
    site: Site,
    waits: Option<Waits>,
    monitor: Option<u32>,
    held: impl FnOnce(),
) -> Step {
    let lane = LANE.get();
    let occurrence = occurrence(site.name, site.offset == 0);
    let offset = count(site.offset);
    let step = Step { lane, name: site.name, occurrence, offset, monitor };
    let Some(scene) = scene() else { return step };
    for kill in &scene.setup.kills {
        let here = kill.target.is_step(lane, site.name, occurrence);
        let due = match kill.place {
            Place::Before => offset == 0,
            Place::At => offset == kill.target.offset,
            Place::Blocked | Place::After => false,
        };
        if here && due {
            scene.carry_out(kill);
        }
    }
    let is_held = |hold: &super::setup::Target| hold.is_step(lane, site.name, occurrence);
    if offset == 0 && scene.setup.holds.iter().any(is_held) {
        let thread = thread_number();
        scene.log(What::Begin { step: step.name(), thread, waits: Waits::Held });
        held();
        sleep_for_ever();
    }
    if let Some(waits) = waits {
        scene.log(What::Begin { step: step.name(), thread: thread_number(), waits });
    }
    step
}

/// How many of `length` bytes a transfer may move, so that a kill inside it finds it there.
pub(super) fn limit(step: &Step, length: usize) -> usize {
    let Some(scene) = scene() else { return length };
    let inside = scene.setup.kills.iter().filter(|kill| {
        kill.place == Place::At
            && kill.target.is_step(step.lane, step.name, step.occurrence)
            && kill.target.offset > step.offset
    });
    let least = inside.map(|kill| (kill.target.offset - step.offset) as usize).min();
    least.map_or(length, |least| least.min(length))
}

/// The lane has done the step. `whole` is false where its transfer goes on.
pub(super) fn done(step: &Step, result: StepResult, whole: bool) {
    let Some(scene) = scene() else { return };
    scene.log(What::Done { step: step.name(), result });
    let here = |kill: &&Kill| {
        kill.place == Place::After && kill.target.is_step(step.lane, step.name, step.occurrence)
    };
    if whole && let Some(kill) = scene.setup.kills.iter().find(here) {
        scene.carry_out(kill);
    }
}

fn occurrence(name: &'static str, begins: bool) -> u32 {
    OCCURRENCES.with_borrow_mut(|occurrences| {
        match occurrences.iter_mut().find(|(known, _)| *known == name) {
            Some((_, occurrence)) => {
                *occurrence += u32::from(begins);
                *occurrence
            }
            None => {
                occurrences.push((name, 1));
                1
            }
        }
    })
}

/// A length as records count it.
pub(super) fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn thread_number() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

fn monotonic_nanoseconds() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000) + u64::try_from(now.tv_nsec).unwrap_or(0)
}
