//! The files that a check leaves behind: a report as JSON, and one for JUnit.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use midput_sim::sweep::CheckReport;

use crate::arguments::Reports;
use crate::junit::junit;
use crate::print::{leave_standard_output, write_output};

/// Where the reports go. It is opened before anything runs: a path that cannot be written is said
/// at once, and a file of an earlier run is gone where this one does not come to its end.
pub(crate) struct Destinations {
    report: Option<Destination>,
    junit: Option<Destination>,
}

enum Destination {
    StandardOutput,
    /// Written beside its place and put there as a whole: a report is there or it is not.
    File {
        path: PathBuf,
        unfinished: PathBuf,
        file: File,
    },
    /// No file: a pipe, a device.
    Special(File),
}

impl Destinations {
    pub(crate) fn open(reports: &Reports) -> anyhow::Result<Self> {
        let is_output = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
        match (is_output(&reports.report), is_output(&reports.junit)) {
            (true, true) => bail!("--report and --junit cannot both go to standard output"),
            (false, false) => {}
            _ => leave_standard_output(),
        }
        let open = |path: &Option<PathBuf>| path.as_deref().map(Destination::open).transpose();
        Ok(Self { report: open(&reports.report)?, junit: open(&reports.junit)? })
    }

    pub(crate) fn write(self, report: &CheckReport) -> anyhow::Result<()> {
        if let Some(destination) = self.report {
            destination.write(&report.to_json())?;
        }
        if let Some(destination) = self.junit {
            destination.write(&junit(report)?)?;
        }
        Ok(())
    }
}

impl Destination {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        let cannot = || format!("the report cannot be written to {}", path.display());
        if let Ok(there) = fs::metadata(path) {
            if there.is_dir() {
                bail!("{}: it is a folder", cannot());
            }
            if !there.is_file() {
                let file = File::options().write(true).open(path).with_context(cannot)?;
                return Ok(Self::Special(file));
            }
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(cannot)?;
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let file = File::create(&unfinished).with_context(cannot)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(cannot)
            }
            _ => Ok(Self::File { path: path.to_owned(), unfinished, file }),
        }
    }

    fn write(self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::StandardOutput => write_output(format_args!("{text}")),
            Self::Special(mut file) => file.write_all(text.as_bytes())?,
            Self::File { path, unfinished, mut file } => {
                let cannot = || format!("the report cannot be written to {}", path.display());
                file.write_all(text.as_bytes()).with_context(cannot)?;
                fs::rename(unfinished, &path).with_context(cannot)?;
            }
        }
        Ok(())
    }
}
