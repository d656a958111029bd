//! A folder for the sockets of one run.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use midput_real::os::Os;
use midput_real::os::linux::Linux;

/// A folder that only this user can enter. Dropping it removes it with what is in it.
pub(super) struct PrivateDirectory(pub(super) PathBuf);

impl PrivateDirectory {
    pub(super) fn new() -> io::Result<Self> {
        let mut bytes = [0; 8];
        Linux.random(&mut bytes)?;
        let name = format!("midput-run-{:016x}", u64::from_le_bytes(bytes));
        let path = std::env::temp_dir().join(name);
        // It fails where it exists: nobody can have prepared it.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
