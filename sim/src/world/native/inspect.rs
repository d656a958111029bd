//! What `/proc` says about the threads of a process.

use std::fs;

/// A thread as it sleeps in a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asleep {
    pub(super) thread: u32,
    /// The system call's number and arguments, and where the thread stands.
    pub(super) call: String,
    /// How often it has left a processor, by itself and by force.
    switches: [u64; 2],
}

impl Asleep {
    /// The number of the system call.
    pub(super) fn number(&self) -> Option<i64> {
        self.call.split(' ').next()?.parse().ok()
    }
}

/// Every thread of a process but one, where all of them sleep in system calls; nothing where one
/// does not, or where the process is going.
pub(super) fn all_asleep(process: u32, except: u32) -> Option<Vec<Asleep>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let thread = entry.ok()?.file_name().to_str()?.parse().ok()?;
        if thread != except {
            threads.push(asleep(process, thread)?);
        }
    }
    threads.sort_by_key(|asleep| asleep.thread);
    (!threads.is_empty()).then_some(threads)
}

/// A thread that sleeps in a system call; nothing where it does not.
pub(super) fn asleep(process: u32, thread: u32) -> Option<Asleep> {
    let directory = format!("/proc/{process}/task/{thread}");
    let call = fs::read_to_string(format!("{directory}/syscall")).ok()?;
    let status = fs::read_to_string(format!("{directory}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line[name.len()..].trim())
    };
    let sleeps = field("State:")?.starts_with('S');
    let in_call = call.starts_with(|first: char| first.is_ascii_digit());
    let voluntary = field("voluntary_ctxt_switches:")?.parse().ok()?;
    let forced = field("nonvoluntary_ctxt_switches:")?.parse().ok()?;
    (sleeps && in_call).then(|| Asleep {
        thread,
        call: call.trim().to_owned(),
        switches: [voluntary, forced],
    })
}
