//! The tables of the summary.

use crate::print::outln;
use comfy_table::{Cell, CellAlignment, Color, Table, presets};

/// A table without lines between its rows.
pub(crate) fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(|text| Cell::new(text.to_uppercase())));
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A word that is green or red on a terminal.
pub(crate) fn verdict(text: &str, good: Option<bool>, color: bool) -> Cell {
    let cell = Cell::new(text);
    match (color, good) {
        (true, Some(true)) => cell.fg(Color::Green),
        (true, Some(false)) => cell.fg(Color::Red),
        (true, None) => cell.fg(Color::Yellow),
        (false, _) => cell,
    }
}

/// The lines of a table without the blanks at their ends.
pub(crate) fn print(table: &Table) {
    for line in table.lines() {
        outln!("{}", line.trim_end());
    }
}
