//! The queue disciplines as machines.

pub mod classic;
pub mod manager;
pub mod robust;
