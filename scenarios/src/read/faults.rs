//! The top level of a scenario file: everything but the queues and processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use midput_model::program::{LaneRole, Operation, ProcessId, Program, Signal};
use toml::de::DeTable;

use super::document::{Document, Text, Value, in_file_order};
use super::operation::possible;
use super::{check, processes};
use crate::kill::{parse_process, parse_signal};
use crate::nearest::one_of;
use crate::steps::{FEEDER_STEPS, PROGRAM_STEPS};
use crate::{Expect, Faults, Goal, Hazard, Hold, KillPoint, OutcomeName, Scenario, World};

pub(crate) const KEYS: &[&str] = &[
    "why",
    "expect",
    "expect_why",
    "worlds",
    "worlds_why",
    "queue",
    "process",
    "faults",
    "allow",
    "reach",
];
pub(crate) const FAULT_KEYS: &[&str] =
    &["kills", "victims", "signals", "kill", "hold", "short_transfers", "interruptions"];
/// The most kills of one case: more only makes sweeps larger.
const KILLS_MAX: u32 = 8;

/// The whole scenario.
pub(crate) fn scenario(document: &Document<'_>, name: &str) -> Option<Scenario> {
    let root = document.parse()?;
    document.only(&root, "key", KEYS);
    let why = required_text(document, &root, "why");
    let expect = expect(document, &root);
    let (worlds, worlds_why) = worlds(document, &root);
    let placed = processes::program(document, &root)?;
    if document.has_mistakes() {
        return None;
    }
    check::program(document, &placed);
    let program = placed.program;
    let faults = faults(document, &root, &program);
    let allow = by_subject(document, &root, "allow", |text| one(document, &text));
    let reach = by_subject(document, &root, "reach", |text| {
        let goal = one::<Goal>(document, &text)?;
        check_goal(document, &program, &text, &goal);
        Some(goal)
    });
    let allow = allow
        .into_iter()
        .map(|(subject, hazards)| (subject, hazards.into_iter().collect::<BTreeSet<Hazard>>()))
        .collect();
    Some(Scenario {
        name: name.to_owned(),
        why: why?,
        program,
        faults,
        allow,
        reach,
        expect,
        worlds,
        worlds_why,
    })
}

fn optional_text(document: &Document<'_>, root: &DeTable<'_>, key: &str) -> Option<String> {
    let value = root.get(key)?;
    let text = document.string(value, &format!("'{key}'"))?.text.trim().to_owned();
    if text.is_empty() {
        document.mistake(value.span().start, format!("'{key}' must say something"));
    }
    Some(text)
}

fn required_text(document: &Document<'_>, root: &DeTable<'_>, key: &str) -> Option<String> {
    if !root.contains_key(key) {
        let message = format!("'{key}' is missing; add {key} = \"…\" above the first table");
        document.mistake(0, message);
    }
    optional_text(document, root, key)
}

fn expect(document: &Document<'_>, root: &DeTable<'_>) -> Expect {
    let Some(value) = root.get("expect") else {
        if let Some((key, _)) = root.get_key_value("expect_why") {
            document.mistake(key.span().start, "'expect_why' is for expect = \"fail\" alone");
        }
        return Expect::Pass;
    };
    match document.string(value, "'expect'").map(|text| text.text) {
        Some("pass") => Expect::Pass,
        Some("fail") => {
            let why = required_text(document, root, "expect_why").unwrap_or_default();
            Expect::Fail { why }
        }
        Some(other) => {
            let hint = one_of(other, ["pass", "fail"]);
            document.mistake(value.span().start, format!("unknown expectation '{other}'; {hint}"));
            Expect::Pass
        }
        None => Expect::Pass,
    }
}

fn worlds(document: &Document<'_>, root: &DeTable<'_>) -> (BTreeSet<World>, Option<String>) {
    let default: BTreeSet<World> = World::DEFAULT.into_iter().collect();
    let Some(value) = root.get("worlds") else {
        return (default, optional_text(document, root, "worlds_why"));
    };
    let mut worlds = BTreeSet::new();
    for text in document.strings(value, "'worlds'").unwrap_or_default() {
        match World::ALL.into_iter().find(|world| world.name() == text.text) {
            Some(world) => {
                worlds.insert(world);
            }
            None => {
                let hint = one_of(text.text, World::ALL.map(World::name));
                let place = text.place_of(text.text);
                document.mistake(place, format!("unknown world '{}'; {hint}", text.text));
            }
        }
    }
    if worlds.is_empty() {
        document.mistake(value.span().start, "'worlds' must name at least one world");
    }
    let why = if worlds == default {
        optional_text(document, root, "worlds_why")
    } else {
        required_text(document, root, "worlds_why")
    };
    (worlds, why)
}

