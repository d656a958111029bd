//! The robust queue between real processes that are killed at random while they use it.
//!
//! This program is its own worker, so that it has a `main` of its own and no test harness. With
//! `kills=20000` as its argument it is a soak run.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use midput_real::robust::{GetError, Queue};
use midput_real::{Process, Timeout, block_on, workers};

/// Reached only where something hangs.
const LONG: Duration = Duration::from_secs(60);
/// Of a run without an argument.
const KILLS: u64 = 300;
const PRODUCERS: usize = 3;
const CONSUMERS: usize = 2;

/// Who put it, the how many-th it is of that producer, and bytes that follow from both.
type Item = (u64, u64, Vec<u8>);

fn bytes_of(producer: u64, number: u64) -> Vec<u8> {
    let length = (producer * 31 + number * 17) % 3000;
    (0..length).map(|at| (producer + number + at) as u8).collect()
}

/// Puts for as long as somebody takes, and notes in a file how many puts have returned: a file's
/// bytes survive the process that wrote them.
fn produce((jobs, producer, path): (Queue<Item>, u64, PathBuf)) {
    let returned = OpenOptions::new().write(true).open(path).unwrap();
    for number in 0.. {
        let item = (producer, number, bytes_of(producer, number));
        if block_on(jobs.put(item, Timeout::After(LONG))).is_err() {
            return;
        }
        returned.write_all_at(&u64::to_le_bytes(number + 1), 0).unwrap();
    }
}

/// Passes on for as long as somebody puts and takes.
fn consume((jobs, results): (Queue<Item>, Queue<Item>)) {
    while let Ok(item) = block_on(jobs.get(Timeout::After(LONG))) {
        if block_on(results.put(item, Timeout::After(LONG))).is_err() {
            return;
        }
    }
}

/// What the storm has seen of one producer.
struct Producer {
    process: Process,
    returned: File,
    /// The numbers that arrived.
    arrived: Vec<u64>,
}

struct Storm {
    folder: tempfile::TempDir,
    jobs: Queue<Item>,
    results: Queue<Item>,
    producers: BTreeMap<u64, Producer>,
    consumers: Vec<Process>,
    /// The producers that are alive.
    alive: Vec<u64>,
    killed_consumers: usize,
    random: u64,
}

/// Also where a check has failed.
impl Drop for Storm {
    fn drop(&mut self) {
        let alive = self.alive.iter().map(|producer| &self.producers[producer].process);
        for process in alive.chain(&self.consumers) {
            let _ = process.kill();
        }
    }
}

impl Storm {
    fn new(maxsize: usize) -> Self {
        let mut storm = Self {
            folder: tempfile::tempdir().unwrap(),
            jobs: Queue::with_ring(maxsize, 1 << 16).unwrap(),
            results: Queue::create(0).unwrap(),
            producers: BTreeMap::new(),
            consumers: Vec::new(),
            alive: Vec::new(),
            killed_consumers: 0,
            random: 0x4d2,
        };
        (0..PRODUCERS).for_each(|_| storm.start_producer());
        (0..CONSUMERS).for_each(|_| storm.start_consumer());
        storm
    }

