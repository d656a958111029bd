//! Random histories of a right queue break nothing; the same histories, tampered with, do.

use proptest::prelude::*;

use super::history::ids;
use super::reference::{Action, Flaw, Reference, State};
use crate::contract::{Guarantee, Historic, Violation, judge};
use crate::event::Event;
use crate::machine::Machine;
use crate::program::*;

/// One run: each choice picks among what can happen; after the last one nobody is killed any more
/// and the first thing happens.
fn run(machine: &Reference, choices: &[u16]) -> (Vec<Event>, State) {
    let mut state = machine.initial();
    let mut events = Vec::new();
    let mut choices = choices.iter();
    loop {
        let mut actions = Vec::new();
        machine.enabled(&state, &mut actions);
        if actions.is_empty() {
            return (events, state);
        }
        let action: Action = match choices.next() {
            Some(&choice) => {
                machine.disturbances(&state, &mut actions);
                actions[usize::from(choice) % actions.len()]
            }
            None => actions[0],
        };
        events.extend(
            machine
                .apply(&mut state, &action)
                .expect("an offered action"),
        );
    }
}

/// What the lanes of three processes do: puts of their own items, and gets.
fn programs() -> impl Strategy<Value = String> {
    let operation = (0..5u8, 0..3u8);
    let lanes = prop::collection::vec(prop::collection::vec(operation, 0..4), 6);
    lanes.prop_map(|lanes| {
        let mut items = [
            vec!["p", "o", "n", "m"],
            vec!["d", "c", "b", "a"],
            vec!["z", "y", "x"],
        ];
        let mut phrases = Vec::new();
        for (number, operations) in lanes.iter().enumerate() {
            let (process, thread) = (number / 2, if number % 2 == 1 { "T" } else { "" });
            for &(kind, timeout) in operations {
                let timeout = ["", " 1s", " nowait"][usize::from(timeout)];
                let item = if kind < 3 { items[process].pop() } else { None };
                phrases.push(match item {
                    Some(item) => format!("P{process}{thread} put {item}{timeout}"),
                    None => format!("P{process}{thread} get{timeout}"),
                });
            }
        }
        if phrases.is_empty() {
            "P0 get nowait".to_owned()
        } else {
            phrases.join(", ")
        }
    })
}

fn choices() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_right_queue_breaks_nothing(
        program in programs(),
        choices in choices(),
        maxsize in 0..4u32,
        // Without a buffer under kills, or with one and without kills.
        kills in prop::option::of(0..3u8),
    ) {
        let buffered = kills.is_none();
        let kills = kills.unwrap_or(0);
        let machine = Reference::new(maxsize, &program, Flaw::None, buffered, kills);
        let (events, state) = run(&machine, &choices);
        let violations = judge(&machine.program, &events, &machine.end(&state));
        prop_assert_eq!(ids(&violations), "", "{:#?}", events);
    }
}

/// A run without a kill of two producers and P0, which afterwards gets what is left, one by one,
/// until it finds nothing.
fn drained(choices: &[u16]) -> (Program, Vec<Event>) {
    let text = "P1 put a, P1 put b, P1 put c, P1 put d, P2 put x, P2 put y, P2 put z, \
                P0 get 1s, P0 get 1s, P0T get nowait, P0T get 1s";
    let machine = Reference::new(0, text, Flaw::None, false, 0);
    let (mut events, state) = run(&machine, choices);
    let of_p0 = |event: &Event| match event {
        Event::Leave { process } | Event::Death { process, .. } => *process == ProcessId(0),
        _ => false,
    };
    events.retain(|event| !of_p0(event));
    let left = state
        .inside
        .into_iter()
        .map(Outcome::Item)
        .chain([Outcome::Empty]);
    let (lane, timeout) = (LaneId(0), Timeout::NoWait);
    for outcome in left {
        let operation = Operation::Get {
            queue: QueueId(0),
            timeout,
        };
        events.extend([
            Event::Call { lane, operation },
            Event::Return { lane, outcome },
        ]);
    }
    (machine.program, events)
}

/// The gets that returned an item: where each was called, where it returned, and the item.
fn gets(events: &[Event]) -> Vec<(usize, usize, ItemId)> {
    let mut gets = Vec::new();
    for (at, event) in events.iter().enumerate() {
        if let Event::Return {
            lane,
            outcome: Outcome::Item(item),
        } = event
        {
            let same = |event: &Event| matches!(event, Event::Call { lane: l, .. } if l == lane);
            let called = events[..at].iter().rposition(same).expect("a call");
            gets.push((called, at, *item));
        }
    }
    gets
}

fn replace(events: &mut [Event], at: usize, item: ItemId) {
    if let Event::Return { outcome, .. } = &mut events[at] {
        *outcome = Outcome::Item(item);
    }
}

fn judged(program: &Program, events: &[Event]) -> Vec<Violation> {
    judge(program, events, &Default::default())
}

fn breaks(violations: &[Violation], guarantee: Guarantee) -> bool {
    violations
        .iter()
        .any(|violation| violation.guarantee == guarantee)
}

proptest! {
    #[test]
    fn tampering_is_noticed(
        choices in choices(),
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
    ) {
        let (program, events) = drained(&choices);
        prop_assert_eq!(ids(&judged(&program, &events)), "");
        let gets = gets(&events);
        prop_assert_eq!(gets.len(), 7);

        // An item that nobody gets.
        let (called, returned, item) = gets[first.index(7)];
        let mut dropped = events.clone();
        dropped.remove(returned);
        dropped.remove(called);
        prop_assert_eq!(ids(&judged(&program, &dropped)), "G4", "without {:?}", item);

        // An item that is got twice.
        let at = first.index(6);
        let later = at + 1 + second.index(6 - at);
        let mut doubled = events.clone();
        replace(&mut doubled, gets[later].1, gets[at].2);
        let violations = judged(&program, &doubled);
        prop_assert!(breaks(&violations, Guarantee::G1), "{:?}", gets);

        // Two items of one producer that change places, in gets that do not overlap.
        for &(_, earlier_returned, earlier) in &gets {
            for &(later_called, later_returned, later) in &gets {
                let producer = |item: ItemId| program.items[usize::from(item.0)].producer;
                if earlier_returned < later_called && producer(earlier) == producer(later) {
                    // Both puts had returned before the first of the gets did.
                    let put = |event: &Event| matches!(
                        event,
                        Event::Call { operation: Operation::Put { item, .. }, .. } if *item == later
                    );
                    if !events[..earlier_returned].iter().any(put) {
                        continue;
                    }
                    let mut swapped = events.clone();
                    replace(&mut swapped, earlier_returned, later);
                    replace(&mut swapped, later_returned, earlier);
                    let violations = judged(&program, &swapped);
                    prop_assert_eq!(ids(&violations), "G2", "{:?} {:?}", earlier, later);
                }
            }
        }
    }
}
