//! What a scenario file says, as values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use midput_model::program::{ProcessId, Program, QueueKind, QueueParameters, Signal};
use serde::{Deserialize, Serialize};

use crate::{Goal, Hazard, Hold, KillPoint};

/// One scenario: what its processes do, what may happen to them, and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its file's path without `.toml`, with `/` between folders, such as
    /// `kill-mid-put/small-two-producers`.
    pub name: String,
    /// What it is there to show, in a sentence or two.
    pub why: String,
    /// What its processes do.
    pub program: Program,
    /// What may happen to them.
    pub faults: Faults,
    /// The hazards that a subject may show here without failing. Ask through
    /// [`allowed`](Self::allowed), which knows the default of `cpython`.
    pub allow: BTreeMap<String, BTreeSet<Hazard>>,
    /// What a sweep with a subject must reach at least once, or it has shown nothing. Ask through
    /// [`goals`](Self::goals), which knows the default of `cpython`.
    pub reach: BTreeMap<String, Vec<Goal>>,
    /// How a check of it must end.
    pub expect: Expect,
    /// The worlds that it runs in, in the order of [`World`].
    pub worlds: BTreeSet<World>,
    /// Why it runs in other worlds than [`World::DEFAULT`]; `None` where it runs in those.
    pub worlds_why: Option<String>,
}

impl Scenario {
    /// The subjects that midput brings; any other name must begin with `user-`.
    pub const SUBJECTS: &[&str] = &["classic", "robust", "manager", "cpython"];

    /// What is tested where nothing else is said: `manager` where the closed form of the manager owns
    /// the queues, else `classic`, which is CPython's semantics whatever the class.
    pub fn subject(&self) -> &'static str {
        let closed = |queue: &QueueParameters| queue.kind == QueueKind::Manager;
        if self.program.queues.iter().any(closed) { "manager" } else { "classic" }
    }

    /// The hazards that `subject` may show here.
    ///
    /// What the file does not say for `cpython` is what it says for `classic`: they have the same
    /// semantics. Any other subject that the file does not name may show none.
    pub fn allowed(&self, subject: &str) -> BTreeSet<Hazard> {
        look_up(&self.allow, subject).cloned().unwrap_or_default()
    }

    /// What a sweep with `subject` must reach at least once. Defaults as for
    /// [`allowed`](Self::allowed).
    pub fn goals(&self, subject: &str) -> &[Goal] {
        look_up(&self.reach, subject).map_or(&[], Vec::as_slice)
    }
}

fn look_up<'map, T>(map: &'map BTreeMap<String, T>, subject: &str) -> Option<&'map T> {
    map.get(subject).or_else(|| if subject == "cpython" { map.get("classic") } else { None })
}

/// What may happen to the processes beside what their operations do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// How many kills a case may have.
    pub kills_max: u8,
    /// The processes that may be killed, in their order.
    pub victims: Vec<ProcessId>,
    /// The signals that a kill may send, in the order of the file: SIGKILL alone by default.
    pub signals: Vec<Signal>,
    /// The kills that every case has, instead of a sweep over all sites. Where there are any,
    /// [`kills_max`](Self::kills_max) is their number.
    pub pinned: Vec<KillPoint>,
    /// The lanes that stay parked at a site until their process dies.
    pub holds: Vec<Hold>,
    /// Whether reads and writes may move fewer bytes than they could.
    pub short_transfers: bool,
    /// Whether a signal may interrupt a blocking call (`EINTR`), which is then tried again.
    pub interruptions: bool,
}

/// How a check of a scenario must end for the scenario to pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Without a violation.
    #[default]
    Pass,
    /// With a violation: a canary, which shows that the check can fail.
    Fail {
        /// What the check must find, for people.
        why: String,
    },
}

/// Where the steps of a run happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// The simulated kernel.
    Sim,
    /// Real processes, free-running.
    Native,
    /// Real processes, one step at a time.
    Traced,
}

impl World {
    /// Every world.
    pub const ALL: [Self; 3] = [Self::Sim, Self::Native, Self::Traced];
    /// The worlds of a scenario that names none.
    pub const DEFAULT: [Self; 2] = [Self::Sim, Self::Native];

    /// `sim`, `native` or `traced`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Native => "native",
            Self::Traced => "traced",
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
