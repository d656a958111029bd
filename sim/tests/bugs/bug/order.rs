//! What must come first, and need not.

use super::{Bug, Gate, Scene, Shared, join, start, work};

pub(super) const USED_BEFORE_MADE: Bug = Bug {
    name: "used before made",
    wrong: "a lane is started before the table is made that it looks into once it is ready",
    depth: 1,
    main: |scene| Box::pin(used_before_made(scene)),
};

async fn used_before_made(scene: Scene) {
    let (table, verdict) = (Shared::default(), scene.clone());
    if scene.right {
        table.store(1, "table.make").await;
    }
    let user = {
        let table = table.clone();
        start("use", async move {
            work(10).await;
            verdict.expect(table.load("table.look").await == 1);
        })
    };
    let user = user.await;
    work(2).await;
    if !scene.right {
        table.store(1, "table.make").await;
    }
    join([user]).await;
}

pub(super) const PUBLISHED_TOO_SOON: Bug = Bug {
    name: "published too soon",
    wrong: "a double-checked initialisation says that it is done before the value is there",
    depth: 2,
    main: |scene| Box::pin(published_too_soon(scene)),
};

async fn published_too_soon(scene: Scene) {
    let (done, value, lock) = (Shared::default(), Shared::default(), Gate::new(1));
    let mut users = Vec::new();
    for name in ["A", "B", "C"] {
        let (done, value, scene) = (done.clone(), value.clone(), scene.clone());
        users.push(
            start(name, async move {
                work(3).await;
                if done.load("done.look").await == 0 {
                    lock.take("lock.take").await;
                    if done.load("done.again").await == 0 {
                        let (first, second) =
                            if scene.right { (&value, &done) } else { (&done, &value) };
                        first.store(1, "first.store").await;
                        second.store(1, "second.store").await;
                    }
                    lock.give("lock.give").await;
                }
                scene.expect(value.load("value.use").await == 1);
            })
            .await,
        );
    }
    join(users).await;
}
