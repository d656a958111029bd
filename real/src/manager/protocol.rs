//! The frames between a manager's server and its clients.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 |
//! | 1 | kind |
//! | 8 | request: the number that the client gave to its call; 0 in the handshake |
//! | 4 | length of the rest |
//!
//! Numbers are little endian. A client has one call under way on a connection: it asks, the
//! server answers with the same request number. Two frames may follow a call: [`Message::Hurry`],
//! when the caller's time is up, and [`Message::Accept`], which takes the item that was delivered.
//!
//! Decoding runs nothing and allocates nothing beyond what has arrived: a length is refused by the
//! header that announces it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The version of this protocol. A server and a client of different versions refuse each other.
pub const VERSION: u8 = 1;
/// The bytes of a frame before its content.
pub const HEADER: usize = 14;
/// The bytes of a nonce and of a proof.
pub const SECRET: usize = 32;

/// A queue of a manager, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueId(pub u32);

/// A process that uses a manager, by the random number that it gave itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which call it belongs to.
    pub request: u64,
    /// What it says.
    pub message: Message,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The server begins the handshake.
    Challenge {
        /// Random bytes of the server.
        nonce: [u8; SECRET],
    },
    /// The client proves that it has the key, and asks the same of the server.
    Proof {
        /// Who it is.
        client: ClientId,
        /// Random bytes of the client.
        nonce: [u8; SECRET],
        /// What proves that the key is known, and does not show it.
        proof: [u8; SECRET],
    },
    /// The server proves that it has the key, and the handshake is over.
    Welcome {
        /// The longest item that it takes, in bytes.
        largest_item: u32,
        /// What proves that the key is known, and does not show it.
        proof: [u8; SECRET],
    },
    /// A call.
    Call(Call),
    /// The caller's time is up: the call ends as one that does not wait.
    Hurry,
    /// The client has received the item of the call, and takes it.
    Accept,
    /// The answer to a call.
    Answer(Answer),
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Makes a queue for at most `maxsize` items; 0 is no bound.
    Create {
        /// The bound.
        maxsize: u32,
    },
    /// Puts an item.
    Put {
        /// Where to.
        queue: QueueId,
        /// Whether to wait for room.
        wait: bool,
        /// The item, opaque to the server.
        item: Arc<Vec<u8>>,
    },
    /// Gets an item.
    Get {
        /// Where from.
        queue: QueueId,
        /// Whether to wait for an item.
        wait: bool,
    },
    /// How many items are inside.
    Size {
        /// Of which queue.
        queue: QueueId,
    },
    /// One item that was got is done.
    TaskDone {
        /// Of which queue.
        queue: QueueId,
    },
    /// Waits until all items that were put are done.
    Join {
        /// Of which queue.
        queue: QueueId,
        /// Whether to wait at all.
        wait: bool,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// The queue was made.
    Created(QueueId),
    /// An item, which is not taken until the client accepts it.
    Item(Arc<Vec<u8>>),
    /// How many items are inside, and the most there can be.
    Size {
        /// Items that were put and that nobody has taken.
        size: u64,
        /// The bound; 0 is none.
        maxsize: u32,
    },
    /// There was no room.
    Full,
    /// There was no item.
    Empty,
    /// Every item that was put is done already.
    NothingToDo,
    /// So many items are not done yet.
    Unfinished(u64),
    /// So many items are not done, and those who got them are gone.
    Missing(u64),
    /// The server does not do this.
    Refused(Refusal),
}

/// Why the server does not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The client's key is another.
    #[error("the key is not the server's")]
    Key,
    /// There are as many connections as the server allows.
    #[error("the server has as many connections as it allows")]
    Connections,
    /// There are as many queues as the server allows.
    #[error("the server has as many queues as it allows")]
    Queues,
    /// There is no queue of this number.
    #[error("the server has no such queue")]
    NoQueue,
    /// What the client sent is no frame, or not now.
    #[error("the server could not make sense of what it received")]
    Protocol,
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// A frame of another version.
    #[error("a frame of version {0}, not {VERSION}")]
    Version(u8),
    /// A kind that this version does not have.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// A length that frames of this kind do not have.
    #[error("a frame of kind {kind} announces {length} bytes")]
    Length {
        /// The kind.
        kind: u8,
        /// The length that it announces.
        length: u32,
    },
    /// A value that the place does not have.
    #[error("a frame of kind {0} holds a value that has no meaning")]
    Value(u8),
}

mod kind {
    pub(super) const CHALLENGE: u8 = 1;
    pub(super) const PROOF: u8 = 2;
    pub(super) const WELCOME: u8 = 3;
    pub(super) const HURRY: u8 = 4;
    pub(super) const ACCEPT: u8 = 5;

