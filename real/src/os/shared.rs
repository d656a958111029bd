//! What the robust discipline asks of an operating system beside [`Os`]: memory that processes
//! share, sleep on a word of it, and what the kernel does with it when somebody dies.
//!
//! The memory is a row of [cells](CellId), and behind them a ring of bytes. What stands in it is
//! what any process that has it wrote there: whoever reads it must expect anything.
//!
//! A word of a cell is read by the kernel as a robust futex: the thread that owns it, [`WAITERS`]
//! and [`OWNER_DIED`].

use std::future::Future;
use std::io;

use super::{Exported, Os, Site, Wait};

/// The bit of a word that says that somebody may sleep on it (`FUTEX_WAITERS`).
pub const WAITERS: u32 = 0x8000_0000;
/// The bit of a word whose owner died, until somebody takes it (`FUTEX_OWNER_DIED`).
pub const OWNER_DIED: u32 = 0x4000_0000;
/// The bits of a word that name its owner (`FUTEX_TID_MASK`); 0 is nobody.
pub const OWNER: u32 = 0x3fff_ffff;

/// A cell of shared memory: one word, two values, and the place by which the kernel finds the word
/// when a thread that owns it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId(pub u16);

/// What becomes of a word, whatever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is this.
    Set(u32),
    /// It has these bits as well.
    Add(u32),
    /// It has of its bits only these.
    Keep(u32),
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slept {
    /// Somebody woke it, or a signal came, or the word was another: look.
    Look,
    /// The wait was over.
    TimedOut,
}

/// A word, and what the sleeper has seen in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose word.
    pub cell: CellId,
    /// Its value; with another the sleep ends at once.
    pub word: u32,
}

/// Memory shared between processes. See the [module](self).
///
/// Methods with a [`Site`] are steps, as in [`Os`]; each is atomic but for the copies, which nobody
/// must observe before a step that comes after. All are sequentially consistent with each other.
///
/// A cell that the mapping does not have is a defect of the caller and panics: numbers of cells
/// are constants, or were checked when the mapping was made. They are never read from shared
/// memory.
pub trait SharedMemory: Os {
    /// The memory, as this process has it.
    type Mapping: Clone + Send + Sync + 'static;

    /// Makes memory of so many cells and so many bytes, all 0. It takes up room only where it was
    /// written.
    ///
    /// # Errors
    /// `InvalidInput` where the number of bytes is no power of two or too large, `Unsupported`
    /// where this system cannot do what the robust discipline needs, and what the system says.
    fn share(&self, cells: u16, bytes: usize) -> io::Result<Self::Mapping>;

    /// The name of the memory for a child ([`Start::inherit`](super::Start::inherit)).
    fn export_mapping(&self, mapping: &Self::Mapping) -> Exported;

    /// Takes up memory that this process inherited.
    ///
    /// # Errors
    /// `InvalidData` where it is no such memory, else as [`share`](Self::share).
    fn import_mapping(&self, exported: Exported) -> io::Result<Self::Mapping>;

    /// How many cells the memory has.
    fn cells(&self, mapping: &Self::Mapping) -> u16;

    /// How many bytes the ring has: a power of two.
    fn ring_bytes(&self, mapping: &Self::Mapping) -> usize;

    /// The number by which words name the calling thread. It is never 0.
    fn thread(&self) -> u32;

    /// The word.
    fn load(&self, mapping: &Self::Mapping, cell: CellId, site: Site) -> impl Future<Output = u32>;

    /// Writes `new` if the word is `seen`; else says what it is.
    fn compare_exchange(
        &self,
        mapping: &Self::Mapping,
        seen: Seen,
        new: u32,
        site: Site,
    ) -> impl Future<Output = Result<(), u32>>;

    /// Changes the word and says what it was.
    fn change(
        &self,
        mapping: &Self::Mapping,
        cell: CellId,
        change: Change,
        site: Site,
    ) -> impl Future<Output = u32>;

