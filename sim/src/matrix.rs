//! Guarantee by class of queue and by world: what holds, over how much, and the smallest case of
//! what does not.
//!
//! A fixed small set of the built-in scenarios stands for each class, once with nobody killed and
//! once with the kills that they allow, in patient time. The model is explored; in simulation the
//! real code is led along each shortest counterexample, and runs drawn cases besides.

use std::sync::Arc;

use midput_model::contract::{Guarantee, GuaranteeSet, Historic, Verdict, prove};
use midput_model::explore::Limits;
use midput_model::program::QueueKind;
use midput_model::queue::classic::{Classic as Machine, Time, honest_end};
use midput_scenarios::{Hazard, Scenario, builtin};

use crate::check::calls::explored_machine;
use crate::counterexample::case_of;
use crate::subject::Classic;
use crate::sweep::{self, Failure, Runner, SweepOptions, census, draw, environment};

/// A class of a subject, and the scenarios that stand for it.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// `classic` or `manager`.
    pub subject: &'static str,
    /// `Queue`, as its users call it.
    pub name: &'static str,
    /// The names of built-in scenarios.
    pub scenarios: &'static [&'static str],
}

impl Class {
    /// Every class that is judged.
    pub const ALL: [Self; 6] = [
        Self {
            subject: "classic",
            name: "Queue",
            scenarios: &[
                "no-fault/close-and-look",
                "no-fault/one-producer-two-consumers",
                "no-fault/producer-waits-for-slots",
                "process/several-queues",
                "join-unflushed/cancel-join-thread",
                "join-unflushed/deadlocks",
                "bounded-full/slot-leak-after-kill",
                "kill-mid-get/frame-read-blocking",
                "kill-mid-get/header-read-blocking",
                "kill-mid-get/idle-timed",
                "kill-mid-put/frame-16kB-one-producer",
                "kill-mid-put/large-200kB-one-producer",
                "kill-mid-put/large-200kB-two-producers",
                "kill-mid-put/small-two-producers",
            ],
        },
        Self {
            subject: "classic",
            name: "JoinableQueue",
            scenarios: &[
                "joinable-queue/all-done",
                "joinable-queue/too-many-done",
                "joinable-queue/joiner-killed",
                "joinable-queue/producer-killed",
                "joinable-queue/worker-killed",
            ],
        },
        Self {
            subject: "classic",
            name: "SimpleQueue",
            scenarios: &[
                "simple-queue/closed",
                "simple-queue/two-producers",
                "simple-queue/kill-idle-consumer",
                "simple-queue/kill-mid-put",
            ],
        },
        Self {
            subject: "classic",
            name: "Pipe",
            scenarios: &["pipe/closed-ends", "pipe/sender-killed"],
        },
        Self {
            subject: "classic",
            name: "Manager().Queue",
            scenarios: &[
                "manager-queue/classic-clients",
                "manager-queue/item-swallowed",
                "manager-queue/put-after-death",
                "manager-queue/tasks-stuck",
            ],
        },
        Self {
            subject: "manager",
            name: "Queue",
            scenarios: &[
                "manager-queue/clients",
                "manager-queue/tasks",
                "manager-queue/blocked-get-killed",
                "manager-queue/blocked-put-killed",
                "manager-queue/consumer-killed",
                "manager-queue/producer-killed",
                "manager-queue/server-killed",
                "manager-queue/worker-killed",
            ],
        },
    ];
}

/// How much is looked at.
#[derive(Clone, Copy, Debug)]
pub struct MatrixOptions {
    /// The most states of one scenario's model.
    pub states_max: usize,
    /// Simulated cases of each scenario.
    pub cases: u64,
}

impl Default for MatrixOptions {
    /// Two million states, 256 cases.
    fn default() -> Self {
        Self { states_max: 2_000_000, cases: 256 }
    }
}

/// What is known of one guarantee in one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The queues of this class can neither keep nor break it.
    NotJudged,
    /// Nothing that was looked at breaks it: so many states, or cases.
    Holds(u64),
    /// It is broken.
    Violated(Smallest),
    /// Nothing that was looked at breaks it, and not all was.
    Undecided(String),
}

/// The smallest case that breaks a guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smallest {
    /// Actions of the model, or steps of the code.
    pub length: u64,
    /// The scenario.
    pub scenario: &'static str,
    /// The number of the drawn case that shows it, where leading the code along the model's
    /// shortest path does not.
    pub case: Option<u64>,
}

/// What is known of one guarantee, with kills or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cells {
    /// By the model.
    pub model: Cell,
    /// By the real code in the simulated kernel.
    pub sim: Cell,
}

/// What is known of one class: a line for each guarantee, in order, with nobody killed or with the
/// scenarios' kills.
pub fn matrix(class: &Class, kills: bool, options: MatrixOptions) -> Vec<(Guarantee, Cells)> {
    let scenarios = builtin();
    let chosen = class.scenarios.iter().filter_map(|&name| {
        let mut scenario = scenarios.iter().find(|scenario| scenario.name == name)?.clone();
        if !kills {
            scenario.faults.kills_max = 0;
            scenario.faults.pinned.clear();
        }
        (!kills || scenario.faults.kills_max > 0).then_some((name, scenario))
    });
    let mut judged = GuaranteeSet::NONE;
    let mut model = Column::default();
    let mut sim = Column::default();
    for (name, scenario) in chosen {
        judged_of(&scenario).iter().for_each(|it| judged.insert(it));
        let limits = Limits { states_max: options.states_max };
        match explored_machine(&scenario, Time::Patient, true) {
            // One action of its model is many steps of the code, which cannot be led along.
            Ok(machine) => {
                for (guarantee, verdict) in prove(&machine, limits) {
                    model.verdict(guarantee, verdict, name);
                }
            }
            Err(_) => explored(&scenario, name, limits, &mut model, &mut sim),
        }
        drawn_cases(&scenario, name, options.cases, &mut sim);
    }
    let cells = |guarantee| match judged.contains(guarantee) {
        true => Cells { model: model.cell(guarantee), sim: sim.cell(guarantee) },
        false => Cells { model: Cell::NotJudged, sim: Cell::NotJudged },
    };
    Guarantee::ALL.into_iter().map(|guarantee| (guarantee, cells(guarantee))).collect()
}

