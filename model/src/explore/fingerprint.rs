//! 64 bits that stand for a state: the same on every run and every little-endian machine.

use std::hash::{Hash, Hasher};

/// The fractional digits of π, in two parts: odd, with about as many ones as zeros.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const MULTIPLIER: u64 = 0x1319_8a2e_0370_7345;

/// A hasher by multiplication: each word is mixed in by a product of 128 bits whose halves are
/// then folded into one, so that every bit of the word reaches every bit of the result.
///
/// It is no defence against chosen inputs, which states are not.
#[derive(Clone, Debug)]
pub struct Fingerprinter(u64);

impl Fingerprinter {
    /// A hasher that has read nothing.
    pub fn new() -> Self {
        Self(SEED)
    }

    fn mix(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, MULTIPLIER).wrapping_add(SEED);
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Hasher for Fingerprinter {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            // The length in the highest byte tells [1] from [1, 0].
            last[7] = rest.len() as u8;
            self.mix(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    // The signed forms and `isize`, which discriminants of enums use, come here by default.

    fn finish(&self) -> u64 {
        fold(self.0, SEED | 1) ^ self.0.rotate_left(32)
    }
}

/// The fingerprint of a value.
pub fn fingerprint<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = Fingerprinter::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_flipped_bit_flips_about_half_of_the_fingerprint() {
        for words in [1usize, 2, 5] {
            let mut total = 0;
            for bit in 0..words * 64 {
                let mut value = vec![0x0123_4567_89ab_cdefu64; words];
                let before = fingerprint(&value);
                value[bit / 64] ^= 1 << (bit % 64);
                let flipped = (before ^ fingerprint(&value)).count_ones();
                assert!(
                    (10..=54).contains(&flipped),
                    "bit {bit} of {words} words: {flipped}"
                );
                total += flipped;
            }
            let mean = f64::from(total) / (words * 64) as f64;
            assert!((30.0..34.0).contains(&mean), "{words} words: {mean}");
        }
    }

    #[test]
    fn small_values_have_different_fingerprints() {
        let mut all = Vec::new();
        for first in 0..64u8 {
            for second in 0..64u16 {
                for third in 0..64u32 {
                    all.push(fingerprint(&(first, second, third)));
                }
            }
        }
        assert_different(all);
        assert_different(
            (0..64)
                .map(|length| fingerprint(&vec![0u8; length]))
                .collect(),
        );
        assert_different((0..64).map(|place| fingerprint(&(1u64 << place))).collect());
    }

    fn assert_different(mut all: Vec<u64>) {
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_fingerprint_is_the_same_on_every_run() {
        assert_eq!(
            fingerprint(&(7u8, "queue", [1u64, 2])),
            11_060_310_623_023_788_431
        );
    }
}
