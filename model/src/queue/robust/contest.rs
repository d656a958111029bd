//! Some processes that each take one lock, are alone for a step, and give it back.

use crate::clone::clone_by_field;
use crate::machine::{Machine, Refused};
use crate::os::futex::{Futex, FutexId, ThreadId, Word};
use crate::os::robust::{Death, Kernel, RobustList};
use crate::queue::robust::lock::{Lock, LockPoint, Locked, Locking, Protocol, Unlocking};
use crate::queue::robust::{Action, Caller, Observation, Progress, thread_of};

const FUTEX: FutexId = FutexId(0);

/// The machine: who contends for the lock, and what may befall them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// How the kernel cleans up.
    pub kernel: Kernel,
    /// How the lock is taken and given back.
    pub protocol: Protocol,
    /// How often each process takes the lock, one after the other.
    pub rounds: Vec<u8>,
    /// The processes whose attempts to lock may run out of time while they sleep. Such an attempt
    /// counts as a round.
    pub timed: Vec<u8>,
    /// How many kills may happen, of whichever processes.
    pub kills: u8,
}

/// All that the future depends on, and what the proofs look at.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) memory: Vec<Futex>,
    pub(super) lanes: Vec<Lane>,
    kills_left: u8,
    /// Somebody died as the owner, and nobody has taken the lock since.
    abandoned: bool,
    /// Somebody was told that the owner had died where it had not, or was not told where it had.
    misled: bool,
}

clone_by_field!(State { memory, lanes, kills_left, abandoned, misled });

/// The only thread of a process.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    pub(super) list: RobustList,
    pub(super) at: Point,
    rounds_left: u8,
}

clone_by_field!(Lane { list, at, rounds_left });

/// Where a lane is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// It takes the lock.
    Locking(Locking),
    /// It does what only one may do at a time.
    Critical,
    /// It gives the lock back.
    Unlocking(Unlocking),
    /// It has done all its rounds.
    Done,
    /// It was killed, and the kernel cleans up.
    Dying(Death),
    /// It is dead.
    Dead,
}

impl Lane {
    /// Whether it owns the lock: from the step that took the word to the one that gave it up.
    pub fn owns(&self) -> bool {
        match self.at {
            Point::Locking(locking) => locking.owns(),
            Point::Critical => true,
            Point::Unlocking(unlocking) => unlocking.owns(),
            Point::Done | Point::Dying(_) | Point::Dead => false,
        }
    }

    /// Whether it was not killed.
    pub fn is_alive(&self) -> bool {
        !matches!(self.at, Point::Dying(_) | Point::Dead)
    }

    /// Whether it has done all that it had to do, with nothing left on its list.
    pub fn is_done(&self) -> bool {
        self.at == Point::Done && self.list.is_empty()
    }

    /// A round has ended.
    fn next_round(&mut self) {
        self.rounds_left -= 1;
        self.at = match self.rounds_left {
            0 => Point::Done,
            _ => Point::Locking(Locking::begin()),
        };
    }
}

impl State {
    /// The processes, in their order.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// The lock's word.
    pub fn word(&self) -> Word {
        self.memory[0].load()
    }

    /// Whether the news that an owner died went to somebody whom it did not concern, or to nobody.
    pub fn is_misled(&self) -> bool {
        self.misled
    }

    /// Whether this process sleeps and nobody has woken it.
    pub fn is_asleep(&self, process: u8) -> bool {
        let lane = &self.lanes[usize::from(process)];
        lane.is_alive() && self.memory[0].has_asleep(thread_of(process))
    }
}

impl Machine for Contest {
    type State = State;
    type Action = Action;
    type Observation = Observation;

    fn initial(&self) -> State {
        let lane = |&rounds_left: &u8| Lane {
            list: RobustList::default(),
            at: if rounds_left > 0 { Point::Locking(Locking::begin()) } else { Point::Done },
            rounds_left,
        };
        State {
            memory: vec![Futex::new(Word::FREE)],
            lanes: self.rounds.iter().map(lane).collect(),
            kills_left: self.kills,
            abandoned: false,
            misled: false,
        }
    }

    fn enabled(&self, state: &State, out: &mut Vec<Action>) {
        let all = Action::all(state.lanes.len());
        out.extend(all.filter(|&action| self.is_possible(state, action)));
    }

    fn disturbances(&self, state: &State, out: &mut Vec<Action>) {
        let kills = Action::kills(state.lanes.len());
        out.extend(kills.filter(|&action| self.is_possible(state, action)));
    }

