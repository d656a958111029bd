use std::ops::ControlFlow;

use super::*;

/// A producer puts `items` into a buffer of `capacity`, a consumer takes them. The consumer may
/// be killed once where `kills` is 1.
struct Bounded {
    capacity: u8,
    items: u8,
    kills: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Buffer {
    put: u8,
    got: u8,
    consumer_dead: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Put,
    Get,
    Kill,
}

impl Machine for Bounded {
    type State = Buffer;
    type Action = Act;
    type Observation = u8;

    fn initial(&self) -> Buffer {
        Buffer {
            put: 0,
            got: 0,
            consumer_dead: false,
        }
    }

    fn enabled(&self, state: &Buffer, out: &mut Vec<Act>) {
        if state.put < self.items && state.put - state.got < self.capacity {
            out.push(Act::Put);
        }
        if state.got < state.put && !state.consumer_dead {
            out.push(Act::Get);
        }
    }

    fn disturbances(&self, state: &Buffer, out: &mut Vec<Act>) {
        if self.kills > 0 && !state.consumer_dead {
            out.push(Act::Kill);
        }
    }

    fn apply(&self, state: &mut Buffer, action: &Act) -> Result<u8, Refused> {
        match action {
            Act::Put => state.put += 1,
            Act::Get => state.got += 1,
            Act::Kill => state.consumer_dead = true,
        }
        Ok(state.put - state.got)
    }
}

const ALL: Limits = Limits {
    states_max: 1_000_000,
};

fn count<M: Machine>(machine: &M) -> Explored<M> {
    explore(machine, ALL, |_| ControlFlow::Continue(()))
}

#[test]
fn a_bounded_buffer_has_as_many_states_as_it_must() {
    for (capacity, items) in [(1u8, 1u8), (1, 5), (2, 4), (3, 7), (9, 4)] {
        // States are pairs got ≤ put ≤ items with put − got ≤ capacity.
        let states = |got: u8| usize::from(capacity.min(items - got)) + 1;
        let expected: usize = (0..=items).map(states).sum();
        let explored = count(&Bounded {
            capacity,
            items,
            kills: 0,
        });
        assert!(explored.complete());
        assert_eq!(
            (explored.states, explored.ends),
            (expected, 1),
            "{capacity} {items}"
        );
        assert_eq!(explored.depth, u32::from(items) * 2);
    }
}

#[test]
fn disturbances_are_explored_and_keep_no_state_from_being_an_end() {
    let machine = Bounded {
        capacity: 2,
        items: 4,
        kills: 1,
    };
    let (ends, explored) = outcomes(&machine, ALL, |state, is_end| is_end.then_some(*state));
    assert_eq!(explored.states, 2 * 12);
    // With the consumer alive there is one end, although it may still be killed there; with the
    // consumer dead the buffer is full or all items are put.
    assert_eq!(ends.len(), explored.ends);
    let living = ends.keys().filter(|state| !state.consumer_dead).count();
    assert_eq!((living, ends.len()), (1, 6));
}

impl PartialOrd for Buffer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Buffer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.put, self.got, self.consumer_dead).cmp(&(other.put, other.got, other.consumer_dead))
    }
}

#[test]
fn the_path_is_the_shortest_and_replays_what_was_observed() {
    let machine = Bounded {
        capacity: 2,
        items: 4,
        kills: 1,
    };
    let full =
        |state: &Buffer, _| (state.put - state.got == 2 && state.consumer_dead).then_some(());
    let (found, explored) = outcomes(&machine, ALL, full);
    let path = explored.path(&machine, found[&()]);
    assert_eq!(path, [(Act::Put, 1), (Act::Put, 2), (Act::Kill, 2)]);
    assert_eq!(
        explored.state(&machine, found[&()]),
        Buffer {
            put: 2,
            got: 0,
            consumer_dead: true
        }
    );
}

#[test]
fn every_state_comes_back_from_its_index_and_at_its_depth() {
    let machine = Bounded {
        capacity: 2,
        items: 4,
        kills: 1,
    };
    let mut states = Vec::new();
    let explored = explore(&machine, ALL, |visit| {
        assert_eq!(visit.index.position(), states.len());
        states.push((visit.index, *visit.state, visit.depth));
        ControlFlow::Continue(())
    });
    assert_eq!(states.len(), explored.states);
    for (index, state, depth) in states {
        assert_eq!(explored.state(&machine, index), state);
        assert_eq!(explored.actions(index).len(), depth as usize);
        let shortest = u32::from(state.put + state.got) + u32::from(state.consumer_dead);
        assert_eq!(depth, shortest);
    }
}

