//! `midput list`.

use std::sync::Arc;

use midput_model::contract::Guarantee;
use midput_scenarios::Hazard;
use midput_sim::settings::DEFAULT_SEED;
use midput_sim::subject::Classic;
use midput_sim::sweep::census;

use crate::arguments::{List, What};
use crate::exit::Status;
use crate::print::outln;
use crate::select::{Selected, select};
use crate::table::{print, table};

pub(crate) fn list(arguments: &List) -> anyhow::Result<Status> {
    let selected = select(arguments.scenarios_in.as_deref(), None, &arguments.scenarios)?;
    match arguments.what {
        What::Scenarios => scenarios(&selected),
        What::Sites => sites(&selected),
        What::Hazards => hazards(),
        What::Guarantees => guarantees(),
        What::Cases => cases(&selected)?,
    }
    Ok(Status::Pass)
}

fn scenarios(selected: &Selected) {
    let mut table = table(&["scenario", "why"], &[]);
    for scenario in &selected.scenarios {
        let why = scenario.why.split_inclusive(". ").next().unwrap_or_default();
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        table.add_row([scenario.name.as_str(), &why]);
    }
    print(&table);
}

fn sites(selected: &Selected) {
    for scenario in &selected.scenarios {
        let program = Arc::new(scenario.program.clone());
        for kill in census::<Classic<_>>(scenario, &program, DEFAULT_SEED).kills {
            outln!("{}  {kill}", scenario.name);
        }
    }
}

fn hazards() {
    let mut table = table(&["id", "name", "rules", "what is lost"], &[]);
    for hazard in Hazard::ALL {
        let rules = hazard.rules().join(" ");
        table.add_row([&hazard.to_string(), hazard.name(), &rules, hazard.loss()]);
    }
    print(&table);
}

fn guarantees() {
    let mut table = table(&["id", "name", "meaning"], &[]);
    for guarantee in Guarantee::ALL {
        table.add_row([guarantee.id(), guarantee.name(), guarantee.meaning()]);
    }
    print(&table);
}

fn cases(selected: &Selected) -> anyhow::Result<()> {
    let mut table = table(&["case", "scenario", "kill", "why"], &[]);
    for scenario in &selected.scenarios {
        for (path, case) in midput_sim::keep::kept(&selected.cases, &scenario.name, true)? {
            let kills: Vec<String> = case.kills.iter().map(ToString::to_string).collect();
            let why = case.why.unwrap_or_default();
            table.add_row([path.display().to_string(), case.scenario, kills.join(", "), why]);
        }
    }
    print(&table);
    Ok(())
}
