//! What a carrier hands out, and what it is answered.

/// The redactor, as a carrier sees it.
///
/// For each unit `begin`, then each leaf of it, then the units in it, then `end`. What is answered counts at the end of
/// the unit: nothing of it left before. Leaves come in the order of the text, but for one thing: a resource's and a
/// scope's own come before those of its records, wherever they stand.
pub trait Leaves {
    /// Whether [`look`](Self::look) is to be asked: a unit is gone through twice then, if it is not [tried](Self::tries) at once.
    fn looks(&self) -> bool {
        false
    }

    /// Whether it is to be asked of a unit whose names, and all that is in it, are written so, in JSON.
    fn looks_in(&self, written: &[u8]) -> bool {
        let _ = written;
        self.looks()
    }

    /// A leaf of the unit that began last, before any leaf of it is asked about: what is answered for the first may
    /// depend on the last, as on the tenant that a record names.
    fn look(&mut self, place: &Place<'_>, text: &[u8]) {
        let _ = (place, text);
    }

    /// Whether the unit that began last may be asked about at once, though it is to be looked at: mostly what its last leaf
    /// says changes nothing about its first.
    fn tries(&mut self) -> bool {
        false
    }

    /// All of its leaves were asked about at once, if all could be `read`. Whether what was answered holds: where it does not,
    /// it is as if nothing had been asked, and they are looked at first. What was not read never holds.
    fn holds(&mut self, read: bool) -> bool {
        read
    }

    /// A unit begins, in those that began and did not end.
    fn begin(&mut self, unit: Unit);

    /// What becomes of a leaf. `text` is what it means, without escapes; a number as it is written, in decimal.
    fn leaf(&mut self, place: &Place<'_>, text: &[u8]) -> Change;

    /// The unit ends that began last.
    fn end(&mut self) -> Verdict;
}

/// What belongs together, and goes on or not as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// What records are of: a resource of OTLP, a stream of Loki.
    Resource,
    /// The library that wrote records.
    Scope,
    /// A metric, whose points are records.
    Metric,
    /// A log record, span, point of a metric, document, event, entry or line.
    Record,
}

/// What becomes of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays.
    Keep,
    /// This stands for it. A number becomes a text, unless this is a number.
    Replace(Vec<u8>),
    /// Its field is left out; of a key its value too. What cannot be without it is left out with it.
    DropField,
}

/// What becomes of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, as its leaves were answered.
    Keep,
    /// It is left out.
    Drop,
    /// It goes on with these fields more. A field of that name that was there is left out. A line of text has no fields:
    /// it goes on without them.
    Tag(Vec<Tag>),
}

/// A field that is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name, as `redaction.masked.count`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Where a leaf stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What it is of.
    pub slot: Slot,
    /// What it is itself.
    pub part: Part,
    /// The name of its field, as it stands there; empty where it has none.
    pub key: &'a [u8],
    /// Where it stands in its unit: names with dots between, as `resource.attributes.user.email` or `body.user.name`.
    /// A name may have dots itself. An item of an array is `[]`.
    pub path: &'a [u8],
}

/// What a leaf is itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name of a field that whoever wrote the record chose.
    Key,
    /// A text.
    Text,
    /// Bytes that need not be text.
    Bytes,
    /// A number.
    Number,
}

/// What a leaf is of, as the carrier's format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// An attribute of a resource.
    ResourceAttribute,
    /// An attribute of a scope.
    ScopeAttribute,
    /// An attribute of a record: log record, span, point.
    Attribute,
    /// An attribute of an event of a span.
    EventAttribute,
    /// An attribute of a link of a span.
    LinkAttribute,
    /// An attribute of an exemplar.
    ExemplarAttribute,
    /// The message: a body, a line, what HEC calls the event.
    Body,
    /// The name of a span, event, metric or scope.
    Name,
    /// Other text that the format has a field for: severity, status message, description, unit, version.
    Text,
    /// The state of a trace, as the header `tracestate`.
    TraceState,
    /// A label of a stream of Loki, an indexed field of HEC.
    Label,
    /// Structured metadata of an entry of Loki.
    Metadata,
    /// The index that a document goes to.
    Index,
    /// The id of a document.
    DocumentId,
    /// What routes a document to a shard.
    Routing,
    /// A field of a document, of a record that is JSON.
    Field,
    /// What the format says of a record beside it: host, source, pipeline, process.
    Meta,
    /// The name of a service, in an endpoint of Zipkin.
    ServiceName,
    /// An address of one.
    Address,
    /// A tag of a span of Zipkin.
    Tag,
    /// An annotation of one.
    Annotation,
    /// A parameter of structured data of syslog.
    StructuredData,
    /// What the format does not name: a field that this reader does not know.
    Unknown,
}
