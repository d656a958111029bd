//! The bytes that stand for an item, and how to know it again.

use midput_model::program::{ItemId, Outcome, Program};

/// The payload of an item: its number in the first two bytes (in one where there is one), the
/// rest filled with a byte that follows from it.
pub(crate) fn make(item: ItemId, bytes: u32) -> Vec<u8> {
    let mut payload = vec![filling(item); bytes as usize];
    for (place, byte) in payload.iter_mut().zip(item.0.to_le_bytes()) {
        *place = byte;
    }
    payload
}

/// The item whose bytes these are, every one of them; garbage if they are nobody's.
pub(crate) fn identify(program: &Program, payload: &[u8]) -> Outcome {
    let number = match *payload {
        [] => return Outcome::Garbage,
        [low] => u16::from(low),
        [low, high, ..] => u16::from_le_bytes([low, high]),
    };
    let intact = program.items.get(usize::from(number)).is_some_and(|item| {
        item.bytes as usize == payload.len()
            && payload.iter().skip(2).all(|&byte| byte == filling(ItemId(number)))
    });
    if intact { Outcome::Item(ItemId(number)) } else { Outcome::Garbage }
}

fn filling(item: ItemId) -> u8 {
    item.0.to_le_bytes()[0].wrapping_mul(31) ^ 0x5a
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
        let program =
            Program { items: [1, 2, 3, 5000].map(item).into(), ..Program::default() };
        for (number, bytes) in (0..).zip([1, 2, 3, 5000]) {
            let mut payload = make(ItemId(number), bytes);
            assert_eq!(identify(&program, &payload), Outcome::Item(ItemId(number)));
            *payload.last_mut().unwrap() ^= 0x80;
            assert_eq!(identify(&program, &payload), Outcome::Garbage);
        }
    }
}
