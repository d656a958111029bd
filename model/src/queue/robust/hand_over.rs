//! Some processes that commit items, each under the committers' lock and with the robust event,
//! and some that take them, each under the takers' lock. An item is a number: what is committed
//! is one store, and so is what is taken.
//!
//! There is room for every item, so committers wait for nothing but their lock.

use crate::clone::clone_by_field;
use crate::machine::{Machine, Refused};
use crate::os::futex::{Futex, FutexId, ThreadId, Word};
use crate::os::robust::{Death, Kernel, RobustList};
use crate::queue::robust::event::{Event, Signalling, Sleeping, Slept};
use crate::queue::robust::lock::{Lock, Locked, Locking, Protocol, Unlocking};
use crate::queue::robust::{Action, Caller, Observation, Progress, thread_of};

const COMMITTERS: Lock = Lock { futex: FutexId(0), protocol: Protocol::Sticky };
const TAKERS: Lock = Lock { futex: FutexId(1), protocol: Protocol::Sticky };
const EVENT: Event = Event { futex: FutexId(2), committers: COMMITTERS };

/// The machine: who commits and takes how much, and what may befall them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// How the kernel cleans up.
    pub kernel: Kernel,
    /// How many items each committer commits. They are the first processes.
    pub committers: Vec<u8>,
    /// How many items each taker takes, or waits for.
    pub takers: Vec<u8>,
    /// Whether the takers' time may run out while they sleep. They take nothing more then.
    pub timed: bool,
    /// How many kills may happen, of whichever processes.
    pub kills: u8,
}

/// All that the future depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) memory: Vec<Futex>,
    pub(super) lanes: Vec<Lane>,
    pub(super) committed: u8,
    taken: u8,
    kills_left: u8,
}

clone_by_field!(State { memory, lanes, committed, taken, kills_left });

/// The only thread of a process.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    pub(super) list: RobustList,
    pub(super) at: Point,
    left: u8,
}

clone_by_field!(Lane { list, at, left });

/// Where a lane is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// It takes the lock to commit.
    CommitterLocking(Locking),
    /// It commits.
    Signalling(Signalling),
    /// It gives the lock back after a commit.
    CommitterUnlocking(Unlocking),
    /// It takes the lock to take an item.
    TakerLocking(Locking),
    /// It looks whether there is an item.
    Check,
    /// There was none: it goes to sleep.
    Sleeping(Sleeping),
    /// It takes the item.
    Take,
    /// It gives the lock back, with an item or without.
    TakerUnlocking(Unlocking),
    /// It has done all that it had to do.
    Done,
    /// It was killed, and the kernel cleans up.
    Dying(Death),
    /// It is dead.
    Dead,
}

impl Lane {
    /// Whether it was not killed.
    pub fn is_alive(&self) -> bool {
        !matches!(self.at, Point::Dying(_) | Point::Dead)
    }

    /// Whether it has done all that it had to do, with nothing left on its list.
    pub fn is_done(&self) -> bool {
        self.at == Point::Done && self.list.is_empty()
    }
}

impl State {
    /// The processes, in their order.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Items committed and not taken.
    pub fn items(&self) -> u8 {
        self.committed - self.taken
    }

    /// The words: the committers' lock, the takers', the event.
    pub fn words(&self) -> [Word; 3] {
        [COMMITTERS.futex, TAKERS.futex, EVENT.futex].map(|futex| self.futex(futex).load())
    }

    /// Whether this process sleeps and nobody has woken it.
    pub fn is_asleep(&self, process: u8) -> bool {
        self.lanes[usize::from(process)].is_alive()
            && self.memory.iter().any(|futex| futex.has_asleep(thread_of(process)))
    }

    /// Whether somebody sleeps on the event.
    pub fn is_awaited(&self) -> bool {
        !self.futex(EVENT.futex).sleepers().is_empty()
    }

    fn futex(&self, futex: FutexId) -> &Futex {
        &self.memory[usize::from(futex.0)]
    }
}

impl Machine for HandOver {
    type State = State;
    type Action = Action;
    type Observation = Observation;

    fn initial(&self) -> State {
        let lane = |(&left, at): (&u8, Point)| Lane {
            list: RobustList::default(),
            at: if left > 0 { at } else { Point::Done },
            left,
        };
        let committers = self.committers.iter();
        let committers = committers.map(|left| (left, Point::CommitterLocking(Locking::begin())));
        let takers = self.takers.iter();
        let takers = takers.map(|left| (left, Point::TakerLocking(Locking::begin())));
        State {
            memory: vec![Futex::new(Word::FREE); 3],
            lanes: committers.chain(takers).map(lane).collect(),
            committed: 0,
            taken: 0,
            kills_left: self.kills,
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
        let step = match action {
            Action::Kill(_) => "kill",
            Action::Expire(_) => "expire",
            Action::Step(_) | Action::Kernel(_) => state.lanes[usize::from(process)].at.name(),
        };
        let before = state.words();
        let woken = self.carry_out(state, *action);
        let changed = |place: &usize| before[*place] != state.words()[*place];
        let word = (0..3).find(changed).map(|place| {
            (["committers", "takers", "event"][place], before[place], state.words()[place])
        });
        let sleeps = state.is_asleep(process);
        Ok(Observation { action: *action, step, word, sleeps, woken })
    }
}

impl HandOver {
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
        self.timed && usize::from(process) >= self.committers.len()
    }

