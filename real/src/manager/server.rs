//! The server: it accepts connections, and each has a thread of its own that carries frames
//! between its client and the one [`State`].

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::protocol::{QueueId, Refusal};
use super::session::Session;
use super::state::{Effect, Event, OutOfTurn, SessionId, State};
use super::{Form, Key, Limits};
use crate::interrupted::uninterrupted;
use crate::os::{Address, Awaited, Os, Site, Wait};

/// How long the server waits before it accepts again where the system has nothing left.
const PAUSE: Duration = Duration::from_millis(50);

/// What a server is made of.
pub struct Server<O: Os> {
    pub(super) os: O,
    pub(super) key: Key,
    pub(super) limits: Limits,
    /// Whether clients must be of the same user: where they come over a Unix socket.
    pub(super) same_user: bool,
    shared: Mutex<Shared<O>>,
}

struct Shared<O: Os> {
    state: State,
    sessions: BTreeMap<SessionId, Mailbox<O>>,
    opened: u64,
}

/// What other sessions have for this one.
struct Mailbox<O: Os> {
    effects: VecDeque<Effect>,
    /// The writing end of the pipe that wakes it.
    waker: O::Descriptor,
    /// Whether a byte is in that pipe, or will be.
    woken: bool,
}

impl<O: Os> Server<O> {
    /// A server without queues and clients.
    pub fn new(os: O, address: &Address, key: Key, limits: Limits) -> Arc<Self> {
        Self::of_form(Form::Closed, os, address, key, limits)
    }

    /// The same in another form, for who wants to see what CPython's does.
    pub fn of_form(form: Form, os: O, address: &Address, key: Key, limits: Limits) -> Arc<Self> {
        let state = State::new(form, limits.queues);
        let shared = Shared { state, sessions: BTreeMap::new(), opened: 0 };
        let same_user = matches!(address, Address::Unix(_));
        Arc::new(Self { os, key, limits, same_user, shared: Mutex::new(shared) })
    }

    fn shared(&self) -> MutexGuard<'_, Shared<O>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a queue for at most `maxsize` items, as a client would; 0 is no bound.
    ///
    /// # Errors
    /// Where there are as many as are allowed.
    pub fn create(&self, maxsize: u32) -> Result<QueueId, Refusal> {
        self.shared().state.create(maxsize)
    }

    /// Serves until the other end of `lifeline` is closed, which is for ever where nobody has it.
    /// Sessions go on until their process ends or their clients go.
    ///
    /// Steps: `server.wait`, `server.accept`, `session.start`, and with nothing left for a
    /// connection `server.pause`.
    ///
    /// # Errors
    /// What the system says where it takes the listener or the lifeline away.
    pub async fn serve(
        self: Arc<Self>,
        listener: O::Descriptor,
        lifeline: O::Descriptor,
    ) -> io::Result<()> {
        let os = self.os;
        loop {
            let ends = [Awaited::Readable(&lifeline), Awaited::Readable(&listener)];
            let wait = Site::new("server.wait");
            if uninterrupted(|| os.wait_any(&ends, Wait::Forever, wait)).await?[0] {
                return Ok(());
            }
            if self.accept(&listener).await.is_err() {
                // What the listener says is that somebody else has to close something first.
                let soon = Wait::Until(os.now().saturating_add(PAUSE));
                let pause = Site::new("server.pause");
                uninterrupted(|| os.poll(&lifeline, soon, pause)).await?;
            }
        }
    }

    async fn accept(self: &Arc<Self>, listener: &O::Descriptor) -> io::Result<()> {
        let os = self.os;
        let socket = os.accept(listener, Site::new("server.accept")).await?;
        let started = self.start_session(&socket).await;
        if started.is_err() {
            let _ = os.close(&socket, Site::new("session.close")).await;
        }
        started
    }

    async fn start_session(self: &Arc<Self>, socket: &O::Descriptor) -> io::Result<()> {
        let (reader, waker) = self.os.pipe()?;
        let session = Session::new(Arc::clone(self), self.open(waker.clone()), socket, &reader);
        let identifier = session.identifier();
        let name = format!("session{}", identifier.0);
        let body = move || session.run();
        let started = self.os.thread_start(&name, body, Site::new("session.start")).await;
        if let Err(error) = started {
            self.forget(identifier).await;
            let _ = self.os.close(&reader, Site::new("session.close")).await;
            return Err(error);
        }
        Ok(())
    }

    fn open(&self, waker: O::Descriptor) -> SessionId {
        let mut shared = self.shared();
        shared.opened += 1;
        let session = SessionId(shared.opened);
        let mailbox = Mailbox { effects: VecDeque::new(), waker, woken: false };
        shared.sessions.insert(session, mailbox);
        session
    }

    /// Whether there are more connections than are allowed.
    pub(super) fn is_crowded(&self) -> bool {
        self.shared().sessions.len() > self.limits.connections
    }

    /// Takes note of an event, and wakes the sessions that have something to do then.
    ///
    /// Step: `session.wake`, once for each of them.
    pub(super) async fn apply(&self, event: Event, by: SessionId) -> Result<(), OutOfTurn> {
        let (applied, wakers) = self.apply_and_post(event, by);
        for waker in wakers {
            // Who has just ended needs no waking.
            let _ = self.os.write(&waker, &[0], Site::new("session.wake")).await;
        }
        applied
    }

    fn apply_and_post(
        &self,
        event: Event,
        by: SessionId,
    ) -> (Result<(), OutOfTurn>, Vec<O::Descriptor>) {
        let (mut effects, mut wakers) = (Vec::new(), Vec::new());
        let mut shared = self.shared();
        let applied = shared.state.apply(event, &mut effects);
        for effect in effects {
            let session = effect.session();
            let Some(mailbox) = shared.sessions.get_mut(&session) else { continue };
            mailbox.effects.push_back(effect);
            if session != by && !mailbox.woken {
                mailbox.woken = true;
                wakers.push(mailbox.waker.clone());
            }
        }
        (applied, wakers)
    }

    /// The next that a session is to do.
    pub(super) fn next_effect(&self, session: SessionId) -> Option<Effect> {
        self.shared().sessions.get_mut(&session)?.effects.pop_front()
    }

    /// The session has read the byte that woke it: the next effect needs another.
    pub(super) fn has_woken(&self, session: SessionId) {
        if let Some(mailbox) = self.shared().sessions.get_mut(&session) {
            mailbox.woken = false;
        }
    }

    /// The session has ended.
    pub(super) async fn forget(&self, session: SessionId) {
        // A session that is gone is told nothing, so that nothing is out of turn.
        let _ = self.apply(Event::Gone { session }, session).await;
        let mailbox = self.shared().sessions.remove(&session);
        if let Some(mailbox) = mailbox {
            let _ = self.os.close(&mailbox.waker, Site::new("session.close")).await;
        }
    }
}
