//! Threads of this process.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A thread that was started. It goes on when this is dropped, and ends with the process.
#[derive(Clone, Debug)]
pub struct Thread {
    handle: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Thread {
    pub(super) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let handle = thread::Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(Self { handle: Arc::new(Mutex::new(Some(handle))) })
    }

    /// Waits until it has ended, by a panic or otherwise. Who comes second waits with the first.
    /// A thread does not wait for itself.
    pub(super) fn join(&self) {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let own = thread::current().id();
        if let Some(handle) = handle.take_if(|handle| handle.thread().id() != own) {
            // What it panicked with has been printed.
            let _ = handle.join();
        }
    }
}
