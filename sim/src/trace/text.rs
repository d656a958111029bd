//! The text form of a trace: fixed columns, ASCII, no number that a step more would change.

use std::fmt::Write as _;

use midput_model::event::Event;
use midput_model::program::{Exit, LaneId, Operation, Outcome, ProcessId, Program, Timeout};
use midput_model::step::StepResult;

use midput_scenarios::Scenario;

use super::{Cell, Entry, TraceLog, What};
use crate::kernel::Record;
use crate::mutation::Against;
use crate::sweep::{CaseOutcome, Failure, Verdict};

/// What is told around the events: the head and the verdict.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// The scenario's name.
    pub scenario: String,
    /// Lines of the head, such as `kill P1 SIGKILL at …`.
    pub head: Vec<String>,
    /// Lines of the verdict: a key and its text.
    pub verdict: Vec<(String, String)>,
    /// Whether every step is shown, local ones too.
    pub all_steps: bool,
}

impl Story {
    /// The story of a case: its kills, how it ended, what it showed and what it broke.
    pub fn of(scenario: &Scenario, outcome: &CaseOutcome) -> Self {
        let case = &outcome.case;
        let mut head: Vec<String> = case.kills.iter().map(|kill| format!("kill {kill}")).collect();
        head.extend(case.holds.iter().map(|hold| format!("hold {hold}")));
        head.extend(case.mutation.iter().map(|mutation| format!("mutant {mutation}")));
        if outcome.landed.iter().any(|(_, injected)| *injected) {
            head.push(
                "injected: the kernel itself never leaves a transfer at this byte".to_owned(),
            );
        }
        let mut verdict = vec![("outcome".to_owned(), ending(scenario, outcome))];
        let mut add = |key: &str, text: String| {
            if !text.is_empty() {
                verdict.push((key.to_owned(), text));
            }
        };
        for chain in &outcome.chains {
            add("waits", chain.clone());
        }
        let hazards = outcome.judged.hazards.iter();
        let hazards: Vec<String> = hazards.map(|it| format!("{it} {}", it.name())).collect();
        add("hazard", hazards.join(", "));
        let diverged = match &outcome.judged.verdict {
            Verdict::Fail(failures) => failures.iter().find_map(|failure| match failure {
                Failure::Diverged(divergence) => Some(divergence.to_string()),
                _ => None,
            }),
            _ => None,
        };
        let agrees = match case.mutation.map(|mutation| mutation.against) {
            Some(Against::Nothing) => "not asked",
            Some(Against::Mutant) => "altered in the same way, agrees",
            Some(Against::Model) | None => "agrees",
        };
        add("model", diverged.unwrap_or_else(|| agrees.to_owned()));
        let violations = outcome.judged.violations.iter().map(|it| it.guarantee.to_string());
        let violations: Vec<String> = violations.collect();
        if !violations.is_empty() {
            add("guarantee", format!("{} violated", violations.join(", ")));
        }
        Self { scenario: scenario.name.clone(), head, verdict, all_steps: false }
    }
}

/// `all ended`, or `hang` and who hangs in what.
fn ending(scenario: &Scenario, outcome: &CaseOutcome) -> String {
    if outcome.all_ended {
        return "all ended".to_owned();
    }
    let lanes = scenario.program.lanes();
    let blocked = outcome.end.blocked.iter().map(|blocked| {
        let name = lanes.get(usize::from(blocked.lane.0)).map_or("?", |lane| lane.name.as_str());
        format!("{name} {}", blocked.step)
    });
    format!("hang  {}", blocked.collect::<Vec<_>>().join(", "))
}

/// Renders a trace as text.
pub fn render(program: &Program, log: &TraceLog, story: &Story) -> String {
    let mut renderer = Renderer { program, log, story, out: String::new(), shown: Vec::new() };
    renderer.head();
    for index in 0..log.entries.len() {
        renderer.entry(index);
    }
    for (key, text) in &story.verdict {
        let _ = writeln!(renderer.out, "= {key:<10} {text}");
    }
    renderer.out
}

