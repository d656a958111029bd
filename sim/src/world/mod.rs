//! Where the steps of a program happen, beside the simulated kernel.

pub mod consistency;
pub mod native;
