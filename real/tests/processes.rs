//! Queues and connections between real processes. This program is its own worker, so that it has
//! a `main` of its own and no test harness.

#[path = "recorder/mod.rs"]
mod recorder;

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use midput_real::classic::{self, GetError};
use midput_real::os::linux::Linux;
use midput_real::process::{self, ThisProcess};
use midput_real::{
    CloseError, Connection, DecodeError, Process, Queue, ReceiveError, StartError, Timeout,
    block_on, duplex_pipe, pipe, wait, workers,
};

/// Reached only where something hangs.
const LONG: Duration = Duration::from_secs(60);
/// `O_CLOEXEC`, as the system prints it.
const CLOSE_ON_EXEC: u32 = 0o2_000_000;

fn square((numbers, squares): (Queue<u64>, Queue<u64>)) -> Result<(), GetError> {
    loop {
        match numbers.get()? {
            0 => return Ok(()),
            number => squares.put(number * number).unwrap(),
        }
    }
}

/// Puts one item and leaves at once: what it put must arrive all the same.
fn put_and_leave((queue, length): (Queue<Vec<u8>>, usize)) -> u8 {
    queue.put(vec![7; length]).unwrap();
    3
}

/// Says that it is there, and waits for what nobody sends.
fn wait_for_ever((sender, receiver): (Connection, Connection)) {
    sender.send(&"ready").unwrap();
    receiver.recv_bytes().unwrap();
}

/// Sends back what it receives, twice over, until nobody sends any more.
fn doubles(end: Connection) -> Result<(), ReceiveError> {
    loop {
        match end.recv::<Vec<u8>>() {
            Ok(message) => end.send(&message.repeat(2)).unwrap(),
            Err(DecodeError::Receive(ReceiveError::EndOfFile)) => return Ok(()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Succeeds where the connection is spoiled for receiving here as it was there.
fn can_only_send(end: Connection) -> u8 {
    assert!(!end.is_readable() && end.is_writable());
    end.send("still").unwrap();
    0
}

fn panics(_: ()) {
    // Without the report that the panic of a test would get.
    std::panic::set_hook(Box::new(|_| {}));
    panic!("on purpose");
}

/// Passes the queue on to a process of its own.
fn pass_on((queue, length): (Queue<Vec<u8>>, usize)) -> u8 {
    let child = Process::start(put_and_leave, (queue.clone(), length)).unwrap();
    u8::try_from(child.join().unwrap()).unwrap() + 1
}

fn two_of_one((first, second): (Queue<u64>, Queue<u64>)) {
    drop(first);
    second.put(5).unwrap();
}

/// Succeeds where no program that this process starts would inherit the queue.
fn keeps_it_to_itself(_queue: Queue<u64>) -> Result<(), Box<dyn std::error::Error>> {
    let mut seen = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        if !target.to_string_lossy().contains("memfd:midput") {
            continue;
        }
        let information = Path::new("/proc/self/fdinfo").join(entry.file_name());
        let information = std::fs::read_to_string(information)?;
        let flags = information.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.ok_or("no flags")?.trim(), 8)?;
        if flags & CLOSE_ON_EXEC == 0 {
            return Err(format!("{} would be inherited", target.display()).into());
        }
        seen += 1;
    }
    if seen == 1 { Ok(()) } else { Err(format!("{seen} sets of semaphores are open").into()) }
}

fn not_registered(_: ()) {}

fn workers_serve_queues() {
    let (numbers, squares) = (Queue::new(0).unwrap(), Queue::new(0).unwrap());
    let start = || Process::start(square, (numbers.clone(), squares.clone())).unwrap();
    let processes = [start(), start()];
    for number in 1..=100 {
        numbers.put(number).unwrap();
    }
    let sum: u64 = (0..100).map(|_| squares.get_timeout(LONG).unwrap()).sum();
    assert_eq!(sum, 338_350);
    for _ in &processes {
        numbers.put(0).unwrap();
    }
    for process in &processes {
        assert_eq!(process.join_timeout(LONG).unwrap(), Some(0));
        assert_eq!(process.exit_code().unwrap(), Some(0));
    }
    assert_eq!(numbers.qsize().unwrap(), 0);
}

/// What a process has put is sent before it ends, and joining it looks, waits so long or waits for it
/// (`LC6`, `LC9`).
fn leaving_sends_more_than_a_pipe_holds() {
    for worker in [false, true] {
        let queue = Queue::new(0).unwrap();
        let argument = (queue.clone(), 300_000);
        let process = if worker {
            Process::start(pass_on, argument).unwrap()
        } else {
            Process::start(put_and_leave, argument).unwrap()
        };
        assert_eq!(process.join_timeout(Duration::ZERO).unwrap(), None, "it cannot leave");
        assert_eq!(queue.get_timeout(LONG).unwrap(), vec![7; 300_000]);
        assert_eq!(process.join_timeout(LONG).unwrap(), Some(if worker { 4 } else { 3 }));
    }
}

/// The code is minus the signal, there is none before the end, and who was reaped is not signalled
/// (`LC4`, `LC5`).
fn signals_end_a_process() {
    for (signal, code) in [(Process::kill as fn(&Process) -> _, -9), (Process::terminate, -15)] {
        let (receiver, ready) = pipe().unwrap();
        let (blocked, never) = pipe().unwrap();
        let process = Process::start(wait_for_ever, (ready.clone(), blocked)).unwrap();
        ready.close().unwrap();
        assert_eq!(receiver.recv::<String>().unwrap(), "ready");
        assert_eq!(process.exit_code().unwrap(), None);
        signal(&process).unwrap();
        assert_eq!(process.join_timeout(LONG).unwrap(), Some(code));
        signal(&process).unwrap();
        // With the process its end of the pipe is gone, and ours is closed.
        let end = receiver.recv::<String>().unwrap_err();
        assert!(matches!(end, DecodeError::Receive(ReceiveError::EndOfFile)), "{end}");
        drop(never);
    }
}

/// `CN8`, and a duplex connection in a worker's argument.
fn waiting_tells_messages_from_ends_of_processes() {
    let (here, there) = duplex_pipe().unwrap();
    let process = Process::start(doubles, there.clone()).unwrap();
    there.close().unwrap();
    let both = [(&here).into(), (&process).into()];
    assert!(wait(&both, Duration::ZERO).unwrap().is_empty());
    for length in [0, 1, 300_000] {
        here.send(&vec![7_u8; length]).unwrap();
        assert_eq!(wait(&both, Timeout::Never).unwrap(), [0]);
        assert_eq!(here.recv::<Vec<u8>>().unwrap(), vec![7; 2 * length]);
    }
    here.close().unwrap();
    let ended = [(&process).into()];
    assert_eq!(wait(&ended, LONG).unwrap(), [0]);
    assert_eq!(process.exit_code().unwrap(), Some(0));
    assert_eq!(wait(&ended, LONG).unwrap(), [0], "an end stays");
    // Killed, its copy of the end is gone with it.
    let (here, there) = duplex_pipe().unwrap();
    let process = Process::start(doubles, there.clone()).unwrap();
    there.close().unwrap();
    here.send(&vec![7_u8]).unwrap();
    assert_eq!(here.recv::<Vec<u8>>().unwrap(), [7; 2]);
    process.kill().unwrap();
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(-9));
    let all = wait(&[(&here).into(), (&process).into()], LONG).unwrap();
    assert_eq!(all, [0, 1]);
    assert!(matches!(here.recv_bytes(), Err(ReceiveError::EndOfFile)));
}

/// `CN4` of a connection that is passed on.
fn a_spoiled_connection_stays_so_in_a_child() {
    let (here, there) = duplex_pipe().unwrap();
    here.send_bytes(b"spam").unwrap();
    there.recv_bytes_max(3).unwrap_err();
    let process = Process::start(can_only_send, there).unwrap();
    assert_eq!(here.recv::<String>().unwrap(), "still");
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(0));
}

