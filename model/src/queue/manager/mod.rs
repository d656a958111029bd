//! The manager queue as a machine, in two forms: CPython's, with its hazards H14 and H15 and the
//! stale answers of `MQ7`, and the closed one of `midput_real::manager`.
//!
//! It is coarser than [`classic`](super::classic): one action is one message that one side sends or
//! takes up, or one event of the history. A client has one connection, and the server one thread
//! for it. Requests that have been sent stay in the connection until they are served, whether or not a
//! thread of the server has read them meanwhile: nobody can tell the difference, since a socket
//! delivers what was sent before its end.

use crate::clone::clone_by_field;
use crate::contract::Historic;
use crate::event::{Blocked, End, Event};
use crate::machine::{Machine, Refused};
use crate::program::{
    Exit, Instruction, ItemId, LaneId, Operation, Outcome, ProcessId, Program, QueueId, QueueKind,
    Signal,
};
use crate::queue::classic::Time;

mod act;
mod can;
mod tasks;
#[cfg(test)]
mod tests;
mod text;

use tasks::Tasks;
pub use text::describe;

/// Which manager it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// CPython's: the server carries out what it has read, whoever is still there (`MQ4`), and an
    /// answer that nobody took is the answer of the next call (`MQ7`).
    Classic,
    /// The server looks at its client before it carries out a put, and an item is taken in two
    /// steps. No call can be interrupted.
    Closed,
}

/// What the environment may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// When waits may expire.
    pub time: Time,
    /// How many kills may happen, in all.
    pub kills: u8,
    /// Which processes may be killed.
    pub victims: Vec<ProcessId>,
    /// Whether the server may be killed by itself.
    pub server: bool,
    /// The process that the server is part of: they end together. None is a process of its own.
    pub host: Option<ProcessId>,
    /// How many calls may be left by an exception while they wait (`MQ7`). Classic form only.
    pub interrupts: u8,
}

/// A program that this machine does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manager's machine does not have {0}")]
pub struct NotModelled(pub String);

/// One thing that can happen. Each is about one process, or its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A process makes its next call, or begins to leave.
    Call(ProcessId),
    /// A process sends the request that it has called for, or starts a child.
    Send(ProcessId),
    /// The server serves the first request in a process's connection.
    Serve(ProcessId),
    /// The time of a process's call is up; the server answers without, if it is one of its.
    Expire(ProcessId),
    /// A process takes up the first answer in its connection, or what it waited for otherwise. An
    /// item of the closed form it accepts.
    Receive(ProcessId),
    /// The server takes note that a process has accepted an item. Closed form only.
    Confirm(ProcessId),
    /// The server sees that a process is gone. Closed form only: the other never looks.
    Notice(ProcessId),
    /// A process that leaves and has no child any more ends.
    Exit(ProcessId),
    /// An exception ends a process's call, which waits.
    Interrupt(ProcessId),
    /// SIGKILL of a process.
    Kill(ProcessId),
    /// SIGKILL of the server.
    KillServer,
}

/// What an action did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What happened.
    pub action: Action,
    /// The call that it is about, if it is about one.
    pub operation: Option<Operation>,
    /// What the server answered, or the call ended with.
    pub outcome: Option<Outcome>,
    /// What it adds to the history.
    pub event: Option<Event>,
}

/// A process, with its connection and the thread that the server has for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Client {
    life: Life,
    /// Its next instruction.
    at: u16,
    /// It has called and waits for what ends the call.
    waits: bool,
    /// It has not sent yet what it calls for, or not started its child.
    unsent: bool,
    /// How long its call may still wait, in milliseconds. After an exception the clock of the call
    /// that was left is not known: it may be up at any time.
    remaining: Option<u64>,
    /// What the server has not served yet, each with the position of its instruction.
    requests: Vec<(u16, Operation)>,
    /// What the process has not taken up yet, each with that of the call that it answers.
    answers: Vec<(u16, Outcome)>,
    /// Closed form: the item that is on its way.
    delivered: Option<ItemId>,
    /// Closed form: the process has accepted it, and the server has not seen that yet.
    accepted: bool,
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    NotStarted,
    Running,
    /// It waits for its children (`LC1`).
    Leaving,
    Left,
    Killed,
}

