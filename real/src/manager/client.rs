//! The client: calls over connections that it keeps for the next call.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::challenge::Handshake;
use super::error::{GetFailure, ManagerError, PutFailure};
use super::link::{Link, LinkError, Sites};
use super::protocol::{Answer, Call, ClientId, Frame, Message, QueueId, Refusal, SECRET};
use super::{JoinError, Key, TaskDoneError};
use crate::interrupted::uninterrupted;
use crate::os::{Address, Os, Site, Wait};
use crate::timeout::Timeout;

const SITES: Sites = Sites {
    wait: Site::new("answer.wait"),
    read: Site::new("answer.read"),
    send: Site::new("call.send"),
    close: Site::new("call.close"),
};

/// A process's access to a manager's server. Clones are the same client.
///
/// Each call has a connection to itself while it is under way, so that several threads may call at
/// once, and a call that is given up takes its connection with it: no later one gets its answer
/// (CPython's does, `MQ7`).
pub struct Client<O: Os> {
    shared: Arc<Shared<O>>,
}

struct Shared<O: Os> {
    os: O,
    address: Address,
    key: Key,
    identifier: ClientId,
    patience: Duration,
    idle: Mutex<Vec<Connection<O>>>,
}

/// A connection after the handshake.
struct Connection<O: Os> {
    link: Link<O>,
    requests: u64,
}

impl<O: Os> Clone for Client<O> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<O: Os> std::fmt::Debug for Client<O> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").field("address", &self.shared.address).finish()
    }
}

