//! From a [`Scenario`] back to the text of its file.

use std::fmt::Write as _;

use midput_model::program::{
    Instruction, ItemId, LaneId, LaneProgram, Operation, Outcome, ProcessId, Program, QueueId,
    QueueKind, Timeout,
};

use crate::{Expect, Faults, OutcomeName, Scenario, World};

/// Longer lists are written with one entry a line.
const COLUMNS: usize = 96;
/// The largest number that a time may have in a file.
const TIME_MAX: i64 = 1_000_000;

/// The scenario as a file says it, without empty lines. Reading the text gives the same scenario
/// again, for every scenario that was itself read from a text.
pub fn write(scenario: &Scenario) -> String {
    let mut out = String::new();
    key(&mut out, "why", &quoted(&scenario.why));
    if let Expect::Fail { why } = &scenario.expect {
        key(&mut out, "expect", "\"fail\"");
        key(&mut out, "expect_why", &quoted(why));
    }
    if scenario.worlds != World::DEFAULT.into_iter().collect() {
        list(&mut out, "worlds", scenario.worlds.iter());
    }
    if let Some(why) = &scenario.worlds_why {
        key(&mut out, "worlds_why", &quoted(why));
    }
    program(&mut out, &scenario.program);
    faults(&mut out, &scenario.faults);
    if !scenario.allow.is_empty() {
        out.push_str("[allow]\n");
        scenario.allow.iter().for_each(|(subject, hazards)| list(&mut out, subject, hazards));
    }
    if !scenario.reach.is_empty() {
        out.push_str("[reach]\n");
        scenario.reach.iter().for_each(|(subject, goals)| list(&mut out, subject, goals));
    }
    out
}

fn program(out: &mut String, program: &Program) {
    for queue in &program.queues {
        let _ = writeln!(out, "[queue.{}]", queue.name);
        match queue.kind {
            QueueKind::Queue => key(out, "maxsize", &queue.maxsize.to_string()),
            QueueKind::Joinable | QueueKind::Manager | QueueKind::ManagerClassic => {
                key(out, "kind", &quoted(queue.kind.name()));
                key(out, "maxsize", &queue.maxsize.to_string());
            }
            QueueKind::Simple | QueueKind::Pipe => {
                key(out, "kind", &quoted(queue.kind.name()));
            }
        }
        if !queue.kind.is_managed() {
            key(out, "pipe_slots", &queue.pipe_slots.to_string());
        }
    }
    let writer = Writer { program };
    for process in &program.processes {
        let _ = writeln!(out, "[process.{}]", process.name);
        if process.daemon {
            key(out, "daemon", "true");
        }
        if process.leaves_on_terminate {
            key(out, "on_terminate", "\"leave\"");
        }
        for lane in &process.lanes {
            list(out, &lane.name, writer.operations(lane));
        }
    }
}

fn faults(out: &mut String, faults: &Faults) {
    if *faults == Faults::default() {
        return;
    }
    out.push_str("[faults]\n");
    if !faults.pinned.is_empty() {
        // These say the number of kills, the victims and the signals as well.
        list(out, "kill", &faults.pinned);
    } else if faults.kills_max > 0 {
        key(out, "kills", &faults.kills_max.to_string());
        list(out, "victims", faults.victims.iter().map(|it| format!("P{}", it.0)));
        list(out, "signals", faults.signals.iter().map(|signal| signal.name()));
    }
    if !faults.holds.is_empty() {
        list(out, "hold", &faults.holds);
    }
    for (name, is_set) in
        [("short_transfers", faults.short_transfers), ("interruptions", faults.interruptions)]
    {
        if is_set {
            key(out, name, "true");
        }
    }
}

fn key(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

fn list<T: ToString>(out: &mut String, name: &str, entries: impl IntoIterator<Item = T>) {
    let entries: Vec<String> =
        entries.into_iter().map(|entry| quoted(&entry.to_string())).collect();
    let line = format!("{name} = [{}]", entries.join(", "));
    if line.len() <= COLUMNS {
        out.push_str(&line);
    } else {
        let _ = write!(out, "{name} = [\n    {},\n]", entries.join(",\n    "));
    }
    out.push('\n');
}

/// A TOML string on one line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

struct Writer<'a> {
    program: &'a Program,
}

