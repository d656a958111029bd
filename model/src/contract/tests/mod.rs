//! Histories made by hand: for each guarantee some that keep it and some that break it.

mod history;
mod proofs;
mod properties;
mod reference;

use super::{Guarantee, Monitor};
use history::{ids, parse, program, violations};

/// Each row: maxsize, the history, and exactly the guarantees that it breaks.
fn check(rows: &[(u32, &str, &str)]) {
    for (maxsize, history, expected) in rows {
        let found = violations(*maxsize, history);
        assert_eq!(ids(&found), *expected, "maxsize {maxsize}: {history}\n{found:#?}");
    }
}

#[test]
fn g1_what_is_got_was_put_there_and_is_got_once() {
    check(&[
        (0, "P1 put a, P1 done, P0 get, P0 a", ""),
        // The put has been called; that is enough.
        (0, "P1 put a, P0 get, P0 a, P1 done", ""),
        (0, "P1 put a, P0 get, P0 a, P1 killed", ""),
        // A put that was refused may be tried again.
        (1, "P1 put a nowait, P1 full, P1 put a, P1 done, P0 get, P0 a", ""),
        (0, "P0 get, P0 a", "G1"),
        (0, "P0 get, P0 a, P1 put a, P1 done", "G1"),
        (0, "P0 get, P0 garbage", "G1"),
        (0, "P1 put a, P1 done, P0 get, P0 a, P2 get, P2 a", "G1"),
        (0, "P1 put a, P0 get, P0 a, P2 get, P2 a, P1 done", "G1"),
        (1, "P1 put a nowait, P1 full, P0 get, P0 a", "G1"),
        (1, "P1 put a nowait, P0 get, P0 a, P1 full", "G1"),
        // w belongs to the other queue.
        (0, "P1 put w, P1 done, P0 get r, P0 w", ""),
        (0, "P1 put w, P1 done, P0 get, P0 w", "G1"),
    ]);
}

#[test]
fn g2_one_producer_s_items_come_in_their_order() {
    check(&[
        (0, "P1 put a, P1 done, P1 put b, P1 done, P0 get, P0 a, P0 get, P0 b", ""),
        (0, "P1 put a, P1 done, P1 put b, P1 done, P0 get, P0 b, P0 get, P0 a", "G2"),
        // Two processes: nothing is promised (O1).
        (0, "P1 put a, P1 done, P2 put x, P2 done, P0 get, P0 x, P0 get, P0 a", ""),
        // Two threads of one process: it counts whether the puts overlapped.
        (0, "P1 put a, P1T put b, P1 done, P1T done, P0 get, P0 b, P0 get, P0 a", ""),
        (0, "P1 put a, P1 done, P1T put b, P1T done, P0 get, P0 b, P0 get, P0 a", "G2"),
        // Gets that overlap return in either order.
        (0, "P1 put a, P1 done, P1 put b, P1 done, P0 get, P2 get, P0 b, P2 a", ""),
        (0, "P1 put a, P1 done, P1 put b, P1 done, P0 get, P0 b, P2 get, P2 a", "G2"),
        // The third get began after b was out; that the second still has c is no excuse.
        (
            0,
            "P1 put a, P1 done, P1 put b, P1 done, P1 put c, P1 done, P0 get, P2 get, P0 b, \
             P0 get, P0 a, P2 c",
            "G2",
        ),
        // What was overtaken stays so when a get on it finds nothing, and when a getter dies.
        (
            0,
            "P1 put a, P1 done, P1 put b, P1 done, P0 get, P2 get, P0 b, P2 killed, P0 get 1s, \
             P0 empty, P0 get, P0 a",
            "G2",
        ),
        // Two queues have nothing to do with each other.
        (0, "P1 put a, P1 done, P1 put w, P1 done, P0 get r, P0 w, P0 get, P0 a", ""),
    ]);
}

