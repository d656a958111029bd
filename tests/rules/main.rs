//! The table of the rules: each that applies has a test or a scenario that cites it.

mod page;
mod scan;

use std::collections::BTreeSet;
use std::path::Path;

use midput_scenarios::{Rule, Scope};
use scan::{Citations, citations, ids, tests_of};

/// Not yet: rules that apply and that nothing tests so far, with the reason. A rule that stands
/// here and is tested fails, so that the list shrinks.
const NOT_YET: &[(&str, &[&str])] = &[];

fn not_yet(id: &str) -> Option<&'static str> {
    NOT_YET.iter().find(|(_, rules)| rules.contains(&id)).map(|(reason, _)| *reason)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page_of_the_workspace() -> String {
    page::page(&citations(root()), not_yet)
}

/// What is wrong with these citations, by the rules and by what is said to be missing.
fn problems(cited: &Citations, not_yet: impl Fn(&str) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (id, places) in cited {
        match Rule::find(id) {
            Err(hint) => problems.push(format!("{id} is no rule, {hint} {places:?}")),
            Ok(Rule { scope: Scope::LeftOut(_), .. }) => {
                problems.push(format!("{id} is left out, and cited by {places:?}"));
            }
            Ok(_) if not_yet(id) => {
                problems.push(format!("{id} is tested: take it out of the list NOT_YET"));
            }
            Ok(_) => {}
        }
    }
    for rule in Rule::ALL.iter().filter(|rule| rule.applies()) {
        if !cited.contains_key(rule.id) && !not_yet(rule.id) {
            problems.push(format!("{} has no test and no scenario: {}", rule.id, rule.says));
        }
    }
    problems
}

#[test]
fn every_rule_that_applies_is_tested_or_said_to_be_missing() {
    let problems = problems(&citations(root()), |id| not_yet(id).is_some());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let missing: Vec<&str> = NOT_YET.iter().flat_map(|(_, rules)| *rules).copied().collect();
    assert!(missing.iter().all(|id| Rule::find(id).is_ok_and(Rule::applies)), "{missing:?}");
    assert_eq!(missing.iter().collect::<BTreeSet<_>>().len(), missing.len(), "named twice");
}

#[test]
fn the_page_says_where_each_rule_is_tested() {
    let page = std::fs::read_to_string(root().join("docs/rules.md")).unwrap_or_default();
    let expected = page_of_the_workspace();
    let differs = page.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        page == expected,
        "docs/rules.md is not what the tests cite; `cargo test --test rules -- --ignored` writes \
         it anew, and the difference is the review. First: {differs:?}"
    );
}

/// Not a test: it writes the page.
#[test]
#[ignore = "writes docs/rules.md"]
fn write_the_page() {
    std::fs::write(root().join("docs/rules.md"), page_of_the_workspace()).unwrap();
}

#[test]
fn ids_are_whole_words_of_a_known_family() {
    let text = "`X2`, (WF3) and Q99, not P1, XX2, X, q8, X2a, MAX1 or LC_1.";
    assert_eq!(ids(text), ["Q99", "WF3", "X2"].map(str::to_owned).into());
}

#[test]
fn only_comments_of_tests_cite() {
    let text = include_str!("sample.txt");
    let found = tests_of(text)
        .into_iter()
        .map(|(name, comments)| (name, ids(&comments).into_iter().collect::<Vec<_>>().join(" ")));
    let expected = [("first", "Q3 Q5 Q6"), ("listed", "Q7 Q8"), ("second", "Q10 Q9")];
    let expected = expected.map(|(name, ids)| (name.to_owned(), ids.to_owned()));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_wrong_with_the_citations_is_said() {
    let whole = || {
        let applying = Rule::ALL.iter().filter(|rule| rule.applies());
        applying.map(|rule| (rule.id.to_owned(), BTreeSet::new())).collect::<Citations>()
    };
    let none = |_: &str| false;
    assert_eq!(problems(&whole(), none), [] as [&str; 0]);
    let said = |change: &dyn Fn(&mut Citations), missing: &str| {
        let mut cited = whole();
        change(&mut cited);
        problems(&cited, |id| id == missing).concat()
    };
    let add = |id: &'static str| {
        move |cited: &mut Citations| drop(cited.insert(id.to_owned(), BTreeSet::new()))
    };
    assert!(said(&add("X99"), "").contains("X99 is no rule"));
    assert!(said(&add("Q19"), "").contains("Q19 is left out"));
    let remove = |cited: &mut Citations| drop(cited.remove("X2"));
    assert!(said(&remove, "").contains("X2 has no test and no scenario"));
    assert_eq!(said(&remove, "X2"), "");
    assert!(said(&|_| (), "X2").contains("X2 is tested"));
}
