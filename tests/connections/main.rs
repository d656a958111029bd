//! Connections in simulation: the real code over the simulated kernel's pipes and sockets.

mod processes;
mod same_as_linux;
mod unlocked;

use std::future::Future;

use midput_sim::check::Observers;
use midput_sim::host::{Directives, Ending, Host, Settings};
use midput_sim::schedule::Strategy;

/// Runs a body of one's own once, as the main lane of one process.
fn run(body: impl Future<Output = ()> + 'static, strategy: &mut dyn Strategy) -> Ending {
    let (mut directives, mut observers) = (Directives::default(), Observers::default());
    let settings = Settings::default();
    Host::default().run_body(body, strategy, &mut directives, &mut observers, settings).ending
}
