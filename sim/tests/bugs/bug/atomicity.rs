//! What must be one step, and is two.

use super::{Bug, Gate, Scene, Shared, join, start, work};

pub(super) const SENTINEL_LOST: Bug = Bug {
    name: "sentinel lost",
    wrong: "who takes the last item sends the sentinel, but the items are counted in two steps",
    depth: 2,
    main: |scene| Box::pin(sentinel_lost(scene)),
};

/// Two consumers take three items each; the main lane waits for the sentinel.
async fn sentinel_lost(scene: Scene) {
    let (left, sentinel) = (Shared::new(6), Gate::new(0));
    let mut consumers = Vec::new();
    for name in ["A", "B"] {
        let (left, right) = (left.clone(), scene.right);
        let consume = async move {
            for _ in 0..3 {
                work(4).await;
                let now = if right {
                    left.decrement("left.decrement").await
                } else {
                    let before = left.load("left.load").await;
                    left.store(before - 1, "left.store").await;
                    before - 1
                };
                if now == 0 {
                    sentinel.give("sentinel.put").await;
                }
            }
        };
        consumers.push(start(name, consume).await);
    }
    sentinel.take("sentinel.get").await;
    join(consumers).await;
}

pub(super) const FOUND_AGAIN: Bug = Bug {
    name: "found again",
    wrong: "who drops the last reference removes the entry in a later step, and in between somebody \
            finds it and uses it",
    depth: 2,
    main: |scene| Box::pin(found_again(scene)),
};

/// An entry of a table with one reference: one lane drops it, the other looks it up and uses it.
/// The right version counts under the table's lock.
async fn found_again(scene: Scene) {
    let (table, lock) = (Entry::default(), Gate::new(1));
    let dropper = {
        let (table, scene) = (table.clone(), scene.clone());
        start("drop", async move {
            work(3).await;
            if scene.right {
                lock.take("lock.take").await;
            }
            let last = table.references.decrement("references.decrement").await == 0;
            if !scene.right {
                lock.take("lock.take").await;
            }
            if last {
                table.listed.store(0, "table.remove").await;
            }
            lock.give("lock.give").await;
            if last {
                table.alive.store(0, "entry.free").await;
            }
        })
    };
    let dropper = dropper.await;
    work(3).await;
    lock.take("lock.take").await;
    let found = table.listed.load("table.look").await == 1;
    if found {
        table.references.increment("references.increment").await;
    }
    lock.give("lock.give").await;
    if found {
        scene.expect(table.alive.load("entry.use").await == 1);
    }
    join([dropper]).await;
}

#[derive(Clone)]
struct Entry {
    listed: Shared,
    alive: Shared,
    references: Shared,
}

impl Default for Entry {
    fn default() -> Self {
        Self { listed: Shared::new(1), alive: Shared::new(1), references: Shared::new(1) }
    }
}
