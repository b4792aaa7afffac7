//! What `kafka-protocol` makes of the two sides of a message: it decodes both, the names in what it decoded are those
//! that they must be, and the bytes are those that it encodes. No line of this knows a table.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, RequestKind, ResponseKind};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::compose::{IDS, Names, PORT, SEEN_AT, View, WORDS, Who};
use super::known::{Known, encoded, oracle};
use super::read::Api;
use super::tree::Tree;
use super::writer::Side;

/// Fields of the oracle that are always names.
const NAMES: [&str; 4] = ["topic", "topic_name", "group_id", "transactional_id"];
const MARKS: [&str; 5] = ["topic", "group", "transaction", "key", "resource"];

/// What becomes of what was decided, and of what it names.
pub struct Meant {
    /// The broker's names of the tenant's.
    inward: BTreeMap<String, String>,
    outward: BTreeMap<String, String>,
    /// What leaves a response, and whatever lists it.
    theirs: BTreeSet<String>,
}

impl Meant {
    /// Nothing is called otherwise.
    pub fn nobody() -> Self {
        Self { inward: BTreeMap::new(), outward: BTreeMap::new(), theirs: BTreeSet::new() }
    }

    pub fn of(names: &Names) -> Self {
        let mut meant = Self::nobody();
        for mark in MARKS.into_iter().chain(["client-id"]) {
            for who in [Who::First, Who::Second] {
                let [mine, theirs] = [View::Client, View::Broker].map(|view| quoted(&names.name(mark, who, view)));
                meant.inward.insert(mine, theirs);
            }
        }
        let [mine, bound] = [View::Client, View::Broker].map(|view| quoted(&names.pattern(view)));
        meant.inward.extend([(quoted("app"), quoted("acme.app")), (mine, bound)]);
        meant.outward.extend(meant.inward.iter().map(|(mine, theirs)| (theirs.clone(), mine.clone())));
        let nameless = [quoted(&names.name("client-id", Who::Rival, View::Broker)), quoted(SEEN_AT)];
        meant.outward.extend(nameless.map(|name| (name, quoted(""))));
        meant.theirs.extend(MARKS.map(|mark| quoted(&names.name(mark, Who::Rival, View::Broker))));
        let (_, id) = IDS.into_iter().find(|(who, _)| *who == Who::Rival).unwrap();
        let bytes = |n: usize| format!("{id:02x}").repeat(n);
        meant.theirs.insert([4, 2, 2, 2, 6].map(bytes).join("-"));
        meant
    }

    /// As [`Meant::of`], where nobody knows whose anything is.
    pub fn all_theirs(names: &Names) -> Self {
        let mut meant = Self::of(names);
        meant.theirs.extend(meant.outward.keys().cloned());
        meant
    }

    /// Holds what the oracle's own names of fields say is a topic, group or transaction to be one that is mapped, so
    /// that a mark which the table lacks does not pass for other text.
    fn holds_names(&self, tree: &Tree, name: &str) {
        match tree {
            Tree::Leaf(_) => {}
            Tree::List(items) => items.iter().for_each(|item| self.holds_names(item, name)),
            Tree::Struct(_, fields) => {
                for (field, value) in fields {
                    let leaf = match value {
                        Tree::Struct(some, inner) if some == "Some" => &inner[0].1,
                        value => value,
                    };
                    if let (Some(text), true) = (leaf.text(), NAMES.contains(&field.as_str())) {
                        let known = |text: &str| self.inward.contains_key(text) || self.outward.contains_key(text);
                        let known = known(&quoted(text)) || self.theirs.contains(&quoted(text));
                        assert!(known || text.is_empty(), "{name}: `{field}` is {text}: has the table no mark there?");
                    }
                    self.holds_names(value, name);
                }
            }
        }
    }

