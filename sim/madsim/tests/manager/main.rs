//! The manager's server and clients over madsim's network: nodes are killed and restarted, links
//! are cut and heal. The code is that of `midput_real`.
#![cfg(madsim)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::mem::discriminant;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::Config;
use madsim::net::NetSim;
use madsim::rand::{Rng, thread_rng};
use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::task::{NodeId, spawn_local};
use madsim::time::sleep;
use midput_real::codec::Bytes;
use midput_real::manager::protocol::QueueId;
use midput_real::manager::{Client, GetError, Key, Limits, ManagerError, PutError, Queue, Server};
use midput_real::os::{Address, Os};
use midput_real::timeout::Timeout;

mod network;

use network::NodeOs;

type TestQueue = Queue<Vec<u8>, NodeOs, Bytes>;

const PRODUCERS: u32 = 2;
const CONSUMERS: u32 = 2;
const ITEMS: u32 = 12;
const BOUND: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(2);
/// The node that gets what is left.
const LAST: u32 = 99;
/// Long after everything has healed.
const LONG: Duration = Duration::from_secs(120);

/// What the clients saw, from outside of their nodes.
#[derive(Default)]
struct Seen {
    /// Puts that were called, by producer: whether each was done, as far as it knows.
    put: BTreeMap<(u32, u32), bool>,
    /// By whom, and what.
    got: Vec<(u32, (u32, u32))>,
    /// Gets that may have taken an item which nobody has: those that were under way when their
    /// node died, and those whose connection broke.
    doubtful: BTreeMap<u32, u32>,
}

type Shared = Arc<Mutex<Seen>>;

fn address() -> SocketAddr {
    SocketAddr::new(ip(1), 7000)
}