    pub(super) const CREATE: u8 = 16;
    pub(super) const PUT: u8 = 17;
    pub(super) const GET: u8 = 18;
    pub(super) const SIZE: u8 = 19;
    pub(super) const TASK_DONE: u8 = 20;
    pub(super) const JOIN: u8 = 21;

    pub(super) const DONE: u8 = 32;
    pub(super) const CREATED: u8 = 33;
    pub(super) const ITEM: u8 = 34;
    pub(super) const SIZES: u8 = 35;
    pub(super) const FULL: u8 = 36;
    pub(super) const EMPTY: u8 = 37;
    pub(super) const NOTHING_TO_DO: u8 = 38;
    pub(super) const UNFINISHED: u8 = 39;
    pub(super) const MISSING: u8 = 40;
    pub(super) const REFUSED: u8 = 41;
}

/// The bytes of a put beside its item: the queue, and whether to wait.
const PUT_FIXED: u32 = 5;

/// The lengths that the content of a frame may have; `None` for an unknown kind.
fn lengths(kind: u8, largest_item: u32) -> Option<std::ops::RangeInclusive<u32>> {
    const PROOF: u32 = SECRET as u32;
    let exactly = |length| Some(length..=length);
    match kind {
        kind::HURRY | kind::ACCEPT | kind::DONE | kind::FULL | kind::EMPTY => exactly(0),
        kind::NOTHING_TO_DO => exactly(0),
        kind::REFUSED => exactly(1),
        kind::CREATE | kind::SIZE | kind::TASK_DONE | kind::CREATED => exactly(4),
        kind::GET | kind::JOIN => exactly(5),
        kind::UNFINISHED | kind::MISSING => exactly(8),
        kind::SIZES => exactly(12),
        kind::CHALLENGE => exactly(PROOF),
        kind::WELCOME => exactly(4 + PROOF),
        kind::PROOF => exactly(8 + 2 * PROOF),
        kind::PUT => Some(PUT_FIXED..=PUT_FIXED.saturating_add(largest_item)),
        kind::ITEM => Some(0..=largest_item),
        _ => None,
    }
}

