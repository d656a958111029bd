//! The list, in the order of the semantics.

use super::{Rule, Scope};

const fn rule(id: &'static str, says: &'static str) -> Rule {
    Rule { id, says, scope: Scope::Whole }
}

const fn without(id: &'static str, says: &'static str, part: &'static str) -> Rule {
    Rule { id, says, scope: Scope::Without(part) }
}

const fn left_out(id: &'static str, says: &'static str, why: &'static str) -> Rule {
    Rule { id, says, scope: Scope::LeftOut(why) }
}

pub(super) const RULES: &[Rule] = &[
    without(
        "SL1",
        "Taking a semaphore tries once, and then waits until its deadline or for ever; a signal \
         makes it try again with the same deadline. A timeout that is not positive is one try.",
        "The clock is the monotonic one, so that clock steps move no deadline; times are typed, so \
         that no text and no NaN arrives.",
    ),
    without(
        "SL2",
        "Giving back is refused at the maximum. Anybody may give back a lock, its holder or not, \
         and the kernel gives nothing back for the dead.",
        "The check and the post are one step here, as the interpreter's lock makes them for the \
         threads of one process; the race between processes is not modelled.",
    ),
    left_out(
        "SL3",
        "Whether a lock is mine is known to each process by a count and a thread.",
        "The one lock that may be taken twice, that of a joinable queue's condition, never is; \
         owner checks are errors of a Python API that has no place here.",
    ),
    without(
        "Q1",
        "A queue is a pipe, a lock at each of its ends, and a semaphore with maxsize slots; 0 is \
         no bound, which is 2147483647 slots, and more are refused.",
        "Sizes that are no whole number do not compile.",
    ),
    rule("Q2", "A queue goes to another process only as part of what starts it."),
    without(
        "Q3",
        "A child begins with an empty buffer, no feeder and an open queue, whatever its parent has \
         buffered or closed.",
        "A bare fork, which skips this, is not offered: a child is a program that was started.",
    ),
    without(
        "Q4",
        "A put that fails after it took its slot, such as where no thread can be started, does not \
         give the slot back.",
        "What an interpreter at its end refuses in some versions does not arise.",
    ),
    rule(
        "Q5",
        "The first put of a process starts its feeder and registers what leaving must do: tell it \
         to end (priority 10), and wait for it (-5) unless that was cancelled before.",
    ),
    rule(
        "Q6",
        "An item that cannot be encoded or sent is reported by the feeder and dropped, its slot \
         given back, and the feeder goes on; put had returned long ago. Where its process has come \
         to its finalizers, the slot stays taken and the feeder ends, with all that is behind.",
    ),
    rule(
        "Q7",
        "A feeder that dies of more than an error is not started again: later puts succeed and are \
         never sent, and leaving waits for nobody.",
    ),
    rule(
        "Q8",
        "A get that does not wait raises Empty whenever another process holds the read lock, and \
         so does one with a timeout after it: idle consumers hold it all the time.",
    ),
    rule(
        "Q9",
        "The timeout of get covers the read lock and the first byte. What follows is waited for \
         without bound, by nowait as well.",
    ),
    without(
        "Q10",
        "A timeout of 0 or below is one try, and no error.",
        "Times are typed, so that no text arrives.",
    ),
    rule(
        "Q11",
        "Where reading a frame fails, its slot is not given back. Where decoding fails, the item \
         is gone and its slot is free.",
    ),
    left_out(
        "Q12",
        "A signal handler that raises between header and payload leaves the stream in the middle \
         of a frame.",
        "No signal handler can raise into a call of Rust: an interrupted read is tried again.",
    ),
    without(
        "Q13",
        "qsize is the number of slots taken, leaked ones included; full is none left; empty looks \
         into the pipe alone. A queue may be full and empty at once.",
        "Only Linux: elsewhere qsize is not offered.",
    ),
    without(
        "Q14",
        "close ends the use in this process and tells the feeder to end, which then closes both \
         ends; a process that never put keeps them and may look into the pipe.",
        "The protocol is that of 3.13; that 3.8 closes the reading end at once is not modelled.",
    ),
    rule(
        "Q15",
        "join_thread is refused before close; it waits for the feeder once and without bound, and \
         for nobody where nothing was put or waiting was cancelled.",
    ),
    rule(
        "Q16",
        "After cancel_join_thread leaving does not wait for the feeder. What is not in the pipe is \
         lost, and a write that is cut off takes lock and stream with it.",
    ),
    left_out(
        "Q17",
        "Dropping the last reference to a used queue tells its feeder to flush and close.",
        "Garbage collection of Python. No step of the protocol is in `Drop`, which cannot wait.",
    ),
    left_out(
        "Q18",
        "A private call breaks off a queue for the process pool of the standard library.",
        "Private API.",
    ),
    left_out(
        "Q19",
        "Queues between processes have no shutdown.",
        "There is nothing to test: it says what is missing.",
    ),
    without(
        "SQ1",
        "A simple queue encodes, takes the write lock, writes and gives the lock back, all in put: \
         no bound, no timeout; a full pipe blocks the caller with the lock held.",
        "An item that cannot be encoded is the caller's error in both; types see to most of it.",
    ),
    rule("SQ2", "Its get takes the read lock, reads a frame, gives the lock back and decodes."),
    rule(
        "SQ3",
        "Its empty looks into the pipe; close closes both ends in this process at once, and every \
         use after it says that the handle is closed.",
    ),
    left_out(
        "SQ4",
        "It has no state of a process's own, so that a bare fork harms nothing.",
        "A bare fork is not offered: a child is a program that was started.",
    ),
    rule(
        "JQ1",
        "put appends and counts under the local lock and then the one between processes. Where the \
         counter is full that is said after the item has been appended.",
    ),
    rule(
        "JQ2",
        "task_done counts down under that lock, refuses to go below 0, and wakes all joiners at 0.",
    ),
    rule("JQ3", "join looks once and sleeps at most once, and has no timeout."),
    rule("JQ4", "Any process may call task_done, whoever got the item."),
    rule(
        "JQ5",
        "An item that its feeder could not send gives its slot back and stays counted, so that \
         join never ends.",
    ),
    without(
        "K1",
        "To wait is to count oneself as sleeping, give the lock back, wait for a wake-up, say that \
         one is awake and take the lock again.",
        "With a timeout only where somebody asks for one: join does not.",
    ),
    rule(
        "K2",
        "To notify is to forget sleepers that gave up, wake each that is left, and wait without \
         bound until each has said that it is awake, all with the lock held.",
    ),
    rule(
        "CN1",
        "A duplex pipe is a pair of stream sockets, whose ends read and write; the other is a pipe \
         with a reading and a writing end.",
    ),
    rule(
        "CN2",
        "A closed end is refused first, and then one of the wrong direction, each by an error of \
         its own.",
    ),
    rule(
        "CN3",
        "send_bytes takes an offset and a size and refuses what lies outside; an object that \
         cannot be encoded writes nothing.",
    ),
    rule(
        "CN4",
        "recv_bytes with a maxlength refuses a longer message and spoils the connection: one way \
         it is closed, duplex it reads no more.",
    ),
    rule(
        "CN5",
        "recv_bytes_into a buffer that is too short hands the whole message back with its error, \
         and the connection is fine.",
    ),
    rule(
        "CN6",
        "recv is a message and its decoding; poll waits as long as it is told and says true at \
         data, at the end of the stream and at errors.",
    ),
    rule("CN7", "A connection has no lock: two that write at once mix their bytes."),
    rule(
        "CN8",
        "wait over several connections and processes returns those that are ready; a closed one is \
         an error.",
    ),
    rule(
        "WF1",
        "A frame is its length as 4 bytes, signed and big-endian, and the payload; over 2147483647 \
         bytes it is -1 and 8 bytes of length.",
    ),
    rule(
        "WF2",
        "Up to 16384 bytes of payload header and payload are one write, above two, with a long \
         header three; each goes on until all is written.",
    ),
    rule(
        "WF3",
        "Only a write of at most 4096 bytes is all or nothing. Under the lock frames do not mix, \
         but a death cuts them off.",
    ),
    rule(
        "WF4",
        "The end of the stream where a part of a frame begins looks like a clean close, also right \
         behind a header; inside of a part it is a torn message.",
    ),
    rule(
        "WF5",
        "A negative length other than -1 reads as an empty message; after a lost header the stream \
         is garbage lengths.",
    ),
    without("WF6", "A message of no bytes is a message.", "That unpickling it fails is Python's."),
    rule("WF7", "Writing where nobody can read any more is a broken pipe, and no signal."),
    rule(
        "WF8",
        "The end of a stream is seen only once every copy of the other end is closed. Whoever has \
         a queue has both of its ends: a peer's death goes unseen.",
    ),
    rule(
        "WF9",
        "A socket whose peer has gone with unread bytes is reset: what was sent before is read, \
         and then there is an error instead of the end.",
    ),
    rule(
        "WF10",
        "Where somebody made the shared descriptor non-blocking, a write may fail in the middle of \
         a message.",
    ),
    without(
        "WF11",
        "The payload of a queue's item is a pickle.",
        "Ours is postcard: queues between CPython and midput are not offered, connections are, and \
         there items may be pickles of plain data.",
    ),
    without(
        "LC1",
        "Leaving tells feeders to end, sends SIGTERM to daemons, joins every child without bound, \
         and then waits for feeders; of equal priority the last registered is first.",
        "Finalizers of pools, proxies and temporary folders are Python's.",
    ),
    without(
        "LC2",
        "A child returns from its function, waits for its threads, flushes, and then leaves as LC1 \
         says.",
        "The order is that of 3.13; that of 3.12 and before, tracebacks and atexit callbacks are \
         not modelled.",
    ),
    left_out(
        "LC3",
        "Children of the start methods spawn and forkserver end alike, and the main process by its \
         own finalisation.",
        "There is one way to start a process; the main process leaves by the same function as its \
         children.",
    ),
    without(
        "LC4",
        "The exit code is what the function returned, 1 after an error or a panic, and minus the \
         signal that killed; there is none before the end.",
        "What SystemExit carries and what a fork server answers is Python's.",
    ),
    without(
        "LC5",
        "terminate is SIGTERM, kill is SIGKILL, nothing where the process was reaped. Without a \
         handler nothing is flushed; with one that ends the process between two calls everything \
         is.",
        "A handler that raises in the middle of a call: a call that waits goes on.",
    ),
    without(
        "LC6",
        "join waits for the end, at most as long as its timeout; 0 or below is one look.",
        "Here a process is watched by a descriptor of its own, which no grandchild holds open, so \
         that its end is seen at once.",
    ),
    without(
        "LC7",
        "is_alive and the exit code look and never wait. close is refused while the process runs, \
         and then everything else is refused. Daemons start no children.",
        "A process object exists only once it was started.",
    ),
    without(
        "LC8",
        "Daemons are ended by SIGTERM when their parent leaves in order, and may take locks with \
         them.",
        "Whether a process is one is said where it is started, and not inherited.",
    ),
    rule(
        "LC9",
        "A process with unflushed items does not end before somebody reads enough: joining it \
         first is a deadlock once the frames are more than the pipe takes.",
    ),
    rule(
        "LC10",
        "A process that ends with a thread in get, which it does not wait for, takes the read lock \
         with it, in good order and with code 0; one with a thread in put, which waits for a slot, \
         leaves nothing behind.",
    ),
    rule(
        "LC11",
        "_exit and signals close descriptors, leave semaphores as they are, and drop what was in \
         the process's memory.",
    ),
    rule(
        "X1",
        "A death between taking a slot and the end of the write leaks a slot for each item, and \
         harms nothing else.",
    ),
    rule(
        "X2",
        "A death of a feeder with the write lock: later puts succeed and nothing arrives, and no \
         producer can leave. If part of a frame was written, every reader hangs in it.",
    ),
    rule("X3", "Frames of at most 4096 bytes are written whole or not at all."),
    rule("X4", "SIGTERM to a producer that floods nearly always hits it with the write lock held."),
    rule(
        "X5",
        "A death with the read lock held, an idle consumer's included, blocks every get for ever \
         and makes the others raise Empty.",
    ),
    without(
        "X6",
        "What the victim had read is gone: a header, or a whole item.",
        "What happens once somebody forces the lock open is X13.",
    ),
    rule(
        "X7",
        "Where a get dies behind its read it depends on its kind: untimed, item and slot are lost; \
         timed, the lock stays taken; after it returned, the item alone is lost.",
    ),
    rule(
        "X8",
        "A worker that dies before task_done leaves join waiting. A death with the condition's \
         lock blocks every put, join and task_done, their timeouts notwithstanding.",
    ),
    rule(
        "X9",
        "A death asleep in join shows when the counter comes to 0: task_done waits for the dead, \
         with the lock held.",
    ),
    rule(
        "X10",
        "In a simple queue a dead producer's lock blocks the next put itself; the rest is as in X2 \
         and X5.",
    ),
    rule("X11", "A bare pipe has no lock: a death harms that pair alone, and its end is seen."),
    rule(
        "X12",
        "Cancelled joins, _exit, a parent's end that ends daemons, and threads that nobody waits \
         for do by an ordinary exit what a kill does.",
    ),
    left_out(
        "X13",
        "Nothing recovers a queue. A survivor could force a lock open but knows neither the dead \
         holder nor the place in the stream.",
        "Forcing a lock open takes private attributes; midput's queues offer none. The crash \
         points P12 and C7, which need it, are not in the crash table.",
    ),
    left_out(
        "X14",
        "Names of semaphores are unlinked by a tracker process.",
        "Start methods of Python. Here semaphores are in memory without a name, which ends with \
         the last process that has it.",
    ),
    rule(
        "O1",
        "The items of one process come in the order of its puts; between processes the write lock \
         decides.",
    ),
    rule(
        "O2",
        "That one process's put returned before another's began says nothing: the later item may \
         come first.",
    ),
    rule("O3", "There is one reader at a time, so that each frame goes to one of them, in order."),
    rule(
        "O4",
        "What was put is not there at once for get and empty, and is at once for qsize and full.",
    ),
    rule(
        "O5",
        "join ends once the counter has been 0, even where something was put before the joiner \
         came back.",
    ),
    rule("O6", "No task_done can come before its item was counted, however fast it is."),
    rule(
        "O7",
        "One notification releases all joiners; join of an untouched queue returns at once; one \
         task_done too many changes nothing.",
    ),
    without(
        "MQ1",
        "The queue lives in a server with one thread for each connection, over a socket in a \
         private folder; both sides prove that they know the key.",
        "The frames are midput's own: CPython's managers and midput's do not speak to each other.",
    ),
    without(
        "MQ2",
        "A request names a method, and its result or its error comes back; what is not offered \
         cannot be called.",
        "Requests carry serde data and no pickle, so that none can run anything.",
    ),
    without(
        "MQ3",
        "Sizes are exact, an item is visible at once, order is global, and a negative timeout is an \
         error.",
        "Times are typed: none is negative.",
    ),
    rule(
        "MQ4",
        "A client that dies in get takes one later item with it; the put of one that died waiting \
         is carried out later.",
    ),
    rule("MQ5", "A client that dies within a request harms nobody else."),
    rule(
        "MQ6",
        "When the server dies pending calls end with an error, later ones find nobody, and the \
         items are lost.",
    ),
    rule(
        "MQ7",
        "A call that is broken off before its reply leaves it to the next call on that connection.",
    ),
    rule(
        "MQ8",
        "Clients buffer nothing and have no feeder: joining one never waits for the queue.",
    ),
];
