//! midput's side.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use midput_model::explore::{Limits, explore as explore_machine};
use midput_model::machine::{Machine, Refused};
use midput_model::queue::classic::Time;
use midput_real::os::{Os, SemaphoreSpecification, Site, Wait};
use midput_sim::check::Observers;
use midput_sim::host::{Directives, Ending, Host, Settings};
use midput_sim::kernel::SimulatedOs;
use midput_sim::schedule::Random;
use midput_sim::subject::Classic;
use midput_sim::sweep::machine;

use super::bounded::{Bounded, Lane, State};
use super::work::{Done, InOrder, SEED};

/// Runs W1 so many times with random schedules, on the simulator's kernel.
pub(crate) fn bounded_queue(executions: u64) -> Done {
    let mut host = Host::default();
    let mut observers = Observers::default();
    let mut steps = 0;
    for case in 0..executions {
        let mut random = Random::new(SEED, case);
        let mut directives = Directives::default();
        let settings = Settings::default();
        let ran = host.run_body(body(), &mut random, &mut directives, &mut observers, settings);
        assert!(matches!(ran.ending, Ending::AllEnded), "{:?}", ran.ending);
        steps += ran.steps;
    }
    Done { units: executions, steps: Some(steps) }
}

async fn body() {
    let os = SimulatedOs;
    let semaphore = |role, value| SemaphoreSpecification { role, value, maximum: 2 };
    let [free, filled] = os.semaphores([semaphore("free", 2), semaphore("filled", 0)]).unwrap();
    let mutex = os.monitor();
    let queue = Arc::new(Mutex::new(VecDeque::new()));
    let producer = |name, number: u16| {
        let queue = Arc::clone(&queue);
        let body = move || async move {
            for k in 0..2 {
                let taken = os.semaphore_wait(&free, Wait::Forever, Site::new("free.wait")).await;
                assert!(taken.unwrap());
                os.monitor_lock(&mutex, Site::new("lock")).await;
                queue.lock().unwrap().push_back(number * 100 + k);
                os.monitor_unlock(&mutex, Site::new("unlock")).await;
                os.semaphore_post(&filled, Site::new("filled.post")).await.unwrap();
            }
        };
        os.thread_start(name, body, Site::new("thread.start"))
    };
    let producers = [producer("A", 0).await.unwrap(), producer("B", 1).await.unwrap()];
    let mut in_order = InOrder::default();
    for _ in 0..4 {
        let taken = os.semaphore_wait(&filled, Wait::Forever, Site::new("filled.wait")).await;
        assert!(taken.unwrap());
        os.monitor_lock(&mutex, Site::new("lock")).await;
        let item = queue.lock().unwrap().pop_front().unwrap();
        os.monitor_unlock(&mutex, Site::new("unlock")).await;
        os.semaphore_post(&free, Site::new("free.post")).await.unwrap();
        in_order.take(item);
    }
    for producer in producers {
        os.thread_join(&producer, Site::new("thread.join")).await;
    }
}

/// Runs the equal of W1 on the real classic queue so many times: two producing processes of two
/// items, one consumer of four, `maxsize` 2. With the lockstep check and the guarantees, or without.
pub(crate) fn classic_queue(executions: u64, checked: bool) -> Done {
    let scenario = midput_scenarios::parse("bench/classic-queue", CLASSIC_QUEUE).unwrap();
    let program = Arc::new(scenario.program.clone());
    let machine = Arc::new(machine(&scenario, Time::Patient));
    let mut observers =
        if checked { Observers::new(&program, Some(&machine)) } else { Observers::default() };
    let mut host = Host::default();
    let mut steps = 0;
    for case in 0..executions {
        observers.reset();
        let mut random = Random::new(SEED, case);
        let mut directives = Directives::default();
        let settings = Settings::default();
        let ran = host.run::<Classic<_>>(
            &program,
            &mut random,
            &mut directives,
            &mut observers,
            settings,
        );
        assert!(matches!(ran.ending, Ending::AllEnded), "{:?}", ran.ending);
        assert!(observers.violations().is_empty());
        steps += ran.steps;
    }
    Done { units: executions, steps: Some(steps) }
}

const CLASSIC_QUEUE: &str = r#"
why = "W1 on the real classic queue"
[queue.q]
maxsize = 2
[process.P0]
main = ["start P1", "start P2", "get", "get", "get", "get", "join P1", "join P2"]
[process.P1]
main = ["put a 16B", "put b 16B"]
[process.P2]
main = ["put c 16B", "put d 16B"]
"#;

impl<const PRODUCERS: usize> Machine for Bounded<PRODUCERS> {
    type State = State<PRODUCERS>;
    type Action = Lane;
    type Observation = ();

    fn initial(&self) -> Self::State {
        self.initial()
    }

    fn enabled(&self, state: &Self::State, out: &mut Vec<Lane>) {
        self.enabled(state, out);
    }

    fn apply(&self, state: &mut Self::State, lane: &Lane) -> Result<(), Refused> {
        self.apply(state, *lane);
        Ok(())
    }
}

/// Explores the machine so many times, breadth first.
pub(crate) fn explore<const PRODUCERS: usize>(
    machine: Bounded<PRODUCERS>,
    explorations: u64,
) -> Done {
    let states = (0..explorations).map(|_| {
        let explored = explore_machine(&machine, Limits::default(), |visit| {
            assert!(visit.state.in_order);
            ControlFlow::Continue(())
        });
        assert!(explored.complete());
        explored.states as u64
    });
    Done { units: states.sum(), steps: None }
}
