//! The harness's side of a native run.
#![expect(
    clippy::disallowed_methods,
    reason = "real processes run in real time; the harness looks at the clock and sleeps"
)]

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use midput_model::event::{Blocked, End};
use midput_model::program::{Exit, Lane, LaneId, Program, Signal};
use midput_real::os as real;
use midput_scenarios::Place;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};

use super::directory::PrivateDirectory;
use super::inspect::{Asleep, all_asleep, asleep};
use super::os::exit_of;
use super::record::{ProcessLog, StepName, Waits, What};
use super::setup::{Address, Kill, ObjectName, ProcessObjects, Setup, Target, VARIABLE};
use super::{HANG_AFTER_LEAST, Killed, NativeError, NativeOptions, NativeRun, has_ended};

/// How long the harness sleeps between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long processes may take to be gone once they are told to.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// One process of the program as the harness sees it.
struct Watched {
    log_file: OwnedFd,
    read: usize,
    log: ProcessLog,
    /// The reading end of the pipe that only the process can write.
    life: OwnedFd,
    /// Whoever awaits the process's death waits for a byte in this pipe first. Both ends are kept:
    /// one that nobody can write polls as readable.
    started: (OwnedFd, OwnedFd),
    /// What the process's number is written into.
    number: OwnedFd,
    pid: Option<u32>,
    pidfd: Option<OwnedFd>,
    /// The same of one that was dead when it was first heard of.
    remains: Option<OwnedFd>,
    exit: Option<Exit>,
    /// The signal that ended it where nothing in a run sends such a one.
    foreign: Option<i32>,
    killed: Option<Killed>,
}

/// How things stood when nobody would ever move again. What the processes log afterwards, while
/// they are being ended one after the other, is no part of the run.
struct Still {
    alive: Vec<bool>,
    logs: Vec<ProcessLog>,
}

struct Harness<'a> {
    program: &'a Program,
    lanes: Vec<Lane>,
    kills: Vec<Kill>,
    landed: Vec<bool>,
    processes: Vec<Watched>,
    /// Its end is the end of every process.
    lifeline: Option<OwnedFd>,
    /// A lane that was found blocked where a kill waits for it, and how.
    blocked: Option<(usize, Asleep)>,
    /// What the processes find by the harness's descriptors.
    named: Vec<OwnedFd>,
    /// Where the sockets of a server are, for as long as the run goes on.
    directory: Option<PrivateDirectory>,
    begun: Instant,
    options: &'a NativeOptions,
}

pub(super) fn run(
    program: &Program,
    subject: &str,
    kills: Vec<Kill>,
    holds: Vec<Target>,
    options: &NativeOptions,
) -> Result<NativeRun, NativeError> {
    // Processes whose parent is killed become this one's children, so that nobody stays a zombie.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(std::io::Error::from)?;
    let mut harness = Harness {
        program,
        lanes: program.lanes(),
        landed: vec![false; kills.len()],
        kills,
        processes: program.processes.iter().map(|_| Watched::new()).collect::<Result<_, _>>()?,
        lifeline: None,
        blocked: None,
        named: Vec::new(),
        directory: None,
        begun: Instant::now(),
        options,
    };
    let result = harness.start(subject, holds).and_then(|()| harness.watch());
    let cleared = harness.clear();
    let still = result?;
    cleared?;
    harness.refuse_foreign_signals()?;
    Ok(harness.report(still))
}

impl Watched {
    /// Pipes and memory files that no other program inherits.
    fn new() -> Result<Self, NativeError> {
        let log_file = rustix::fs::memfd_create("midput-log", MemfdFlags::CLOEXEC);
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let pipe = || rustix::pipe::pipe_with(flags).map_err(std::io::Error::from);
        Ok(Self {
            log_file: log_file.map_err(std::io::Error::from)?,
            read: 0,
            log: ProcessLog::default(),
            life: pipe()?.0,
            started: pipe()?,
            number: rustix::fs::memfd_create("midput-number", MemfdFlags::CLOEXEC)
                .map_err(std::io::Error::from)?,
            pid: None,
            pidfd: None,
            remains: None,
            exit: None,
            foreign: None,
            killed: None,
        })
    }

