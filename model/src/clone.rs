//! Cloning into what is there already.

/// Implements `Clone` for a struct field by field, so that `clone_from` uses the memory that the
/// fields own; the derived one lets go of it and allocates anew. Explorations and runs copy states
/// all the time.
macro_rules! clone_by_field {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl Clone for $type {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone()),+ }
            }

            fn clone_from(&mut self, source: &Self) {
                $(self.$field.clone_from(&source.$field);)+
            }
        }
    };
}

pub(crate) use clone_by_field;