fn ip(node: u32) -> IpAddr {
    let [.., last] = node.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

fn key() -> Key {
    Key::new(b"all nodes know it".as_slice())
}

fn limits() -> Limits {
    Limits { patience: PATIENCE, ..Limits::default() }
}

fn queue() -> TestQueue {
    let client = Client::new(NodeOs, Address::Tcp(address()), key(), PATIENCE).unwrap();
    Queue::new(client, QueueId(0))
}

async fn serve() {
    let address = Address::Tcp(address());
    let server = Server::new(NodeOs, &address, key(), limits());
    server.create(BOUND).unwrap();
    let (listener, _) = NodeOs.listen(&address).unwrap();
    // Nobody closes the other end.
    let (lifeline, _kept) = NodeOs.pipe().unwrap();
    server.serve(listener, lifeline).await.unwrap();
}

/// Puts its items, each once: what it does not know of it leaves alone.
async fn produce(producer: u32, seen: Shared) {
    let queue = queue();
    for item in 0..ITEMS {
        // A producer that was restarted goes on where it was.
        if seen.lock().unwrap().put.contains_key(&(producer, item)) {
            continue;
        }
        loop {
            seen.lock().unwrap().put.insert((producer, item), false);
            let payload = [producer.to_be_bytes(), item.to_be_bytes()].concat();
            match queue.put(payload, Timeout::After(Duration::from_secs(5))).await {
                Ok(()) => {
                    seen.lock().unwrap().put.insert((producer, item), true);
                    break;
                }
                // Nothing was sent in these cases.
                Err(PutError::Full(_) | PutError::Manager(ManagerError::Unreachable(_))) => {
                    sleep(Duration::from_millis(100)).await;
                }
                Err(_) => break,
            }
        }
    }
}

async fn consume(consumer: u32, seen: Shared) {
    let queue = queue();
    loop {
        *seen.lock().unwrap().doubtful.entry(consumer).or_default() += 1;
        let got = queue.get(Timeout::After(Duration::from_secs(1))).await;
        let mut seen = seen.lock().unwrap();
        match got {
            Ok(payload) => {
                seen.got.push((consumer, item_of(&payload)));
                *seen.doubtful.entry(consumer).or_default() -= 1;
            }
            Err(GetError::Empty | GetError::Manager(ManagerError::Unreachable(_))) => {
                *seen.doubtful.entry(consumer).or_default() -= 1;
            }
            // The connection broke: it may have been about to bring an item.
            Err(_) => {}
        }
        drop(seen);
        sleep(Duration::from_millis(10)).await;
    }
}

fn item_of(payload: &[u8]) -> (u32, u32) {
    let word = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
    (word(0), word(4))
}

fn start(node: u32, seen: &Shared) -> NodeHandle {
    let seen = Arc::clone(seen);
    let handle = Handle::current();
    // It runs again when the node is restarted.
    let body = move || {
        let seen = Arc::clone(&seen);
        async move {
            let local = match node {
                1 => spawn_local(serve()),
                _ if node < 2 + PRODUCERS => spawn_local(produce(node, seen)),
                _ => spawn_local(consume(node, seen)),
            };
            let _ = local.await;
        }
    };
    handle.create_node().name(format!("node{node}")).ip(ip(node)).init(body).build()
}

/// Kills, restarts, cuts off and slows down clients, and leaves everything healed.
async fn disturb(clients: &[NodeId], server: NodeId) -> u32 {
    let (handle, net) = (Handle::current(), NetSim::current());
    let mut deeds = 0;
    for _ in 0..thread_rng().gen_range(3..8) {
        sleep(Duration::from_millis(thread_rng().gen_range(0..800))).await;
        let node = clients[thread_rng().gen_range(0..clients.len())];
        deeds += 1;
        match thread_rng().gen_range(0..4) {
            0 => {
                handle.kill(node);
                sleep(Duration::from_millis(thread_rng().gen_range(0..3000))).await;
                handle.restart(node);
            }
            1 => {
                net.clog_link(node, server);
                sleep(Duration::from_millis(thread_rng().gen_range(0..4000))).await;
                net.unclog_link(node, server);
            }
            2 => {
                net.clog_link(server, node);
                sleep(Duration::from_millis(thread_rng().gen_range(0..4000))).await;
                net.unclog_link(server, node);
            }
            _ => {
                let slow = Duration::from_millis(thread_rng().gen_range(1..500));
                net.update_config(|config| config.send_latency = slow..2 * slow);
                sleep(Duration::from_millis(thread_rng().gen_range(0..2000))).await;
                let usual = Config::default().net.send_latency;
                net.update_config(|config| config.send_latency = usual.clone());
            }
        }
    }
    deeds
}

/// One run. What is left is got at the end, by somebody whom nothing has happened to.
fn run(seed: u64) -> (Seen, u32) {
    Runtime::with_seed_and_config(seed, Config::default()).block_on(async {
        let seen = Shared::default();
        let nodes: Vec<_> =
            (1..2 + PRODUCERS + CONSUMERS).map(|node| start(node, &seen).id()).collect();
        let deeds = disturb(&nodes[1..], nodes[0]).await;
        sleep(LONG).await;
        for &node in &nodes[1..] {
            Handle::current().kill(node);
        }
        sleep(2 * PATIENCE).await;
        let last = Handle::current().create_node().name("last").ip(ip(LAST)).build();
        let rest = Arc::clone(&seen);
        let drain = last.spawn(async move {
            let queue = spawn_local(async move {
                let queue = queue();
                while let Ok(payload) = queue.get(Timeout::NoWait).await {
                    rest.lock().unwrap().got.push((LAST, item_of(&payload)));
                }
                assert_eq!(queue.qsize().await.unwrap(), 0);
            });
            queue.await.unwrap();
        });
        drain.await.unwrap();
        Handle::current().kill(nodes[0]);
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        (seen, deeds)
    })
}

fn runs(check: impl Fn(u64, &Seen)) -> u32 {
    let mut deeds = 0;
    for seed in 0..60 {
        // madsim wants a thread of its own for each runtime, and what is drawn is the seed's.
        let (seen, done) = std::thread::spawn(move || run(seed)).join().unwrap();
        check(seed, &seen);
        deeds += done;
    }
    deeds
}

#[test]
fn clients_may_die_and_be_cut_off() {
    let (all, all_doubtful) = (Cell::new(0), Cell::new(0));
    let deeds = runs(|seed, seen| {
        let different: BTreeSet<_> = seen.got.iter().map(|(_, item)| *item).collect();
        assert_eq!(different.len(), seen.got.len(), "seed {seed}: an item was got twice (G1)");
        assert!(different.iter().all(|item| seen.put.contains_key(item)), "seed {seed}: no item");
        let mut latest = BTreeMap::new();
        for (consumer, item) in seen.got.iter().filter(|(_, item)| seen.put[item]) {
            let before = latest.insert((*consumer, item.0), item.1);
            assert!(before < Some(item.1), "seed {seed}: {item:?} was overtaken (G2)");
        }
        let lost = seen.put.iter().filter(|(item, done)| **done && !different.contains(item));
        let (lost, doubtful) = (lost.count(), seen.doubtful.values().sum::<u32>());
        assert!(lost <= doubtful as usize, "seed {seed}: {lost} lost, {doubtful} in doubt (G5)");
        assert_eq!(seen.put.len(), (PRODUCERS * ITEMS) as usize, "seed {seed}: a put hangs (G6)");
        all.set(all.get() + seen.got.len());
        // Each consumer is in a get when its node is killed at the end.
        all_doubtful.set(all_doubtful.get() + doubtful.saturating_sub(CONSUMERS));
    });
    let (all, doubtful) = (all.get(), all_doubtful.get());
    assert!(deeds > 200 && doubtful > 20, "{deeds} things happened, {doubtful} gets in doubt");
    let put = 60 * (PRODUCERS * ITEMS) as usize;
    assert!(all > put - put / 10, "{all} items of {put} were got");
}

/// A call that waits ends when its server dies, and the next one finds the server that was started
/// in its place, with a queue that is empty.
#[test]
fn a_server_may_die_and_be_started_again() {
    let run = |seed| {
        Runtime::with_seed_and_config(seed, Config::default()).block_on(async {
            let seen = Shared::default();
            let server = start(1, &seen).id();
            let client = Handle::current().create_node().name("client").ip(ip(LAST)).build();
            let told = client.spawn(async move {
                let calls = spawn_local(async {
                    sleep(Duration::from_secs(1)).await;
                    let queue = queue();
                    let cut_off = queue.get(Timeout::Never).await;
                    let ended = matches!(cut_off, Err(GetError::Manager(ManagerError::Ended)));
                    assert!(ended, "{cut_off:?}");
                    let nobody = queue.put(vec![1], Timeout::Never).await;
                    let unreachable = ManagerError::Unreachable(ErrorKind::Other.into());
                    let PutError::Manager(nobody) = nobody.unwrap_err() else { panic!("full") };
                    assert_eq!(discriminant(&nobody), discriminant(&unreachable), "{nobody:?}");
                    sleep(Duration::from_secs(10)).await;
                    queue.put(vec![2], Timeout::Never).await.unwrap();
                    assert_eq!(queue.get(Timeout::Never).await.unwrap(), [2]);
                    assert!(queue.empty().await.unwrap());
                });
                calls.await.unwrap();
            });
            sleep(Duration::from_secs(5)).await;
            Handle::current().kill(server);
            sleep(Duration::from_secs(5)).await;
            Handle::current().restart(server);
            told.await.unwrap();
            Handle::current().kill(server);
        });
    };
    for seed in 0..20 {
        std::thread::spawn(move || run(seed)).join().unwrap();
    }
}
