//! Pipes that several lanes use without a lock.

use midput_real::os::{Os, Site, Wait};
use midput_sim::kernel::SimulatedOs;

use super::{Bug, Descriptor, Gate, Scene, join, start, work};

pub(super) const POLLED_BY_TWO: Bug = Bug {
    name: "polled by two",
    wrong: "two readers see that there is a message, and both read it: one waits for ever",
    depth: 2,
    main: |scene| Box::pin(polled_by_two(scene)),
};

async fn polled_by_two(scene: Scene) {
    let (reader, writer) = SimulatedOs.pipe().expect("there are descriptors");
    let lock = Gate::new(1);
    let mut readers = Vec::new();
    for name in ["A", "B"] {
        let right = scene.right;
        let read = async move {
            for _ in 0..3 {
                work(1).await;
                if right {
                    lock.take("lock.take").await;
                }
                let polled = SimulatedOs.poll(&reader, Wait::Try, Site::new("poll")).await;
                if polled.expect("it is open") {
                    let read = SimulatedOs.read(&reader, &mut [0], Site::new("read")).await;
                    assert_eq!(read.expect("it is open"), 1);
                }
                if right {
                    lock.give("lock.give").await;
                }
            }
        };
        readers.push(start(name, read).await);
    }
    for message in 0..2 {
        work(1).await;
        let written = SimulatedOs.write(&writer, &[message], Site::new("write")).await;
        assert_eq!(written.expect("it is open"), 1);
    }
    join(readers).await;
}

pub(super) const FRAMES_MIXED: Bug = Bug {
    name: "frames mixed",
    wrong: "two writers write frames above PIPE_BUF without a lock, and one of them blocks half-way",
    depth: 3,
    main: |scene| Box::pin(frames_mixed(scene)),
};

/// Two frames fill more than half of a pipe.
const FRAME: usize = 24_000;
const FRAMES: [&[u8; FRAME]; 2] = [&[b'a'; FRAME], &[b'b'; FRAME]];

async fn frames_mixed(scene: Scene) {
    let (reader, writer) = SimulatedOs.pipe().expect("there are descriptors");
    let lock = Gate::new(1);
    let mut writers = Vec::new();
    for (name, frame) in ["A", "B"].into_iter().zip(FRAMES) {
        let right = scene.right;
        let write = async move {
            for _ in 0..2 {
                if right {
                    lock.take("lock.take").await;
                }
                let written = SimulatedOs.write(&writer, frame, Site::new("write")).await;
                assert_eq!(written.expect("it is open"), FRAME);
                if right {
                    lock.give("lock.give").await;
                }
            }
        };
        writers.push(start(name, write).await);
    }
    let mut frame = vec![0; FRAME];
    for _ in 0..4 {
        read_frame(&reader, &mut frame).await;
        scene.expect(FRAMES.iter().any(|whole| whole[..] == frame[..]));
    }
    join(writers).await;
}

async fn read_frame(reader: &Descriptor, frame: &mut [u8]) {
    let mut read = 0;
    while read < FRAME {
        let site = Site::new("read").at(read);
        let more = SimulatedOs.read(reader, &mut frame[read..], site).await;
        read += more.expect("it is open");
    }
}
