//! What sweeps add up to: their figures agree, what they cover is of the model, and code that does
//! not do the same twice is found.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use midput_model::program::Outcome;
use midput_model::queue::classic::Time;
use midput_real::os::{Exported, Os, Site};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;
use midput_scenarios::{Scenario, World};
use midput_sim::settings::Shard;
use midput_sim::subject::{Classic, Parameters, Subject};
use midput_sim::sweep::{
    Census, CheckReport, Model, Options, ReportVerdict, Stop, Sweep, SweepEnd, SweepOptions, Swept,
    Universe, Watch, census,
};

fn scenario(name: &str) -> Scenario {
    midput_scenarios::builtin().into_iter().find(|scenario| scenario.name == name).unwrap()
}

fn census_of(scenario: &Scenario) -> Census {
    census::<Classic<_>>(scenario, &Arc::new(scenario.program.clone()), 1)
}

fn swept(scenario: &Scenario, options: SweepOptions, watch: &Watch<'_>) -> Swept {
    let census = census_of(scenario);
    let sweep = Sweep::new(scenario, World::Sim, &census, options, Vec::new(), true);
    sweep.run::<Classic<_>>(watch).unwrap()
}

/// Every step of the code is one of the model, and so is every action that is covered. Only faults
/// are dealt out more freely in simulation than in the model as it is explored: a kill inside a
/// transfer cuts it by force, and an interruption hits whoever comes to its site.
#[test]
fn what_cases_cover_is_what_the_model_has() {
    let (mut explored, mut covered, mut never) = (0, 0, 0);
    for scenario in midput_scenarios::builtin() {
        let options = SweepOptions { cases: 256, jobs: 2, ..SweepOptions::default() };
        let mut report = swept(&scenario, options, &Watch::NOBODY).report;
        report.actions.compare(&Universe::of(&scenario, Time::Patient));
        let actions = &report.actions;
        if actions.model != Model::Explored {
            assert_eq!(actions.model, Model::ExploredInPart);
            continue;
        }
        explored += 1;
        covered += actions.covered_within();
        never += actions.never.len();
        let more = actions.beyond.iter().find(|name| {
            let fault = name.ends_with(" short") || name.ends_with(" interrupted");
            !fault || (scenario.faults.kills_max == 0 && !scenario.faults.interruptions)
        });
        assert_eq!(more, None, "{}: {:?}", scenario.name, actions.beyond);
    }
    assert!(explored >= 30, "only {explored} models were small enough");
    assert!(covered > 20 * never, "{covered} actions were covered, {never} were not");
}

#[test]
fn a_stopped_sweep_has_counted_each_case_as_run_or_as_skipped() {
    let scenario = scenario("kill-mid-put/small-one-producer");
    for jobs in [1, 2, 5] {
        // So many cases that nobody can count through those that are not run.
        for (cases, shard) in [(1000, Shard { number: 2, of: 3 }), (u64::MAX, Shard::default())] {
            let asked = AtomicU64::new(0);
            let stop = || {
                let asked = asked.fetch_add(1, Ordering::Relaxed);
                (asked >= 150).then_some(Stop::Budget)
            };
            let options = SweepOptions { cases, shard, jobs, ..SweepOptions::default() };
            let report = swept(&scenario, options, &Watch { stop: &stop, ..Watch::NOBODY }).report;
            assert_eq!(report.end, SweepEnd::Budget);
            // It is asked before each case, and once more at the end of a chunk.
            assert!((100..=150).contains(&report.run), "{}", report.run);
            assert_eq!(report.planned, report.run + report.skipped);
            assert_eq!(report.planned, shard.share(cases));
        }
    }
}

/// No check is made of figures that do not add up: it is an error that says which.
#[test]
fn figures_that_do_not_add_up_are_an_error() {
    let scenario = scenario("no-fault/one-deadline");
    let options = SweepOptions { cases: 20, ..SweepOptions::default() };
    let report = swept(&scenario, options, &Watch::NOBODY).report;
    let check = |report| {
        let options = Options {
            subject: "classic".into(),
            strategy: "random".into(),
            mutant: None,
            cases: 20,
            max_fail: 0,
            until_quiet: 0,
            twice: false,
            time: "patient".into(),
            hang_after_ms: 1,
            budget_ms: None,
        };
        CheckReport::new("midput test".into(), 1, Shard::default(), options, vec![report])
    };
    let good = check(report.clone()).unwrap();
    assert_eq!(good.totals.run, 20);
    assert_eq!(CheckReport::from_json(&good.to_json()).unwrap(), good);
    let mut lost = report;
    lost.run -= 1;
    let error = check(lost).unwrap_err().to_string();
    assert!(error.contains("planned 20 is not run 19 + skipped 0"), "{error}");
    assert!(error.contains("no-fault/one-deadline in world sim"), "{error}");
}

static PUTS: AtomicU64 = AtomicU64::new(0);

/// A queue inside one process that takes another way at every tenth put, whatever the case.
#[derive(Clone)]
struct Fickle<O: Os>([O::Descriptor; 2]);

impl<O: Os> Subject<O> for Fickle<O> {
    fn create(this: &ThisProcess<O>, _: &Parameters<'_>) -> io::Result<Self> {
        this.os().pipe().map(|(reader, writer)| Self([reader, writer]))
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        self.0.iter().map(|end| O::default().export_descriptor(end)).collect()
    }

    fn attach(this: &ThisProcess<O>, _: &Parameters<'_>, all: &[Exported]) -> io::Result<Self> {
        Ok(Self([this.os().import_descriptor(all[0])?, this.os().import_descriptor(all[1])?]))
    }

    async fn put(&self, payload: Vec<u8>, _: Timeout) -> Result<(), Outcome> {
        let tenth = PUTS.fetch_add(1, Ordering::Relaxed) % 10 == 9;
        let site = Site::new(if tenth { "write-otherwise" } else { "write" });
        let written = O::default().write(&self.0[1], &payload, site).await;
        written.map(drop).map_err(|_| Outcome::Failed)
    }

    async fn get(&self, _: Timeout) -> Result<Vec<u8>, Outcome> {
        let mut payload = vec![0; 20];
        let read = O::default().read(&self.0[0], &mut payload, Site::new("read")).await;
        payload.truncate(read.map_err(|_| Outcome::Failed)?);
        Ok(payload)
    }
}

#[test]
fn code_that_does_not_do_the_same_twice_is_found_where_cases_run_twice() {
    let text = "why = \"x\"\n[queue.q]\n[process.P0]\nmain = [\"put a 20B\", \"get\"]\n";
    let scenario = midput_scenarios::parse("test/fickle", text).unwrap();
    let program = Arc::new(scenario.program.clone());
    let census = census::<Fickle<_>>(&scenario, &program, 1);
    let run = |twice| {
        let options = SweepOptions { cases: 100, twice, ..SweepOptions::default() };
        let sweep = Sweep::new(&scenario, World::Sim, &census, options, Vec::new(), false);
        sweep.run::<Fickle<_>>(&Watch::NOBODY).unwrap().report
    };
    assert_eq!(run(false).verdict, ReportVerdict::Pass);
    let twice = run(true);
    // One of ten puts is another, and each case has two.
    assert_eq!(twice.failures.len(), 20);
    for failed in &twice.failures {
        assert_eq!(failed.kinds, ["not the same twice"]);
        assert!(!failed.harm);
    }
    let options = SweepOptions { cases: 100, twice: true, ..SweepOptions::default() };
    let classic = self::scenario("kill-mid-put/large-200kB-two-producers");
    assert_eq!(swept(&classic, options, &Watch::NOBODY).report.failures, []);
}
