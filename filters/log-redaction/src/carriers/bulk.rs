//! Elasticsearch's and OpenSearch's `_bulk`: a line that says what to do, and, but for `delete`, a line that it is done
//! with: <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>.

use partywall_json::Fault;

use super::document::{Document, Node, To, Treat, tag};
use super::leaves::{Leaves, Slot, Unit, Verdict};
use super::lines::{Line, Lines};
use super::refusal::{Cause, Refusal};
use super::walk::{Desk, Fate, Walk};

const NO_ACTION: Refusal = Refusal::undecodable("a line of the bulk request says nothing that Elasticsearch does");

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `index`.
    Index,
    /// `create`.
    Create,
    /// `update`.
    Update,
    /// `delete`.
    Delete,
}

impl Action {
    const ALL: [Self; 4] = [Self::Index, Self::Create, Self::Update, Self::Delete];

    /// Its name, in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One action of a request, and whether it went on: an answer has an item for each, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// What was to be done.
    pub action: Action,
    /// Whether the server was asked to.
    pub went: bool,
}

const META: &[(&str, Node)] = &[
    ("_index", Node::of(Slot::Index)),
    ("_id", Node::of(Slot::DocumentId)),
    ("routing", Node::of(Slot::Routing)),
    ("_routing", Node::of(Slot::Routing)),
    ("version", Node::treated(Slot::Meta, Treat::Measure)),
    ("if_seq_no", Node::treated(Slot::Meta, Treat::Measure)),
    ("if_primary_term", Node::treated(Slot::Meta, Treat::Measure)),
    ("retry_on_conflict", Node::treated(Slot::Meta, Treat::Measure)),
];
static ACTION: Node = Node::with(
    Slot::Meta,
    &[
        ("index", Node::with(Slot::Meta, META).bare()),
        ("create", Node::with(Slot::Meta, META).bare()),
        ("update", Node::with(Slot::Meta, META).bare()),
        ("delete", Node::with(Slot::Meta, META).bare()),
    ],
);
static SOURCE: Node = Node::of(Slot::Field);
static UPDATE: Node =
    Node::with(Slot::Meta, &[("doc", Node::of(Slot::Field).bare()), ("upsert", Node::of(Slot::Field).bare())]);

/// Actions of a request at most: an answer has an item for each.
const MOST: usize = 1 << 16;

/// Reads one request.
#[derive(Debug)]
pub(crate) struct Bulk {
    lines: Lines,
    /// The line that says what to do, while the one that it is done with is not there.
    action: Option<(Action, Vec<u8>)>,
    items: Vec<Item>,
    most: usize,
}

impl Bulk {
    pub(crate) fn new(cap: usize) -> Self {
        Self { lines: Lines::new(cap), action: None, items: Vec::new(), most: MOST }
    }

    pub(crate) fn held(&self) -> usize {
        let action = self.action.as_ref().map_or(0, |(_, line)| line.len());
        self.lines.held() + action + self.items.len() * size_of::<Item>()
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        leaves: &mut dyn Leaves,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (action, items, most) = (&mut self.action, &mut self.items, self.most);
        self.lines.push(bytes, end, out, &mut |line, out| {
            if items.len() >= most {
                return Err(Refusal::new(Cause::TooLarge, "the bulk request asks for more than 65,536 actions"));
            }
            let Some((what, first)) = action.take() else {
                let line = line.ok_or(Refusal::new(Cause::TooLarge, "a line that says what to do is too long"))?;
                if line.text.trim_ascii().is_empty() {
                    out.extend_from_slice(line.text);
                    out.extend_from_slice(line.end);
                    return Ok(());
                }
                ended(line)?;
                let mut whole = line.text.to_vec();
                whole.extend_from_slice(line.end);
                match action_of(line.text)? {
                    Action::Delete => {
                        let went = one(leaves, desk, Action::Delete, &whole, whole.len(), out)?;
                        items.push(Item { action: Action::Delete, went });
                    }
                    what => *action = Some((what, whole)),
                }
                return Ok(());
            };
            let went = match line {
                // What it is done with is too long, so nothing is done.
                None => {
                    desk.counts.bad(Cause::TooLarge);
                    false
                }
                Some(line) => {
                    ended(line)?;
                    let mut whole = first;
                    let begin = whole.len();
                    whole.extend_from_slice(line.text);
                    let before = out.len();
                    match one(leaves, desk, what, &whole, begin, out) {
                        Ok(true) => {
                            out.extend_from_slice(line.end);
                            true
                        }
                        Ok(false) => false,
                        Err(refusal) => {
                            out.truncate(before);
                            desk.counts.bad(refusal.cause);
                            false
                        }
                    }
                }
            };
            items.push(Item { action: what, went });
            Ok(())
        })?;
        if end && self.action.is_some() {
            return Err(Refusal::new(Cause::Truncated, "the bulk request ends where a document must come"));
        }
        Ok(())
    }
}

