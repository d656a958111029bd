//! Connections over the pipes and sockets of Linux, rule by rule.

mod recorder;

use std::io;
use std::time::{Duration, Instant};

use midput_real::connection::{self, Connection};
use midput_real::os::Os;
use midput_real::os::linux::Linux;
use midput_real::{
    EncodeError, PollError, ReceiveError, ReceiveIntoError, ReceiveMaxError, SendError,
    SendPartError, Timeout, WaitError, block_on,
};
use recorder::Recorder;

type Pair = (Connection<Linux>, Connection<Linux>);

/// Reached only where something hangs.
const LONG: Timeout = Timeout::After(Duration::from_secs(60));
const SOON: Timeout = Timeout::After(Duration::from_millis(20));

/// A receiver and a sender: of a one-way pipe, and of a duplex one.
fn both_kinds() -> [Pair; 2] {
    [connection::pipe(Linux).unwrap(), connection::duplex_pipe(Linux).unwrap()]
}

/// Writes bytes as they are, as a part of what a connection would write.
async fn write(connection: &Connection<Linux>, bytes: &[u8]) {
    let site = midput_real::os::Site::new("write");
    if !bytes.is_empty() {
        let written = Linux.write(connection.descriptor(), bytes, site).await;
        assert_eq!(written.unwrap(), bytes.len());
    }
}

/// `WF4`, whole: what a receiver says when its writer is gone after so many bytes of a frame.
#[test]
fn the_end_is_honest_except_behind_a_header() {
    let short = [&9_u32.to_be_bytes()[..], b"spam spam"].concat();
    let long = [&(-1_i32).to_be_bytes()[..], &9_u64.to_be_bytes(), b"spam spam"].concat();
    // After these many bytes the end looks like that between two messages.
    for (frame, quiet) in [(short, &[0, 4][..]), (long, &[0, 4, 12])] {
        for cut in 0..=frame.len() {
            for (receiver, sender) in both_kinds() {
                block_on(async {
                    write(&sender, &frame[..cut]).await;
                    sender.close().await.unwrap();
                    let received = receiver.recv_bytes().await;
                    if cut == frame.len() {
                        assert_eq!(received.unwrap(), b"spam spam");
                    } else if quiet.contains(&cut) {
                        assert!(matches!(received, Err(ReceiveError::EndOfFile)), "{cut} bytes");
                    } else {
                        assert!(matches!(received, Err(ReceiveError::Torn)), "{cut} bytes");
                    }
                });
            }
        }
    }
}

/// `CN2`: closed comes before the direction.
#[test]
fn a_closed_end_is_closed_and_then_of_the_wrong_direction() {
    block_on(async {
        let (receiver, sender) = connection::pipe(Linux).unwrap();
        assert!(receiver.is_readable() && !receiver.is_writable());
        assert!(sender.is_writable() && !sender.is_readable());
        assert!(matches!(receiver.send_bytes(b"").await, Err(SendError::ReadOnly)));
        let refused = receiver.send(&1).await;
        assert!(matches!(refused, Err(EncodeError::Send(SendError::ReadOnly))));
        assert!(matches!(sender.recv_bytes().await, Err(ReceiveError::WriteOnly)));
        assert!(matches!(sender.poll(SOON).await, Err(PollError::WriteOnly)));
        for end in [&receiver, &sender] {
            assert!(!end.is_closed());
            end.close().await.unwrap();
            end.close().await.unwrap();
            assert!(end.is_closed());
            assert!(matches!(end.send_bytes(b"").await, Err(SendError::Closed)));
            assert!(matches!(end.recv_bytes().await, Err(ReceiveError::Closed)));
            assert!(matches!(end.poll(SOON).await, Err(PollError::Closed)));
            let into = end.recv_bytes_into(&mut [], 1).await;
            assert!(matches!(into, Err(ReceiveIntoError::Receive(ReceiveError::Closed))));
            let part = end.send_part(b"", -1, None).await;
            assert!(matches!(part, Err(SendPartError::Send(SendError::Closed))));
            let waited = connection::wait(Linux, &[end.awaited()], SOON).await;
            assert!(matches!(waited, Err(WaitError::Closed)));
        }
    });
}

