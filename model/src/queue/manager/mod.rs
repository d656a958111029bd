//! The manager queue as a machine, in two forms: CPython's, with its hazards H14 and H15 and the
//! stale answers of `MQ7`, and the closed one of `midput_real::manager`.
//!
//! It is coarser than [`classic`](super::classic): one action is one message that one side sends or
//! takes up. A client has one connection, and the server one thread for it. Requests that have been
//! sent stay in the connection until they are served, whether or not a thread of the server has
//! read them meanwhile: nobody can tell the difference, since a socket delivers what was sent
//! before its end.

use arrayvec::ArrayVec;

use crate::clone::clone_by_field;
use crate::contract::Historic;
use crate::event::{Blocked, End, Event};
use crate::machine::{Machine, Refused};
use crate::program::{
    Exit, Instruction, ItemId, LaneId, Operation, Outcome, ProcessId, Program, QueueId, Signal,
};

mod act;
#[cfg(test)]
mod tests;

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
    /// How many kills may happen, in all.
    pub kills: u8,
    /// Which processes may be killed.
    pub victims: Vec<ProcessId>,
    /// Whether the server may be killed.
    pub server: bool,
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
    /// A process makes its next call, or leaves.
    Call(ProcessId),
    /// The server serves the first request in a process's connection.
    Serve(ProcessId),
    /// The time of a process's call is up, and the server answers without.
    Expire(ProcessId),
    /// A process takes up the first answer in its connection. An item of the closed form it accepts.
    Receive(ProcessId),
    /// The server takes note that a process has accepted an item. Closed form only.
    Confirm(ProcessId),
    /// The server sees that a process is gone. Closed form only: the other never looks.
    Notice(ProcessId),
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
    pub events: ArrayVec<Event, 3>,
}

/// A process, with its connection and the thread that the server has for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    life: Life,
    /// Its next instruction.
    at: u16,
    /// It has called and waits for an answer.
    waits: bool,
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

/// All that the future depends on, and the harm done so far.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct State {
    clients: Vec<Client>,
    /// What is inside, by queue; an item on its way is not among them.
    queues: Vec<Vec<ItemId>>,
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

impl Manager {
    /// The machine of a program: main lanes that put, get, ask for sizes, start processes and leave.
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
            for instruction in &lane.instructions {
                let known = matches!(
                    instruction.operation,
                    Operation::Put { .. }
                        | Operation::Get { .. }
                        | Operation::Size { .. }
                        | Operation::Start { .. }
                );
                if !known || instruction.until.is_some() {
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
            requests: Vec::new(),
            answers: Vec::new(),
            delivered: None,
            accepted: false,
        };
        State {
            clients: self.processes().map(client).collect(),
            queues: vec![Vec::new(); self.program.queues.len()],
            server_lives: true,
            kills: self.environment.kills,
            interrupts: self.environment.interrupts,
            harm: Harm::default(),
        }
    }

    /// Time is patient: it passes where nothing else can happen.
    fn enabled(&self, state: &State, out: &mut Vec<Action>) {
        let before = out.len();
        for process in self.processes() {
            let kinds = [
                (Action::Call(process), self.can_call(state, process)),
                (Action::Serve(process), self.can_serve(state, process)),
                (Action::Confirm(process), self.can_confirm(state, process)),
                (Action::Notice(process), self.can_notice(state, process)),
                (Action::Receive(process), self.can_receive(state, process)),
            ];
            out.extend(kinds.iter().filter(|(_, can)| *can).map(|(action, _)| *action));
        }
        if out.len() == before {
            let expiring = self.processes().find(|&process| self.can_expire(state, process));
            out.extend(expiring.map(Action::Expire));
        }
    }

    fn disturbances(&self, state: &State, out: &mut Vec<Action>) {
        for process in self.processes() {
            let client = state.client(process);
            let is_victim = self.environment.victims.contains(&process);
            if state.kills > 0 && is_victim && client.life == Life::Running {
                out.push(Action::Kill(process));
            }
            let interruptible = self.form == Form::Classic && client.life == Life::Running;
            if state.interrupts > 0 && interruptible && client.waits {
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
        &observation.events
    }

    fn end(&self, state: &State) -> End {
        let blocked = self.processes().filter_map(|process| {
            let client = state.client(process);
            let waits_for_death = client.life == Life::Running && !client.waits;
            let step = if client.waits { "answer.read" } else { "await-death" };
            (client.waits || waits_for_death).then(|| Blocked {
                lane: self.lane(process),
                step: step.to_owned(),
                offset: 0,
                leaving: false,
            })
        });
        End { blocked: blocked.collect() }
    }
}

/// How a killed process ended.
const KILLED: Exit = Exit::Signal(Signal::Kill);
