//! How a connection reaches a child process: by the number of its descriptor.

use std::io;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Connection, Direction, is_closed_descriptor};
use crate::os::{Exported, Os};
use crate::process::passing;

/// What stands for a descriptor that the parent has closed: starting a process with it fails.
const CLOSED: Exported = Exported { descriptor: -1, index: 0 };

/// The name of a descriptor. A closed one has a name too, which starting a process refuses with
/// `EBADF`: that is where the mistake shows.
pub(crate) fn export_descriptor<O: Os>(os: O, end: &O::Descriptor) -> io::Result<Exported> {
    match os.export_descriptor(end) {
        Err(error) if is_closed_descriptor(&error) => Ok(CLOSED),
        result => result,
    }
}

/// Only while a process is being started, as a queue.
impl<O: Os, F> Serialize for Connection<O, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = export_descriptor(self.os(), self.descriptor()).map_err(S::Error::custom)?;
        passing::inherit(&[end]).map_err(S::Error::custom)?;
        // What a message that was too long has spoiled is spoiled there as well, as in CPython.
        let direction = if self.is_readable() { self.direction() } else { Direction::Write };
        (direction, end).serialize(serializer)
    }
}

/// Only while a worker's argument is being decoded.
impl<'de, O: Os, F> Deserialize<'de> for Connection<O, F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (direction, end) = <(Direction, Exported)>::deserialize(deserializer)?;
        let os = passing::receiving_process::<O>().map_err(D::Error::custom)?.os();
        let descriptor = os.import_descriptor(end).map_err(D::Error::custom)?;
        Ok(Self::new(os, descriptor, direction))
    }
}
