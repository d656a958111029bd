//! Whatever bytes arrive, a connection reads them to their end and believes no length of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use midput_real::{ReceiveError, ReceiveIntoError, ReceiveMaxError, pipe};

/// What fits into a pipe, so that one thread can write and then read.
const MOST: usize = 60_000;

/// The bytes, in one message with its header, and then as a stream of their own.
fn stream(bytes: &[u8]) -> midput_real::Connection {
    let (receiver, sender) = pipe().unwrap();
    let number = sender.fileno().unwrap();
    std::fs::write(format!("/proc/self/fd/{number}"), bytes).unwrap();
    sender.close().unwrap();
    receiver
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = &bytes[..bytes.len().min(MOST)];
    let receiver = stream(bytes);
    let mut taken = 0;
    loop {
        match receiver.recv_bytes() {
            Ok(message) => taken += message.len() + 4,
            Err(ReceiveError::EndOfFile | ReceiveError::Torn) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(taken <= bytes.len());

    let receiver = stream(bytes);
    loop {
        match receiver.recv_bytes_max(100) {
            Ok(message) => assert!(message.len() <= 100),
            Err(ReceiveMaxError::BadMessageLength { length }) => {
                assert!(length > 100 && receiver.is_closed());
                break;
            }
            Err(ReceiveMaxError::Receive(_)) => break,
        }
    }

    let receiver = stream(bytes);
    let mut buffer = [0; 64];
    loop {
        match receiver.recv_bytes_into(&mut buffer, 4) {
            Ok(length) => assert!(length <= 60),
            Err(ReceiveIntoError::TooShort(message)) => assert!(message.len() > 60),
            Err(_) => break,
        }
    }
});