/// `CN3`, and that nothing is sent where it fails.
#[test]
fn parts_of_a_buffer_are_sent_or_refused() {
    block_on(async {
        let (receiver, sender) = connection::pipe(Linux).unwrap();
        for (offset, size, message) in [
            (-1, None, "offset is negative"),
            (5, None, "buffer length < offset"),
            (5, Some(-1), "buffer length < offset"),
            (0, Some(-1), "size is negative"),
            (0, Some(5), "buffer length < offset + size"),
            (4, Some(1), "buffer length < offset + size"),
            (1, Some(isize::MAX), "buffer length < offset + size"),
        ] {
            let error = sender.send_part(b"spam", offset, size).await.unwrap_err().to_string();
            assert_eq!(error.split(';').next(), Some(message), "{offset}, {size:?}");
        }
        // What cannot be encoded is not sent either.
        let stuck = std::sync::Mutex::new(0);
        let guard = stuck.lock().unwrap();
        std::thread::scope(|scope| {
            let poisoned = scope.spawn(|| guard_and_panic(&stuck));
            drop(guard);
            assert!(poisoned.join().is_err());
        });
        assert!(matches!(sender.send(&stuck).await, Err(EncodeError::Encode(_))));
        assert!(!receiver.poll(Timeout::NoWait).await.unwrap());

        for (offset, size, part) in
            [(0, None, &b"spam"[..]), (4, None, b""), (1, Some(2), b"pa"), (4, Some(0), b"")]
        {
            sender.send_part(b"spam", offset, size).await.unwrap();
            assert_eq!(receiver.recv_bytes().await.unwrap(), part);
        }
    });
}

/// A lock that is poisoned cannot be encoded.
fn guard_and_panic(stuck: &std::sync::Mutex<i32>) -> i32 {
    std::panic::set_hook(Box::new(|_| {}));
    let _guard = stuck.lock().unwrap();
    panic!("on purpose");
}

/// `CN4`.
#[test]
fn a_message_that_is_too_long_spoils_the_connection() {
    for (receiver, sender) in both_kinds() {
        block_on(async {
            for message in [&b"spam"[..], b"", b"spam!"] {
                sender.send_bytes(message).await.unwrap();
            }
            assert_eq!(receiver.recv_bytes_max(4).await.unwrap(), b"spam");
            assert_eq!(receiver.recv_bytes_max(0).await.unwrap(), b"");
            let error = receiver.recv_bytes_max(4).await.unwrap_err();
            assert!(matches!(error, ReceiveMaxError::BadMessageLength { length: 5 }), "{error}");
            if receiver.is_writable() {
                assert!(!receiver.is_readable() && !receiver.is_closed());
                assert!(matches!(receiver.recv_bytes().await, Err(ReceiveError::WriteOnly)));
                assert!(matches!(receiver.clone().poll(SOON).await, Err(PollError::WriteOnly)));
                receiver.send_bytes(b"still").await.unwrap();
                assert_eq!(sender.recv_bytes().await.unwrap(), b"still");
            } else {
                assert!(receiver.is_closed());
                assert!(matches!(receiver.recv_bytes().await, Err(ReceiveError::Closed)));
                match sender.send_bytes(b"").await {
                    Err(SendError::Io(error)) => {
                        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                    }
                    sent => panic!("sent to nobody: {sent:?}"),
                }
            }
        });
    }
    // A length that only the long header can say.
    let (receiver, sender) = connection::duplex_pipe(Linux).unwrap();
    block_on(async {
        write(&sender, &[&[0xff; 4][..], &(3_u64 << 32).to_be_bytes()].concat()).await;
        let error = receiver.recv_bytes_max(usize::MAX >> 31).await.unwrap_err();
        assert_eq!(
            error.to_string().split(';').next(),
            Some("bad message length: 12884901888 bytes")
        );
    });
}

/// `CN5`.
#[test]
fn a_message_goes_into_a_buffer_or_comes_back_whole() {
    for (receiver, sender) in both_kinds() {
        block_on(async {
            for _ in 0..3 {
                sender.send_bytes(b"spam").await.unwrap();
            }
            let mut buffer = *b"......";
            let refused = receiver.recv_bytes_into(&mut buffer, 7).await;
            assert!(matches!(refused, Err(ReceiveIntoError::OffsetTooLarge)));
            assert_eq!(receiver.recv_bytes_into(&mut buffer, 2).await.unwrap(), 4);
            assert_eq!(&buffer, b"..spam");
            for offset in [3, 6] {
                match receiver.recv_bytes_into(&mut buffer, offset).await {
                    Err(ReceiveIntoError::TooShort(message)) => assert_eq!(message, b"spam"),
                    result => panic!("{result:?}"),
                }
                assert_eq!(&buffer, b"..spam");
            }
            sender.send_bytes(b"").await.unwrap();
            assert_eq!(receiver.recv_bytes_into(&mut [], 0).await.unwrap(), 0);
        });
    }
}

