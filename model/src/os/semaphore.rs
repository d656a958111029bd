//! provisional
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Semaphore { value: u32, maximum: u32 }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboveMaximum;
impl Semaphore {
    pub fn new(value: u32, maximum: u32) -> Self { Self { value, maximum } }
    pub fn value(&self) -> u32 { self.value }
    pub fn maximum(&self) -> u32 { self.maximum }
    pub fn try_wait(&mut self) -> bool { if self.value > 0 { self.value -= 1; true } else { false } }
    pub fn post(&mut self) -> Result<(), AboveMaximum> { if self.value >= self.maximum { Err(AboveMaximum) } else { self.value += 1; Ok(()) } }
}