    fn carry_out(&self, state: &mut State, action: Action) -> Option<ThreadId> {
        let process = action.process();
        let State { memory, lanes, committed, taken, kills_left } = state;
        let lane = &mut lanes[usize::from(process)];
        if let Point::Dying(death) = &mut lane.at {
            let woken = death.step(self.kernel, memory);
            if death.is_over() {
                lane.at = Point::Dead;
            }
            return woken;
        }
        if let Action::Kill(_) = action {
            *kills_left -= 1;
            lane.at = Point::Dying(Death::new(thread_of(process), &lane.list));
            // The kernel has read it.
            lane.list = RobustList::default();
            lane.left = 0;
            return None;
        }
        let Lane { list, at, left } = lane;
        let mut caller = Caller { thread: thread_of(process), list, memory, woken: None };
        let before = std::mem::replace(at, Point::Done);
        *at = match (before, action) {
            (before, Action::Expire(_)) => self.expire(before, &mut caller, left),
            (before, _) if usize::from(process) < self.committers.len() => {
                self.commit(before, &mut caller, committed, left)
            }
            (before, _) => self.take(before, &mut caller, *committed, taken, left),
        };
        caller.woken
    }

    /// One step of a committer.
    fn commit(
        &self,
        at: Point,
        caller: &mut Caller<'_>,
        committed: &mut u8,
        left: &mut u8,
    ) -> Point {
        match at {
            Point::CommitterLocking(locking) => match COMMITTERS.lock(locking, caller) {
                Progress::At(next) => Point::CommitterLocking(next),
                Progress::Returned(_) => Point::Signalling(Signalling::begin()),
            },
            Point::Signalling(signalling) => {
                match EVENT.signal(signalling, caller, || *committed += 1) {
                    Progress::At(next) => Point::Signalling(next),
                    Progress::Returned(()) => Point::CommitterUnlocking(Unlocking::begin()),
                }
            }
            Point::CommitterUnlocking(unlocking) => match COMMITTERS.unlock(unlocking, caller) {
                Progress::At(next) => Point::CommitterUnlocking(next),
                Progress::Returned(()) => {
                    *left -= 1;
                    match *left {
                        0 => Point::Done,
                        _ => Point::CommitterLocking(Locking::begin()),
                    }
                }
            },
            at => at,
        }
    }

    /// One step of a taker.
    fn take(
        &self,
        at: Point,
        caller: &mut Caller<'_>,
        committed: u8,
        taken: &mut u8,
        left: &mut u8,
    ) -> Point {
        let is_there = *taken < committed;
        match at {
            Point::TakerLocking(locking) => match TAKERS.lock(locking, caller) {
                Progress::At(next) => Point::TakerLocking(next),
                Progress::Returned(Locked::Owner { .. }) => Point::Check,
                Progress::Returned(Locked::TimedOut) => Point::Done,
            },
            Point::Check if is_there => Point::Take,
            Point::Check => Point::Sleeping(Sleeping::begin()),
            Point::Sleeping(sleeping) => after_sleep(EVENT.sleep(sleeping, caller, is_there), left),
            Point::Take => {
                *taken += 1;
                *left -= 1;
                Point::TakerUnlocking(Unlocking::begin())
            }
            Point::TakerUnlocking(unlocking) => match TAKERS.unlock(unlocking, caller) {
                Progress::At(next) => Point::TakerUnlocking(next),
                Progress::Returned(()) if *left > 0 => Point::TakerLocking(Locking::begin()),
                Progress::Returned(()) => Point::Done,
            },
            at => at,
        }
    }

    /// The time of a taker that sleeps is up.
    fn expire(&self, at: Point, caller: &mut Caller<'_>, left: &mut u8) -> Point {
        match at {
            Point::TakerLocking(locking) => {
                *left = 0;
                Point::TakerLocking(TAKERS.expire(locking, caller))
            }
            Point::Sleeping(sleeping) => after_sleep(EVENT.expire(sleeping, caller), left),
            at => at,
        }
    }
}

fn after_sleep(progress: Progress<Sleeping, Slept>, left: &mut u8) -> Point {
    match progress {
        Progress::At(next) => Point::Sleeping(next),
        Progress::Returned(Slept::Look) => Point::Check,
        Progress::Returned(Slept::TimedOut) => {
            *left = 0;
            Point::TakerUnlocking(Unlocking::begin())
        }
    }
}

impl Point {
    /// The next step here, by its name.
    fn name(&self) -> &'static str {
        match self {
            Point::CommitterLocking(locking) | Point::TakerLocking(locking) => locking.name(),
            Point::Signalling(signalling) => signalling.name(),
            Point::CommitterUnlocking(unlocking) | Point::TakerUnlocking(unlocking) => {
                unlocking.name()
            }
            Point::Check => "check",
            Point::Sleeping(sleeping) => sleeping.name(),
            Point::Take => "take",
            Point::Dying(death) => death.name(),
            Point::Done | Point::Dead => "nothing",
        }
    }
}
