//! The table as the walker reads it: static arrays that the build script writes from `kafka/table`.

use super::mark::Mark;

include!(concat!(env!("OUT_DIR"), "/layout.rs"));

/// What stands for nothing in a byte of the layout.
pub(crate) const NONE: u8 = u8::MAX;
/// In [`Fill::Same`]: the element is a bare value, and it is that.
pub(crate) const ITEM: u8 = NONE - 1;
/// How many fields of one message others may look at.
pub(crate) const SLOTS: usize = 4;

/// An API, and the versions of it that are understood.
#[derive(Debug)]
pub struct Api {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    pub(crate) first: u8,
    pub(crate) last: u8,
    /// The first flexible version, or [`NONE`].
    pub(crate) flexible: u8,
    /// Structs.
    pub(crate) request: u16,
    pub(crate) response: u16,
}

impl Api {
    /// All that are understood, by key.
    #[must_use]
    pub fn all() -> &'static [Api] {
        &APIS
    }

    /// The one of this key.
    #[must_use]
    pub fn of(key: i16) -> Option<&'static Api> {
        // The first ones, of which there are the most requests, stand where their keys say.
        let here = usize::try_from(key).ok().and_then(|n| APIS.get(n)).filter(|api| api.key == key);
        here.or_else(|| APIS.binary_search_by_key(&key, |api| api.key).ok().and_then(|n| APIS.get(n)))
    }

    /// Its key on the wire.
    #[must_use]
    pub fn key(&self) -> i16 {
        self.key
    }

    /// Its name in Kafka's documentation, as `Produce`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The versions that are understood, in requests and in responses.
    #[must_use]
    pub fn versions(&self) -> std::ops::RangeInclusive<i16> {
        i16::from(self.first)..=i16::from(self.last)
    }

    /// Whether this version has compact lengths and tagged fields.
    #[must_use]
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible != NONE && version >= i16::from(self.flexible)
    }

    /// Whether the header of a response ends in tagged fields. ApiVersions never has them: its reader may not know yet
    /// which version the broker speaks.
    pub(crate) fn has_tags_in_header(&self, version: i16) -> bool {
        self.is_flexible(version) && self.key != API_VERSIONS
    }

    /// `version` as the layout has it, where it is understood.
    pub(crate) fn version(&self, version: i16) -> Option<u8> {
        u8::try_from(version).ok().filter(|version| (self.first..=self.last).contains(version))
    }
}

/// ApiVersions is told apart from all others, since it is asked before versions are known.
pub(crate) const API_VERSIONS: i16 = 18;

/// Fields that stand together.
#[derive(Debug)]
pub(crate) struct Struct {
    first: u16,
    plain: u8,
    all: u8,
}

impl Struct {
    #[inline]
    pub(crate) fn of(id: u16) -> Option<&'static Struct> {
        STRUCTS.get(usize::from(id))
    }

    /// Those without a tag, in the order of the wire.
    #[inline]
    pub(crate) fn plain(&self) -> &'static [Field] {
        let first = usize::from(self.first);
        FIELDS.get(first..first + usize::from(self.plain)).unwrap_or_default()
    }

    /// The field with this tag in this version.
    pub(crate) fn tagged(&self, tag: u32, version: u8) -> Option<&'static Field> {
        let tag = u8::try_from(tag).ok().filter(|tag| *tag != NONE)?;
        self.tagged_all().iter().find(|field| field.tag == tag && field.is_in(version))
    }

    pub(crate) fn tagged_all(&self) -> &'static [Field] {
        let first = usize::from(self.first);
        FIELDS.get(first + usize::from(self.plain)..first + usize::from(self.all)).unwrap_or_default()
    }
}

/// A field, in what order and form it stands on the wire.
#[derive(Debug)]
pub(crate) struct Field {
    /// In [`NAMES`].
    pub(crate) name: u16,
    pub(crate) kind: Kind,
    /// Whether it is a list of that kind.
    pub(crate) list: bool,
    /// The versions that have it.
    pub(crate) versions: (u8, u8),
    /// Those in which it may be null.
    pub(crate) null: (u8, u8),
    /// Its tag, or [`NONE`].
    pub(crate) tag: u8,
    pub(crate) mark: Option<Mark>,
    /// The struct of [`Kind::Struct`].
    pub(crate) body: u16,
    /// The smallest size that an element of the list has in any version.
    pub(crate) least: u8,
    /// Its size where that is always the same and no other field looks at it, else 0.
    pub(crate) skip: u8,
    /// Which slot keeps its value for those that look at it, or [`NONE`].
    pub(crate) keeps: u8,
    /// The slots that it looks at: kind and pattern.
    pub(crate) looks_at: [u8; 2],
    /// Which of them come later in the same struct: a bit each.
    pub(crate) ahead: u8,
    /// What an answer has here.
    pub(crate) fill: Fill,
}

impl Field {
    #[inline]
    pub(crate) fn is_in(&self, version: u8) -> bool {
        self.versions.0 <= version && version <= self.versions.1
    }

    #[inline]
    pub(crate) fn may_be_null(&self, version: u8) -> bool {
        self.null.0 <= version && version <= self.null.1
    }

    #[inline]
    pub(crate) fn name(&self) -> &'static str {
        NAMES.get(usize::from(self.name)).copied().unwrap_or_default()
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bool too.
    Int8,
    Int16,
    UInt16,
    Int32,
    /// A float too.
    Int64,
    Uuid,
    Text,
    /// Records too.
    Bytes,
    Struct,
}

impl Kind {
    /// Its size in bytes, where that is always the same.
    #[inline]
    pub(crate) fn size(self) -> Option<usize> {
        match self {
            Kind::Int8 => Some(1),
            Kind::Int16 | Kind::UInt16 => Some(2),
            Kind::Int32 => Some(4),
            Kind::Int64 => Some(8),
            Kind::Uuid => Some(16),
            Kind::Text | Kind::Bytes | Kind::Struct => None,
        }
    }
}

/// What an answer has in a field of the response.
#[derive(Debug)]
pub(crate) enum Fill {
    /// A number, or nothing: null where that may be, else empty.
    Default(i32),
    /// What a field of the request's element says, by which of its lists the element is from.
    Same([u8; 2]),
    /// One element for each of these lists of the request.
    Each([u8; 2]),
    /// The error code.
    Code,
}

/// A message inside of bytes.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(crate) body: u16,
    /// Its last version; the first is 0.
    pub(crate) last: u8,
}
