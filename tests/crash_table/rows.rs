//! The rows of the tables, and the scenario of each cell.

use midput_scenarios::Scenario;

/// One table: a class of queues, its file, and the survivor's operations as
/// columns.
pub(crate) struct Table {
    pub(crate) kind: &'static str,
    text: &'static str,
    rows: usize,
    operations: [&'static [(&'static str, &'static str)]; 2],
}

const QUEUE: [(&str, &str); 10] = [
    ("empty", "empty"),
    ("full", "full"),
    ("qsize", "qsize"),
    ("get_nowait", "get nowait"),
    ("get_timeout", "get timeout=60ms"),
    ("get", "get"),
    ("put_nowait", "put y 16B nowait"),
    ("put_timeout", "put y 16B timeout=60ms"),
    ("put", "put y 16B"),
    ("put_then_get", "get timeout=60ms"),
];

/// Beyond those of a plain queue.
const JOINABLE: [(&str, &str); 2] = [("join", "join queue"), ("task_done", "task_done")];

const SIMPLE: [(&str, &str); 4] =
    [("empty", "empty"), ("get", "get"), ("put", "put y 16B"), ("put_then_get", "get")];

/// All of them.
pub(crate) const TABLES: [Table; 3] = [
    Table { kind: "queue", text: include_str!("queue.txt"), rows: 21, operations: [&QUEUE, &[]] },
    Table {
        kind: "joinable",
        text: include_str!("joinable.txt"),
        rows: 5,
        operations: [&QUEUE, &JOINABLE],
    },
    Table { kind: "simple", text: include_str!("simple.txt"), rows: 3, operations: [&SIMPLE, &[]] },
];

/// A crash point: the queue, what is in it before, what the victim does, where it dies.
pub(crate) struct Row {
    pub(crate) id: String,
    kind: &'static str,
    maxsize: String,
    /// The items that were put and are in the pipe before the victim starts.
    before: Vec<String>,
    victim: Vec<String>,
    hold: String,
    /// Empty where the victim leaves by itself.
    kill: String,
    /// What is done to the queue then, before the survivor comes.
    then: String,
    /// What the queue's kernel objects hold right after the crash: its semaphores in order of
    /// creation, and the bytes in its pipe.
    pub(crate) left: Vec<u32>,
    /// What the survivor sees, by operation.
    pub(crate) cells: Vec<Cell>,
}

/// One operation of the survivor, and what it comes to.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    operation: &'static str,
    pub(crate) seen: String,
}

impl Row {
    /// Whether the kernel itself never leaves a frame at that byte.
    pub(crate) fn is_injected(&self) -> bool {
        matches!(self.id.as_str(), "P4" | "P6" | "P12" | "S1")
    }
}

impl Table {
    pub(crate) fn rows(&self) -> Vec<Row> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        let rows: Vec<Row> = lines.map(|line| self.row(line)).collect();
        assert_eq!(rows.len(), self.rows);
        rows
    }

    fn row(&self, line: &str) -> Row {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [id, maxsize, before, victim, hold, kill, then, left, seen @ ..] = &cells[..] else {
            panic!("{line}")
        };
        let operations = self.operations.concat();
        assert_eq!(seen.len(), operations.len(), "{line}");
        let seen = seen.iter().zip(operations);
        Row {
            id: (*id).to_owned(),
            kind: self.kind,
            maxsize: (*maxsize).to_owned(),
            before: before.split_whitespace().map(str::to_owned).collect(),
            victim: victim.split(", ").map(str::to_owned).collect(),
            hold: hold.replace("V.", "P1."),
            kill: match kill.strip_prefix("SIGTERM ") {
                Some(place) => format!("kill = \"P1 SIGTERM {}\"\n", place.replace("V.", "P1.")),
                None if kill.is_empty() => String::new(),
                None => format!("kill = \"P1 SIGKILL {}\"\n", kill.replace("V.", "P1.")),
            },
            then: (*then).to_owned(),
            left: left.split(' ').map(|number| number.parse().unwrap()).collect(),
            cells: seen
                .map(|(seen, (name, operation))| Cell {
                    name,
                    operation,
                    seen: seen.replace("STUCK", "ok, exit HANGS"),
                })
                .collect(),
        }
    }
}

