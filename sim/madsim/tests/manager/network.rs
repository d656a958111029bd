//! An operating system over madsim's network: as much of [`Os`] as the manager asks for, so that
//! its server and its clients run on nodes that die, restart and are cut off.
//!
//! A lane is a task of its node. What a node of madsim cannot do (semaphores, processes, local
//! locks) is `Unsupported`, or a panic where the call has no error: the manager makes none of them.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::net::{TcpListener, TcpStream};
use madsim::rand::{RngCore, thread_rng};
use madsim::task::spawn_local;
use madsim::time::Instant;
use midput_real::os::{
    Address, Awaited, Exit, Exported, Os, SemaphoreSpecification, Signal, Site, Start, Wait,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read from the network at once.
const CHUNK: usize = 4096;

/// The operating system of a node of madsim.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeOs;

/// An end of a connection or of a local pipe, or a listener. Clones are the same.
#[derive(Clone)]
pub(crate) struct Descriptor(Arc<Mutex<Option<End>>>);

enum End {
    /// A stream, what it has brought and was not read yet, and whether it has ended.
    Stream { stream: Box<TcpStream>, arrived: Vec<u8>, ended: bool },
    /// A listener, and a connection that was accepted and not taken yet.
    Listener { address: SocketAddr, incoming: Option<Incoming>, accepted: Option<TcpStream> },
    /// The reading end of a pipe within a node.
    Reader(LocalPipe),
    /// The writing end.
    Writer(LocalPipe),
}

/// The accepts of a listener, one after the other.
type Incoming = Pin<Box<dyn Future<Output = (TcpListener, io::Result<TcpStream>)> + Send>>;
type LocalPipe = Arc<Mutex<Bytes>>;

/// What is in a pipe within a node.
#[derive(Default)]
struct Bytes {
    bytes: Vec<u8>,
    closed: bool,
    reader: Option<Waker>,
}

impl Bytes {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Descriptor {
    fn new(end: End) -> Self {
        Self(Arc::new(Mutex::new(Some(end))))
    }

    fn stream(stream: TcpStream) -> Self {
        Self::new(End::Stream { stream: Box::new(stream), arrived: Vec::new(), ended: false })
    }

    /// Whether something can be read, has ended, or can be accepted.
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match locked(&self.0).as_mut() {
            None => Poll::Ready(Err(io::Error::from_raw_os_error(9))),
            Some(End::Writer(_)) => Poll::Pending,
            Some(End::Reader(pipe)) => {
                let mut pipe = locked(pipe);
                if pipe.closed || !pipe.bytes.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                pipe.reader = Some(context.waker().clone());
                Poll::Pending
            }
            Some(End::Stream { stream, arrived, ended }) => {
                if *ended || !arrived.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let mut bytes = [0; CHUNK];
                let mut buffer = ReadBuf::new(&mut bytes);
                let read = Pin::new(&mut **stream).poll_read(context, &mut buffer);
                read.map(|read| {
                    arrived.extend(buffer.filled());
                    // A connection that was reset has ended as well.
                    *ended = read.is_err() || arrived.is_empty();
                    Ok(())
                })
            }
            Some(End::Listener { address, incoming, accepted }) => {
                if accepted.is_some() {
                    return Poll::Ready(Ok(()));
                }
                let next = incoming.get_or_insert_with(|| first_accept(*address));
                next.as_mut().poll(context).map(|(listener, stream)| {
                    *incoming = Some(Box::pin(accept(listener)));
                    *accepted = stream.ok();
                    Ok(())
                })
            }
        }
    }
}

fn first_accept(address: SocketAddr) -> Incoming {
    Box::pin(async move {
        let listener = TcpListener::bind(address).await;
        // A test that binds twice on a node is wrong.
        accept(listener.expect("nobody else listens there")).await
    })
}

async fn accept(listener: TcpListener) -> (TcpListener, io::Result<TcpStream>) {
    let accepted = listener.accept().await.map(|(stream, _)| stream);
    (listener, accepted)
}

/// Waits so long; `None` where the wait is over before.
async fn within<T>(wait: Wait, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let limit = match wait {
        Wait::Forever => return Some(future.await),
        Wait::Try => Duration::ZERO,
        Wait::Until(deadline) => deadline.saturating_sub(NodeOs.now()),
    };
    let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    match first {
        Poll::Ready(output) => Some(output),
        Poll::Pending if limit.is_zero() => None,
        Poll::Pending => madsim::time::timeout(limit, future).await.ok(),
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Os for NodeOs {
    type Semaphore = Infallible;
    type Descriptor = Descriptor;
    type Monitor = Infallible;
    type Thread = ();
    type Process = Infallible;

    fn now(&self) -> Duration {
        thread_local! {
            static ORIGIN: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
        }
        // Each run has a thread of its own.
        let origin = ORIGIN.get().unwrap_or_else(Instant::now);
        ORIGIN.set(Some(origin));
        origin.elapsed()
    }

    async fn point(&self, _: Site) {}

    fn semaphores<const N: usize>(
        &self,
        _: [SemaphoreSpecification; N],
    ) -> io::Result<[Infallible; N]> {
        unsupported()
    }

    async fn semaphore_wait(&self, semaphore: &Infallible, _: Wait, _: Site) -> io::Result<bool> {
        match *semaphore {}
    }

    async fn semaphore_post(&self, semaphore: &Infallible, _: Site) -> io::Result<()> {
        match *semaphore {}
    }

    async fn semaphore_value(&self, semaphore: &Infallible, _: Site) -> io::Result<u32> {
        match *semaphore {}
    }

    fn pipe(&self) -> io::Result<(Descriptor, Descriptor)> {
        let pipe = LocalPipe::default();
        Ok((Descriptor::new(End::Reader(Arc::clone(&pipe))), Descriptor::new(End::Writer(pipe))))
    }

    fn socket_pair(&self) -> io::Result<(Descriptor, Descriptor)> {
        unsupported()
    }

    async fn read(&self, end: &Descriptor, buffer: &mut [u8], _: Site) -> io::Result<usize> {
        poll_fn(|context| end.poll_ready(context)).await?;
        let mut taken = |bytes: &mut Vec<u8>| {
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            bytes.drain(..length);
            Ok(length)
        };
        match locked(&end.0).as_mut() {
            Some(End::Reader(pipe)) => taken(&mut locked(pipe).bytes),
            Some(End::Stream { arrived, .. }) => taken(arrived),
            _ => unsupported(),
        }
    }

    async fn write(&self, end: &Descriptor, buffer: &[u8], _: Site) -> io::Result<usize> {
        match locked(&end.0).as_ref() {
            Some(End::Writer(pipe)) => {
                let mut pipe = locked(pipe);
                pipe.bytes.extend(buffer);
                pipe.wake();
                Ok(buffer.len())
            }
            _ => unsupported(),
        }
    }

    async fn poll(&self, end: &Descriptor, wait: Wait, site: Site) -> io::Result<bool> {
        Ok(self.wait_any(&[Awaited::Readable(end)], wait, site).await?[0])
    }

    async fn wait_any(
        &self,
        awaited: &[Awaited<'_, Self>],
        wait: Wait,
        _: Site,
    ) -> io::Result<Vec<bool>> {
        let looked = poll_fn(|context| {
            let mut ready = Vec::with_capacity(awaited.len());
            for awaited in awaited {
                ready.push(match *awaited {
                    Awaited::Ended(process) => match *process {},
                    Awaited::Readable(end) => match end.poll_ready(context) {
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Ready(Ok(())) => true,
                        Poll::Pending => false,
                    },
                });
            }
            if ready.contains(&true) { Poll::Ready(Ok(ready)) } else { Poll::Pending }
        });
        within(wait, looked).await.unwrap_or_else(|| Ok(vec![false; awaited.len()]))
    }

    fn listen(&self, address: &Address) -> io::Result<(Descriptor, Address)> {
        let Address::Tcp(wanted) = address else { return unsupported() };
        let end = End::Listener { address: *wanted, incoming: None, accepted: None };
        Ok((Descriptor::new(end), address.clone()))
    }

    async fn accept(&self, listener: &Descriptor, _: Site) -> io::Result<Descriptor> {
        poll_fn(|context| listener.poll_ready(context)).await?;
        match locked(&listener.0).as_mut() {
            Some(End::Listener { accepted, .. }) => {
                let stream = accepted.take().ok_or(io::ErrorKind::ConnectionAborted)?;
                Ok(Descriptor::stream(stream))
            }
            _ => unsupported(),
        }
    }

    async fn connect(&self, address: &Address, wait: Wait, _: Site) -> io::Result<Descriptor> {
        let Address::Tcp(address) = *address else { return unsupported() };
        let connecting = within(wait, TcpStream::connect(address)).await;
        connecting.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into())).map(Descriptor::stream)
    }

    async fn send(
        &self,
        socket: &Descriptor,
        buffer: &[u8],
        _: Wait,
        _: Site,
    ) -> io::Result<usize> {
        let Some(End::Stream { stream, .. }) = &mut *locked(&socket.0) else {
            return unsupported();
        };
        // madsim's buffers have no end, so that this never waits.
        let mut context = Context::from_waker(Waker::noop());
        let mut stream = Pin::new(&mut **stream);
        let Poll::Ready(written) = stream.as_mut().poll_write(&mut context, buffer) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let Poll::Ready(flushed) = stream.poll_flush(&mut context) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        flushed.and(written)
    }

    fn peer_is_same_user(&self, _: &Descriptor) -> io::Result<bool> {
        unsupported()
    }

    /// As madsim draws them: the same in each run of a seed.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        thread_rng().fill_bytes(bytes);
        Ok(())
    }

    async fn close(&self, end: &Descriptor, _: Site) -> io::Result<()> {
        if let Some(End::Reader(pipe) | End::Writer(pipe)) = locked(&end.0).take() {
            let mut pipe = locked(&pipe);
            pipe.closed = true;
            pipe.wake();
        }
        Ok(())
    }

    fn is_closed(&self, end: &Descriptor) -> bool {
        locked(&end.0).is_none()
    }

    fn export_semaphore(&self, semaphore: &Infallible) -> Exported {
        match *semaphore {}
    }

    fn export_descriptor(&self, _: &Descriptor) -> io::Result<Exported> {
        unsupported()
    }

    fn import_semaphore(&self, _: Exported) -> io::Result<Infallible> {
        unsupported()
    }

    fn import_descriptor(&self, _: Exported) -> io::Result<Descriptor> {
        unsupported()
    }

    fn monitor(&self) -> Infallible {
        panic!("a node of madsim has no local locks")
    }

    async fn monitor_lock(&self, monitor: &Infallible, _: Site) {
        match *monitor {}
    }

    async fn monitor_unlock(&self, monitor: &Infallible, _: Site) {
        match *monitor {}
    }

    async fn monitor_wait(&self, monitor: &Infallible, _: Site, _: Site) {
        match *monitor {}
    }

    async fn monitor_notify(&self, monitor: &Infallible, _: Site) {
        match *monitor {}
    }

    async fn thread_start<F, B>(&self, _: &str, body: F, _: Site) -> io::Result<()>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static,
    {
        // It goes on when its handle is dropped, and ends with its node.
        drop(spawn_local(body()));
        Ok(())
    }

    async fn thread_join(&self, _: &(), _: Site) {
        panic!("a thread of a node of madsim is not waited for")
    }

    async fn process_start(&self, _: &Start, _: Site) -> io::Result<Infallible> {
        unsupported()
    }

    async fn process_wait(
        &self,
        process: &Infallible,
        _: Wait,
        _: Site,
    ) -> io::Result<Option<Exit>> {
        match *process {}
    }

    async fn process_signal(&self, process: &Infallible, _: Signal, _: Site) -> io::Result<()> {
        match *process {}
    }

    async fn process_exit(&self, _: i32, _: Site) -> Infallible {
        panic!("a node of madsim ends when it is killed")
    }
}