#[test]
fn g3_no_more_than_maxsize_items_are_accepted_and_not_taken() {
    check(&[
        (2, "P1 put a, P1 done, P1 put b, P1 done", ""),
        (1, "P1 put a, P1 done, P1 put b, P1 done", "G3"),
        (2, "P1 put a, P1 done, P1 put b, P1 done, P2 put x, P2 done", "G3"),
        (1, "P1 put a, P1 done, P2 put x, P2 done", "G3"),
        (0, "P1 put a, P1 done, P1 put b, P1 done, P1 put c, P1 done", ""),
        // A get under way may have one already; a second one it cannot have.
        (1, "P1 put a, P1 done, P0 get, P1 put b, P1 done, P0 a", ""),
        (1, "P1 put a, P1 done, P0 get, P1 put b, P1 done, P1 put c, P1 done", "G3"),
        (1, "P1 put a, P1 done, P0 get, P0 a, P1 put b, P1 done", ""),
        // So may the get that a process died in, and one that ended with an error.
        (1, "P1 put a, P1 done, P2 get, P2 killed, P1 put b, P1 done", ""),
        (1, "P1 put a, P1 done, P0 get, P0 torn, P1 put b, P1 done", ""),
        // The room of a killed producer's items may come back; an exited one's are still there.
        (1, "P1 put a, P1 done, P1 killed, P2 put x, P2 done", ""),
        (1, "P1 put a, P1 done, P1 exits, P2 put x, P2 done", "G3"),
        // A put that has not returned takes no room for certain.
        (1, "P1 put a, P2 put x, P2 done, P1 blocked sem.acquire", ""),
    ]);
}

#[test]
fn g4_without_a_kill_nothing_is_lost() {
    check(&[
        (0, "P1 put a, P1 done, P1 exits, P0 get, P0 a, P0 get nowait, P0 empty", ""),
        (0, "P1 put a, P1 done, P1 exits", ""),
        (0, "P1 put a, P1 done, P1 exits, P0 get nowait, P0 empty", "G4"),
        (0, "P1 put a, P1 done, P0 get, P0 blocked read-header", "G4"),
        (0, "P0 get, P0 blocked read-header", ""),
        // The producer lives: the item may still be in its buffer (O4).
        (0, "P1 put a, P1 done, P0 get nowait, P0 empty, P1 exits", ""),
        // The get began before the producer had ended.
        (0, "P1 put a, P1 done, P0 get 1s, P1 exits, P0 empty", ""),
        // Another get overlaps: it may hold the lock (Q8).
        (0, "P1 put a, P1 done, P1 exits, P2 get, P0 get nowait, P0 empty, P2 garbage", "G1"),
        // Not found once, and got later: late, not lost.
        (0, "P1 put a, P1 done, P1 exits, P0 get nowait, P0 empty, P0 get, P0 a", ""),
        // Overtaken, and nobody is left who could have it.
        (0, "P1 put a, P1 done, P1 put b, P1 done, P0 get, P0 b", "G4"),
        (0, "P1 put a, P1 done, P1 put b, P1 done, P0 get, P2 get, P0 b, P2 a", ""),
        // A thread that its process left in the middle of a get may have it.
        (0, "P1 put a, P1 done, P1 exits, P2T get, P2 exits, P0 get nowait, P0 empty", ""),
        // Only the other queue is waited for.
        (0, "P1 put a, P1 done, P0 get r, P0 blocked read-header", ""),
    ]);
}

#[test]
fn g5_a_death_loses_no_more_than_it_may() {
    check(&[
        // A put that had not returned.
        (0, "P1 put a, P1 killed, P0 get nowait, P0 empty", ""),
        (0, "P1 put a, P1 killed, P0 get, P0 a", ""),
        // One item for the get that the victim was in, and no more.
        (0, "P0 put m, P0 done, P0 put n, P0 done, P2 get, P2 killed, P0 get, P0 n", ""),
        (
            0,
            "P1 put a, P1 done, P1 put b, P1 done, P1 exits, P2 get, P2 killed, P0 get nowait, \
             P0 empty",
            "G5",
        ),
        // Two threads of the victim were in a get.
        (
            0,
            "P1 put a, P1 done, P1 put b, P1 done, P1 exits, P2 get, P2T get, P2 killed, \
             P0 get nowait, P0 empty",
            "",
        ),
        // Returned puts are owed, wherever they were (X1).
        (0, "P1 put a, P1 done, P1 killed, P0 get nowait, P0 empty", "G5"),
        (0, "P1 put a, P1 done, P1 killed, P0 get nowait, P0 empty, P0 get, P0 a", ""),
        (0, "P1 put a, P1 done, P1 put b, P1 killed, P0 get, P0 a, P0 get nowait, P0 empty", ""),
        // What was put only after the death the victim has not taken (MQ4, H14).
        (
            0,
            "P2 get, P2 killed, P0 put m, P0 done, P0 put n, P0 done, P0 get, P0 n, P0 get nowait, \
             P0 empty",
            "G5",
        ),
        // Of three items one was put before the one death.
        (
            0,
            "P0 put m, P0 done, P2 get, P2 killed, P0 put n, P0 done, P0 put o, P0 done, P0 get, P0 o",
            "G5",
        ),
        (0, "P0 put m, P0 done, P2 get, P2 killed, P0 put n, P0 done, P0 get, P0 n", ""),
        // What somebody got before he was killed is not lost by the queue (X7, C6).
        (0, "P1 put a, P1 done, P2 get, P2 a, P2 killed, P0 get nowait, P0 empty", ""),
    ]);
}

