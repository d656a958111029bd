//! Real processes on the real kernel, running freely: each process logs what it does, and dies
//! where the run says so.
//!
//! [`run`] is the harness's side. The processes are this program itself: its command calls
//! [`subject_main`] first thing in `main` wherever [`is_subject`] says so.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use midput_model::event::End;
use midput_model::program::{Exit, LaneId, Program, Signal};
use midput_model::site::Site;
use midput_scenarios::KillPoint;
use rustix::io::Errno;

pub use os::{NativeMonitor, NativeOs, NativeProcess};
pub use record::{ProcessLog, Record, StepName, Waits, What};
pub use subject::{is_subject, subject_main};

mod directory;
mod harness;
mod inspect;
mod os;
mod record;
mod scene;
mod setup;
mod subject;

/// How native runs are carried out.
#[derive(Clone, Debug)]
pub struct NativeOptions {
    /// The program that calls [`subject_main`]: the command itself.
    pub executable: PathBuf,
    /// How long nothing must have moved before a run counts as stuck; at least 20 ms.
    pub hang_after: Duration,
    /// How long a run may take in all.
    pub deadline: Duration,
}

impl NativeOptions {
    /// 20 ms of stillness are a hang; a run takes 10 s at most.
    pub fn new(executable: PathBuf) -> Self {
        Self { executable, hang_after: HANG_AFTER_LEAST, deadline: Duration::from_secs(10) }
    }
}

/// The least time between the two looks that find a run stuck.
const HANG_AFTER_LEAST: Duration = Duration::from_millis(20);

/// What a native run was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeRun {
    /// Who was blocked for ever. The offset of a blocked write is where its call began: how far
    /// it has come is for the model to say.
    pub end: End,
    /// Whether every process was dead; else the run was stuck.
    pub ended: bool,
    /// The log of every process of the program.
    pub logs: Vec<ProcessLog>,
    /// By process: whether it was alive when nothing could move any more.
    pub alive: Vec<bool>,
    /// By process: how it ended, where that is known and it was dead by then.
    pub exits: Vec<Option<Exit>>,
    /// By process: the kill of the run that ended it.
    pub killed: Vec<Option<Killed>>,
    /// By kill: whether it landed.
    pub landed: Vec<bool>,
    /// The lanes that were held at a site when the run ended.
    pub held: Vec<LaneId>,
    /// How long it took.
    pub took: Duration,
}

/// How a kill of the run ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// By which signal.
    pub signal: Signal,
    /// The lane at whose site it landed. It did no step after it.
    pub lane: LaneId,
}

/// Why there is no run to judge.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// The subject cannot run natively.
    #[error("no subject '{0}' runs natively; use 'classic'")]
    Subject(String),
    /// A kill or a hold names what the program does not have.
    #[error("the program has no lane or process '{0}'; see 'midput list sites'")]
    Unknown(String),
    /// A kill is by SIGTERM and its victim handles that.
    #[error("{0} handles SIGTERM (on_terminate), which is no kill of it; say 'terminate {0}'")]
    Handled(String),
    /// The system refused something to the harness.
    #[error("the processes could not be run: {0}")]
    Io(#[from] io::Error),
    /// A process of the run could not do its part.
    #[error("{process} could not do its part: {why}")]
    Process {
        /// Which.
        process: String,
        /// Why.
        why: String,
    },
    /// A signal ended a process that nothing in a run sends: it crashed, or somebody outside, such
    /// as a terminal, ended it.
    #[error("{process} was ended by signal {signal}, which nothing in the run sends")]
    Signalled {
        /// Which.
        process: String,
        /// The signal's number.
        signal: i32,
    },
    /// A log is not what a process of a run writes.
    #[error("the log of {process} cannot be read: {why}")]
    Log {
        /// Whose.
        process: String,
        /// Why.
        why: String,
    },
    /// The run neither ended nor was it stuck in time: nothing is known.
    #[error("inconclusive after {after:?}: neither ended nor stuck; {seen}")]
    Undecided {
        /// The deadline.
        after: Duration,
        /// What was seen last.
        seen: String,
    },
}

impl NativeError {
    /// Whether it says nothing about the subject: the run was not decided, the system had no room
    /// for it, or a terminal ended its processes.
    pub fn is_inconclusive(&self) -> bool {
        use rustix::process::Signal as Number;
        let from_terminal = [Number::HUP, Number::INT, Number::QUIT].map(Number::as_raw);
        match self {
            Self::Undecided { .. } | Self::Io(_) => true,
            Self::Signalled { signal, .. } => from_terminal.contains(signal),
            _ => false,
        }
    }
}

/// Whether this machine can run the native world.
///
/// # Errors
/// What is missing, in a line.
pub fn can_run() -> Result<(), String> {
    let pid = rustix::process::getpid();
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).map_err(|error| {
        format!("no pidfd can be opened ({error}); Linux 5.4 or later can wait by them")
    })?;
    std::fs::read_to_string("/proc/thread-self/syscall").map_err(|error| {
        format!("/proc/thread-self/syscall cannot be read ({error}), which shows who is blocked")
    })?;
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if scope.trim().parse::<u8>().is_ok_and(|scope| scope >= 2)
        && !rustix::process::geteuid().is_root()
    {
        return Err("kernel.yama.ptrace_scope hides who is blocked; set it to 1 or less".to_owned());
    }
    Ok(())
}

/// Runs `program` once with real processes. It blocks until all of them are gone.
///
/// # Errors
/// [`NativeError`]; no process is left then either.
pub fn run(
    program: &Program,
    subject: &str,
    kills: &[KillPoint],
    holds: &[Site],
    options: &NativeOptions,
) -> Result<NativeRun, NativeError> {
    if !["classic", "manager"].contains(&subject) {
        return Err(NativeError::Subject(subject.to_owned()));
    }
    let kills = resolve_kills(program, kills)?;
    let holds = holds.iter().map(|site| target(program, site)).collect::<Result<_, _>>()?;
    harness::run(program, subject, kills, holds, options)
}

fn resolve_kills(program: &Program, kills: &[KillPoint]) -> Result<Vec<setup::Kill>, NativeError> {
    let resolve = |(index, kill): (usize, &KillPoint)| {
        let victim = program.processes.get(usize::from(kill.process.0));
        let unknown = || NativeError::Unknown(format!("P{}", kill.process.0));
        let victim = victim.ok_or_else(unknown)?;
        if victim.leaves_on_terminate && kill.signal == Signal::Terminate {
            return Err(NativeError::Handled(victim.name.clone()));
        }
        let target = target(program, &kill.site)?;
        let (victim, place, signal) = (kill.process, kill.place, kill.signal);
        Ok(setup::Kill { index, victim, target, place, signal })
    };
    kills.iter().enumerate().map(resolve).collect()
}

fn target(program: &Program, site: &Site) -> Result<setup::Target, NativeError> {
    let lanes = program.lanes();
    let found = (0u8..).zip(&lanes).find(|(_, lane)| lane.name == site.lane);
    let (index, _) = found.ok_or_else(|| NativeError::Unknown(site.lane.clone()))?;
    let (step, occurrence, offset) = (site.step.clone(), site.occurrence, site.offset);
    Ok(setup::Target { lane: LaneId(index), step, occurrence, offset })
}

/// Whether nobody can write the pipe any more and nothing is left in it.
fn has_ended(pipe: &OwnedFd) -> io::Result<bool> {
    match rustix::io::read(pipe, &mut [0; 1]) {
        Ok(bytes) => Ok(bytes == 0),
        Err(Errno::AGAIN | Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
