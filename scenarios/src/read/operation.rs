//! The grammar of operations: `repeat 3 put a 100kB timeout=1s to jobs`.

use midput_model::program::{
    Instruction, ItemId, LaneId, Operation, Outcome, ProcessId, QueueId, QueueKind, QueueLock,
    Signal, Timeout,
};
use midput_model::queue::manager;

use super::document::Text;
use super::processes::{Names, Put, Reader};
use crate::nearest::one_of;
use crate::outcome::OutcomeName;

/// The most times that `repeat` repeats, so that a slip of the finger does not fill the memory.
const REPEAT_MAX: u32 = 1000;
/// The largest item in bytes.
const ITEM_MAX: u64 = 16 << 20;

const OPERATIONS: &[&str] = &[
    "put",
    "get",
    "qsize",
    "empty",
    "full",
    "start",
    "join",
    "is_alive",
    "terminate",
    "kill",
    "close",
    "join_thread",
    "cancel_join_thread",
    "exit",
    "raise",
    "thread",
    "repeat",
    "until",
    "after",
    "task_done",
    "release",
];

/// A mistake in an operation: the word that is wrong, and the message.
pub(crate) type Wrong<'text> = (&'text str, String);

/// The words of an operation that are still to be read.
struct Words<'text> {
    text: &'text str,
    words: std::iter::Peekable<std::str::SplitWhitespace<'text>>,
}

impl<'text> Words<'text> {
    fn new(text: &'text str) -> Self {
        Self { text, words: text.split_whitespace().peekable() }
    }

    /// The next word; without one, a mistake that says what should stand there.
    fn next(&mut self, wanted: &str) -> Result<&'text str, Wrong<'text>> {
        let end = &self.text[self.text.len()..];
        self.words.next().ok_or_else(|| (end, format!("{wanted} is missing at the end")))
    }

    fn next_if(&mut self, word: &str) -> Option<&'text str> {
        self.words.next_if(|next| *next == word)
    }
}

/// One operation of a lane as read: its instructions, with the items that they put.
pub(crate) fn read<'text>(
    reader: &mut Reader<'_>,
    names: &Names,
    text: &Text<'text>,
) -> Result<Vec<Instruction>, Wrong<'text>> {
    let mut words = Words::new(text.text);
    let mut after = None;
    if words.next_if("after").is_some() {
        after = Some(names.process(words.next("a process")?)?);
        let died = words.next("'died'")?;
        if died != "died" {
            return Err((died, format!("'{died}' should be 'died': after P1 died get")));
        }
    }
    let repeat = if words.next_if("repeat").is_some() { read_repeat(&mut words)? } else { 1 };
    let until = match words.next_if("until") {
        Some(_) => Some(words.next("an outcome")?),
        None => None,
    };
    let verb = words.next("an operation")?;
    let mut instructions = Vec::new();
    let operation = Parsed::read(names, verb, &mut words)?;
    for number in 1..=repeat {
        let operation = operation.build(reader, text, number)?;
        let until = until.map(|word| read_until(reader, word, verb, &operation)).transpose()?;
        let after = if number == 1 { after } else { None };
        instructions.push(Instruction { after, until, operation });
    }
    Ok(instructions)
}

fn read_repeat<'text>(words: &mut Words<'text>) -> Result<u32, Wrong<'text>> {
    let word = words.next("how often")?;
    match word.parse() {
        Ok(times @ 1..=REPEAT_MAX) => Ok(times),
        _ => Err((word, format!("'{word}' must be how often, from 1 to {REPEAT_MAX}"))),
    }
}

/// The outcome that ends an `until`, if the operation can have it and may be repeated at all.
fn read_until<'text>(
    reader: &Reader<'_>,
    word: &'text str,
    verb: &'text str,
    operation: &Operation,
) -> Result<Outcome, Wrong<'text>> {
    let repeatable = matches!(
        operation,
        Operation::Get { .. }
            | Operation::Size { .. }
            | Operation::Empty { .. }
            | Operation::Full { .. }
            | Operation::IsAlive { .. }
    );
    if !repeatable {
        let message = format!("'until' repeats get, qsize, empty, full or is_alive, not {verb}");
        return Err((verb, message));
    }
    let name: OutcomeName =
        word.parse().map_err(|error: crate::NoOutcome| (word, error.to_string()))?;
    let outcome = match name {
        OutcomeName::Other(outcome) => outcome,
        OutcomeName::AnyItem => {
            return Err((word, "'until' needs the name of one item, such as a".to_owned()));
        }
        OutcomeName::Item(name) => Outcome::Item(reader.item(&name).ok_or_else(|| {
            (word, format!("no item '{name}' is put in this file above this line"))
        })?),
    };
    if possible(operation, outcome) {
        Ok(outcome)
    } else {
        let waits = matches!(operation, Operation::Get { timeout: Timeout::Never, .. });
        let hint = if waits && outcome == Outcome::Empty {
            "; give it a timeout, such as timeout=100ms"
        } else {
            ""
        };
        Err((word, format!("this {verb} never ends with {word}{hint}")))
    }
}

