use std::time::Duration;

use proptest::prelude::*;
use rustix::fs::MemfdFlags;

use super::*;
use crate::block_on;
use crate::os::Os;

const SITE: Site = Site::new("test");
const CELL: CellId = CellId(1);
const RING: usize = 1 << 16;

fn mapping() -> Mapping {
    Linux.share(3, RING).unwrap()
}

fn soon() -> Wait {
    Wait::Until(Linux.now() + Duration::from_millis(50))
}

/// What a thread leaves behind that ends right after `act`, and whether a sleeper was woken.
fn after(word: u32, act: impl FnOnce(&Mapping) + Send) -> (u32, bool) {
    let mapping = mapping();
    std::thread::scope(|scope| {
        let (ready, wait) = std::sync::mpsc::channel();
        let (go, begin) = std::sync::mpsc::channel::<()>();
        let (dying, sleeping) = (mapping.clone(), mapping.clone());
        let ending = scope.spawn(move || {
            act(&dying);
            ready.send(()).unwrap();
            begin.recv().unwrap();
        });
        wait.recv().unwrap();
        let seen = block_on(Linux.change(&mapping, CELL, Change::Add(word), SITE)) | word;
        let sleeper = scope.spawn(move || {
            let until = Wait::Until(Linux.now() + Duration::from_millis(400));
            block_on(Linux.sleep(&sleeping, &[Seen { cell: CELL, word: seen }], until, SITE))
        });
        std::thread::sleep(Duration::from_millis(100));
        go.send(()).unwrap();
        ending.join().unwrap();
        let woken = sleeper.join().unwrap().unwrap() == Slept::Look;
        (block_on(Linux.load(&mapping, CELL, SITE)), woken)
    })
}

#[test]
fn the_kernel_marks_and_wakes_for_a_thread_that_ended() {
    let owned = |mapping: &Mapping| {
        block_on(Linux.change(mapping, CELL, Change::Set(Linux.thread()), SITE));
    };
    let listed = after(WAITERS, |mapping| {
        owned(mapping);
        block_on(Linux.enlist(mapping, CELL, SITE));
    });
    assert_eq!(listed, (OWNER_DIED | WAITERS, true));
    let pending = after(WAITERS, |mapping| {
        owned(mapping);
        block_on(Linux.register(mapping, CELL, SITE));
    });
    assert_eq!(pending, (OWNER_DIED | WAITERS, true));
    let neither = after(WAITERS, |mapping| {
        owned(mapping);
        block_on(Linux.enlist(mapping, CELL, SITE));
        block_on(Linux.delist(mapping, CELL, SITE));
        block_on(Linux.register(mapping, CELL, SITE));
        block_on(Linux.forget(SITE));
    });
    assert!(!neither.1, "nothing said that it had it");
    // What the sticky lock rests on, from Linux 6.2 on.
    let unowned = after(WAITERS, |mapping| block_on(Linux.register(mapping, CELL, SITE)));
    assert_eq!(unowned, (WAITERS, true));
}

#[test]
fn the_newest_of_several_comes_off_first() {
    let mapping = mapping();
    let other = CellId(2);
    let ending = mapping.clone();
    std::thread::spawn(move || {
        for cell in [CELL, other] {
            block_on(Linux.change(&ending, cell, Change::Set(Linux.thread() | WAITERS), SITE));
            block_on(Linux.enlist(&ending, cell, SITE));
        }
        block_on(Linux.delist(&ending, other, SITE));
    })
    .join()
    .unwrap();
    assert_eq!(block_on(Linux.load(&mapping, CELL, SITE)), OWNER_DIED | WAITERS);
    assert_eq!(block_on(Linux.load(&mapping, other, SITE)) & OWNER_DIED, 0);
}

#[test]
fn a_sleep_ends_with_a_change_a_wake_or_its_time() {
    let mapping = mapping();
    let sleep = |words: &[u32], wait| {
        let seen: Vec<Seen> =
            words.iter().zip([CELL, CellId(2)]).map(|(&word, cell)| Seen { cell, word }).collect();
        block_on(Linux.sleep(&mapping, &seen, wait, SITE)).unwrap()
    };
    for words in [&[0][..], &[0, 0]] {
        assert_eq!(sleep(words, Wait::Try), Slept::TimedOut);
        assert_eq!(sleep(words, Wait::Until(Duration::ZERO)), Slept::TimedOut);
        let before = Linux.now();
        assert_eq!(sleep(words, soon()), Slept::TimedOut);
        assert!(Linux.now() - before >= Duration::from_millis(45));
    }
    assert_eq!(sleep(&[1], Wait::Forever), Slept::Look);
    assert_eq!(sleep(&[0, 1], Wait::Forever), Slept::Look, "the second has changed");
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| sleep(&[0, 0], Wait::Forever));
        while !sleeper.is_finished() {
            block_on(Linux.wake(&mapping, CellId(2), SITE)).unwrap();
            std::thread::yield_now();
        }
        assert_eq!(sleeper.join().unwrap(), Slept::Look);
    });
}

#[test]
fn a_process_owns_words_until_it_gives_them_back() {
    let mapping = Linux.share(4, RING).unwrap();
    let own = |cell| block_on(Linux.own_for_life(&mapping, cell, SITE)).unwrap();
    let word = |cell| block_on(Linux.load(&mapping, cell, SITE));
    let cells = [CellId(1), CellId(2), CellId(3)];
    for cell in cells {
        assert!(own(cell));
        assert!(!own(cell), "it has an owner");
        assert_eq!(word(cell), word(CellId(1)));
    }
    assert_ne!(word(CELL) & OWNER, Linux.thread(), "the keeper's, not this thread's");
    // The middle, the newest, the last one that is left.
    for cell in [CellId(2), CellId(3), CellId(1)] {
        block_on(Linux.end_life(&mapping, cell, SITE)).unwrap();
        assert_eq!(word(cell), WAITERS);
        block_on(Linux.end_life(&mapping, cell, SITE)).unwrap();
    }
    assert!(own(CellId(2)));
    block_on(Linux.end_life(&mapping, CellId(2), SITE)).unwrap();
}

#[test]
fn what_is_no_queue_memory_is_refused() {
    for (cells, bytes) in [(3, RING + 1), (3, RING / 2), (0, RING), (3, RING << 20)] {
        let error = Linux.share(cells, bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{cells} cells, {bytes} bytes");
    }
    let file = rustix::fs::memfd_create("other", MemfdFlags::CLOEXEC).unwrap();
    assert_eq!(Shared::open(file).unwrap_err().kind(), io::ErrorKind::InvalidData);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("zeros", flags).unwrap();
    rustix::fs::ftruncate(&file, 4 * RING as u64).unwrap();
    rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::SHRINK).unwrap();
    assert_eq!(Shared::open(file).unwrap_err().kind(), io::ErrorKind::InvalidData, "no cells");
}

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in_wherever_they_lie(
        place: u64,
        header: u64,
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let mapping = mapping();
        block_on(Linux.copy_in(&mapping, place, header, &bytes, SITE)).unwrap();
        prop_assert_eq!(Linux.header(&mapping, place), header);
        let mut out = vec![9];
        let from = place.wrapping_add(8);
        block_on(Linux.copy_out(&mapping, from, bytes.len(), &mut out, SITE)).unwrap();
        prop_assert_eq!((out[0], &out[1..]), (9, &bytes[..]));
        prop_assert!(block_on(Linux.copy_out(&mapping, place, RING + 1, &mut out, SITE)).is_err());
    }
}