#[test]
fn g6_no_survivor_s_get_is_blocked_while_there_is_an_item() {
    check(&[
        (0, "P1 killed, P0 get, P0 blocked read-header", ""),
        (0, "P1 put a, P1 killed, P0 get, P0 blocked read-header", ""),
        (0, "P1 put a, P1 done, P1 killed, P0 get, P0 blocked read-header", "G5 G6"),
        // The victim may have taken it; but not both (X5).
        (0, "P1 put a, P1 done, P2 get, P2 killed, P0 get, P0 blocked rlock.acquire", ""),
        (
            0,
            "P1 put a, P1 done, P1 put b, P1 done, P2 get, P2 killed, P0 get, \
             P0 blocked rlock.acquire",
            "G5 G6",
        ),
        // It was idle in a get when it died, and the item came later: it cannot have taken it.
        (0, "P2 get, P2 killed, P1 put a, P1 done, P0 get, P0 blocked rlock.acquire", "G5 G6"),
        // It was being put.
        (0, "P2 get, P1 put a, P2 killed, P1 done, P0 get, P0 blocked rlock.acquire", ""),
        // One of the two that died may have taken one of the two, but neither took b.
        (
            0,
            "P2 get, P1 get, P0 put m, P0 done, P2 killed, P1 killed, P0 put n, P0 done, P0 get, \
             P0 blocked rlock.acquire",
            "G5 G6",
        ),
        // A get that ended with an error before the put has not taken it either.
        (
            0,
            "P1 killed, P0 get, P0 torn, P0 put m, P0 done, P2 get, P2 blocked rlock.acquire",
            "G5 G6",
        ),
        // What is known to be lost is not waited for: that is for G5.
        (
            0,
            "P1 put a, P1 done, P1 killed, P0 get nowait, P0 empty, P0 get, \
             P0 blocked read-header",
            "G5",
        ),
    ]);
}

#[test]
fn g6_no_survivor_s_put_is_blocked_while_there_is_room() {
    check(&[
        // A put is blocked rightly while the queue may be full …
        (1, "P1 put a, P1 done, P1 killed, P0 put m, P0 blocked sem.acquire", ""),
        (1, "P1 put a, P1 killed, P0 put m, P0 blocked sem.acquire", ""),
        // … and not when it cannot be.
        (1, "P1 killed, P0 put m, P0 blocked sem.acquire", "G6 G8"),
        (2, "P1 put a, P1 done, P1 killed, P0 put m, P0 blocked sem.acquire", "G6 G8"),
        (0, "P1 put a, P1 done, P1 killed, P0 put m, P0 blocked notempty.lock", "G6 G8"),
        // Two blocked puts do not excuse each other.
        (
            1,
            "P1 killed, P0 put m, P2 put x, P0 blocked sem.acquire, P2 blocked sem.acquire",
            "G6 G8",
        ),
        // A get and a put on one queue cannot both be blocked rightly.
        (
            1,
            "P1 put a, P1 killed, P0 put m, P2 get, P0 blocked sem.acquire, \
             P2 blocked read-header",
            "G6 G8",
        ),
        // Here it is the get that is wrong; the put may well wait.
        (
            1,
            "P1 put a, P1 done, P1 killed, P0 put m, P2 get, P0 blocked sem.acquire, \
             P2 blocked rlock.acquire",
            "G5 G6",
        ),
        // Nobody was killed: not for this guarantee.
        (1, "P1 put a, P1 exits, P0 put m, P0 blocked sem.acquire", ""),
    ]);
}

