//! provisional
use crate::event::{End, Event};
use crate::program::Program;
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guarantee { G1 }
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation { pub guarantee: Guarantee, pub text: String }
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor;
impl Monitor {
    pub fn new(_: &Program) -> Self { Self }
    pub fn observe(&mut self, _: &Event) {}
    pub fn conclude(&self, _: &End) -> Vec<Violation> { Vec::new() }
}
