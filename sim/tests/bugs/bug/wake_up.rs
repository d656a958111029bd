//! Who sleeps, and who is to wake them.

use midput_real::os::{Os, Site};
use midput_sim::kernel::SimulatedOs;

use super::{Bug, Monitor, Scene, Shared, join, start, work};

async fn lock(monitor: &Monitor) {
    SimulatedOs.monitor_lock(monitor, Site::new("lock")).await;
}

async fn unlock(monitor: &Monitor) {
    SimulatedOs.monitor_unlock(monitor, Site::new("unlock")).await;
}

async fn sleep(monitor: &Monitor) {
    SimulatedOs.monitor_wait(monitor, Site::new("sleep"), Site::new("wake")).await;
}

async fn notify(monitor: &Monitor) {
    SimulatedOs.monitor_notify(monitor, Site::new("notify")).await;
}

pub(super) const LOST_WAKE_UP: Bug = Bug {
    name: "lost wake-up",
    wrong: "producers and consumers sleep in one condition, and a notification wakes one of the \
            wrong kind",
    depth: 2,
    main: |scene| Box::pin(lost_wake_up(scene)),
};

/// A queue of one slot, two producers of two items each, and the main lane as consumer.
async fn lost_wake_up(scene: Scene) {
    let (monitor, items) = (SimulatedOs.monitor(), Shared::default());
    // The right version wakes everybody.
    let wakes = if scene.right { 3 } else { 1 };
    let mut producers = Vec::new();
    for name in ["A", "B"] {
        let items = items.clone();
        let produce = async move {
            for _ in 0..2 {
                change(&monitor, &items, 1, 0, wakes).await;
            }
        };
        producers.push(start(name, produce).await);
    }
    for _ in 0..4 {
        change(&monitor, &items, 0, 1, wakes).await;
    }
    join(producers).await;
}

/// Sleeps until there are `from` items, and makes it `to`.
async fn change(monitor: &Monitor, items: &Shared, to: u32, from: u32, wakes: u32) {
    use std::sync::atomic::Ordering::Relaxed;
    lock(monitor).await;
    while items.0.load(Relaxed) != from {
        sleep(monitor).await;
    }
    items.0.store(to, Relaxed);
    for _ in 0..wakes {
        notify(monitor).await;
    }
    unlock(monitor).await;
}

pub(super) const MISSED_NOTIFY: Bug = Bug {
    name: "missed notify",
    wrong: "a lane looks at the flag before it takes the lock, and sleeps after the notification",
    depth: 2,
    main: |scene| Box::pin(missed_notify(scene)),
};

async fn missed_notify(scene: Scene) {
    let (monitor, flag) = (SimulatedOs.monitor(), Shared::default());
    let sleeper = {
        let (flag, right) = (flag.clone(), scene.right);
        start("sleep", async move {
            work(6).await;
            if right {
                lock(&monitor).await;
            }
            let set = flag.load("flag.look").await == 1;
            if !right {
                lock(&monitor).await;
            }
            if !set {
                sleep(&monitor).await;
            }
            unlock(&monitor).await;
        })
    };
    let sleeper = sleeper.await;
    work(6).await;
    lock(&monitor).await;
    flag.store(1, "flag.set").await;
    notify(&monitor).await;
    unlock(&monitor).await;
    join([sleeper]).await;
}