#[test]
fn g7_a_call_ends_within_its_timeout() {
    check(&[
        (0, "P0 get 1s, P0 empty", ""),
        (0, "P0 get, P0 blocked read-header", ""),
        (0, "P0 get 1s, P0 overdue, P0 empty", "G7"),
        (0, "P0 get 1s, P0 blocked read-body", "G7"),
        (0, "P0 get nowait, P0 blocked read-body", "G7"),
        (1, "P0 put m 1s, P0 blocked notempty.lock", "G7"),
        (0, "P0 join P1 1s, P0 blocked process.join", "G7"),
        (0, "P0 join P1, P0 blocked process.join", ""),
        // The timeout was that of an earlier call.
        (0, "P0 get 1s, P0 empty, P0 get, P0 blocked read-header", ""),
    ]);
}

#[test]
fn g8_room_comes_back() {
    check(&[
        (1, "P1 killed, P0 put m nowait, P0 done", ""),
        (1, "P1 killed, P0 put m nowait, P0 full", "G8"),
        // Nobody was killed: Full may be late news.
        (1, "P1 exits, P0 put m nowait, P0 full", ""),
        // What the dead have put is inside until it is got or shown not to be.
        (1, "P1 put a, P1 done, P1 killed, P0 put m nowait, P0 full", ""),
        (1, "P1 put a, P1 killed, P0 put m nowait, P0 full", ""),
        (1, "P1 put a, P1 killed, P0 get, P0 a, P0 put m nowait, P0 full", "G8"),
        (1, "P1 put a, P1 killed, P0 get nowait, P0 empty, P0 put m nowait, P0 full", "G8"),
        (
            1,
            "P1 put a, P1 done, P1 killed, P0 get nowait, P0 empty, P0 put m nowait, P0 full",
            "G5 G8",
        ),
        // The get was under way when the producer died: it says nothing.
        (1, "P0 get 1s, P1 put a, P1 killed, P0 empty, P0 put m nowait, P0 full", ""),
        // The item that the victim took is gone once a later one is out (X7, C5).
        (
            2,
            "P0 put m, P0 done, P0 put n, P0 done, P2 get, P2 killed, P0 put o nowait, P0 full",
            "",
        ),
        (
            2,
            "P0 put m, P0 done, P0 put n, P0 done, P2 get, P2 killed, P0 get, P0 n, P0 put o, \
             P0 done, P0 put p nowait, P0 full",
            "G8",
        ),
        // A living get that holds it may not have given its slot back yet.
        (
            2,
            "P1 killed, P0 put m, P0 done, P0 put n, P0 done, P2 get, P0 get, P0 n, P0 put o, \
             P0 done, P0 put p nowait, P0 full, P2 m",
            "",
        ),
        // It may have been full at some time during the call.
        (1, "P1 killed, P2 put x, P0 put m 1s, P2 done, P0T get, P0T x, P0 full", ""),
        (1, "P1 killed, P0 put m 1s, P2 put x, P2 done, P0T get, P0T x, P0 full", ""),
        (1, "P1 killed, P2 put x, P2 done, P0T get, P0T x, P0 put m 1s, P0 full", "G8"),
        (1, "P1 killed, P0 put m, P0 blocked sem.acquire", "G6 G8"),
    ]);
}

