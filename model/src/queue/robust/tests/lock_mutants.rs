//! The proof of the sticky lock can fail: what each of these mutants breaks, it finds.

use super::lock::{contest, fault};
use super::{Altered, every_run_ends, index, line_of, search};
use crate::os::futex::{FutexId, Word};
use crate::queue::robust::contest::{Point, State};
use crate::queue::robust::lock::{LockPoint, Locked, Locking, Protocol, Unlocking};
use crate::queue::robust::{Action, thread_of};

/// A name, and what it makes of the state that an action led to, given the state before.
type Mutant = (&'static str, fn(&State, &Action, &mut State));

const MUTANTS: &[Mutant] = &[
    ("unlock clears WAITERS", |before, action, after| {
        if unlocks(before, action) == Some(Unlocking::Release) {
            after.memory[0].swap(Word::FREE);
        }
    }),
    ("unlock clears WAITERS where its wake found nobody", |before, action, after| {
        // The step after such a wake: it forgets, as the one does for which it stands, and clears.
        let clear = Locking { at: LockPoint::Forget(Locked::TimedOut), waited: true };
        let lane = index(action);
        if before.lanes[lane].at == Point::Locking(clear) && matches!(action, Action::Step(_)) {
            let _ = after.memory[0].compare_exchange(Word::WAITERS, Word::FREE);
        }
        let nobody = before.memory[0].sleepers().is_empty();
        if unlocks(before, action) == Some(Unlocking::Wake) && nobody {
            after.lanes[lane].at = Point::Locking(clear);
        }
    }),
    ("unlock wakes before it releases", |before, action, after| match unlocks(before, action) {
        Some(Unlocking::Delist) => go(action, after, Unlocking::Wake),
        Some(Unlocking::Wake) => go(action, after, Unlocking::Release),
        Some(Unlocking::Release) => go(action, after, Unlocking::Forget),
        _ => {}
    }),
    ("unlock wakes nobody", |before, action, after| {
        if unlocks(before, action) == Some(Unlocking::Release) {
            go(action, after, Unlocking::Forget);
        }
    }),
    ("unlock is not pending", |before, action, after| {
        if unlocks(before, action) == Some(Unlocking::Register) {
            after.lanes[index(action)].list.forget();
        }
    }),
    ("unlock is no longer pending when it releases", |before, action, after| {
        if unlocks(before, action) == Some(Unlocking::Delist) {
            after.lanes[index(action)].list.forget();
        }
    }),
    ("unlock is no longer pending when it wakes", |before, action, after| {
        if unlocks(before, action) == Some(Unlocking::Release) {
            after.lanes[index(action)].list.forget();
        }
    }),
    ("unlock stays pending", |before, action, after| {
        if unlocks(before, action) == Some(Unlocking::Forget) {
            after.lanes[index(action)].list.register(FutexId(0));
        }
    }),
    ("lock is not pending", |before, action, after| {
        if locks(before, action) == Some(LockPoint::Register) {
            after.lanes[index(action)].list.forget();
        }
    }),
    ("lock is no longer pending when it enlists", |before, action, after| {
        if takes(before, action, after).is_some() {
            after.lanes[index(action)].list.forget();
        }
    }),
    ("lock never enlists", |before, action, after| {
        if matches!(locks(before, action), Some(LockPoint::Enlist { .. })) {
            after.lanes[index(action)].list.remove(FutexId(0));
        }
    }),
    ("lock drops WAITERS", |before, action, after| {
        if takes(before, action, after).is_some() {
            after.memory[0].swap(Word::owned_by(thread_of(action.process())));
        }
    }),
    ("OWNER_DIED is never cleared", |before, action, after| {
        let released = unlocks(before, action) == Some(Unlocking::Release);
        if released || takes(before, action, after).is_some() {
            after.memory[0].fetch_or(before.word().only(Word::OWNER_DIED));
        }
    }),
    ("lock takes the word by a store", |before, action, after| {
        if let Some(LockPoint::Take(seen)) = locks(before, action) {
            let mine = Word::owned_by(thread_of(action.process()));
            after.memory[0].swap(mine.with(seen.only(Word::WAITERS)));
            go_lock(action, after, LockPoint::Enlist { died: seen.owner_died() });
        }
    }),
    ("lock sleeps without WAITERS", |before, action, after| {
        if let Some(LockPoint::Mark(seen)) = locks(before, action) {
            after.memory[0].swap(before.word());
            go_lock(action, after, LockPoint::Wait(seen));
        }
    }),
    ("lock sleeps without comparing", |before, action, after| {
        let awake = !after.is_asleep(action.process());
        if matches!(locks(before, action), Some(LockPoint::Wait(_))) && awake {
            let word = after.word();
            after.memory[0].wait(thread_of(action.process()), word).unwrap();
            go_lock(action, after, LockPoint::Asleep);
        }
    }),
];

#[test]
fn every_mutant_of_the_sticky_lock_is_found() {
    let mut table = String::new();
    for &(name, alter) in MUTANTS {
        let machine = Altered { machine: contest(Protocol::Sticky, &[2, 1, 1]), alter };
        let found = search(&machine, fault);
        assert!(found.fault.is_some(), "{name} is not found");
        table += &line_of(name, &found);
    }
    insta::assert_snapshot!(table);
}

/// Who looks at the word again and again instead of sleeping may do so for ever.
#[test]
fn a_lock_that_spins_has_runs_without_an_end() {
    let machine = contest(Protocol::Sticky, &[1, 1]);
    assert!(every_run_ends(&machine));
    let alter: fn(&State, &Action, &mut State) = |before, action, after| {
        if after.is_asleep(action.process()) && locks(before, action).is_some() {
            after.memory[0].leave(thread_of(action.process()));
            go_lock(action, after, LockPoint::Look);
        }
    };
    assert!(!every_run_ends(&Altered { machine, alter }));
}

/// The operation of an unlock that an action does.
fn unlocks(before: &State, action: &Action) -> Option<Unlocking> {
    match (&before.lanes[index(action)].at, action) {
        (Point::Unlocking(unlocking), Action::Step(_)) => Some(*unlocking),
        _ => None,
    }
}

/// The operation of a lock that an action does.
fn locks(before: &State, action: &Action) -> Option<LockPoint> {
    match (&before.lanes[index(action)].at, action) {
        (Point::Locking(locking), Action::Step(_)) => Some(locking.at),
        _ => None,
    }
}

/// The word as it was before an action that took it.
fn takes(before: &State, action: &Action, after: &State) -> Option<Word> {
    let taken = matches!(
        after.lanes[index(action)].at,
        Point::Locking(Locking { at: LockPoint::Enlist { .. }, .. })
    );
    let took = taken && matches!(locks(before, action), Some(LockPoint::Take(_)));
    took.then(|| before.word())
}

fn go(action: &Action, after: &mut State, unlocking: Unlocking) {
    after.lanes[index(action)].at = Point::Unlocking(unlocking);
}

fn go_lock(action: &Action, after: &mut State, at: LockPoint) {
    after.lanes[index(action)].at = Point::Locking(Locking { at, waited: false });
}
