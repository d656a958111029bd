//! The bytes that stand for an item, and how to know it again.

use midput_model::program::{ItemId, Outcome, Program, payload_byte};

/// The payload of an item.
pub(crate) fn make(item: ItemId, bytes: u32) -> Vec<u8> {
    let mut payload = vec![payload_byte(item, bytes, 2); bytes as usize];
    for (place, index) in payload.iter_mut().zip(0..2) {
        *place = payload_byte(item, bytes, index);
    }
    payload
}

/// The item whose bytes these are, every one of them; garbage if they are nobody's.
pub(crate) fn identify(program: &Program, payload: &[u8]) -> Outcome {
    let number = match *payload {
        [] => return Outcome::Garbage,
        [low] => u16::from(low),
        [high, low, ..] => u16::from_be_bytes([high & 0x7f, low]),
    };
    let item = ItemId(number);
    let intact = program.items.get(usize::from(number)).is_some_and(|named| {
        let filling = payload_byte(item, named.bytes, 2);
        let begins = |(index, &byte)| byte == payload_byte(item, named.bytes, index);
        named.bytes as usize == payload.len()
            && (0..).zip(payload).take(2).all(begins)
            && payload.iter().skip(2).all(|&byte| byte == filling)
    });
    if intact { Outcome::Item(item) } else { Outcome::Garbage }
}

#[cfg(test)]
mod tests {
    use midput_model::program::{Item, ProcessId, QueueId};

    use super::*;

    #[test]
    fn an_item_is_known_again_and_a_changed_byte_is_garbage() {
        let item = |bytes| Item {
            name: format!("{bytes}"),
            bytes,
            producer: ProcessId(0),
            queue: QueueId(0),
        };
        let program = Program { items: [1, 2, 3, 5000].map(item).into(), ..Program::default() };
        for (number, bytes) in (0..).zip([1, 2, 3, 5000]) {
            let mut payload = make(ItemId(number), bytes);
            assert_eq!(identify(&program, &payload), Outcome::Item(ItemId(number)));
            *payload.last_mut().unwrap() ^= 0x80;
            assert_eq!(identify(&program, &payload), Outcome::Garbage);
        }
    }
}
