//! A free list without a lock.

use super::{Bug, Scene, Shared, join, start, work};

pub(super) const TAKEN_TWICE: Bug = Bug {
    name: "slot taken twice",
    wrong: "a free list compares only its head: slot 1 is at the head again, but what was behind it \
            is in use (ABA)",
    depth: 3,
    main: |scene| Box::pin(taken_twice(scene)),
};

const SLOTS: usize = 3;

/// Slots are numbered from 1; 0 is none. The right version counts in the head's upper bits how
/// often it was changed.
#[derive(Clone)]
struct FreeList {
    head: Shared,
    next: [Shared; SLOTS + 1],
    owned: [Shared; SLOTS + 1],
    scene: Scene,
}

impl FreeList {
    fn new(scene: Scene) -> Self {
        let next = std::array::from_fn(|slot| Shared::new(((slot + 1) % (SLOTS + 1)) as u32));
        Self { head: Shared::new(1), next, owned: Default::default(), scene }
    }

    fn changed(&self, head: u32, slot: u32) -> u32 {
        if self.scene.right { (head & !0xff) + 0x100 + slot } else { slot }
    }

    async fn take(&self) -> u32 {
        loop {
            let head = self.head.load("head.load").await;
            let slot = head & 0xff;
            if slot == 0 {
                return 0;
            }
            let behind = self.next[slot as usize].load("next.load").await;
            if self.head.swap(head, self.changed(head, behind), "head.swap").await {
                let owners = self.owned[slot as usize].increment("owner.enters").await;
                self.scene.expect(owners == 1);
                return slot;
            }
        }
    }

    async fn give(&self, slot: u32) {
        if slot == 0 {
            return;
        }
        self.owned[slot as usize].decrement("owner.leaves").await;
        loop {
            let head = self.head.load("head.load").await;
            self.next[slot as usize].store(head & 0xff, "next.store").await;
            if self.head.swap(head, self.changed(head, slot), "head.swap").await {
                return;
            }
        }
    }
}

async fn taken_twice(scene: Scene) {
    let list = FreeList::new(scene);
    let other = list.clone();
    let lane = start("B", async move {
        let (first, second) = (other.take().await, other.take().await);
        other.give(first).await;
        work(1).await;
        other.give(second).await;
    });
    let lane = lane.await;
    let (first, second) = (list.take().await, list.take().await);
    list.give(second).await;
    list.give(first).await;
    join([lane]).await;
}
