//! What may stand where.

/// What a value is. `M` tells what is edited.
#[derive(Debug)]
pub enum Shape<M: 'static> {
    /// Anything, which nobody looks into: it passes as it came, if it is JSON.
    Any,
    /// A text, number or word, as it came.
    Plain,
    /// One that an editor is asked about; it may be null.
    Marked(M),
    /// An array of such values.
    List(&'static Shape<M>),
    /// An object with these members and no other.
    Object(&'static [Field<M>]),
    /// Of the outermost value alone: values one behind the other.
    Sequence(&'static Shape<M>),
}

/// A member of an object.
#[derive(Debug)]
pub struct Field<M: 'static> {
    /// Its key.
    pub name: &'static str,
    /// Its value.
    pub shape: Shape<M>,
}

/// A member of that name.
pub const fn field<M>(name: &'static str, shape: Shape<M>) -> Field<M> {
    Field { name, shape }
}
