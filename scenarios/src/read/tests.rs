//! What is said of mistakes in scenario files.

use midput_model::program::{ItemId, Outcome, ProcessId, Signal};
use proptest::prelude::*;

const GOOD: &str = r#"why = "A test."
[queue.jobs]
maxsize = 4
[process.P0]
main = ["start P1", "thread watcher", "repeat 2 get timeout=100ms", "join P1 timeout=2s"]
watcher = ["until Empty get nowait", "after P1 died qsize"]
[process.P1]
main = ["repeat 2 put a 16kB", "close", "exit 3"]
[faults]
kills = 1
victims = ["P1"]
hold = ["P1.feed before encode[1]"]
[allow]
classic = ["H1"]
[reach]
classic = ["kill P1.feed encode", "result P0.watcher Empty", "blocked P0.main read-header"]
"#;

/// The lines that a text is answered with; none where it is good.
fn answer(text: &str) -> String {
    crate::parse("x", text).map_or_else(|error| error.to_string(), |_| String::new())
}

/// The answer to the good text with one part of it replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    answer(&GOOD.replacen(from, to, 1))
}

#[test]
fn the_good_text_is_good() {
    assert_eq!(answer(GOOD), "");
    let scenario = crate::parse("x", GOOD).unwrap();
    let items: Vec<_> = scenario.program.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(items, ["a", "a#2"]);
    assert_eq!(scenario.program.items[0].bytes, 16_000);
    assert_eq!(scenario.program.processes[0].lanes[1].name, "watcher");
    assert_eq!(scenario.program.processes[0].lanes[0].instructions.len(), 5);
    assert_eq!(scenario.faults.victims, [ProcessId(1)]);
    assert_eq!(scenario.faults.signals, [Signal::Kill]);
}

#[test]
fn after_counts_for_the_first_repetition_alone() {
    let text = GOOD.replace("after P1 died qsize", "after P1 died repeat 2 qsize");
    let program = crate::parse("x", &text).unwrap().program;
    let after: Vec<_> =
        program.processes[0].lanes[1].instructions.iter().map(|one| one.after).collect();
    assert_eq!(after, [None, Some(ProcessId(1)), None]);
}

#[test]
fn cpython_is_as_classic_where_nothing_else_is_said() {
    let scenario = crate::parse("x", GOOD).unwrap();
    assert_eq!(scenario.allowed("cpython"), scenario.allowed("classic"));
    assert_eq!(scenario.goals("cpython").len(), 3);
    assert!(scenario.allowed("robust").is_empty());
    let text = GOOD.replace("classic = [\"H1\"]", "classic = [\"H1\"]\ncpython = []");
    assert!(crate::parse("x", &text).unwrap().allowed("cpython").is_empty());
}

#[test]
fn an_outcome_name_matches_its_item_alone() {
    let program = crate::parse("x", GOOD).unwrap().program;
    let first = Outcome::Item(ItemId(0));
    let matches = |name: &str| name.parse::<crate::OutcomeName>().unwrap().matches(first, &program);
    assert!(matches("a") && matches("Item"));
    assert!(!matches("a#2") && !matches("Empty"));
}