fn faults(document: &Document<'_>, root: &DeTable<'_>, program: &Program) -> Faults {
    let mut faults = Faults::default();
    let Some(value) = root.get("faults") else {
        return faults;
    };
    let Some(table) = document.table(value, "'faults'") else {
        return faults;
    };
    document.only(table, "fault", FAULT_KEYS);
    let boolean =
        |key: &str| table.get(key).and_then(|value| document.boolean(value, key)).unwrap_or(false);
    faults.short_transfers = boolean("short_transfers");
    faults.interruptions = boolean("interruptions");
    faults.holds = list::<Hold>(document, table, "hold")
        .into_iter()
        .inspect(|(text, hold)| {
            check_step(document, program, text, &hold.site.lane, &hold.site.step);
        })
        .map(|(_, hold)| hold)
        .collect();
    faults.pinned = list::<KillPoint>(document, table, "kill")
        .into_iter()
        .inspect(|(text, kill)| {
            if usize::from(kill.process.0) >= program.processes.len() {
                let message = format!("unknown process 'P{}'", kill.process.0);
                document.mistake(text.place_of(text.text), message);
            }
            check_step(document, program, text, &kill.site.lane, &kill.site.step);
        })
        .map(|(_, kill)| kill)
        .collect();
    kills(document, table, program, &mut faults);
    handled(document, table, program, &faults);
    faults
}

/// A process that handles SIGTERM does not die of it, so that the signal is no kill of it.
fn handled(document: &Document<'_>, table: &DeTable<'_>, program: &Program, faults: &Faults) {
    let key = if faults.pinned.is_empty() { "signals" } else { "kill" };
    let Some((key, _)) = table.get_key_value(key) else { return };
    let kills = |process: &ProcessId| match &faults.pinned[..] {
        [] => faults.signals.contains(&Signal::Terminate),
        pinned => {
            pinned.iter().any(|kill| kill.process == *process && kill.signal == Signal::Terminate)
        }
    };
    for process in faults.victims.iter().filter(|process| kills(process)) {
        let Some(victim) = program.processes.get(usize::from(process.0)) else { continue };
        if victim.leaves_on_terminate {
            let message = format!(
                "{} handles SIGTERM (on_terminate), which is no kill of it; say 'terminate {}'",
                victim.name, victim.name
            );
            document.mistake(key.span().start, message);
        }
    }
}

/// How many kills, of whom, by which signals.
fn kills(document: &Document<'_>, table: &DeTable<'_>, program: &Program, faults: &mut Faults) {
    if !faults.pinned.is_empty() {
        return pinned(document, table, faults);
    }
    let number = table.get("kills").and_then(|value| document.number(value, "kills", 0, KILLS_MAX));
    faults.kills_max = number.and_then(|number| u8::try_from(number).ok()).unwrap_or(0);
    faults.victims = words(document, table, "victims", |text| {
        parse_process(text)
            .filter(|process| usize::from(process.0) < program.processes.len())
            .ok_or_else(|| {
                let names = program.processes.iter().map(|process| process.name.as_str());
                format!("unknown process '{text}'; {}", one_of(text, names))
            })
    });
    faults.victims.sort();
    faults.victims.dedup();
    faults.signals = words(document, table, "signals", |text| {
        parse_signal(text).ok_or_else(|| {
            format!("unknown signal '{text}'; {}", one_of(text, ["SIGKILL", "SIGTERM"]))
        })
    });
    if faults.kills_max == 0 {
        for key in ["victims", "signals"] {
            if let Some((key, _)) = table.get_key_value(key) {
                let message = format!("'{}' without kills = 1 does nothing", key.get_ref());
                document.mistake(key.span().start, message);
            }
        }
        return;
    }
    if faults.signals.is_empty() {
        faults.signals.push(Signal::Kill);
    }
    if faults.victims.is_empty() {
        faults.victims = (1u8..).take(program.processes.len() - 1).map(ProcessId).collect();
    }
    if faults.victims.is_empty() {
        let place = table.get_key_value("kills").map_or(0, |(key, _)| key.span().start);
        document.mistake(place, "there is nobody to kill but P0; say so with victims = [\"P0\"]");
    }
}

/// What pinned kills say of the number of kills, the victims and the signals.
fn pinned(document: &Document<'_>, table: &DeTable<'_>, faults: &mut Faults) {
    faults.kills_max = u8::try_from(faults.pinned.len()).unwrap_or(u8::MAX);
    for key in ["kills", "victims", "signals"] {
        if let Some((key, _)) = table.get_key_value(key) {
            let message = format!("'{}' is said by 'kill' already; leave it out", key.get_ref());
            document.mistake(key.span().start, message);
        }
    }
    faults.victims = faults.pinned.iter().map(|kill| kill.process).collect();
    faults.victims.sort();
    faults.victims.dedup();
    for kill in &faults.pinned {
        if !faults.signals.contains(&kill.signal) {
            faults.signals.push(kill.signal);
        }
    }
}

/// A list of words, each read by a function whose error is a mistake at the word.
fn words<T>(
    document: &Document<'_>,
    table: &DeTable<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let texts = table.get(key).and_then(|value| document.strings(value, &format!("'{key}'")));
    let mut found = Vec::new();
    for text in texts.unwrap_or_default() {
        match read(text.text) {
            Ok(value) => found.push(value),
            Err(message) => document.mistake(text.place_of(text.text), message),
        }
    }
    found
}

