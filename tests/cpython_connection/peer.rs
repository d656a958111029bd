//! A CPython process at the other end of a pipe, and the versions that there are.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
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

/// The interpreters on the path, by version: 3.8 to 3.13, each once.
///
/// # Panics
/// Where there is none: without a CPython nothing is tested.
pub(crate) fn interpreters() -> &'static BTreeMap<(u64, u64), PathBuf> {
    static FOUND: OnceLock<BTreeMap<(u64, u64), PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find)
}

fn find() -> BTreeMap<(u64, u64), PathBuf> {
    let names = ["python3", "python3.8", "python3.9", "python3.10", "python3.11", "python3.12"];
    let names = names.iter().chain(&["python3.13"]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = BTreeMap::new();
    for folder in std::env::split_paths(&path) {
        for name in names.clone() {
            let program = folder.join(name);
            if let Some((version, program)) = asked(&program)
                && ((3, 8)..=(3, 13)).contains(&version)
            {
                found.entry(version).or_insert(program);
            }
        }
    }
    assert!(
        !found.is_empty(),
        "inconclusive: no CPython 3.8 to 3.13 is on the PATH, and nothing was tested against one; \
         install python3"
    );
    found
}

/// The version of a CPython and its own path, where the file only leads to it; `None` where it is
/// none, or does not run.
fn asked(program: &Path) -> Option<((u64, u64), PathBuf)> {
    if !program.is_file() {
        return None;
    }
    let script = "import sys; assert sys.implementation.name == 'cpython'; \
                  print(*sys.version_info[:2], sys.executable)";
    let output = Command::new(program).args(["-I", "-S", "-c", script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let mut parts = text.trim().splitn(3, ' ');
    let version = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((version, PathBuf::from(parts.next()?)))
}

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
