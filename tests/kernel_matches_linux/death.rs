//! What a process leaves behind when it dies.

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use midput_model::os::pipe::{SLOT_BYTES, Taken, Written};
use midput_model::os::process::{ProcessState, Unsuited};
use midput_model::program::{Exit, Signal};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

use super::alone;
use super::blocked::{sleeps_in_write, until};
use super::pair::{Pair, hold};

/// A real child process, killed if the test ends early, and the model of it.
struct Process {
    child: Child,
    model: ProcessState,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be started");
        let mut model = ProcessState::default();
        model.start().expect("it starts once");
        Self { child, model }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal(&mut self, signal: Signal) {
        let number = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        // The process is not reaped, so that its id is still its own.
        kill_process(self.pid(), number).expect("a child can be signalled, also a dead one");
        self.model.signal(signal).expect("it was started");
    }

    /// Waits until it is dead and leaves its exit status for `reap`.
    fn await_death(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.pid()), options)
            .expect("waitid")
            .expect("it has ended");
        self.model.die().expect("it was signalled");
        assert!(self.model.is_dead());
    }

    fn reap(&mut self) -> Exit {
        use std::os::unix::process::ExitStatusExt;
        let status = self
            .child
            .try_wait()
            .expect("waitpid")
            .expect("it has ended");
        let signal = status.signal().map(|number| match number {
            9 => Signal::Kill,
            15 => Signal::Terminate,
            other => panic!("signal {other}"),
        });
        let code = status
            .code()
            .map(|code| u8::try_from(code).expect("a byte"));
        let real = signal
            .map(Exit::Signal)
            .or(code.map(Exit::Code))
            .expect("one of the two");
        assert_eq!(self.model.reap(), Ok(real));
        assert_eq!(self.model.exit(), Some(real));
        real
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.model, ProcessState::Reaped(_)) {
            // It has ended already or ends now; in both cases there is nothing more to do.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The writing end as a child's standard output, blocking.
fn blocking_copy(pair: &Pair) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", pair.writers[0].as_raw_fd());
    rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).expect("opened again")
}

/// A producer is killed in the middle of one write: what it moved stays, the rest never comes,
/// and the stream ends only once nobody else holds a writing end (`WF3`, `WF8`, `LC11`).
#[test]
fn a_writer_killed_in_its_write_leaves_a_prefix_and_then_the_end() {
    let _alone = alone();
    for (header, payload) in [
        (4, 100_000),
        (4, 1_048_585),
        (0, 70_000),
        (65_000, 4097),
        // All or nothing: nothing.
        (65_000, 4096),
    ] {
        let mut pair = Pair::new(16);
        hold(pair.write(header, 0));
        let mut process = Process::start(
            Command::new("dd")
                .args(["if=/dev/zero", "count=1", &format!("bs={payload}")])
                .stdout(Stdio::from(blocking_copy(&pair))),
        );
        pair.model.open_writer();
        let written = pair.model.write(payload);
        assert_ne!(written, Written::All);
        if pair.model.slots() == 16 {
            assert_eq!(payload <= SLOT_BYTES, written == Written::WouldBlock);
        }
        let calls = format!("/proc/{}/syscall", process.child.id());
        until("the writer sleeps", || sleeps_in_write(&calls, 1, payload));
        hold(pair.compare());
        still_alive(&mut process);

        process.signal(Signal::Kill);
        process.await_death();
        // Dead, even though nobody has reaped it: its descriptors are closed.
        pair.model.close_writer();
        compare_lengths(&mut pair);
        // Our own writing end keeps the stream open.
        assert_eq!(pair.model.read(1), Taken::WouldBlock);
        assert_eq!(
            rustix::io::read(&pair.readers[0], &mut [0; 1]),
            Err(Errno::AGAIN)
        );
        hold(pair.close_writer(0));
        hold(pair.read(1, 0));
        assert_eq!(pair.model.preview_read(1), Taken::EndOfStream);
        assert_eq!(process.reap(), Exit::Signal(Signal::Kill));
    }
}

/// Reads everything that is there on both, by length only.
fn compare_lengths(pair: &mut Pair) {
    hold(pair.compare());
    while pair.model.available() > 0 {
        let mut buffer = [0; 5000];
        let count = rustix::io::read(&pair.readers[0], &mut buffer).expect("bytes are there");
        assert_eq!(pair.model.read(5000), Taken::Bytes(count as u32));
        hold(pair.compare());
    }
}

fn still_alive(process: &mut Process) {
    assert_eq!(process.child.try_wait().expect("waitpid"), None);
    assert_eq!(process.model.reap(), Err(Unsuited::Alive));
}

/// The only reader is killed: its bytes stay unread, and writers learn of it (`WF7`, `LC11`).
#[test]
fn a_reader_killed_leaves_a_broken_pipe() {
    let _alone = alone();
    let mut pair = Pair::new(16);
    let reader = rustix::io::fcntl_dupfd_cloexec(&pair.readers[0], 0).expect("a copy");
    let mut process = Process::start(Command::new("sleep").arg("600").stdin(Stdio::from(reader)));
    pair.model.open_reader();
    hold(pair.compare());
    hold_write(&mut pair, 5000, Ok(5000));
    drop(pair.readers.pop());
    pair.model.close_reader();
    hold_write(&mut pair, 100, Ok(100));
    still_alive(&mut process);

    process.signal(Signal::Kill);
    process.await_death();
    pair.model.close_reader();
    hold(pair.compare());
    assert_eq!(pair.model.available(), 5100);
    hold_write(&mut pair, 100, Err(Errno::PIPE));
    assert_eq!(process.reap(), Exit::Signal(Signal::Kill));
}

/// Writes on both and compares with what is expected of both.
fn hold_write(pair: &mut Pair, bytes: u32, expected: Result<usize, Errno>) {
    let model = match pair.model.write(bytes) {
        Written::All => Ok(bytes as usize),
        Written::Part(count) => Ok(count as usize),
        Written::WouldBlock => Err(Errno::AGAIN),
        Written::BrokenPipe => Err(Errno::PIPE),
    };
    assert_eq!(model, expected);
    assert_eq!(
        rustix::io::write(&pair.writers[0], &vec![0; bytes as usize]),
        expected
    );
}

/// The first signal that ends a process decides its exit status; the dead can be signalled.
#[test]
fn the_first_signal_decides_how_a_process_ended() {
    let _alone = alone();
    for (first, second) in [
        (Signal::Terminate, Signal::Kill),
        (Signal::Kill, Signal::Terminate),
    ] {
        let mut process = Process::start(Command::new("sleep").arg("600"));
        still_alive(&mut process);
        process.signal(first);
        process.signal(second);
        process.await_death();
        process.signal(second);
        assert_eq!(process.reap(), Exit::Signal(first));
        assert_eq!(process.model.reap(), Err(Unsuited::Reaped));
        assert_eq!(no_such_child(process.pid()), Errno::CHILD);
    }
}

fn no_such_child(pid: Pid) -> Errno {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    waitid(WaitId::Pid(pid), options).expect_err("it was reaped")
}

/// A process that ends by itself has the code that it gave, also when a signal comes too late.
#[test]
fn a_process_that_exits_has_its_code() {
    let _alone = alone();
    let mut process = Process::start(Command::new("sh").args(["-c", "exit 7"]));
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(process.pid()), options)
        .expect("waitid")
        .expect("it has ended");
    process.model.leave().expect("it runs");
    process.model.end(7).expect("it leaves");
    process.signal(Signal::Kill);
    assert_eq!(process.reap(), Exit::Code(7));
}
