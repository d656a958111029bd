//! Who is inside while another one is.

use super::{Bug, Gate, Scene, Shared, join, start, work};

pub(super) const BOTH_INSIDE: Bug = Bug {
    name: "both inside",
    wrong: "two lanes keep each other out by Peterson's algorithm, but give way before they say \
            that they want in",
    depth: 3,
    main: |scene| Box::pin(both_inside(scene)),
};

async fn both_inside(scene: Scene) {
    let (wants, turn, inside): ([Shared; 2], Shared, Shared) = Default::default();
    let other = {
        let (wants, turn, inside, scene) =
            (wants.clone(), turn.clone(), inside.clone(), scene.clone());
        start("B", async move { enter(1, &wants, &turn, &inside, &scene).await })
    };
    let other = other.await;
    enter(0, &wants, &turn, &inside, &scene).await;
    join([other]).await;
}

/// Tries three times to come in, and goes away where the other one is first.
async fn enter(own: usize, wants: &[Shared; 2], turn: &Shared, inside: &Shared, scene: &Scene) {
    let other = 1 - own;
    for _ in 0..3 {
        work(1).await;
        if scene.right {
            wants[own].store(1, "wants.store").await;
            turn.store(other as u32, "turn.store").await;
        } else {
            turn.store(other as u32, "turn.store").await;
            wants[own].store(1, "wants.store").await;
        }
        let wanted = wants[other].load("wants.look").await == 1;
        if !wanted || turn.load("turn.look").await == own as u32 {
            scene.expect(inside.increment("enter").await == 1);
            inside.decrement("leave").await;
        }
        wants[own].store(0, "wants.clear").await;
    }
}

pub(super) const READER_OVERTAKES: Bug = Bug {
    name: "reader overtakes",
    wrong: "the first reader counts itself before it has the room, so that the second walks in \
            while a writer is inside",
    depth: 2,
    main: |scene| Box::pin(reader_overtakes(scene)),
};

/// The first reader takes the room for all readers, the last gives it back; a writer takes it for
/// itself.
async fn reader_overtakes(scene: Scene) {
    let (room, counting, readers) = (Gate::new(1), Gate::new(1), Shared::default());
    let halves = (Shared::default(), Shared::default());
    let mut lanes = Vec::new();
    for name in ["A", "B"] {
        let (readers, halves, scene) = (readers.clone(), halves.clone(), scene.clone());
        let read = async move {
            work(2).await;
            counting.take("counting.take").await;
            let first = readers.increment("readers.increment").await == 1;
            if !scene.right {
                counting.give("counting.give").await;
            }
            if first {
                room.take("room.take").await;
            }
            if scene.right {
                counting.give("counting.give").await;
            }
            let one = halves.0.load("one.load").await;
            scene.expect(one == halves.1.load("other.load").await);
            counting.take("counting.take").await;
            if readers.decrement("readers.decrement").await == 0 {
                room.give("room.give").await;
            }
            counting.give("counting.give").await;
        };
        lanes.push(start(name, read).await);
    }
    for value in 1..3 {
        work(2).await;
        room.take("room.take").await;
        halves.0.store(value, "one.store").await;
        halves.1.store(value, "other.store").await;
        room.give("room.give").await;
    }
    join(lanes).await;
}