impl<O: Os> Client<O> {
    /// A client of the server that listens there. It connects when it is first used.
    ///
    /// Beyond its own timeout, each call gives the server `patience` to answer.
    ///
    /// # Errors
    /// What the system says where it has no random bytes.
    pub fn new(os: O, address: Address, key: Key, patience: Duration) -> io::Result<Self> {
        let mut identifier = [0; 8];
        os.random(&mut identifier)?;
        let identifier = ClientId(u64::from_le_bytes(identifier));
        let idle = Mutex::new(Vec::new());
        let shared = Shared { os, address, key, identifier, patience, idle };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Where its server listens.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    pub(super) fn key(&self) -> &Key {
        &self.shared.key
    }

    pub(super) fn patience(&self) -> Duration {
        self.shared.patience
    }

    /// Makes a queue in the server for at most `maxsize` items that were put and not taken; 0 is
    /// no bound. It is there as long as the server is.
    ///
    /// # Errors
    /// Where the server does not answer, or has as many queues as it allows.
    pub async fn create(&self, maxsize: u32) -> Result<QueueId, ManagerError> {
        match self.call(Call::Create { maxsize }, Timeout::NoWait).await? {
            Answer::Created(queue) => Ok(queue),
            answer => Err(unexpected(answer)),
        }
    }

    /// Puts an item; waits so long while the queue is full.
    pub(super) async fn put(
        &self,
        queue: QueueId,
        item: Arc<Vec<u8>>,
        timeout: Timeout,
    ) -> Result<(), PutFailure> {
        let call = Call::Put { queue, wait: waits(timeout), item };
        match self.call(call, timeout).await? {
            Answer::Done => Ok(()),
            Answer::Full => Err(PutFailure::Full),
            answer => Err(unexpected(answer).into()),
        }
    }

    /// Gets an item; waits so long while the queue is empty.
    pub(super) async fn get(
        &self,
        queue: QueueId,
        timeout: Timeout,
    ) -> Result<Vec<u8>, GetFailure> {
        match self.call(Call::Get { queue, wait: waits(timeout) }, timeout).await? {
            Answer::Item(item) => Ok(Arc::unwrap_or_clone(item)),
            Answer::Empty => Err(GetFailure::Empty),
            answer => Err(unexpected(answer).into()),
        }
    }

    /// How many items are inside, and the most there can be; 0 is no bound.
    pub(super) async fn size(&self, queue: QueueId) -> Result<(u64, u32), ManagerError> {
        match self.call(Call::Size { queue }, Timeout::NoWait).await? {
            Answer::Size { size, maxsize } => Ok((size, maxsize)),
            answer => Err(unexpected(answer)),
        }
    }

    pub(super) async fn task_done(&self, queue: QueueId) -> Result<(), TaskDoneError> {
        match self.call(Call::TaskDone { queue }, Timeout::NoWait).await? {
            Answer::Done => Ok(()),
            Answer::NothingToDo => Err(TaskDoneError::TooMany),
            answer => Err(unexpected(answer).into()),
        }
    }

    pub(super) async fn join(&self, queue: QueueId, timeout: Timeout) -> Result<(), JoinError> {
        match self.call(Call::Join { queue, wait: waits(timeout) }, timeout).await? {
            Answer::Done => Ok(()),
            Answer::Unfinished(tasks) => Err(JoinError::Unfinished(tasks)),
            Answer::Missing(tasks) => Err(JoinError::Missing(tasks)),
            answer => Err(unexpected(answer).into()),
        }
    }

    /// Ends the connections that no call uses. The next call makes a new one.
    ///
    /// Step: `call.close`, once for each.
    pub async fn disconnect(&self) {
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            connection.link.close().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection<O>>> {
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, call: Call, timeout: Timeout) -> Result<Answer, ManagerError> {
        let wait = timeout.starting_now(self.shared.os);
        let mut connection = match self.take_idle().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        if let Call::Put { item, .. } = &call {
            let most = connection.link.largest_item;
            if u32::try_from(item.len()).is_ok_and(|length| length <= most) {
                // It fits into a frame.
            } else {
                let length = item.len();
                self.idle().push(connection);
                return Err(ManagerError::TooLarge { length, most });
            }
        }
        match self.exchange(&mut connection, call, wait).await {
            Ok(answer) => {
                self.idle().push(connection);
                Ok(answer)
            }
            Err(error) => {
                connection.link.close().await;
                Err(error)
            }
        }
    }

    /// A connection that an earlier call has left, and that nothing has happened to since.
    async fn take_idle(&self) -> Option<Connection<O>> {
        loop {
            let connection = self.idle().pop()?;
            if !connection.link.is_disturbed().await {
                return Some(connection);
            }
            connection.link.close().await;
        }
    }

    /// Until when the server must have answered a call that waits so long.
    fn at_last(&self, wait: Wait) -> Wait {
        let patience = self.shared.patience;
        match wait {
            Wait::Forever => Wait::Forever,
            Wait::Try => Wait::Until(self.shared.os.now().saturating_add(patience)),
            Wait::Until(deadline) => Wait::Until(deadline.saturating_add(patience)),
        }
    }

    /// Sends a call and waits for its answer. A connection on which this failed, or was given up,
    /// is of no further use.
    async fn exchange(
        &self,
        connection: &mut Connection<O>,
        call: Call,
        wait: Wait,
    ) -> Result<Answer, ManagerError> {
        connection.requests += 1;
        let (request, at_last) = (connection.requests, self.at_last(wait));
        let link = &mut connection.link;
        link.send(&Frame { request, message: Message::Call(call) }, at_last).await?;
        let answer = match wait {
            Wait::Until(_) => match answer(link, request, wait).await {
                Err(LinkError::Late) => {
                    link.send(&Frame { request, message: Message::Hurry }, at_last).await?;
                    answer(link, request, at_last).await?
                }
                answer => answer?,
            },
            Wait::Forever | Wait::Try => answer(link, request, at_last).await?,
        };
        let Some(Answer::Item(item)) = answer else { return answer.ok_or(ManagerError::Protocol) };
        // Until the server says so it may have given the item to somebody else.
        link.send(&Frame { request, message: Message::Accept }, at_last).await?;
        match answer_or_late(link, request, at_last).await? {
            Answer::Done => Ok(Answer::Item(item)),
            answer => Err(unexpected(answer)),
        }
    }

    /// Connects and proves the key to the server, and has it prove it.
    async fn connect(&self) -> Result<Connection<O>, ManagerError> {
        let shared = &*self.shared;
        let os = shared.os;
        let wait = Wait::Until(os.now().saturating_add(shared.patience));
        let site = Site::new("connect");
        let connecting = uninterrupted(|| os.connect(&shared.address, wait, site)).await;
        let socket = connecting.map_err(ManagerError::Unreachable)?;
        let mut link = Link::new(os, socket, SITES);
        match self.greet(&mut link, wait).await {
            Ok(()) => Ok(Connection { link, requests: 0 }),
            Err(error) => {
                link.close().await;
                Err(error)
            }
        }
    }

    async fn greet(&self, link: &mut Link<O>, wait: Wait) -> Result<(), ManagerError> {
        let shared = &*self.shared;
        let unreachable = ManagerError::Unreachable;
        let is_unix = matches!(shared.address, Address::Unix(_));
        if is_unix && !shared.os.peer_is_same_user(link.socket()).map_err(unreachable)? {
            return Err(ManagerError::WrongKey);
        }
        let message = link.receive(wait).await?.message;
        let Message::Challenge { nonce: server_nonce } = message else {
            return Err(refused(message));
        };
        let (mut client_nonce, client) = ([0; SECRET], shared.identifier);
        shared.os.random(&mut client_nonce).map_err(ManagerError::Io)?;
        let handshake = Handshake { server_nonce, client_nonce, client };
        let proof = shared.key.client_proof(&handshake);
        let message = Message::Proof { client, nonce: client_nonce, proof };
        link.send(&Frame { request: 0, message }, wait).await?;
        let message = link.receive(wait).await?.message;
        let Message::Welcome { largest_item, proof } = message else {
            return Err(refused(message));
        };
        if !shared.key.is_server(&handshake, largest_item, &proof) {
            return Err(ManagerError::WrongKey);
        }
        link.largest_item = largest_item;
        Ok(())
    }
}

/// The answer to this call; `None` for a frame that is none.
async fn answer<O: Os>(
    link: &mut Link<O>,
    request: u64,
    wait: Wait,
) -> Result<Option<Answer>, LinkError> {
    let frame = link.receive(wait).await?;
    Ok(match frame.message {
        Message::Answer(Answer::Refused(refusal)) => Some(Answer::Refused(refusal)),
        Message::Answer(answer) if frame.request == request => Some(answer),
        _ => None,
    })
}

async fn answer_or_late<O: Os>(
    link: &mut Link<O>,
    request: u64,
    wait: Wait,
) -> Result<Answer, ManagerError> {
    answer(link, request, wait).await?.ok_or(ManagerError::Protocol)
}

fn waits(timeout: Timeout) -> bool {
    !matches!(timeout, Timeout::NoWait | Timeout::After(Duration::ZERO))
}

/// What the server says in place of the next part of the handshake.
fn refused(message: Message) -> ManagerError {
    match message {
        Message::Answer(answer) => unexpected(answer),
        _ => ManagerError::Protocol,
    }
}

fn unexpected(answer: Answer) -> ManagerError {
    match answer {
        Answer::Refused(Refusal::Key) => ManagerError::WrongKey,
        Answer::Refused(refusal) => ManagerError::Refused(refusal),
        _ => ManagerError::Protocol,
    }
}
