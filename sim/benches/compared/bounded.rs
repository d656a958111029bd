//! The workloads as abstract machines, which `midput.rs` and `stateright.rs` explore in the same
//! form, so that what is compared is the search alone.
//!
//! A bounded queue of capacity 2 out of a mutex and two semaphores. Producers put so many items
//! each, one consumer takes them all. An operation is four steps: take a semaphore, lock, move
//! the item and unlock, give the other semaphore.

/// The most items in the queue.
const CAPACITY: usize = 2;
/// The steps of one put or get.
const STEPS: u8 = 4;

/// The machine: so many producers, each of so many items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounded<const PRODUCERS: usize> {
    /// The items of one producer.
    pub(crate) items: u8,
}

/// What the future of the machine depends on, and what the order of the items is checked by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State<const PRODUCERS: usize> {
    /// How many steps each producer has done.
    producers: [u8; PRODUCERS],
    /// How many steps the consumer has done.
    consumer: u8,
    /// The value of the semaphore that counts free places.
    free: u8,
    /// The value of the semaphore that counts items.
    filled: u8,
    /// Whether somebody has the mutex.
    locked: bool,
    /// What is in the queue, oldest first: the item `k` of producer `i` is `i * 100 + k`.
    queue: [Option<u16>; CAPACITY],
    /// How many items of each producer were taken.
    taken: [u8; PRODUCERS],
    /// Whether each producer's items came out in the order in which they went in.
    pub(crate) in_order: bool,
}

/// One of the lanes: 0 is the consumer, n is the n-th producer.
pub(crate) type Lane = u8;

impl<const PRODUCERS: usize> Bounded<PRODUCERS> {
    /// Nobody has done a step.
    pub(crate) fn initial(&self) -> State<PRODUCERS> {
        State {
            producers: [0; PRODUCERS],
            consumer: 0,
            free: CAPACITY as u8,
            filled: 0,
            locked: false,
            queue: [None; CAPACITY],
            taken: [0; PRODUCERS],
            in_order: true,
        }
    }

    /// The lanes that can do their next step.
    pub(crate) fn enabled(&self, state: &State<PRODUCERS>, out: &mut Vec<Lane>) {
        let can = |done: u8, operations: u8, available: u8| {
            let mine = match done % STEPS {
                0 => available > 0,
                1 => !state.locked,
                _ => true,
            };
            done < operations * STEPS && mine
        };
        if can(state.consumer, self.items * PRODUCERS as u8, state.filled) {
            out.push(0);
        }
        for (lane, &done) in (1..).zip(&state.producers) {
            if can(done, self.items, state.free) {
                out.push(lane);
            }
        }
    }

    /// The lane does its next step, which must be enabled.
    pub(crate) fn apply(&self, state: &mut State<PRODUCERS>, lane: Lane) {
        match lane.checked_sub(1) {
            None => Self::consume(state),
            Some(producer) => Self::produce(state, usize::from(producer)),
        }
    }

    fn produce(state: &mut State<PRODUCERS>, producer: usize) {
        let done = state.producers[producer];
        state.producers[producer] += 1;
        match done % STEPS {
            0 => state.free -= 1,
            1 => state.locked = true,
            2 => {
                let place = usize::from(state.queue[0].is_some());
                state.queue[place] = Some(producer as u16 * 100 + u16::from(done / STEPS));
                state.locked = false;
            }
            _ => state.filled += 1,
        }
    }

    fn consume(state: &mut State<PRODUCERS>) {
        let done = state.consumer;
        state.consumer += 1;
        match done % STEPS {
            0 => state.filled -= 1,
            1 => state.locked = true,
            2 => {
                let item = state.queue[0].take();
                state.queue.swap(0, 1);
                if let Some(item) = item {
                    let taken = &mut state.taken[usize::from(item / 100)];
                    state.in_order &= item % 100 == u16::from(*taken);
                    *taken += 1;
                }
                state.locked = false;
            }
            _ => state.free += 1,
        }
    }
}
