//! The known harms.

use std::fmt;
use std::str::FromStr;

use midput_model::contract::Guarantee;
use serde::{Deserialize, Serialize};

use crate::kill::as_text;
use crate::nearest::one_of;

/// A known harm that queues between processes do. Its text form, also in serde, is its id: `H3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Hazard {
    /// A slot that a dead process had taken is never given back. G8, because capacity is lost; G6,
    /// because a put without a timeout then waits for a slot that nobody can give back.
    H1,
    /// `put` had returned, but the item never arrives. G5, because the caller had handed it over;
    /// G6, because a get waits although an item was put.
    H2,
    /// A reader waits past its timeout in a read that has none. G7 by its words; G6, because other
    /// items may have been put.
    H3,
    /// The read lock has a dead holder. G6, because untimed gets wait for ever; G5, because items
    /// that nobody had taken cannot be got any more; G8, because their slots stay taken. Timed gets
    /// end with Empty, so that G7 holds.
    H4,
    /// The write lock has a dead holder. G6 and G5, because what survivors put never arrives; G9,
    /// because they cannot leave while their feeder waits for the lock; G8, because a put into a
    /// simple queue waits for it itself.
    H5,
    /// A frame is in the pipe in part. G6 and G7, because whoever reads it waits for the rest; G5,
    /// because all items behind it are lost; G8, because their slots stay taken.
    H6,
    /// Joining a process that waits for its items to be read, by the one who would read them. G9,
    /// without any fault.
    H7,
    /// A process cannot leave: its feeder waits for a lock or for room that never comes. G9.
    H8,
    /// The counter of unfinished tasks never reaches 0: G10; or nobody can lock it any more: G6, G7
    /// and G8, because no time-out of `put` covers that lock, and G9, because a put that waits for
    /// it keeps its process's own lock from the finalizers.
    H9,
    /// A notifier waits for the acknowledgement of a dead waiter, with the counter locked: the same.
    H10,
    /// A get that does not wait, or not for long, finds nothing although something is there. No
    /// guarantee: `Empty` is the documented answer to "not now" (`Q8`), and no item is lost.
    H11,
    /// A stream that was torn right behind a header looks like one that was closed. G11.
    H12,
    /// Items are dropped because the process asked not to wait for them. G4, since no fault was
    /// needed.
    H13,
    /// The server takes an item for a client that is dead and loses it. G5, because the victim had
    /// not taken it; G6, because another get that it could have served waits on.
    H14,
    /// A put that waited in the server is carried out after its client died. No guarantee: the put
    /// was called, and the item arrives whole and once.
    H15,
}

/// What is to be said of one hazard.
struct Entry {
    name: &'static str,
    loss: &'static str,
    site: &'static str,
    rules: &'static [&'static str],
    guarantees: &'static [u8],
    scenario: &'static str,
    remedy: &'static str,
}

impl Hazard {
    /// Every hazard in the order of their ids.
    pub const ALL: [Self; 15] = [
        Self::H1,
        Self::H2,
        Self::H3,
        Self::H4,
        Self::H5,
        Self::H6,
        Self::H7,
        Self::H8,
        Self::H9,
        Self::H10,
        Self::H11,
        Self::H12,
        Self::H13,
        Self::H14,
        Self::H15,
    ];

    /// Its number: 3 for `H3`.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Its name: `reader-stuck-past-timeout`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What is lost, in one sentence.
    pub fn loss(self) -> &'static str {
        self.entry().loss
    }

    /// Where it comes from: the steps at which a death, or which call, does the harm.
    pub fn site(self) -> &'static str {
        self.entry().site
    }

    /// The rules of CPython's semantics that it follows from.
    pub fn rules(self) -> &'static [&'static str] {
        self.entry().rules
    }

    /// The guarantees that it can break. H11 and H15 break none.
    pub fn guarantees(self) -> Vec<Guarantee> {
        self.entry()
            .guarantees
            .iter()
            .map(|number| Guarantee::ALL[usize::from(number - 1)])
            .collect()
    }

    /// A built-in scenario that shows it.
    pub fn scenario(self) -> &'static str {
        self.entry().scenario
    }

    /// What somebody who has met it can do.
    pub fn remedy(self) -> &'static str {
        self.entry().remedy
    }

    fn entry(self) -> &'static Entry {
        &ENTRIES[usize::from(self.number() - 1)]
    }

    /// The whole list as Markdown: the text of `HAZARDS.md`.
    pub fn markdown() -> String {
        let mut text = String::from(
            "# Hazards\n\n\
             The known harms of queues between processes. This page is generated from the enum\n\
             `Hazard`; a test holds them equal. A scenario says in `[allow]` which of them its\n\
             subject may show.\n",
        );
        for hazard in Self::ALL {
            let list = |words: Vec<String>| {
                if words.is_empty() { "none".to_owned() } else { words.join(", ") }
            };
            let guarantees = hazard.guarantees().iter().map(Guarantee::to_string).collect();
            let scenario = hazard.scenario();
            text.push_str(&format!(
                "\n## {hazard} {}\n\n{}\n\n- site: {}\n- rules: {}\n- breaks: {}\n- scenario: \
                 `{scenario}`\n- what to do: {}\n",
                hazard.name(),
                hazard.loss(),
                hazard.site(),
                list(hazard.rules().iter().map(|rule| (*rule).to_owned()).collect()),
                list(guarantees),
                hazard.remedy(),
            ));
        }
        text
    }
}

