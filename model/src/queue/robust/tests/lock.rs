//! The sticky lock holds under every kill; glibc's protocol does not.

use super::{prove, search, trace};
use crate::os::robust::Kernel;
use crate::queue::robust::contest::{Contest, State};
use crate::queue::robust::lock::Protocol;

/// Processes that lock so often each, and one kill.
pub(super) fn contest(protocol: Protocol, rounds: &[u8]) -> Contest {
    Contest {
        kernel: Kernel::OwnerPart,
        protocol,
        rounds: rounds.to_vec(),
        timed: Vec::new(),
        kills: 1,
    }
}

/// What must never be: of every state, and of those in which nothing more happens.
pub(super) fn fault(state: &State, is_end: bool) -> Option<&'static str> {
    if state.lanes().iter().filter(|lane| lane.owns()).count() > 1 {
        return Some("two own the lock");
    }
    if state.is_misled() {
        return Some("the news of a death goes astray");
    }
    if !is_end {
        return None;
    }
    if state.word().owner().is_some() {
        return Some("the lock is owned for ever");
    }
    if (0..).zip(state.lanes()).any(|(process, _)| state.is_asleep(process)) {
        return Some("somebody sleeps for ever on a free lock");
    }
    let stuck = state.lanes().iter().any(|lane| lane.is_alive() && !lane.is_done());
    stuck.then_some("a survivor does not end in good order")
}

/// Three processes, each of which may come as a third that has not waited, and a kill anywhere:
/// one owner at most, the news of a death told to the next owner and nobody else, and every
/// survivor gets in as often as it tries, since every run ends and at every end all have done
/// their rounds.
#[test]
fn nobody_sleeps_for_ever_on_the_sticky_lock() {
    let mut table =
        format!("{:9} {:>5} {:>7} {:>11} {:>5}\n", "rounds", "kills", "states", "actions", "ends");
    let proofs: [(&[u8], u8); 8] = [
        (&[1, 1], 1),
        (&[2, 2], 2),
        (&[1, 1, 1], 0),
        (&[1, 1, 1], 1),
        (&[1, 1, 1], 2),
        (&[1, 1, 1], 3),
        (&[2, 2, 2], 1),
        (&[1, 1, 1, 1], 1),
    ];
    for (rounds, kills) in proofs {
        let explored = prove(&Contest { kills, ..contest(Protocol::Sticky, rounds) }, fault);
        let rounds = format!("{rounds:?}");
        table += &format!(
            "{rounds:12} {kills:2} {:7} {:11} {:5}\n",
            explored.states, explored.transitions, explored.ends
        );
    }
    insta::assert_snapshot!(table);
}

/// An attempt whose time runs out takes no wake-up with it.
#[test]
fn timed_attempts_leave_nobody_asleep() {
    let mut table = String::new();
    for timed in [vec![1], vec![1, 2], vec![0, 1, 2]] {
        let machine = Contest { timed: timed.clone(), ..contest(Protocol::Sticky, &[2, 1, 1]) };
        let states = prove(&machine, fault).states;
        table += &format!("timed processes {timed:?}: {states} states\n");
    }
    insta::assert_snapshot!(table);
}

/// The unlocker is killed before it has woken the sleeper, while a third process has taken the
/// lock that was free for a moment: the kernel finds the word owned by somebody else.
#[test]
fn glibc_loses_the_wake_up_of_a_killed_unlocker() {
    let machine = contest(Protocol::Glibc, &[1, 1, 1]);
    insta::assert_snapshot!(trace(&machine, &search(&machine, fault)));
}

/// A sleeper is killed that had been woken in place of another one: where every process that
/// unlocks survives, this is what remains.
#[test]
fn glibc_loses_the_wake_up_of_a_killed_sleeper() {
    let machine = contest(Protocol::Glibc, &[2, 1, 1]);
    let found = search(&machine, |state, is_end| {
        let survivor = state.lanes()[0].is_alive() && state.lanes()[2].is_alive();
        fault(state, is_end).filter(|_| survivor && state.is_asleep(2))
    });
    insta::assert_snapshot!(trace(&machine, &found));
}

/// It takes both, a kill and a third process that comes without having waited.
#[test]
fn glibc_loses_no_wake_up_without_a_kill_or_without_a_third() {
    prove(&Contest { kills: 0, ..contest(Protocol::Glibc, &[2, 2, 1]) }, fault);
    prove(&contest(Protocol::Glibc, &[1, 1]), fault);
}

/// A kernel before 6.2 wakes nobody for a word in which nothing but `WAITERS` is left: the sticky
/// lock must not be used there.
#[test]
fn the_sticky_lock_needs_a_kernel_that_looks_at_the_owner_part() {
    let machine = Contest { kernel: Kernel::WholeWord, ..contest(Protocol::Sticky, &[1, 1]) };
    insta::assert_snapshot!(trace(&machine, &search(&machine, fault)));
}
