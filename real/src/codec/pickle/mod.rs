//! serde data in the format of Python's `pickle`, data only.

mod deserialize;
mod read;
#[cfg(test)]
mod tests;
mod value;

pub use read::DataOnly;
pub use value::Value;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_pickle::SerOptions;

use super::{CodecError, Format};

/// serde data as CPython pickles it: what `Connection.send` and `recv` of CPython speak.
///
/// `None`, booleans, numbers, `str`, `bytes`, lists, tuples, sets and dicts of such data arrive and
/// leave; a struct is a dict, a unit variant a string. A pickle that would
/// construct anything else, an instance of a class or the result of a call, is refused by its name
/// ([`DataOnly`]): receiving runs nothing. What is read is protocols 2 to 5, what is written
/// protocol 3, which every Python 3 reads.
///
/// A `bytearray`, which is a call before protocol 5, and integers beyond 64 bits are refused. A `Vec<u8>` is a list of numbers; bytes are
/// [`Value::Bytes`], or whatever serde calls bytes.
///
/// ```
/// use std::collections::BTreeMap;
/// use midput_real::codec::Pickle;
///
/// let (here, there) = midput_real::duplex_pipe()?;
/// // Over a descriptor that a Python process has the other end of, this is how to speak with it.
/// let (here, there) = (here.with_format::<Pickle>(), there.with_format::<Pickle>());
/// here.send(&BTreeMap::from([("spam", 1.5), ("ham", 2.0)]))?;
/// assert_eq!(there.recv::<BTreeMap<String, f64>>()?["spam"], 1.5);
///
/// // pickle.dumps(datetime.timezone.utc)
/// here.send_bytes(b"\x80\x03cdatetime\ntimezone\nq\x00.")?;
/// let error = there.recv::<String>().unwrap_err();
/// assert!(error.to_string().contains("datetime.timezone"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Pickle;

impl Format for Pickle {
    fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
        Ok(serde_pickle::to_vec(&value, SerOptions::new())?)
    }

    fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        let tree = read::read(bytes)?;
        Ok(T::deserialize(deserialize::Whole::of(&tree))?)
    }
}
