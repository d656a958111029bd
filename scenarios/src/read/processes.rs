//! The tables `[queue.NAME]` and `[process.NAME]`.

use midput_model::program::{
    Instruction, Item, ItemId, LaneId, LaneProgram, ProcessId, ProcessProgram, Program, QueueId,
    QueueKind, QueueParameters,
};
use toml::de::DeTable;

use super::document::{Document, Entry, Value, in_file_order};
use super::operation::{self, Wrong, is_name};
use crate::kill::parse_process;
use crate::nearest::one_of;

/// The most lanes of a program, feeders included.
const LANES_MAX: usize = 64;
/// The keys of a process that are no lanes.
const DAEMON: &str = "daemon";
const ON_TERMINATE: &str = "on_terminate";
/// What [`ON_TERMINATE`] may say.
pub(crate) const LEAVE: &str = "leave";
/// The most operations of a program, repetitions included.
const OPERATIONS_MAX: usize = 10_000;

/// The names that an operation may refer to.
pub(crate) struct Names {
    processes: Vec<String>,
    queues: Vec<(String, QueueKind)>,
    /// The further threads of the process that is being read.
    pub(crate) threads: Vec<(String, LaneId)>,
}

impl Names {
    pub(crate) fn process<'text>(&self, word: &'text str) -> Result<ProcessId, Wrong<'text>> {
        parse_process(word)
            .filter(|process| usize::from(process.0) < self.processes.len())
            .ok_or_else(|| {
                let hint = one_of(word, self.processes.iter().map(String::as_str));
                (word, format!("unknown process '{word}'; {hint}"))
            })
    }

    pub(crate) fn queue<'text>(&self, word: &'text str) -> Result<QueueId, Wrong<'text>> {
        let found = (0u8..).zip(&self.queues).find(|(_, (name, _))| *name == word);
        found.map(|(queue, _)| QueueId(queue)).ok_or_else(|| {
            let hint = one_of(word, self.queues.iter().map(|(name, _)| name.as_str()));
            (word, format!("unknown queue '{word}'; {hint}"))
        })
    }

    /// Which of CPython's queues a queue is.
    pub(crate) fn kind(&self, queue: QueueId) -> QueueKind {
        self.queues.get(usize::from(queue.0)).map_or(QueueKind::Queue, |(_, kind)| *kind)
    }

    pub(crate) fn only_queue<'text>(&self, verb: &'text str) -> Result<QueueId, Wrong<'text>> {
        match self.queues.len() {
            1 => Ok(QueueId(0)),
            0 => Err((verb, "there is no queue; add [queue.jobs]".to_owned())),
            _ => {
                let preposition = match verb {
                    "put" => "to",
                    "get" => "from",
                    _ => "of",
                };
                let (queue, _) = &self.queues[0];
                let message = format!(
                    "with several queues {verb} must say which, such as '{preposition} {queue}'"
                );
                Err((verb, message))
            }
        }
    }
}

/// An item as a `put` names it.
pub(crate) struct Put {
    pub(crate) name: String,
    pub(crate) bytes: u32,
    pub(crate) queue: QueueId,
    pub(crate) place: usize,
}

/// What has been read of the processes so far.
pub(crate) struct Reader<'document> {
    document: &'document Document<'document>,
    producer: ProcessId,
    items: Vec<Item>,
    item_places: Vec<usize>,
    operations: usize,
}

impl Reader<'_> {
    /// Notes one item.
    pub(crate) fn put(&mut self, put: Put) -> Result<ItemId, String> {
        if let Some(earlier) = self.item(&put.name) {
            let line = self.document.line(self.item_places[usize::from(earlier.0)]);
            return Err(format!("item '{}' is already put in line {line}", put.name));
        }
        let item = ItemId(u16::try_from(self.items.len()).map_err(|_| "too many items")?);
        let Put { name, bytes, queue, place } = put;
        self.items.push(Item { name, bytes, producer: self.producer, queue });
        self.item_places.push(place);
        Ok(item)
    }

    /// The item of this name, if it has been read.
    pub(crate) fn item(&self, name: &str) -> Option<ItemId> {
        let index = self.items.iter().position(|item| item.name == name)?;
        u16::try_from(index).ok().map(ItemId)
    }
}

/// A program with the place of every instruction, for the checks over the whole.
pub(crate) struct Placed {
    pub(crate) program: Program,
    /// For each process, for each lane, for each instruction: where it begins.
    pub(crate) places: Vec<Vec<Vec<usize>>>,
    /// Where each process is named.
    pub(crate) process_places: Vec<usize>,
}

