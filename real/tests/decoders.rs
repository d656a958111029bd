//! What decoders do with bytes that somebody else made: they end, they do not panic, and they take
//! no more memory than has arrived explains.

use std::time::{Duration, Instant};

use allocation_counter::measure;
use midput_real::{Connection, DecodeError, ReceiveError, ReceiveIntoError, ReceiveMaxError, pipe};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

/// Far more than any of them takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most that a connection takes before the bytes to fill it have arrived, and some more.
const AHEAD: u64 = (1 << 20) + 65_536;

/// Runs a decoder of so many bytes: how much memory it took at once, and in time.
fn bounded(most: u64, decoder: impl FnOnce()) -> TestCaseResult {
    let begun = Instant::now();
    let taken = measure(decoder).bytes_max;
    prop_assert!(taken <= most, "{taken} bytes at once, {most} are explained");
    prop_assert!(begun.elapsed() < PATIENCE);
    Ok(())
}

/// Messages in their frames, now and then with the long header or with a length that is a lie.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let payload = vec(any::<u8>(), 0..2000);
    let frame = (payload, 0..20u8, any::<u64>()).prop_map(|(payload, kind, lie)| {
        let short = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let long = |length: u64| [&[0xff; 4][..], &length.to_be_bytes()].concat();
        let header = match kind {
            0 => long(payload.len() as u64),
            1 => long(lie),
            2 => (lie as u32).to_be_bytes().to_vec(),
            3 => (lie as u32 & 0x7fff_ffff).to_be_bytes().to_vec(),
            _ => short.to_vec(),
        };
        [header, payload].concat()
    });
    vec(frame, 0..20).prop_map(|frames| frames.concat())
}

/// The same cut short and with some bytes changed, and bytes that never were frames.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>()), 0..4);
    let damaged = (frames(), any::<Index>(), changes).prop_map(|(mut bytes, cut, changes)| {
        bytes.truncate(cut.index(bytes.len() + 1));
        for (index, byte) in changes {
            if !bytes.is_empty() {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
        }
        bytes
    });
    prop_oneof![frames(), damaged, vec(any::<u8>(), 0..200)]
}

/// A connection that these bytes, and nothing more, arrive at.
fn receiver(bytes: &[u8]) -> Connection {
    let (receiver, sender) = pipe().unwrap();
    let path = format!("/proc/self/fd/{}", sender.fileno().unwrap());
    std::fs::write(path, bytes).unwrap();
    sender.close().unwrap();
    receiver
}

