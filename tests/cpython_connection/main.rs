//! CPython at the other end of a connection: its frames, its errors, and values through pickle.

#[path = "../support/interpreters.rs"]
mod interpreters;
mod peer;

use std::collections::BTreeMap;

use midput_real::codec::pickle::Value;
use midput_real::{DecodeError, ReceiveError, ReceiveMaxError, SendError, Timeout};
use serde_json::json;

use interpreters::interpreters;
use peer::{Kind, Peer};

/// With each CPython that there is, over both kinds of pipe.
fn with_each(test: fn(&mut Peer, Kind)) {
    for (version, program) in interpreters() {
        for kind in [Kind::OneWay, Kind::Duplex] {
            println!("CPython {}.{}, {kind:?}", version.0, version.1);
            let mut peer = Peer::start(program, kind);
            assert_eq!(peer.ask(&json!(["version"])), json!([version.0, version.1]));
            peer.bounded(|peer| test(peer, kind));
        }
    }
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// `WF1`, `WF2`, at the sizes where frames change.
#[test]
fn messages_of_every_size_go_both_ways() {
    with_each(|peer, _| {
        for length in [0, 1, 4092, 4093, 16_384, 16_385, 1 << 20] {
            let message = payload(length);
            peer.tell(&json!(["recv_bytes", length]));
            peer.sender.send_bytes(&message).unwrap();
            assert_eq!(peer.answer(), json!([true]), "{length} bytes to it");
            peer.tell(&json!(["send_bytes", length]));
            assert!(peer.receiver.recv_bytes().unwrap() == message, "{length} bytes from it");
            assert_eq!(peer.answer(), json!([null]));
        }
    });
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

/// What the peer knows by these names. What arrives is another type for tuples and byte arrays.
fn values() -> BTreeMap<&'static str, Value> {
    let number = Value::Integer;
    let dict = vec![
        (text("spam"), number(1)),
        (text("ham"), list([Value::Bool(true), Value::Bool(false)])),
        (text("eggs"), Value::Dict(vec![(text("x"), Value::None)])),
    ];
    let mixed = list([
        number(1),
        text("two"),
        list([Value::Float(3.0), Value::None]),
        Value::Bytes(b"4".to_vec()),
    ]);
    let empty = list([list([]), Value::Dict(Vec::new()), text(""), Value::Bytes(Vec::new())]);
    BTreeMap::from([
        ("none", Value::None),
        ("true", Value::Bool(true)),
        ("small", number(-7)),
        ("large", number(1 << 62)),
        ("float", Value::Float(0.5)),
        ("string", text("späm 🦀")),
        ("bytes", Value::Bytes((0..=255).collect())),
        ("list", mixed),
        ("dict", Value::Dict(dict)),
        ("shared", list((0..3).map(|_| list([text("a"), text("b")])))),
        ("empty", empty),
        ("many", list((0..3000).map(|index| list([number(index), text(&index.to_string())])))),
    ])
}

/// Payloads that are pickles of plain data (`WF11`, `CN6`).
#[test]
fn values_go_both_ways_through_pickle() {
    with_each(|peer, _| {
        for (name, value) in values() {
            peer.tell(&json!(["recv", name]));
            peer.sender.send(&value).unwrap();
            let answer = peer.answer();
            assert_eq!(answer[0], json!(true), "'{name}' arrived as {answer}");
            peer.tell(&json!(["send", name]));
            assert_eq!(peer.receiver.recv::<Value>().unwrap(), value, "{name}");
            peer.answer();
            for protocol in [2, 3, 4, 5] {
                // In protocol 2 bytes are a call of a function that makes them.
                if protocol == 2 && matches!(name, "bytes" | "list" | "empty") {
                    continue;
                }
                peer.tell(&json!(["send_pickle", name, protocol]));
                assert_eq!(peer.receiver.recv::<Value>().unwrap(), value, "{name}, {protocol}");
                peer.answer();
            }
        }
        peer.tell(&json!(["send", "tuple"]));
        assert_eq!(peer.receiver.recv::<(u8, u16, i32, i64)>().unwrap(), (1, 2, 3, 4));
        peer.tell(&json!(["send_pickle", "bytearray", 5]));
        assert_eq!(peer.receiver.recv::<Value>().unwrap(), Value::Bytes(b"ham".to_vec()));
        peer.tell(&json!(["send", "shared"]));
        assert_eq!(peer.receiver.recv::<Vec<[String; 2]>>().unwrap().len(), 3);
    });
}

/// Data only: whatever would construct or call something is refused by its name, and the
/// connection goes on.
#[test]
fn what_is_not_data_is_refused_by_its_name() {
    with_each(|peer, _| {
        for (value, name) in [
            ("date", "'datetime.date'"),
            ("instance", "'__main__.Instance'"),
            ("system", "'posix.system'"),
            ("complex", "'builtins.complex'"),
            // Until protocol 5, which a connection of CPython does not use by itself.
            ("bytearray", "'builtins.bytearray'"),
            ("itself", "contains itself"),
            ("bignum", "integer too large"),
        ] {
            peer.tell(&json!(["send", value]));
            let error = peer.receiver.recv::<Value>().unwrap_err();
            assert!(matches!(error, DecodeError::Decode(_)), "{error}");
            assert!(error.to_string().contains(name), "{value}: {error}");
            assert_eq!(peer.answer(), json!([null]));
        }
        peer.tell(&json!(["send", "small"]));
        assert_eq!(peer.receiver.recv::<i8>().unwrap(), -7);
    });
}

/// `WF4`, `WF5`, `WF9` at our end: what CPython was cut off in.
#[test]
fn we_are_told_how_its_stream_ended() {
    for (version, program) in interpreters() {
        for kind in [Kind::OneWay, Kind::Duplex] {
            for (bytes, is_torn) in [
                (&[][..], false),
                (&[0, 0, 0], true),
                (&[0, 0, 0, 5], false),
                (&[0, 0, 0, 5, 1], true),
                (&[255; 4], false),
                (&[255, 255, 255, 255, 0], true),
            ] {
                let mut peer = Peer::start(program, kind);
                peer.bounded(|peer| {
                    peer.ask(&json!(["write", bytes]));
                    peer.ask(&json!(["close"]));
                    let end = peer.receiver.recv_bytes().unwrap_err();
                    assert_eq!(matches!(end, ReceiveError::Torn), is_torn, "{version:?} {end}");
                    assert_eq!(matches!(end, ReceiveError::EndOfFile), !is_torn, "{end}");
                });
            }
            let mut peer = Peer::start(program, kind);
            peer.bounded(|peer| {
                peer.sender.send_bytes(b"nobody reads it").unwrap();
                peer.ask(&json!(["send_bytes", 3]));
                peer.kill();
                assert_eq!(peer.receiver.recv_bytes().unwrap(), payload(3));
                match (kind, peer.receiver.recv_bytes().unwrap_err()) {
                    (Kind::OneWay, ReceiveError::EndOfFile) => {}
                    (Kind::Duplex, ReceiveError::Io(error)) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                    }
                    (_, end) => panic!("{end}"),
                }
                match peer.sender.send_bytes(b"") {
                    Err(SendError::Io(error)) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
                    }
                    sent => panic!("sent to nobody: {sent:?}"),
                }
            });
        }
    }
}