    fn names(&self) -> std::io::Result<ProcessObjects> {
        Ok(ProcessObjects {
            log: ObjectName::of(&self.log_file)?,
            started: ObjectName::of(&self.started.0)?,
            number: ObjectName::of(&self.number)?,
            life: ObjectName::of(&self.life)?,
        })
    }

    /// Reads what its log has become.
    fn read_log(&mut self) -> Result<(), String> {
        let mut bytes = vec![0; 1 << 16];
        let mut rest = Vec::new();
        let mut place = self.read as u64;
        loop {
            let got = rustix::io::pread(&self.log_file, &mut bytes, place)
                .map_err(|error| error.to_string())?;
            if got == 0 {
                break;
            }
            place += got as u64;
            rest.extend_from_slice(&bytes[..got]);
        }
        self.read += self.log.extend(&rest).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn watchdog(&self) -> Option<u32> {
        self.log.records.iter().find_map(|record| match record.what {
            What::Started { watchdog, .. } => Some(watchdog),
            _ => None,
        })
    }

    fn is_alive(&self) -> bool {
        self.pidfd.as_ref().is_some_and(|pidfd| !is_readable(pidfd))
    }
}

fn is_readable(descriptor: impl AsFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
}

impl Harness<'_> {
    fn start(&mut self, subject: &str, holds: Vec<Target>) -> Result<(), NativeError> {
        let (read, write) =
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(std::io::Error::from)?;
        let processes = self.processes.iter().map(Watched::names);
        if self.program.is_managed() {
            self.directory = Some(PrivateDirectory::new()?);
        }
        let directory = self.directory.as_ref().map(|it| it.0.clone());
        let setup = Setup {
            program: self.program.clone(),
            subject: subject.to_owned(),
            directory: directory.unwrap_or_default(),
            kills: self.kills.clone(),
            holds,
            processes: processes.collect::<Result<_, _>>()?,
        };
        let file = rustix::fs::memfd_create("midput-setup", MemfdFlags::CLOEXEC)
            .map_err(std::io::Error::from)?;
        let mut file = std::fs::File::from(file);
        serde_json::to_writer(&mut file, &setup).map_err(std::io::Error::from)?;
        let address = Address {
            harness: std::process::id(),
            lifeline: ObjectName::of(&read)?,
            setup: ObjectName::of(&file)?,
        };
        self.lifeline = Some(write);
        let child = Command::new(&self.options.executable)
            .arg("subject")
            // Ctrl-C in a terminal signals its whole foreground group. It is for the harness: a
            // process that died of it would have died where the model knows of no death.
            .process_group(0)
            .env(VARIABLE, serde_json::to_string(&address).map_err(std::io::Error::from)?)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // What goes wrong is in the logs; a reader that sleeps must not stop a lane.
            .stderr(Stdio::null())
            .spawn()?;
        self.processes[0].pid = Some(child.id());
        self.processes[0].pidfd = Some(pidfd(child.id())?);
        // Both are named by the address, for as long as any process may still be starting.
        self.named = vec![read, file.into()];
        Ok(())
    }