/// A panic, an unknown worker and an argument that is none are code 1 (`LC4`).
fn failures_have_codes() {
    let process = Process::start(panics, ()).unwrap();
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(1));
    let error = Process::start(not_registered, ()).unwrap_err();
    assert!(matches!(error, StartError::Unregistered { .. }), "{error}");

    let this = ThisProcess::new(Linux);
    block_on(async {
        for (worker, argument) in [("unheard of", 0_u8), ("square", 9)] {
            let process = process::Process::start(&this, worker, argument).await.unwrap();
            process.join(Timeout::After(LONG)).await.unwrap();
            assert_eq!(process.exit_code(), Some(1), "worker '{worker}'");
        }
    });
}

fn a_queue_arrives_twice_as_one() {
    let queue = Queue::<u64>::new(1).unwrap();
    let process = Process::start(two_of_one, (queue.clone(), queue.clone())).unwrap();
    assert_eq!(queue.get_timeout(LONG).unwrap(), 5);
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(0));
}

fn a_closed_end_cannot_be_inherited() {
    let this = ThisProcess::new(Linux);
    let queue = classic::Queue::<u64, Linux>::create(&this, 0).unwrap();
    block_on(async {
        queue.close_reader().await.unwrap();
        let error = process::Process::start(&this, "square", queue).await.unwrap_err();
        assert!(error.to_string().contains("os error 9"), "{error}");
    });
}

fn what_is_inherited_goes_no_further() {
    let queue = Queue::new(0).unwrap();
    let process = Process::start(keeps_it_to_itself, queue).unwrap();
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(0));
}

