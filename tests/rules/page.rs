//! `docs/rules.md`: rule by rule where it is tested.

use midput_scenarios::{Rule, Scope};

use crate::scan::{Citations, Place};

const HEAD: &str = "\
# Rules

What midput follows of the semantics of CPython's multiprocessing, rule by rule, and where each is
tested. This page is generated from the list of rules (`scenarios/src/rule/`) and from the comments
of tests and the `why` of scenarios, which cite rules by their ids; the test `rules` holds it, and
`cargo test --test rules -- --ignored` writes it anew. `midput explain X2` prints one rule of it.
";

const FAMILIES: [(&str, &str); 11] = [
    ("SL", "Semaphores"),
    ("Q", "Queue"),
    ("SQ", "SimpleQueue"),
    ("JQ", "JoinableQueue"),
    ("K", "The condition of a JoinableQueue"),
    ("CN", "Connections"),
    ("WF", "Wire format"),
    ("LC", "The life of a process"),
    ("X", "What a crash leaves"),
    ("O", "Order and visibility"),
    ("MQ", "Manager queue"),
];

/// The whole page. `not_yet` gives the reason for a rule that has no test so far.
pub(crate) fn page(cited: &Citations, not_yet: impl Fn(&str) -> Option<&'static str>) -> String {
    let applying = Rule::ALL.iter().filter(|rule| rule.applies());
    let (tested, missing): (Vec<&Rule>, Vec<&Rule>) =
        applying.partition(|rule| cited.contains_key(rule.id));
    let mut text = format!(
        "{HEAD}\n{} rules: {} are tested, {} are not tested yet, {} are left out.\n",
        Rule::ALL.len(),
        tested.len(),
        missing.len(),
        Rule::ALL.len() - tested.len() - missing.len(),
    );
    for (family, title) in FAMILIES {
        text += &format!(
            "\n## {title}\n\n| rule | what it says | where it is tested |\n|---|---|---|\n"
        );
        for rule in Rule::ALL.iter().filter(|rule| rule.family() == family) {
            let where_tested = match rule.scope {
                Scope::LeftOut(why) => format!("left out: {why}"),
                _ => match not_yet(rule.id) {
                    Some(reason) => format!("not yet: {reason}"),
                    None => places(cited, rule.id),
                },
            };
            let but = match rule.scope {
                Scope::Without(part) => format!("<br>Left out: {part}"),
                _ => String::new(),
            };
            text += &format!("| {} | {}{but} | {where_tested} |\n", rule.id, rule.says);
        }
    }
    text
}

fn places(cited: &Citations, id: &str) -> String {
    let place = |place: &Place| match place {
        Place::Scenario(name) => format!("scenario `{name}`"),
        Place::Test { file, function } => format!("`{file}` `{function}`"),
    };
    let places = cited.get(id).into_iter().flatten();
    places.map(place).collect::<Vec<_>>().join("<br>")
}
