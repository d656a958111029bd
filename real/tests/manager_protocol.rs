//! The decoder of the manager's frames against what should never be sent.

use std::sync::Arc;

use midput_real::manager::protocol::{
    Answer, BadFrame, Call, ClientId, Frame, HEADER, Message, QueueId, Refusal, SECRET, VERSION,
    decode, encode, missing,
};
use proptest::prelude::*;

const LARGEST: u32 = 300;
/// What decoding may allocate beside the bytes that have arrived: an `Arc` around a `Vec`.
const CONSTANT: u64 = 64;

fn item() -> impl Strategy<Value = Arc<Vec<u8>>> {
    prop::collection::vec(any::<u8>(), 0..=LARGEST as usize).prop_map(Arc::new)
}

fn call() -> impl Strategy<Value = Call> {
    let queue = any::<u32>().prop_map(QueueId);
    prop_oneof![
        any::<u32>().prop_map(|maxsize| Call::Create { maxsize }),
        (queue.clone(), any::<bool>(), item()).prop_map(|(queue, wait, item)| Call::Put {
            queue,
            wait,
            item
        }),
        (queue.clone(), any::<bool>()).prop_map(|(queue, wait)| Call::Get { queue, wait }),
        queue.clone().prop_map(|queue| Call::Size { queue }),
        queue.clone().prop_map(|queue| Call::TaskDone { queue }),
        (queue, any::<bool>()).prop_map(|(queue, wait)| Call::Join { queue, wait }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let refusals =
        [Refusal::Key, Refusal::Connections, Refusal::Queues, Refusal::NoQueue, Refusal::Protocol];
    prop_oneof![
        Just(Answer::Done),
        any::<u32>().prop_map(|queue| Answer::Created(QueueId(queue))),
        item().prop_map(Answer::Item),
        (any::<u64>(), any::<u32>()).prop_map(|(size, maxsize)| Answer::Size { size, maxsize }),
        Just(Answer::Full),
        Just(Answer::Empty),
        Just(Answer::NothingToDo),
        any::<u64>().prop_map(Answer::Unfinished),
        any::<u64>().prop_map(Answer::Missing),
        prop::sample::select(refusals.to_vec()).prop_map(Answer::Refused),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let bytes = any::<[u8; SECRET]>();
    let message = prop_oneof![
        bytes.prop_map(|nonce| Message::Challenge { nonce }),
        (any::<u64>(), bytes, bytes).prop_map(|(client, nonce, proof)| Message::Proof {
            client: ClientId(client),
            nonce,
            proof
        }),
        (any::<u32>(), bytes)
            .prop_map(|(largest_item, proof)| Message::Welcome { largest_item, proof }),
        Just(Message::Hurry),
        Just(Message::Accept),
        call().prop_map(Message::Call),
        answer().prop_map(Message::Answer),
    ];
    (any::<u64>(), message).prop_map(|(request, message)| Frame { request, message })
}

/// Decodes, and holds what it allocates to what has arrived.
fn decode_bounded(arrived: &[u8], largest: u32) -> Result<Option<(Frame, usize)>, BadFrame> {
    let mut decoded = Ok(None);
    let allocated = allocation_counter::measure(|| decoded = decode(arrived, largest));
    let most = arrived.len() as u64 + CONSTANT;
    assert!(allocated.bytes_max <= most, "{} bytes of {}", allocated.bytes_max, arrived.len());
    decoded
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_comes_back_once_it_has_arrived_whole(frame in frame(), more in any::<[u8; 5]>()) {
        let mut bytes = encode(&frame);
        for length in 0..bytes.len() {
            prop_assert_eq!(decode_bounded(&bytes[..length], LARGEST), Ok(None));
            let part = if length < HEADER { HEADER } else { bytes.len() };
            prop_assert_eq!(missing(&bytes[..length]), part - length);
        }
        let length = bytes.len();
        bytes.extend(more);
        prop_assert_eq!(decode_bounded(&bytes, LARGEST), Ok(Some((frame, length))));
    }

    #[test]
    fn random_bytes_are_refused_or_understood(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_bounded(&bytes, LARGEST);
    }

    #[test]
    fn a_random_content_is_refused_or_understood(
        kind in any::<u8>(),
        request in any::<u64>(),
        length in prop_oneof![0..400_u32, any::<u32>()],
        content in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = vec![VERSION, kind];
        bytes.extend(request.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(content);
        // What is understood is what would have been sent.
        if let Ok(Some((frame, length))) = decode_bounded(&bytes, LARGEST) {
            prop_assert_eq!(encode(&frame), &bytes[..length]);
        }
    }

    #[test]
    fn a_mutated_frame_is_refused_or_another(
        frame in frame(),
        place in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let mut bytes = encode(&frame);
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        match decode_bounded(&bytes, LARGEST) {
            Ok(Some((other, length))) => {
                prop_assert_ne!(&other, &frame);
                prop_assert_eq!(encode(&other), &bytes[..length]);
            }
            Ok(None) => prop_assert!((HEADER - 4..HEADER).contains(&place) || place == 1),
            Err(_) => {}
        }
    }
}

#[test]
fn a_length_is_refused_by_the_header_that_announces_it() {
    let put = Call::Put { queue: QueueId(0), wait: true, item: Arc::new(vec![0; 11]) };
    let bytes = encode(&Frame { request: 1, message: Message::Call(put) });
    let header = &bytes[..HEADER];
    assert_eq!(decode(header, 11), Ok(None));
    assert_eq!(decode(header, 10), Err(BadFrame::Length { kind: 17, length: 16 }));
    // Before the handshake is over no item is taken at all.
    assert_eq!(decode(&bytes, 0), Err(BadFrame::Length { kind: 17, length: 16 }));
    assert_eq!(decode(&[2], 10), Err(BadFrame::Version(2)));
    assert_eq!(decode(&[VERSION, 99], 10), Err(BadFrame::Kind(99)));
}
