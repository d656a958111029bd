//! The texts of `/proc`, read. Any text gives a value or nothing; none makes these panic.

use super::picture::{SemaphorePlace, SystemCall};

/// What `/proc/PID/stat` says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `T`, `Z` and so on.
    pub(super) state: char,
    pub(super) parent: u32,
    /// In clock ticks since the machine came up.
    pub(super) started: u64,
}

/// Reads `/proc/PID/stat`. The name in it may hold blanks and parentheses.
pub(super) fn stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // The 22nd field of all; the state is the third.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, started })
}

/// A field of `/proc/PID/status` or `/proc/PID/fdinfo/N`, such as `State` or `Pid`.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// How often a thread has left a processor, by itself and by force, as its `status` says it.
pub(super) fn switches(status: &str) -> Option<[u64; 2]> {
    let count = |name| field(status, name)?.parse().ok();
    Some([count("voluntary_ctxt_switches")?, count("nonvoluntary_ctxt_switches")?])
}

/// The inode of a pipe by what `/proc/PID/fd/N` points to: `pipe:[4711]`.
pub(super) fn pipe(link: &str) -> Option<u64> {
    link.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()
}

/// Whether a descriptor may read and write, by the `flags` of its `fdinfo`, an octal number.
pub(super) fn access(fdinfo: &str) -> Option<(bool, bool)> {
    let flags = u32::from_str_radix(field(fdinfo, "flags")?, 8).ok()?;
    match flags & 0o3 {
        0 => Some((true, false)),
        1 => Some((false, true)),
        2 => Some((true, true)),
        _ => None,
    }
}

/// What `/proc/PID/task/TID/syscall` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The thread is on a processor, or waits for one.
    Running,
    /// It is stopped outside of any system call.
    Outside,
    In(SystemCall),
}

/// Reads `/proc/PID/task/TID/syscall`: `running`, or the number and six arguments, then where the
/// thread stands.
pub(super) fn call(text: &str) -> Option<Call> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?;
    if first == "running" {
        return Some(Call::Running);
    }
    let number: i64 = first.parse().ok()?;
    if number < 0 {
        return Some(Call::Outside);
    }
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some(Call::In(SystemCall { number, arguments }))
}

/// One line of `/proc/PID/maps` that may hold semaphores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where in the file it starts.
    pub(super) offset: u64,
    /// The device as the kernel writes it, and the inode: the path does not tell files apart.
    pub(super) device: String,
    pub(super) inode: u64,
    pub(super) path: String,
}

/// What glibc calls the files of its named semaphores, before `link` gives them their names too.
const NAMED: &str = "/dev/shm/sem.";
/// The memory files of `midput-real`.
const MEMORY_FILE: &str = "/memfd:midput-semaphores";

impl Mapping {
    /// Whether it holds the semaphores of `midput-real`, several in one file.
    pub(super) fn is_memory_file(&self) -> bool {
        self.path.starts_with(MEMORY_FILE)
    }

    /// Where this address of it lies.
    pub(super) fn place(&self, address: u64) -> Option<SemaphorePlace> {
        let within = address.checked_sub(self.start).filter(|_| address < self.end)?;
        let offset = self.offset.checked_add(within)?;
        Some(SemaphorePlace { device: self.device.clone(), inode: self.inode, offset })
    }
}

/// The shared mappings of semaphores in `/proc/PID/maps`; a line that cannot be read is none.
pub(super) fn semaphore_mappings(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(semaphore_mapping).collect()
}

fn semaphore_mapping(line: &str) -> Option<Mapping> {
    let (range, rest) = line.split_once(' ')?;
    let (permissions, rest) = rest.split_once(' ')?;
    let (offset, rest) = rest.split_once(' ')?;
    let (device, rest) = rest.split_once(' ')?;
    let (inode, path) = rest.split_once(' ')?;
    let path = path.trim_start();
    let is_one = path.starts_with(NAMED) || path.starts_with(MEMORY_FILE);
    if !is_one || !permissions.ends_with('s') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(Mapping {
        start: number(start)?,
        end: number(end)?,
        offset: number(offset)?,
        device: device.to_owned(),
        inode: inode.parse().ok()?,
        path: path.to_owned(),
    })
}

/// Value and waiters of a 64-bit `sem_t` of glibc, as it lies in memory.
pub(super) fn semaphore(bytes: [u8; 8]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = bytes;
    // The kernel waits on the half that holds the value, which glibc makes the low one.
    let data = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    ((data & u64::from(u32::MAX)) as u32, (data >> 32) as u32)
}