proptest! {
    #[test]
    fn messages_are_read_to_the_end(bytes in stream()) {
        let receiver = receiver(&bytes);
        let mut taken = 0;
        bounded(bytes.len() as u64 + AHEAD, || loop {
            match receiver.recv_bytes() {
                Ok(message) => taken += message.len() + 4,
                Err(ReceiveError::EndOfFile | ReceiveError::Torn) => break,
                Err(error) => panic!("{error}"),
            }
        })?;
        prop_assert!(taken <= bytes.len());
    }

    #[test]
    fn messages_that_are_too_long_are_not_read(bytes in stream(), most in 0..3000usize) {
        let receiver = receiver(&bytes);
        bounded(bytes.len() as u64 + AHEAD, || loop {
            match receiver.recv_bytes_max(most) {
                Ok(message) => assert!(message.len() <= most),
                Err(ReceiveMaxError::BadMessageLength { length }) => {
                    assert!(length > most as u64 && receiver.is_closed());
                    break;
                }
                Err(ReceiveMaxError::Receive(ReceiveError::EndOfFile | ReceiveError::Torn)) => {
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        })?;
    }

    #[test]
    fn messages_go_where_they_fit(bytes in stream(), offset in 0..1200usize) {
        let receiver = receiver(&bytes);
        let mut buffer = [0; 1000];
        bounded(bytes.len() as u64 + AHEAD, || loop {
            match receiver.recv_bytes_into(&mut buffer, offset) {
                Ok(length) => assert!(offset + length <= 1000),
                Err(ReceiveIntoError::TooShort(message)) => {
                    assert!(offset + message.len() > 1000);
                }
                Err(ReceiveIntoError::OffsetTooLarge) => {
                    assert!(offset > 1000);
                    break;
                }
                Err(ReceiveIntoError::Receive(_)) => break,
            }
        })?;
    }

    #[test]
    fn values_of_postcard_are_values_or_errors(bytes in stream()) {
        let receiver = receiver(&bytes);
        bounded(2 * bytes.len() as u64 + AHEAD, || {
            let ended = |received| matches!(received, Err(DecodeError::Receive(_)));
            while !ended(receiver.recv::<(String, Vec<u16>, Option<Vec<u8>>)>()) {}
        })?;
    }
}

#[cfg(feature = "pickle")]
mod pickle {
    use std::collections::BTreeMap;

    use midput_real::codec::pickle::Value;
    use midput_real::codec::{Format, Pickle};

    use super::*;

    /// A value takes more than the bytes that it is written in: so much for each of them …
    const FACTOR: u64 = 512;
    /// … and so much more where values are shared.
    const CONSTANT: u64 = 8 << 20;

    /// What builds a value that may refer to the first four of all, or be one of them.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            prop::sample::select(vec![
                &b"N"[..],
                b"K\x01",
                b"\x8c\x01a",
                b"C\x02ab",
                b"]",
                b"}",
                b")",
                b"\x8f",
                b"\x8a\x01\x80",
                b"G\x00\x00\x00\x00\x00\x00\x00\x00",
            ])
            .prop_map(<[u8]>::to_vec),
            (0..4u8).prop_map(|key| vec![b'h', key]),
        ];
        leaf.prop_recursive(6, 60, 5, |inner| {
            let of = |begin: &'static [u8], end: &'static [u8], items: Vec<Vec<u8>>| {
                [begin, &items.concat(), end].concat()
            };
            let key = prop_oneof![4 => Just(None), 1 => (0..4u8).prop_map(Some)];
            let items = vec(inner, 0..6);
            let built = prop_oneof![
                items.clone().prop_map(move |items| of(b"](", b"e", items)),
                items.clone().prop_map(move |items| of(b"(", b"t", items)),
                items.clone().prop_map(move |items| of(b"\x8f(", b"\x90", items)),
                items.prop_map(move |items| of(b"}(", b"u", [items.clone(), items].concat())),
            ];
            (built, key).prop_map(|(mut built, key)| {
                built.extend(key.into_iter().flat_map(|key| [b'q', key]));
                built
            })
        })
    }

    proptest! {
        #[test]
        fn pickles_are_data_or_errors(
            piece in piece(),
            repeated in 1..300usize,
            changes in prop_oneof![Just(Vec::new()), vec((any::<Index>(), any::<u8>()), 1..4)],
        ) {
            let first = b"(Nq\x00Nq\x01Nq\x02Nq\x03](";
            // Much of the same: what is small for one of them may be large for all.
            let mut bytes = [&first[..], &piece.repeat(repeated), b"et."].concat();
            for &(index, byte) in &changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            let mut value = None;
            let most = CONSTANT + FACTOR * bytes.len() as u64;
            bounded(most, || value = Pickle::from_bytes::<Value>(&bytes).ok())?;
            bounded(most, || drop(Pickle::from_bytes::<BTreeMap<String, Vec<f64>>>(&bytes)))?;
            // Only what it shares may make it too large for its bytes.
            prop_assert!(value.is_some() || !changes.is_empty() || piece.contains(&b'q'));
        }

        #[test]
        fn any_bytes_are_a_pickle_or_an_error(bytes in vec(any::<u8>(), 0..100)) {
            let most = CONSTANT + FACTOR * bytes.len() as u64;
            bounded(most, || drop(Pickle::from_bytes::<Value>(&bytes)))?;
        }
    }

    /// Ten lists of ten lists of ten: a few bytes that say a lot.
    #[test]
    fn sharing_does_not_multiply_memory() {
        for levels in 1..30_u8 {
            let mut bytes = b"\x80\x04]\x94".to_vec();
            for level in 0..levels {
                bytes.extend(b"]\x94(");
                bytes.extend([b'h', level].repeat(10));
                bytes.push(b'e');
            }
            // Only the last is wanted: a tuple of all would hold the first as well.
            let bytes = [b"(", &bytes[2..], b"t."].concat();
            let most = CONSTANT + FACTOR * bytes.len() as u64;
            bounded(most, || drop(Pickle::from_bytes::<Value>(&bytes))).unwrap();
        }
    }
}
