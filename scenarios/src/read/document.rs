//! A TOML document with the place of every value, and the mistakes found in it.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::Mistake;
use crate::nearest::one_of;

/// A value with its place.
pub(crate) type Value<'text> = Spanned<DeValue<'text>>;

/// A text from the document with the place of its first character, if the text stands there as it
/// is (without escapes), so that a place in the text is a place in the document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'text> {
    pub(crate) text: &'text str,
    start: usize,
    verbatim: bool,
}

impl<'text> Text<'text> {
    /// Where a part of this text begins in the document.
    pub(crate) fn place_of(&self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        if self.verbatim && offset <= self.text.len() {
            self.start + offset
        } else {
            self.start
        }
    }
}

/// The document while it is read.
pub(crate) struct Document<'text> {
    text: &'text str,
    mistakes: RefCell<Vec<(usize, String)>>,
}

impl<'text> Document<'text> {
    pub(crate) fn new(text: &'text str) -> Self {
        Self {
            text,
            mistakes: RefCell::default(),
        }
    }

    /// The document's tables; a mistake where it is no TOML.
    pub(crate) fn parse(&self) -> Option<DeTable<'text>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table.into_inner()),
            Err(error) => {
                let place = error.span().map_or(0, |span| span.start);
                self.mistake(place, format!("this is no TOML: {}", error.message()));
                None
            }
        }
    }

    /// Notes a mistake at a byte offset of the document.
    pub(crate) fn mistake(&self, place: usize, message: impl Into<String>) {
        self.mistakes.borrow_mut().push((place, message.into()));
    }

    pub(crate) fn has_mistakes(&self) -> bool {
        !self.mistakes.borrow().is_empty()
    }

    /// The value if there is no mistake, else all mistakes in the order of their places.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Mistake>> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort();
        mistakes.dedup();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => Err(mistakes
                .into_iter()
                .map(|(place, message)| {
                    let (line, column) = line_and_column(self.text, place);
                    Mistake {
                        line,
                        column,
                        message,
                    }
                })
                .collect()),
        }
    }

    /// The line of a place, for messages that refer to another line.
    pub(crate) fn line(&self, place: usize) -> usize {
        line_and_column(self.text, place).0
    }

    /// Reports every key of `table` that is not among `known`.
    pub(crate) fn only(&self, table: &DeTable<'_>, what: &str, known: &[&str]) {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let hint = one_of(key.get_ref(), known.iter().copied());
                self.mistake(
                    key.span().start,
                    format!("unknown {what} '{}'; {hint}", key.get_ref()),
                );
            }
        }
    }

    /// The value as a string.
    pub(crate) fn string<'value>(
        &self,
        value: &'value Value<'text>,
        what: &str,
    ) -> Option<Text<'value>>
    where
        'text: 'value,
    {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(value, what, "a string in quotes");
            return None;
        };
        let span = value.span();
        let raw = self.text.get(span.clone()).unwrap_or("");
        let quotes = raw.len() - raw.trim_start_matches(['"', '\'']).len();
        let verbatim = raw.get(quotes..).is_some_and(|raw| raw.starts_with(text));
        let start = if verbatim {
            span.start + quotes
        } else {
            span.start
        };
        Some(Text {
            text,
            start,
            verbatim,
        })
    }

    /// The value as a list of strings; a single string is a list of one where `single` allows it.
    pub(crate) fn strings<'value>(
        &self,
        value: &'value Value<'text>,
        what: &str,
    ) -> Option<Vec<Text<'value>>> {
        let Some(values) = value.get_ref().as_array() else {
            self.wrong_type(value, what, "a list of strings, such as [\"…\"]");
            return None;
        };
        Some(
            values
                .iter()
                .filter_map(|value| self.string(value, what))
                .collect(),
        )
    }

    /// The value as a whole number from `least` to `most`.
    pub(crate) fn number(
        &self,
        value: &Value<'_>,
        what: &str,
        least: u32,
        most: u32,
    ) -> Option<u32> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong_type(
                value,
                what,
                &format!("a whole number from {least} to {most}"),
            );
        }
        number
    }

    /// The value as true or false.
    pub(crate) fn boolean(&self, value: &Value<'_>, what: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(value, what, "true or false");
        }
        boolean
    }

    /// The value as a table.
    pub(crate) fn table<'value>(
        &self,
        value: &'value Value<'text>,
        what: &str,
    ) -> Option<&'value DeTable<'text>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, what, "a table");
        }
        table
    }

    fn wrong_type(&self, value: &Value<'_>, what: &str, wanted: &str) {
        self.mistake(value.span().start, format!("{what} must be {wanted}"));
    }
}

/// A key with its value.
pub(crate) type Entry<'table, 'text> = (&'table Spanned<DeString<'text>>, &'table Value<'text>);

/// The entries of a table in the order of the file, where TOML itself has none.
pub(crate) fn in_file_order<'table, 'text>(
    table: &'table DeTable<'text>,
) -> Vec<Entry<'table, 'text>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn line_and_column(text: &str, place: usize) -> (usize, usize) {
    let before = text.get(..place).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}