/// A hazard that has come about, for whoever looks for the shortest way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Harm {
    /// H14: this item was given to a dead client.
    pub swallowed: Option<ItemId>,
    /// H15: this item was put for a dead client.
    pub ghost: Option<ItemId>,
    /// `MQ7`: a call has got another call's answer.
    pub stale: bool,
}

/// One queue of the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Queue {
    /// What is inside; an item on its way is not among them.
    items: Vec<ItemId>,
    tasks: Tasks,
}

/// All that the future depends on, and the harm done so far.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct State {
    clients: Vec<Client>,
    queues: Vec<Queue>,
    server_lives: bool,
    kills: u8,
    interrupts: u8,
    /// What has gone wrong.
    pub harm: Harm,
}

clone_by_field!(State { clients, queues, server_lives, kills, interrupts, harm });

/// The machine of a program whose queues a manager owns.
#[derive(Clone, Debug)]
pub struct Manager {
    program: Program,
    form: Form,
    environment: Environment,
}

/// Whether processes that use a manager's queue may do this.
pub fn has(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Put { .. }
            | Operation::Get { .. }
            | Operation::Size { .. }
            | Operation::Empty { .. }
            | Operation::Full { .. }
            | Operation::TaskDone { .. }
            | Operation::JoinQueue { .. }
            | Operation::Start { .. }
            | Operation::Join { .. }
    )
}

impl Manager {
    /// The machine of a program whose queues are all of one of the manager's kinds.
    ///
    /// # Errors
    /// Where they are not, and where the program does what this machine does not have.
    pub fn of(program: Program, environment: Environment) -> Result<Self, NotModelled> {
        let kinds = program.queues.iter().map(|queue| queue.kind);
        let form = match kinds.clone().next() {
            Some(QueueKind::Manager) => Form::Closed,
            Some(QueueKind::ManagerClassic) => Form::Classic,
            _ => return Err(NotModelled("a queue that no server owns".to_owned())),
        };
        if kinds.clone().zip(kinds.skip(1)).any(|(one, other)| one != other) {
            return Err(NotModelled("queues of several kinds".to_owned()));
        }
        Self::new(program, form, environment)
    }

    /// The machine of a program: main lanes that use queues, start and join processes and leave.
    ///
    /// # Errors
    /// Where the program does something else.
    pub fn new(
        program: Program,
        form: Form,
        environment: Environment,
    ) -> Result<Self, NotModelled> {
        for process in &program.processes {
            let [lane] = &process.lanes[..] else {
                return Err(NotModelled(format!("threads, as {} has", process.name)));
            };
            if process.leaves_on_terminate {
                return Err(NotModelled(format!("a handler of SIGTERM, as {} has", process.name)));
            }
            if process.daemon {
                return Err(NotModelled(format!("daemons, as {} is", process.name)));
            }
            for instruction in &lane.instructions {
                if !has(&instruction.operation) {
                    let name = instruction.operation.name();
                    return Err(NotModelled(format!("'{name}' as {} does it", process.name)));
                }
            }
        }
        Ok(Self { program, form, environment })
    }

    fn lane(&self, process: ProcessId) -> LaneId {
        self.program.lane_of(process, 0)
    }

    fn next(&self, state: &State, process: ProcessId) -> Option<&Instruction> {
        let lane = &self.program.processes[usize::from(process.0)].lanes[0];
        lane.instructions.get(usize::from(state.client(process).at))
    }

    fn processes(&self) -> impl Iterator<Item = ProcessId> + use<> {
        (0u8..).map(ProcessId).take(self.program.processes.len())
    }

    /// The processes that this one starts.
    fn children(&self, process: ProcessId) -> impl Iterator<Item = ProcessId> {
        let lane = &self.program.processes[usize::from(process.0)].lanes[0];
        lane.instructions.iter().filter_map(|instruction| match instruction.operation {
            Operation::Start { process } => Some(process),
            _ => None,
        })
    }

    fn maxsize(&self, queue: QueueId) -> usize {
        match self.program.queues[usize::from(queue.0)].maxsize {
            0 => usize::MAX,
            bound => bound as usize,
        }
    }
}

impl State {
    fn client(&self, process: ProcessId) -> &Client {
        &self.clients[usize::from(process.0)]
    }

    fn client_mut(&mut self, process: ProcessId) -> &mut Client {
        &mut self.clients[usize::from(process.0)]
    }

    fn queue(&self, queue: QueueId) -> &Queue {
        &self.queues[usize::from(queue.0)]
    }