/// In this order (`LC1`).
fn leaving_tells_feeders_joins_children_and_then_feeders() {
    let os = recorder::Recorder::new(false, 0);
    let this = ThisProcess::new(os);
    block_on(async {
        let queue = classic::Queue::<u64, _>::create(&this, 0).unwrap();
        queue.put(1, Timeout::Never).await.unwrap();
        let start = async || process::Process::start(&this, "nothing", ()).await.unwrap();
        let [first, joined, last] = [start().await, start().await, start().await];
        joined.join(Timeout::After(LONG)).await.unwrap().unwrap();
        last.kill().await.unwrap();
        last.terminate().await.unwrap();
        os.take("main");
        this.leave().await;
        let steps = "leave notempty.lock sentinel.append notempty.notify notempty.unlock \
                     child.join child.join feeder.join";
        assert_eq!(os.take("main"), steps);
        assert_eq!(first.exit_code(), Some(0));
        assert!(matches!(last.exit_code(), Some(-9 | 0)));
    });
}

/// Starts a thread, and waits until it waits in this system call.
fn leave_a_thread_in(number: libc::c_long, body: impl FnOnce() + Send + 'static) {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        tell.send(rustix::thread::gettid()).unwrap();
        body();
    });
    let call = format!("/proc/self/task/{}/syscall", told.recv().unwrap());
    let waits = format!("{number} ");
    while !std::fs::read_to_string(&call).unwrap().starts_with(&waits) {
        std::thread::yield_now();
    }
}

/// Ends while a thread of its own waits in `get`, with the lock of the readers.
fn leave_a_thread_in_get(queue: Queue<u64>) {
    leave_a_thread_in(libc::SYS_read, move || {
        queue.get().unwrap();
    });
}

/// An exit in good order takes the lock along with a thread that nobody waits for (`LC10`, `X12`).
fn a_thread_left_in_get_takes_the_lock_along() {
    let queue = Queue::new(1).unwrap();
    let process = Process::start(leave_a_thread_in_get, queue.clone()).unwrap();
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(0));
    queue.put(5).unwrap();
    while queue.empty().unwrap() {
        std::thread::yield_now();
    }
    let got = queue.get_timeout(Duration::from_millis(50));
    assert!(matches!(got, Err(GetError::Empty)), "{got:?}");
}

/// Ends while a thread of its own waits in `put`, as the queue is full.
fn leave_a_thread_in_put(queue: Queue<u64>) {
    queue.put(1).unwrap();
    leave_a_thread_in(libc::SYS_futex, move || queue.put(2).unwrap());
}

/// A thread that waits for a slot has nothing, and leaves nothing behind (`LC10`).
fn a_thread_left_in_put_leaves_nothing_behind() {
    let queue = Queue::new(1).unwrap();
    let process = Process::start(leave_a_thread_in_put, queue.clone()).unwrap();
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(0));
    assert!(queue.full().unwrap());
    assert_eq!(queue.get_timeout(LONG).unwrap(), 1);
    assert_eq!(queue.qsize().unwrap(), 0);
    queue.put_timeout(3, LONG).unwrap();
    assert_eq!(queue.get_timeout(LONG).unwrap(), 3);
    assert!(queue.empty().unwrap());
}

/// Leaves a process of its own behind, which it does not wait for.
fn leave_a_child(end: Connection) {
    Process::start(doubles, end).unwrap();
    midput_real::exit_without_flush(5);
}

/// The end of a process is seen at once though a process that it started lives on; CPython's join
/// with a timeout and its sentinel would wait for that one, too (`LC6`).
fn a_grandchild_keeps_nobody_waiting() {
    let (own, others) = duplex_pipe().unwrap();
    let process = Process::start(leave_a_child, others.clone()).unwrap();
    others.close().unwrap();
    assert_eq!(wait(&[(&process).into()], Timeout::After(LONG)).unwrap(), [0]);
    assert_eq!(process.join_timeout(Duration::ZERO).unwrap(), Some(5));
    own.send(&vec![1_u8]).unwrap();
    assert_eq!(own.recv::<Vec<u8>>().unwrap(), [1, 1], "the grandchild has ended");
}

/// Handles SIGTERM, and puts what it does not flush by itself once it has got something.
fn heed((wanted, made): (Queue<u64>, Queue<Vec<u8>>)) -> u8 {
    midput_real::leave_on_terminate().unwrap();
    made.put(Vec::new()).unwrap();
    let length = wanted.get().unwrap();
    if !midput_real::asked_to_leave() {
        return 1;
    }
    made.put(vec![7; usize::try_from(length).unwrap()]).unwrap();
    0
}

