//! Frames over a pipe of Linux.

use std::io;
use std::time::Duration;

use proptest::prelude::*;

use super::frame::SINGLE_WRITE;
use super::receive::{GROWTH, LEAST_ROOM, room};
use super::*;
use crate::block_on;
use crate::os::linux::Linux;
use crate::timeout::Timeout;

/// What is read from a pipe that holds exactly these bytes and has no writer any more.
fn receive_all(bytes: &[u8]) -> (Vec<Vec<u8>>, ReceiveError) {
    assert!(bytes.len() < LEAST_ROOM, "the bytes must fit into the pipe");
    let (reader, writer) = Linux.pipe().unwrap();
    let reader = Connection::reader(Linux, reader);
    block_on(async {
        let writer = Connection::writer(Linux, writer);
        writer.write_all(bytes, "write-frame").await.unwrap();
        writer.close().await.unwrap();
        let mut messages = Vec::new();
        loop {
            match reader.recv_bytes().await {
                Ok(message) => messages.push(message),
                Err(error) => return (messages, error),
            }
        }
    })
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [&u32::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
}

#[test]
fn messages_round_trip_at_the_lengths_where_frames_change() {
    for length in [0, 1, 4092, 4093, SINGLE_WRITE, SINGLE_WRITE + 1, GROWTH + 70_000] {
        let payload: Vec<u8> = (0..length).map(|byte| byte.to_le_bytes()[0]).collect();
        let (reader, writer) = Linux.pipe().unwrap();
        let (reader, writer) =
            (Connection::reader(Linux, reader), Connection::writer(Linux, writer));
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| block_on(writer.send_bytes(&payload)));
            assert!(block_on(reader.recv_bytes()).unwrap() == payload, "{length} bytes");
            sent.join().unwrap().unwrap();
        });
    }
}

#[test]
fn a_long_length_is_read_and_believed_only_as_far_as_bytes_arrive() {
    let long = |length: u64, payload: &[u8]| {
        [&(-1_i32).to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
    };
    let (messages, end) = receive_all(&long(3, b"abc"));
    assert_eq!(messages, [b"abc"]);
    assert!(matches!(end, ReceiveError::EndOfFile));
    assert!(matches!(receive_all(&long(u64::MAX, b"abc")).1, ReceiveError::Torn));
    assert!(matches!(receive_all(&long(1 << 62, b"")).1, ReceiveError::EndOfFile));
    for cut in 0..12 {
        let torn = matches!(receive_all(&long(3, b"")[..cut]).1, ReceiveError::Torn);
        assert_eq!(torn, !matches!(cut, 0 | 4), "cut after {cut} bytes (WF4)");
    }
}

#[test]
fn a_negative_length_is_an_empty_message() {
    let (messages, end) = receive_all(&(-2_i32).to_be_bytes());
    assert_eq!(messages, [b""]);
    assert!(matches!(end, ReceiveError::EndOfFile));
}

#[test]
fn ends_refuse_what_they_are_not_for() {
    let (reader, writer) = Linux.pipe().unwrap();
    let (reader, writer) = (Connection::reader(Linux, reader), Connection::writer(Linux, writer));
    block_on(async {
        let soon = Timeout::After(Duration::from_millis(1));
        assert!(!reader.poll(soon).await.unwrap());
        assert!(matches!(reader.send_bytes(b"").await, Err(SendError::ReadOnly)));
        assert!(matches!(writer.recv_bytes().await, Err(ReceiveError::WriteOnly)));
        assert!(matches!(writer.poll(soon).await, Err(PollError::WriteOnly)));
        reader.close().await.unwrap();
        reader.close().await.unwrap();
        assert!(reader.is_closed());
        assert!(matches!(reader.recv_bytes().await, Err(ReceiveError::Closed)));
        assert!(matches!(reader.poll(soon).await, Err(PollError::Closed)));
        match writer.send_bytes(b"").await {
            Err(SendError::Io(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "WF7");
            }
            result => panic!("sent to nobody: {result:?}"),
        }
    });
}

proptest! {
    #[test]
    fn a_frame_cut_anywhere_ends_as_wf4_says(
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let frame = frame(&payload);
        let cut = cut.index(frame.len());
        let (messages, end) = receive_all(&frame[..cut]);
        prop_assert!(messages.is_empty());
        match cut {
            0 | 4 => prop_assert!(matches!(end, ReceiveError::EndOfFile)),
            _ => prop_assert!(matches!(end, ReceiveError::Torn)),
        }
    }

    #[test]
    fn any_bytes_at_all_are_read_to_their_end(
        bytes in proptest::collection::vec(
            prop_oneof![Just(0_u8), Just(1), Just(0xff), any::<u8>()], 0..200),
    ) {
        let (messages, end) = receive_all(&bytes);
        let taken: usize = messages.iter().map(|message| message.len() + 4).sum();
        prop_assert!(taken <= bytes.len());
        prop_assert!(matches!(end, ReceiveError::EndOfFile | ReceiveError::Torn));
    }

    #[test]
    fn a_buffer_grows_with_what_arrives(
        length in 1..usize::MAX,
        reads in proptest::collection::vec(1..=LEAST_ROOM, 1..60),
    ) {
        let (mut received, mut current) = (0, 0);
        for read in reads {
            if received == length {
                break;
            }
            current = room(length, received, current);
            prop_assert!(current <= length);
            prop_assert!(current <= received + GROWTH);
            prop_assert!(current - received >= LEAST_ROOM.min(length - received));
            received += read.min(current - received);
        }
    }
}
