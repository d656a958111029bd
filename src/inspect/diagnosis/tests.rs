//! Each harm on a picture made by hand, and beside it one that differs in what speaks against it.

use midput_scenarios::Hazard;

use super::{Certainty, Finding, diagnose};
use crate::inspect::picture::Doing;
use crate::inspect::pictures::{
    CONDITION_LOCK, Draft, LOCAL, PIPE, READ_LOCK, SLOTS, WAIT, WOKEN, WRITE_LOCK, WRITES, joins,
    reads, waits,
};

/// More slots than anybody takes.
const MANY: u32 = 2_147_483_647;

fn likely(draft: Draft) -> Vec<Hazard> {
    let mut findings: Vec<Finding> = diagnose(&draft.picture());
    findings.retain(Finding::is_likely);
    findings.iter().filter_map(|finding| finding.hazard).collect()
}

fn unsure(draft: Draft) -> Vec<Option<Hazard>> {
    let findings = diagnose(&draft.picture());
    let told = |it: &Finding| (it.certainty == Certainty::CannotTell).then_some(it.hazard);
    let unsure: Vec<_> = findings.iter().map(told).collect();
    assert!(unsure.iter().all(Option::is_some), "{findings:?}");
    unsure.into_iter().flatten().collect()
}

fn nothing(draft: Draft) {
    assert_eq!(diagnose(&draft.picture()), []);
}

#[test]
fn idle_readers_are_well() {
    let idle = || Draft::new(&[0, 1, MANY], 0).process(&[joins(2)]).process(&[reads(4)]);
    nothing(idle().process(&[waits(READ_LOCK)]));
    nothing(idle().process(&[Doing::Runs]));
    nothing(Draft::new(&[1, 1, MANY], 40).process(&[joins(2)]));
}

#[test]
fn a_reader_inside_a_frame_that_nobody_writes_is_h3_and_h6() {
    let torn = |wlock| Draft::new(&[0, wlock, 3], 0).process(&[joins(2)]).process(&[reads(19_018)]);
    assert_eq!(likely(torn(1)), [Hazard::H3, Hazard::H6], "the write lock was freed by force");
    assert_eq!(likely(torn(0)), [Hazard::H3, Hazard::H6, Hazard::H5]);
    nothing(torn(0).process(&[LOCAL, WRITES]));
    let running = torn(0).process(&[Doing::Runs]);
    assert_eq!(unsure(running), [Some(Hazard::H3), Some(Hazard::H6)]);
    // With the write lock free nobody is writing, whoever runs.
    assert_eq!(likely(torn(1).process(&[Doing::Runs])), [Hazard::H3, Hazard::H6]);
}

#[test]
fn readers_behind_a_lock_that_nobody_reads_with_are_h4() {
    let locked = || Draft::new(&[0, 1, MANY], 0).process(&[waits(READ_LOCK)]);
    assert_eq!(likely(locked()), [Hazard::H4]);
    nothing(locked().process(&[reads(4)]));
    let polls = |limited| Doing::Polls { pipes: vec![PIPE], children: vec![], limited };
    nothing(locked().process(&[polls(true)]));
    for unseen in [Doing::Runs, Doing::Stopped, Doing::Unknown] {
        assert_eq!(unsure(locked().process(&[unseen])), [Some(Hazard::H4)]);
    }
}

#[test]
fn writers_behind_a_lock_that_nobody_writes_with_are_h5_and_h8() {
    let locked = |bytes| Draft::new(&[1, 0, 3], bytes).process(&[LOCAL, waits(WRITE_LOCK)]);
    assert_eq!(likely(locked(0)), [Hazard::H5, Hazard::H8]);
    let findings = diagnose(&locked(1004).picture());
    let told: Vec<_> = findings.iter().map(|it| (it.hazard.unwrap(), it.is_likely())).collect();
    assert_eq!(told, [(Hazard::H5, true), (Hazard::H6, false), (Hazard::H8, true)]);
    assert_eq!(unsure(locked(0).process(&[Doing::Runs])), [Some(Hazard::H5), Some(Hazard::H8)]);
    // Nobody waits for it, and the first thread puts on.
    assert_eq!(likely(Draft::new(&[0, 0, 3], 0).process(&[reads(4)])), [Hazard::H5]);
    assert_eq!(likely(Draft::new(&[1, 0, 3], 0).process(&[joins(2)])), [Hazard::H5]);
}

