//! Whatever bytes arrive, a pickle is data or an error, and data comes back as it was.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use midput_real::codec::pickle::Value;
use midput_real::codec::{Format, Pickle};

fuzz_target!(|bytes: &[u8]| {
    let _ = Pickle::from_bytes::<(String, Vec<Option<i32>>)>(bytes);
    let _ = Pickle::from_bytes::<BTreeMap<String, f64>>(bytes);
    if let Ok(value) = Pickle::from_bytes::<Value>(bytes) {
        let written = Pickle::to_bytes(&value).unwrap();
        let again = Pickle::from_bytes::<Value>(&written).unwrap();
        // Compared as bytes: what is not a number is not equal to itself.
        assert!(Pickle::to_bytes(&again).unwrap() == written);
    }
});