/// The bytes of a frame.
pub fn encode(frame: &Frame) -> Vec<u8> {
    let mut bytes = vec![VERSION, 0];
    bytes.extend(frame.request.to_le_bytes());
    bytes.extend([0; 4]);
    bytes[1] = match &frame.message {
        Message::Challenge { nonce } => add(&mut bytes, kind::CHALLENGE, &[nonce]),
        Message::Proof { client, nonce, proof } => {
            add(&mut bytes, kind::PROOF, &[&client.0.to_le_bytes(), nonce, proof])
        }
        Message::Welcome { largest_item, proof } => {
            add(&mut bytes, kind::WELCOME, &[&largest_item.to_le_bytes(), proof])
        }
        Message::Hurry => kind::HURRY,
        Message::Accept => kind::ACCEPT,
        Message::Call(call) => encode_call(call, &mut bytes),
        Message::Answer(answer) => encode_answer(answer, &mut bytes),
    };
    // What is longer was refused where it was put (`Client::put`).
    let length = u32::try_from(bytes.len() - HEADER).unwrap_or(u32::MAX);
    bytes[HEADER - 4..HEADER].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn add(bytes: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) -> u8 {
    bytes.reserve(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    kind
}

fn encode_call(call: &Call, bytes: &mut Vec<u8>) -> u8 {
    match call {
        Call::Create { maxsize } => add(bytes, kind::CREATE, &[&maxsize.to_le_bytes()]),
        Call::Put { queue, wait, item } => {
            add(bytes, kind::PUT, &[&queue.0.to_le_bytes(), &[u8::from(*wait)], item])
        }
        Call::Get { queue, wait } => {
            add(bytes, kind::GET, &[&queue.0.to_le_bytes(), &[u8::from(*wait)]])
        }
        Call::Size { queue } => add(bytes, kind::SIZE, &[&queue.0.to_le_bytes()]),
        Call::TaskDone { queue } => add(bytes, kind::TASK_DONE, &[&queue.0.to_le_bytes()]),
        Call::Join { queue, wait } => {
            add(bytes, kind::JOIN, &[&queue.0.to_le_bytes(), &[u8::from(*wait)]])
        }
    }
}

fn encode_answer(answer: &Answer, bytes: &mut Vec<u8>) -> u8 {
    match answer {
        Answer::Done => kind::DONE,
        Answer::Created(queue) => add(bytes, kind::CREATED, &[&queue.0.to_le_bytes()]),
        Answer::Item(item) => add(bytes, kind::ITEM, &[item]),
        Answer::Size { size, maxsize } => {
            add(bytes, kind::SIZES, &[&size.to_le_bytes(), &maxsize.to_le_bytes()])
        }
        Answer::Full => kind::FULL,
        Answer::Empty => kind::EMPTY,
        Answer::NothingToDo => kind::NOTHING_TO_DO,
        Answer::Unfinished(tasks) => add(bytes, kind::UNFINISHED, &[&tasks.to_le_bytes()]),
        Answer::Missing(tasks) => add(bytes, kind::MISSING, &[&tasks.to_le_bytes()]),
        Answer::Refused(refusal) => {
            let position = REFUSALS.iter().position(|known| known == refusal);
            add(bytes, kind::REFUSED, &[&[position.unwrap_or_default() as u8]])
        }
    }
}

const REFUSALS: [Refusal; 5] =
    [Refusal::Protocol, Refusal::Key, Refusal::Connections, Refusal::Queues, Refusal::NoQueue];

/// The first frame of what has arrived, with its length in bytes; `None` where it has not arrived
/// whole. Items are at most `largest_item` bytes.
///
/// # Errors
/// Where it cannot become a frame, whatever follows.
pub fn decode(arrived: &[u8], largest_item: u32) -> Result<Option<(Frame, usize)>, BadFrame> {
    let mut header = Fields(arrived);
    let Some([version, kind]) = header.array() else {
        return match arrived.first() {
            Some(&version) if version != VERSION => Err(BadFrame::Version(version)),
            _ => Ok(None),
        };
    };
    if version != VERSION {
        return Err(BadFrame::Version(version));
    }
    let allowed = lengths(kind, largest_item).ok_or(BadFrame::Kind(kind))?;
    let (Some(request), Some(length)) = (header.long(), header.word()) else { return Ok(None) };
    if !allowed.contains(&length) {
        return Err(BadFrame::Length { kind, length });
    }
    let Some(content) = header.0.get(..length as usize) else { return Ok(None) };
    let message = message(kind, Fields(content)).ok_or(BadFrame::Value(kind))?;
    Ok(Some((Frame { request, message }, HEADER + content.len())))
}

/// How many bytes are missing of the header, or of the frame that it announces, where [`decode`]
/// says that the frame has not arrived whole.
pub fn missing(arrived: &[u8]) -> usize {
    match arrived.first_chunk::<HEADER>() {
        None => HEADER - arrived.len(),
        Some([.., a, b, c, d]) => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            HEADER.saturating_add(length).saturating_sub(arrived.len())
        }
    }
}

/// What a frame of this kind says; its length is right.
fn message(kind: u8, mut fields: Fields<'_>) -> Option<Message> {
    let answer = |answer| Some(Message::Answer(answer));
    let call = |call| Some(Message::Call(call));
    match kind {
        kind::CHALLENGE => Some(Message::Challenge { nonce: fields.array()? }),
        kind::PROOF => {
            let client = ClientId(fields.long()?);
            Some(Message::Proof { client, nonce: fields.array()?, proof: fields.array()? })
        }
        kind::WELCOME => {
            Some(Message::Welcome { largest_item: fields.word()?, proof: fields.array()? })
        }
        kind::HURRY => Some(Message::Hurry),
        kind::ACCEPT => Some(Message::Accept),
        kind::CREATE => call(Call::Create { maxsize: fields.word()? }),
        kind::PUT => {
            let (queue, wait) = (fields.queue()?, fields.truth()?);
            call(Call::Put { queue, wait, item: Arc::new(fields.0.to_vec()) })
        }
        kind::GET => call(Call::Get { queue: fields.queue()?, wait: fields.truth()? }),
        kind::SIZE => call(Call::Size { queue: fields.queue()? }),
        kind::TASK_DONE => call(Call::TaskDone { queue: fields.queue()? }),
        kind::JOIN => call(Call::Join { queue: fields.queue()?, wait: fields.truth()? }),
        kind::DONE => answer(Answer::Done),
        kind::CREATED => answer(Answer::Created(fields.queue()?)),
        kind::ITEM => answer(Answer::Item(Arc::new(fields.0.to_vec()))),
        kind::SIZES => answer(Answer::Size { size: fields.long()?, maxsize: fields.word()? }),
        kind::FULL => answer(Answer::Full),
        kind::EMPTY => answer(Answer::Empty),
        kind::NOTHING_TO_DO => answer(Answer::NothingToDo),
        kind::UNFINISHED => answer(Answer::Unfinished(fields.long()?)),
        kind::MISSING => answer(Answer::Missing(fields.long()?)),
        _ => {
            let [position] = fields.array()?;
            answer(Answer::Refused(*REFUSALS.get(usize::from(position))?))
        }
    }
}

/// Bytes that are read from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn word(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn queue(&mut self) -> Option<QueueId> {
        self.word().map(QueueId)
    }

    fn truth(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}