/// Whether an operation can have an outcome, as far as its kind says.
pub(crate) fn possible(operation: &Operation, outcome: Outcome) -> bool {
    use Operation as Op;
    match outcome {
        Outcome::Item(_) | Outcome::Garbage | Outcome::EndOfFile | Outcome::Torn => {
            matches!(operation, Op::Get { .. })
        }
        Outcome::Empty => {
            matches!(operation, Op::Get { timeout, .. } if *timeout != Timeout::Never)
        }
        Outcome::Full => {
            matches!(operation, Op::Put { timeout, .. } if *timeout != Timeout::Never)
        }
        Outcome::Number(_) => matches!(operation, Op::Size { .. }),
        Outcome::Bool(_) => {
            matches!(operation, Op::Empty { .. } | Op::Full { .. } | Op::IsAlive { .. })
        }
        Outcome::Closed => matches!(operation, Op::Put { .. } | Op::Get { .. }),
        Outcome::HandleClosed => {
            matches!(operation, Op::Put { .. } | Op::Get { .. } | Op::Empty { .. })
        }
        Outcome::TooMany => matches!(operation, Op::TaskDone { .. }),
        Outcome::Missing => matches!(operation, Op::JoinQueue { .. }),
        Outcome::NotClosed => matches!(operation, Op::JoinThread { .. }),
        Outcome::Done => !matches!(
            operation,
            Op::Get { .. }
                | Op::Size { .. }
                | Op::Empty { .. }
                | Op::Full { .. }
                | Op::IsAlive { .. }
                | Op::Exit { .. }
                | Op::ExitNow { .. }
        ),
        Outcome::Failed => true,
    }
}

/// An operation whose words have been read; each repetition of it builds one.
enum Parsed<'text> {
    Put { name: &'text str, bytes: u32, timeout: Timeout, queue: QueueId },
    Plain(Operation),
}

