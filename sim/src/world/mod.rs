//! Where the steps of a program happen, beside the simulated kernel.

pub mod native;
