//! Values of serde out of the values of a pickle.

use serde::de::value::{Error, MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::read::{Node, Place, Tree};

/// A value with all that it holds.
#[derive(Clone, Copy)]
pub(super) struct Whole<'t, 'a> {
    tree: &'t Tree<'a>,
    place: Place,
}

impl<'t, 'a> Whole<'t, 'a> {
    /// The value that the pickle is.
    pub(super) fn of(tree: &'t Tree<'a>) -> Self {
        Self { tree, place: tree.root }
    }

    fn node(self) -> &'t Node<'a> {
        self.tree.node(self.place)
    }

    fn other(self, place: Place) -> Self {
        Self { tree: self.tree, place }
    }
}

impl IntoDeserializer<'_, Error> for Whole<'_, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Whole<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::None => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Integer(value) => visitor.visit_i64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Bytes(value) => visitor.visit_bytes(value),
            Node::Text(value) => visitor.visit_str(value),
            Node::Items(items) => {
                let mut items = SeqDeserializer::new(items.iter().map(|&item| self.other(item)));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Node::Dict(items) => {
                let mut items = MapDeserializer::new(self.pairs(items));
                let value = visitor.visit_map(&mut items)?;
                items.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant is a string, or a dict of it with what it holds.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.node() {
            Node::Text(variant) => visitor.visit_enum((*variant).into_deserializer()),
            Node::Dict(items) if items.len() == 2 => {
                let items = MapDeserializer::new(self.pairs(items));
                visitor.visit_enum(MapAccessDeserializer::new(items))
            }
            _ => Err(Error::invalid_type(Unexpected::Other("no variant"), &visitor)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'t> Whole<'t, '_> {
    fn pairs(self, items: &'t [Place]) -> impl Iterator<Item = (Self, Self)> {
        items.chunks_exact(2).map(move |pair| (self.other(pair[0]), self.other(pair[1])))
    }
}
