//! What may travel only while a process is being started: objects that are inherited (`Q2`).
//!
//! serde has no place for a context, so it stands in the thread for as long as one value is
//! encoded or decoded. Nothing waits in between.

use std::any::Any;
use std::cell::RefCell;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ThisProcess;
use crate::os::{Exported, Os};

thread_local! {
    /// What the process that is being started will inherit; none where none is being started.
    static INHERIT: RefCell<Option<Vec<Exported>>> = const { RefCell::new(None) };
    /// The process whose argument is being decoded.
    static RECEIVER: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// An object was to be sent by other means than the start of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "queues and connections are shared by inheritance only: \
     pass them in the argument with which a process is started"
)]
pub struct OnlyByInheritance;

/// Runs `encode` while a process is being started, and returns what the process must inherit.
pub(crate) fn while_starting<R>(encode: impl FnOnce() -> R) -> (R, Vec<Exported>) {
    /// Ends the context also where encoding panics.
    struct Ended;
    impl Drop for Ended {
        fn drop(&mut self) {
            INHERIT.set(None);
        }
    }

    INHERIT.set(Some(Vec::new()));
    let _ended = Ended;
    let result = encode();
    (result, INHERIT.take().unwrap_or_default())
}

/// Adds to what the process that is being started inherits.
///
/// A type that stands for kernel objects calls it where it is serialized.
///
/// # Errors
/// Where no process is being started in this thread.
pub fn inherit(objects: &[Exported]) -> Result<(), OnlyByInheritance> {
    INHERIT.with_borrow_mut(|inherit| {
        let inherit = inherit.as_mut().ok_or(OnlyByInheritance)?;
        inherit.reserve(objects.len());
        for object in objects {
            if !inherit.contains(object) {
                inherit.push(*object);
            }
        }
        Ok(())
    })
}

/// Runs `decode` while this process receives its argument.
pub(crate) fn while_receiving<O: Os, R>(this: &ThisProcess<O>, decode: impl FnOnce() -> R) -> R {
    /// Ends the context also where decoding panics.
    struct Ended;
    impl Drop for Ended {
        fn drop(&mut self) {
            RECEIVER.set(None);
        }
    }

    RECEIVER.set(Some(Box::new(this.clone())));
    let _ended = Ended;
    decode()
}

/// The process whose argument is being decoded.
pub(crate) fn receiving_process<O: Os>() -> Result<ThisProcess<O>, OnlyByInheritance> {
    RECEIVER.with_borrow(|receiver| {
        let this = receiver.as_ref().and_then(|this| this.downcast_ref::<ThisProcess<O>>());
        this.cloned().ok_or(OnlyByInheritance)
    })
}

/// A descriptor on its way to a child, which inherits it.
pub(crate) struct Inherited<O: Os>(pub(crate) O::Descriptor);

/// Only while a process is being started.
impl<O: Os> Serialize for Inherited<O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = O::default().export_descriptor(&self.0).map_err(S::Error::custom)?;
        inherit(&[end]).map_err(S::Error::custom)?;
        end.serialize(serializer)
    }
}

/// Only while a worker's argument is being decoded.
impl<'de, O: Os> Deserialize<'de> for Inherited<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let os = receiving_process::<O>().map_err(D::Error::custom)?.os();
        let end = Exported::deserialize(deserializer)?;
        os.import_descriptor(end).map(Self).map_err(D::Error::custom)
    }
}
