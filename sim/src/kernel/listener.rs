//! Sockets that others connect to.
//!
//! Every backlog has room: Linux refuses or delays who comes when it is full.

use std::collections::VecDeque;
use std::io;

use midput_model::os::stream::{SEND_BUFFER, Side, Stream};
use midput_model::step::StepResult;
use midput_real::os::Address;

use super::objects::bad_descriptor;
use super::socket::KernelStream;
use super::{Kernel, PipeEnd};

const EADDRINUSE: i32 = 98;
const ECONNREFUSED: i32 = 111;

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    address: Address,
    /// Open descriptors, in all processes.
    descriptors: u16,
    /// The pairs of those who have connected and were not accepted, the oldest first. The
    /// listener holds their second ends.
    backlog: VecDeque<usize>,
}

impl Kernel {
    /// Makes a listener for the current process.
    pub(crate) fn listen(&mut self, address: &Address) -> io::Result<usize> {
        if self.listener_at(address).is_some() {
            return Err(io::Error::from_raw_os_error(EADDRINUSE));
        }
        let backlog = VecDeque::new();
        self.listeners.push(Listener { address: address.clone(), descriptors: 1, backlog });
        Ok(self.add_descriptor(PipeEnd::Listener(self.listeners.len() - 1)))
    }

    fn listener_at(&self, address: &Address) -> Option<usize> {
        let listens = |it: &Listener| it.descriptors > 0 && it.address == *address;
        self.listeners.iter().position(listens)
    }

    /// A connection of the current process to whoever listens there.
    pub(crate) fn connect(&mut self, address: &Address) -> (io::Result<usize>, StepResult) {
        let Some(listener) = self.listener_at(address) else {
            let refused = io::Error::from_raw_os_error(ECONNREFUSED);
            return (Err(refused), StepResult::Error(ECONNREFUSED));
        };
        let mut stream = Stream::new(SEND_BUFFER);
        stream.open(Side::First);
        stream.open(Side::Second);
        self.streams.push(KernelStream::new(stream));
        let pair = self.streams.len() - 1;
        self.listeners[listener].backlog.push_back(pair);
        (Ok(self.add_descriptor(PipeEnd::Socket(pair, Side::First))), StepResult::Done)
    }

    /// The next connection becomes one of the current process.
    pub(crate) fn accept(&mut self, descriptor: usize) -> (io::Result<usize>, StepResult) {
        let accepted = match self.end_of(descriptor) {
            Some(PipeEnd::Listener(listener)) => self.listeners[listener].backlog.pop_front(),
            _ => None,
        };
        match accepted {
            Some(pair) => {
                (Ok(self.add_descriptor(PipeEnd::Socket(pair, Side::Second))), StepResult::Done)
            }
            None => (Err(bad_descriptor()), StepResult::BadDescriptor),
        }
    }

    /// Whether somebody waits to be accepted.
    pub(super) fn is_acceptable(&self, listener: usize) -> bool {
        !self.listeners[listener].backlog.is_empty()
    }

    pub(super) fn open_listener(&mut self, listener: usize) {
        self.listeners[listener].descriptors += 1;
    }

    /// With the last descriptor whoever waits to be accepted sees the end.
    pub(super) fn close_listener(&mut self, listener: usize) {
        let entry = &mut self.listeners[listener];
        entry.descriptors = entry.descriptors.saturating_sub(1);
        if entry.descriptors == 0 {
            for pair in std::mem::take(&mut entry.backlog) {
                self.streams[pair].stream.close(Side::Second);
            }
        }
    }

    fn add_descriptor(&mut self, end: PipeEnd) -> usize {
        let process = self.process_of(self.current);
        let descriptors = &mut self.processes[usize::from(process.0)].descriptors;
        descriptors.push(Some(end));
        descriptors.len() - 1
    }

    /// Bytes that differ each time and are the same in each run.
    pub(crate) fn random(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.drawn += 1;
            // The finalizer of splitmix64.
            let mut word = self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}