    /// Looks until everybody is dead or nobody will ever move again; the latter is `Some`.
    fn watch(&mut self) -> Result<Option<Still>, NativeError> {
        let mut still: Option<(Instant, Vec<Vec<Asleep>>)> = None;
        loop {
            let grown = self.look()?;
            self.kill_reached();
            self.kill_blocked();
            if self.all_gone()? {
                // What they wrote last, and the kills among it.
                self.look()?;
                self.kill_reached();
                return Ok(None);
            }
            let now = if grown { None } else { self.all_asleep() };
            still = match (still.take(), now) {
                (Some((since, was)), Some(is)) if was == is => {
                    let hang_after = self.options.hang_after.max(HANG_AFTER_LEAST);
                    if since.elapsed() >= hang_after && !self.look()? && self.nobody_goes_on() {
                        return Ok(Some(self.still()));
                    }
                    Some((since, was))
                }
                (_, now) => now.map(|now| (Instant::now(), now)),
            };
            if self.begun.elapsed() >= self.options.deadline {
                return Err(self.undecided());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn still(&self) -> Still {
        Still { alive: self.processes.iter().map(Watched::is_alive).collect(), logs: self.logs() }
    }

    fn logs(&self) -> Vec<ProcessLog> {
        self.processes.iter().map(|it| it.log.clone()).collect()
    }

    /// Reads what the logs have become, and says whether they have grown.
    fn look(&mut self) -> Result<bool, NativeError> {
        let mut grown = false;
        let mut found = Vec::new();
        for (index, watched) in self.processes.iter_mut().enumerate() {
            let name = || self.program.processes[index].name.clone();
            let before = watched.log.records.len();
            let failed = |why| NativeError::Log { process: name(), why };
            watched.read_log().map_err(failed)?;
            for record in &watched.log.records[before..] {
                grown = true;
                match &record.what {
                    What::Started { pid, .. } => found.push((index, *pid)),
                    What::Child { process, pid } => found.push((usize::from(process.0), *pid)),
                    What::Failed { why } => {
                        return Err(NativeError::Process { process: name(), why: why.clone() });
                    }
                    _ => {}
                }
            }
        }
        for (index, pid) in found {
            let watched = &mut self.processes[index];
            if watched.pid.is_none() {
                watched.pid = Some(pid);
                let opened = pidfd(pid).ok();
                // Only while it lives is the number certainly its own. One that is dead already
                // is waited for and nothing else, which does nothing to anybody else's child.
                if has_ended(&watched.life)? {
                    watched.remains = opened;
                } else {
                    watched.pidfd = opened;
                }
            }
        }
        Ok(grown)
    }

    /// Whether every process that was started is dead. Several looks, because one that was not
    /// there at the first may have been started by one that is not there at the second.
    fn all_gone(&self) -> Result<bool, NativeError> {
        if self.processes[0].is_alive() {
            return Ok(false);
        }
        for _ in 0..=self.processes.len() {
            for watched in &self.processes {
                if !has_ended(&watched.life)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Every thread of every living process, where all of them sleep in system calls.
    fn all_asleep(&self) -> Option<Vec<Vec<Asleep>>> {
        let mut all = Vec::new();
        for watched in &self.processes {
            if watched.is_alive() {
                all.push(all_asleep(watched.pid?, watched.watchdog()?)?);
            } else if !has_ended(&watched.life).ok()? {
                // It lives, and nothing else is known of it yet.
                return None;
            } else {
                all.push(Vec::new());
            }
        }
        Some(all)
    }

    /// The steps that the lanes of living processes have begun and not done.
    fn open_steps(&self) -> impl Iterator<Item = (LaneId, &StepName, Waits)> {
        (0u8..).zip(&self.lanes).filter_map(|(index, lane)| {
            let watched = &self.processes[usize::from(lane.process.0)];
            let (step, _, waits) = watched.log.open_step(LaneId(index))?;
            watched.is_alive().then_some((LaneId(index), step, waits))
        })
    }

    /// Whether none of the waits that are open ends by itself.
    fn nobody_goes_on(&self) -> bool {
        let mut open = self.open_steps().peekable();
        open.peek().is_some()
            && open.all(|(_, step, waits)| {
                waits != Waits::Limited && step.name != "process.start" && step.name != "exit"
            })
    }

    /// A kill of the run ends a process now.
    fn kill(&mut self, index: usize) {
        let kill = &self.kills[index];
        let watched = &mut self.processes[usize::from(kill.victim.0)];
        let signal = match kill.signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        if let Some(pidfd) = &watched.pidfd
            && !is_readable(pidfd)
            && rustix::process::pidfd_send_signal(pidfd, signal).is_ok()
        {
            watched.killed = Some(Killed { signal: kill.signal, lane: kill.target.lane });
            self.landed[index] = true;
        }
    }

    /// The kills at whose place a lane has arrived: those that a process did itself, and those
    /// that a lane of another process waits for.
    fn kill_reached(&mut self) {
        let reached = self.processes.iter().flat_map(|watched| &watched.log.records);
        let reached = reached.filter_map(|record| match record.what {
            What::Kill { index } => Some(index),
            _ => None,
        });
        for index in reached.collect::<Vec<_>>() {
            let Some(kill) = self.kills.get(index).filter(|_| !self.landed[index]) else {
                continue;
            };
            if self.lanes[usize::from(kill.target.lane.0)].process == kill.victim {
                let killed = Killed { signal: kill.signal, lane: kill.target.lane };
                self.processes[usize::from(kill.victim.0)].killed = Some(killed);
                self.landed[index] = true;
            } else {
                self.kill(index);
            }
        }
    }

    /// The kills of lanes that are blocked: one lands when its lane was found in its system call
    /// twice and has not moved in between.
    fn kill_blocked(&mut self) {
        for index in 0..self.kills.len() {
            if self.landed[index] || self.kills[index].place != Place::Blocked {
                continue;
            }
            let Some(asleep) = self.found_blocked(&self.kills[index].target) else {
                continue;
            };
            match &self.blocked {
                Some((other, was)) if *other == index && *was == asleep => self.kill(index),
                _ => self.blocked = Some((index, asleep)),
            }
        }
    }

    /// The thread that is blocked in this step, if one is.
    fn found_blocked(&self, target: &Target) -> Option<Asleep> {
        let process = self.lanes[usize::from(target.lane.0)].process;
        let watched = &self.processes[usize::from(process.0)];
        let (step, thread, _) = watched.log.open_step(target.lane)?;
        if !target.is_step(target.lane, &step.name, step.occurrence) || !watched.is_alive() {
            return None;
        }
        let asleep = asleep(watched.pid?, thread)?;
        waits_in(&step.name).contains(&asleep.number()?).then_some(asleep)
    }

    fn undecided(&self) -> NativeError {
        let open = self.open_steps().map(|(lane, step, waits)| {
            let name = &self.lanes[usize::from(lane.0)].name;
            format!("{name} {}[{}] {waits:?}", step.name, step.occurrence)
        });
        let alive = (self.program.processes.iter().zip(&self.processes))
            .filter(|(_, watched)| watched.is_alive())
            .map(|(process, _)| process.name.as_str());
        let alive = alive.collect::<Vec<_>>().join(", ");
        let seen = format!("alive: {alive}; begun: {}", open.collect::<Vec<_>>().join(", "));
        NativeError::Undecided { after: self.options.deadline, seen }
    }

    /// Ends every process that is left, and waits until all are gone.
    fn clear(&mut self) -> Result<(), NativeError> {
        self.lifeline = None;
        let begun = Instant::now();
        loop {
            // A log that cannot be read was reported, or is of no account any more.
            let _ = self.look();
            let gone = self.all_gone()? && !self.processes.iter().any(Watched::is_alive);
            if gone {
                break;
            }
            if begun.elapsed() >= GONE_WITHIN {
                let alive = self.processes.iter().filter(|it| it.is_alive());
                let pids: Vec<_> = alive.filter_map(|watched| watched.pid).collect();
                let why = format!("processes {pids:?} have not ended");
                return Err(std::io::Error::other(why).into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        for watched in &mut self.processes {
            if let Some(pidfd) = watched.pidfd.as_ref().or(watched.remains.as_ref()) {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                // Its parent has waited for it where nobody is there to wait for.
                let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options);
                let exit = status.ok().flatten().and_then(|status| {
                    let signal = || status.terminating_signal().map(real::Exit::Signal);
                    status.exit_status().map(real::Exit::Code).or_else(signal)
                });
                watched.exit = exit.and_then(exit_of);
                watched.foreign = match exit {
                    Some(real::Exit::Signal(signal)) if watched.exit.is_none() => Some(signal),
                    _ => None,
                };
            }
        }
        Ok(())
    }

    /// A process that a signal from outside ended, or a crash, is part of no run of the model.
    fn refuse_foreign_signals(&self) -> Result<(), NativeError> {
        let ended = (self.program.processes.iter().zip(&self.processes))
            .find_map(|(process, watched)| Some((process.name.clone(), watched.foreign?)));
        match ended {
            Some((process, signal)) => Err(NativeError::Signalled { process, signal }),
            None => Ok(()),
        }
    }

    fn report(self, still: Option<Still>) -> NativeRun {
        let took = self.begun.elapsed();
        let ended = still.is_none();
        let Still { alive, logs } = still.unwrap_or_else(|| Still {
            alive: vec![false; self.processes.len()],
            logs: self.logs(),
        });
        let blocked = blocked_lanes(self.program, &self.lanes, &logs, &alive);
        let records = || logs.iter().flat_map(|log| &log.records);
        let exit = |(index, watched): (usize, &Watched)| {
            let reaped = || {
                records().find_map(|record| match record.what {
                    What::Reaped { process, exit } if usize::from(process.0) == index => Some(exit),
                    _ => None,
                })
            };
            watched.exit.or_else(reaped).filter(|_| !alive[index])
        };
        NativeRun {
            end: End { blocked: blocked.iter().map(|(blocked, _)| blocked.clone()).collect() },
            ended,
            exits: self.processes.iter().enumerate().map(exit).collect::<Vec<_>>(),
            killed: self.processes.iter().map(|watched| watched.killed).collect(),
            landed: self.landed,
            held: blocked
                .iter()
                .filter(|(_, waits)| *waits == Waits::Held)
                .map(|(blocked, _)| blocked.lane)
                .collect(),
            took,
            logs,
            alive,
        }
    }
}

fn pidfd(pid: u32) -> std::io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(rustix::io::Errno::SRCH)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Who waits for ever, by the steps that the lanes of the living have begun, and whether each is
/// held there. A feeder that sleeps and was told nothing is idle and waits for nobody.
fn blocked_lanes(
    program: &Program,
    lanes: &[Lane],
    logs: &[ProcessLog],
    alive: &[bool],
) -> Vec<(Blocked, Waits)> {
    let blocked = (0u8..).map(LaneId).zip(lanes).filter_map(|(id, lane)| {
        let process = usize::from(lane.process.0);
        let log = &logs[process];
        let (step, _, waits) = log.open_step(id)?;
        let idle = step.name == "notempty.wake" && waits != Waits::Held && !told(log, id, step);
        if !alive[process] || idle {
            return None;
        }
        let left = log.records.iter().any(|record| record.what == What::Leave);
        let leaving = left && id == program.lane_of(lane.process, 0);
        let (step, offset) = (step.name.to_string(), step.offset);
        Some((Blocked { lane: id, step, offset, leaving }, waits))
    });
    blocked.collect()
}

/// Whether a sleeper was notified since it fell asleep.
fn told(log: &ProcessLog, lane: LaneId, sleep: &StepName) -> bool {
    let slept = log.records.iter().rposition(|record| record.lane == lane).unwrap_or(0);
    log.records[slept..].iter().any(|record| match &record.what {
        What::Done { step, .. } => step.name == "notempty.notify" && step.monitor == sleep.monitor,
        _ => false,
    })
}

/// The system calls, by number, in which a step waits.
fn waits_in(step: &str) -> &'static [i64] {
    match step {
        _ if step.starts_with("read-") => &[call::READ],
        _ if step.starts_with("write-") => &[call::WRITE],
        "poll" | "process.join" | "child.join" | "await-death" | "answer.wait" => call::POLLS,
        _ => &[call::FUTEX],
    }
}

#[cfg(target_arch = "x86_64")]
mod call {
    pub(super) const READ: i64 = 0;
    pub(super) const WRITE: i64 = 1;
    pub(super) const FUTEX: i64 = 202;
    /// poll, waitid, ppoll.
    pub(super) const POLLS: &[i64] = &[7, 247, 271];
}

/// The numbers of every architecture that came later.
#[cfg(not(target_arch = "x86_64"))]
mod call {
    pub(super) const READ: i64 = 63;
    pub(super) const WRITE: i64 = 64;
    pub(super) const FUTEX: i64 = 98;
    /// ppoll, waitid.
    pub(super) const POLLS: &[i64] = &[73, 95];
}