/// What histories show, and where the end of a stream is seen, whether it is honest: by H12.
fn judged_of(scenario: &Scenario) -> GuaranteeSet {
    let mut judged = Guarantee::judged(&scenario.program);
    if scenario.program.queues.iter().any(|queue| queue.kind == QueueKind::Pipe) {
        judged.insert(Guarantee::G11);
    }
    judged
}

/// Explores the model, and leads the code along each shortest counterexample.
fn explored(
    scenario: &Scenario,
    name: &'static str,
    limits: Limits,
    model: &mut Column,
    sim: &mut Column,
) {
    let environment = environment(scenario, Time::Patient);
    let machine = Machine::new(scenario.program.clone(), environment);
    let honest_end = honest_end(&machine, limits);
    for (guarantee, verdict) in prove(&machine, limits).into_iter().chain(honest_end) {
        if let Some(path) = model.verdict(guarantee, verdict, name) {
            let (case, mut follow) = case_of(scenario, &machine, &path);
            let mut runner = Runner::new(scenario, true);
            let outcome = runner.run_with::<Classic<_>>(&case, &mut follow, None);
            sim.outcome(&outcome, name, None);
        }
    }
}

/// Runs the first cases of a sweep with the default seed.
fn drawn_cases(scenario: &Scenario, name: &'static str, cases: u64, sim: &mut Column) {
    let options = SweepOptions::default();
    let census = census::<Classic<_>>(scenario, &Arc::new(scenario.program.clone()), options.seed);
    let mut runner = Runner::new(scenario, true);
    for number in 0..cases {
        let case = draw(scenario, scenario.subject(), &census, &options, number);
        let outcome = runner.run::<Classic<_>>(&case, None);
        sim.outcome(&outcome, name, Some(number));
    }
    for guarantee in judged_of(scenario).iter() {
        sim.looked_at(guarantee, cases);
    }
}

/// One world: by guarantee what was looked at, the smallest case, and the first doubt.
#[derive(Default)]
struct Column {
    looked_at: [u64; Guarantee::ALL.len()],
    smallest: [Option<Smallest>; Guarantee::ALL.len()],
    doubts: [Option<String>; Guarantee::ALL.len()],
}

impl Column {
    /// Takes note of what exploring says, and gives the shortest counterexample.
    fn verdict<M: Historic>(
        &mut self,
        guarantee: Guarantee,
        verdict: Verdict<M>,
        scenario: &'static str,
    ) -> Option<Vec<(M::Action, M::Observation)>> {
        match verdict {
            Verdict::Holds { states } => self.looked_at(guarantee, states as u64),
            Verdict::Undecided { finish } => self.doubt(guarantee, finish.to_string()),
            Verdict::Violated { path, .. } => {
                let length = path.len() as u64;
                self.violated(guarantee, Smallest { length, scenario, case: None });
                return Some(path);
            }
        }
        None
    }

    fn looked_at(&mut self, guarantee: Guarantee, count: u64) {
        self.looked_at[guarantee as usize] += count;
    }

    fn doubt(&mut self, guarantee: Guarantee, why: String) {
        self.doubts[guarantee as usize].get_or_insert(why);
    }

    fn violated(&mut self, guarantee: Guarantee, found: Smallest) {
        let smallest = &mut self.smallest[guarantee as usize];
        // A case that a command leads to comes before one that was drawn.
        let key = |it: &Smallest| (it.case.is_some(), it.length);
        if smallest.as_ref().is_none_or(|it| key(&found) < key(it)) {
            *smallest = Some(found);
        }
    }

    fn outcome(&mut self, outcome: &sweep::CaseOutcome, name: &'static str, case: Option<u64>) {
        for violation in &outcome.judged.violations {
            let found = Smallest { length: outcome.steps, scenario: name, case };
            self.violated(violation.guarantee, found);
        }
        if outcome.judged.hazards.contains(&Hazard::H12) {
            let found = Smallest { length: outcome.steps, scenario: name, case };
            self.violated(Guarantee::G11, found);
        }
        // Hazards and broken guarantees are what the table is about; anything else is a fault of
        // ours, and then nothing is known.
        if let sweep::Verdict::Fail(failures) = &outcome.judged.verdict {
            let harm = |it: &&Failure| !matches!(it, Failure::Hazard(_) | Failure::Guarantee(_));
            if let Some(failure) = failures.iter().find(harm) {
                for guarantee in Guarantee::ALL {
                    self.doubt(guarantee, format!("{name}: {}", failure.kind()));
                }
            }
        }
    }

    fn cell(&self, guarantee: Guarantee) -> Cell {
        let index = guarantee as usize;
        match (&self.smallest[index], &self.doubts[index]) {
            (Some(smallest), _) => Cell::Violated(smallest.clone()),
            (None, Some(why)) => Cell::Undecided(why.clone()),
            (None, None) => Cell::Holds(self.looked_at[index]),
        }
    }
}
