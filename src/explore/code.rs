//! Every schedule of the real code, beside every state of its model.

use std::collections::BTreeMap;

use anyhow::bail;
use midput_model::queue::classic::Time;
use midput_scenarios::{Expect, Scenario};
use midput_sim::counterexample::case_of_search;
use midput_sim::host::Ending;
use midput_sim::keep;
use midput_sim::schedule::ExhaustiveOptions;
use midput_sim::search::{EndState, Reached, SearchOptions, Searched, ends_of_model, search};
use midput_sim::subject::Classic;
use midput_sim::sweep::{Failure, Runner, Verdict};

use crate::arguments::{Explore, Time as TimeArgument};
use crate::case_file::replay_line;
use crate::exit::Status;
use crate::print::outln;
use crate::select::Selected;

/// Searches the schedules of a scenario's code, and says how its ends compare with the model's.
pub(super) fn search_code(
    scenario: &Scenario,
    arguments: &Explore,
    selected: &Selected,
) -> anyhow::Result<Status> {
    if arguments.no_kills || arguments.mutant.is_some() {
        bail!("--code runs the code as it is, with the scenario's kills; leave the other flag out");
    }
    let bounded = arguments.preemptions.is_some();
    let options = SearchOptions {
        exhaustive: ExhaustiveOptions {
            reduction: !arguments.no_reduction && !bounded,
            preemptions_max: arguments.preemptions,
        },
        runs_max: arguments.schedules,
        time: if arguments.time == TimeArgument::Any { Time::Any } else { Time::Patient },
        judged: true,
    };
    let searched = match search::<Classic<_>>(scenario, options) {
        Ok(searched) => searched,
        Err(Ending::TooMany(too_many)) => bail!("{}: {too_many}", scenario.name),
        Err(ending) => {
            outln!("  code      INCONCLUSIVE: a run ended otherwise than runs do: {ending:?}");
            return Ok(Status::Inconclusive);
        }
    };
    told(&searched, bounded);
    let judged = judged(scenario, &searched, selected)?;
    if searched.failures.values().any(|(it, _)| matches!(it, Failure::Diverged(_))) {
        return Ok(judged);
    }
    let Some(model) = ends_of_model(scenario, options.time, arguments.states) else {
        outln!("  code      INCONCLUSIVE: the model has more than {} states", arguments.states);
        return Ok(Status::Inconclusive);
    };
    let extra: Vec<&Reached> =
        searched.ends.iter().filter(|(end, _)| !model.contains_key(end)).map(|it| it.1).collect();
    for reached in &extra {
        outln!("  code      ends as its model never does");
        save(scenario, reached, selected)?;
    }
    Ok(judged.and(compared(&searched, &model, extra.is_empty(), bounded)))
}

/// Says what was found in the schedules that were run, and saves the first of each kind. Where the
/// scenario must fail, harm is what is looked for.
fn judged(scenario: &Scenario, searched: &Searched, selected: &Selected) -> anyhow::Result<Status> {
    let must_fail = matches!(scenario.expect, Expect::Fail { .. });
    let mut status = Status::Pass;
    for (kind, (failure, reached)) in &searched.failures {
        let schedules = reached.schedules;
        let harm = matches!(failure, Failure::Hazard(_) | Failure::Guarantee(_));
        if must_fail && harm {
            outln!("  code      {kind} in {schedules} schedules, as the scenario expects");
            continue;
        }
        status = Status::Violation;
        outln!("  code      FAIL {kind} in {schedules} schedules");
        if let Failure::Diverged(divergence) = failure {
            outln!("            {divergence}");
        }
        save(scenario, reached, selected)?;
    }
    if must_fail && searched.failures.is_empty() && searched.complete {
        outln!("  code      FAIL the scenario expects harm, and no schedule does any");
        return Ok(Status::Violation);
    }
    if searched.failures.is_empty() {
        outln!(
            "  code      each in lockstep with its model, without harm that the scenario does not \
             allow"
        );
    }
    outln!(
        "            of orders that make no difference one was judged: that is a proof for lockstep \
         and ends,\n            and none for guarantees over every order of calls and returns"
    );
    Ok(status)
}

fn told(searched: &Searched, bounded: bool) {
    let (run, redundant) = (searched.tally.schedules, searched.tally.redundant);
    let found = match (searched.complete, bounded) {
        (true, false) => "a proof: every schedule was run, or is like one that was",
        (true, true) => "every schedule within the bound was run",
        (false, _) => "INCONCLUSIVE: there are more; raise --schedules",
    };
    outln!("  code      {run} schedules, {redundant} proved redundant; {found}");
}

fn compared(
    searched: &Searched,
    model: &BTreeMap<EndState, u32>,
    no_extra: bool,
    bounded: bool,
) -> Status {
    let common = searched.ends.keys().filter(|end| model.contains_key(end)).count();
    let ends = model.len();
    match (no_extra, common == ends, searched.complete) {
        (false, ..) => {
            outln!("  code      {common} of the model's {ends} ends, and others: they differ");
            Status::Violation
        }
        (true, true, _) => {
            outln!("  code      all {ends} ends of the model and no other");
            Status::Pass
        }
        (true, false, true) if !bounded => {
            outln!("  code      only {common} of the model's {ends} ends: they differ");
            Status::Violation
        }
        (true, false, _) => {
            outln!("  code      {common} of the model's {ends} ends so far, and no other");
            Status::Inconclusive
        }
    }
}

/// Saves the first schedule that came to an end as a case that replays.
fn save(scenario: &Scenario, reached: &Reached, selected: &Selected) -> anyhow::Result<()> {
    let (case, mut follow) = case_of_search(scenario, &reached.path);
    let mut runner = Runner::new(scenario, true);
    let outcome = runner.run_with::<Classic<_>>(&case, &mut follow, None);
    let strays = match &outcome.judged.verdict {
        Verdict::Fail(failures) => failures.iter().any(|it| matches!(it, Failure::Replay(_))),
        _ => false,
    };
    if strays {
        outln!("    no case says this: it kills after time has passed where its victim waits");
        return Ok(());
    }
    let case = midput_sim::case::Case { choices: Some(runner.recorded()), ..case };
    let path = keep::save(&selected.cases, &case)?;
    outln!("    replay    {}", replay_line(&path, "sim"));
    Ok(())
}
