//! One connection of the server.

use std::sync::Arc;
use std::time::Duration;

use super::challenge::Handshake;
use super::link::{Link, LinkError, Sites};
use super::protocol::{Answer, Frame, Message, Refusal, SECRET};
use super::server::Server;
use super::state::{Effect, Event, OutOfTurn, SessionId};
use crate::interrupted::uninterrupted;
use crate::os::{Awaited, Os, Site, Wait};

const SITES: Sites = Sites {
    wait: Site::new("session.wait"),
    read: Site::new("session.read"),
    send: Site::new("session.send"),
    close: Site::new("session.close"),
};

/// Why a session ends.
enum Ending {
    Link,
    /// The client is told why.
    Refused(Refusal),
}

impl From<LinkError> for Ending {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Bad(_) => Self::Refused(Refusal::Protocol),
            _ => Self::Link,
        }
    }
}

impl From<OutOfTurn> for Ending {
    fn from(_: OutOfTurn) -> Self {
        Self::Refused(Refusal::Protocol)
    }
}

/// One connection of the server, and what it waits for.
pub(super) struct Session<O: Os> {
    server: Arc<Server<O>>,
    identifier: SessionId,
    link: Link<O>,
    /// The reading end of the pipe that wakes it.
    wake: O::Descriptor,
    /// It is its turn, once it has seen that its client is there.
    looks: bool,
    /// When the frame that has begun must have arrived whole.
    frame_by: Option<Duration>,
    /// When the item that was delivered must have been accepted.
    accept_by: Option<Duration>,
}

impl<O: Os> Session<O> {
    pub(super) fn new(
        server: Arc<Server<O>>,
        identifier: SessionId,
        socket: &O::Descriptor,
        wake: &O::Descriptor,
    ) -> Self {
        let link = Link::new(server.os, socket.clone(), SITES);
        let wake = wake.clone();
        Self { server, identifier, link, wake, looks: false, frame_by: None, accept_by: None }
    }

    pub(super) fn identifier(&self) -> SessionId {
        self.identifier
    }

    /// Serves the client until one of them ends it.
    pub(super) async fn run(mut self) {
        let ending = match self.greet().await {
            Ok(()) => self.serve().await,
            Err(ending) => ending,
        };
        if let Ending::Refused(refusal) = ending {
            let message = Message::Answer(Answer::Refused(refusal));
            // Who does not want to know does not wait for it either.
            let _ = self.link.send(&Frame { request: 0, message }, Wait::Try).await;
        }
        // First the queues, then the connection: who sees it end finds the queues right.
        self.server.forget(self.identifier).await;
        let _ = self.server.os.close(&self.wake, SITES.close).await;
        self.link.close().await;
    }

    fn soon(&self) -> Duration {
        self.server.os.now().saturating_add(self.server.limits.patience)
    }

    /// The handshake, which ends in time.
    async fn greet(&mut self) -> Result<(), Ending> {
        let (os, wait) = (self.server.os, Wait::Until(self.soon()));
        if self.server.is_crowded() {
            return Err(Ending::Refused(Refusal::Connections));
        }
        let refused = |_| Ending::Refused(Refusal::Key);
        if self.server.same_user && !os.peer_is_same_user(self.link.socket()).map_err(refused)? {
            return Err(Ending::Refused(Refusal::Key));
        }
        let mut server_nonce = [0; SECRET];
        os.random(&mut server_nonce).map_err(LinkError::Io)?;
        let challenge = Message::Challenge { nonce: server_nonce };
        self.link.send(&Frame { request: 0, message: challenge }, wait).await?;
        let Message::Proof { client, nonce, proof } = self.link.receive(wait).await?.message else {
            return Err(Ending::Refused(Refusal::Protocol));
        };
        let handshake = Handshake { server_nonce, client_nonce: nonce, client };
        if !self.server.key.is_client(&handshake, &proof) {
            return Err(Ending::Refused(Refusal::Key));
        }
        let largest_item = self.server.limits.largest_item;
        let proof = self.server.key.server_proof(&handshake, largest_item);
        let welcome = Message::Welcome { largest_item, proof };
        self.link.send(&Frame { request: 0, message: welcome }, wait).await?;
        self.link.largest_item = largest_item;
        let session = self.identifier;
        self.server.apply(Event::Joined { session, client }, session).await?;
        Ok(())
    }

    async fn serve(&mut self) -> Ending {
        loop {
            if let Err(ending) = self.go_on().await {
                return ending;
            }
        }
    }

    /// Does one thing: sends what is to be sent, hears what has arrived, or waits.
    async fn go_on(&mut self) -> Result<(), Ending> {
        if let Some(effect) = self.server.next_effect(self.identifier) {
            return self.carry_out(effect).await;
        }
        if let Some(frame) = self.link.next()? {
            self.frame_by = None;
            return self.hear(frame).await;
        }
        let os = self.server.os;
        let ends = [Awaited::Readable(self.link.socket()), Awaited::Readable(&self.wake)];
        let (wait, site) = match self.looks {
            true => (Wait::Try, Site::new("session.look")),
            false => (self.wait(), SITES.wait),
        };
        let ready = uninterrupted(|| os.wait_any(&ends, wait, site)).await;
        match ready.map_err(LinkError::from)?[..] {
            [true, _] => self.read().await,
            [_, true] => self.woken().await,
            // Nothing has come and nothing has ended: the client is there and waits.
            _ if self.looks => {
                self.looks = false;
                let session = self.identifier;
                Ok(self.server.apply(Event::Present { session }, session).await?)
            }
            _ => Err(LinkError::Late.into()),
        }
    }

    /// A client that has begun nothing may take its time.
    fn wait(&self) -> Wait {
        let deadlines = [self.frame_by, self.accept_by];
        deadlines.into_iter().flatten().min().map_or(Wait::Forever, Wait::Until)
    }

    async fn read(&mut self) -> Result<(), Ending> {
        self.link.read().await?;
        if self.frame_by.is_none() {
            self.frame_by = Some(self.soon());
        }
        Ok(())
    }

    async fn woken(&mut self) -> Result<(), Ending> {
        let (os, mut byte) = (self.server.os, [0]);
        os.read(&self.wake, &mut byte, Site::new("session.woken")).await.map_err(LinkError::Io)?;
        self.server.has_woken(self.identifier);
        Ok(())
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<(), Ending> {
        let (request, answer) = match effect {
            Effect::Look { .. } => {
                self.looks = true;
                return Ok(());
            }
            Effect::Answer { request, answer, .. } => (request, answer),
        };
        let wait = self.soon();
        if matches!(answer, Answer::Item(_)) {
            self.accept_by = Some(wait);
        }
        let frame = Frame { request, message: Message::Answer(answer) };
        Ok(self.link.send(&frame, Wait::Until(wait)).await?)
    }

    async fn hear(&mut self, frame: Frame) -> Result<(), Ending> {
        let (session, request) = (self.identifier, frame.request);
        let event = match frame.message {
            Message::Call(call) => Event::Asked { session, request, call },
            Message::Hurry => Event::Hurried { session, request },
            Message::Accept => {
                self.accept_by = None;
                Event::Accepted { session, request }
            }
            _ => return Err(Ending::Refused(Refusal::Protocol)),
        };
        Ok(self.server.apply(event, session).await?)
    }
}
