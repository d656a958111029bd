//! Exploring a right queue proves every guarantee; exploring a wrong one finds the shortest way to
//! break those that it breaks.

use super::reference::{Flaw, Reference};
use crate::contract::{Guarantee, Verdict, judge, prove, prove_these};
use crate::event::{End, Event};
use crate::explore::{Finish, Limits};

const LIMITS: Limits = Limits { states_max: 2_000_000 };

/// The guarantees that some history of the machine breaks. Each counterexample is judged again
/// on its own.
fn broken(machine: &Reference) -> String {
    let mut ids = Vec::new();
    for (guarantee, verdict) in prove(machine, LIMITS) {
        match verdict {
            Verdict::Holds { states } => assert!(states > 1),
            Verdict::Violated { path, violation } => {
                assert_eq!(violation.guarantee, guarantee);
                let events: Vec<Event> = path.into_iter().flat_map(|(_, seen)| seen).collect();
                let at_once = judge(&machine.program, &events, &End::default());
                if [Guarantee::G1, Guarantee::G2, Guarantee::G3].contains(&guarantee) {
                    assert!(at_once.contains(&violation), "{violation:?} {events:?}");
                }
                ids.push(guarantee.id());
            }
            Verdict::Undecided { finish } => panic!("{guarantee}: {finish}"),
        }
    }
    ids.join(" ")
}

const MIXED: &str = "P0 get 1s, P0 get nowait, P0 put m nowait, P1 put a, P1 put b, P2 get, \
                     P2 put x 1s";

#[test]
fn a_right_queue_keeps_everything_under_every_kill() {
    for (maxsize, kills) in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1)] {
        let machine = Reference::new(maxsize, MIXED, Flaw::None, false, kills);
        assert_eq!(broken(&machine), "", "maxsize {maxsize}, {kills} kills");
    }
}

#[test]
fn a_right_buffered_queue_keeps_everything_while_nobody_is_killed() {
    for maxsize in [0, 1, 2] {
        let machine = Reference::new(maxsize, MIXED, Flaw::None, true, 0);
        assert_eq!(broken(&machine), "", "maxsize {maxsize}");
    }
}

#[test]
fn each_flaw_breaks_its_guarantees_and_no_others() {
    use Flaw::*;
    let table = [
        (Lifo, false, 0, 0, "P1 put a, P1 put b, P0 get, P0 get", "G2"),
        // Nobody comes for what was overtaken.
        (Lifo, false, 0, 0, "P1 put a, P1 put b, P0 get", "G4"),
        (Twice, false, 0, 0, "P1 put a, P0 get, P0 get", "G1"),
        (Unbounded, false, 1, 0, "P1 put a, P1 put b, P0 get 1s", "G3"),
        (DropsOnExit, true, 0, 0, "P1 put a, P0 get", "G4"),
        (HangsTimed, false, 0, 0, "P0 get 1s", "G7"),
        (LeavesWhenGot, false, 0, 0, "P1 put a, P2 get 1s", "G9"),
        // Buffered items die with their process, and their slots with them.
        (None, true, 0, 1, "P1 put a, P0 get", "G5 G6"),
        (None, true, 1, 1, "P1 put a, P0 get 1s, P0 put m nowait", "G5 G8"),
        (LeaksSlot, false, 1, 1, "P1 put a, P0 get 1s, P0 put m nowait", "G8"),
        (LeaksSlot, false, 1, 1, "P1 put a, P0 get 1s, P0 put m", "G6 G8"),
        (OrphansLock, false, 0, 1, "P1 get, P2 put x, P2 put y, P0 get", "G5 G6"),
        // One item that came after the death is enough, …
        (OrphansLock, false, 0, 1, "P1 get, P2 put x, P0 get", "G5 G6"),
        (Swallows, false, 0, 1, "P1 get, P2 put x, P0 get", "G5 G6"),
        // … also where another is got, as only a later one of the same producer shows.
        (Swallows, false, 0, 1, "P1 get, P2 put x, P2 put y, P0 get 1s, P0 get 1s", "G5"),
    ];
    for (flaw, buffered, maxsize, kills, text, expected) in table {
        let machine = Reference::new(maxsize, text, flaw, buffered, kills);
        assert_eq!(broken(&machine), expected, "{flaw:?} {text}");
        if flaw != None {
            let right = Reference { flaw: None, ..machine };
            assert_eq!(broken(&right), "", "without {flaw:?}: {text}");
        }
    }
}

#[test]
fn the_counterexample_is_the_shortest() {
    let machine = Reference::new(0, "P1 put a, P1 put b, P0 get, P0 get", Flaw::Lifo, false, 0);
    let verdicts = prove_these(&machine, LIMITS, [Guarantee::G2].into_iter().collect());
    let [(Guarantee::G2, Verdict::Violated { path, violation })] = &verdicts[..] else {
        panic!("{verdicts:?}");
    };
    // Four calls of three steps each; only the return of the second put can be spared.
    assert_eq!(path.len(), 11, "{path:?}");
    assert_eq!(
        violation.describe(&machine.program),
        "G2 order: an item was got after a later one of the same producer \
         (P0.main, item a, queue q)"
    );
}

#[test]
fn a_limit_leaves_open_what_was_not_found_before_it() {
    let machine = Reference::new(0, "P1 put a, P0 get, P0 get", Flaw::Twice, false, 0);
    let verdicts = prove(&machine, Limits { states_max: 3 });
    for (guarantee, verdict) in verdicts {
        let Verdict::Undecided { finish } = verdict else { panic!("{guarantee}: {verdict:?}") };
        assert_eq!(finish, Finish::StatesMax(3));
    }
}

#[test]
fn what_is_not_judged_gets_no_verdict() {
    let machine = Reference::new(0, "P0 get 1s", Flaw::None, false, 0);
    let verdicts = prove_these(&machine, LIMITS, Guarantee::ALL.into_iter().collect());
    let judged: Vec<Guarantee> = verdicts.iter().map(|&(guarantee, _)| guarantee).collect();
    assert_eq!(judged, Guarantee::ALL[..9]);
}