impl<'text> Parsed<'text> {
    fn read(
        names: &Names,
        verb: &'text str,
        words: &mut Words<'text>,
    ) -> Result<Self, Wrong<'text>> {
        let operation = match verb {
            "put" => return Self::put(names, verb, words),
            "get" => {
                let end = End::read(names, verb, words, "from", true)?;
                let queue = end.queue(names, verb)?;
                let get = Operation::Get { queue, timeout: end.timeout };
                return Self::of_kind(names, verb, get);
            }
            "start" => {
                let process = process_at_end(names, verb, words)?;
                Operation::Start { process }
            }
            "is_alive" => Operation::IsAlive { process: process_at_end(names, verb, words)? },
            "terminate" | "kill" => {
                let signal = if verb == "kill" { Signal::Kill } else { Signal::Terminate };
                Operation::Signal { process: process_at_end(names, verb, words)?, signal }
            }
            "join" => {
                let word = words.next("a process")?;
                if word == "queue" {
                    let end = End::read(names, verb, words, "of", false)?;
                    let queue = end.queue(names, verb)?;
                    return Self::of_kind(names, verb, Operation::JoinQueue { queue });
                }
                let process = names.process(word)?;
                let end = End::read(names, verb, words, "", true)?;
                if end.timeout == Timeout::NoWait {
                    return Err((verb, "join knows no 'nowait'; write timeout=0ms".to_owned()));
                }
                Operation::Join { process, timeout: end.timeout }
            }
            "thread" => {
                let lane = names.thread(words.next("the name of a thread")?)?;
                nothing_more(verb, words)?;
                Operation::Thread { lane }
            }
            "exit" => {
                let code = match words.words.next_if(|word| *word != "without") {
                    None => 0,
                    Some(word) => word.parse().map_err(|_| {
                        (word, format!("'{word}' must be an exit code from 0 to 255"))
                    })?,
                };
                if words.next_if("without").is_some() {
                    let flush = words.next("'flush'")?;
                    if flush != "flush" {
                        return Err((flush, format!("'{flush}' should be 'flush'")));
                    }
                    nothing_more(verb, words)?;
                    return Ok(Self::Plain(Operation::ExitNow { code }));
                }
                nothing_more(verb, words)?;
                Operation::Exit { code }
            }
            "raise" => {
                nothing_more(verb, words)?;
                Operation::Exit { code: 1 }
            }
            "after" | "repeat" | "until" => {
                return Err((
                    verb,
                    format!("'{verb}' must stand earlier; the order is after, repeat, until"),
                ));
            }
            _ => return Self::of_queue(names, verb, words),
        };
        Ok(Self::Plain(operation))
    }

    fn put(
        names: &Names,
        verb: &'text str,
        words: &mut Words<'text>,
    ) -> Result<Self, Wrong<'text>> {
        let name = words.next("the item's name")?;
        if !is_name(name) {
            return Err((
                name,
                format!("'{name}' is no item name; it begins with a lower-case letter, such as a"),
            ));
        }
        let size = words.next("the item's size, such as 100B,")?;
        let bytes = parse_size(size).map_err(|message| (size, message))?;
        let end = End::read(names, verb, words, "to", true)?;
        let queue = end.queue(names, verb)?;
        let kind = names.kind(queue);
        if matches!(kind, QueueKind::Simple | QueueKind::Pipe) && end.timeout != Timeout::Never {
            return Err((verb, format!("put knows no time-out with kind = \"{}\"", kind.name())));
        }
        Ok(Self::Put { name, bytes, timeout: end.timeout, queue })
    }

    /// The operations that have a queue and nothing else.
    fn of_queue(
        names: &Names,
        verb: &'text str,
        words: &mut Words<'text>,
    ) -> Result<Self, Wrong<'text>> {
        if !OPERATIONS.contains(&verb) {
            let hint = one_of(verb, OPERATIONS.iter().copied());
            return Err((verb, format!("unknown operation '{verb}'; {hint}")));
        }
        let reader = verb == "close" && words.next_if("reader").is_some();
        let writer = verb == "close" && words.next_if("writer").is_some();
        let lock = if verb == "release" { Some(Self::lock(words)?) } else { None };
        let end = End::read(names, verb, words, "of", false)?;
        let queue = end.queue(names, verb)?;
        if let Some(lock) = lock {
            return Self::of_kind(names, verb, Operation::ForceRelease { queue, lock });
        }
        let operation = match verb {
            "task_done" => Operation::TaskDone { queue },
            "qsize" => Operation::Size { queue },
            "empty" => Operation::Empty { queue },
            "full" => Operation::Full { queue },
            "close" if reader => Operation::CloseReader { queue },
            "close" if writer => Operation::CloseWriter { queue },
            "close" => Operation::Close { queue },
            "join_thread" => Operation::JoinThread { queue },
            _ => Operation::CancelJoinThread { queue },
        };
        Self::of_kind(names, verb, operation)
    }

    /// `read lock` or `write lock`.
    fn lock(words: &mut Words<'text>) -> Result<QueueLock, Wrong<'text>> {
        let word = words.next("'read lock' or 'write lock'")?;
        let lock = match word {
            "read" => QueueLock::Read,
            "write" => QueueLock::Write,
            _ => {
                return Err((word, format!("'{word}' is no lock; 'read lock' or 'write lock' is")));
            }
        };
        match words.next("'lock'")? {
            "lock" => Ok(lock),
            word => Err((word, format!("'{word}' stands where 'lock' was expected"))),
        }
    }

    /// The operation, if its queue has it.
    fn of_kind(
        names: &Names,
        verb: &'text str,
        operation: Operation,
    ) -> Result<Self, Wrong<'text>> {
        let kind = operation.queue().map_or(QueueKind::Queue, |queue| names.kind(queue));
        let joins = matches!(operation, Operation::TaskDone { .. } | Operation::JoinQueue { .. });
        if joins && !kind.counts_tasks() {
            let what = operation.name();
            let message = format!("{what} needs a joinable queue; write kind = \"joinable\"");
            return Err((verb, message));
        }
        let untimed_get = matches!(operation, Operation::Get { timeout: Timeout::Never, .. });
        let empty = matches!(operation, Operation::Empty { .. });
        let has = match kind {
            QueueKind::Queue | QueueKind::Joinable => {
                !matches!(operation, Operation::CloseWriter { .. })
            }
            QueueKind::Simple => {
                untimed_get || empty || matches!(operation, Operation::Close { .. })
            }
            QueueKind::Pipe => {
                let closes = matches!(
                    operation,
                    Operation::CloseReader { .. } | Operation::CloseWriter { .. }
                );
                untimed_get || closes
            }
            QueueKind::Manager | QueueKind::ManagerClassic => manager::has(&operation),
        };
        if !has {
            let what = match kind {
                QueueKind::Queue | QueueKind::Joinable => "has no 'close writer', which a pipe has",
                QueueKind::Simple => "has put and get without a time-out, empty and close",
                QueueKind::Pipe => {
                    "has put and get without a time-out, 'close reader' and 'close writer'"
                }
                QueueKind::Manager | QueueKind::ManagerClassic => {
                    "has put, get, qsize, empty, full, task_done and join"
                }
            };
            return Err((verb, format!("a queue with kind = \"{}\" {what}", kind.name())));
        }
        Ok(Self::Plain(operation))
    }

    fn build(
        &self,
        reader: &mut Reader<'_>,
        text: &Text<'text>,
        number: u32,
    ) -> Result<Operation, Wrong<'text>> {
        match *self {
            Self::Plain(operation) => Ok(operation),
            Self::Put { name, bytes, timeout, queue } => {
                let item_name =
                    if number == 1 { name.to_owned() } else { format!("{name}#{number}") };
                let place = text.place_of(name);
                let item: ItemId = reader
                    .put(Put { name: item_name, bytes, queue, place })
                    .map_err(|message| (name, message))?;
                Ok(Operation::Put { queue, item, timeout })
            }
        }
    }
}