/// The victim's wait: nobody puts anything into this other queue.
const IDLE: &str = "get timeout=300ms from idle";

/// An operation where there is a queue beside the one of the table.
fn named(operation: &str) -> String {
    match operation.split(' ').next() {
        Some("idle") => IDLE.to_owned(),
        Some("put") => format!("{operation} to jobs"),
        Some("get") => format!("{operation} from jobs"),
        Some("start" | "join" | "after" | "exit") => operation.to_owned(),
        _ => format!("{operation} of jobs"),
    }
}

/// The scenario of one cell. P1 is the victim, P2 the survivor, the others help.
pub(crate) fn scenario(row: &Row, cell: &Cell) -> Scenario {
    let mut main = Vec::new();
    let mut helpers: Vec<Vec<String>> = Vec::new();
    let mut help = |operations: Vec<String>| {
        helpers.push(operations);
        format!("P{}", helpers.len() + 2)
    };
    if !row.before.is_empty() {
        let puts = row.before.iter().map(|item| format!("put {item} 16B"));
        let name = help(puts.collect());
        main.extend([format!("start {name}"), format!("join {name}")]);
    }
    main.push("start P1".to_owned());
    if row.id == "J5" {
        // By the end of the time-out the victim sleeps.
        let name = help(vec!["task_done".to_owned()]);
        main.extend(["join P1 timeout=60ms".to_owned(), format!("start {name}")]);
    }
    let mut survivors = vec!["P2".to_owned()];
    if cell.name == "put_then_get" {
        survivors.insert(0, help(vec!["put z 16B".to_owned()]));
    }
    let then = [row.then.clone()].into_iter().filter(|then| !then.is_empty());
    let starts = survivors.iter().map(|name| format!("start {name}"));
    let mut rest: Vec<String> = then.chain(starts).collect();
    rest[0].insert_str(0, "after P1 died ");
    main.extend(rest);
    main.push("join P2".to_owned());

    let mut processes = vec![main, row.victim.clone(), vec![cell.operation.to_owned()]];
    processes.extend(helpers);
    let idles = row.victim.iter().any(|operation| operation == "idle");
    if idles {
        let all = processes.iter_mut().flatten();
        all.for_each(|operation| *operation = named(operation));
    }
    let idle = if idles { "[queue.idle]\n" } else { "" };
    let processes: Vec<String> = (0..)
        .zip(&processes)
        .map(|(number, lane): (u8, _)| format!("[process.P{number}]\nmain = {lane:?}\n"))
        .collect();
    let maxsize = match row.maxsize.as_str() {
        "-" => String::new(),
        maxsize => format!("maxsize = {maxsize}\n"),
    };
    let hold = match row.hold.as_str() {
        "" => String::new(),
        hold => format!("hold = [\"{hold}\"]\n"),
    };
    let faults = match row.kill.as_str() {
        "" => String::new(),
        kill => format!("[faults]\n{kill}{hold}"),
    };
    let text = format!(
        "why = \"Row {} of the crash table.\"\n[queue.jobs]\nkind = \"{}\"\n{maxsize}{idle}{}{faults}\
         [allow]\nclassic = [\"H1\", \"H2\", \"H3\", \"H4\", \"H5\", \"H6\", \"H7\", \"H8\", \
         \"H9\", \"H10\", \"H11\", \"H13\"]\n",
        row.id,
        row.kind,
        processes.concat(),
    );
    let name = format!("crash-table/{}-{}", row.id, cell.name);
    midput_scenarios::parse(&name, &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}
