//! Clients that do not keep to the protocol. The server lives on, and serves others meanwhile.

use std::io::Write;
use std::time::{Duration, Instant};

use midput_real::manager::protocol::{Answer, Call, HEADER, Message, QueueId, Refusal, SECRET};
use midput_real::manager::{Key, Limits};
use midput_real::{Manager, ManagerQueue, ManagerSettings};

use crate::clients::RawClient;
use crate::{LONG, Test};

pub(crate) const TESTS: &[Test] = &[
    ("bad_frames_are_refused_and_the_server_lives_on", bad_frames_are_refused),
    ("a_slow_client_is_ended_in_time", a_slow_client_is_ended_in_time),
    ("an_item_that_is_not_accepted_is_taken_back", an_item_that_is_not_accepted_is_taken_back),
    ("who_does_not_read_is_ended_in_time", who_does_not_read_is_ended_in_time),
];

/// What these servers give their clients.
const PATIENCE: Duration = Duration::from_secs(1);

fn start() -> (Manager, ManagerQueue<u8>, Key) {
    let key = Key::new(b"known to the test".as_slice());
    let limits = Limits { patience: PATIENCE, largest_item: 1 << 20, ..Limits::default() };
    let settings = ManagerSettings { key: Some(key.clone()), limits, tcp: None };
    let manager = Manager::start_with(settings).unwrap();
    let queue = manager.queue(0).unwrap();
    (manager, queue, key)
}

fn works(queue: &ManagerQueue<u8>) {
    queue.put(7).unwrap();
    assert_eq!(queue.get().unwrap(), 7);
}

/// Whoever does not know the key, and what is no call, is refused (`MQ1`, `MQ2`).
fn bad_frames_are_refused() {
    let (manager, queue, key) = start();
    let protocol = Message::Answer(Answer::Refused(Refusal::Protocol));
    let proof = |client: &RawClient| {
        let client_id = midput_real::manager::protocol::ClientId(1);
        client.frame(Message::Proof { client: client_id, nonce: [0; SECRET], proof: [0; SECRET] })
    };
    // Before the handshake is over.
    type Said<'a> = &'a dyn Fn(&RawClient) -> Vec<u8>;
    let before: [(Said<'_>, Refusal); 4] = [
        (&|_| b"GET / HTTP/1.1\r\n\r\n".to_vec(), Refusal::Protocol),
        (&|client| client.frame(Message::Call(Call::Create { maxsize: 0 })), Refusal::Protocol),
        (&|_| vec![1, 17, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255], Refusal::Protocol),
        (&proof, Refusal::Key),
    ];
    for (bytes, refusal) in before {
        let mut client = RawClient::connect(manager.address());
        assert!(matches!(client.receive(), Message::Challenge { .. }));
        client.send_bytes(&bytes(&client));
        assert_eq!(client.receive_or_end(), Some(Message::Answer(Answer::Refused(refusal))));
        assert_eq!(client.receive_or_end(), None);
        works(&queue);
    }
    // And after it.
    let out_of_turn =
        [Message::Accept, Message::Challenge { nonce: [0; SECRET] }, Message::Answer(Answer::Done)];
    for message in out_of_turn {
        let mut client = RawClient::new(manager.address(), &key);
        client.send(message);
        assert_eq!(client.receive_or_end(), Some(protocol.clone()));
        assert_eq!(client.receive_or_end(), None);
        works(&queue);
    }
    let mut client = RawClient::new(manager.address(), &key);
    let item = vec![0; (1 << 20) + 1].into();
    let put = Message::Call(Call::Put { queue: queue.identifier(), wait: true, item });
    // The header is enough to refuse it.
    client.send_bytes(&client.frame(put)[..HEADER]);
    assert_eq!(client.receive_or_end(), Some(protocol.clone()));
    let mut client = RawClient::new(manager.address(), &key);
    client.get(queue.identifier());
    client.get(queue.identifier());
    assert_eq!(client.receive_or_end(), Some(protocol));
    let mut client = RawClient::new(manager.address(), &key);
    client.get(QueueId(99));
    assert_eq!(client.answer(), Answer::Refused(Refusal::NoQueue));
    // That was no harm, and the connection is of further use.
    client.put(queue.identifier(), vec![3]);
    assert_eq!(client.answer(), Answer::Done);
    assert_eq!(queue.get().unwrap(), 3);
}

/// Waits until the server ends the connection, and says how long it took.
fn ended_after(client: &mut RawClient, begun: Instant) -> Duration {
    while client.receive_or_end().is_some() {}
    begun.elapsed()
}

fn a_slow_client_is_ended_in_time() {
    let (manager, queue, key) = start();
    // Who says nothing in the handshake, …
    let begun = Instant::now();
    let mut silent = RawClient::connect(manager.address());
    let taken = ended_after(&mut silent, begun);
    assert!(taken >= PATIENCE && taken < LONG, "{taken:?}");
    // … and who sends a frame byte by byte, slower than it may be.
    let mut slow = RawClient::new(manager.address(), &key);
    let begun = Instant::now();
    for byte in slow.frame(Message::Call(Call::Size { queue: queue.identifier() })) {
        std::thread::sleep(PATIENCE / 8);
        if slow_send(&slow, byte).is_err() {
            break;
        }
        works(&queue);
    }
    assert!(ended_after(&mut slow, begun) >= PATIENCE);
    // Who has begun nothing may take its time.
    let mut idle = RawClient::new(manager.address(), &key);
    std::thread::sleep(2 * PATIENCE);
    idle.put(queue.identifier(), vec![4]);
    assert_eq!(idle.answer(), Answer::Done);
    assert_eq!(queue.get().unwrap(), 4);
}

fn slow_send(client: &RawClient, byte: u8) -> std::io::Result<()> {
    let mut stream = client.stream();
    stream.write_all(&[byte])
}

fn an_item_that_is_not_accepted_is_taken_back() {
    let (manager, queue, key) = start();
    let mut stopped = RawClient::new(manager.address(), &key);
    stopped.get(queue.identifier());
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    assert_eq!(stopped.answer(), Answer::Item(vec![1].into()));
    // The others wait for it as long as the server does, and not longer.
    let begun = Instant::now();
    assert_eq!(queue.get_timeout(LONG).unwrap(), 1);
    assert!(begun.elapsed() >= PATIENCE / 2);
    assert_eq!(queue.get_timeout(LONG).unwrap(), 2);
    // It comes too late to take what somebody else has.
    assert_eq!(stopped.receive_or_end(), None);
}

fn who_does_not_read_is_ended_in_time() {
    let (manager, queue, key) = start();
    let large = ManagerQueue::<Vec<u8>>::connect(
        manager.address().clone(),
        key.clone(),
        queue.identifier(),
    );
    let large = large.unwrap();
    // More than a socket holds.
    large.put(vec![9; 1_000_000]).unwrap();
    let mut deaf = RawClient::new(manager.address(), &key);
    deaf.get(queue.identifier());
    std::thread::sleep(PATIENCE / 4);
    assert_eq!(large.get_timeout(LONG).unwrap().len(), 1_000_000);
    works(&queue);
}
