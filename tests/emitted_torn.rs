//! Shrunk by midput from case 4 of seed 0x1 of the scenario made/torn: hazard H3.
//!
//! The case carries its own program; `midput trace` shows what it does.

use midput_sim::case::Case;
use midput_sim::shrink::run_alone;

const CASE: &str = r#"midput case 2
scenario made/torn
subject classic
drawn seed 0x1 case 4
strategy random
length 0
time patient
kill P1 SIGKILL before P1.feed write-body[1]
choices 5
  0 P0.main get[1]
  0 P0.main rlock.acquire[1]
  0 P1.main leave[1]
  0 P1.main notempty.lock[2]
  1 kill 1
program 10
  why = "A producer dies inside a large write, and nothing is allowed to come of it."
  [queue.jobs]
  maxsize = 1
  pipe_slots = 16
  [process.P0]
  main = ["start P1", "get timeout=50ms"]
  [process.P1]
  main = ["put a 16385B"]
  [allow]
  classic = ["H1", "H2", "H5", "H6"]
"#;

#[test]
fn made_torn_shows_hazard_h3() {
    let case: Case = CASE.parse().expect("the case is readable");
    let outcome = run_alone(&case).expect("the case carries its program");
    let kinds = outcome.judged.verdict.kinds();
    assert!(kinds.iter().any(|kind| kind == "hazard H3"), "{kinds:?}");
}