fn process_at_end<'text>(
    names: &Names,
    verb: &str,
    words: &mut Words<'text>,
) -> Result<ProcessId, Wrong<'text>> {
    let process = names.process(words.next("a process")?)?;
    nothing_more(verb, words)?;
    Ok(process)
}

fn nothing_more<'text>(verb: &str, words: &mut Words<'text>) -> Result<(), Wrong<'text>> {
    match words.words.next() {
        None => Ok(()),
        Some(word) => Err((word, format!("'{word}' is too much after {verb}"))),
    }
}

/// What may stand at the end of an operation: how long to wait, and which queue, in any order.
struct End {
    timeout: Timeout,
    queue: Option<QueueId>,
}

impl End {
    fn read<'text>(
        names: &Names,
        verb: &str,
        words: &mut Words<'text>,
        preposition: &str,
        waits: bool,
    ) -> Result<Self, Wrong<'text>> {
        let mut end = Self { timeout: Timeout::Never, queue: None };
        while let Some(word) = words.words.next() {
            if word == preposition && end.queue.is_none() {
                end.queue = Some(names.queue(words.next("the name of a queue")?)?);
            } else if waits && end.timeout == Timeout::Never && word == "nowait" {
                end.timeout = Timeout::NoWait;
            } else if let Some(("timeout", time)) = word.split_once('=')
                && waits
                && end.timeout == Timeout::Never
            {
                end.timeout = parse_time(time).map_err(|message| (word, message))?;
            } else {
                return Err((word, unknown_end(verb, word, preposition, waits)));
            }
        }
        Ok(end)
    }

    /// The queue: with one queue in the file nothing need be said.
    fn queue<'text>(&self, names: &Names, verb: &'text str) -> Result<QueueId, Wrong<'text>> {
        self.queue.map_or_else(|| names.only_queue(verb), Ok)
    }
}

fn unknown_end(verb: &str, word: &str, preposition: &str, waits: bool) -> String {
    let key = word.split('=').next().unwrap_or(word);
    let mut known = Vec::new();
    if waits {
        known.extend(["timeout", "nowait"]);
    }
    if !preposition.is_empty() {
        known.push(preposition);
    }
    if known.contains(&key) {
        return format!("'{word}' does not fit here; write it once, such as timeout=100ms");
    }
    if known.is_empty() {
        return format!("'{word}' is too much after {verb}");
    }
    format!("unknown '{key}' after {verb}; {}", one_of(key, known))
}

/// Whether a text may name an item, a queue or a thread.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
}

fn parse_size(text: &str) -> Result<u32, String> {
    let (number, unit) = split_unit(text);
    let unit_bytes = match unit {
        "B" => 1,
        "kB" => 1000,
        "KiB" => 1024,
        _ => {
            return Err(format!("'{text}' is no size; write 100B, 16kB (of 1000 B) or 16KiB"));
        }
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_bytes));
    match bytes.filter(|bytes| (1..=ITEM_MAX).contains(bytes)).map(u32::try_from) {
        Some(Ok(bytes)) => Ok(bytes),
        _ => Err(format!("'{text}' must be from 1B (0B would carry no name) to 16384KiB")),
    }
}

fn parse_time(text: &str) -> Result<Timeout, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        _ => None,
    };
    let number = number.parse::<i64>().ok().filter(|number| number.abs() <= 1_000_000);
    match (number, factor) {
        (Some(number), Some(factor)) => Ok(Timeout::Milliseconds(number * factor)),
        _ => Err(format!("'{text}' is no time; write 100ms or 1s, at most 1000000")),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    text.split_at(digits)
}

impl Names {
    /// The lane of a thread of the process that is being read.
    fn thread<'text>(&self, word: &'text str) -> Result<LaneId, Wrong<'text>> {
        let found = self.threads.iter().find(|(name, _)| name == word);
        found.map(|(_, lane)| *lane).ok_or_else(|| {
            let hint = one_of(word, self.threads.iter().map(|(name, _)| name.as_str()));
            (word, format!("unknown thread '{word}' of this process; {hint}"))
        })
    }
}
