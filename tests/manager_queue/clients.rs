//! Clients of which the test says each byte.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use midput_real::manager::protocol::{
    Answer, Call, ClientId, Frame, Message, QueueId, SECRET, decode, encode,
};
use midput_real::manager::{Handshake, Key};
use midput_real::os::Address;

use crate::LONG;

const LARGEST: u32 = 1024;

/// A client that speaks the protocol frame by frame.
pub(crate) struct RawClient {
    stream: UnixStream,
    arrived: Vec<u8>,
    pub(crate) request: u64,
}

impl RawClient {
    pub(crate) fn connect(address: &Address) -> Self {
        let Address::Unix(path) = address else { panic!("{address:?} is no Unix socket") };
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        Self { stream, arrived: Vec::new(), request: 0 }
    }

    /// After the handshake.
    pub(crate) fn new(address: &Address, key: &Key) -> Self {
        let mut client = Self::connect(address);
        let challenge = client.receive();
        client.greet(challenge, key);
        client
    }

    pub(crate) fn greet(&mut self, challenge: Message, key: &Key) {
        let Message::Challenge { nonce } = challenge else { panic!("{challenge:?}") };
        let client = ClientId(u64::from(std::process::id()));
        let handshake = Handshake { server_nonce: nonce, client_nonce: [5; SECRET], client };
        let proof = key.client_proof(&handshake);
        self.send(Message::Proof { client, nonce: [5; SECRET], proof });
        let welcome = self.receive();
        let Message::Welcome { largest_item, proof } = welcome else { panic!("{welcome:?}") };
        assert!(key.is_server(&handshake, largest_item, &proof));
    }

    pub(crate) fn frame(&self, message: Message) -> Vec<u8> {
        encode(&Frame { request: self.request, message })
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.send_bytes(&self.frame(message));
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        (&self.stream).write_all(bytes).unwrap();
    }

    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    pub(crate) fn receive(&mut self) -> Message {
        self.receive_or_end().expect("the server has ended the connection")
    }

    /// The next message; `None` where the server has ended the connection.
    pub(crate) fn receive_or_end(&mut self) -> Option<Message> {
        loop {
            if let Some((frame, length)) = decode(&self.arrived, LARGEST).unwrap() {
                self.arrived.drain(..length);
                return Some(frame.message);
            }
            let mut bytes = [0; 256];
            let read = match self.stream.read(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
                read => read.unwrap(),
            };
            if read == 0 {
                return None;
            }
            self.arrived.extend(&bytes[..read]);
        }
    }

    pub(crate) fn get(&mut self, queue: QueueId) {
        self.request += 1;
        self.send(Message::Call(Call::Get { queue, wait: true }));
    }

    pub(crate) fn put(&mut self, queue: QueueId, item: Vec<u8>) {
        self.request += 1;
        self.send(Message::Call(Call::Put { queue, wait: true, item: Arc::new(item) }));
    }

    pub(crate) fn answer(&mut self) -> Answer {
        match self.receive() {
            Message::Answer(answer) => answer,
            message => panic!("{message:?}"),
        }
    }
}
