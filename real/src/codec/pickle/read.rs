//! Reading a pickle that is data only, and no larger in memory than its bytes explain.
//!
//! A pickle is a program for a stack machine. This one knows the operations that make data of
//! data, and refuses every other. Values stand in one list and hold each other by their places, so
//! that one that is shared is there once.

use std::collections::BTreeMap;

/// How deep lists, tuples, sets and dicts may stand in each other.
const DEPTH_MAX: u32 = 128;
/// A value that is shared may be copied where it is taken out. With all its copies a value holds at
/// most so many bytes, …
const SIZE_CONSTANT: u64 = 1 << 20;
/// … and so many more for each byte of the pickle.
const SIZE_FACTOR: u64 = 64;

/// Why a pickle is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataOnly {
    /// It names something of a module, to construct or call it.
    #[error("the pickle would construct '{name}'; only plain data is accepted")]
    Constructs {
        /// Module and name, as in the pickle.
        name: String,
    },
    /// It has an operation that plain data of protocols 2 to 5 does not need.
    #[error("the pickle has the operation {operation}; only plain data is accepted")]
    Operation {
        /// The name that Python gives it, or its number.
        operation: String,
    },
    /// It ends too early, or uses what is not there.
    #[error("the pickle is damaged at byte {position}")]
    Damaged {
        /// Where.
        position: usize,
    },
    /// A value contains itself.
    #[error("the pickle holds a value that contains itself")]
    Recursive,
    /// An integer does not fit into 64 bits.
    #[error("the pickle holds an integer too large for 64 bits")]
    Integer,
    /// Values stand too deep in each other, or it is too large once all references are followed.
    #[error("the pickle is too deep or too large for its {length} bytes")]
    TooLarge {
        /// The bytes that it has.
        length: usize,
    },
}

/// Reads a pickle: all its values, of which the last one that is returned holds the others.
pub(super) fn read(pickle: &[u8]) -> Result<Tree<'_>, DataOnly> {
    let most = SIZE_CONSTANT.saturating_add(SIZE_FACTOR.saturating_mul(pickle.len() as u64));
    let mut machine = Machine {
        pickle,
        position: 0,
        most,
        values: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        stack: Vec::new(),
    };
    loop {
        if let Some(root) = machine.step()? {
            return Ok(Tree { values: machine.values, root });
        }
    }
}

/// The values of a pickle.
pub(super) struct Tree<'a> {
    values: Vec<Known<'a>>,
    /// The one that is the whole.
    pub(super) root: Place,
}

impl<'a> Tree<'a> {
    pub(super) fn node(&self, place: Place) -> &Node<'a> {
        &self.values[place].node
    }
}

/// The place of a value among all.
pub(super) type Place = usize;

/// A value.
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// A list, tuple or set.
    Items(Vec<Place>),
    /// A dict: a key, its value, the next key, …
    Dict(Vec<Place>),
}

/// What is known of a value.
struct Known<'a> {
    node: Node<'a>,
    /// The bytes that it and all in it take, references followed.
    size: u64,
    /// How deep it is.
    depth: u32,
    /// Somebody refers to it: it must not change any more.
    referred: bool,
}

struct Machine<'a> {
    pickle: &'a [u8],
    position: usize,
    /// The most bytes that a value may take.
    most: u64,
    values: Vec<Known<'a>>,
    /// Where in the stack the open marks are.
    marks: Vec<usize>,
    memo: BTreeMap<u64, Place>,
    stack: Vec<Place>,
}

/// The size of a value beside its bytes.
const VALUE: u64 = 32;

impl<'a> Machine<'a> {
    fn damaged(&self) -> DataOnly {
        DataOnly::Damaged { position: self.position }
    }

    fn too_large(&self) -> DataOnly {
        DataOnly::TooLarge { length: self.pickle.len() }
    }

