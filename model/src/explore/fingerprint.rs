//! 64 bits that stand for a state: the same on every run and every little-endian machine.

use std::hash::{Hash, Hasher};

/// The fractional digits of π, in two parts: odd, with about as many ones as zeros.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const MULTIPLIER: u64 = 0x1319_8a2e_0370_7345;

/// A hasher by multiplication: each word is mixed in by a product of 128 bits whose halves are
/// then folded into one, so that every bit of the word reaches every bit of the result.
///
/// Small values are first put side by side into one word, because states consist of many and a
/// product for each would take most of an exploration's time. It is no defence against chosen
/// inputs, which states are not.
#[derive(Clone, Debug)]
pub struct Fingerprinter {
    mixed: u64,
    /// What has been read since the last word was mixed in, lowest bits first.
    pending: u64,
    /// How many bits that is: fewer than 64.
    bits: u32,
}

impl Fingerprinter {
    /// A hasher that has read nothing.
    pub fn new() -> Self {
        Self { mixed: SEED, pending: 0, bits: 0 }
    }

    /// Reads a value of so many bits, from 8 to 64.
    #[inline]
    fn read(&mut self, value: u64, width: u32) {
        self.pending |= value << self.bits;
        self.bits += width;
        if self.bits >= u64::BITS {
            self.mixed = mix(self.mixed, self.pending);
            self.bits -= u64::BITS;
            // The bits that found no room, which are none where the word is just full.
            self.pending = value.checked_shr(width - self.bits).unwrap_or(0);
        }
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

fn mix(mixed: u64, word: u64) -> u64 {
    fold(mixed ^ word, MULTIPLIER).wrapping_add(SEED)
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Hasher for Fingerprinter {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.read(u64::from_le_bytes(*word), u64::BITS);
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.read(u64::from_le_bytes(last), u8::BITS * rest.len() as u32);
        }
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.read(u64::from(value), u8::BITS);
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.read(u64::from(value), u16::BITS);
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.read(u64::from(value), u32::BITS);
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.read(value, u64::BITS);
    }

    /// Lengths and the discriminants of enums: one byte for those below 255.
    #[inline]
    fn write_usize(&mut self, value: usize) {
        match u8::try_from(value) {
            Ok(small) if small < u8::MAX => self.write_u8(small),
            _ => {
                self.write_u8(u8::MAX);
                self.write_u64(value as u64);
            }
        }
    }

    // The signed forms and `isize`, which discriminants of enums use, come here by default.

    #[inline]
    fn finish(&self) -> u64 {
        // The number of pending bits tells [1] from [1, 0].
        let last = mix(self.mixed, self.pending) ^ u64::from(self.bits);
        fold(last, SEED | 1) ^ last.rotate_left(32)
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
                assert!((10..=54).contains(&flipped), "bit {bit} of {words} words: {flipped}");
                total += flipped;
            }
            let mean = f64::from(total) / (words * 64) as f64;
            assert!((30.0..34.0).contains(&mean), "{words} words: {mean}");
        }
    }

    #[test]
    fn every_bit_counts_where_values_straddle_words() {
        let mut all = vec![fingerprint(&(0u8, 0u64, 0u16, 0u64))];
        for place in 0..64 {
            all.push(fingerprint(&(0u8, 1u64 << place, 0u16, 0u64)));
            all.push(fingerprint(&(0u8, 0u64, 0u16, 1u64 << place)));
        }
        for place in 0..16 {
            all.push(fingerprint(&(0u8, 0u64, 1u16 << place, 0u64)));
        }
        assert_different(all);
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
        assert_different((0..600).map(|length| fingerprint(&vec![0u8; length])).collect());
        assert_different((0..600usize).map(|number| fingerprint(&number)).collect());
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
        assert_eq!(fingerprint(&(7u8, "queue", [1u64, 2])), 4_926_440_693_561_328_536);
    }
}
