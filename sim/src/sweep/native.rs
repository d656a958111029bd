//! provisional
use midput_scenarios::Scenario;
use super::*;
use crate::case::Case;
use crate::world::native::NativeOptions;
/// x
pub fn run_native(_: &Scenario, _: &Case, _: &NativeOptions) -> CaseOutcome { panic!() }
/// x
pub fn sweep_native(_: &Scenario, _: &Census, _: &SweepOptions, _: &NativeOptions, _: &(dyn Fn() -> bool + Sync), _: &(dyn Fn(&CaseOutcome) + Sync)) -> Vec<CaseOutcome> { Vec::new() }