const ENTRIES: [Entry; 15] = [
    Entry {
        name: "slot-leaked",
        loss: "A bounded queue has one slot less for good: it is full too early, \
               in the end always.",
        site: "a death between `sem.acquire` and the end of the write, or between \
               `rlock.release` and `sem.release` of an untimed get",
        rules: &["X1", "X7", "Q4"],
        guarantees: &[6, 8],
        scenario: "bounded-full/slot-leak-after-kill",
        remedy: "Make a new queue after a death, or take a queue that counts the \
                 slots of the dead.",
    },
    Entry {
        name: "item-lost-after-put",
        loss: "`put` had returned, but the item was still in its process and died with it.",
        site: "a death between `buffer.append` and the end of the write",
        rules: &["X1", "X2", "LC11"],
        guarantees: &[5, 6],
        scenario: "kill-mid-put/small-one-producer",
        remedy: "Keep a record of what was sent until the receiver has confirmed it.",
    },
    Entry {
        name: "reader-stuck-past-timeout",
        loss: "A get waits for ever for the rest of a frame, its timeout or `nowait` included.",
        site: "`read-header` or `read-body` behind a frame that its writer did not finish",
        rules: &["Q9", "X2"],
        guarantees: &[6, 7],
        scenario: "kill-mid-put/large-200kB-one-producer",
        remedy: "Kill the readers too and make a new queue; keep items within 4092 bytes, which \
                 the kernel writes all or nothing.",
    },
    Entry {
        name: "reader-lock-orphaned",
        loss: "Nobody can get any more: an untimed get waits for ever, a timed one raises Empty.",
        site: "a death from `rlock.acquire` to `rlock.release`, an idle consumer's included",
        rules: &["X5", "X6", "X7", "LC10"],
        guarantees: &[5, 6, 8],
        scenario: "kill-mid-get/idle-blocking",
        remedy: "Never kill a consumer: send it an item that tells it to leave.",
    },
    Entry {
        name: "writer-lock-orphaned",
        loss: "Nobody's items arrive any more though every put succeeds, and producers cannot \
               leave; into a simple queue nobody can put.",
        site: "a death from `wlock.acquire` to `wlock.release`",
        rules: &["X2", "X4", "X12"],
        guarantees: &[5, 6, 8, 9],
        scenario: "kill-mid-put/small-two-producers",
        remedy: "Never kill a producer; where one may die, give each producer a queue of its own.",
    },
    Entry {
        name: "frame-torn",
        loss: "The pipe holds part of a frame: whoever reads it waits for the rest, and all items \
               behind it are lost.",
        site: "a death in `write-frame`, between `write-header` and `write-body`, or in \
               `write-body`",
        rules: &["X2", "WF2", "WF3"],
        guarantees: &[5, 6, 7, 8],
        scenario: "kill-mid-put/large-200kB-one-producer",
        remedy: "Keep items within 4092 bytes, and send large data another way, such as a file \
                 whose name is the item.",
    },
    Entry {
        name: "join-deadlock",
        loss: "A process joins another that waits for its items to be read, by the one that joins.",
        site: "`process.join` or `child.join` against `feeder.join`, the pipe full",
        rules: &["LC9", "LC1"],
        guarantees: &[9],
        scenario: "join-unflushed/deadlocks",
        remedy: "Get everything before joining.",
    },
    Entry {
        name: "exit-stuck",
        loss: "A process that has done its work never ends.",
        site: "`feeder.join` while the feeder waits in `wlock.acquire` or a write, and \
               `child.join` of such a process",
        rules: &["LC1", "LC9", "X2"],
        guarantees: &[9],
        scenario: "kill-mid-put/small-two-producers",
        remedy: "Call `cancel_join_thread` where items may be lost, or kill the process.",
    },
    Entry {
        name: "task-counter-stuck",
        loss: "`join` of a joinable queue never returns: the one who should say `task_done` is \
               dead, or died with the counter locked; then every put and `task_done` waits too.",
        site: "a death between `get` and `task_done`, or from `cond.acquire` to `cond.release`",
        rules: &["X8", "JQ5"],
        guarantees: &[6, 7, 8, 9, 10],
        scenario: "joinable-queue/worker-killed",
        remedy: "Let the survivor that notices the death call `task_done` in its place.",
    },
    Entry {
        name: "dead-waiter-blocks-notify",
        loss: "`task_done` waits for ever for a dead waiter, and with it every put and join.",
        site: "a death in `wait` of the condition",
        rules: &["X9", "K2"],
        guarantees: &[6, 7, 8, 9, 10],
        scenario: "joinable-queue/joiner-killed",
        remedy: "Never kill a process that waits in `join` of a joinable queue.",
    },
    Entry {
        name: "empty-though-not-empty",
        loss: "A get raises Empty although an item is there.",
        site: "`rlock.acquire` while another consumer holds the lock: a living one for a moment, a \
               dead one for ever",
        rules: &["Q8", "X5"],
        guarantees: &[],
        scenario: "kill-mid-get/idle-timed",
        remedy: "Never take Empty as the end: count the items, or send one that says it is \
                 the last.",
    },
    Entry {
        name: "tear-taken-for-close",
        loss: "A stream that was torn right behind a header is taken for one that was closed.",
        site: "a death between `write-header` and `write-body`, the last writer's",
        rules: &["WF4", "X11"],
        guarantees: &[11],
        scenario: "pipe/sender-killed",
        remedy: "Let the sender end with a message that says it is the last.",
    },
    Entry {
        name: "items-dropped-by-cancel",
        loss: "Items that were put are dropped when their process leaves, because it asked not to \
               wait for them.",
        site: "`exit` after `cancel_join_thread`",
        rules: &["Q16", "X12"],
        guarantees: &[4],
        scenario: "join-unflushed/cancel-join-thread",
        remedy: "Call `cancel_join_thread` only where nobody will use the queue again.",
    },
    Entry {
        name: "item-swallowed-by-dead-client",
        loss: "The manager takes the next item for a client that is dead, and it is lost.",
        site: "a client's death while it waits in `get`",
        rules: &["MQ4"],
        guarantees: &[5, 6],
        scenario: "manager-queue/item-swallowed",
        remedy: "Get with short timeouts, so that less is pending when a client dies.",
    },
    Entry {
        name: "put-after-death",
        loss: "A put that waited in the manager is carried out after its process died.",
        site: "a client's death while it waits in `put`",
        rules: &["MQ4"],
        guarantees: &[],
        scenario: "manager-queue/put-after-death",
        remedy: "Do not take a death as a sign that nothing more arrives from that process.",
    },
];