/// SIGTERM is a question to who handles it: a call that waits goes on, and what was put is sent
/// before the process ends; a second one changes nothing, and SIGKILL kills (`LC5`).
fn a_process_that_handles_sigterm_leaves_in_good_order() {
    for killed in [false, true] {
        let (wanted, made) = (Queue::new(0).unwrap(), Queue::new(0).unwrap());
        let process = Process::start(heed, (wanted.clone(), made.clone())).unwrap();
        assert_eq!(made.get_timeout(LONG).unwrap(), []);
        process.terminate().unwrap();
        process.terminate().unwrap();
        assert_eq!(process.join_timeout(Duration::from_millis(50)).unwrap(), None);
        wanted.put(300_000).unwrap();
        while made.empty().unwrap() {
            assert!(process.is_alive().unwrap(), "it was asked, and puts before it leaves");
            std::thread::yield_now();
        }
        process.terminate().unwrap();
        if killed {
            process.kill().unwrap();
            assert_eq!(process.join_timeout(LONG).unwrap(), Some(-9));
        } else {
            assert_eq!(made.get_timeout(LONG).unwrap(), vec![7; 300_000]);
            assert_eq!(process.join_timeout(LONG).unwrap(), Some(0));
        }
    }
}

/// A daemon that tries to start a process, and says whether that was refused.
fn start_from_a_daemon(refused: Queue<bool>) {
    let started = Process::start(nothing, ());
    refused.put(matches!(started, Err(StartError::Daemonic))).unwrap();
}

/// The handle is given up only after the end, and comes back before it; daemons have no children
/// (`LC7`).
fn a_process_is_closed_after_its_end_and_daemons_have_no_children() {
    let (_receiver, ready) = pipe().unwrap();
    let (blocked, _never) = pipe().unwrap();
    let process = Process::start(wait_for_ever, (ready, blocked)).unwrap();
    assert!(process.is_alive().unwrap());
    let Err(CloseError::Running(process)) = process.close() else { panic!("closed while it ran") };
    process.kill().unwrap();
    assert_eq!(process.join_timeout(LONG).unwrap(), Some(-9));
    assert!(!process.is_alive().unwrap());
    process.close().unwrap();

    let refused = Queue::new(0).unwrap();
    let daemon = Process::start_daemon(start_from_a_daemon, refused.clone()).unwrap();
    assert!(refused.get_timeout(LONG).unwrap());
    assert_eq!(daemon.join_timeout(LONG).unwrap(), Some(0));
}

fn nothing(_: ()) {}

const TESTS: [(&str, fn()); 15] = [
    ("a_grandchild_keeps_nobody_waiting", a_grandchild_keeps_nobody_waiting),
    (
        "a_process_that_handles_sigterm_leaves_in_good_order",
        a_process_that_handles_sigterm_leaves_in_good_order,
    ),
    ("a_thread_left_in_put_leaves_nothing_behind", a_thread_left_in_put_leaves_nothing_behind),
    (
        "a_process_is_closed_after_its_end_and_daemons_have_no_children",
        a_process_is_closed_after_its_end_and_daemons_have_no_children,
    ),
    ("a_thread_left_in_get_takes_the_lock_along", a_thread_left_in_get_takes_the_lock_along),
    ("what_is_inherited_goes_no_further", what_is_inherited_goes_no_further),
    (
        "leaving_tells_feeders_joins_children_and_then_feeders",
        leaving_tells_feeders_joins_children_and_then_feeders,
    ),
    ("workers_serve_queues", workers_serve_queues),
    ("leaving_sends_more_than_a_pipe_holds", leaving_sends_more_than_a_pipe_holds),
    ("signals_end_a_process", signals_end_a_process),
    (
        "waiting_tells_messages_from_ends_of_processes",
        waiting_tells_messages_from_ends_of_processes,
    ),
    ("a_spoiled_connection_stays_so_in_a_child", a_spoiled_connection_stays_so_in_a_child),
    ("failures_have_codes", failures_have_codes),
    ("a_queue_arrives_twice_as_one", a_queue_arrives_twice_as_one),
    ("a_closed_end_cannot_be_inherited", a_closed_end_cannot_be_inherited),
];

fn main() {
    let _guard = midput_real::init(workers![
        square,
        put_and_leave,
        wait_for_ever,
        leave_a_thread_in_get,
        leave_a_thread_in_put,
        leave_a_child,
        heed,
        start_from_a_daemon,
        doubles,
        can_only_send,
        panics,
        pass_on,
        two_of_one,
        keeps_it_to_itself,
        nothing,
    ]);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    if arguments.iter().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    // Where a test has failed, leaving this process may wait for a child that waits for ever.
    std::thread::spawn(|| {
        std::thread::sleep(5 * LONG);
        eprintln!("the tests did not end in {:?}", 5 * LONG);
        std::process::exit(101);
    });
    for (name, test) in TESTS {
        if filter.is_none_or(|filter| name.contains(filter.as_str())) {
            test();
            println!("test {name} ... ok");
        }
    }
}
