//! A search that judges: the model beside each schedule, hazards and guarantees.

use std::io;

use midput_model::program::Outcome;
use midput_real::os::{Exported, Os, Site};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;
use midput_scenarios::Scenario;
use midput_sim::host::Ending;
use midput_sim::kernel::{Cells, SimulatedOs};
use midput_sim::search::{SearchOptions, Searched, search};
use midput_sim::subject::{Classic, Parameters, Subject};
use midput_sim::sweep::Failure;

/// The classic queue, with a step in its put that its model does not have where an item of two bytes
/// is put.
#[derive(Clone)]
struct Altered(Classic<SimulatedOs>);

impl Subject<SimulatedOs> for Altered {
    fn create(this: &ThisProcess<SimulatedOs>, parameters: &Parameters<'_>) -> io::Result<Self> {
        Classic::create(this, parameters).map(Self)
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        self.0.exported()
    }

    fn attach(
        this: &ThisProcess<SimulatedOs>,
        parameters: &Parameters<'_>,
        exported: &[Exported],
    ) -> io::Result<Self> {
        Classic::attach(this, parameters, exported).map(Self)
    }

    fn memory(lane: &str, step: &'static str) -> Cells {
        Classic::<SimulatedOs>::memory(lane, step)
    }

    async fn put(&self, payload: Vec<u8>, timeout: Timeout) -> Result<(), Outcome> {
        if payload.len() == 2 {
            SimulatedOs.point(Site::new("altered")).await;
        }
        self.0.put(payload, timeout).await
    }

    async fn get(&self, timeout: Timeout) -> Result<Vec<u8>, Outcome> {
        self.0.get(timeout).await
    }
}

fn scenario(second: &str, tail: &str) -> Scenario {
    let text = format!(
        "why = \"x\"\n[queue.q]\nmaxsize = 2\n[process.P0]\nmain = [\"start P1\", \"get\"]\n\
         [process.P1]\nmain = [\"put a 1B\", \"put b {second}\"]\n[faults]\nkills = 1\n\
         victims = [\"P1\"]\n{tail}"
    );
    midput_scenarios::parse("test/judged", &text).unwrap()
}

fn judged<Q: Subject<SimulatedOs>>(scenario: &Scenario) -> Searched {
    let options = SearchOptions { judged: true, runs_max: 100_000, ..SearchOptions::default() };
    search::<Q>(scenario, options).unwrap_or_else(|ending| panic!("{ending:?}"))
}

#[test]
fn a_step_that_the_model_does_not_have_is_a_failure_with_its_schedule() {
    let searched = judged::<Altered>(&scenario("2B", ""));
    let (failure, reached) = &searched.failures["divergence"];
    assert!(matches!(failure, Failure::Diverged(it) if it.to_string().contains("altered")));
    assert!(!reached.path.is_empty());
    assert!(!searched.complete, "nothing is proved by what was run before");
}

#[test]
fn harm_that_the_scenario_allows_is_no_failure_and_other_harm_is_one() {
    let forbidden = judged::<Classic<_>>(&scenario("3B", ""));
    assert!(forbidden.complete);
    let kinds: Vec<&String> = forbidden.failures.keys().collect();
    assert!(kinds.iter().any(|kind| *kind == "hazard H2"), "{kinds:?}");
    let allow = "[allow]\nclassic = [\"H1\", \"H2\", \"H4\", \"H5\", \"H6\", \"H8\"]\n";
    let allowed = judged::<Classic<_>>(&scenario("3B", allow));
    assert!(allowed.failures.is_empty(), "{:?}", allowed.failures.keys());
    assert_eq!(forbidden.ends.len(), allowed.ends.len());
}

#[test]
fn a_program_with_more_than_can_be_told_apart_is_refused_with_what_to_do() {
    let starts: Vec<String> = (1..17).map(|it| format!("\"start P{it}\"")).collect();
    let children: Vec<String> =
        (1..17).map(|it| format!("[process.P{it}]\nmain = [\"get nowait\"]")).collect();
    let text = format!(
        "why = \"x\"\n[queue.q]\n[process.P0]\nmain = [{}]\n{}\n",
        starts.join(", "),
        children.join("\n")
    );
    let scenario = midput_scenarios::parse("test/many", &text).unwrap();
    let refused = search::<Classic<_>>(&scenario, SearchOptions::default()).unwrap_err();
    let Ending::TooMany(too_many) = refused else { panic!("{refused:?}") };
    let error = too_many.to_string();
    assert!(error.contains("16 processes") && error.contains("'midput check'"), "{error}");
}
