//! Lanes as madsim's tasks, processes as its nodes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use madsim::task::{JoinHandle, spawn_local, yield_now};
use midput_model::program::{LaneId, ProcessId};
use midput_sim::host::Alternative;
use midput_sim::kernel::{Kernel, LaneFuture, with_kernel};

/// So many polls are more than enough for madsim to drop the futures of killed nodes.
const POLLS_TO_DROP: u32 = 10_000;

thread_local! {
    /// A body on its way to its node: it is not `Send`, as what a node takes must be.
    static ON_ITS_WAY: RefCell<Option<LaneTask>> = const { RefCell::new(None) };
}

/// What the main task and the others tell each other.
#[derive(Default)]
struct Floor {
    /// The lane that goes on when its task is polled.
    turn: Option<LaneId>,
    /// Whether the lane that had the turn last has ended.
    ended: bool,
    /// Whether whoever is polled may say what happens next.
    open: bool,
    /// How often it was opened.
    opened: u64,
    /// What the first of them said.
    offered: Option<Alternative>,
    main: Option<Waker>,
    /// Who waits for a turn, or for the floor to be open: lanes first, then [volunteers](Volunteer).
    waiting: BTreeMap<usize, Waker>,
}

impl Floor {
    fn offer(&mut self, alternative: Alternative) {
        self.open = false;
        self.offered = Some(alternative);
        self.wake_main();
    }

    fn wake_main(&mut self) {
        if let Some(main) = self.main.take() {
            main.wake();
        }
    }
}

type SharedFloor = Rc<RefCell<Floor>>;

/// A lane: it takes its turn, and where the floor is open and its step can be done it offers itself.
struct LaneTask {
    lane: LaneId,
    body: LaneFuture,
    floor: SharedFloor,
}

impl Future for LaneTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let LaneTask { lane, body, floor } = self.get_mut();
        if floor.borrow().turn == Some(*lane) {
            let ended = body.as_mut().poll(context).is_ready();
            let mut floor = floor.borrow_mut();
            floor.turn = None;
            floor.ended = ended;
            floor.wake_main();
            if ended {
                return Poll::Ready(());
            }
        }
        let mut floor = floor.borrow_mut();
        if floor.open && with_kernel(|kernel| kernel.enabled()) & (1 << lane.0) != 0 {
            floor.offer(Alternative::Lane(*lane));
        }
        floor.waiting.insert(usize::from(lane.0), context.waker().clone());
        Poll::Pending
    }
}

/// A task of nobody's, which offers something beside the lanes' steps whenever `wants` says so.
struct Volunteer<W> {
    number: usize,
    wants: W,
    floor: SharedFloor,
}

impl<W: FnMut(&Kernel, u64) -> Option<Alternative> + Unpin> Future for Volunteer<W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Volunteer { number, wants, floor } = self.get_mut();
        let mut floor = floor.borrow_mut();
        if floor.open
            && let Some(alternative) = with_kernel(|kernel| wants(kernel, floor.opened))
        {
            floor.offer(alternative);
        }
        floor.waiting.insert(*number, context.waker().clone());
        Poll::Pending
    }
}

/// The lanes and processes of one run, seen from the main task.
pub(crate) struct Lanes {
    madsim: Handle,
    /// By process, once it was started.
    nodes: BTreeMap<u8, NodeHandle>,
    floor: SharedFloor,
    volunteers: Vec<JoinHandle<()>>,
}

impl Lanes {
    /// Nobody yet. Inside a runtime of madsim.
    pub(crate) fn new() -> Self {
        Self {
            madsim: Handle::current(),
            nodes: BTreeMap::new(),
            floor: SharedFloor::default(),
            volunteers: Vec::new(),
        }
    }

    /// Starts a lane on the node of its process. It comes to its first step; or it has ended, which
    /// is the answer.
    pub(crate) async fn start(&mut self, lane: LaneId, body: LaneFuture) -> bool {
        let (process, name) = with_kernel(|kernel| {
            let process = kernel.process_of(lane);
            (process.0, kernel.process_name(process).to_owned())
        });
        let madsim = &self.madsim;
        let node =
            self.nodes.entry(process).or_insert_with(|| madsim.create_node().name(name).build());
        self.floor.borrow_mut().turn = Some(lane);
        ON_ITS_WAY.set(Some(LaneTask { lane, body, floor: Rc::clone(&self.floor) }));
        node.spawn(async {
            if let Some(task) = ON_ITS_WAY.take() {
                spawn_local(task);
            }
        });
        self.turn_is_over().await
    }

    /// Lets a lane do its step and come to its next; or it has ended, which is the answer.
    pub(crate) async fn step(&self, lane: LaneId) -> bool {
        let waiting = {
            let mut floor = self.floor.borrow_mut();
            floor.turn = Some(lane);
            floor.waiting.remove(&usize::from(lane.0))
        };
        waiting.expect("a lane that is let waits for it").wake();
        self.turn_is_over().await
    }

    fn turn_is_over(&self) -> impl Future<Output = bool> {
        poll_fn(|context| {
            let mut floor = self.floor.borrow_mut();
            if floor.turn.is_none() {
                return Poll::Ready(floor.ended);
            }
            floor.main = Some(context.waker().clone());
            Poll::Pending
        })
    }

    /// Opens the floor, and says what the first task that madsim ran and that had something to do
    /// wants to happen. `None` where nobody had: time passes in madsim only when nothing is ready.
    pub(crate) async fn offer(&self) -> Option<Alternative> {
        let waiting = {
            let mut floor = self.floor.borrow_mut();
            floor.open = true;
            floor.opened += 1;
            std::mem::take(&mut floor.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
        let mut time_passes = pin!(madsim::time::sleep(Duration::from_millis(1)));
        poll_fn(|context| {
            let mut floor = self.floor.borrow_mut();
            if let Some(offered) = floor.offered.take() {
                return Poll::Ready(Some(offered));
            }
            floor.main = Some(context.waker().clone());
            let passed = time_passes.as_mut().poll(context);
            floor.open = passed.is_pending();
            passed.map(|()| None)
        })
        .await
    }

    /// Adds a task that offers what `wants` says of the kernel after so many steps.
    pub(crate) fn volunteer(
        &mut self,
        wants: impl FnMut(&Kernel, u64) -> Option<Alternative> + Unpin + 'static,
    ) {
        // The kernel's sets of lanes have 64 bits.
        let number = 64 + self.volunteers.len();
        let volunteer = Volunteer { number, wants, floor: Rc::clone(&self.floor) };
        self.volunteers.push(spawn_local(volunteer));
    }

    /// Kills the nodes of the processes that the kernel has marked dead.
    pub(crate) fn kill_the_dead(&mut self) {
        with_kernel(|kernel| {
            self.nodes.retain(|&process, node| {
                let alive = kernel.process_state(ProcessId(process)).exit().is_none();
                if !alive {
                    self.madsim.kill(node.id());
                }
                alive
            });
        });
    }

    /// Kills whoever is left and waits until all futures are dropped: a runtime that ends before
    /// leaks them (madsim #242).
    pub(crate) async fn end(self) {
        for node in self.nodes.values() {
            self.madsim.kill(node.id());
        }
        self.volunteers.iter().for_each(JoinHandle::abort);
        for _ in 0..POLLS_TO_DROP {
            if Rc::strong_count(&self.floor) == 1 {
                return;
            }
            yield_now().await;
        }
        panic!("madsim has not dropped the futures of the nodes that were killed");
    }
}