/// Two ways round to the same place, and a longer third one.
struct Diamond;

impl Machine for Diamond {
    type State = &'static str;
    type Action = &'static str;
    type Observation = ();

    fn initial(&self) -> &'static str {
        "top"
    }

    fn enabled(&self, state: &&'static str, out: &mut Vec<&'static str>) {
        match *state {
            "top" => out.extend(["detour", "left", "right"]),
            "detour" => out.push("left"),
            "left" | "right" => out.push("bottom"),
            _ => {}
        }
    }

    fn apply(&self, state: &mut &'static str, action: &&'static str) -> Result<(), Refused> {
        *state = action;
        Ok(())
    }
}

#[test]
fn a_state_that_two_ways_lead_to_is_visited_once_and_by_the_shorter_way() {
    let (found, explored) = outcomes(&Diamond, ALL, |state, _| Some(*state));
    assert_eq!(
        (explored.states, explored.transitions, explored.ends),
        (5, 6, 1)
    );
    assert_eq!(explored.actions(found["left"]), ["left"]);
    assert_eq!(explored.actions(found["bottom"]), ["left", "bottom"]);
}

/// Two lanes that take two locks in opposite order, the oldest deadlock.
struct TwoLocks;

impl Machine for TwoLocks {
    /// For each lane how many of its four steps it has done: lock, lock, unlock, unlock.
    type State = [u8; 2];
    type Action = usize;
    type Observation = ();

    fn initial(&self) -> [u8; 2] {
        [0, 0]
    }

    fn enabled(&self, state: &[u8; 2], out: &mut Vec<usize>) {
        out.extend((0..2).filter(|&lane| {
            let other = state[1 - lane];
            // The other lane's first lock is this lane's second.
            match state[lane] {
                0 => !(2..4).contains(&other) || other == 3,
                1 => !(1..4).contains(&other),
                4 => false,
                _ => true,
            }
        }));
    }

    fn apply(&self, state: &mut [u8; 2], action: &usize) -> Result<(), Refused> {
        state[*action] += 1;
        Ok(())
    }
}

#[test]
fn a_deadlock_is_an_end_and_is_found_by_the_shortest_way() {
    let (ends, explored) = outcomes(&TwoLocks, ALL, |state, is_end| is_end.then_some(*state));
    assert_eq!(ends.keys().collect::<Vec<_>>(), [&[1, 1], &[4, 4]]);
    assert_eq!(explored.actions(ends[&[1, 1]]), [0, 1]);
}

#[test]
fn a_limit_that_is_reached_is_named_and_what_was_found_is_visited() {
    let machine = Bounded {
        capacity: 2,
        items: 4,
        kills: 0,
    };
    let all = count(&machine).states;
    for states_max in 1..all {
        let mut visits = 0;
        let explored = explore(&machine, Limits { states_max }, |_| {
            visits += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(explored.finish, Finish::StatesMax(states_max));
        assert_eq!((explored.states, visits), (states_max, states_max));
        let text = explored.finish.to_string();
        assert_eq!(
            text,
            format!("the limit states_max = {states_max} was reached")
        );
    }
    let enough = explore(&machine, Limits { states_max: all }, |_| {
        ControlFlow::Continue(())
    });
    assert!(enough.complete());
}

#[test]
fn the_visitor_can_stop() {
    let machine = Bounded {
        capacity: 2,
        items: 4,
        kills: 0,
    };
    let mut visits = 0;
    let explored = explore(&machine, ALL, |_| {
        visits += 1;
        if visits == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!((visits, explored.finish), (3, Finish::Stopped));
}

/// Offers what it refuses.
struct Contradiction;

impl Machine for Contradiction {
    type State = ();
    type Action = ();
    type Observation = ();

    fn initial(&self) {}

    fn enabled(&self, (): &(), out: &mut Vec<()>) {
        out.push(());
    }

    fn apply(&self, (): &mut (), (): &()) -> Result<(), Refused> {
        Err(Refused("not today".to_owned()))
    }
}

#[test]
fn a_machine_that_refuses_what_it_offered_is_reported() {
    let explored = count(&Contradiction);
    assert!(!explored.complete());
    assert_eq!(
        explored.finish.to_string(),
        "the machine refused an action that it offered in state 0: not today"
    );
}