/// The program of a document.
pub(crate) fn program<'text>(document: &Document<'text>, root: &DeTable<'text>) -> Option<Placed> {
    let queues = root.get("queue").map_or_else(
        || Some(Vec::new()),
        |value| Some(queues(document, document.table(value, "'queue'")?)),
    )?;
    let processes = process_tables(document, root, queues.len())?;
    let names: Vec<String> = processes.iter().map(|(key, _)| key.get_ref().to_string()).collect();
    let mut names = Names {
        processes: names,
        queues: queues.iter().map(|queue| (queue.name.clone(), queue.kind)).collect(),
        threads: Vec::new(),
    };
    let mut reader = Reader {
        document,
        producer: ProcessId(0),
        items: Vec::new(),
        item_places: Vec::new(),
        operations: 0,
    };
    let mut placed =
        Placed { program: Program::default(), places: Vec::new(), process_places: Vec::new() };
    let mut lane_count = 0;
    for (number, (key, value)) in (0u8..).zip(&processes) {
        reader.producer = ProcessId(number);
        let Some(table) = document.table(value, "a process") else {
            continue;
        };
        let process = read_process(&mut reader, &mut names, lane_count, table, key.span().start);
        lane_count += lanes_of(table) + queues.len();
        let daemon = daemon(document, table);
        if let (true, 0) = (daemon, number) {
            document.mistake(key.span().start, "P0 has no parent; it cannot be a daemon");
        }
        let (lanes, places) = process.into_iter().unzip();
        placed.process_places.push(key.span().start);
        placed.places.push(places);
        let name = names.processes[usize::from(number)].clone();
        let leaves_on_terminate = leaves_on_terminate(document, table);
        let process = ProcessProgram { name, daemon, leaves_on_terminate, lanes };
        placed.program.processes.push(process);
    }
    placed.program.items = reader.items;
    placed.program.queues = queues;
    Some(placed)
}

/// The tables of the processes in the order of their numbers, if there is no gap and their lanes
/// are not too many.
fn process_tables<'table, 'text>(
    document: &Document<'text>,
    root: &'table DeTable<'text>,
    queues: usize,
) -> Option<Vec<Entry<'table, 'text>>> {
    const NO_PROCESS: &str = "there is no process; add [process.P0] with main = [\"…\"]";
    let Some(value) = root.get("process") else {
        document.mistake(0, NO_PROCESS);
        return None;
    };
    let table = document.table(value, "'process'")?;
    if table.is_empty() {
        document.mistake(value.span().start, NO_PROCESS);
        return None;
    }
    let mut processes = in_file_order(table);
    processes.sort_by_key(|(key, _)| parse_process(key.get_ref()));
    for (number, (key, _)) in processes.iter().enumerate() {
        if key.get_ref() != &format!("P{number}") {
            let message = format!(
                "process '{}' should be 'P{number}'; processes are P0, P1, … without a gap",
                key.get_ref()
            );
            document.mistake(key.span().start, message);
            return None;
        }
    }
    // A table without any key counts too, so that processes are numbered within a byte.
    let count = |value: &Value<'_>| value.get_ref().as_table().map_or(1, lanes_of).max(1);
    let lanes: usize = processes.iter().map(|(_, value)| count(value) + queues).sum();
    if lanes > LANES_MAX {
        let place = processes.last().map_or(0, |(key, _)| key.span().start);
        let message = format!(
            "this makes {lanes} lanes (threads and one feeder for each process and queue); at \
             most {LANES_MAX} are possible"
        );
        document.mistake(place, message);
        return None;
    }
    Some(processes)
}

fn queues<'text>(document: &Document<'text>, table: &DeTable<'text>) -> Vec<QueueParameters> {
    let mut queues = Vec::new();
    for (key, value) in in_file_order(table) {
        let name = key.get_ref().to_string();
        if !is_name(&name) {
            let message = format!("'{name}' is no queue name; it begins with a lower-case letter");
            document.mistake(key.span().start, message);
        }
        let Some(table) = document.table(value, &format!("queue '{name}'")) else {
            continue;
        };
        document.only(table, "key of a queue", &["kind", "maxsize", "pipe_slots"]);
        let kind = table.get("kind").and_then(|value| kind(document, value)).unwrap_or_default();
        if let Some((key, _)) = table.get_key_value("maxsize")
            && matches!(kind, QueueKind::Simple | QueueKind::Pipe)
        {
            let message = format!("kind = \"{}\" has no bound; leave maxsize out", kind.name());
            document.mistake(key.span().start, message);
        }
        if let Some((key, _)) = table.get_key_value("pipe_slots")
            && kind.is_managed()
        {
            let message = format!("kind = \"{}\" has no pipe; leave it out", kind.name());
            document.mistake(key.span().start, message);
        }
        let number = |key: &str, default, least, most| {
            table.get(key).map_or(Some(default), |value| document.number(value, key, least, most))
        };
        let most = i32::MAX.unsigned_abs();
        let maxsize = number("maxsize", 0, 0, most).unwrap_or(0);
        let slots = number("pipe_slots", 16, 1, 256).unwrap_or(16);
        if let Some(value) = table.get("pipe_slots").filter(|_| !slots.is_power_of_two()) {
            let message = "pipe_slots must be a power of two, as Linux makes it";
            document.mistake(value.span().start, message);
        }
        let pipe_slots = u16::try_from(slots).unwrap_or(16);
        queues.push(QueueParameters { name, kind, maxsize, pipe_slots });
    }
    queues
}

