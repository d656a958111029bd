//! Servers that do not keep to the protocol: a call with a timeout ends, with an error, in time.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use midput_real::manager::protocol::{
    Answer, Frame, HEADER, Message, QueueId, SECRET, VERSION, decode, encode,
};
use midput_real::manager::{Client, GetError, Handshake, Key, ManagerError, Queue};
use midput_real::os::Address;
use midput_real::os::linux::Linux;
use midput_real::{Timeout, block_on};

use crate::{SHORT, Test};

pub(crate) const TESTS: &[Test] =
    &[("a_call_to_an_impostor_ends_in_time", a_call_to_an_impostor_ends_in_time)];

const PATIENCE: Duration = Duration::from_millis(300);
/// Room for a machine that is busy with something else.
const SLACK: Duration = Duration::from_secs(5);
/// What a server may do to its client.
type Deed = fn(&mut UnixStream, &Key);

fn send(stream: &mut UnixStream, request: u64, message: Message) {
    stream.write_all(&encode(&Frame { request, message })).unwrap();
}

fn receive(stream: &mut UnixStream) -> Frame {
    let mut arrived = Vec::new();
    loop {
        if let Some((frame, _)) = decode(&arrived, 0).unwrap() {
            return frame;
        }
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        arrived.extend(byte);
    }
}

/// The handshake as it should be, and the client's first call.
fn greet(stream: &mut UnixStream, key: &Key) -> u64 {
    let server_nonce = [3; SECRET];
    send(stream, 0, Message::Challenge { nonce: server_nonce });
    let Message::Proof { client, nonce, .. } = receive(stream).message else { panic!("no proof") };
    let handshake = Handshake { server_nonce, client_nonce: nonce, client };
    let proof = key.server_proof(&handshake, 1000);
    send(stream, 0, Message::Welcome { largest_item: 1000, proof });
    receive(stream).request
}

/// Keeps the connection open until the client has given up.
fn wait_for_the_end(stream: &mut UnixStream) {
    let mut bytes = [0; 64];
    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
}

fn item(byte: u8) -> Message {
    Message::Answer(Answer::Item(vec![byte].into()))
}

const DEEDS: [(&str, Deed); 9] = [
    ("says nothing", |_, _| {}),
    ("is another server", |stream, _| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap()),
    ("announces what it does not send", |stream, _| {
        let mut header = vec![VERSION, 1];
        header.resize(HEADER, u8::MAX);
        stream.write_all(&header).unwrap();
    }),
    ("is slow", |stream, _| {
        let challenge = Message::Challenge { nonce: [0; SECRET] };
        for byte in encode(&Frame { request: 0, message: challenge }) {
            thread::sleep(PATIENCE / 10);
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    }),
    ("has not the key", |stream, _| {
        send(stream, 0, Message::Challenge { nonce: [0; SECRET] });
        receive(stream);
        send(stream, 0, Message::Welcome { largest_item: 1, proof: [0; SECRET] });
    }),
    ("does not answer", |stream, key| {
        greet(stream, key);
    }),
    ("answers another call", |stream, key| {
        let request = greet(stream, key);
        send(stream, request + 1, Message::Answer(Answer::Empty));
    }),
    ("answers another question", |stream, key| {
        let request = greet(stream, key);
        send(stream, request, Message::Answer(Answer::Full));
    }),
    ("does not confirm", |stream, key| {
        let request = greet(stream, key);
        send(stream, request, item(7));
    }),
];

fn a_call_to_an_impostor_ends_in_time() {
    let directory = tempfile::tempdir().unwrap();
    for (number, (name, deed)) in DEEDS.into_iter().enumerate() {
        let key = Key::new(b"known to both".as_slice());
        let path = directory.path().join(number.to_string());
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn({
            let key = key.clone();
            move || {
                let (mut stream, _) = listener.accept().unwrap();
                deed(&mut stream, &key);
                wait_for_the_end(&mut stream);
            }
        });
        let client = Client::new(Linux, Address::Unix(path), key, PATIENCE).unwrap();
        let queue: Queue<u8, Linux> = Queue::new(client, QueueId(0));
        let begun = Instant::now();
        let got = block_on(queue.get(Timeout::After(SHORT)));
        let taken = begun.elapsed();
        assert!(taken < SHORT + 2 * PATIENCE + SLACK, "a server that {name}: {taken:?}");
        let expected = match name {
            "has not the key" => matches!(got, Err(GetError::Manager(ManagerError::WrongKey))),
            "says nothing" | "is slow" | "does not answer" | "does not confirm" => {
                matches!(got, Err(GetError::Manager(ManagerError::Silent)))
            }
            _ => matches!(got, Err(GetError::Manager(ManagerError::Protocol))),
        };
        assert!(expected, "a server that {name}: {got:?}");
        // A connection that is kept for the next call ends with it.
        drop(queue);
        server.join().unwrap();
    }
}