/// `CN6`: for ever, not at all, for a time that is negative, for a time; and the end counts.
#[test]
fn polling_waits_as_long_as_it_is_told() {
    for (receiver, sender) in both_kinds() {
        block_on(async {
            let poll = async |seconds| receiver.poll(Timeout::from_seconds(seconds)).await.unwrap();
            let begun = Instant::now();
            for seconds in [0.0, -0.0, -1.0, f64::NEG_INFINITY, f64::NAN] {
                assert!(!poll(Some(seconds)).await);
            }
            assert!(begun.elapsed() < Duration::from_secs(30));
            let begun = Instant::now();
            assert!(!poll(Some(0.03)).await);
            assert!(begun.elapsed() >= Duration::from_millis(30));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(20));
                    block_on(sender.send_bytes(b"")).unwrap();
                });
                assert!(block_on(receiver.poll(Timeout::Never)).unwrap());
            });
            assert!(poll(Some(-1.0)).await);
            assert!(poll(None).await);
            assert!(receiver.recv_bytes().await.unwrap().is_empty());
            assert!(!poll(Some(0.0)).await);
            sender.close().await.unwrap();
            assert!(poll(None).await, "the end can be received");
        });
    }
}

/// `WF10`: whoever shares a descriptor can make it non-blocking for all, and then a message may be
/// sent in part. The error says so, and the receiver is told of the tear.
#[test]
fn a_shared_descriptor_that_does_not_block_cuts_a_message() {
    let flags = rustix::pipe::PipeFlags::CLOEXEC;
    let (receiver, sender) = rustix::pipe::pipe_with(flags).unwrap();
    for end in [&receiver, &sender] {
        let shared = end.try_clone().unwrap();
        rustix::fs::fcntl_setfl(&shared, rustix::fs::OFlags::NONBLOCK).unwrap();
    }
    let receiver = midput_real::Connection::reader(receiver);
    let sender = midput_real::Connection::writer(sender);
    let would_block = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;

    let received = receiver.recv_bytes();
    assert!(matches!(received, Err(ReceiveError::Io(ref error)) if would_block(error)));
    let sent = sender.send_bytes(&[7; 200_000]);
    assert!(matches!(sent, Err(SendError::Io(ref error)) if would_block(error)), "{sent:?}");
    drop(sender);
    let received = receiver.recv_bytes();
    assert!(matches!(received, Err(ReceiveError::Torn)), "{received:?}");
}

/// `WF7`, `WF9`, and that what was sent before arrives first.
#[test]
fn who_is_left_alone_learns_how() {
    for unread in [false, true] {
        for (here, there) in both_kinds() {
            block_on(async {
                if here.is_writable() {
                    here.send_bytes(b"unread").await.unwrap();
                    if !unread {
                        there.recv_bytes().await.unwrap();
                    }
                }
                there.send_bytes(b"last").await.unwrap();
                there.close().await.unwrap();
                if here.is_writable() {
                    match here.send_bytes(b"").await {
                        Err(SendError::Io(error)) => {
                            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                        }
                        sent => panic!("sent to nobody: {sent:?}"),
                    }
                }
                assert_eq!(here.recv_bytes().await.unwrap(), b"last");
                let end = here.recv_bytes().await.unwrap_err();
                if unread && here.is_writable() {
                    let ReceiveError::Io(error) = end else { panic!("{end:?}") };
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                } else {
                    assert!(matches!(end, ReceiveError::EndOfFile), "{end}");
                }
                let end = here.recv_bytes().await.unwrap_err();
                assert!(matches!(end, ReceiveError::EndOfFile), "it is told once");
            });
        }
    }
}

/// `CN7`: two senders that both wait for room in a full pipe mix their bytes. How the system wakes
/// them is its own affair, so that it has a few tries; the simulation finds it by search.
#[test]
fn two_senders_without_a_lock_mix_their_messages() {
    let is_mixed = || {
        let (receiver, sender) = connection::pipe(Linux).unwrap();
        let sent = [vec![1_u8; 200_000], vec![2; 200_000]];
        std::thread::scope(|scope| {
            for message in &sent {
                scope.spawn(|| block_on(sender.send_bytes(message)).unwrap());
            }
            // Until both wait: a frame is larger than the pipe.
            std::thread::sleep(Duration::from_millis(5));
            let mut stream = vec![0; 2 * 200_004];
            let mut read = 0;
            while read < stream.len() {
                let site = midput_real::os::Site::new("read");
                let rest = &mut stream[read..];
                read += block_on(Linux.read(receiver.descriptor(), rest, site)).unwrap();
            }
            let frame = |message: &[u8]| [&200_000_u32.to_be_bytes()[..], message].concat();
            let [first, second] = sent.each_ref().map(|message| frame(message));
            stream != [&first[..], &second].concat() && stream != [second, first].concat()
        })
    };
    assert!((0..100).any(|_| is_mixed()));
}