/// The descriptors of an array of `struct pollfd`.
pub(super) fn polled(bytes: &[u8]) -> Vec<i32> {
    let one = |bytes: &[u8]| bytes.first_chunk().copied().map(i32::from_ne_bytes);
    bytes.chunks_exact(8).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_process_with_an_odd_name_is_read() {
        let text = "4711 (a) S (b) S 42 4711 4711 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 991 12 3\n";
        assert_eq!(stat(text), Some(Stat { state: 'S', parent: 42, started: 991 }));
        assert_eq!(stat("4711 (short) S 42"), None);
        assert_eq!(stat("no parenthesis"), None);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Name:\tx\nPPid:\t3\nPid:\t4\nvoluntary_ctxt_switches:\t7\n\
                      nonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(field(status, "Pid"), Some("4"));
        assert_eq!(field(status, "id"), None);
        assert_eq!(switches(status), Some([7, 2]));
        assert_eq!(switches("voluntary_ctxt_switches:\t7\n"), None);
    }

    #[test]
    fn a_descriptor_of_a_pipe_has_an_inode_and_a_direction() {
        assert_eq!(pipe("pipe:[383347]"), Some(383_347));
        assert_eq!(pipe("socket:[383347]"), None);
        assert_eq!(pipe("pipe:[]"), None);
        assert_eq!(access("pos:\t0\nflags:\t00\n"), Some((true, false)));
        assert_eq!(access("pos:\t0\nflags:\t02000001\n"), Some((false, true)));
        assert_eq!(access("pos:\t0\nflags:\t02\n"), Some((true, true)));
        assert_eq!(access("pos:\t0\n"), None);
    }

    #[test]
    fn a_call_has_a_number_and_six_arguments() {
        let text =
            "202 0x7fc9f4a51000 0x109 0x0 0x0 0x0 0xffffffff 0x7ffff79acfe0 0x7fc9f42a3e96\n";
        let arguments = [0x7fc9_f4a5_1000, 0x109, 0, 0, 0, 0xffff_ffff];
        assert_eq!(call(text), Some(Call::In(SystemCall { number: 202, arguments })));
        assert_eq!(call("running\n"), Some(Call::Running));
        assert_eq!(call("-1 0x7ffff79acfe0 0x7fc9f42a3e96\n"), Some(Call::Outside));
        assert_eq!(call("0 0x3 0x7fc9"), None);
        assert_eq!(call(""), None);
    }

    #[test]
    fn only_shared_mappings_of_semaphores_are_taken() {
        let text = "\
7fc9f49e1000-7fc9f49e2000 rw-s 00000000 00:1b 17                         /dev/shm/sem.hB1zSf (deleted)
7f23b5c68000-7f23b5c69000 rw-s 00000000 00:1b 22                         /dev/shm/sem.mp-l29fnbwb
7f23b5c6a000-7f23b5c6b000 rw-p 00000000 00:1b 23                         /dev/shm/sem.mp-private
7f23b5e0b000-7f23b5e0c000 r--p 00000000 fe:00 85017                      /usr/lib/_posixshmem.so
7f23b5e0d000-7f23b5e0e000 rw-p 00000000 00:00 0
7fc9f49e3000-7fc9f49e4000 rw-s 00000000 00:01 9                          /memfd:midput-semaphores (deleted)
";
        let found = semaphore_mappings(text);
        let inodes: Vec<_> = found.iter().map(|it| (it.inode, it.is_memory_file())).collect();
        assert_eq!(inodes, [(17, false), (22, false), (9, true)]);
        let place = found[2].place(0x7fc9_f49e_3028).unwrap();
        assert_eq!(place, SemaphorePlace { device: "00:01".into(), inode: 9, offset: 40 });
        assert_eq!(found[2].place(0x7fc9_f49e_4000), None, "behind its end");
    }

    #[test]
    fn a_semaphore_is_its_value_and_who_waits() {
        let bytes = ((3_u64 << 32) | 5).to_ne_bytes();
        assert_eq!(semaphore(bytes), (5, 3));
        let mut array = 7_i32.to_ne_bytes().to_vec();
        array.extend([1, 0, 0, 0, 9]);
        assert_eq!(polled(&array), [7], "what is cut off is left out");
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            everything(&bytes);
        }

        /// Bytes that get further than random ones: the letters and signs of these texts.
        #[test]
        fn no_text_of_the_kind_makes_a_reader_panic(
            text in "[-0-9a-fx:()\\[\\] \nRSpips/.,dev hm]{0,200}"
        ) {
            everything(text.as_bytes());
            everything(format!("4711 (x) S {text}").as_bytes());
            let path = "/dev/shm/sem.mp-x";
            everything(format!("{text} rw-s 0 00:1b 17 {path}\n{text}-1 rw-s {text} 0 1 {path}").as_bytes());
        }

        #[test]
        fn every_call_reads_back(number in 0..1000_i64, arguments: [u64; 6]) {
            let words: Vec<_> = arguments.iter().map(|it| format!("{it:#x}")).collect();
            let text = format!("{number} {} 0x1 0x2", words.join(" "));
            prop_assert_eq!(call(&text), Some(Call::In(SystemCall { number, arguments })));
        }
    }

    fn everything(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let _ = (stat(&text), switches(&text), pipe(&text), access(&text), call(&text));
        for mapping in semaphore_mappings(&text) {
            let _ = (mapping.place(mapping.start), mapping.place(u64::MAX));
        }
        let _ = polled(bytes);
    }
}
