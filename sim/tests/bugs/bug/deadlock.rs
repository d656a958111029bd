//! Locks that are taken in different orders.

use super::{Bug, Gate, Scene, join, start, work};

pub(super) const PHILOSOPHERS: Bug = Bug {
    name: "philosophers",
    wrong: "four at a table all take the fork at their left, and wait for the one at their right",
    depth: 2,
    main: |scene| Box::pin(philosophers(scene)),
};

async fn philosophers(scene: Scene) {
    let forks = [Gate::new(1), Gate::new(1), Gate::new(1), Gate::new(1)];
    let mut seats = Vec::new();
    for (seat, name) in ["A", "B", "C", "D"].into_iter().enumerate() {
        let (left, right) = (forks[seat], forks[(seat + 1) % 4]);
        // The right version has one who takes them the other way round.
        let (left, right) = if scene.right && seat == 3 { (right, left) } else { (left, right) };
        let eats = async move {
            work(2).await;
            both(left, right).await;
        };
        seats.push(start(name, eats).await);
    }
    join(seats).await;
}

async fn both(first: Gate, second: Gate) {
    first.take("first.take").await;
    second.take("second.take").await;
    second.give("second.give").await;
    first.give("first.give").await;
}