impl fmt::Display for Hazard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "H{}", self.number())
    }
}

/// Why a text names no hazard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown hazard '{text}'; {hint}")]
pub struct NoHazard {
    /// The text.
    pub text: String,
    /// What would be right.
    pub hint: String,
}

impl FromStr for Hazard {
    type Err = NoHazard;

    /// Reads an id (`H3`) or a name (`reader-stuck-past-timeout`).
    fn from_str(text: &str) -> Result<Self, NoHazard> {
        let found = Self::ALL
            .into_iter()
            .find(|hazard| hazard.to_string() == text || hazard.name() == text);
        found.ok_or_else(|| {
            let is_name = text.contains('-');
            let hint = if is_name {
                one_of(text, Self::ALL.map(Self::name))
            } else {
                "the ids are H1 to H15".to_owned()
            };
            NoHazard { text: text.to_owned(), hint }
        })
    }
}

as_text!(Hazard);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hazard_reads_back_from_its_id_and_its_name() {
        for hazard in Hazard::ALL {
            assert_eq!(hazard.to_string().parse(), Ok(hazard));
            assert_eq!(hazard.name().parse(), Ok(hazard));
        }
        for text in ["H0", "H16", "h1", "H01", "slot"] {
            assert!(text.parse::<Hazard>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_page_is_the_list() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/HAZARDS.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == Hazard::markdown(),
            "HAZARDS.md differs; it must be:\n{}",
            Hazard::markdown()
        );
    }

    #[test]
    fn the_scenario_of_a_hazard_allows_it() {
        let scenarios = crate::builtin();
        for hazard in Hazard::ALL {
            let name = hazard.scenario();
            let scenario = scenarios.iter().find(|scenario| scenario.name == name);
            let scenario = scenario.unwrap_or_else(|| panic!("no scenario {name}"));
            assert!(
                scenario.allowed(scenario.subject()).contains(&hazard),
                "{name} forbids {hazard}"
            );
        }
    }
}
