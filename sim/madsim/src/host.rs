//! Runs that an engine decides, polled by madsim.

use std::sync::Arc;

use madsim::Config;
use madsim::runtime::Runtime;
use midput_model::program::{LaneId, Program};
use midput_sim::check::Observers;
use midput_sim::host::{Choice, Directives, Ending, Engine, Memory, Ran, Settings, Turn, prepare};
use midput_sim::kernel::{Layout, SimulatedOs, take_spawned};
use midput_sim::schedule::Strategy;
use midput_sim::subject::Subject;

use crate::lanes::Lanes;

/// Runs programs as `midput_sim::host::Host` does, on madsim's executor.
#[derive(Debug)]
pub struct MadsimHost {
    seed: u64,
    memory: Memory,
}

impl MadsimHost {
    /// A host of which madsim draws from `seed`: when it drops the futures of the dead, for one. No
    /// run shows it.
    pub fn new(seed: u64) -> Self {
        Self { seed, memory: Memory::default() }
    }

    /// Runs `program` with subject `Q` once.
    pub fn run<Q: Subject<SimulatedOs>>(
        &mut self,
        program: &Arc<Program>,
        strategy: &mut dyn Strategy,
        directives: &mut Directives,
        observers: &mut Observers,
        settings: Settings,
    ) -> Ran {
        let main = match prepare::<Q>(program, &Arc::new(Layout::of(program))) {
            Ok(main) => main,
            Err(error) => return Ran { ending: Ending::Setup(error.to_string()), steps: 0 },
        };
        let mut engine = Engine::new(&mut self.memory, strategy, directives, observers, settings);
        Runtime::with_seed_and_config(self.seed, Config::default()).block_on(async move {
            let mut lanes = Lanes::new();
            let ended = lanes.start(LaneId(0), main).await;
            engine.polled(LaneId(0), ended);
            engine.begin();
            go_on(&mut engine, &mut lanes).await;
            let (ending, steps) = engine.over();
            lanes.end().await;
            Ran { ending, steps }
        })
    }

    /// The choices of the last run.
    pub fn choices(&self) -> &[Choice] {
        &self.memory.choices
    }
}

async fn go_on(engine: &mut Engine<'_>, lanes: &mut Lanes) {
    loop {
        match engine.turn() {
            Turn::Poll(lane) => {
                lanes.kill_the_dead();
                let ended = lanes.step(lane).await;
                engine.polled(lane, ended);
            }
            Turn::Started => begin_started(engine, lanes).await,
            Turn::Over => return,
        }
    }
}

/// Begins the lanes that the last step has started.
pub(crate) async fn begin_started(engine: &mut Engine<'_>, lanes: &mut Lanes) {
    while let Some((lane, body)) = take_spawned() {
        engine.begins(lane);
        let ended = lanes.start(lane, body).await;
        engine.polled(lane, ended);
    }
}