/// One typed text; a mistake where it is none.
fn one<T: FromStr<Err: Display>>(document: &Document<'_>, text: &Text<'_>) -> Option<T> {
    match text.text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            document.mistake(text.place_of(text.text), error.to_string());
            None
        }
    }
}

/// A text, or a list of texts, each with its place.
fn list<'table, T: FromStr<Err: Display>>(
    document: &Document<'table>,
    table: &'table DeTable<'table>,
    key: &str,
) -> Vec<(Text<'table>, T)> {
    let Some(value) = table.get(key) else {
        return Vec::new();
    };
    let what = format!("'{key}'");
    let texts = if value.get_ref().is_str() {
        document.string(value, &what).into_iter().collect()
    } else {
        document.strings(value, &what).unwrap_or_default()
    };
    texts.into_iter().filter_map(|text| Some((text, one(document, &text)?))).collect()
}

/// A table with a list for each subject.
fn by_subject<'table, T>(
    document: &Document<'table>,
    root: &'table DeTable<'table>,
    key: &str,
    read: impl Fn(Text<'table>) -> Option<T>,
) -> BTreeMap<String, Vec<T>> {
    let mut found = BTreeMap::new();
    let Some(value) = root.get(key) else {
        return found;
    };
    let Some(table) = document.table(value, &format!("'{key}'")) else {
        return found;
    };
    for (subject, value) in in_file_order(table) {
        let name = subject.get_ref().to_string();
        if !Scenario::SUBJECTS.contains(&name.as_str()) && !name.starts_with("user-") {
            let hint = one_of(&name, Scenario::SUBJECTS.iter().copied());
            let message = format!("unknown subject '{name}'; {hint} Your own begins with 'user-'");
            document.mistake(subject.span().start, message);
        }
        let value: &'table Value<'table> = value;
        let texts = document.strings(value, &format!("'{key}.{name}'")).unwrap_or_default();
        found.insert(name, texts.into_iter().filter_map(&read).collect());
    }
    found
}

/// Finds the lane; a mistake where there is none, or where it can never run.
fn check_lane(
    document: &Document<'_>,
    program: &Program,
    text: &Text<'_>,
    name: &str,
) -> Option<(ProcessId, LaneRole)> {
    let place = text.text.split_whitespace().find(|word| *word == name).unwrap_or(text.text);
    let lanes = program.lanes();
    let Some(lane) = lanes.iter().find(|lane| lane.name == name) else {
        let hint = one_of(name, lanes.iter().map(|lane| lane.name.as_str()));
        document.mistake(text.place_of(place), format!("unknown lane '{name}'; {hint}"));
        return None;
    };
    if let LaneRole::Feeder(queue) = lane.role {
        let puts = |item: &midput_model::program::Item| {
            item.producer == lane.process && item.queue == queue
        };
        if !program.items.iter().any(puts) {
            let message = format!("{name} never runs: its process puts nothing");
            document.mistake(text.place_of(place), message);
            return None;
        }
    }
    Some((lane.process, lane.role))
}

fn check_step(document: &Document<'_>, program: &Program, text: &Text<'_>, lane: &str, step: &str) {
    let Some((_, role)) = check_lane(document, program, text, lane) else {
        return;
    };
    let known = match role {
        LaneRole::Program(_) => PROGRAM_STEPS,
        LaneRole::Feeder(_) => FEEDER_STEPS,
    };
    if !known.contains(&step) {
        let place = text.text.split_whitespace().find(|word| word.starts_with(step));
        let hint = one_of(step, known.iter().copied());
        let message = format!("unknown step '{step}' of {lane}; {hint}");
        document.mistake(text.place_of(place.unwrap_or(text.text)), message);
    }
}

fn check_goal(document: &Document<'_>, program: &Program, text: &Text<'_>, goal: &Goal) {
    match goal {
        Goal::Kill { lane, step } | Goal::Blocked { lane, step } => {
            check_step(document, program, text, lane, step);
        }
        Goal::Result { lane, outcome } => {
            let Some((process, role)) = check_lane(document, program, text, lane) else {
                return;
            };
            let operations: Vec<Operation> = match role {
                LaneRole::Feeder(_) => Vec::new(),
                LaneRole::Program(index) => {
                    let lanes = &program.processes[usize::from(process.0)].lanes;
                    let instructions = &lanes[usize::from(index)].instructions;
                    instructions.iter().map(|instruction| instruction.operation).collect()
                }
            };
            if !operations.iter().any(|operation| can_end_with(program, operation, outcome)) {
                let message = format!("no operation of {lane} can end with {outcome}");
                document.mistake(text.place_of(text.text), message);
            }
        }
        Goal::KillHolding(_) | Goal::Hazard(_) | Goal::AllEnded => {}
    }
}

fn can_end_with(program: &Program, operation: &Operation, outcome: &OutcomeName) -> bool {
    match outcome {
        OutcomeName::AnyItem => matches!(operation, Operation::Get { .. }),
        OutcomeName::Item(name) => match *operation {
            Operation::Get { queue, .. } => {
                program.items.iter().any(|item| item.name == *name && item.queue == queue)
            }
            _ => false,
        },
        OutcomeName::Other(outcome) => possible(operation, *outcome),
    }
}
