//! The robust queue, whose user ends at each of its steps.
//!
//! A thread that ends is to the kernel what a killed one is: it walks the list of what the thread
//! had locked and registered. So these tests do what a SIGKILL between two steps does: at the
//! step that was chosen the call never goes on, and its thread ends. Kills inside of a step, asleep
//! ones among them, are left to the storm in `survives.rs`.

#[expect(dead_code, reason = "what it records is for other tests")]
mod recorder;

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::sync::mpsc::{self, Receiver};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use midput_real::os::linux::{Linux, Mapping};
use midput_real::os::shared::{CellId, Change, Seen, SharedMemory, Slept};
use midput_real::os::{Exported, Site, Wait};
use midput_real::robust::Queue;
use midput_real::{Timeout, block_on, codec::Postcard};

use recorder::Recorder;

/// Reached only where somebody sleeps for ever.
const LONG: Duration = Duration::from_secs(20);
/// Enough for a thread to fall asleep. Where it was not, that run shows less, and fails not.
const FALL_ASLEEP: Duration = Duration::from_millis(4);

thread_local! {
    /// How many steps this thread does before it ends; none if it goes on.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// The steps that it did.
    static STEPS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// One step: the call ends here for good if it is the thread's last.
async fn step(site: Site) {
    match LEFT.get() {
        Some(0) => pending().await,
        Some(left) => LEFT.set(Some(left - 1)),
        None => {}
    }
    STEPS.with_borrow_mut(|steps| steps.push(site.name));
}

impl SharedMemory for Recorder {
    type Mapping = Mapping;

    fn share(&self, cells: u16, bytes: usize) -> io::Result<Mapping> {
        Linux.share(cells, bytes)
    }

    fn export_mapping(&self, mapping: &Mapping) -> Exported {
        Linux.export_mapping(mapping)
    }

    fn import_mapping(&self, exported: Exported) -> io::Result<Mapping> {
        Linux.import_mapping(exported)
    }

    fn cells(&self, mapping: &Mapping) -> u16 {
        Linux.cells(mapping)
    }

    fn ring_bytes(&self, mapping: &Mapping) -> usize {
        Linux.ring_bytes(mapping)
    }

    fn thread(&self) -> u32 {
        Linux.thread()
    }

    async fn load(&self, mapping: &Mapping, cell: CellId, site: Site) -> u32 {
        step(site).await;
        Linux.load(mapping, cell, site).await
    }

    async fn compare_exchange(
        &self,
        mapping: &Mapping,
        seen: Seen,
        new: u32,
        site: Site,
    ) -> Result<(), u32> {
        step(site).await;
        Linux.compare_exchange(mapping, seen, new, site).await
    }

    async fn change(&self, mapping: &Mapping, cell: CellId, change: Change, site: Site) -> u32 {
        step(site).await;
        Linux.change(mapping, cell, change, site).await
    }

    async fn load_value(&self, mapping: &Mapping, cell: CellId, site: Site) -> u64 {
        step(site).await;
        Linux.load_value(mapping, cell, site).await
    }

    async fn store_value(&self, mapping: &Mapping, cell: CellId, value: u64, site: Site) {
        step(site).await;
        Linux.store_value(mapping, cell, value, site).await;
    }

    fn own_value(&self, mapping: &Mapping, cell: CellId) -> u64 {
        Linux.own_value(mapping, cell)
    }

    fn note(&self, mapping: &Mapping, cell: CellId) -> u64 {
        Linux.note(mapping, cell)
    }

    fn set_note(&self, mapping: &Mapping, cell: CellId, note: u64) {
        Linux.set_note(mapping, cell, note);
    }

    async fn copy_in(
        &self,
        mapping: &Mapping,
        place: u64,
        header: u64,
        bytes: &[u8],
        site: Site,
    ) -> io::Result<()> {
        step(site).await;
        Linux.copy_in(mapping, place, header, bytes, site).await
    }

    fn header(&self, mapping: &Mapping, place: u64) -> u64 {
        Linux.header(mapping, place)
    }

    async fn copy_out(
        &self,
        mapping: &Mapping,
        place: u64,
        length: usize,
        bytes: &mut Vec<u8>,
        site: Site,
    ) -> io::Result<()> {
        step(site).await;
        Linux.copy_out(mapping, place, length, bytes, site).await
    }

    async fn sleep(
        &self,
        mapping: &Mapping,
        seen: &[Seen],
        wait: Wait,
        site: Site,
    ) -> io::Result<Slept> {
        step(site).await;
        Linux.sleep(mapping, seen, wait, site).await
    }

    async fn wake(&self, mapping: &Mapping, cell: CellId, site: Site) -> io::Result<()> {
        step(site).await;
        Linux.wake(mapping, cell, site).await
    }

    async fn register(&self, mapping: &Mapping, cell: CellId, site: Site) {
        step(site).await;
        Linux.register(mapping, cell, site).await;
    }

    async fn forget(&self, site: Site) {
        step(site).await;
        Linux.forget(site).await;
    }

    async fn enlist(&self, mapping: &Mapping, cell: CellId, site: Site) {
        step(site).await;
        Linux.enlist(mapping, cell, site).await;
    }

    async fn delist(&self, mapping: &Mapping, cell: CellId, site: Site) {
        step(site).await;
        Linux.delist(mapping, cell, site).await;
    }

    async fn own_for_life(&self, mapping: &Mapping, cell: CellId, site: Site) -> io::Result<bool> {
        Linux.own_for_life(mapping, cell, site).await
    }

    async fn end_life(&self, mapping: &Mapping, cell: CellId, site: Site) -> io::Result<()> {
        Linux.end_life(mapping, cell, site).await
    }
}

type Items = Queue<u64, Postcard, Recorder>;

/// A queue for one item.
fn one_slot() -> Items {
    Queue::with_ring(1, 1 << 16).unwrap()
}

/// A call in a thread of its own.
struct Call(Receiver<Option<u64>>);

impl Call {
    /// A survivor's; it is asleep by then, if it has to wait.
    fn begin(queue: &Items, call: fn(&Items) -> Option<u64>) -> Self {
        let (send, receive) = mpsc::channel();
        let queue = queue.clone();
        std::thread::spawn(move || send.send(call(&queue)));
        std::thread::sleep(FALL_ASLEEP);
        Self(receive)
    }

    /// What it returned. It must return.
    fn end(self, what: &str) -> Option<u64> {
        self.0.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what}: it sleeps for ever"))
    }
}

