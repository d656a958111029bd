//! Printing to standard output. A reader that has gone (`midput list | head`) ends the command in
//! silence instead of in a panic.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard output belongs to a report.
static ASIDE: AtomicBool = AtomicBool::new(false);

/// From now on everything that is printed goes to standard error: standard output is a report's.
pub(crate) fn leave_standard_output() {
    ASIDE.store(true, Ordering::Relaxed);
}

/// Writes to standard output, or beside it.
pub(crate) fn write(text: Arguments<'_>) {
    if ASIDE.load(Ordering::Relaxed) {
        eprint!("{text}");
        return;
    }
    write_output(text);
}

/// Writes to standard output.
pub(crate) fn write_output(text: Arguments<'_>) {
    if let Err(error) = std::io::stdout().write_fmt(text) {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("midput: standard output: {error}");
        }
        std::process::exit(0);
    }
}

/// As `print!`.
macro_rules! out {
    ($($argument:tt)*) => { $crate::print::write(format_args!($($argument)*)) };
}

/// As `println!`.
macro_rules! outln {
    () => { $crate::print::write(format_args!("\n")) };
    ($($argument:tt)*) => {{
        $crate::print::write(format_args!($($argument)*));
        $crate::print::write(format_args!("\n"));
    }};
}

pub(crate) use {out, outln};
