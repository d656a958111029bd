//! Whoever is killed, what was committed wakes the sleeper.

use super::prove;
use crate::os::robust::Kernel;
use crate::queue::robust::hand_over::{HandOver, Lane, State};

/// Committers and takers of so many items each, and one kill.
pub(super) fn hand_over(committers: &[u8], takers: &[u8]) -> HandOver {
    HandOver {
        kernel: Kernel::OwnerPart,
        committers: committers.to_vec(),
        takers: takers.to_vec(),
        timed: false,
        kills: 1,
    }
}

/// What must never be where nothing more happens. Takers that still wait are in order only where
/// there is nothing to take, and then one of them sleeps on the event, so that a commit would
/// wake it.
pub(super) fn fault(committers: usize, state: &State, is_end: bool) -> Option<&'static str> {
    if !is_end {
        return None;
    }
    let waits = |(_, lane): &(usize, &Lane)| lane.is_alive() && !lane.is_done();
    let mut waiting = state.lanes().iter().enumerate().filter(waits).peekable();
    if waiting.peek().is_some_and(|&(process, _)| process < committers) {
        return Some("a committer is stuck");
    }
    let [committers, takers, event] = state.words();
    if committers.owner().is_some() {
        return Some("a lock is owned for ever");
    }
    match waiting.peek() {
        None => takers.owner().is_some().then_some("a lock is owned for ever"),
        Some(_) if state.items() > 0 => Some("a taker sleeps though there is an item"),
        Some(_) if !state.is_awaited() => Some("a taker sleeps where no commit wakes it"),
        Some(_) => (!event.has_waiters()).then_some("a taker sleeps where no commit sees it"),
    }
}

/// Explored to the end: every run ends, and at every end all is in order.
#[test]
fn nobody_sleeps_for_ever_on_the_event() {
    let mut table = format!(
        "{:10} {:7} {:5} {:>5} {:>8} {:>9} {:>5}\n",
        "committers", "takers", "timed", "kills", "states", "actions", "ends"
    );
    let proofs: [(&[u8], &[u8], bool, u8); 6] = [
        (&[1], &[1], false, 2),
        (&[2], &[2], false, 2),
        (&[1], &[1, 1], false, 2),
        (&[1, 1], &[2], false, 1),
        (&[1, 1], &[1], false, 2),
        (&[1], &[1, 1], true, 1),
    ];
    for (committers, takers, timed, kills) in proofs {
        let machine = HandOver { timed, kills, ..hand_over(committers, takers) };
        let explored = prove(&machine, |state, is_end| fault(committers.len(), state, is_end));
        let (committers, takers) = (format!("{committers:?}"), format!("{takers:?}"));
        table += &format!(
            "{committers:10} {takers:7} {timed:5} {kills:5} {:8} {:9} {:5}\n",
            explored.states, explored.transitions, explored.ends
        );
    }
    insta::assert_snapshot!(table);
}
