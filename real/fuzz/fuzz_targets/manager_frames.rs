//! Whatever bytes arrive, a manager's decoder ends, and what it understands is what would have been
//! sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use midput_real::manager::protocol::{decode, encode, missing};

/// The longest item.
const LARGEST: u32 = 1000;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some((frame, length))) = decode(rest, LARGEST) {
        assert_eq!(encode(&frame), rest[..length]);
        rest = &rest[length..];
    }
    if let Ok(None) = decode(rest, LARGEST) {
        assert!(missing(rest) > 0);
    }
});
