//! JSON whose records are objects: items of an array, objects one behind the other, or one on each line.

use super::document::{Document, Node, To, Treat, record};
use super::items::{Items, Root, What};
use super::leaves::{Change, Leaves, Part, Slot};
use super::lines::{Lines, TOO_LONG};
use super::loki::json::stream;
use super::otlp::json::resource;
use super::refusal::Refusal;
use super::schema::Schema;
use super::walk::{Desk, Walk};

/// What records are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Documents with these members.
    Document(&'static Node, To),
    /// Resources of OTLP.
    Resource(&'static Schema),
    /// Streams of Loki.
    Stream,
}

/// A record of which nothing is known but that it is JSON.
pub(crate) static FIELDS: Node = Node::of(Slot::Field);

/// An event for Splunk's HTTP event collector:
/// <https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector>.
pub(crate) static HEC: Node = Node::with(
    Slot::Unknown,
    &[
        ("time", Node::treated(Slot::Text, Treat::Measure)),
        ("host", Node::of(Slot::Meta)),
        ("source", Node::of(Slot::Meta)),
        ("sourcetype", Node::of(Slot::Meta)),
        ("index", Node::of(Slot::Index)),
        ("event", Node::treated(Slot::Body, Treat::Needed)),
        ("fields", Node::of(Slot::Label)),
    ],
);

/// A span of Zipkin: <https://zipkin.io/zipkin-api/zipkin2-api.yaml>.
pub(crate) static ZIPKIN: Node = Node::with(
    Slot::Unknown,
    &[
        ("traceId", Node::treated(Slot::Unknown, Treat::Id(32))),
        ("id", Node::treated(Slot::Unknown, Treat::Id(16))),
        ("parentId", Node::treated(Slot::Unknown, Treat::Id(16))),
        ("name", Node::of(Slot::Name)),
        ("kind", Node::of(Slot::Text)),
        ("timestamp", Node::treated(Slot::Text, Treat::Measure)),
        ("duration", Node::treated(Slot::Text, Treat::Measure)),
        ("localEndpoint", ENDPOINT),
        ("remoteEndpoint", ENDPOINT),
        (
            "annotations",
            Node::with(
                Slot::Unknown,
                &[("timestamp", Node::treated(Slot::Text, Treat::Measure)), ("value", Node::of(Slot::Annotation))],
            ),
        ),
        ("tags", Node::of(Slot::Tag)),
    ],
);
const ENDPOINT: Node = Node::with(
    Slot::Unknown,
    &[
        ("serviceName", Node::of(Slot::ServiceName)),
        ("ipv4", Node::of(Slot::Address)),
        ("ipv6", Node::of(Slot::Address)),
        ("port", Node::treated(Slot::Text, Treat::Measure)),
    ],
);

/// Reads values out of one text; one that cannot be read refuses all of it.
#[derive(Debug)]
pub(crate) struct Values {
    items: Items,
    form: Form,
}

impl Values {
    pub(crate) fn new(root: Root, form: Form, cap: usize) -> Self {
        Self { items: Items::new(root, cap), form }
    }

    pub(crate) fn held(&self) -> usize {
        self.items.held()
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        leaves: &mut dyn Leaves,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let form = self.form;
        self.items.push(bytes, end, out, &mut |what, text, out| {
            let mut walk = Walk::new(leaves, desk);
            let stays = match what {
                What::Item(leaps) => match form {
                    Form::Document(node, to) => record(&mut walk, node, text, 0..text.len(), to)?,
                    Form::Resource(schema) => resource(&mut walk, schema, text, leaps)?,
                    Form::Stream => stream(&mut walk, text, leaps)?,
                },
                What::Other(key) => {
                    other(&mut walk, key, text)?;
                    true
                }
            };
            if stays {
                desk.splice.apply(text, out)?;
            }
            Ok(stays)
        })
    }
}

/// A member of the body itself that its format does not name. Readers ignore it; it stays, but for what is found in it.
fn other(walk: &mut Walk<'_>, key: &[u8], text: &[u8]) -> Result<(), Refusal> {
    walk.desk.path.down(key);
    if walk.leaf(Slot::Unknown, Part::Key, key, key) != Change::Keep {
        return Err(Refusal::undecodable("the body has a member that its format does not name, and that may not stay"));
    }
    let mut document = Document::at(text, 0..text.len());
    // A member that is to go is emptied: its key went on.
    if document.value(walk, &Node::of(Slot::Unknown), key, 1)? == super::walk::Fate::Goes {
        walk.desk.splice.clear();
        walk.desk.splice.replace(0..text.len(), |arena| arena.extend_from_slice(b"null"));
    }
    document.cursor.end()?;
    walk.paths_were_bounded()
}

/// Reads records that stand on lines of their own; one that cannot be read is left out.
#[derive(Debug)]
pub(crate) struct Ndjson {
    lines: Lines,
}

impl Ndjson {
    pub(crate) fn new(cap: usize) -> Self {
        Self { lines: Lines::new(cap) }
    }

    pub(crate) fn held(&self) -> usize {
        self.lines.held()
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        leaves: &mut dyn Leaves,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        self.lines.push(bytes, end, out, &mut |line, out| {
            let Some(line) = line else {
                desk.counts.bad(TOO_LONG.cause);
                return Ok(());
            };
            if line.text.trim_ascii().is_empty() {
                out.extend_from_slice(line.text);
                out.extend_from_slice(line.end);
                return Ok(());
            }
            let mut walk = Walk::new(leaves, desk);
            match record(&mut walk, &FIELDS, line.text, 0..line.text.len(), To::Root) {
                Ok(true) => {
                    desk.splice.apply(line.text, out)?;
                    out.extend_from_slice(line.end);
                }
                Ok(false) => {}
                Err(refusal) => desk.counts.bad(refusal.cause),
            }
            Ok(())
        })
    }
}
