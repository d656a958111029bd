//! Memory shared between processes, and the robust list of each thread.

mod futex;
mod keeper;
mod mapping;
mod robust_list;

pub use mapping::Mapping;
pub(super) use mapping::Shared;

use std::io;

use super::{Linux, inherited};
use crate::os::shared::{CellId, Change, OWNER, OWNER_DIED, Seen, SharedMemory, Slept, WAITERS};
use crate::os::{Exported, Site, Wait};

impl SharedMemory for Linux {
    type Mapping = Mapping;

    fn share(&self, cells: u16, bytes: usize) -> io::Result<Mapping> {
        Mapping::create(cells, bytes)
    }

    fn export_mapping(&self, mapping: &Mapping) -> Exported {
        mapping.export()
    }

    fn import_mapping(&self, exported: Exported) -> io::Result<Mapping> {
        inherited::mapping(exported)
    }

    fn cells(&self, mapping: &Mapping) -> u16 {
        mapping.cells()
    }

    fn ring_bytes(&self, mapping: &Mapping) -> usize {
        mapping.ring_bytes()
    }

    #[inline(always)]
    fn thread(&self) -> u32 {
        robust_list::thread()
    }

    #[inline(always)]
    async fn load(&self, mapping: &Mapping, cell: CellId, _: Site) -> u32 {
        mapping.cell(cell).load()
    }

    #[inline(always)]
    async fn compare_exchange(
        &self,
        mapping: &Mapping,
        seen: Seen,
        new: u32,
        _: Site,
    ) -> Result<(), u32> {
        mapping.cell(seen.cell).compare_exchange(seen.word, new)
    }

    #[inline(always)]
    async fn change(&self, mapping: &Mapping, cell: CellId, change: Change, _: Site) -> u32 {
        mapping.cell(cell).change(change)
    }

    #[inline(always)]
    async fn load_value(&self, mapping: &Mapping, cell: CellId, _: Site) -> u64 {
        mapping.cell(cell).load_value()
    }

    #[inline(always)]
    async fn store_value(&self, mapping: &Mapping, cell: CellId, value: u64, _: Site) {
        mapping.cell(cell).store_value(value);
    }

    #[inline(always)]
    fn own_value(&self, mapping: &Mapping, cell: CellId) -> u64 {
        mapping.cell(cell).own_value()
    }

    #[inline(always)]
    fn note(&self, mapping: &Mapping, cell: CellId) -> u64 {
        mapping.cell(cell).note()
    }

    #[inline(always)]
    fn set_note(&self, mapping: &Mapping, cell: CellId, note: u64) {
        mapping.cell(cell).set_note(note);
    }

    #[inline(always)]
    async fn copy_in(
        &self,
        mapping: &Mapping,
        place: u64,
        header: u64,
        bytes: &[u8],
        _: Site,
    ) -> io::Result<()> {
        mapping.copy_in(place, header, bytes)
    }

    #[inline(always)]
    fn header(&self, mapping: &Mapping, place: u64) -> u64 {
        mapping.header(place)
    }

    #[inline(always)]
    async fn copy_out(
        &self,
        mapping: &Mapping,
        place: u64,
        length: usize,
        bytes: &mut Vec<u8>,
        _: Site,
    ) -> io::Result<()> {
        mapping.copy_out(place, length, bytes)
    }

    async fn sleep(
        &self,
        mapping: &Mapping,
        seen: &[Seen],
        wait: Wait,
        _: Site,
    ) -> io::Result<Slept> {
        futex::sleep(mapping, seen, wait)
    }

    async fn wake(&self, mapping: &Mapping, cell: CellId, _: Site) -> io::Result<()> {
        futex::wake(mapping.cell(cell).word())
    }

    #[inline(always)]
    async fn register(&self, mapping: &Mapping, cell: CellId, _: Site) {
        robust_list::register(mapping.cell(cell));
    }

    #[inline(always)]
    async fn forget(&self, _: Site) {
        robust_list::forget();
    }

    #[inline(always)]
    async fn enlist(&self, mapping: &Mapping, cell: CellId, _: Site) {
        robust_list::enlist(mapping.cell(cell));
    }

    #[inline(always)]
    async fn delist(&self, mapping: &Mapping, cell: CellId, _: Site) {
        robust_list::delist(mapping.cell(cell));
    }

    async fn own_for_life(&self, mapping: &Mapping, cell: CellId, _: Site) -> io::Result<bool> {
        keeper::own(mapping, cell)
    }

    async fn end_life(&self, mapping: &Mapping, cell: CellId, _: Site) -> io::Result<()> {
        keeper::end(mapping, cell)
    }
}

/// Whether a word has an owner.
fn is_owned(word: u32) -> bool {
    word & OWNER != 0
}

#[cfg(test)]
mod tests;