    fn inward(&self, tree: Tree) -> Tree {
        match tree {
            Tree::Struct(name, fields) => {
                let off = |(field, value)| match field {
                    field if field == "allow_auto_topic_creation" => (field, Tree::Leaf("false".to_owned())),
                    field => (field, self.inward(value)),
                };
                Tree::Struct(name, fields.into_iter().map(off).collect())
            }
            Tree::List(items) => Tree::List(items.into_iter().map(|item| self.inward(item)).collect()),
            Tree::Leaf(leaf) => Tree::Leaf(self.inward.get(&leaf).cloned().unwrap_or(leaf)),
        }
    }

    /// `None` where what is around it goes.
    fn outward(&self, tree: Tree) -> Option<Tree> {
        Some(match tree {
            Tree::Leaf(leaf) if self.theirs.contains(&leaf) => return None,
            Tree::Leaf(leaf) => Tree::Leaf(self.outward.get(&leaf).cloned().unwrap_or(leaf)),
            Tree::List(items) => Tree::List(items.into_iter().filter_map(|item| self.outward(item)).collect()),
            Tree::Struct(name, fields) if name == "Some" && fields[0].1 == Tree::Leaf(quoted(WORDS)) => {
                Tree::Leaf("None".to_owned())
            }
            Tree::Struct(name, fields) => {
                let own = |(name, value)| Some((name, self.outward(value)?));
                let mut fields: Vec<(String, Tree)> = fields.into_iter().map(own).collect::<Option<_>>()?;
                place(&mut fields)?;
                Tree::Struct(name, fields)
            }
        })
    }
}