/// The same at CPython's end, of what ours does: the two mean the same by it.
#[test]
fn it_is_told_what_we_would_be_told() {
    with_each(|peer, kind| {
        // CN6, CN5
        assert_eq!(peer.ask(&json!(["poll", 0])), json!([false]));
        peer.sender.send_bytes(b"spam").unwrap();
        assert_eq!(peer.ask(&json!(["poll", 60])), json!([true]));
        assert_eq!(peer.ask(&json!(["recv_bytes_into", 5, 2])), json!(["BufferTooShort", 4]));
        peer.sender.send_bytes(b"spam").unwrap();
        assert_eq!(peer.ask(&json!(["recv_bytes_into", 6, 2])), json!([4]));
        // CN4 there, and here.
        peer.sender.send_bytes(b"spam").unwrap();
        let spoiled = json!(["OSError", "bad message length"]);
        assert_eq!(peer.ask(&json!(["recv_bytes_max", 3])), spoiled);
        let refused = match kind {
            Kind::OneWay => "handle is closed",
            Kind::Duplex => "connection is write-only",
        };
        assert_eq!(peer.ask(&json!(["recv_bytes", 4])), json!(["OSError", refused]));
        peer.ask(&json!(["send_bytes", 4]));
        let error = peer.receiver.recv_bytes_max(3).unwrap_err();
        assert!(matches!(error, ReceiveMaxError::BadMessageLength { length: 4 }), "{error}");
    });
    // WF4, of a writer that goes without a word and of one that is cut off.
    with_each(|peer, _| {
        peer.tell(&json!(["recv_bytes", 4]));
        peer.sender.close().unwrap();
        assert_eq!(peer.answer(), json!(["EOFError", ""]));
        if peer.receiver.is_closed() {
            return;
        }
        assert!(!peer.receiver.poll(Timeout::NoWait).unwrap());
    });
}
