//! Printing to standard output. A reader that has gone (`midput list | head`) ends the command in
//! silence instead of in a panic.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Writes to standard output.
pub(crate) fn write(text: Arguments<'_>) {
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
