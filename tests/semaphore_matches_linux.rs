//! The semaphore of the model does what a POSIX semaphore does: the same calls give the same
//! results and values.

use std::io::ErrorKind;

use midput_model::os::semaphore::{AboveMaximum, Semaphore};
use midput_real::block_on;
use midput_real::os::linux::Linux;
use midput_real::os::{Os, SemaphoreSpecification, Site, Wait};
use proptest::collection::vec;
use proptest::prelude::*;

/// `SEM_VALUE_MAX`: the maximum of a queue without a bound (`Q1`).
const LARGEST: u32 = 0x7fff_ffff;

/// One call.
#[derive(Clone, Copy, Debug)]
enum Call {
    TryWait,
    /// With a moment that is past: one try (`Q10`).
    WaitUntilThePast,
    /// Only where it does not block for ever.
    Wait,
    Post,
}

/// A maximum, a first value up to one above it, and calls.
fn sequence() -> impl Strategy<Value = (u32, u32, Vec<Call>)> {
    let maximum = prop_oneof![Just(1u32), 1..5u32, Just(LARGEST)];
    let call = prop_oneof![
        1 => Just(Call::TryWait),
        1 => Just(Call::WaitUntilThePast),
        1 => Just(Call::Wait),
        2 => Just(Call::Post),
    ];
    (maximum, 0..6u32, any::<bool>(), vec(call, 1..40)).prop_map(
        |(maximum, distance, from_below, calls)| {
            let value = if from_below {
                distance
            } else {
                maximum.saturating_sub(distance)
            };
            (
                maximum,
                value.min(maximum.saturating_add(1)).min(LARGEST),
                calls,
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_call_on_a_semaphore_gives_the_same_result((maximum, value, calls) in sequence()) {
        let site = Site::new("sem.compare");
        let specification = SemaphoreSpecification { role: "compared", value, maximum };
        // A neighbour in the same memory, which must not change.
        let neighbour = SemaphoreSpecification { role: "neighbour", value: 3, maximum: 7 };
        let [real, other] = Linux.semaphores([specification, neighbour])?;
        let mut model = Semaphore::new(value, maximum);
        for call in calls {
            let wait = match call {
                Call::TryWait => Some(Wait::Try),
                Call::WaitUntilThePast => Some(Wait::Until(std::time::Duration::ZERO)),
                Call::Wait if model.value() > 0 => Some(Wait::Forever),
                Call::Wait => None,
                Call::Post => {
                    let found = match block_on(Linux.semaphore_post(&real, site)) {
                        Ok(()) => Ok(()),
                        Err(error) if error.kind() == ErrorKind::InvalidInput => Err(AboveMaximum),
                        Err(error) => panic!("sem_post: {error}"),
                    };
                    prop_assert_eq!(model.post(), found);
                    None
                }
            };
            if let Some(wait) = wait {
                let found = block_on(Linux.semaphore_wait(&real, wait, site))?;
                prop_assert_eq!(model.try_wait(), found);
            }
            prop_assert_eq!(model.value(), block_on(Linux.semaphore_value(&real, site))?);
        }
        prop_assert_eq!(block_on(Linux.semaphore_value(&other, site))?, 3);
    }
}