#[test]
fn a_parent_that_joins_whom_it_would_have_to_read_is_h7() {
    let full = || Draft::new(&[1, 0, 3], 62_029);
    assert_eq!(likely(full().process(&[joins(2)]).process(&[LOCAL, WRITES])), [Hazard::H7]);
    let behind = full().process(&[joins(2)]).process(&[LOCAL, waits(WRITE_LOCK)]);
    assert_eq!(likely(behind.process(&[LOCAL, WRITES])), [Hazard::H7]);
    let any = Doing::Joins { child: None, limited: false };
    assert_eq!(likely(full().process(&[any]).process(&[LOCAL, WRITES])), [Hazard::H7]);
    let sentinel = Doing::Polls { pipes: vec![], children: vec![2], limited: false };
    assert_eq!(likely(full().process(&[sentinel]).process(&[LOCAL, WRITES])), [Hazard::H7]);
    let running = full().process(&[joins(2)]).process(&[LOCAL, WRITES]).process(&[Doing::Runs]);
    assert_eq!(unsure(running), [Some(Hazard::H7)]);
    let sleeps = Doing::Other { number: 230, place: "hrtimer_nanosleep".into() };
    let sleeping = full().process(&[joins(2)]).process(&[LOCAL, WRITES]).process(&[sleeps]);
    assert_eq!(unsure(sleeping), [Some(Hazard::H7)]);
    let limited = Doing::Joins { child: Some(2), limited: true };
    let limited = full().process(&[limited]).process(&[LOCAL, WRITES]);
    assert_eq!(unsure(limited), [Some(Hazard::H8)], "it gives up in time, and may read then");
}

#[test]
fn a_process_that_leaves_and_waits_for_room_alone_is_h8() {
    let alone = || Draft::new(&[1, 0, 3], 62_029).process(&[LOCAL, WRITES]);
    assert_eq!(likely(alone()), [Hazard::H8]);
    let running = Draft::new(&[1, 0, 3], 62_029).process(&[Doing::Runs, WRITES]);
    nothing(running);
}

#[test]
fn a_put_that_waits_for_slots_of_which_none_is_in_use_is_h1() {
    let full = |bytes| Draft::new(&[1, 1, 0], bytes).process(&[waits(SLOTS)]);
    assert_eq!(likely(full(0)), [Hazard::H1]);
    nothing(full(40));
    nothing(Draft::new(&[1, 0, 0], 0).process(&[waits(SLOTS)]).process(&[waits(SLOTS), WRITES]));
    assert_eq!(unsure(full(0).process(&[Doing::Runs])), [Some(Hazard::H1)]);
}

#[test]
fn a_task_counter_that_nobody_can_lock_is_h9() {
    let locked = || Draft::new(&[1, 1, 3, 0, 0, 0, 0, 0], 0).process(&[waits(CONDITION_LOCK)]);
    assert_eq!(likely(locked()), [Hazard::H9]);
    assert_eq!(unsure(locked().process(&[Doing::Runs])), [Some(Hazard::H9)]);
    nothing(Draft::new(&[1, 1, 3, 0, 0, 0, 0, 0], 0).process(&[joins(2)]));
}

#[test]
fn tasks_that_nobody_is_left_to_do_are_h9() {
    let joined = || Draft::new(&[1, 1, 3, 1, 1, 1, 0, 0], 0).process(&[waits(WAIT), LOCAL]);
    assert_eq!(likely(joined()), [Hazard::H9]);
    // This one may be at work.
    let works = Doing::Other { number: 230, place: "hrtimer_nanosleep".into() };
    nothing(joined().process(&[works]));
    nothing(joined().process(&[LOCAL]));
}

#[test]
fn a_notifier_that_waits_for_a_dead_joiner_is_h10() {
    let notifies = || Draft::new(&[1, 1, MANY, 0, 0, 0, 0, 1], 0).process(&[waits(WOKEN)]);
    assert_eq!(likely(notifies()), [Hazard::H10]);
    assert_eq!(unsure(notifies().process(&[Doing::Runs])), [Some(Hazard::H10)]);
}

#[test]
fn a_wait_for_an_event_is_no_harm_and_one_for_an_unknown_lock_is_said() {
    // A queue, then an event with one who waits for it.
    nothing(Draft::new(&[1, 1, MANY, 1, 1, 0, 0, 0], 0).process(&[waits(6)]));
    // A lock of the program's own beside the queue.
    let own = Draft::new(&[1, 1, 3, 0], 0).process(&[waits(3)]);
    assert_eq!(unsure(own), [None]);
}
