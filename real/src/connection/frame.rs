//! The headers of frames (`WF1`), as bytes and as numbers.

/// Payloads up to this length travel in one write with their header (`WF2`).
pub(super) const SINGLE_WRITE: usize = 16_384;
/// Payloads up to this length have a header of 4 bytes (`WF1`).
const SHORT_LENGTH: usize = 0x7fff_ffff;
/// What stands in place of the length of a longer payload, whose length follows.
pub(super) const LONG_MARK: [u8; 4] = (-1_i32).to_be_bytes();

/// How a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The length alone.
    Short([u8; 4]),
    /// [`LONG_MARK`], and then this length.
    Long([u8; 8]),
}

impl Header {
    /// The header of a payload of this length.
    pub(super) fn of(length: usize) -> Self {
        match u32::try_from(length) {
            Ok(short) if length <= SHORT_LENGTH => Self::Short(short.to_be_bytes()),
            _ => Self::Long((length as u64).to_be_bytes()),
        }
    }
}

/// The length that the first four bytes of a frame say; `None` where it follows. A negative one
/// other than -1 is an empty message (`WF5`).
pub(super) fn short_length(header: [u8; 4]) -> Option<u64> {
    match i32::from_be_bytes(header) {
        -1 => None,
        length => Some(u64::try_from(length).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `WF1`, at the lengths where headers change; nobody needs to have so many bytes.
    #[test]
    fn a_header_says_its_length() {
        for (length, bytes) in [
            (0, [0, 0, 0, 0]),
            (1, [0, 0, 0, 1]),
            (16_385, [0, 0, 0x40, 1]),
            (0x7fff_ffff, [0x7f, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(Header::of(length), Header::Short(bytes));
            assert_eq!(short_length(bytes), Some(length as u64));
        }
        for length in [0x8000_0000_usize, 0xffff_ffff, 0x1_0000_0000, usize::MAX] {
            assert_eq!(Header::of(length), Header::Long((length as u64).to_be_bytes()));
        }
        assert_eq!(LONG_MARK, [0xff; 4]);
        assert_eq!(short_length(LONG_MARK), None);
    }

    /// `WF5`.
    #[test]
    fn a_negative_length_is_none() {
        for header in [[0x80, 0, 0, 0], [0x80, 4, 0x95, 0], [0xff, 0xff, 0xff, 0xfe]] {
            assert_eq!(short_length(header), Some(0));
        }
    }
}
