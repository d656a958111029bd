//! The OS objects of the model do what Linux does: the same calls give the same results.
//!
//! Random sequences of calls run on `midput_model::os` and on a real pipe or pair of sockets; a writer that sleeps in
//! write(2) goes on as the model says; a killed process leaves behind what the model says.

mod blocked;
mod death;
mod pair;
mod sockets;

use std::sync::{Mutex, MutexGuard, PoisonError};

use midput_model::os::pipe::{SLOT_BYTES, Written};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use pair::{Pair, hold};

/// One test at a time: while a process starts, it has a copy of every descriptor, so that an end
/// that another test has closed would stay open for a moment.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One call. `end` picks among the open ends of its kind.
#[derive(Clone, Copy, Debug)]
enum Call {
    Write { bytes: u32, end: usize },
    Read { bytes: u32, end: usize },
    OpenReader,
    OpenWriter,
    CloseReader { end: usize },
    CloseWriter { end: usize },
}

impl Call {
    fn make(self, pair: &mut Pair) -> TestCaseResult {
        match self {
            Self::Write { bytes, end } => pair.write(bytes, end),
            Self::Read { bytes, end } => pair.read(bytes, end),
            Self::OpenReader => pair.open_reader(),
            Self::OpenWriter => pair.open_writer(),
            Self::CloseReader { end } => pair.close_reader(end),
            Self::CloseWriter { end } => pair.close_writer(end),
        }
    }
}

/// Sizes around those where the rules change.
fn size(slots: u16) -> impl Strategy<Value = u32> {
    let capacity = u32::from(slots) * SLOT_BYTES;
    prop_oneof![
        4 => prop_oneof![
            Just(0u32), Just(1), Just(4), Just(2049), Just(4095), Just(4096), Just(4097)
        ],
        4 => 1..2 * SLOT_BYTES,
        3 => (0..=u32::from(slots) + 1, 0..5u32)
            .prop_map(|(pages, more)| (pages * SLOT_BYTES + more).saturating_sub(2)),
        1 => 1..capacity + 2 * SLOT_BYTES,
    ]
}

fn call(slots: u16) -> impl Strategy<Value = Call> {
    let end = 0..4usize;
    prop_oneof![
        30 => (size(slots), end.clone()).prop_map(|(bytes, end)| Call::Write { bytes, end }),
        25 => (size(slots), end.clone()).prop_map(|(bytes, end)| Call::Read { bytes, end }),
        2 => Just(Call::OpenReader),
        2 => Just(Call::OpenWriter),
        1 => end.clone().prop_map(|end| Call::CloseReader { end }),
        1 => end.prop_map(|end| Call::CloseWriter { end }),
    ]
}

fn sequence() -> impl Strategy<Value = (u16, Vec<Call>)> {
    prop_oneof![1 => Just(1u16), 2 => Just(2), 2 => Just(4), 3 => Just(16), 1 => Just(64)]
        .prop_flat_map(|slots| (Just(slots), vec(call(slots), 1..60)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_call_on_a_pipe_gives_the_same_result((slots, calls) in sequence()) {
        let _alone = alone();
        let mut pair = Pair::new(slots);
        for call in calls {
            call.make(&mut pair)?;
            prop_assert_eq!(usize::from(pair.model.readers()), pair.readers.len());
            prop_assert_eq!(usize::from(pair.model.writers()), pair.writers.len());
        }
        // What is left comes out whole; then the stream has ended or is empty.
        while !pair.readers.is_empty() && pair.model.available() > 0 {
            pair.read(5000, 0)?;
        }
        pair.read(1, 0)?;
    }
}

/// The figures of the documented semantics, on this kernel.
#[test]
fn a_large_frame_stops_where_its_size_says() {
    let _alone = alone();
    for payload in [1_048_585, 1_048_576, 1_000_000, 100_000] {
        let mut pair = Pair::new(16);
        hold(pair.write(4, 0));
        hold(pair.write(payload, 0));
    }
    for size in [16, 2049, 4095, 4096] {
        let mut pair = Pair::new(16);
        while pair.model.preview_write(size) == Written::All {
            hold(pair.write(size, 0));
        }
        hold(pair.write(size, 0));
    }
}

/// With every slot in use poll(2) says "not writable", while a write into the last one succeeds.
#[test]
fn a_write_that_merges_succeeds_where_poll_says_that_none_would() {
    let _alone = alone();
    let mut pair = Pair::new(2);
    hold(pair.write(4096, 0));
    while pair.model.is_writable() {
        hold(pair.write(4000, 0));
    }
    assert_eq!(pair.model.preview_write(96), Written::All);
    assert_eq!(pair.model.preview_write(97), Written::WouldBlock);
    hold(pair.write(97, 0));
    hold(pair.write(96, 0));
}
