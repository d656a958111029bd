//! Queues that a server process owns: the manager queue, in a closed form.
//!
//! Clients speak to the server over a Unix socket or TCP. Nothing is shared between clients, and
//! nothing is buffered in them, so that whoever is killed poisons nothing and leaving never waits
//! (`MQ5`, `MQ8`). What CPython's manager leaves open is closed here:
//!
//! - A get is delivered in two steps. An item whose client is gone before it took the item is the
//!   first of its queue again; it is not swallowed (`MQ4`, H14).
//! - A put that waits is carried out only after a look at its client, so that the put of a dead
//!   client is never carried out later (H15).
//! - A call that is given up takes its connection with it, and calls have numbers, so that no
//!   answer is taken for another's (`MQ7`).
//! - A `join` whose tasks went with a dead client says so (G10).
//!
//! What remains possible:
//!
//! - A get never returns an item twice, and never one that somebody else may get. The price is
//!   paid where the *connection* breaks between the client's acceptance and the server's
//!   confirmation: then the get fails, and its one item may be lost with it, counted as taken. On
//!   one machine that is only so where the server ends or has given the client up.
//! - A put whose connection broke may have been carried out or not, and its error says so.
//! - A client that is stopped while an item is on its way to it holds up the other gets of this
//!   queue until the server's [patience](Limits::patience) is over, which then takes the item
//!   back and ends its connection. A get that does not wait may take as long.
//! - A call with a timeout ends in time while the server answers. A server that is stopped or cut
//!   off is given its patience beyond that, and then the call ends with an error.
//! - All items are lost where the server dies (`MQ6`); every call says so then.
//! - Whoever has the key may make queues and fill them: the server's memory is theirs.
//!
//! [`state`] says what the server does, without a thread or a socket, and [`protocol`] what is on
//! the wire.

mod challenge;
mod client;
mod error;
mod link;
pub mod protocol;
mod queue;
mod server;
mod session;
pub mod state;

pub use challenge::{Handshake, Key};
pub use client::Client;
pub use error::{GetError, JoinError, ManagerError, PutError, TaskDoneError};
pub use queue::Queue;
pub use server::Server;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a server treats a client that dies in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The form described above: nothing is done for the dead.
    Closed,
    /// CPython's (`MQ4`): the thread of a connection stays in the call of a client that is gone,
    /// takes the next item for it and loses it (H14), or completes its put (H15); a `join` waits
    /// for ever for tasks that went with a dead client. For tests and for comparison.
    ///
    /// The protocol is that of the closed form, in which clients keep the clock: a call with a
    /// timeout whose client is gone waits here as one without, where CPython's would end in time.
    /// The answers of one connection are not mixed up (`MQ7`) in either form.
    Classic,
}

/// What a server takes upon itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The longest item, encoded, in bytes. A longer one is refused before its bytes are read.
    pub largest_item: u32,
    /// The most connections at once. One is used by each call that is under way, and kept.
    pub connections: usize,
    /// The most queues.
    pub queues: usize,
    /// How long a client may take for what it has begun: the handshake, the rest of a frame,
    /// receiving an answer, accepting an item. Its connection is ended then.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest_item: 64 * 1024 * 1024,
            connections: 512,
            queues: 4096,
            patience: Duration::from_secs(5),
        }
    }
}