    fn take(&mut self, bytes: u64) -> Result<&'a [u8], DataOnly> {
        let rest = &self.pickle[self.position..];
        let bytes = usize::try_from(bytes).ok().filter(|&bytes| bytes <= rest.len());
        let bytes = bytes.ok_or_else(|| self.damaged())?;
        self.position += bytes;
        Ok(&rest[..bytes])
    }

    /// A number of so many bytes, little endian.
    fn number(&mut self, bytes: u64) -> Result<u64, DataOnly> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Bytes with their number before them, which itself has so many.
    fn counted(&mut self, bytes: u64) -> Result<&'a [u8], DataOnly> {
        let count = self.number(bytes)?;
        self.take(count)
    }

    fn line(&mut self) -> Result<&'a [u8], DataOnly> {
        let rest = &self.pickle[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| self.damaged())?;
        self.position += end + 1;
        Ok(&rest[..end])
    }

    fn push(&mut self, node: Node<'a>, bytes: usize) -> Result<(), DataOnly> {
        let known = Known { node, size: VALUE + bytes as u64, depth: 0, referred: false };
        self.stack.push(self.values.len());
        self.values.push(known);
        Ok(())
    }

    fn push_bytes(&mut self, count: u64) -> Result<(), DataOnly> {
        let bytes = self.counted(count)?;
        self.push(Node::Bytes(bytes), bytes.len())
    }

    fn push_text(&mut self, count: u64) -> Result<(), DataOnly> {
        let bytes = self.counted(count)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.damaged())?;
        self.push(Node::Text(text), bytes.len())
    }

    /// A signed number, little endian, of as many bytes as it takes.
    fn push_integer(&mut self, bytes: &[u8]) -> Result<(), DataOnly> {
        let is_negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut whole = if is_negative { [0xff; 8] } else { [0; 8] };
        let beyond = bytes.get(8..).unwrap_or_default();
        let count = bytes.len().min(8);
        whole[..count].copy_from_slice(&bytes[..count]);
        let integer = i64::from_le_bytes(whole);
        let filler = if is_negative { 0xff } else { 0 };
        if beyond.iter().any(|&byte| byte != filler) || (integer < 0) != is_negative {
            return Err(DataOnly::Integer);
        }
        self.push(Node::Integer(integer), 0)
    }

    /// The place in the stack of the values above the last mark.
    fn mark(&mut self) -> Result<usize, DataOnly> {
        self.marks.pop().ok_or_else(|| self.damaged())
    }

    /// The values above a place in the stack, taken from it; none of them below an open mark.
    fn above(&mut self, from: usize) -> Result<Vec<Place>, DataOnly> {
        if from > self.stack.len() || self.marks.last().is_some_and(|&mark| mark > from) {
            return Err(self.damaged());
        }
        Ok(self.stack.split_off(from))
    }

    fn last(&mut self, count: usize) -> Result<Vec<Place>, DataOnly> {
        let from = self.stack.len().checked_sub(count).ok_or_else(|| self.damaged())?;
        self.above(from)
    }

    /// A new list, tuple or set of these.
    fn collect(&mut self, items: Vec<Place>) -> Result<(), DataOnly> {
        self.push(Node::Items(Vec::new()), 0)?;
        self.extend(items, false)
    }

    /// Puts these into the list, set or dict below them.
    fn extend(&mut self, items: Vec<Place>, dict: bool) -> Result<(), DataOnly> {
        // Below them is what they go into, and not a mark.
        let holder = self.last(1)?[0];
        let (mut size, mut depth) = (self.values[holder].size, self.values[holder].depth.max(1));
        for &item in &items {
            size = size.saturating_add(self.values[item].size);
            depth = depth.max(self.values[item].depth + 1);
        }
        if size > self.most || depth > DEPTH_MAX {
            return Err(self.too_large());
        }
        let (damaged, known) = (self.damaged(), &mut self.values[holder]);
        if known.referred {
            return Err(DataOnly::Recursive);
        }
        match &mut known.node {
            Node::Items(held) if !dict => held.extend(items),
            Node::Dict(held) if dict && items.len().is_multiple_of(2) => held.extend(items),
            _ => return Err(damaged),
        }
        (known.size, known.depth) = (size, depth);
        self.stack.push(holder);
        Ok(())
    }

    fn remember(&mut self, key: u64) -> Result<(), DataOnly> {
        let top = self.last(1)?[0];
        self.stack.push(top);
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), DataOnly> {
        let place = self.memo.get(&key).copied().ok_or_else(|| self.damaged())?;
        self.values[place].referred = true;
        self.stack.push(place);
        Ok(())
    }

    /// One operation; the whole, once no other follows.
    fn step(&mut self) -> Result<Option<Place>, DataOnly> {
        let operation = self.take(1)?[0];
        match operation {
            // PROTO and FRAME, which say nothing about the value.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            // MEMOIZE, BINPUT, LONG_BINPUT
            0x94 => self.remember(self.memo.len() as u64)?,
            b'q' => self.number(1).and_then(|key| self.remember(key))?,
            b'r' => self.number(4).and_then(|key| self.remember(key))?,
            // BINGET, LONG_BINGET
            b'h' => self.number(1).and_then(|key| self.recall(key))?,
            b'j' => self.number(4).and_then(|key| self.recall(key))?,
            // MARK
            b'(' => self.marks.push(self.stack.len()),
            // STOP: one value is left, and nothing follows it.
            b'.' => {
                let root = self.last(1)?[0];
                let left = self.stack.len() + self.marks.len() + self.pickle.len() - self.position;
                return if left == 0 { Ok(Some(root)) } else { Err(self.damaged()) };
            }
            _ => self.value(operation)?,
        }
        Ok(None)
    }

    /// An operation that makes a value of its own bytes.
    fn value(&mut self, operation: u8) -> Result<(), DataOnly> {
        match operation {
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Node::None, 0),
            0x88 => self.push(Node::Bool(true), 0),
            0x89 => self.push(Node::Bool(false), 0),
            // BININT1 and BININT2, which have no sign
            b'K' => self.number(1).and_then(|it| self.push(Node::Integer(it as i64), 0)),
            b'M' => self.number(2).and_then(|it| self.push(Node::Integer(it as i64), 0)),
            // BININT, LONG1, LONG4
            b'J' => self.take(4).and_then(|it| self.push_integer(it)),
            0x8a => self.counted(1).and_then(|it| self.push_integer(it)),
            0x8b => self.counted(4).and_then(|it| self.push_integer(it)),
            // BINFLOAT, the only number that is big endian
            b'G' => {
                let bits = self.number(8)?.swap_bytes();
                self.push(Node::Float(f64::from_bits(bits)), 0)
            }
            // SHORT_BINBYTES, BINBYTES, BINBYTES8 and BYTEARRAY8
            b'C' => self.push_bytes(1),
            b'B' => self.push_bytes(4),
            0x8e | 0x96 => self.push_bytes(8),
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            0x8c => self.push_text(1),
            b'X' => self.push_text(4),
            0x8d => self.push_text(8),
            _ => self.combine(operation),
        }
    }

    /// An operation that makes a value of others.
    fn combine(&mut self, operation: u8) -> Result<(), DataOnly> {
        match operation {
            // EMPTY_LIST, EMPTY_SET, EMPTY_TUPLE; EMPTY_DICT
            b']' | 0x8f | b')' => self.collect(Vec::new()),
            b'}' => self.push(Node::Dict(Vec::new()), 0),
            // APPEND, SETITEM
            b'a' => self.last(1).and_then(|items| self.extend(items, false)),
            b's' => self.last(2).and_then(|items| self.extend(items, true)),
            // APPENDS and ADDITEMS, SETITEMS
            b'e' | 0x90 | b'u' => {
                let mark = self.mark()?;
                self.above(mark).and_then(|items| self.extend(items, operation == b'u'))
            }
            // TUPLE1, TUPLE2, TUPLE3; TUPLE and FROZENSET
            0x85..=0x87 => {
                self.last(usize::from(operation - 0x84)).and_then(|items| self.collect(items))
            }
            b't' | 0x91 => {
                let mark = self.mark()?;
                self.above(mark).and_then(|items| self.collect(items))
            }
            _ => Err(self.refuse(operation)),
        }
    }

    /// Says what an operation would construct, as far as it can be known.
    fn refuse(&mut self, operation: u8) -> DataOnly {
        self.names(operation).map_or_else(
            || DataOnly::Operation { operation: name(operation) },
            |name| DataOnly::Constructs { name },
        )
    }

    /// The module and the name that an operation looks up.
    fn names(&mut self, operation: u8) -> Option<String> {
        match operation {
            // GLOBAL, INST
            b'c' | b'i' => {
                let names = [self.line().ok()?, self.line().ok()?];
                Some(names.map(String::from_utf8_lossy).join("."))
            }
            // STACK_GLOBAL
            0x93 => {
                let names = self.last(2).ok()?;
                match [&self.values[names[0]].node, &self.values[names[1]].node] {
                    [Node::Text(module), Node::Text(name)] => Some(format!("{module}.{name}")),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The name of an operation that is refused.
fn name(operation: u8) -> String {
    let known = match operation {
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'F' => "FLOAT",
        b'I' => "INT",
        b'L' => "LONG",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'V' => "UNICODE",
        b'c' => "GLOBAL",
        b'i' => "INST",
        b'd' => "DICT",
        b'l' => "LIST",
        b'p' => "PUT",
        b'g' => "GET",
        b'o' => "OBJ",
        b'b' => "BUILD",
        b'R' => "REDUCE",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        0x81 => "NEWOBJ",
        0x82..=0x84 => "EXT",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        other => return format!("{other:#04x}"),
    };
    known.to_owned()
}