/// Which of the queues it is.
fn kind(document: &Document<'_>, value: &Value<'_>) -> Option<QueueKind> {
    let text = document.string(value, "'kind'")?;
    let found = QueueKind::ALL.into_iter().find(|kind| kind.name() == text.text);
    if found.is_none() {
        let hint = one_of(text.text, QueueKind::ALL.map(QueueKind::name));
        let message = format!("unknown kind of queue '{}'; {hint}", text.text);
        document.mistake(text.place_of(text.text), message);
    }
    found
}

/// How many lanes a process's table names.
fn lanes_of(table: &DeTable<'_>) -> usize {
    table.keys().filter(|key| is_lane(key.get_ref())).count()
}

/// Whether a key of a process's table names a lane.
fn is_lane(key: &str) -> bool {
    key != DAEMON && key != ON_TERMINATE
}

/// Whether a process is a daemon.
fn daemon(document: &Document<'_>, table: &DeTable<'_>) -> bool {
    let Some(value) = table.get(DAEMON) else { return false };
    document.boolean(value, "'daemon'").unwrap_or(false)
}

/// Whether a process handles SIGTERM and leaves then.
fn leaves_on_terminate(document: &Document<'_>, table: &DeTable<'_>) -> bool {
    let Some(value) = table.get(ON_TERMINATE) else { return false };
    let Some(text) = document.string(value, "'on_terminate'") else { return false };
    if text.text != LEAVE {
        let message = format!(
            "unknown on_terminate '{}'; it is \"{LEAVE}\", or left out where SIGTERM ends the \
             process",
            text.text
        );
        document.mistake(text.place_of(text.text), message);
    }
    true
}

/// The lanes of one process with the places of their instructions; main first, then the further
/// threads in the order of the file.
fn read_process(
    reader: &mut Reader<'_>,
    names: &mut Names,
    lanes_before: usize,
    table: &DeTable<'_>,
    place: usize,
) -> Vec<(LaneProgram, Vec<usize>)> {
    let document = reader.document;
    let mut entries = in_file_order(table);
    entries.retain(|(key, _)| is_lane(key.get_ref()));
    entries.sort_by_key(|(key, _)| key.get_ref() != "main");
    if entries.first().is_none_or(|(key, _)| key.get_ref() != "main") {
        document.mistake(place, "this process has no main = [\"…\"]");
        return Vec::new();
    }
    let lane_names = entries.iter().map(|(key, _)| key.get_ref().to_string());
    names.threads = (lanes_before..)
        .zip(lane_names)
        .skip(1)
        .map(|(lane, name)| (name, LaneId(u8::try_from(lane).unwrap_or(u8::MAX))))
        .collect();
    let mut lanes = Vec::new();
    for (key, value) in entries {
        let name = key.get_ref().to_string();
        if !is_name(&name) || name == "feed" || name.starts_with("feed-") {
            let message = format!(
                "'{name}' is no thread name; it begins with a lower-case letter and is not 'feed'"
            );
            document.mistake(key.span().start, message);
        }
        let mut instructions: Vec<Instruction> = Vec::new();
        let mut places = Vec::new();
        let what = format!("thread '{name}'");
        let value: &Value<'_> = value;
        for text in document.strings(value, &what).unwrap_or_default() {
            if reader.operations > OPERATIONS_MAX {
                document.mistake(text.place_of(text.text), "too many operations");
                break;
            }
            match operation::read(reader, names, &text) {
                Ok(read) => {
                    reader.operations += read.len();
                    places.resize(places.len() + read.len(), text.place_of(text.text));
                    instructions.extend(read);
                }
                Err((word, message)) => document.mistake(text.place_of(word), message),
            }
        }
        lanes.push((LaneProgram { name, instructions }, places));
    }
    lanes
}