/// A call whose thread ends after so many steps; then whether it returned before.
struct Victim(std::thread::JoinHandle<bool>);

impl Victim {
    fn begin(queue: &Items, put: Option<u64>, steps: usize) -> Self {
        let queue = queue.clone();
        Self(std::thread::spawn(move || {
            LEFT.set(Some(steps));
            let call = async {
                match put {
                    Some(item) => queue.put(item, Timeout::Never).await.unwrap(),
                    None => drop(queue.get(Timeout::Never).await.unwrap()),
                }
            };
            let mut call = Box::pin(call);
            call.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
        }))
    }

    /// Waits until its thread has ended, and the kernel has done its part.
    fn end(self) -> bool {
        self.0.join().unwrap()
    }
}

fn put(queue: &Items, item: u64) {
    block_on(queue.put(item, Timeout::After(LONG))).unwrap();
}

fn get(queue: &Items) -> u64 {
    block_on(queue.get(Timeout::After(LONG))).unwrap()
}

fn count(queue: &Items) -> usize {
    block_on(queue.qsize()).unwrap()
}

/// Ends the victim after 0, 1, 2, … steps, until one returns; answers how many steps it did.
fn at_each_step(run: impl Fn(usize) -> bool) -> usize {
    (0..1000).find(|&steps| run(steps)).expect("a call has fewer steps")
}

#[test]
fn a_put_that_ends_wakes_who_waits_for_it() {
    let steps = at_each_step(|steps| {
        let what = format!("a put that ends after {steps} steps");
        let queue = one_slot();
        let survivor = Call::begin(&queue, |queue| Some(get(queue)));
        let returned = Victim::begin(&queue, Some(1), steps).end();
        // What was committed has woken the survivor; if nothing was, the next put does.
        let first = if returned || count(&queue) == 1 {
            survivor.end(&what)
        } else {
            put(&queue, 2);
            survivor.end(&what)
        };
        // It may have taken it before we looked: then ours is still there.
        if count(&queue) == 1 {
            assert_eq!((first, get(&queue)), (Some(1), 2), "{what}");
        }
        put(&queue, 3);
        assert_eq!(get(&queue), 3, "{what}");
        returned
    });
    assert!(steps >= 15, "{steps}: so many has it where nobody sleeps");
}