impl Writer<'_> {
    /// The operations of a lane; puts of `a`, `a#2`, `a#3` are one `repeat 3 put a`.
    fn operations(&self, lane: &LaneProgram) -> Vec<String> {
        let mut texts = Vec::new();
        let mut rest = lane.instructions.as_slice();
        while let Some(first) = rest.first() {
            let times = self.repetitions(rest);
            texts.push(self.instruction(first, times));
            rest = &rest[times..];
        }
        texts
    }

    /// How many of the first instructions came from one `repeat` of a put.
    fn repetitions(&self, instructions: &[Instruction]) -> usize {
        let Operation::Put { item, timeout, queue } = instructions[0].operation else { return 1 };
        let (name, bytes) = (self.item(item), self.bytes(item));
        let repeats = |(number, next): &(usize, &Instruction)| match next.operation {
            Operation::Put { item, timeout: next_timeout, queue: next_queue } => {
                (next_timeout, next_queue, self.bytes(item)) == (timeout, queue, bytes)
                    && self.item(item) == format!("{name}#{number}")
                    && next.after.is_none()
            }
            _ => false,
        };
        1 + (2..).zip(&instructions[1..]).take_while(repeats).count()
    }

    fn instruction(&self, instruction: &Instruction, times: usize) -> String {
        let mut text = String::new();
        if let Some(process) = instruction.after {
            let _ = write!(text, "after {} died ", self.process(process));
        }
        if times > 1 {
            let _ = write!(text, "repeat {times} ");
        }
        if let Some(outcome) = instruction.until {
            let _ = write!(text, "until {} ", self.outcome(outcome));
        }
        text + &self.operation(instruction.operation)
    }

    fn operation(&self, operation: Operation) -> String {
        let name = operation.name();
        match operation {
            Operation::Put { queue, item, timeout } => {
                let (item, bytes) = (self.item(item), self.bytes(item));
                format!("put {item} {bytes}B{}{}", time(timeout), self.queue(queue, "to"))
            }
            Operation::Get { queue, timeout } => {
                format!("get{}{}", time(timeout), self.queue(queue, "from"))
            }
            Operation::Size { queue }
            | Operation::Empty { queue }
            | Operation::Full { queue }
            | Operation::Close { queue }
            | Operation::CloseReader { queue }
            | Operation::CloseWriter { queue }
            | Operation::JoinThread { queue }
            | Operation::CancelJoinThread { queue }
            | Operation::TaskDone { queue }
            | Operation::JoinQueue { queue }
            | Operation::ForceRelease { queue, .. } => {
                format!("{name}{}", self.queue(queue, "of"))
            }
            Operation::Start { process }
            | Operation::IsAlive { process }
            | Operation::Signal { process, .. } => {
                format!("{name} {}", self.process(process))
            }
            Operation::Join { process, timeout } => {
                format!("join {}{}", self.process(process), time(timeout))
            }
            Operation::Thread { lane } => format!("thread {}", self.thread(lane)),
            Operation::Exit { code } => format!("exit {code}"),
            Operation::ExitNow { code } => format!("exit {code} without flush"),
        }
    }

    fn item(&self, item: ItemId) -> &str {
        self.program.items.get(usize::from(item.0)).map_or("?", |item| &item.name)
    }

    fn bytes(&self, item: ItemId) -> u32 {
        self.program.items.get(usize::from(item.0)).map_or(0, |item| item.bytes)
    }

    fn process(&self, process: ProcessId) -> &str {
        self.program.processes.get(usize::from(process.0)).map_or("?", |process| &process.name)
    }

    /// The name of a further thread, without its process's.
    fn thread(&self, lane: LaneId) -> String {
        let lanes = self.program.lanes();
        let name = lanes.get(usize::from(lane.0)).map_or("?", |lane| lane.name.as_str());
        name.split_once('.').map_or(name, |(_, thread)| thread).to_owned()
    }

    /// With one queue nothing need be said.
    fn queue(&self, queue: QueueId, preposition: &str) -> String {
        match self.program.queues.get(usize::from(queue.0)) {
            Some(queue) if self.program.queues.len() > 1 => {
                format!(" {preposition} {}", queue.name)
            }
            _ => String::new(),
        }
    }

    fn outcome(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Item(item) => self.item(item).to_owned(),
            other => OutcomeName::Other(other).to_string(),
        }
    }
}

