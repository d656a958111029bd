//! Runs that madsim schedules: whoever it polls first among those that are ready goes on.

use std::sync::Arc;

use madsim::Config;
use madsim::rand::{Rng, thread_rng};
use madsim::runtime::Runtime;
use midput_model::os::process::ProcessState;
use midput_model::program::{LaneId, ProcessId, Program, Signal};
use midput_sim::check::Observers;
use midput_sim::host::{
    Alternative, Directives, Ending, Engine, Memory, Ran, Settings, Turn, prepare,
};
use midput_sim::kernel::{Kernel, Layout, SimulatedOs};
use midput_sim::schedule::Replay;
use midput_sim::subject::Subject;

use crate::host::begin_started;
use crate::lanes::Lanes;

/// The kills of a run; madsim's seed draws whom, by what and when.
#[derive(Clone, Debug, Default)]
pub struct Kills {
    /// Whom.
    pub victims: Vec<ProcessId>,
    /// By which signals.
    pub signals: Vec<Signal>,
    /// How many.
    pub number: u8,
    /// Each is due at a step among the first so many, and lands when madsim comes to it.
    pub steps_max: u64,
}

/// Runs `program` with subject `Q` once, as madsim schedules it from `seed`: every lane is a task
/// that does its step when madsim polls it and the kernel can, and else waits for something to
/// change. Time is patient: it passes where nobody is ready.
pub fn run_as_madsim_schedules<Q: Subject<SimulatedOs>>(
    program: &Arc<Program>,
    seed: u64,
    kills: &Kills,
    observers: &mut Observers,
) -> Ran {
    let main = match prepare::<Q>(program, &Arc::new(Layout::of(program))) {
        Ok(main) => main,
        Err(error) => return Ran { ending: Ending::Setup(error.to_string()), steps: 0 },
    };
    // The engine carries out what madsim decides: it asks no strategy.
    let (mut memory, mut never_asked) = (Memory::default(), Replay::new(Vec::new()));
    let (mut none, settings) = (Directives::default(), Settings::default());
    let mut engine = Engine::new(&mut memory, &mut never_asked, &mut none, observers, settings);
    Runtime::with_seed_and_config(seed, Config::default()).block_on(async move {
        let mut lanes = Lanes::new();
        add_deaths(&mut lanes, program);
        add_kills(&mut lanes, kills);
        let ended = lanes.start(LaneId(0), main).await;
        engine.polled(LaneId(0), ended);
        engine.begin();
        loop {
            let alternative = lanes.offer().await.unwrap_or(Alternative::Pass);
            match engine.happens(alternative) {
                Turn::Over => break,
                Turn::Started => lanes.kill_the_dead(),
                Turn::Poll(lane) => {
                    lanes.kill_the_dead();
                    let ended = lanes.step(lane).await;
                    engine.polled(lane, ended);
                    begin_started(&mut engine, &mut lanes).await;
                }
            }
        }
        let (ending, steps) = engine.over();
        lanes.end().await;
        Ran { ending, steps }
    })
}

/// A process that was sent a signal dies of it when madsim comes to it.
fn add_deaths(lanes: &mut Lanes, program: &Program) {
    for process in (0u8..).take(program.processes.len()).map(ProcessId) {
        lanes.volunteer(move |kernel, _| {
            let dying = matches!(kernel.process_state(process), ProcessState::Dying(_));
            dying.then_some(Alternative::Die(process))
        });
    }
}

fn add_kills(lanes: &mut Lanes, kills: &Kills) {
    for _ in 0..kills.number {
        let victim = kills.victims[thread_rng().gen_range(0..kills.victims.len())];
        let signal = kills.signals[thread_rng().gen_range(0..kills.signals.len())];
        let moment = thread_rng().gen_range(0..=kills.steps_max);
        let mut done = false;
        lanes.volunteer(move |kernel: &Kernel, steps| {
            let lands = !done && steps >= moment && kernel.process_state(victim).is_alive();
            done |= lands;
            lands.then_some(Alternative::KillHere(victim, signal))
        });
    }
}
