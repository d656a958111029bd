//! `midput explain`: what an id stands for.

use midput_model::contract::Guarantee;
use midput_scenarios::{Goal, Hazard, Rule, Scope, Topic, builtin};

use crate::arguments::Explain;
use crate::exit::Status;
use crate::print::outln;

/// The page that says where each rule is tested; a test holds it.
const RULES: &str = include_str!("../docs/rules.md");
/// No line is longer.
const WIDTH: usize = 100;
/// Where the text of a line begins, behind its label.
const INDENT: usize = 14;

pub(crate) fn explain(arguments: &Explain) -> anyhow::Result<Status> {
    match &arguments.id {
        None => kinds(),
        Some(id) => match Topic::find(id)? {
            Topic::Hazard(hazard) => explain_hazard(hazard),
            Topic::Guarantee(guarantee) => explain_guarantee(guarantee),
            Topic::Rule(rule) => explain_rule(rule),
            Topic::Step(step) => explain_step(step),
        },
    }
    Ok(Status::Pass)
}

fn kinds() {
    let ids = |fits: fn(&Topic) -> bool| {
        Topic::all().filter(fits).map(|it| it.to_string()).collect::<Vec<_>>().join(" ")
    };
    outln!("midput explain ID says what one of these is:");
    line("hazards", &ids(|topic| matches!(topic, Topic::Hazard(_))));
    line("guarantees", &ids(|topic| matches!(topic, Topic::Guarantee(_))));
    line("rules", &ids(|topic| matches!(topic, Topic::Rule(_))));
    line("steps", &ids(|topic| matches!(topic, Topic::Step(_))));
}

fn explain_hazard(hazard: Hazard) {
    outln!("{hazard} {}, a hazard: a known harm", hazard.name());
    line("lost", hazard.loss());
    line("site", hazard.site());
    line("rules", &hazard.rules().join(", "));
    line("breaks", &or_none(hazard.guarantees().into_iter().map(named)));
    line("what to do", hazard.remedy());
    line("shown by", &format!("midput check {}", hazard.scenario()));
    let test = format!("h{}_{}", hazard.number(), hazard.name().replace('-', "_"));
    line("tested by", &format!("tests/hazards.rs {test}"));
}

fn explain_guarantee(guarantee: Guarantee) {
    outln!("{}, a guarantee over the history of a run", named(guarantee));
    line("says", guarantee.meaning());
    let breaks = |hazard: &Hazard| hazard.guarantees().contains(&guarantee);
    let hazards: Vec<Hazard> = Hazard::ALL.into_iter().filter(breaks).collect();
    let names = hazards.iter().map(|hazard| format!("{hazard} {}", hazard.name()));
    line("broken by", &or_none(names));
    let scenarios: Vec<&str> = hazards.iter().map(|hazard| hazard.scenario()).collect();
    for (index, scenario) in scenarios.iter().enumerate() {
        if !scenarios[..index].contains(scenario) {
            line("shown by", &format!("midput explore {scenario} --traces"));
        }
    }
    line("holds", "for which classes and worlds, midput matrix says");
}

fn explain_rule(rule: &Rule) {
    outln!("{}, a rule of the semantics of CPython's multiprocessing", rule.id);
    line("says", rule.says);
    let follows = |hazard: &Hazard| hazard.rules().contains(&rule.id);
    let hazards = Hazard::ALL.into_iter().filter(follows);
    line("hazards", &or_none(hazards.map(|hazard| format!("{hazard} {}", hazard.name()))));
    if let Scope::Without(part) = rule.scope {
        line("left out", part);
    }
    let row = RULES.lines().find(|row| row.starts_with(&format!("| {} |", rule.id)));
    let places = row.and_then(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    for place in places.unwrap_or_default().split("<br>") {
        let place = place.replace('`', "");
        let label = ["left out", "not yet"].into_iter().find(|it| place.starts_with(it));
        let text = label.and_then(|label| place.strip_prefix(label)?.strip_prefix(": "));
        line(label.unwrap_or("tested by"), text.unwrap_or(&place));
    }
}

fn explain_step(step: &str) {
    outln!("{step}, a step of the protocols: where lanes interleave, and where kills land");
    let names = |hazard: &Hazard| hazard.site().contains(&format!("`{step}`"));
    let hazards = Hazard::ALL.into_iter().filter(names);
    line("site of", &or_none(hazards.map(|hazard| format!("{hazard} {}", hazard.name()))));
    for scenario in builtin() {
        let kills = |goal: &Goal| matches!(goal, Goal::Kill { step: at, .. } if at == step);
        if scenario.goals(scenario.subject()).iter().any(kills) {
            line("killed in", &format!("midput check {}", scenario.name));
        }
    }
}

fn named(guarantee: Guarantee) -> String {
    format!("{guarantee} {}", guarantee.name())
}

fn or_none(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A label and a text, folded between words.
fn line(label: &str, text: &str) {
    let mut folded = format!("  {label:<width$}", width = INDENT - 2);
    let mut column = INDENT;
    for (index, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            folded.push_str(&format!("\n{:INDENT$}", ""));
            column = INDENT;
        } else if index > 0 {
            folded.push(' ');
            column += 1;
        }
        folded.push_str(word);
        column += length;
    }
    outln!("{folded}");
}