fn time(timeout: Timeout) -> String {
    match timeout {
        Timeout::Never => String::new(),
        Timeout::NoWait => " nowait".to_owned(),
        Timeout::Milliseconds(time) if time.abs() > TIME_MAX => {
            format!(" timeout={}s", time / 1000)
        }
        Timeout::Milliseconds(time) => format!(" timeout={time}ms"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn reads_back(scenario: &Scenario) {
        let text = write(scenario);
        assert!(text.lines().all(|line| !line.trim().is_empty()), "{text}");
        match crate::parse(&scenario.name, &text) {
            Ok(again) => assert_eq!(again, *scenario, "{text}"),
            Err(error) => panic!("{error}\n{text}"),
        }
    }

    #[test]
    fn every_built_in_scenario_reads_back_from_what_is_written() {
        crate::builtin().iter().for_each(reads_back);
    }

    /// Operations that stand in any process, with `{n}` for a number of their own.
    fn operation() -> impl Strategy<Value = String> {
        let time = select(vec!["", " nowait", " timeout=1ms", " timeout=2000s", " timeout=-3ms"]);
        let queue = select(vec!["jobs", "back"]);
        let again = select(vec!["", "repeat 3 ", "repeat 2 "]);
        let put = (again.clone(), select(vec!["1B", "16kB", "70KiB"]), time.clone(), queue.clone())
            .prop_map(|(again, size, time, queue)| {
                format!("{again}put item{{n}} {size}{time} to {queue}")
            });
        let get = (again, time, queue.clone())
            .prop_map(|(again, time, queue)| format!("{again}get{time} from {queue}"));
        let call = select(vec![
            "qsize",
            "empty",
            "full",
            "close",
            "close reader",
            "release read lock",
            "release write lock",
            "join_thread",
            "cancel_join_thread",
            "until 3 qsize",
            "until True empty",
            "until False full",
            "until Empty get nowait",
            "until Torn get",
        ]);
        let call = (call, queue).prop_map(|(call, queue)| {
            let preposition = if call.contains("get") { "from" } else { "of" };
            format!("{call} {preposition} {queue}")
        });
        prop_oneof![put, get, call]
    }

    fn lane() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(operation(), 0..5)
    }

    fn texts(number: &mut u32, operations: &[String]) -> String {
        let texts = operations.iter().map(|operation| {
            *number += 1;
            format!("{:?}", operation.replace("{n}", &number.to_string()))
        });
        texts.collect::<Vec<_>>().join(", ")
    }

    proptest! {
        #[test]
        fn whatever_is_read_reads_back_from_what_is_written(
            why in "[a-z\"\\\\\n\u{e4}\t ]{0,9}",
            lanes in [lane(), lane(), lane()],
            head in select(vec![
                "", "expect = \"fail\"\nexpect_why = \"a \\\"canary\\\"\"\n",
                "worlds = [\"sim\"]\nworlds_why = \"it waits too long\"\n",
            ]),
            faults in select(vec![
                "", "kills = 2", "kills = 1\nvictims = [\"P0\"]\nsignals = [\"SIGTERM\", \"SIGKILL\"]",
                "kill = [\"P1 SIGKILL before P1.main get[2]\"]\ninterruptions = true",
                "hold = [\"P1.other before get[1]\"]\nshort_transfers = true",
            ]),
            end in select(vec!["exit 3", "raise", "after P1 died get from jobs", "kill P1"]),
        ) {
            let mut number = 0;
            let [first, second, third] = lanes.map(|lane| texts(&mut number, &lane));
            let comma = |text: &str| if text.is_empty() { String::new() } else { format!(", {text}") };
            let text = format!(
                "why = {:?}\n{head}[queue.jobs]\nmaxsize = 3\n[queue.back]\npipe_slots = 2\n\
                 [process.P0]\nmain = [\"start P1\"{}, \"join P1 timeout=20ms\", {end:?}]\n\
                 [process.P1]\nmain = [\"thread other\"{}]\nother = [{third}]\n\
                 [faults]\n{faults}\n[allow]\nclassic = [\"H1\", \"H11\"]\nuser-mine = []\n\
                 [reach]\nclassic = [\"all ended\", \"kill holding wlock\"]\n",
                format!("x{why}"), comma(&first), comma(&second),
            );
            let scenario = crate::parse("x/y", &text);
            let scenario = scenario.unwrap_or_else(|error| panic!("{error}\n{text}"));
            reads_back(&scenario);
        }
    }
}
