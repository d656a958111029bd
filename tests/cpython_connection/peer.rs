//! A CPython process at the other end of a pipe.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use midput_real::Connection;
use midput_real::codec::Pickle;
use rustix::io::FdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::Value as Json;

/// Reached only where something hangs: then the peer is killed, and the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the two sides are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A one-way pipe each way.
    OneWay,
    /// A pair of sockets.
    Duplex,
}

/// A CPython process that holds the other ends, killed where it is dropped.
pub(crate) struct Peer {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
    pub(crate) receiver: Connection<Pickle>,
    pub(crate) sender: Connection<Pickle>,
}

impl Peer {
    pub(crate) fn start(program: &Path, kind: Kind) -> Self {
        // While one process starts, it has a copy of every descriptor that may be inherited, so
        // that an end which another test means to close would stay open.
        static STARTING: Mutex<()> = Mutex::new(());
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let (receiver, sender, theirs) = ends(kind);
        for end in &theirs {
            rustix::io::fcntl_setfd(end, FdFlags::empty()).unwrap();
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cpython_connection/peer.py");
        let [reading, writing] = [&theirs[0], theirs.last().unwrap_or(&theirs[0])];
        let mut child = Command::new(program)
            .args(["-I", "-S", "-B", script])
            .args([reading.as_raw_fd().to_string(), writing.as_raw_fd().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (commands, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let (send, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, commands, answers, receiver, sender }
    }

    /// Tells it what to do, without waiting for the answer.
    pub(crate) fn tell(&mut self, command: &Json) {
        let commands = self.commands.as_mut().expect("it was not closed");
        writeln!(commands, "{command}").and_then(|()| commands.flush()).unwrap();
    }

    /// Its answer to the oldest command that has none yet.
    pub(crate) fn answer(&mut self) -> Json {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).unwrap(),
            Err(error) => panic!("no answer of the peer: {error}"),
        }
    }

    pub(crate) fn ask(&mut self, command: &Json) -> Json {
        self.tell(command);
        self.answer()
    }

    /// Runs what may hang where something is wrong: then the peer is killed, so that our end sees
    /// its stream end.
    pub(crate) fn bounded<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> R {
        let (done, waits) = channel::<()>();
        let pid = rustix::process::Pid::from_child(&self.child);
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        let watch = thread::spawn(move || {
            if waits.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let kill = rustix::process::Signal::KILL;
                rustix::process::pidfd_send_signal(&pidfd, kill).unwrap();
            }
        });
        let result = body(self);
        drop(done);
        watch.join().unwrap();
        result
    }

    /// Ends it as if the machine had: no finalizer runs.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our receiving and sending ends, and theirs.
fn ends(kind: Kind) -> (Connection<Pickle>, Connection<Pickle>, Vec<OwnedFd>) {
    match kind {
        Kind::OneWay => {
            let (our_reader, their_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            let (their_reader, our_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            let receiver = Connection::reader(our_reader).with_format();
            let sender = Connection::writer(our_writer).with_format();
            (receiver, sender, vec![their_reader, their_writer])
        }
        Kind::Duplex => {
            let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
            let (ours, theirs) = socketpair(family, SocketType::STREAM, flags, None).unwrap();
            let end = Connection::duplex(ours).with_format();
            (end.clone(), end, vec![theirs])
        }
    }
}