/// Puts a broker where clients find it; `None` where they do not.
fn place(fields: &mut [(String, Tree)]) -> Option<()> {
    let at = |wanted: &str| fields.iter().position(|(name, _)| name == wanted);
    let (Some(node), Some(host), Some(port)) = (at("node_id").or(at("broker_id")), at("host"), at("port")) else {
        return Some(());
    };
    // Of fields that the version does not have.
    if fields[host].1 == Tree::Leaf(quoted("")) {
        return Some(());
    }
    let number = match &fields[node].1 {
        Tree::Struct(_, inner) => &inner[0].1,
        bare => bare,
    };
    let Tree::Leaf(number) = number else { panic!("{number:?}") };
    let number = number.parse::<u16>().unwrap();
    fields[host].1 = Tree::Leaf(quoted("proxy"));
    fields[port].1 = Tree::Leaf((PORT + number).to_string());
    (number < 9).then_some(())
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// The message as a tree, in which the bytes that members tell each other are decoded as well.
fn whole(mut known: Known) -> Tree {
    let mut inside = Vec::new();
    let (mut subscriptions, mut assignments): (Vec<&mut Bytes>, Vec<&mut Bytes>) = (Vec::new(), Vec::new());
    match &mut known {
        Known::Request(_, RequestKind::JoinGroup(join)) => {
            subscriptions.extend(join.protocols.iter_mut().map(|protocol| &mut protocol.metadata));
        }
        Known::Request(_, RequestKind::SyncGroup(sync)) => {
            assignments.extend(sync.assignments.iter_mut().map(|member| &mut member.assignment));
        }
        Known::Response(_, ResponseKind::JoinGroup(join)) => {
            subscriptions.extend(join.members.iter_mut().map(|member| &mut member.metadata));
        }
        Known::Response(_, ResponseKind::SyncGroup(sync)) => assignments.push(&mut sync.assignment),
        Known::Response(_, ResponseKind::DescribeGroups(groups)) => {
            for member in groups.groups.iter_mut().flat_map(|group| &mut group.members) {
                subscriptions.push(&mut member.member_metadata);
                assignments.push(&mut member.member_assignment);
            }
        }
        _ => {}
    }
    subscriptions.into_iter().for_each(|bytes| take::<ConsumerProtocolSubscription>(bytes, &mut inside));
    assignments.into_iter().for_each(|bytes| take::<ConsumerProtocolAssignment>(bytes, &mut inside));
    put_back(known.tree(), &inside)
}

/// Decodes what is embedded, and leaves its number.
fn take<M: Decodable + Encodable + std::fmt::Debug>(bytes: &mut Bytes, inside: &mut Vec<Tree>) {
    let version = i16::from_be_bytes([bytes[0], bytes[1]]);
    let message = M::decode(&mut bytes.slice(2..), version).unwrap();
    let mut again = BytesMut::new();
    message.encode(&mut again, version).unwrap();
    assert_eq!(again[..], bytes[2..], "the oracle encodes what is embedded otherwise");
    *bytes = format!("inside {}", inside.len()).into();
    inside.push(Tree::of(&message));
}

fn put_back(tree: Tree, inside: &[Tree]) -> Tree {
    let again = |tree| put_back(tree, inside);
    match tree {
        Tree::Leaf(leaf) => match leaf.strip_prefix("b\"inside ") {
            Some(number) => inside[number.trim_end_matches('"').parse::<usize>().unwrap()].clone(),
            None => Tree::Leaf(leaf),
        },
        Tree::List(items) => Tree::List(items.into_iter().map(again).collect()),
        Tree::Struct(name, fields) => {
            Tree::Struct(name, fields.into_iter().map(|(name, value)| (name, again(value))).collect())
        }
    }
}

/// Both sides of a message with their lengths, as the oracle encodes them, once what it decoded is meant; `None` where
/// it does not know the version.
pub fn judged(
    (api, version, side): (&Api, u8, Side),
    meant: Option<&Meant>,
    client: &[u8],
    broker: &[u8],
) -> Option<[Vec<u8>; 2]> {
    let name = format!("{} {version} {side:?}", api.name);
    let known = [known(&name, (api, version, side), client)?, known(&name, (api, version, side), broker)?];
    let bytes = known.each_ref().map(|known| framed(&encoded(api, version, known)));
    let [mine, theirs] = known.map(whole);
    if let Some(meant) = meant {
        meant.holds_names(&mine, &name);
        meant.holds_names(&theirs, &name);
    }
    match (meant, side) {
        (None, _) => {}
        (Some(meant), Side::Request) => assert_eq!(meant.inward(mine), theirs, "{name}: what the broker is to get"),
        (Some(meant), Side::Response) => {
            assert_eq!(meant.outward(theirs), Some(mine), "{name}: what the client is to get");
        }
    }
    Some(bytes)
}

/// Holds an answer to have this error, and no other one, as the oracle reads it.
pub fn denies(api: &Api, version: u8, answer: &[u8], code: i16) {
    let Some(known) = known(&api.name, (api, version, Side::Response), answer) else { return };
    let mut codes = BTreeSet::new();
    errors(&known.tree(), &mut codes);
    // Fields that the version does not have are 0 to the oracle.
    codes.remove("0");
    // Two have no place for it.
    let none = api.key == 34 || (api.key == 35 && version < 3);
    let wanted = BTreeSet::from_iter((!none).then(|| code.to_string()));
    assert_eq!(codes, wanted, "{} {version}: the errors of an answer", api.name);
}

fn errors(tree: &Tree, found: &mut BTreeSet<String>) {
    match tree {
        Tree::Leaf(_) => {}
        Tree::List(items) => items.iter().for_each(|item| errors(item, found)),
        Tree::Struct(_, fields) => {
            for (name, value) in fields {
                match value {
                    Tree::Leaf(code) if name.ends_with("error_code") => drop(found.insert(code.clone())),
                    value => errors(value, found),
                }
            }
        }
    }
}

fn known(name: &str, (api, version, side): (&Api, u8, Side), frame: &[u8]) -> Option<Known> {
    match oracle(api, version, side, &frame[4..]) {
        Ok(known) => {
            assert_eq!(framed(&encoded(api, version, &known)), frame, "{name}: the oracle encodes it otherwise");
            Some(known)
        }
        Err(error) if error.starts_with("no such") => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [i32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), frame].concat()
}