    fn queue_mut(&mut self, queue: QueueId) -> &mut Queue {
        &mut self.queues[usize::from(queue.0)]
    }

    /// Whether the process has been started and has not ended.
    fn is_alive(&self, process: ProcessId) -> bool {
        matches!(self.client(process).life, Life::Running | Life::Leaving)
    }

    fn is_dead(&self, process: ProcessId) -> bool {
        matches!(self.client(process).life, Life::Left | Life::Killed)
    }
}

impl Machine for Manager {
    type State = State;
    type Action = Action;
    type Observation = Observation;

    fn initial(&self) -> State {
        let client = |process: ProcessId| Client {
            life: if process.0 == 0 { Life::Running } else { Life::NotStarted },
            at: 0,
            waits: false,
            unsent: false,
            remaining: None,
            requests: Vec::new(),
            answers: Vec::new(),
            delivered: None,
            accepted: false,
        };
        let tasks = Tasks::new(self.program.processes.len());
        State {
            clients: self.processes().map(client).collect(),
            queues: vec![Queue { items: Vec::new(), tasks }; self.program.queues.len()],
            server_lives: true,
            kills: self.environment.kills,
            interrupts: self.environment.interrupts,
            harm: Harm::default(),
        }
    }

    fn enabled(&self, state: &State, out: &mut Vec<Action>) {
        let before = out.len();
        for process in self.processes() {
            let kinds = [
                (Action::Call(process), self.can_call(state, process)),
                (Action::Send(process), self.can_send(state, process)),
                (Action::Serve(process), self.can_serve(state, process)),
                (Action::Confirm(process), self.can_confirm(state, process)),
                (Action::Notice(process), self.can_notice(state, process)),
                (Action::Receive(process), self.can_receive(state, process)),
                (Action::Exit(process), self.can_exit(state, process)),
            ];
            out.extend(kinds.iter().filter(|(_, can)| *can).map(|(action, _)| *action));
        }
        // Patient time passes where nothing else can happen; what is due is due.
        let remaining = |process| state.client(process).remaining;
        let expiring = || self.processes().filter(|&process| self.can_expire(state, process));
        let least = match out.len() == before {
            true => expiring().filter_map(remaining).min(),
            false => Some(0),
        };
        let any = self.environment.time == Time::Any;
        let due = expiring().filter(|&process| any || remaining(process) <= least);
        out.extend(due.map(Action::Expire));
    }

    fn disturbances(&self, state: &State, out: &mut Vec<Action>) {
        for process in self.processes() {
            let client = state.client(process);
            let is_victim = self.environment.victims.contains(&process);
            if state.kills > 0 && is_victim && state.is_alive(process) {
                out.push(Action::Kill(process));
            }
            let interruptible = self.form == Form::Classic && client.life == Life::Running;
            let waits = client.waits && !client.unsent && !self.waits_locally(state, process);
            if state.interrupts > 0 && interruptible && waits {
                out.push(Action::Interrupt(process));
            }
        }
        if state.kills > 0 && self.environment.server && state.server_lives {
            out.push(Action::KillServer);
        }
    }

    fn apply(&self, state: &mut State, action: &Action) -> Result<Observation, Refused> {
        let (mut able, mut disturbing) = (Vec::new(), Vec::new());
        self.enabled(state, &mut able);
        self.disturbances(state, &mut disturbing);
        if !able.contains(action) && !disturbing.contains(action) {
            return Err(Refused(format!("{action:?} cannot happen here")));
        }
        Ok(self.carry_out(state, *action))
    }
}

impl Historic for Manager {
    fn program(&self) -> &Program {
        &self.program
    }

    fn events(observation: &Observation) -> &[Event] {
        observation.event.as_slice()
    }

    fn end(&self, state: &State) -> End {
        let blocked = self.processes().filter(|&process| state.is_alive(process)).map(|process| {
            let leaving = state.client(process).life == Life::Leaving;
            let step = match (leaving, state.client(process).waits) {
                (true, _) => "child.join",
                (false, false) => "await-death",
                (false, true) if self.waits_locally(state, process) => "process.join",
                (false, true) => "answer.wait",
            };
            Blocked { lane: self.lane(process), step: step.to_owned(), offset: 0, leaving }
        });
        End { blocked: blocked.collect() }
    }
}

/// How a killed process ended.
const KILLED: Exit = Exit::Signal(Signal::Kill);