#[test]
fn a_get_that_ends_makes_room_for_who_waits_for_it() {
    let steps = at_each_step(|steps| {
        let what = format!("a get that ends after {steps} steps");
        let queue = one_slot();
        put(&queue, 1);
        let survivor = Call::begin(&queue, |queue| {
            put(queue, 2);
            None
        });
        let returned = Victim::begin(&queue, None, steps).end();
        // Where the victim has taken the item, the survivor puts its own by itself.
        let mut got = get(&queue);
        if got == 1 {
            assert!(!returned, "{what}: what it returned is there");
            got = get(&queue);
        }
        assert_eq!(got, 2, "{what}");
        survivor.end(&what);
        put(&queue, 3);
        assert_eq!(get(&queue), 3, "{what}");
        returned
    });
    assert!(steps >= 15, "{steps}: so many has it where nobody sleeps");
}

/// The front writer sleeps for space; the victim sleeps for its lock, and a third behind it.
#[test]
fn a_put_that_ends_in_the_line_passes_the_lock_on() {
    let steps = at_each_step(|steps| {
        let what = format!("a put in the line that ends after {steps} steps");
        let queue = one_slot();
        put(&queue, 1);
        let call = |queue: &Items| {
            put(queue, 2);
            None
        };
        let front = Call::begin(&queue, call);
        let victim = Victim::begin(&queue, Some(9), steps);
        std::thread::sleep(FALL_ASLEEP);
        let behind = Call::begin(&queue, call);
        assert_eq!(get(&queue), 1);
        // Two survivors' items come, whatever the victim does.
        let mut victims = 0;
        for _ in 0..2 {
            if get(&queue) == 9 {
                victims += 1;
                assert_eq!(get(&queue), 2, "{what}");
            }
        }
        front.end(&what);
        behind.end(&what);
        let left = count(&queue);
        let returned = if left == 1 { get(&queue) == 9 && victim.end() } else { victim.end() };
        assert!(victims <= 1 && count(&queue) == 0, "{what}");
        returned
    });
    assert!(steps >= 15, "{steps}: so many has it where nobody sleeps");
}

/// The front reader sleeps for an item; the victim sleeps for its lock, and a third behind it.
#[test]
fn a_get_that_ends_in_the_line_passes_the_lock_on() {
    let steps = at_each_step(|steps| {
        let what = format!("a get in the line that ends after {steps} steps");
        let queue = Items::with_ring(0, 1 << 16).unwrap();
        let call = |queue: &Items| Some(get(queue));
        let front = Call::begin(&queue, call);
        let victim = Victim::begin(&queue, None, steps);
        std::thread::sleep(FALL_ASLEEP);
        let behind = Call::begin(&queue, call);
        // One for each, if the victim takes one.
        (0..3).for_each(|item| put(&queue, item));
        let mut got = [front.end(&what), behind.end(&what)].map(Option::unwrap);
        let returned = victim.end();
        got.sort_unstable();
        let left = count(&queue);
        assert!(got[0] < got[1] && left <= 1 && !(returned && left == 1), "{what}");
        if left == 1 {
            assert_eq!((got, get(&queue)), ([0, 1], 2), "{what}: the victim took nothing");
        }
        returned
    });
    assert!(steps >= 15, "{steps}: so many has it where nobody sleeps");
}

/// What docs/robust.md goes through.
#[test]
fn a_call_without_contention_has_these_steps() {
    let queue = one_slot();
    let steps = |call: &dyn Fn()| {
        STEPS.take();
        call();
        STEPS.take().join(" ")
    };
    let lock = "lock.register lock.look lock.take lock.enlist lock.forget";
    let commit = "event.register event.sign commit event.clear event.forget";
    let unlock = "unlock.register unlock.delist unlock.release unlock.forget";
    // A put knows of room, as the memory was empty when it was made; a get has to look.
    assert_eq!(steps(&|| put(&queue, 1)), format!("{lock} copy {commit} {unlock}"));
    assert_eq!(
        steps(&|| {
            get(&queue);
        }),
        format!("{lock} look copy {commit} {unlock}")
    );
}
