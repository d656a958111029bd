//! The queue disciplines as machines.
