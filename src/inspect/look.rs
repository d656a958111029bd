//! Looks at a program that runs: reads only, and stops, signals and changes nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::calls::{Asleep, Seen, classify};
use super::family::{NoProcess, Relative, family, text};
use super::parse::{self, Mapping};
use super::picture::{Doing, End, Picture, Pipe, Process, Semaphore, SemaphorePlace, Thread};
use super::roles;

/// How long a thread must stay where it is to be called blocked.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// How far apart the semaphores of a memory file of `midput-real` lie: a `sem_t` and its maximum.
const STRIDE: u64 = 40;

/// What one look shows of the threads, by process and thread.
type Threads = BTreeMap<(u32, u32), Seen>;

/// Looks at a process and its relatives, twice at their threads.
pub(super) fn look(asked: u32) -> Result<Picture, NoProcess> {
    let mut members = family(asked)?;
    let before = threads(&members);
    // What is blocked is told by letting time pass.
    std::thread::sleep(BETWEEN_LOOKS);
    members = family(asked)?;
    let mut picture = Picture { asked, ..Picture::default() };
    picture.pipes = pipes(&members);
    picture.semaphores = semaphores(&members, &mut picture.unread);
    let after = threads(&members);
    for member in &members {
        if let Some(why) = &member.refused {
            picture.unread.push(format!(
                "descriptors and mappings of {}: {why}; be the same user, or root",
                member.pid
            ));
        }
        picture.processes.push(process(member, &members, &picture, &before, &after));
    }
    let unseen = picture.processes.iter().filter(|process| {
        !process.zombie && process.threads.iter().any(|thread| thread.doing == Doing::Unknown)
    });
    let unseen: Vec<String> = unseen.map(|process| process.pid.to_string()).collect();
    if !unseen.is_empty() {
        picture.unread.push(format!(
            "what the threads of {} wait for; be the same user with the right to trace (the sysctl \
             kernel.yama.ptrace_scope at 0), or root",
            unseen.join(", ")
        ));
    }
    roles::assign(&mut picture);
    Ok(picture)
}

fn threads(members: &[Relative]) -> Threads {
    let mut threads = Threads::new();
    for member in members.iter().filter(|it| !it.is_zombie()) {
        let Ok(entries) = fs::read_dir(format!("/proc/{}/task", member.pid)) else { continue };
        for entry in entries.flatten() {
            if let Some(tid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                threads.insert((member.pid, tid), Seen::of(member.pid, tid));
            }
        }
    }
    threads
}

fn process(
    member: &Relative,
    members: &[Relative],
    picture: &Picture,
    before: &Threads,
    after: &Threads,
) -> Process {
    let own = after.range((member.pid, 0)..=(member.pid, u32::MAX));
    let threads = own.map(|(key, seen)| {
        let doing = match seen {
            Seen::Asleep(asleep) if before.get(key) == Some(seen) => {
                classify(asleep, member, members, picture)
            }
            Seen::Asleep(_) | Seen::Runs => Doing::Runs,
            Seen::Stopped => Doing::Stopped,
            Seen::Unknown => Doing::Unknown,
        };
        let name = text(&format!("/proc/{}/task/{}/comm", key.0, key.1)).unwrap_or_default();
        Thread { tid: key.1, name: name.trim().to_owned(), doing }
    });
    Process {
        pid: member.pid,
        parent: member.stat.parent,
        command: member.command.clone(),
        zombie: member.is_zombie(),
        threads: threads.collect(),
    }
}

/// The pipes of queues, in the order in which the oldest process that has one opened them.
fn pipes(members: &[Relative]) -> Vec<Pipe> {
    let mut pipes: Vec<Pipe> = Vec::new();
    for inode in members.iter().flat_map(Relative::queue_pipes) {
        if pipes.iter().any(|pipe| pipe.inode == inode) {
            continue;
        }
        let mut pipe = Pipe { inode, ..Pipe::default() };
        for member in members {
            for end in member.pipes.iter().filter(|end| end.inode == inode) {
                let one = End { pid: member.pid, descriptor: end.descriptor };
                pipe.readers.extend(end.reads.then_some(one));
                pipe.writers.extend(end.writes.then_some(one));
            }
        }
        measure(&mut pipe);
        pipes.push(pipe);
    }
    pipes
}