#[test]
fn mistakes_are_shown_with_their_place_and_what_would_be_right() {
    let texts = [
        changed("put a 16kB", "pit a 16kB"),
        changed("get timeout=100ms", "get timout=100ms"),
        changed("put a 16kB", "put a 0B"),
        changed("join P1 timeout=2s", "join P2"),
        changed("until Empty get nowait", "until Empty get"),
        changed("\"exit 3\"", "\"task_done\""),
        changed("encode[1]", "encoed[1]"),
        changed("maxsize", "maxsiz"),
        changed("\"close\", \"exit 3\"", "\"exit 3\", \"close\""),
        changed("why = \"A test.\"", "why = "),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

/// A part of the good text, what replaces it, and a part of what is said of that.
type Change = (&'static str, &'static str, &'static str);

const WHOLE_PROGRAM: &[Change] = &[
    ("\"start P1\", ", "", "P1 is never started"),
    ("\"start P1\"", "\"start P1\", \"start P1\"", "already started in line 5"),
    ("\"start P1\"", "\"start P0\"", "P0 runs from the beginning"),
    ("\"close\"", "\"start P1\"", "cannot start itself"),
    ("\"close\"", "\"kill P0\"", "nobody may kill P0"),
    ("\"close\"", "\"release lock\"", "'read lock' or 'write lock' is"),
    ("\"close\"", "\"join P1\"", "only P0 may join P1"),
    ("\"start P1\"", "\"join P1\", \"start P1\"", "stands before 'start P1'"),
    ("\"thread watcher\", ", "", "'watcher' of P0 is never started"),
    ("\"thread watcher\"", "\"thread watcher\", \"thread watcher\"", "already started"),
    ("\"thread watcher\"", "\"thread wacher\"", "did you mean 'watcher'?"),
    ("qsize\"", "exit\"", "only main may leave"),
    ("after P1 died", "after P0 died", "its own death"),
    ("\"close\"", "\"put a 1B\"", "item 'a' is already put in line 8"),
    ("process.P1", "process.P2", "should be 'P1'"),
    ("watcher =", "feed =", "is no thread name"),
    ("main = [\"repeat", "other = [\"repeat", "no main"),
];

const FAULTS_AND_GOALS: &[Change] = &[
    ("\"H1\"", "\"H16\"", "the ids are H1 to H15"),
    ("classic = [\"H1\"]", "clasic = [\"H1\"]", "did you mean 'classic'?"),
    ("victims = [\"P1\"]", "victims = [\"P7\"]", "unknown process 'P7'"),
    ("kills = 1", "kills = 0", "without kills = 1"),
    ("kills = 1", "kills = 9", "from 0 to 8"),
    ("kills = 1", "kill = \"P1 SIGKILL before P1.feed encode[1]\"", "leave it out"),
    ("kills = 1", "short_transfers = 1", "true or false"),
    ("P0.watcher Empty", "P0.watcher Full", "can end with Full"),
    ("kill P1.feed encode", "kill P0.feed encode", "puts nothing"),
    ("kill P1.feed encode", "kill P1.food encode", "did you mean 'P1.feed'?"),
    ("kill P1.feed encode", "kill P1.feed decode", "unknown step 'decode'"),
    ("a 16kB\"", "a 16kB to job\"", "did you mean 'jobs'?"),
    ("a 16kB\"", "a 16385KiB\"", "to 16384KiB"),
    ("a 16kB\"", "A 16kB\"", "lower-case letter"),
    ("repeat 2 put", "repeat 0 put", "from 1 to 1000"),
    ("repeat 2 put", "until Full put", "not put"),
    ("until Empty", "until Emty", "did you mean 'Empty'?"),
    ("maxsize = 4", "pipe_slots = 3", "power of two"),
    ("why = \"A test.\"", "", "'why' is missing"),
    ("why = \"A test.\"", "why = \"\"", "must say something"),
    ("[queue.jobs]", "worlds = [\"sim\"]\n[queue.jobs]", "'worlds_why' is missing"),
    ("[queue.jobs]", "expect = \"fail\"\n[queue.jobs]", "'expect_why' is missing"),
    ("[queue.jobs]", "[queue.more]\n[queue.jobs]", "'from more'"),
    (
        "[allow]",
        "[process.P2]\nmain = [\"start P3\"]\n[process.P3]\nmain = [\"start P2\"]\n\
          [allow]",
        "start each other",
    ),
];

#[test]
fn each_static_check_finds_its_mistake() {
    for (from, to, hint) in WHOLE_PROGRAM.iter().chain(FAULTS_AND_GOALS) {
        let answer = changed(from, to);
        assert!(answer.contains(hint), "{from} -> {to}: {answer}");
    }
}

#[test]
fn many_lanes_and_many_operations_are_refused() {
    let threads: String =
        (0..64).map(|thread| format!("thread{thread} = []\n")).collect::<Vec<_>>().concat();
    let lanes = changed("watcher = [", &format!("{threads}watcher = ["));
    assert!(lanes.contains("at most 64"), "{lanes}");
    let gets = ["\"repeat 1000 qsize\""; 12].join(", ");
    let operations = changed("\"close\"", &gets);
    assert!(operations.contains("too many operations"), "{operations}");
}

#[test]
fn empty_tables_are_refused() {
    assert!(answer("why = \"x\"\n[process]\n").contains("there is no process"));
    let empty: String =
        (0..256).map(|process| format!("[process.P{process}]\n")).collect::<Vec<_>>().concat();
    assert!(answer(&format!("why = \"x\"\n{empty}")).contains("at most 64"));
}

#[test]
fn every_mistake_of_a_file_is_reported_in_order() {
    let text = GOOD.replace("get timeout", "gett timeout").replace("exit 3", "exit 300");
    let answer = answer(&text);
    let places: Vec<_> =
        answer.lines().map(|line| line.splitn(4, ':').take(3).collect::<Vec<_>>()).collect();
    assert_eq!(places, [["x.toml", "5", "49"], ["x.toml", "8", "47"]], "{answer}");
}

#[test]
fn columns_count_characters_and_escapes_point_at_the_string() {
    let changed_place = |to: &str| changed("\"close\"", to);
    assert!(changed_place("'''pit'''").starts_with("x.toml:8:35:"));
    assert!(changed_place("\"p\\u0069t\"").starts_with("x.toml:8:32:"));
    let umlaut = changed("\"close\"", "\"put ä 1B\", \"pit\"");
    let second = umlaut.lines().nth(1).unwrap_or_default();
    assert!(second.starts_with("x.toml:8:45:"), "{umlaut}");
}

#[test]
fn the_manual_is_right() {
    let manual = include_str!("../../README.md");
    let example = manual.split("```").nth(1).and_then(|text| text.strip_prefix("toml\n")).unwrap();
    let name = "scenarios/kill-mid-put/x";
    crate::parse(name, example).unwrap_or_else(|error| panic!("{error}"));
    let error = crate::parse(name, &example.replace("timeout", "timout")).unwrap_err();
    assert!(manual.contains(&error.to_string()), "the manual lacks: {error}");
    for step in crate::read::faults::KEYS.iter().chain(crate::read::faults::FAULT_KEYS) {
        assert!(manual.contains(step), "the manual lacks {step}");
    }
}

#[test]
fn with_several_queues_each_operation_names_one() {
    let text = r#"why = "Two queues."
[queue.second]
[queue.first]
[process.P0]
main = ["put a 1B timeout=1s to first", "get from first nowait", "close reader of second"]
"#;
    let program = crate::parse("x", text).unwrap().program;
    assert_eq!(program.queues[0].name, "second");
    assert_eq!(program.items[0].queue.0, 1);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..6),
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (index, byte, kind) in changes {
            let place = index.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => drop(bytes.remove(place)),
                _ => {
                    let end = (place + usize::from(byte)).min(bytes.len());
                    let part = bytes[place..end].to_vec();
                    bytes.splice(place..place, part);
                }
            }
        }
        let answer = answer(&String::from_utf8_lossy(&bytes));
        for line in answer.lines().filter(|line| line.starts_with("x.toml:")) {
            let numbers: Vec<_> = line.split(':').skip(1).take(2).collect();
            prop_assert!(numbers.iter().all(|number| number.parse::<usize>().is_ok_and(|n| n > 0)));
        }
    }
}

#[test]
fn a_manager_s_queue_has_what_its_model_has() {
    let text = |queue: &str, main: &str| {
        format!("why = \"x\"\n[queue.jobs]\n{queue}\n[process.P0]\nmain = [\"{main}\"]\n")
    };
    let two = "kind = \"manager\"\n[queue.other]\nkind = \"manager-classic\"";
    for (queue, main, hint) in [
        ("kind = \"manager\"", "close", "has put, get, qsize, empty, full, task_done and join"),
        ("kind = \"manager\"", "exit 3", "does not have 'exit' as P0 does it"),
        ("kind = \"manager\"\npipe_slots = 4", "get", "has no pipe; leave it out"),
        (two, "get from jobs", "queues of several kinds"),
    ] {
        let error = crate::parse("x", &text(queue, main)).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
    let scenario = crate::parse("x", &text("kind = \"manager\"", "join queue")).unwrap();
    assert_eq!(scenario.subject(), "manager");
    let again = crate::parse("x", &crate::write::write(&scenario)).unwrap();
    assert_eq!(again.program, scenario.program);
}