struct Renderer<'a> {
    program: &'a Program,
    log: &'a TraceLog,
    story: &'a Story,
    out: String,
    /// The cells of the line before.
    shown: Vec<Cell>,
}

/// The steps that touch nothing outside their process, or that are all of their operation; they
/// are shown only where somebody stands there for ever.
fn is_local(step: &str) -> bool {
    step.starts_with("notempty.")
        || step.starts_with("process.")
        || matches!(
            step,
            "put"
                | "get"
                | "buffer.append"
                | "buffer.popleft"
                | "encode"
                | "decode"
                | "close"
                | "join_thread"
                | "cancel_join_thread"
                | "sentinel.append"
                | "feeder.start"
                | "leave"
                | "exit"
                | "thread.start"
                | "answer.wait"
                | "server.wait"
                | "session.wait"
        )
}

impl Renderer<'_> {
    fn head(&mut self) {
        let queue = self.program.queues.first();
        let parameters = queue.map_or(String::new(), |queue| {
            let maxsize = match queue.maxsize {
                0 => "unbounded".to_owned(),
                maxsize => maxsize.to_string(),
            };
            match queue.kind.is_managed() {
                true => format!("  kind={} maxsize={maxsize}", queue.kind.name()),
                false => format!("  maxsize={maxsize} pipe={}x4096", queue.pipe_slots),
            }
        });
        let _ = writeln!(self.out, "# midput trace 1  {}{parameters}", self.story.scenario);
        for line in &self.story.head {
            let _ = writeln!(self.out, "# {line}");
        }
        let lanes = self.lanes_width();
        let mut line = format!("# {:<lanes$}{:<29}{:<16}", "lane", "op", "result");
        for (index, column) in self.log.columns.iter().enumerate() {
            let _ = write!(line, " {column:>width$}", width = self.width(index));
        }
        let _ = writeln!(self.out, "{line}  note");
    }

    /// A server's threads have longer names than the lanes of a program.
    fn lanes_width(&self) -> usize {
        if self.program.is_managed() { 13 } else { 9 }
    }

    fn width(&self, column: usize) -> usize {
        if self.log.columns[column] == "pipe" { 6 } else { 5 }
    }

    fn entry(&mut self, index: usize) {
        let entry = &self.log.entries[index];
        match &entry.what {
            What::Step(record) => self.step(index, entry, record),
            What::History(event) => self.history(index, entry, event),
            What::Kill(process, signal) => {
                let name = self.process(*process);
                self.line('x', &name, &format!("kill {}", signal.name()), "", entry, "");
            }
            // A server's threads wait for ever, and for nobody.
            What::Blocked(lane, _) if self.is_server(*lane) => {}
            What::Blocked(lane, site) => {
                let name = self.lane(*lane);
                let note = self.why_blocked(*lane);
                self.line('!', &name, &site.step, "BLOCKED", entry, &note);
            }
        }
    }

    fn step(&mut self, index: usize, entry: &Entry, record: &Record) {
        let hidden = is_local(record.site.name) && !self.story.all_steps;
        if hidden || self.is_folded(index, record.lane) {
            return;
        }
        let name = self.lane(record.lane);
        let partial = matches!(record.result, StepResult::Moved(bytes)
            if (record.site.offset as u64) + u64::from(bytes) < u64::from(record.total));
        let (margin, note) = match partial && record.site.name.starts_with("write") {
            true => ('!', "pipe full, blocked"),
            false => (' ', ""),
        };
        self.line(margin, &name, record.site.name, &result(record), entry, note);
    }

    fn history(&mut self, index: usize, entry: &Entry, event: &Event) {
        match *event {
            Event::Call { lane, operation } => {
                if self.folded_return(index, lane).is_none() {
                    let (name, text) = (self.lane(lane), self.operation(operation));
                    self.line(' ', &name, &text, "..", entry, "");
                }
            }
            Event::Return { lane, outcome } => {
                let Some(call) = self.call_before(index, lane) else { return };
                let Some(operation) = self.operation_at(call) else { return };
                let text = if self.folded_return(call, lane).is_some() {
                    self.operation(operation)
                } else {
                    operation.name().to_owned()
                };
                let name = self.lane(lane);
                self.line(' ', &name, &text, &self.outcome(outcome), entry, "");
            }
            Event::Leave { process } => {
                let name = format!("{}.main", self.process(process));
                self.line(' ', &name, "leave", "..", entry, "");
            }
            Event::Overdue { lane } => {
                let name = self.lane(lane);
                self.line('!', &name, "past its deadline", "", entry, "");
            }
            Event::Death { process, exit } => {
                let text = match exit {
                    Exit::Code(code) => format!("code {code}"),
                    Exit::Signal(signal) => format!("signal {}", signal.number()),
                };
                let margin = if matches!(exit, Exit::Signal(_)) { 'x' } else { ' ' };
                let note = self.orphans(entry, process);
                let name = format!("{}.*", self.process(process));
                self.line(margin, &name, "died", &text, entry, &note);
            }
        }
    }

    fn is_server(&self, lane: LaneId) -> bool {
        self.program.is_managed() && usize::from(lane.0) >= self.program.lanes().len()
    }

    fn orphans(&self, entry: &Entry, process: ProcessId) -> String {
        let held = self.log.columns.iter().zip(&entry.cells);
        let held: Vec<&str> = held
            .filter(|(_, cell)| **cell == Cell::Orphaned(process))
            .map(|(column, _)| column.as_str())
            .collect();
        if held.is_empty() { String::new() } else { format!("orphans {}", held.join(" and ")) }
    }

    /// What a lane that is blocked at the end ought to have been spared.
    fn why_blocked(&self, lane: LaneId) -> String {
        let open = self.log.entries.iter().rev().find_map(|entry| match entry.what {
            What::History(Event::Return { lane: other, .. }) if other == lane => Some(None),
            What::History(Event::Call { lane: other, operation }) if other == lane => {
                Some(Some(operation))
            }
            _ => None,
        });
        match open.flatten().map(|operation| operation.timeout()) {
            Some(Timeout::Milliseconds(_)) => "timeout no longer applies".to_owned(),
            Some(Timeout::NoWait) => "although it must not wait".to_owned(),
            _ => String::new(),
        }
    }

    /// A call is folded into one line when it returns before any other lane does something that
    /// is shown.
    fn folded_return(&self, call: usize, lane: LaneId) -> Option<usize> {
        for (index, entry) in self.log.entries.iter().enumerate().skip(call + 1) {
            match &entry.what {
                What::History(Event::Return { lane: other, .. }) if *other == lane => {
                    return Some(index);
                }
                What::Step(record) => {
                    let other = record.lane != lane && !is_local(record.site.name);
                    if other || self.story.all_steps {
                        return None;
                    }
                }
                What::History(event) if is_of_other_lane(event, lane) => {}
                _ => return None,
            }
        }
        None
    }

    fn is_folded(&self, index: usize, lane: LaneId) -> bool {
        self.call_before(index, lane).is_some_and(|call| {
            self.folded_return(call, lane).is_some_and(|returned| returned > index)
        })
    }

    fn call_before(&self, index: usize, lane: LaneId) -> Option<usize> {
        let before = self.log.entries[..index].iter().enumerate().rev();
        let mut before = before.filter_map(|(index, entry)| match entry.what {
            What::History(Event::Call { lane: other, .. }) if other == lane => Some(Some(index)),
            What::History(Event::Return { lane: other, .. }) if other == lane => Some(None),
            _ => None,
        });
        before.next().flatten()
    }

    fn operation_at(&self, index: usize) -> Option<Operation> {
        match self.log.entries[index].what {
            What::History(Event::Call { operation, .. }) => Some(operation),
            _ => None,
        }
    }

    fn line(&mut self, margin: char, who: &str, what: &str, how: &str, entry: &Entry, note: &str) {
        let lanes = self.lanes_width();
        let mut line = format!("{margin} {who:<lanes$}{what:<29}{how:<16}");
        for (index, cell) in entry.cells.iter().enumerate() {
            let same = self.shown.get(index) == Some(cell);
            let text = if same { ".".to_owned() } else { self.cell(*cell) };
            let _ = write!(line, " {text:>width$}", width = self.width(index));
        }
        if !note.is_empty() {
            let _ = write!(line, "  {note}");
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
        self.shown.clone_from(&entry.cells);
    }

    fn cell(&self, cell: Cell) -> String {
        match cell {
            // An unbounded queue's slots say nothing to anybody.
            Cell::Value(value) if value > 0x7fff_0000 => "-".to_owned(),
            Cell::Value(value) => value.to_string(),
            Cell::Free => "-".to_owned(),
            Cell::Held(process) => self.process(process),
            Cell::Orphaned(process) => format!("!{}", self.process(process)),
        }
    }

    fn lane(&self, lane: LaneId) -> String {
        self.log.lanes.get(usize::from(lane.0)).cloned().unwrap_or_default()
    }

    fn process(&self, process: ProcessId) -> String {
        self.log.processes.get(usize::from(process.0)).cloned().unwrap_or_default()
    }

    fn operation(&self, operation: Operation) -> String {
        let name = operation.name();
        let wait = match operation.timeout() {
            Timeout::Never => String::new(),
            Timeout::NoWait => " nowait".to_owned(),
            Timeout::Milliseconds(milliseconds) => format!(" timeout={milliseconds}ms"),
        };
        match operation {
            Operation::Put { item, .. } => {
                let item = &self.program.items[usize::from(item.0)];
                format!("{name} {} ({} B){wait}", item.name, item.bytes)
            }
            Operation::Start { process }
            | Operation::Join { process, .. }
            | Operation::IsAlive { process }
            | Operation::Signal { process, .. } => {
                format!("{name} {}{wait}", self.process(process))
            }
            Operation::Thread { lane } => format!("{name} {}", self.lane(lane)),
            Operation::Exit { code } => format!("{name} {code}"),
            Operation::ExitNow { code } => format!("exit {code} without flush"),
            _ => format!("{name}{wait}"),
        }
    }

    fn outcome(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Done => "ok".to_owned(),
            Outcome::Item(item) => self.program.items[usize::from(item.0)].name.clone(),
            Outcome::Number(number) => number.to_string(),
            Outcome::Bool(value) => value.to_string(),
            other => format!("{other:?}"),
        }
    }
}

fn is_of_other_lane(event: &Event, lane: LaneId) -> bool {
    match event {
        Event::Call { lane: other, .. } | Event::Return { lane: other, .. } => *other != lane,
        _ => false,
    }
}

fn result(record: &Record) -> String {
    match record.result {
        StepResult::Done => "ok".to_owned(),
        StepResult::Moved(0) => "end of stream".to_owned(),
        StepResult::Moved(bytes) => {
            format!("{}/{} B", record.site.offset as u64 + u64::from(bytes), record.total)
        }
        StepResult::Unavailable => "not in time".to_owned(),
        StepResult::Ready => "ready".to_owned(),
        StepResult::Value(value) => value.to_string(),
        StepResult::Interrupted => "interrupted".to_owned(),
        StepResult::BrokenPipe => "broken pipe".to_owned(),
        StepResult::BadDescriptor => "handle is closed".to_owned(),
        StepResult::Error(number) => format!("error {number}"),
    }
}
