//! provisional
use std::collections::VecDeque;
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipe { slots: VecDeque<(u16, u16)>, most: u16, available: u32, readers: u16, writers: u16 }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written { All, Part(u32), WouldBlock, BrokenPipe }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken { Bytes(u32), EndOfStream, WouldBlock }
impl Pipe {
    pub fn new(slots: u16) -> Self { Self { slots: VecDeque::new(), most: slots, available: 0, readers: 0, writers: 0 } }
    pub fn open_reader(&mut self) { self.readers += 1; }
    pub fn open_writer(&mut self) { self.writers += 1; }
    pub fn close_reader(&mut self) { self.readers -= 1; }
    pub fn close_writer(&mut self) { self.writers -= 1; }
    pub fn readers(&self) -> u16 { self.readers }
    pub fn writers(&self) -> u16 { self.writers }
    pub fn available(&self) -> u32 { self.available }
    pub fn slots_used(&self) -> u16 { self.slots.len() as u16 }
    pub fn slots(&self) -> u16 { self.most }
    fn room(&self, bytes: u32, merge: bool) -> u32 {
        let free = (u32::from(self.most) - self.slots.len() as u32) * 4096;
        let chars = bytes % 4096;
        let merged = if merge && chars > 0 { match self.slots.back() { Some(&(o, l)) if u32::from(o) + u32::from(l) + chars <= 4096 => chars, _ => 0 } } else { 0 };
        merged + free.min(bytes - merged)
    }
    fn outcome(&self, bytes: u32, merge: bool, whole: bool) -> Written {
        if self.readers == 0 { return Written::BrokenPipe; }
        if bytes == 0 { return Written::All; }
        let room = self.room(bytes, merge);
        if room >= bytes { Written::All } else if room == 0 || whole { Written::WouldBlock } else { Written::Part(room) }
    }
    pub fn preview_write(&self, bytes: u32) -> Written { self.outcome(bytes, true, bytes <= 4096) }
    pub fn preview_continue_write(&self, bytes: u32) -> Written { self.outcome(bytes, false, false) }
    fn put(&mut self, mut bytes: u32, of: u32, merge: bool) {
        self.available += bytes;
        let chars = of % 4096;
        if merge && chars > 0 && chars <= bytes && let Some(last) = self.slots.back_mut() && u32::from(last.0) + u32::from(last.1) + chars <= 4096 { last.1 += chars as u16; bytes -= chars; }
        while bytes > 0 { let n = bytes.min(4096); self.slots.push_back((0, n as u16)); bytes -= n; }
    }
    pub fn write(&mut self, bytes: u32) -> Written { let w = self.preview_write(bytes); match w { Written::All => self.put(bytes, bytes, true), Written::Part(n) => self.put(n, bytes, true), _ => {} } w }
    pub fn continue_write(&mut self, bytes: u32) -> Written { let w = self.preview_continue_write(bytes); match w { Written::All => self.put(bytes, bytes, false), Written::Part(n) => self.put(n, bytes, false), _ => {} } w }
    pub fn preview_read(&self, bytes: u32) -> Taken { if self.available == 0 { if self.writers == 0 { Taken::EndOfStream } else { Taken::WouldBlock } } else { Taken::Bytes(bytes.min(self.available)) } }
    pub fn read(&mut self, bytes: u32) -> Taken {
        let t = self.preview_read(bytes);
        if let Taken::Bytes(n) = t { self.available -= n; let mut left = n; while left > 0 { let f = self.slots.front_mut().unwrap(); let k = left.min(u32::from(f.1)); f.0 += k as u16; f.1 -= k as u16; left -= k; if f.1 == 0 { self.slots.pop_front(); } } }
        t
    }
}
