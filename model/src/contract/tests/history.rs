//! Histories as text: `P1 put a, P1 done, P0 get 1s, P0 empty, P1 killed, P0 blocked read-body`.

use crate::contract::{Violation, judge};
use crate::event::{Blocked, End, Event};
use crate::program::*;

/// The items by the process that puts them; all go into q, but w into r.
const ITEMS: [(&str, u8); 12] = [
    ("a", 1),
    ("b", 1),
    ("c", 1),
    ("d", 1),
    ("m", 0),
    ("n", 0),
    ("o", 0),
    ("p", 0),
    ("x", 2),
    ("y", 2),
    ("z", 2),
    ("w", 1),
];

/// P0, P1 and P2, each with a main lane (`P1`) and a thread (`P1T`).
pub(super) fn program(maxsize: u32) -> Program {
    let lane = |name: &str| LaneProgram { name: name.to_owned(), instructions: vec![] };
    let queue = |name: &str, maxsize| QueueParameters {
        name: name.to_owned(),
        kind: QueueKind::Queue,
        maxsize,
        pipe_slots: 16,
    };
    Program {
        queues: vec![queue("q", maxsize), queue("r", 0)],
        items: ITEMS
            .iter()
            .map(|&(name, producer)| Item {
                name: name.to_owned(),
                bytes: 1,
                producer: ProcessId(producer),
                queue: QueueId(u8::from(name == "w")),
            })
            .collect(),
        processes: (0..3)
            .map(|number| ProcessProgram {
                daemon: false,
                leaves_on_terminate: false,
                name: format!("P{number}"),
                lanes: vec![lane("main"), lane("T")],
            })
            .collect(),
    }
}

fn process(word: &str) -> ProcessId {
    ProcessId(word[1..2].parse().expect("a process"))
}

fn item(word: &str) -> Option<ItemId> {
    let position = ITEMS.iter().position(|&(name, _)| name == word)?;
    Some(ItemId(u16::try_from(position).unwrap()))
}

fn timeout(words: &[&str]) -> Timeout {
    match words.last() {
        Some(&"nowait") => Timeout::NoWait,
        Some(&"1s") => Timeout::Milliseconds(1000),
        _ => Timeout::Never,
    }
}

fn operation(words: &[&str]) -> Option<Operation> {
    let timeout = timeout(words);
    let queue = QueueId(0);
    Some(match words[0] {
        "put" => {
            let name = words[1];
            let item = item(name).expect("an item");
            Operation::Put { queue: QueueId(u8::from(name == "w")), item, timeout }
        }
        "get" => Operation::Get { queue: QueueId(u8::from(words.get(1) == Some(&"r"))), timeout },
        "join" => Operation::Join { process: process(words[1]), timeout },
        "close" => Operation::Close { queue },
        "join_thread" => Operation::JoinThread { queue },
        _ => return None,
    })
}

fn outcome(word: &str) -> Outcome {
    match word {
        "done" => Outcome::Done,
        "full" => Outcome::Full,
        "empty" => Outcome::Empty,
        "garbage" => Outcome::Garbage,
        "torn" => Outcome::Torn,
        word => Outcome::Item(item(word).unwrap_or_else(|| panic!("what is '{word}'?"))),
    }
}

/// Reads a history.
pub(super) fn parse(program: &Program, text: &str) -> (Vec<Event>, End) {
    let (mut events, mut end) = (Vec::new(), End::default());
    for phrase in text.split(',') {
        let words: Vec<&str> = phrase.split_whitespace().collect();
        let process = process(words[0]);
        let lane = program.lane_of(process, u8::from(words[0].ends_with('T')));
        let blocked = |leaving| Blocked { lane, step: words[2].to_owned(), offset: 0, leaving };
        match words[1] {
            "killed" => {
                events.push(Event::Death { process, exit: Exit::Signal(Signal::Kill) });
            }
            "exits" => {
                events.push(Event::Leave { process });
                events.push(Event::Death { process, exit: Exit::Code(0) });
            }
            "overdue" => events.push(Event::Overdue { lane }),
            "blocked" => end.blocked.push(blocked(false)),
            "leaving" => {
                events.push(Event::Leave { process });
                end.blocked.push(blocked(true));
            }
            word => events.push(match operation(&words[1..]) {
                Some(operation) => Event::Call { lane, operation },
                None => Event::Return { lane, outcome: outcome(word) },
            }),
        }
    }
    (events, end)
}

/// The violations of a history.
pub(super) fn violations(maxsize: u32, history: &str) -> Vec<Violation> {
    let program = program(maxsize);
    let (events, end) = parse(&program, history);
    judge(&program, &events, &end)
}

/// The guarantees of some violations, as text.
pub(super) fn ids(violations: &[Violation]) -> String {
    let ids: Vec<_> = violations.iter().map(|violation| violation.guarantee.id()).collect();
    ids.join(" ")
}
