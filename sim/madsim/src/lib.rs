//! The second host of the simulator, for tests only: lanes are tasks of madsim, processes its nodes.
//!
//! That a case means the same on an executor that is not ours says that nothing of it depends on
//! ours: not on who polls, not on when the futures of the dead are dropped. Two ways to run:
//!
//! - [`MadsimHost`]: an engine decides as on the poll host, so that a recorded case replays with an
//!   equal trace;
//! - [`run_as_madsim_schedules`]: madsim decides who goes on, by the order in which it runs what is
//!   ready, and when processes die.
//!
//! And without the simulated kernel, `tests/manager/` has the manager's server and clients on nodes
//! of madsim's network, which die, restart and are cut off.
//!
//! Inside a run there is no thread, no condition variable and no real process: madsim interposes the
//! functions of libc that these need. Nothing that users run links it.

#[cfg(madsim)]
mod host;
#[cfg(madsim)]
mod lanes;
#[cfg(madsim)]
mod own_scheduler;

#[cfg(madsim)]
pub use host::MadsimHost;
#[cfg(madsim)]
pub use own_scheduler::{Kills, run_as_madsim_schedules};

/// Without the cfg this package is empty, and all its other tests are gone.
#[test]
fn madsim_is_built_in() {
    let built_in = cfg!(madsim);
    assert!(
        built_in,
        "built without `--cfg madsim`, so the second host is not there and nothing of it is \
         tested: RUSTFLAGS (or CARGO_ENCODED_RUSTFLAGS) in the environment replaces the flags of \
         .cargo/config.toml. Unset it, or add `--cfg madsim` to it"
    );
}