/// `CN8`.
#[test]
fn waiting_for_several_says_which_are_ready() {
    block_on(async {
        let [first, second, third] = [(); 3].map(|()| connection::duplex_pipe(Linux).unwrap());
        let all = [first.0.awaited(), second.0.awaited(), third.0.awaited()];
        let wait = async |timeout| connection::wait(Linux, &all, timeout).await.unwrap();
        assert!(wait(Timeout::NoWait).await.is_empty());
        assert!(wait(SOON).await.is_empty());
        third.1.send_bytes(b"").await.unwrap();
        assert_eq!(wait(Timeout::Never).await, [2]);
        first.1.close().await.unwrap();
        assert_eq!(wait(LONG).await, [0, 2], "the end is something to receive");
        third.0.recv_bytes().await.unwrap();
        assert_eq!(wait(LONG).await, [0]);
        // Without anything it sleeps.
        let begun = Instant::now();
        assert!(connection::wait(Linux, &[], SOON).await.unwrap().is_empty());
        assert!(begun.elapsed() >= Duration::from_millis(20));
        // The writing end of a pipe is ready where nobody reads.
        let (receiver, sender) = connection::pipe(Linux).unwrap();
        let sending = [sender.awaited()];
        assert!(connection::wait(Linux, &sending, SOON).await.unwrap().is_empty());
        receiver.close().await.unwrap();
        assert_eq!(connection::wait(Linux, &sending, LONG).await.unwrap(), [0]);
    });
}

/// `WF2`: the writes of each size; the largest is not sent through a pipe, and nobody reads it.
#[test]
fn frames_are_written_in_one_two_or_three_writes() {
    let os = Recorder::new(false, 0);
    let (receiver, sender) = connection::pipe(os).unwrap();
    block_on(async {
        for (length, steps) in
            [(0, "write-frame"), (16_384, "write-frame"), (16_385, "write-header write-body")]
        {
            sender.send_bytes(&vec![1; length]).await.unwrap();
            assert_eq!(os.take("main"), steps);
            assert_eq!(receiver.recv_bytes().await.unwrap().len(), length);
            let body = if length == 0 { "" } else { " read-body" };
            assert_eq!(os.take("main"), format!("read-header{body}"));
        }
        // Memory that nobody has written costs none.
        sender.send_bytes(&vec![0; 0x8000_0000]).await.unwrap();
        assert_eq!(os.take("main"), "write-header write-length write-body write-body+2147479552");
        sender.close().await.unwrap();
        let end = receiver.recv_bytes_max(0x7fff_ffff).await.unwrap_err();
        let ReceiveMaxError::BadMessageLength { length } = end else { panic!("{end}") };
        assert_eq!(length, 0x8000_0000);
        assert_eq!(os.take("main"), "writer.close read-header read-length reader.close");
    });
}

#[test]
fn an_end_of_a_duplex_pipe_takes_the_same_steps() {
    let os = Recorder::new(true, 3);
    let (here, there) = connection::duplex_pipe(os).unwrap();
    block_on(async {
        here.send_bytes(b"abcde").await.unwrap();
        assert!(there.poll(Timeout::NoWait).await.unwrap());
        assert_eq!(connection::wait(os, &[there.awaited()], LONG).await.unwrap(), [0]);
        assert_eq!(there.recv_bytes().await.unwrap(), b"abcde");
        there.close().await.unwrap();
    });
    let steps = "write-frame poll wait read-header read-header+3 read-body read-body+3 \
                 connection.close";
    assert_eq!(os.take("main"), steps);
}

/// Both ends read and write (`CN1`): both directions at once, in messages that no buffer holds whole.
#[test]
fn a_duplex_pipe_carries_large_messages_both_ways_at_once() {
    let (here, there) = connection::duplex_pipe(Linux).unwrap();
    let message = |byte: u8| vec![byte; 700_000];
    std::thread::scope(|scope| {
        for (end, own) in [(&here, 1), (&there, 2)] {
            scope.spawn(move || block_on(end.send_bytes(&message(own))).unwrap());
            scope.spawn(move || {
                let received = block_on(end.recv_bytes()).unwrap();
                assert!(received == message(3 - own));
            });
        }
    });
}
