//! A memory file of cells and a ring, mapped for as long as anybody uses it.
//!
//! The ring is mapped twice, one behind the other, so that bytes that wrap around lie in one piece.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use super::super::memory_file;
use super::robust_list;
use crate::os::Exported;
use crate::os::shared::{CellId, Change};

/// A multiple of the size of a page on every machine that this runs on.
const PAGE: usize = 1 << 16;
/// A ring is at most so large: places in it are counted in 32 bits of 8 bytes elsewhere.
const RING_MAX: usize = 1 << 34;

/// The bytes of a header in the ring.
const HEADER: usize = size_of::<u64>();

/// One cell, a line of the cache.
///
/// The kernel finds the word of a node on a robust list at a fixed distance, which the C library
/// chose: see [`robust_list`].
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Cell {
    word: AtomicU32,
    spare: AtomicU32,
    value: AtomicU64,
    note: AtomicU64,
    spare_too: AtomicU64,
    /// The next node on the list of the thread that owns the word: an address in its process.
    pub(super) next: AtomicUsize,
}

/// The distance from a cell's node to its word.
pub(super) const NODE_TO_WORD: isize = -(std::mem::offset_of!(Cell, next) as isize);

impl Cell {
    #[inline(always)]
    pub(super) fn word(&self) -> &AtomicU32 {
        &self.word
    }

    // The word and the value are the ends of Dekker's pattern between who commits and who goes to
    // sleep: each writes one and reads the other. That needs one order of all of them.

    #[inline(always)]
    pub(super) fn load(&self) -> u32 {
        self.word.load(Ordering::SeqCst)
    }

    #[inline(always)]
    pub(super) fn compare_exchange(&self, seen: u32, new: u32) -> Result<(), u32> {
        self.word.compare_exchange(seen, new, Ordering::SeqCst, Ordering::SeqCst).map(|_| ())
    }

    #[inline(always)]
    pub(super) fn change(&self, change: Change) -> u32 {
        match change {
            Change::Set(word) => self.word.swap(word, Ordering::SeqCst),
            Change::Add(bits) => self.word.fetch_or(bits, Ordering::SeqCst),
            Change::Keep(bits) => self.word.fetch_and(bits, Ordering::SeqCst),
        }
    }

    #[inline(always)]
    pub(super) fn load_value(&self) -> u64 {
        self.value.load(Ordering::SeqCst)
    }

    /// Releases what was copied before. It needs no place in the order of all: who must see it, and
    /// does not come by the lock, is woken by a read-modify-write of a word that comes after it.
    #[inline(always)]
    pub(super) fn store_value(&self, value: u64) {
        self.value.store(value, Ordering::Release);
    }

    /// Written only under the lock that the caller holds.
    #[inline(always)]
    pub(super) fn own_value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Protected by a lock.
    #[inline(always)]
    pub(super) fn note(&self) -> u64 {
        self.note.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_note(&self, note: u64) {
        self.note.store(note, Ordering::Relaxed);
    }
}

/// Memory shared between processes, as this process has it.
#[derive(Clone, Debug)]
pub struct Mapping(Arc<Shared>);

/// What all clones share.
#[derive(Debug)]
pub(in super::super) struct Shared {
    file: OwnedFd,
    base: NonNull<u8>,
    cells: u16,
    ring: usize,
}

// SAFETY: the mapping is shared memory that no thread owns, and it is unmapped only by the last
// owner's drop. Cells are used through atomics; bytes are copied by raw pointers, and never lent.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the range is the one that `map` reserved, and no reference into it outlives this
        // value. No thread's robust list leads into it: a call takes its cells off the list before
        // it returns, and the keeper keeps the mapping. Unmapping a whole mapping does not fail.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.reserved()) };
    }
}