    /// The cell's value.
    fn load_value(
        &self,
        mapping: &Self::Mapping,
        cell: CellId,
        site: Site,
    ) -> impl Future<Output = u64>;

    /// Writes the cell's value.
    fn store_value(
        &self,
        mapping: &Self::Mapping,
        cell: CellId,
        value: u64,
        site: Site,
    ) -> impl Future<Output = ()>;

    /// The cell's value, for who holds the lock that protects it: no step.
    fn own_value(&self, mapping: &Self::Mapping, cell: CellId) -> u64;

    /// The cell's second value, for what a lock protects. Neither this nor writing it is a step.
    fn note(&self, mapping: &Self::Mapping, cell: CellId) -> u64;

    /// Writes the cell's second value.
    fn set_note(&self, mapping: &Self::Mapping, cell: CellId, note: u64);

    /// Copies a header and bytes into the ring, one behind the other from this place on. Places
    /// beyond the ring's end wrap around.
    ///
    /// # Errors
    /// `InvalidInput` where they are more than the ring has.
    fn copy_in(
        &self,
        mapping: &Self::Mapping,
        place: u64,
        header: u64,
        bytes: &[u8],
        site: Site,
    ) -> impl Future<Output = io::Result<()>>;

    /// The header at this place of the ring: no step.
    fn header(&self, mapping: &Self::Mapping, place: u64) -> u64;

    /// Appends so many bytes of the ring from this place on.
    ///
    /// # Errors
    /// As [`copy_in`](Self::copy_in), and `OutOfMemory`.
    fn copy_out(
        &self,
        mapping: &Self::Mapping,
        place: u64,
        length: usize,
        bytes: &mut Vec<u8>,
        site: Site,
    ) -> impl Future<Output = io::Result<()>>;

    /// Sleeps while the words are as they were seen, at most two of them, until one is woken.
    ///
    /// # Errors
    /// What the system says.
    fn sleep(
        &self,
        mapping: &Self::Mapping,
        seen: &[Seen],
        wait: Wait,
        site: Site,
    ) -> impl Future<Output = io::Result<Slept>>;

    /// Wakes one who sleeps on the word.
    ///
    /// # Errors
    /// What the system says.
    fn wake(
        &self,
        mapping: &Self::Mapping,
        cell: CellId,
        site: Site,
    ) -> impl Future<Output = io::Result<()>>;

    /// Names the cell as the one that this thread's next steps are about: if it dies, the kernel
    /// looks at its word.
    fn register(
        &self,
        mapping: &Self::Mapping,
        cell: CellId,
        site: Site,
    ) -> impl Future<Output = ()>;

    /// No cell is named any more.
    fn forget(&self, site: Site) -> impl Future<Output = ()>;

    /// Puts a cell whose word this thread owns on the list of those that the kernel looks at when
    /// it dies.
    fn enlist(&self, mapping: &Self::Mapping, cell: CellId, site: Site)
    -> impl Future<Output = ()>;

    /// Takes a cell off that list: the newest on it.
    fn delist(&self, mapping: &Self::Mapping, cell: CellId, site: Site)
    -> impl Future<Output = ()>;

    /// Owns the word for as long as this process lives, with [`WAITERS`]: the kernel marks it when
    /// the process dies, and wakes one sleeper. `false` where somebody else owns it.
    ///
    /// # Errors
    /// What the system says where it cannot start a thread.
    fn own_for_life(
        &self,
        mapping: &Self::Mapping,
        cell: CellId,
        site: Site,
    ) -> impl Future<Output = io::Result<bool>>;

    /// Gives back what [`own_for_life`](Self::own_for_life) took, and wakes one sleeper.
    ///
    /// # Errors
    /// What the system says.
    fn end_life(
        &self,
        mapping: &Self::Mapping,
        cell: CellId,
        site: Site,
    ) -> impl Future<Output = io::Result<()>>;
}
