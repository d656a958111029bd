//! Connections take no lock (`CN7`), and each end of a duplex pipe has a buffer of its own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use midput_real::connection::{self, Connection};
use midput_real::os::{Os, SemaphoreSpecification, Site, Wait};
use midput_sim::host::Ending;
use midput_sim::kernel::SimulatedOs;
use midput_sim::schedule::{Exhaustive, ExhaustiveOptions, Random};

/// Above what goes in one write with its header (`WF2`).
const LENGTH: usize = 20_000;

type End = Connection<SimulatedOs>;

async fn start(name: &str, body: impl Future<Output = ()> + Send + 'static) {
    let started = SimulatedOs.thread_start(name, move || body, Site::new("thread.start")).await;
    started.expect("a thread can start");
}

/// Two threads send over one end. Whether a message arrived that neither has sent, or none where
/// one must be.
async fn two_senders(duplex: bool, locked: bool, mixed: Arc<AtomicBool>) {
    let pair =
        if duplex { connection::duplex_pipe(SimulatedOs) } else { connection::pipe(SimulatedOs) };
    let (receiver, sender): (End, End) = pair.expect("there are descriptors");
    let lock = SemaphoreSpecification { role: "lock", value: 1, maximum: 1 };
    let [lock] = SimulatedOs.semaphores([lock]).expect("there is memory");
    for (name, byte) in [("A", b'a'), ("B", b'b')] {
        let sender = sender.clone();
        start(name, async move {
            if locked {
                let taken = SimulatedOs.semaphore_wait(&lock, Wait::Forever, Site::new("lock"));
                assert!(taken.await.expect("it waits for ever"));
            }
            sender.send_bytes(&vec![byte; LENGTH]).await.expect("somebody receives");
            if locked {
                let given = SimulatedOs.semaphore_post(&lock, Site::new("unlock"));
                given.await.expect("it is taken");
            }
        })
        .await;
    }
    mixed.store(true, Ordering::Relaxed);
    let mut seen = [false; 2];
    for _ in 0..2 {
        let message = receiver.recv_bytes().await.expect("nobody closes");
        let whole = |byte| message.len() == LENGTH && message.iter().all(|&it| it == byte);
        seen[0] |= whole(b'a');
        seen[1] |= whole(b'b');
    }
    mixed.store(seen != [true; 2], Ordering::Relaxed);
}

/// Two unlocked writers mix their frames in some schedules; under a lock in none.
#[test]
fn two_senders_mix_their_messages_unless_they_take_a_lock() {
    for duplex in [false, true] {
        for locked in [false, true] {
            let (mut search, mut found) = (Exhaustive::new(ExhaustiveOptions::default()), 0);
            loop {
                let mixed = Arc::new(AtomicBool::new(false));
                let ending = super::run(two_senders(duplex, locked, mixed.clone()), &mut search);
                found += u32::from(match ending {
                    Ending::AllEnded => mixed.load(Ordering::Relaxed),
                    // What is mixed may leave its receiver waiting for more.
                    Ending::Stuck => true,
                    Ending::Redundant => false,
                    other => panic!("{other:?}"),
                });
                if !search.advance() {
                    break;
                }
            }
            assert_eq!(found > 0, !locked, "duplex {duplex}: {found} schedules");
            println!("duplex {duplex}, locked {locked}: {found} of {:?}", search.tally());
        }
    }
}

#[test]
fn a_random_search_finds_mixed_messages() {
    let first = (0..200).find(|&case| {
        let mixed = Arc::new(AtomicBool::new(false));
        let body = two_senders(false, false, mixed.clone());
        super::run(body, &mut Random::new(1, case));
        mixed.load(Ordering::Relaxed)
    });
    assert!(first.is_some());
}

async fn send_first(end: End, length: usize) {
    end.send_bytes(&vec![1; length]).await.expect("the other end is open");
    assert_eq!(end.recv_bytes().await.expect("it sends").len(), length);
}

/// Both ends send more than the buffers hold before they receive: each waits for the other.
#[test]
fn two_ends_that_send_first_and_receive_then_are_stuck_with_large_messages() {
    for (length, is_stuck) in [(100_000, false), (300_000, true)] {
        for case in 0..20 {
            let body = async move {
                let (here, there) = connection::duplex_pipe(SimulatedOs).expect("descriptors");
                start("T", send_first(there, length)).await;
                send_first(here, length).await;
            };
            let ending = super::run(body, &mut Random::new(2, case));
            assert_eq!(matches!(ending, Ending::Stuck), is_stuck, "{length} bytes: {ending:?}");
        }
    }
}