    fn start_producer(&mut self) {
        let producer = self.producers.len() as u64;
        let path = self.folder.path().join(producer.to_string());
        let open = |path: &Path| {
            OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)
        };
        let returned = open(&path).unwrap();
        returned.write_all_at(&[0; 8], 0).unwrap();
        let process = Process::start(produce, (self.jobs.clone(), producer, path)).unwrap();
        self.producers.insert(producer, Producer { process, returned, arrived: Vec::new() });
        self.alive.push(producer);
    }

    fn start_consumer(&mut self) {
        let queues = (self.jobs.clone(), self.results.clone());
        self.consumers.push(Process::start(consume, queues).unwrap());
    }

    /// A step of xorshift: which one is killed, and when, needs to be no better than this.
    fn draw(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    /// Kills one at random.
    fn kill(&mut self) {
        let chosen = self.draw(self.alive.len() + self.consumers.len());
        let process = match chosen.checked_sub(self.alive.len()) {
            None => self.producers[&self.alive.swap_remove(chosen)].process.clone(),
            Some(consumer) => {
                self.killed_consumers += 1;
                self.consumers.swap_remove(consumer)
            }
        };
        process.kill().unwrap();
        process.join().unwrap();
    }

    /// Takes what arrives for so long; whatever happened, something does.
    fn receive(&mut self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut count = 0;
        while Instant::now() < end || count == 0 {
            let item = block_on(self.results.get(Timeout::After(LONG)));
            self.arrived(item.expect("the survivors go on"));
            count += 1;
        }
        count
    }

    fn arrived(&mut self, (producer, number, bytes): Item) {
        assert_eq!(bytes, bytes_of(producer, number), "{producer}'s {number} is whole");
        self.producers.get_mut(&producer).expect("somebody put it").arrived.push(number);
    }

    /// Ends everybody, and takes what is left.
    fn end(&mut self) {
        while let Some(producer) = self.alive.pop() {
            let process = &self.producers[&producer].process;
            process.kill().unwrap();
            process.join().unwrap();
        }
        while !block_on(self.jobs.empty()).unwrap() {
            self.receive(Duration::ZERO);
        }
        // A consumer that has taken the last one may not have passed it on yet.
        loop {
            match block_on(self.results.get(Timeout::After(Duration::from_millis(500)))) {
                Ok(item) => self.arrived(item),
                Err(GetError::Empty) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for consumer in self.consumers.drain(..) {
            consumer.kill().unwrap();
            consumer.join().unwrap();
        }
    }

    /// None twice; of those whose put had returned, one missing for each killed consumer at most.
    fn judge(&self) -> usize {
        let mut missing = 0;
        for (producer, seen) in &self.producers {
            let mut returned = [0; 8];
            seen.returned.read_exact_at(&mut returned, 0).unwrap();
            let mut numbers = seen.arrived.clone();
            numbers.sort_unstable();
            let count = numbers.len();
            numbers.dedup();
            assert_eq!(numbers.len(), count, "nothing of {producer} arrives twice");
            let returned = u64::from_le_bytes(returned);
            let last = numbers.last().map_or(0, |last| last + 1).max(returned);
            assert!(last <= returned + 1, "{producer} had only begun to put what arrived");
            missing += last as usize - count;
        }
        assert!(
            missing <= self.killed_consumers,
            "{missing} items are missing, and {} consumers were killed",
            self.killed_consumers
        );
        missing
    }
}

fn storm(maxsize: usize, kills: u64) {
    let began = Instant::now();
    let mut storm = Storm::new(maxsize);
    let mut items = storm.receive(Duration::from_millis(50));
    for _ in 0..kills {
        storm.kill();
        while storm.alive.len() < PRODUCERS {
            storm.start_producer();
        }
        while storm.consumers.len() < CONSUMERS {
            storm.start_consumer();
        }
        let time = Duration::from_micros(storm.draw(5000) as u64);
        items += storm.receive(time);
    }
    storm.end();
    let missing = storm.judge();
    println!(
        "maxsize {maxsize}: {kills} kills, {} of them consumers; {items} items and more arrived, \
         {missing} died with their consumer; {:.1} s",
        storm.killed_consumers,
        began.elapsed().as_secs_f64()
    );
}

fn main() {
    let _guard = midput_real::init(workers![produce, consume]);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tests = [("a_storm_of_kills_with_one_slot", 1), ("a_storm_of_kills_in_a_full_ring", 0)];
    if arguments.iter().any(|argument| argument == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let kills = arguments.iter().find_map(|argument| argument.strip_prefix("kills="));
    let kills = kills.map_or(KILLS, |kills| kills.parse().expect("kills= takes a number"));
    let mut others = arguments.iter().filter(|it| !it.starts_with('-') && !it.contains('='));
    let filter = others.next();
    // Where a test has failed, leaving this process would wait for children that go on for ever.
    let limit = LONG * 4 + Duration::from_millis(100) * u32::try_from(kills).unwrap_or(u32::MAX);
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        eprintln!("the tests did not end in {limit:?}");
        std::process::exit(101);
    });
    for (name, maxsize) in tests {
        if filter.is_none_or(|filter| name.contains(filter.as_str())) {
            storm(maxsize, kills);
            println!("test {name} ... ok");
        }
    }
}
