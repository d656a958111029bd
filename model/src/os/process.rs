//! The process table.

use crate::program::{Exit, Signal};

/// Where a process is between its start and the moment its parent has taken its exit status.
///
/// ```
/// use midput_model::os::process::{ProcessState, Unsuited};
/// use midput_model::program::{Exit, Signal};
///
/// let mut process = ProcessState::NotStarted;
/// process.start()?;
/// process.signal(Signal::Kill)?;
/// // Signalled is not dead: until it dies, its locks and pipe ends stay as they are.
/// assert!(!process.is_dead());
/// assert_eq!(process.reap(), Err(Unsuited::Alive));
/// process.die()?;
/// assert_eq!(process.reap()?, Exit::Signal(Signal::Kill));
/// # Ok::<(), Unsuited>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProcessState {
    /// Its parent has not started it.
    #[default]
    NotStarted,
    /// It runs its program.
    Running,
    /// Its main lane has left its program and finishes what leaving asks for (`LC1`).
    Leaving,
    /// It was sent this signal and is not dead yet; it will not run its program further.
    Dying(Signal),
    /// It is dead: its descriptors are closed. Its parent has not waited for it.
    Dead(Exit),
    /// It is dead and its parent has waited for it.
    Reaped(Exit),
}

/// What SIGTERM does to a process (`LC5`).
///
/// ```
/// use midput_model::os::process::TerminateHandler;
/// use midput_model::program::Signal;
///
/// let mut handler = TerminateHandler::Absent;
/// assert!(!handler.catches(Signal::Terminate));
/// handler.install();
/// assert!(!handler.catches(Signal::Kill));
/// assert!(handler.catches(Signal::Terminate) && handler.is_asked());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TerminateHandler {
    /// It ends the process, as it does from its start on.
    #[default]
    Absent,
    /// It asks the process to leave.
    Installed,
    /// It has asked the process to leave; once more changes nothing.
    Asked,
}

impl TerminateHandler {
    /// The process handles the signal from now on.
    pub fn install(&mut self) {
        if *self == Self::Absent {
            *self = Self::Installed;
        }
    }

    /// Whether the process was asked to leave.
    pub fn is_asked(self) -> bool {
        self == Self::Asked
    }

    /// Whether the process handles the signal, which has then asked it to leave. Nobody handles
    /// SIGKILL.
    pub fn catches(&mut self, signal: Signal) -> bool {
        let catches = signal == Signal::Terminate && *self != Self::Absent;
        if catches {
            *self = Self::Asked;
        }
        catches
    }
}

/// Why a process cannot take that step in the state that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unsuited {
    /// It was never started.
    #[error("the process was not started; start it first")]
    NotStarted,
    /// It was started before.
    #[error("the process was started already; a process starts only once")]
    Started,
    /// It is not dead.
    #[error("the process is alive; wait until it is dead")]
    Alive,
    /// It is leaving already.
    #[error("the process is leaving already; it leaves only once")]
    Leaving,
    /// It was sent a signal that ends it, so that it takes no step of its own.
    #[error("the process was signalled; it can only die")]
    Dying,
    /// It was sent no signal that ends it.
    #[error("the process was not signalled; signal it before it dies")]
    NotDying,
    /// It is dead.
    #[error("the process is dead; it takes no further step")]
    Dead,
    /// Its parent has waited for it before.
    #[error("the process was reaped already; its exit is known")]
    Reaped,
}

impl ProcessState {
    /// The parent starts it.
    ///
    /// # Errors
    /// [`Unsuited::Started`] where it was started before.
    pub fn start(&mut self) -> Result<(), Unsuited> {
        match self {
            Self::NotStarted => {
                *self = Self::Running;
                Ok(())
            }
            _ => Err(Unsuited::Started),
        }
    }

    /// Its main lane begins to leave (`LC1`).
    ///
    /// # Errors
    /// Where it does not run, or leaves already.
    pub fn leave(&mut self) -> Result<(), Unsuited> {
        match self {
            Self::Running => {
                *self = Self::Leaving;
                Ok(())
            }
            Self::Leaving => Err(Unsuited::Leaving),
            _ => Err(self.cannot_run()),
        }
    }

    /// Somebody sends it a signal. The first one decides the exit status; a further one, or one
    /// to the dead, does nothing (`LC5`).
    ///
    /// # Errors
    /// [`Unsuited::NotStarted`] where there is no process to send it to.
    pub fn signal(&mut self, signal: Signal) -> Result<(), Unsuited> {
        match self {
            Self::NotStarted => return Err(Unsuited::NotStarted),
            Self::Running | Self::Leaving => *self = Self::Dying(signal),
            Self::Dying(_) | Self::Dead(_) | Self::Reaped(_) => {}
        }
        Ok(())
    }

    /// The kernel ends it, some time after the signal. Whoever keeps its descriptors closes them
    /// now and leaves semaphores as they are (`LC11`).
    ///
    /// # Errors
    /// Where no signal was sent to it, or it is dead.
    pub fn die(&mut self) -> Result<(), Unsuited> {
        match *self {
            Self::Dying(signal) => {
                *self = Self::Dead(Exit::Signal(signal));
                Ok(())
            }
            Self::Running | Self::Leaving => Err(Unsuited::NotDying),
            _ => Err(self.cannot_run()),
        }
    }

