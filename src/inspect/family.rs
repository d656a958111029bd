//! The process that was asked about, and its relatives: what they hold, read from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::parse::{self, Mapping, Stat};

/// How much of a command line is shown.
const COMMAND_MOST: usize = 70;

/// A process and what it holds.
#[derive(Debug)]
pub(super) struct Relative {
    pub(super) pid: u32,
    pub(super) stat: Stat,
    pub(super) command: String,
    program: Option<PathBuf>,
    pub(super) pipes: Vec<PipeEnd>,
    /// Processes that it has a descriptor of, by the descriptor.
    pub(super) pidfds: BTreeMap<i32, u32>,
    /// Memory files of semaphores.
    pub(super) memory_files: Vec<MemoryFile>,
    pub(super) mappings: Vec<Mapping>,
    /// Why its descriptors or mappings could not be read.
    pub(super) refused: Option<String>,
}

/// A descriptor of a pipe.
#[derive(Clone, Copy, Debug)]
pub(super) struct PipeEnd {
    pub(super) descriptor: i32,
    pub(super) inode: u64,
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// A descriptor of a memory file of semaphores.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryFile {
    pub(super) descriptor: i32,
    pub(super) inode: u64,
    pub(super) bytes: u64,
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoProcess {
    #[error("there is no process {0}")]
    None(u32),
    #[error(
        "{pid} is a zombie: it is dead and holds nothing any more, and its parent {parent} has not waited for it; look at {parent}"
    )]
    Zombie { pid: u32, parent: u32 },
    #[error("this system has no /proc of Linux: {0}")]
    NoProc(io::Error),
}

impl Relative {
    /// Reads what `/proc` says; nothing where the process is not there.
    fn read(pid: u32) -> Option<Self> {
        let folder = format!("/proc/{pid}");
        let stat = parse::stat(&text(&format!("{folder}/stat")).ok()?)?;
        let command = fs::read(format!("{folder}/cmdline")).unwrap_or_default();
        let mut relative = Self {
            pid,
            stat,
            command: command_line(&command),
            program: fs::read_link(format!("{folder}/exe")).ok(),
            pipes: Vec::new(),
            pidfds: BTreeMap::new(),
            memory_files: Vec::new(),
            mappings: Vec::new(),
            refused: None,
        };
        if !relative.is_zombie() {
            let read = relative.read_descriptors().and_then(|()| relative.read_mappings());
            relative.refused = read.err().map(|error| error.to_string());
        }
        Some(relative)
    }

    pub(super) fn is_zombie(&self) -> bool {
        matches!(self.stat.state, 'Z' | 'X')
    }

    fn read_descriptors(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(format!("/proc/{}/fd", self.pid))? {
            let entry = entry?;
            let Some(descriptor) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            // What is closed meanwhile is none.
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            let link = link.to_string_lossy();
            let info = || text(&format!("/proc/{}/fdinfo/{descriptor}", self.pid)).ok();
            if let Some(inode) = parse::pipe(&link) {
                if let Some((reads, writes)) = info().and_then(|info| parse::access(&info)) {
                    self.pipes.push(PipeEnd { descriptor, inode, reads, writes });
                }
            } else if link == "anon_inode:[pidfd]" {
                let of = info().and_then(|info| parse::field(&info, "Pid")?.parse().ok());
                self.pidfds.extend(of.map(|of| (descriptor, of)));
            } else if link.starts_with("/memfd:midput-semaphores")
                && let Ok(file) = fs::metadata(entry.path())
            {
                let (inode, bytes) = (file.ino(), file.len());
                self.memory_files.push(MemoryFile { descriptor, inode, bytes });
            }
        }
        self.pipes.sort_by_key(|end| end.descriptor);
        Ok(())
    }

    fn read_mappings(&mut self) -> io::Result<()> {
        self.mappings = parse::semaphore_mappings(&text(&format!("/proc/{}/maps", self.pid))?);
        Ok(())
    }

    /// The pipes that it can read and write, where it has semaphores too: as everybody who uses a
    /// queue holds both of its ends (`WF8`).
    pub(super) fn queue_pipes(&self) -> Vec<u64> {
        let reading = self.pipes.iter().filter(|end| end.reads && !self.mappings.is_empty());
        let both = |end: &&PipeEnd| {
            self.pipes.iter().any(|other| other.inode == end.inode && other.writes)
        };
        let mut found: Vec<u64> = Vec::new();
        for end in reading.filter(both) {
            if !found.contains(&end.inode) {
                found.push(end.inode);
            }
        }
        found
    }
}

/// The process and its relatives, the oldest first: descendants, the parent where it runs the same
/// program, and whoever shares a semaphore or a queue's pipe with one of them.
pub(super) fn family(asked: u32) -> Result<Vec<Relative>, NoProcess> {
    let entries = fs::read_dir("/proc").map_err(NoProcess::NoProc)?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut all: Vec<Relative> =
        pids.filter(|pid| *pid != std::process::id()).filter_map(Relative::read).collect();
    let first = all.iter().find(|it| it.pid == asked).ok_or(NoProcess::None(asked))?;
    if first.is_zombie() {
        return Err(NoProcess::Zombie { pid: asked, parent: first.stat.parent });
    }
    let mut members = BTreeSet::from([asked]);
    loop {
        let more = relatives(&all, &members);
        if more.is_subset(&members) {
            break;
        }
        members.extend(more);
    }
    all.retain(|it| members.contains(&it.pid));
    all.sort_by_key(|it| (it.stat.started, it.pid));
    Ok(all)
}

fn relatives(all: &[Relative], members: &BTreeSet<u32>) -> BTreeSet<u32> {
    let known: Vec<&Relative> = all.iter().filter(|it| members.contains(&it.pid)).collect();
    let file = |mapping: &Mapping| (mapping.device.clone(), mapping.inode);
    let semaphores: BTreeSet<_> =
        known.iter().flat_map(|it| it.mappings.iter().map(file)).collect();
    let pipes: BTreeSet<u64> = known.iter().flat_map(|it| it.queue_pipes()).collect();
    let is_relative = |it: &&Relative| {
        members.contains(&it.stat.parent)
            || known.iter().any(|member| {
                member.stat.parent == it.pid && it.program.is_some() && member.program == it.program
            })
            || it.mappings.iter().any(|mapping| semaphores.contains(&file(mapping)))
            || it.pipes.iter().any(|end| pipes.contains(&end.inode))
    };
    all.iter().filter(is_relative).map(|it| it.pid).collect()
}

/// A text of `/proc`, whatever bytes are in it.
pub(super) fn text(path: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// The beginning of a command line, on one line, without the folders of its program.
fn command_line(bytes: &[u8]) -> String {
    let words = bytes.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word));
    let line = words.collect::<Vec<_>>().join(" ");
    let program = line.split(' ').next().unwrap_or_default();
    let folders = program.rfind('/').map_or(0, |slash| slash + 1);
    let printable = |it: char| if it.is_control() { ' ' } else { it };
    line[folders..].trim().chars().map(printable).take(COMMAND_MOST).collect()
}