#[test]
fn g9_leaving_and_joining_end() {
    check(&[
        (0, "P1 exits, P0 join P1, P0 done", ""),
        (0, "P1 put a, P1 done, P1 leaving feeder.join", "G9"),
        (0, "P1 put a, P1 done, P0 join P1, P1 leaving feeder.join, P0 blocked process.join", "G9"),
        (0, "P1 leaving notempty.lock", "G9"),
        // Waiting for a child or a thread whose own call is rightly blocked is nobody's fault.
        (0, "P1 get, P1 blocked read-header, P0 leaving child.join", ""),
        (0, "P1T get, P1T blocked read-header, P1 leaving thread.join", ""),
        (0, "P1 leaving feeder.join, P0 leaving child.join", "G9"),
        (0, "P1 close, P1 done, P1 join_thread, P1 blocked feeder.join", "G9"),
        (0, "P1 close, P1 blocked notempty.lock", "G9"),
        (0, "P1 get, P1 blocked read-header, P0 join P1, P0 blocked process.join", ""),
        (0, "P1 exits, P0 join P1, P0 blocked process.join", "G9"),
        (0, "P1 killed, P0 join P1, P0 blocked process.join", "G9"),
    ]);
}

/// The monitor after a history.
fn after(maxsize: u32, history: &str) -> Monitor {
    let program = program(maxsize);
    let mut monitor = Monitor::new(&program);
    parse(&program, history).0.iter().for_each(|event| monitor.observe(event));
    monitor
}

#[test]
fn what_no_longer_matters_is_forgotten() {
    let get = "P0 get, P0 a, P0 get, P0 b";
    let apart = format!("P1 put a, P1 done, P1T put b, P1T done, {get}");
    let overlapping = format!("P1 put a, P1T put b, P1 done, P1T done, {get}");
    assert_eq!(after(0, &apart), after(0, &overlapping));

    // Whether P2T called before or after b was out matters as long as order does.
    let put = "P1 put a, P1 done, P1 put b, P1 done, P0T get";
    let before = format!("{put}, P2T get, P0 get, P0 b");
    let behind = format!("{put}, P0 get, P0 b, P2T get");
    assert_ne!(after(0, &before), after(0, &behind));
    let broken = "P2 put x, P2 done, P2 put y, P2 done, P0 get, P0 y, P0 get, P0 x";
    let [before, behind] = [before, behind].map(|head| after(0, &format!("{head}, {broken}")));
    assert_eq!(before, behind);
    assert_eq!(before.violations().iter().collect::<Vec<_>>(), [Guarantee::G2]);
}

#[test]
fn whether_there_was_room_is_forgotten_once_room_did_not_come_back() {
    // In the first the put of z has seen two others, in the second none.
    let first = "P1 killed, P2T put z, P2 put x, P0T put n, P2 full, P0T full";
    let second = "P1 killed, P2 put x, P0T put n, P2 full, P0T full, P2T put z";
    let [first, second] =
        [first, second].map(|head| after(2, &format!("{head}, P0 put m, P0 full")));
    assert!(first.violations().contains(Guarantee::G8));
    assert_eq!(first, second);
}

#[test]
fn how_a_guarantee_was_broken_is_told_and_not_compared() {
    let once = after(0, "P0 get, P0 garbage");
    let same = after(0, "P2 get, P2 garbage");
    assert_eq!(once, same);
    assert_ne!(once.found(), same.found());
    assert_ne!(once, after(0, "P0 get, P0 torn"));
}

#[test]
fn names_that_the_program_does_not_have_are_no_harm() {
    use crate::event::{Blocked, End, Event};
    use crate::program::*;
    let (lane, item, queue) = (LaneId(200), ItemId(900), QueueId(90));
    let timeout = Timeout::Never;
    let events = [
        Event::Call { lane, operation: Operation::Put { queue, item, timeout } },
        Event::Return { lane, outcome: Outcome::Done },
        Event::Call { lane: LaneId(0), operation: Operation::Put { queue, item, timeout } },
        Event::Return { lane: LaneId(0), outcome: Outcome::Done },
        Event::Call { lane: LaneId(1), operation: Operation::Get { queue, timeout } },
        Event::Return { lane: LaneId(1), outcome: Outcome::Item(item) },
        Event::Death { process: ProcessId(77), exit: Exit::Code(0) },
        Event::Overdue { lane },
    ];
    let blocked = Blocked { lane, step: "wait".to_owned(), offset: 0, leaving: true };
    let found = super::judge(&program(1), &events, &End { blocked: vec![blocked] });
    assert_eq!(ids(&found), "G1 G7");
    assert!(found.iter().all(|violation| !violation.describe(&program(1)).is_empty()));
}