/// Asks how much is in a pipe. It has a reader already, so that one more for a moment makes no
/// difference to its writers, and nothing is read.
fn measure(pipe: &mut Pipe) {
    for End { pid, descriptor } in &pipe.readers {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let path = format!("/proc/{pid}/fd/{descriptor}");
        let Ok(file) = rustix::fs::open(path, flags, Mode::empty()) else { continue };
        pipe.bytes = rustix::io::ioctl_fionread(&file).ok();
        let capacity = rustix::pipe::fcntl_getpipe_size(&file).ok();
        pipe.capacity = capacity.and_then(|bytes| u64::try_from(bytes).ok());
        return;
    }
}

fn semaphores(members: &[Relative], unread: &mut Vec<String>) -> Vec<Semaphore> {
    let mut found: BTreeMap<(i32, SemaphorePlace), Semaphore> = BTreeMap::new();
    for member in members {
        for mapping in &member.mappings {
            for (rank, address, of) in laid_out(mapping, members) {
                let Some(place) = mapping.place(address) else { continue };
                let semaphore = found.entry((rank, place.clone())).or_insert(Semaphore {
                    place,
                    name: mapping.path.clone(),
                    mapped_by: Vec::new(),
                    value: None,
                    waiters: None,
                    of,
                    role: None,
                    event_wait: false,
                });
                semaphore.mapped_by.push(member.pid);
                let value = || value(member.pid, address, mapping);
                if semaphore.value.is_none()
                    && let Some((value, waiters)) = value()
                {
                    (semaphore.value, semaphore.waiters) = (Some(value), Some(waiters));
                }
            }
        }
    }
    let found: Vec<Semaphore> = found.into_values().collect();
    let blind = found.iter().filter(|semaphore| semaphore.value.is_none()).count();
    if blind > 0 {
        unread.push(format!(
            "the values of {blind} of {} semaphores; be the same user with the right to trace (the \
             sysctl kernel.yama.ptrace_scope at 0), or root",
            found.len()
        ));
    }
    found
}

/// The semaphores in a mapping: what orders its file among others, the address of each, and how
/// many they are where they may be several. The named files of glibc have one each, in one file
/// system whose inodes count up. A memory file's inode says nothing of its age, its descriptor
/// does.
fn laid_out(mapping: &Mapping, members: &[Relative]) -> Vec<(i32, u64, Option<usize>)> {
    if !mapping.is_memory_file() {
        return vec![(0, mapping.start, None)];
    }
    let files = members.iter().flat_map(|member| &member.memory_files);
    let Some(file) = files.into_iter().find(|file| file.inode == mapping.inode) else {
        return Vec::new();
    };
    let room = file.bytes.min(mapping.end.saturating_sub(mapping.start));
    let count = room / STRIDE;
    let of = usize::try_from(count).ok();
    (0..count).map(|index| (file.descriptor, mapping.start + index * STRIDE, of)).collect()
}

/// Value and waiters: from the memory of the process, else from the file where it has a name.
fn value(pid: u32, address: u64, mapping: &Mapping) -> Option<(u32, u32)> {
    if cfg!(not(target_pointer_width = "64")) {
        return None;
    }
    let mut bytes = [0; 8];
    let in_memory =
        File::open(format!("/proc/{pid}/mem")).and_then(|it| it.read_exact_at(&mut bytes, address));
    if in_memory.is_err() {
        let file = File::open(&mapping.path).ok()?;
        if file.metadata().ok()?.ino() != mapping.inode {
            return None;
        }
        file.read_exact_at(&mut bytes, mapping.place(address)?.offset).ok()?;
    }
    Some(parse::semaphore(bytes))
}

impl Seen {
    /// A thread as it is now.
    fn of(pid: u32, tid: u32) -> Self {
        let folder = format!("/proc/{pid}/task/{tid}");
        let Ok(status) = text(&format!("{folder}/status")) else { return Self::Unknown };
        let state = parse::field(&status, "State").and_then(|state| state.chars().next());
        match state {
            Some('T' | 't') => return Self::Stopped,
            Some('R') => return Self::Runs,
            _ => {}
        }
        let call = text(&format!("{folder}/syscall"));
        let place = text(&format!("{folder}/wchan")).unwrap_or_default();
        match (call.ok().and_then(|text| parse::call(&text)), parse::switches(&status)) {
            (Some(parse::Call::In(call)), Some(switches)) => {
                Self::Asleep(Asleep { call, switches, place })
            }
            (Some(parse::Call::Running), _) => Self::Runs,
            _ => Self::Unknown,
        }
    }
}