/// Elasticsearch takes no request whose last line has no end: it may be cut off.
fn ended(line: Line<'_>) -> Result<(), Refusal> {
    if line.end.is_empty() {
        return Err(Refusal::new(Cause::Truncated, "the last line of the bulk request has no end"));
    }
    Ok(())
}

fn action_of(text: &[u8]) -> Result<Action, Refusal> {
    let mut document = Document::at(text, 0..text.len());
    if !document.cursor.take(b'{') {
        return Err(NO_ACTION);
    }
    let key = document.text().map_err(|_| NO_ACTION)?;
    document.cursor.expect(b':')?;
    if document.cursor.peek() != Some(b'{') {
        return Err(NO_ACTION);
    }
    document.cursor.value(1)?;
    // A second action on a line would be done, or not, as the server likes.
    if !document.cursor.take(b'}') {
        return Err(NO_ACTION);
    }
    document.cursor.end()?;
    Action::ALL.into_iter().find(|action| action.name().as_bytes() == &*key).ok_or(NO_ACTION)
}

/// An action, whose line has its end, with its document, which stands at `begin`; `false` where it is left out.
fn one(
    leaves: &mut dyn Leaves,
    desk: &mut Desk,
    action: Action,
    text: &[u8],
    begin: usize,
    out: &mut Vec<u8>,
) -> Result<bool, Refusal> {
    let node = if action == Action::Update { &UPDATE } else { &SOURCE };
    let mut walk = Walk::new(leaves, desk);
    let looks = walk.looks_in(text);
    let verdict = walk.unit_looked_at(
        Unit::Record,
        looks,
        |walk| {
            let mut document = Document::at(text, 0..begin);
            document.value(walk, &ACTION, b"", 0)?;
            document.cursor.end()?;
            if action != Action::Delete {
                let mut document = Document::at(text, begin..text.len());
                if document.cursor.peek() != Some(b'{') {
                    return Err(Fault::Kind.into());
                }
                if document.value(walk, node, b"", 0)? == Fate::Goes {
                    walk.condemn();
                }
                document.cursor.end()?;
            }
            Ok(())
        },
        |_| Ok(()),
    )?;
    match verdict {
        Verdict::Drop => Ok(false),
        Verdict::Keep => {
            desk.splice.apply(text, out)?;
            Ok(true)
        }
        Verdict::Tag(tags) if action != Action::Delete => {
            let mut changed = Vec::with_capacity(text.len());
            desk.splice.apply(text, &mut changed)?;
            // JSON has no line ends within strings, and an action none between tokens: it came on one line.
            let begin = changed.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let (head, source) = changed.split_at_checked(begin).unwrap_or_default();
            // An update by a script takes no document.
            let to = if action == Action::Update { To::MemberIfThere("doc") } else { To::Root };
            out.extend_from_slice(head);
            out.extend_from_slice(&tag(source, to, &tags)?);
            Ok(true)
        }
        Verdict::Tag(_) => {
            desk.splice.apply(text, out)?;
            Ok(true)
        }
    }
}