impl From<Arc<Shared>> for Mapping {
    fn from(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Mapping {
    pub(super) fn create(cells: u16, bytes: usize) -> io::Result<Self> {
        robust_list::check()?;
        if !bytes.is_power_of_two() || !(PAGE..=RING_MAX).contains(&bytes) || cells == 0 {
            let message = format!("a ring has {PAGE} to {RING_MAX} bytes, a power of two");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let file = memory_file::create("midput-queue", head_bytes(cells) + bytes)?;
        let mapping = Shared::map(file, cells, bytes)?;
        // Written before anybody else has the memory: how many cells come before the ring.
        mapping.cell(CellId(0)).spare.store(cells.into(), Ordering::Relaxed);
        Ok(Self(Arc::new(mapping)))
    }

    pub(super) fn export(&self) -> Exported {
        Exported { descriptor: self.0.file.as_raw_fd(), index: 0 }
    }

    /// Whether both are the same mapping of this process.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn cells(&self) -> u16 {
        self.0.cells
    }

    pub(super) fn ring_bytes(&self) -> usize {
        self.0.ring
    }

    #[inline(always)]
    pub(super) fn cell(&self, cell: CellId) -> &Cell {
        self.0.cell(cell)
    }

    #[inline(always)]
    pub(super) fn copy_in(&self, place: u64, header: u64, bytes: &[u8]) -> io::Result<()> {
        let to = self.0.ring_at(place, HEADER.saturating_add(bytes.len()))?;
        // SAFETY: `ring_at` has checked that so many bytes from there on lie in the mapping. They
        // are shared memory and cannot overlap a slice that this process borrows. By the protocol
        // nobody else uses them now; if somebody breaks it, the bytes are wrong and nothing else.
        unsafe {
            to.cast::<u64>().write_unaligned(header);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.add(HEADER), bytes.len());
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn header(&self, place: u64) -> u64 {
        // A ring is larger than a header, so this is none of the errors.
        let Ok(from) = self.0.ring_at(place, HEADER) else { return 0 };
        // SAFETY: as above; the value is read once.
        unsafe { from.cast::<u64>().read_unaligned() }
    }

    #[inline(always)]
    pub(super) fn copy_out(
        &self,
        place: u64,
        length: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        let from = self.0.ring_at(place, length)?;
        bytes.try_reserve(length).map_err(|_| Errno::NOMEM)?;
        let to = bytes.spare_capacity_mut().as_mut_ptr().cast::<u8>();
        // SAFETY: `ring_at` has checked that so many bytes from there on lie in the mapping, the
        // vector has reserved as many, and the two cannot overlap. As above for other processes.
        unsafe { std::ptr::copy_nonoverlapping(from, to, length) };
        // SAFETY: the capacity was reserved and the bytes were written.
        unsafe { bytes.set_len(bytes.len() + length) };
        Ok(())
    }
}

/// The bytes of the cells, whole pages.
fn head_bytes(cells: u16) -> usize {
    (usize::from(cells) * size_of::<Cell>()).next_multiple_of(PAGE)
}

impl Shared {
    /// Takes up a memory file that somebody else made.
    pub(in super::super) fn open(file: OwnedFd) -> io::Result<Self> {
        robust_list::check()?;
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "it is no queue's memory");
        let length = memory_file::length(&file).map_err(|_| invalid())?;
        // How many cells there are stands in the first one.
        let mut cells = [0; size_of::<u32>()];
        let at = std::mem::offset_of!(Cell, spare) as u64;
        if length < 2 * PAGE || rustix::io::pread(&file, &mut cells, at)? != cells.len() {
            return Err(invalid());
        }
        let cells = u32::from_ne_bytes(cells);
        let cells = u16::try_from(cells).ok().filter(|&cells| cells > 0).ok_or_else(invalid)?;
        let ring = length.checked_sub(head_bytes(cells)).ok_or_else(invalid)?;
        if !ring.is_power_of_two() || !(PAGE..=RING_MAX).contains(&ring) {
            return Err(invalid());
        }
        Self::map(file, cells, ring)
    }

    /// Maps the file: the cells, the ring, and the ring again.
    fn map(file: OwnedFd, cells: u16, ring: usize) -> io::Result<Self> {
        let head = head_bytes(cells);
        let reserved = head + 2 * ring;
        let (none, all) = (ProtFlags::empty(), ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let base = unsafe {
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), reserved, none, MapFlags::PRIVATE)?
        };
        let Some(base) = NonNull::new(base.cast::<u8>()) else { return Err(Errno::NOMEM.into()) };
        // From here on its drop unmaps the range.
        let shared = Self { file, base, cells, ring };
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        for (at, length, offset) in [(0, head + ring, 0), (head + ring, ring, head)] {
            // SAFETY: the range from `at` on lies in the reservation, which nobody else knows yet.
            unsafe {
                let to = base.as_ptr().add(at).cast();
                rustix::mm::mmap(to, length, all, flags, &shared.file, offset as u64)?;
            }
        }
        Ok(shared)
    }

    fn reserved(&self) -> usize {
        head_bytes(self.cells) + 2 * self.ring
    }

    #[inline(always)]
    fn cell(&self, cell: CellId) -> &Cell {
        assert!(cell.0 < self.cells, "cell {} of {}", cell.0, self.cells);
        // SAFETY: the cell lies in the mapping, which this value keeps, aligned as the pages are;
        // it consists of atomics, for which any bytes are valid and which others may write.
        unsafe { self.base.cast::<Cell>().add(usize::from(cell.0)).as_ref() }
    }

    /// The address of this place of the ring, from which on so many bytes lie in one piece.
    #[inline(always)]
    fn ring_at(&self, place: u64, length: usize) -> io::Result<*mut u8> {
        if length > self.ring {
            return Err(Errno::INVAL.into());
        }
        let within = (place & (self.ring as u64 - 1)) as usize;
        // SAFETY: within the ring, so within the mapping; behind it lies the ring once more.
        Ok(unsafe { self.base.as_ptr().add(head_bytes(self.cells) + within) })
    }
}
