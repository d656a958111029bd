//! The scenarios that are part of the program, so that an installed command needs no folder.

use crate::Scenario;

/// One list of names gives the texts, so that name and file cannot differ.
macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../", $name, ".toml")))),*]
    };
}

const SOURCES: &[(&str, &str)] = sources![
    "bounded-full/full-by-timeout",
    "bounded-full/slot-leak-after-kill",
    "canary/must-fail",
    "join-unflushed/cancel-join-thread",
    "join-unflushed/close-after-cancel",
    "join-unflushed/deadlocks",
    "join-unflushed/drained-first",
    "join-unflushed/just-does-not-fit",
    "join-unflushed/just-fits",
    "joinable-queue/all-done",
    "joinable-queue/joiner-killed",
    "joinable-queue/producer-killed",
    "joinable-queue/too-many-done",
    "joinable-queue/worker-killed",
    "kill-mid-get/frame-read-blocking",
    "kill-mid-get/frame-read-timed",
    "kill-mid-get/header-read-blocking",
    "kill-mid-get/header-read-timed",
    "kill-mid-get/idle-blocking",
    "kill-mid-get/idle-timed",
    "kill-mid-put/frame-16kB-one-producer",
    "kill-mid-put/frame-16kB-two-producers",
    "kill-mid-put/idle-feeder",
    "kill-mid-put/large-200kB-one-producer",
    "kill-mid-put/large-200kB-two-producers",
    "kill-mid-put/small-one-producer",
    "kill-mid-put/small-two-producers",
    "manager-queue/blocked-get-killed",
    "manager-queue/blocked-put-killed",
    "manager-queue/classic-clients",
    "manager-queue/clients",
    "manager-queue/consumer-killed",
    "manager-queue/item-swallowed",
    "manager-queue/producer-killed",
    "manager-queue/put-after-death",
    "manager-queue/server-killed",
    "manager-queue/tasks",
    "manager-queue/tasks-stuck",
    "manager-queue/worker-killed",
    "no-fault/broken-pipe",
    "no-fault/broken-pipe-while-leaving",
    "no-fault/close-and-look",
    "no-fault/largest-one-write",
    "no-fault/leaves-without-join",
    "no-fault/not-yet-there",
    "no-fault/one-deadline",
    "no-fault/one-producer-two-consumers",
    "no-fault/one-producer-two-consumers-nowait",
    "no-fault/producer-waits-for-slots",
    "no-fault/put-first-got-second",
    "no-fault/short-transfers",
    "no-fault/two-large-producers",
    "no-fault/two-producers-two-consumers",
    "pipe/closed-ends",
    "pipe/sender-killed",
    "process/buffer-is-its-own",
    "process/closed-in-the-parent",
    "process/daemon-is-ended",
    "process/daemon-mid-write",
    "process/exit-without-flush",
    "process/is-alive",
    "process/several-queues",
    "process/terminate-before-handler",
    "process/terminate-with-handler",
    "process/terminate-with-handler-daemon",
    "process/terminate-with-handler-stuck",
    "simple-queue/closed",
    "simple-queue/kill-idle-consumer",
    "simple-queue/kill-mid-put",
    "simple-queue/two-producers",
    "terminate-while-flushing/any-site",
    "terminate-while-flushing/default",
];

/// Every built-in scenario, sorted by name.
///
/// ```
/// let scenarios = midput_scenarios::builtin();
/// assert!(scenarios.iter().any(|scenario| scenario.name == "canary/must-fail"));
/// ```
///
/// # Panics
/// Never: a test reads every one of the texts, which are fixed when the program is built.
pub fn builtin() -> Vec<Scenario> {
    let read = |&(name, text): &(&str, &str)| {
        crate::parse(name, text).unwrap_or_else(|error| panic!("{error}"))
    };
    SOURCES.iter().map(read).collect()
}

/// The name and the text of every built-in scenario, sorted by name.
pub fn builtin_sources() -> &'static [(&'static str, &'static str)] {
    SOURCES
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_and_the_folder_agree() {
        let folder =
            crate::load_dir(env!("CARGO_MANIFEST_DIR")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(crate::builtin(), folder);
    }
}
