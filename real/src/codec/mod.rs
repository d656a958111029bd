//! How items become bytes: serde data through postcard or pickle, or bytes as they are.

#[cfg(feature = "pickle")]
pub mod pickle;
#[cfg(feature = "pickle")]
pub use pickle::Pickle;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why an item could not be encoded or decoded.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// How items of type `T` become the payload of a frame, and come back from it.
///
/// A queue encodes in its feeder thread, after `put` has returned, and decodes in the process that
/// gets. Decoding never runs what the bytes say; bytes that are no item are an error.
///
/// ```
/// use midput_real::codec::{Codec, CodecError};
///
/// /// Numbers as their decimal text, readable from any language.
/// struct Decimal;
///
/// impl Codec<u64> for Decimal {
///     fn encode(item: u64) -> Result<Vec<u8>, CodecError> {
///         Ok(item.to_string().into_bytes())
///     }
///
///     fn decode(payload: Vec<u8>) -> Result<u64, CodecError> {
///         Ok(String::from_utf8(payload)?.parse()?)
///     }
/// }
///
/// assert_eq!(Decimal::decode(Decimal::encode(42).unwrap()).unwrap(), 42);
/// assert!(Decimal::decode(b"x".to_vec()).is_err());
/// ```
pub trait Codec<T>: 'static {
    /// The payload that stands for this item.
    ///
    /// # Errors
    /// Where the item cannot be written in this format.
    fn encode(item: T) -> Result<Vec<u8>, CodecError>;

    /// The item that this payload stands for.
    ///
    /// # Errors
    /// Where the payload is no item: cut short, too long, or somebody else's bytes.
    fn decode(payload: Vec<u8>) -> Result<T, CodecError>;
}

/// How serde data of any type becomes bytes: what a [`Connection`](crate::Connection) writes
/// values in, which of one message to the next may have other types.
///
/// Each is a [`Codec`] of all these types as well.
pub trait Format: 'static {
    /// The bytes that stand for this value.
    ///
    /// # Errors
    /// Where the value cannot be written in this format.
    fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError>;

    /// The value that these bytes stand for.
    ///
    /// # Errors
    /// Where the bytes are no such value: cut short, too long, or somebody else's.
    fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError>;
}

impl<T: Serialize + DeserializeOwned, F: Format> Codec<T> for F {
    fn encode(item: T) -> Result<Vec<u8>, CodecError> {
        F::to_bytes(&item)
    }

    fn decode(payload: Vec<u8>) -> Result<T, CodecError> {
        F::from_bytes(&payload)
    }
}

/// serde data in the postcard format: compact, without field names or types.
///
/// It cannot carry data that describes itself while it is read, such as `serde_json::Value`,
/// `#[serde(untagged)]`, `#[serde(flatten)]` or `#[serde(skip_serializing_if = "…")]`: what reads
/// must have the same type as what wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

impl Format for Postcard {
    fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
        to_bytes(value)
    }

    fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        from_bytes(bytes)
    }
}

/// Bytes as they are: the item is the payload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes;

impl Codec<Vec<u8>> for Bytes {
    fn encode(item: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        Ok(item)
    }

    fn decode(payload: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        Ok(payload)
    }
}

/// Most items fit into so many bytes, and then nothing is moved while they are encoded.
const USUAL_BYTES: usize = 64;

pub(crate) fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(postcard::to_extend(value, Vec::with_capacity(USUAL_BYTES))?)
}

/// Bytes left over are an error: a frame that holds more than its item is not of this type, or
/// the stream has lost its place (`WF5`).
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(format!("{} bytes follow the item in its frame", rest.len()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_comes_back_and_leftovers_are_refused() {
        let mut payload = <Postcard as Codec<(String, u32)>>::encode(("a".to_owned(), 7)).unwrap();
        assert_eq!(<Postcard as Codec<(String, u32)>>::decode(payload.clone()).unwrap().1, 7);
        payload.push(0);
        let error = <Postcard as Codec<(String, u32)>>::decode(payload).unwrap_err();
        assert_eq!(error.to_string(), "1 bytes follow the item in its frame");
    }

    #[test]
    fn a_payload_cut_short_is_an_error() {
        let payload = <Postcard as Codec<String>>::encode("abc".to_owned()).unwrap();
        for length in 0..payload.len() {
            assert!(<Postcard as Codec<String>>::decode(payload[..length].to_vec()).is_err());
        }
    }
}