    fn apply(&self, state: &mut State, action: &Action) -> Result<Observation, Refused> {
        if !self.is_possible(state, *action) {
            return Err(Refused(format!("{action:?} is not possible")));
        }
        let process = action.process();
        let step = state.lanes[usize::from(process)].at.name(*action);
        let touched = state.lanes[usize::from(process)].at.touches(*action);
        let before = state.word();
        let woken = self.carry_out(state, *action);
        Ok(Observation {
            action: *action,
            step,
            word: touched.then(|| ("lock", before, state.word())),
            sleeps: state.is_asleep(process),
            woken,
        })
    }
}

impl Contest {
    /// Whether an action can happen.
    fn is_possible(&self, state: &State, action: Action) -> bool {
        let process = action.process();
        let Some(lane) = state.lanes.get(usize::from(process)) else { return false };
        let acts = lane.is_alive() && lane.at != Point::Done;
        match action {
            Action::Step(_) => acts && !state.is_asleep(process),
            Action::Expire(_) => acts && self.may_expire(process) && state.is_asleep(process),
            Action::Kernel(_) => matches!(lane.at, Point::Dying(_)),
            Action::Kill(_) => acts && state.kills_left > 0,
        }
    }

    /// Whether the waits of a process have a deadline.
    fn may_expire(&self, process: u8) -> bool {
        self.timed.contains(&process)
    }

    fn lock(&self) -> Lock {
        Lock { futex: FUTEX, protocol: self.protocol }
    }

    fn carry_out(&self, state: &mut State, action: Action) -> Option<ThreadId> {
        let process = action.process();
        let lane = &mut state.lanes[usize::from(process)];
        let mut caller = Caller {
            thread: thread_of(process),
            list: &mut lane.list,
            memory: &mut state.memory,
            woken: None,
        };
        let lock = self.lock();
        match (&mut lane.at, action) {
            (Point::Dying(death), _) => {
                let woken = death.step(self.kernel, caller.memory);
                if death.is_over() {
                    lane.at = Point::Dead;
                }
                return woken;
            }
            (_, Action::Kill(_)) => {
                state.kills_left -= 1;
                let word = caller.futex(FUTEX).load();
                state.abandoned |= word.owner() == Some(caller.thread);
                lane.at = Point::Dying(Death::new(thread_of(process), &lane.list));
                // The kernel has read it.
                lane.list = RobustList::default();
                lane.rounds_left = 0;
                return None;
            }
            (Point::Locking(locking), Action::Expire(_)) => {
                *locking = lock.expire(*locking, &mut caller);
            }
            (Point::Locking(locking), _) => match lock.lock(*locking, &mut caller) {
                Progress::At(next) => {
                    if let LockPoint::Enlist { died } = next.at {
                        state.misled |= died != state.abandoned;
                        state.abandoned = false;
                    }
                    *locking = next;
                }
                Progress::Returned(Locked::Owner { .. }) => lane.at = Point::Critical,
                Progress::Returned(Locked::TimedOut) => lane.next_round(),
            },
            (Point::Critical, _) => lane.at = Point::Unlocking(Unlocking::begin()),
            (Point::Unlocking(unlocking), _) => {
                let progress = lock.unlock(*unlocking, &mut caller);
                let woken = caller.woken;
                match progress {
                    Progress::At(next) => *unlocking = next,
                    Progress::Returned(()) => lane.next_round(),
                }
                return woken;
            }
            (Point::Done | Point::Dead, _) => {}
        }
        None
    }
}

impl Point {
    /// The step that an action does here.
    fn name(&self, action: Action) -> &'static str {
        match (self, action) {
            (_, Action::Kill(_)) => "kill",
            (Point::Locking(_), Action::Expire(_)) => "lock.expire",
            (Point::Locking(locking), _) => locking.name(),
            (Point::Critical, _) => "critical",
            (Point::Unlocking(unlocking), _) => unlocking.name(),
            (Point::Dying(death), _) => death.name(),
            (Point::Done | Point::Dead, _) => "nothing",
        }
    }

    /// Whether that step is about the lock's word.
    fn touches(&self, action: Action) -> bool {
        match (self, action) {
            (_, Action::Kill(_)) => false,
            (Point::Locking(locking), _) => !matches!(
                locking.at,
                LockPoint::Register | LockPoint::Enlist { .. } | LockPoint::Forget(_)
            ),
            (Point::Unlocking(unlocking), _) => {
                matches!(unlocking, Unlocking::Release | Unlocking::Wake)
            }
            (Point::Dying(death), _) => death.futex().is_some(),
            (Point::Critical | Point::Done | Point::Dead, _) => false,
        }
    }
}