    /// It ends itself with a code: at the end of leaving, or at once (`os._exit`). Whoever keeps
    /// its descriptors closes them now and leaves semaphores as they are (`LC11`).
    ///
    /// # Errors
    /// Where it does not run; a signal that came first has decided the exit status.
    pub fn end(&mut self, code: u8) -> Result<(), Unsuited> {
        match self {
            Self::Running | Self::Leaving => {
                *self = Self::Dead(Exit::Code(code));
                Ok(())
            }
            _ => Err(self.cannot_run()),
        }
    }

    /// Its parent waits for it (`waitpid`) and learns how it ended.
    ///
    /// # Errors
    /// Where it is not dead, or was reaped before: [`exit`](Self::exit) says how
    /// it ended then.
    pub fn reap(&mut self) -> Result<Exit, Unsuited> {
        match *self {
            Self::Dead(exit) => {
                *self = Self::Reaped(exit);
                Ok(exit)
            }
            Self::NotStarted => Err(Unsuited::NotStarted),
            Self::Reaped(_) => Err(Unsuited::Reaped),
            Self::Running | Self::Leaving | Self::Dying(_) => Err(Unsuited::Alive),
        }
    }

    /// Whether it has ended, reaped or not.
    pub fn is_dead(&self) -> bool {
        self.exit().is_some()
    }

    /// Whether it was started and has not ended: it runs, leaves, or was signalled.
    pub fn is_alive(&self) -> bool {
        matches!(self, Self::Running | Self::Leaving | Self::Dying(_))
    }

    /// Whether it takes steps of its own: it was started, and is neither dead nor dying.
    pub fn can_run(&self) -> bool {
        matches!(self, Self::Running | Self::Leaving)
    }

    /// How it ended, once it is dead.
    pub fn exit(&self) -> Option<Exit> {
        match *self {
            Self::Dead(exit) | Self::Reaped(exit) => Some(exit),
            _ => None,
        }
    }

    /// Why it takes no step of its own, where it does not run.
    fn cannot_run(&self) -> Unsuited {
        match self {
            Self::NotStarted => Unsuited::NotStarted,
            Self::Dying(_) => Unsuited::Dying,
            Self::Running | Self::Leaving => Unsuited::Alive,
            Self::Dead(_) | Self::Reaped(_) => Unsuited::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcessState, Unsuited};
    use crate::program::{Exit, Signal};
    use ProcessState::{Dead, Dying, Leaving, NotStarted, Reaped, Running};

    const STATES: [ProcessState; 6] = [
        NotStarted,
        Running,
        Leaving,
        Dying(Signal::Terminate),
        Dead(Exit::Code(3)),
        Reaped(Exit::Code(3)),
    ];

    /// Takes one step from every state: the state after it, or why not. A refused step must
    /// change nothing.
    fn from_each(
        step: impl Fn(&mut ProcessState) -> Result<(), Unsuited>,
    ) -> [Result<ProcessState, Unsuited>; 6] {
        STATES.map(|before| {
            let mut state = before;
            let result = step(&mut state);
            if result.is_err() {
                assert_eq!(state, before);
            }
            result.map(|()| state)
        })
    }

    #[test]
    fn every_step_from_every_state() {
        use Unsuited as U;
        let code = Exit::Code(3);
        assert_eq!(
            from_each(ProcessState::start),
            [
                Ok(Running),
                Err(U::Started),
                Err(U::Started),
                Err(U::Started),
                Err(U::Started),
                Err(U::Started)
            ]
        );
        assert_eq!(
            from_each(ProcessState::leave),
            [
                Err(U::NotStarted),
                Ok(Leaving),
                Err(U::Leaving),
                Err(U::Dying),
                Err(U::Dead),
                Err(U::Dead)
            ]
        );
        let kill = Dying(Signal::Kill);
        assert_eq!(
            from_each(|process| process.signal(Signal::Kill)),
            [
                Err(U::NotStarted),
                Ok(kill),
                Ok(kill),
                Ok(Dying(Signal::Terminate)),
                Ok(Dead(code)),
                Ok(Reaped(code))
            ]
        );
        assert_eq!(
            from_each(ProcessState::die),
            [
                Err(U::NotStarted),
                Err(U::NotDying),
                Err(U::NotDying),
                Ok(Dead(Exit::Signal(Signal::Terminate))),
                Err(U::Dead),
                Err(U::Dead)
            ]
        );
        assert_eq!(
            from_each(|process| process.end(7)),
            [
                Err(U::NotStarted),
                Ok(Dead(Exit::Code(7))),
                Ok(Dead(Exit::Code(7))),
                Err(U::Dying),
                Err(U::Dead),
                Err(U::Dead)
            ]
        );
        assert_eq!(
            from_each(|process| process.reap().map(drop)),
            [
                Err(U::NotStarted),
                Err(U::Alive),
                Err(U::Alive),
                Err(U::Alive),
                Ok(Reaped(code)),
                Err(U::Reaped)
            ]
        );
    }

    #[test]
    fn the_end_is_known_before_and_after_reaping() {
        let dead = STATES.map(|state| state.is_dead());
        assert_eq!(dead, [false, false, false, false, true, true]);
        let alive = STATES.map(|state| state.is_alive());
        assert_eq!(alive, [false, true, true, true, false, false]);
        let running = STATES.map(|state| state.can_run());
        assert_eq!(running, [false, true, true, false, false, false]);
        let mut process = Dead(Exit::Code(3));
        assert_eq!(process.reap(), Ok(Exit::Code(3)));
        assert_eq!(process.exit(), Some(Exit::Code(3)));
    }
}
