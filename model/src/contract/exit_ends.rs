//! G9: leaving or joining a process never waits for somebody who never comes.

use super::guarantee::{Guarantee, Violation};
use super::ledger::{Call, Ledger};
use crate::event::{Blocked, End};

/// Judged at the end. Who leaves waits for its threads and its children; that they never end is
/// their own matter, judged where they wait themselves: a lane blocked in a get that nothing can
/// serve breaks nothing. But no step of the queue's own may block a leaving process for ever, nor
/// `close` or `join_thread`, and whoever joins a dead process must come back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ExitEnds;

/// The steps in which a leaving process waits for lanes that have a program of their own.
const WAITS_FOR_OTHERS: [&str; 2] = ["child.join", "thread.join"];

impl ExitEnds {
    pub(super) fn conclude(&self, ledger: &Ledger, end: &End) -> Option<Violation> {
        end.blocked.iter().find_map(|blocked| {
            let process = ledger.process_of(blocked.lane)?;
            let text = judge(ledger, blocked)?;
            Some(
                Violation::new(Guarantee::G9, text)
                    .lane(blocked.lane)
                    .process(process),
            )
        })
    }
}

fn judge(ledger: &Ledger, blocked: &Blocked) -> Option<&'static str> {
    if blocked.leaving {
        let own = !WAITS_FOR_OTHERS.contains(&blocked.step.as_str());
        return own.then_some("a process can never leave");
    }
    match ledger.call(blocked.lane) {
        Call::Close(_) => Some("close or join_thread is blocked for ever"),
        Call::Join(process) if !ledger.is_living(process) => {
            Some("a dead process is joined for ever")
        }
        _ => None,
    }
}
