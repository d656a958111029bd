//! The proofs of the event can fail: what these mutants break, they find.
//!
//! Two mutants break nothing, and the table says so: in which order a committer commits, clears and
//! wakes does not matter, because a sleeper that is woken too early, or marks the word too
//! early, waits at the committers' lock until all three are done.

use super::event::{fault, hand_over};
use super::{Altered, index, line_of, search, trace};
use crate::os::futex::Word;
use crate::queue::robust::event::{Signalling, SleepPoint, Sleeping};
use crate::queue::robust::hand_over::{HandOver, Point, State};
use crate::queue::robust::lock::{LockPoint, Locking, Unlocking};
use crate::queue::robust::{Action, thread_of};

const EVENT: usize = 2;

/// A name, and what it makes of the state that an action led to, given the state before.
type Mutant = (&'static str, fn(&State, &Action, &mut State));

const LEAVES_OWNER_DIED: &str = "the sleeper leaves OWNER_DIED in the word";

const MUTANTS: &[Mutant] = &[
    ("the committer wakes before it commits", |before, action, after| {
        match signals(before, action) {
            Some(Signalling::Sign) => go(action, after, Signalling::Clear),
            Some(Signalling::Wake) => go(action, after, Signalling::Commit),
            Some(Signalling::Commit) => go(action, after, Signalling::Forget),
            _ => {}
        }
    }),
    ("the committer wakes nobody", |before, action, after| {
        if signals(before, action) == Some(Signalling::Clear) {
            go(action, after, Signalling::Forget);
        }
    }),
    ("the event is not pending", forgets_at_register),
    ("the event is no longer pending when it is cleared", |before, action, after| {
        if signals(before, action) == Some(Signalling::Commit) {
            after.lanes[index(action)].list.forget();
        }
    }),
    ("the event is no longer pending at the wake", forgets_at_clear),
    ("the committer does not look", |before, action, after| {
        if signals(before, action) == Some(Signalling::Look) {
            go(action, after, Signalling::CommitUnseen);
        }
    }),
    ("the sleeper does not look at the committers' lock", |before, action, after| {
        if sleeps(before, action).is_some_and(|sleeping| sleeping.at == SleepPoint::Mark) {
            go_sleep(action, after, SleepPoint::Recheck);
        }
    }),
    ("the sleeper does not check again", does_not_recheck),
    ("the sleeper does not set WAITERS", does_not_mark),
    ("the sleeper sleeps without comparing", sleeps_without_comparing),
    ("the thread id is stored after the commit", |before, action, after| {
        match signals(before, action) {
            Some(Signalling::Register) => go(action, after, Signalling::Commit),
            Some(Signalling::Commit) => go(action, after, Signalling::Sign),
            Some(Signalling::Sign) => go(action, after, Signalling::Clear),
            _ => {}
        }
    }),
    ("the thread id is not stored", |before, action, after| {
        if signals(before, action) == Some(Signalling::Register) {
            go(action, after, Signalling::Commit);
        }
    }),
    (LEAVES_OWNER_DIED, |before, action, after| {
        let marks = sleeps(before, action).is_some_and(|it| it.at == SleepPoint::Mark);
        if let Some(Sleeping { at: SleepPoint::Clean, expected }) = sleeps(after, action)
            && marks
        {
            let expected = expected.with(Word::OWNER_DIED);
            after.lanes[index(action)].at =
                Point::Sleeping(Sleeping { at: SleepPoint::Guard, expected });
        }
    }),
    ("a committer sleeps on its lock without WAITERS", |before, action, after| {
        let at = &before.lanes[index(action)].at;
        if let (
            Point::CommitterLocking(Locking { at: LockPoint::Mark(seen), .. }),
            Action::Step(_),
        ) = (at, action)
        {
            after.memory[0].swap(before.memory[0].load());
            let wait = Locking { at: LockPoint::Wait(*seen), waited: false };
            after.lanes[index(action)].at = Point::CommitterLocking(wait);
        }
    }),
    ("the committers' lock wakes nobody", |_, action, after| {
        let at = &mut after.lanes[index(action)].at;
        if matches!(at, Point::CommitterUnlocking(Unlocking::Wake)) {
            *at = Point::CommitterUnlocking(Unlocking::Forget);
        }
    }),
    ("the takers' lock wakes nobody", |_, action, after| {
        let at = &mut after.lanes[index(action)].at;
        if matches!(at, Point::TakerUnlocking(Unlocking::Wake)) {
            *at = Point::TakerUnlocking(Unlocking::Forget);
        }
    }),
    ("the committer clears after the wake", clears_after_wake),
];

/// Explores each mutant with more and more that may happen, until something is wrong.
#[test]
fn mutants_of_the_event() {
    let mut table = String::new();
    let mut harmless = Vec::new();
    for &(name, alter) in MUTANTS {
        let cases: [(&[u8], &[u8], u8); 3] =
            [(&[1], &[1], 1), (&[2], &[1, 1], 1), (&[1, 1], &[1], 2)];
        let mut line = String::new();
        let mut found = false;
        for (committers, takers, kills) in cases {
            let machine = HandOver { kills, ..hand_over(committers, takers) };
            let machine = Altered { machine, alter };
            let search = search(&machine, |state, is_end| fault(committers.len(), state, is_end));
            line = line_of(name, &search);
            found = search.fault.is_some();
            if found {
                break;
            }
        }
        if !found {
            harmless.push(name);
        }
        table += &line;
    }
    insta::assert_snapshot!(table);
    let expected = ["the committer wakes before it commits", "the committer clears after the wake"];
    assert_eq!(harmless, expected);
}

/// The word of an event that two committers died with, one after the other, is the same after both:
/// a sleeper that looked in vain before the second one committed goes to sleep after it.
#[test]
fn an_owner_died_that_is_left_hides_the_next_death() {
    let found = MUTANTS.iter().find(|(name, _)| *name == LEAVES_OWNER_DIED).unwrap();
    let machine = HandOver { kills: 2, ..hand_over(&[1, 1], &[1]) };
    let machine = Altered { machine, alter: found.1 };
    let found = search(&machine, |state, is_end| fault(2, state, is_end));
    insta::assert_snapshot!(trace(&machine, &found));
}

fn forgets_at_register(before: &State, action: &Action, after: &mut State) {
    if signals(before, action) == Some(Signalling::Register) {
        after.lanes[index(action)].list.forget();
    }
}

fn forgets_at_clear(before: &State, action: &Action, after: &mut State) {
    if signals(before, action) == Some(Signalling::Clear) {
        after.lanes[index(action)].list.forget();
    }
}

fn clears_after_wake(before: &State, action: &Action, after: &mut State) {
    match (signals(before, action), signals(after, action)) {
        (Some(Signalling::Commit | Signalling::Look), Some(Signalling::Clear)) => {
            go(action, after, Signalling::Wake);
        }
        (Some(Signalling::Wake), _) => go(action, after, Signalling::Clear),
        (Some(Signalling::Clear), _) => go(action, after, Signalling::Forget),
        _ => {}
    }
}

fn does_not_recheck(before: &State, action: &Action, after: &mut State) {
    if sleeps(before, action).is_some_and(|sleeping| sleeping.at == SleepPoint::Recheck) {
        let expected = sleeps(before, action).unwrap().expected;
        after.lanes[index(action)].at =
            Point::Sleeping(Sleeping { at: SleepPoint::Wait, expected });
    }
}

fn does_not_mark(before: &State, action: &Action, after: &mut State) {
    if let (Some(Sleeping { at: SleepPoint::Mark, .. }), Some(marked)) =
        (sleeps(before, action), sleeps(after, action))
    {
        let expected = after.memory[EVENT].swap(before.memory[EVENT].load());
        let expected = Word(expected.0 & !Word::WAITERS.0);
        after.lanes[index(action)].at = Point::Sleeping(Sleeping { expected, ..marked });
    }
}

fn sleeps_without_comparing(before: &State, action: &Action, after: &mut State) {
    let Some(Sleeping { at: SleepPoint::Wait, expected }) = sleeps(before, action) else { return };
    if !after.is_asleep(action.process()) {
        let word = after.memory[EVENT].load();
        after.memory[EVENT].wait(thread_of(action.process()), word).unwrap();
        after.lanes[index(action)].at =
            Point::Sleeping(Sleeping { at: SleepPoint::Asleep, expected });
    }
}

/// The operation of a commit that an action does, or that comes next.
fn signals(state: &State, action: &Action) -> Option<Signalling> {
    match (&state.lanes[index(action)].at, action) {
        (Point::Signalling(signalling), Action::Step(_)) => Some(*signalling),
        _ => None,
    }
}

/// The operation of going to sleep that an action does, or that comes next.
fn sleeps(state: &State, action: &Action) -> Option<Sleeping> {
    match (&state.lanes[index(action)].at, action) {
        (Point::Sleeping(sleeping), Action::Step(_)) => Some(*sleeping),
        _ => None,
    }
}

fn go(action: &Action, after: &mut State, signalling: Signalling) {
    after.lanes[index(action)].at = Point::Signalling(signalling);
}

fn go_sleep(action: &Action, after: &mut State, at: SleepPoint) {
    if let Point::Sleeping(sleeping) = &mut after.lanes[index(action)].at {
        sleeping.at = at;
    }
}
