//! Messages made up for cases, as fields that [`super::fields`] writes: each list that names something has two names of
//! `acme`, and what a broker says one of `rival` between them.
//!
//! What a name becomes is said here by its mark, once for the side of the client and once for that of the broker.

use serde_json::{Map, Value, json};

use super::moves::within;
use super::read::{Api, Field, Message, Table, Type};
use super::writer::Side;

/// From whose side a message is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Client,
    Broker,
}

/// Whose the element of a list is, or what stands outside of lists: that is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    First,
    Second,
    Rival,
}

/// The port that broker 0 has for clients.
pub const PORT: u16 = 9100;
/// The ids of topics.
pub const IDS: [(Who, u8); 3] = [(Who::First, 5), (Who::Second, 8), (Who::Rival, 6)];
/// A broker that clients do not see.
const HIDDEN: i64 = 12;
const TOPICS: [&str; 11] =
    ["orders", "carts", "prices", "stock", "refunds", "parcels", "audits", "ratings", "clicks", "invoices", "returns"];
const GROUPS: [&str; 7] = ["billing", "readers", "mailer", "search", "ledger", "alerts", "export"];
const TRANSACTIONS: [&str; 5] = ["pay", "book", "ship", "move", "close"];

/// What things are called in the case of one API and version.
#[derive(Clone, Debug)]
pub struct Names {
    version: u8,
    seed: usize,
    /// Whether the second topic is the one that everybody reads.
    shared: bool,
    /// What coordinators are looked for: of groups (0) or of transactions (1).
    key_type: u8,
}

impl Names {
    pub fn of(api: &Api, version: u8) -> Self {
        let seed = usize::from(api.key.unsigned_abs()) + usize::from(version);
        let shared = matches!(api.key, 1 | 2 | 8 | 9 | 23 | 28 | 47 | 61 | 68 | 69 | 75..=79 | 89..=92);
        Self { version, seed, shared, key_type: if api.key == 10 && version > 0 { version % 2 } else { 0 } }
    }

    /// What a topic, group or transaction is called on a side.
    pub fn name(&self, mark: &str, who: Who, view: View) -> String {
        let topic = matches!(mark, "topic" | "resource") && !(mark == "resource" && who == Who::Second);
        let words = match mark {
            _ if topic => &TOPICS[..],
            "transaction" => &TRANSACTIONS,
            "key" if self.key_type == 1 => &TRANSACTIONS,
            "client-id" => &["worker"],
            _ => &GROUPS,
        };
        let word = |n: usize| format!("{}-{}", words[(self.seed + n) % words.len()], self.version);
        let second = usize::from(who == Who::Second);
        match (who, view) {
            (Who::Second, _) if topic && self.shared => "shared".to_owned(),
            (Who::Rival, _) => format!("rival.{}", word(0)),
            (_, View::Client) => word(second),
            (_, View::Broker) => format!("acme.{}", word(second)),
        }
    }

    /// A pattern of topics, as the tenant writes it and as it is bound to its prefix.
    pub fn pattern(&self, view: View) -> String {
        let pattern = format!("{}.*", &TOPICS[self.seed % TOPICS.len()][..3]);
        if view == View::Client { pattern } else { format!("\\Qacme.\\E(?:{pattern})") }
    }
}

/// What a broker calls itself.
pub fn host(node: i64) -> String {
    format!("broker-{node}.internal")
}

/// What a broker says in words: names of others.
pub const WORDS: &str = "so says rival.orders";
/// And where it saw a client.
pub const SEEN_AT: &str = "/10.0.0.7";

/// Composes one side of one message, seen from one side.
#[derive(Clone)]
pub struct Composer<'t> {
    table: &'t Table,
    api: &'t Api,
    message: &'t Message,
    version: u8,
    side: Side,
    view: View,
    names: &'t Names,
}

impl<'t> Composer<'t> {
    pub fn new(table: &'t Table, api: &'t Api, version: u8, names: &'t Names, side: Side, view: View) -> Self {
        let message = if side == Side::Request { &api.request } else { &api.response };
        Self { table, api, message, version, side, view, names }
    }

    pub fn fields(&self) -> Value {
        Value::Object(self.structure(&self.message.fields, Who::First))
    }

    fn structure(&self, fields: &'t [Field], who: Who) -> Map<String, Value> {
        let here: Vec<&Field> = fields.iter().filter(|field| within(field.versions, self.version)).collect();
        here.iter().filter_map(|field| Some((field.name.clone(), self.field(field, &here, who)?))).collect()
    }

    fn field(&self, field: &'t Field, here: &[&Field], who: Who) -> Option<Value> {
        // A tagged field is not sent where it says nothing.
        let silent = field.tag.is_some() && mark(field) == "error";
        let by_hand = field.name == "Assignments" && matches!(self.api.key, 19 | 37);
        if silent || by_hand || matches!(field.name.as_str(), "Cursor" | "NextCursor") {
            return None;
        }
        match (field.list, below(self.message, field)) {
            (true, below) => {
                let whose = self.whose(field, below, who);
                let element = |who: &Who| match below {
                    Some(fields) => Value::Object(self.structure(fields, *who)),
                    None => self.value(field, &[], *who).unwrap(),
                };
                Some(whose.iter().map(element).collect())
            }
            (false, Some(fields)) => Some(Value::Object(self.structure(fields, who))),
            (false, None) => self.value(field, here, who),
        }
    }

    /// Whose the elements of a list are.
    fn whose(&self, field: &Field, below: Option<&'t [Field]>, who: Who) -> Vec<Who> {
        let mut marks = vec![mark(field).to_owned()];
        below.into_iter().for_each(|fields| self.marks(fields, &mut marks));
        let has = |wanted: &[&str]| marks.iter().any(|mark| wanted.contains(&mark.as_str()));
        let names = has(&["topic", "topic-id", "group", "transaction", "key", "resource", "host"]);
        if !names {
            return if has(&["client-id"]) { vec![Who::First, Who::Second] } else { vec![who] };
        }
        match (self.side, self.view) {
            // Of resources without a type nobody knows whose they are.
            (Side::Response, View::Client) if self.api.key == 74 && self.version == 0 => Vec::new(),
            (Side::Response, View::Broker) => vec![Who::First, Who::Rival, Who::Second],
            _ => vec![Who::First, Who::Second],
        }
    }

    /// The marks of an element, outside of its lists.
    fn marks(&self, fields: &'t [Field], found: &mut Vec<String>) {
        for field in fields.iter().filter(|field| within(field.versions, self.version) && !field.list) {
            found.push(mark(field).to_owned());
            below(self.message, field).into_iter().for_each(|fields| self.marks(fields, found));
        }
    }

    fn value(&self, field: &Field, here: &[&Field], who: Who) -> Option<Value> {
        let Type::Plain(plain) = field.kind else { panic!("a struct") };
        Some(match plain {
            "bool" => (mark(field) != "auto-create" || self.view == View::Client).into(),
            "uuid" => self.id(field, here, who),
            "string" | "bytes" | "records" => return self.text(field, here, who),
            _ => self.number(field, here, who).into(),
        })
    }

    /// Where a request may name a topic either way, the first is named, and of the second the id is given.
    fn either_way(&self, here: &[&Field]) -> bool {
        let has = |wanted: &str| here.iter().any(|field| mark(field) == wanted);
        self.side == Side::Request && has("topic") && has("topic-id")
    }

    fn id(&self, field: &Field, here: &[&Field], who: Who) -> Value {
        match mark(field) {
            "topic-id" if self.either_way(here) && who == Who::First => 0.into(),
            "topic-id" => IDS.iter().find(|(whose, _)| *whose == who).unwrap().1.into(),
            _ => 9.into(),
        }
    }

    fn number(&self, field: &Field, here: &[&Field], who: Who) -> i64 {
        let broker = here.iter().any(|other| other.mark.as_ref().is_some_and(|(_, of)| of.contains(&field.name)));
        match (mark(field), field.name.as_str()) {
            ("error" | "session", _) => 0,
            ("port", _) if self.view == View::Client => i64::from(PORT) + node(who),
            ("port", _) => 9092,
            ("replica" | "session-epoch" | "acks", _) => -1,
            ("key-type", _) => self.names.key_type.into(),
            ("partition-count", _) => 3,
            ("replication", _) => 1,
            ("partition", _) => who as i64,
            (_, "ResourceType" | "ResourceTypeFilter" | "ResourceTypes") => {
                if who == Who::Second {
                    32
                } else {
                    2
                }
            }
            _ if broker && field.name.ends_with("Id") => node(who),
            (_, name) => i64::try_from(name.len()).unwrap() + i64::from(self.version),
        }
    }

    fn text(&self, field: &Field, here: &[&Field], who: Who) -> Option<Value> {
        Some(match mark(field) {
            "topic" if self.either_way(here) && who == Who::Second => return None,
            "transaction-regex" => return None,
            mark @ ("topic" | "group" | "transaction" | "key" | "resource") => {
                self.names.name(mark, who, self.view).into()
            }
            "client-id" => match (who, self.view) {
                (Who::Second, View::Client) => "".into(),
                (Who::Second, View::Broker) => self.names.name("client-id", Who::Rival, self.view).into(),
                _ => self.names.name("client-id", who, self.view).into(),
            },
            "topic-regex" => self.names.pattern(self.view).into(),
            "message" | "client-host" if self.view == View::Client => return None,
            "message" => WORDS.into(),
            "client-host" => SEEN_AT.into(),
            "host" if self.view == View::Client => "proxy".into(),
            "host" => host(node(who)).into(),
            mark @ ("subscription" | "assignment") => self.embedded(mark),
            "principal" => "User:alice".into(),
            "acl-host" => "*".into(),
            "config-name" => "retention.ms".into(),
            _ if field.name == "ProtocolType" => "consumer".into(),
            _ => format!("{}-{}", field.name.to_lowercase(), self.version).into(),
        })
    }

    fn embedded(&self, name: &str) -> Value {
        let embedded = self.table.embedded.iter().find(|embedded| embedded.name == name).unwrap();
        let version = self.version % (embedded.versions.1 + 1);
        let inside = Self { message: &embedded.message, version, ..self.clone() };
        let mut fields = inside.structure(&embedded.message.fields, Who::First);
        fields.insert("version".to_owned(), version.into());
        fields.into()
    }
}

fn node(who: Who) -> i64 {
    match who {
        Who::First => 1,
        Who::Second => 2,
        Who::Rival => HIDDEN,
    }
}

fn mark(field: &Field) -> &str {
    field.mark.as_ref().map_or("", |(mark, _)| mark)
}

fn below<'t>(message: &'t Message, field: &'t Field) -> Option<&'t [Field]> {
    match &field.kind {
        Type::Plain(_) => None,
        Type::Below => Some(&field.below),
        Type::Named(name) => message.structs.iter().find(|(known, _)| known == name).map(|(_, fields)| &fields[..]),
    }
}

/// What a request that is denied is answered with: the error of the whole, or of each thing that it names.
pub fn denial(api: &Api, version: u8, request: &Value, code: i16) -> Value {
    let whole = api.response.fields.iter().find(|field| within(field.versions, version) && mark(field) == "error");
    match whole {
        Some(field) => json!({ field.name.as_str(): code }),
        None => mirrored(&api.response, &api.response.fields, version, request, code),
    }
}

fn mirrored(message: &Message, fields: &[Field], version: u8, asked: &Value, code: i16) -> Value {
    let mut answer = Map::new();
    for field in fields.iter().filter(|field| within(field.versions, version)) {
        if field.answered {
            answer.insert(field.name.clone(), code.into());
        }
        let same = field.same.as_ref().and_then(|same| if same == "item" { Some(asked) } else { asked.get(same) });
        answer.extend(same.map(|same| (field.name.clone(), same.clone())));
        if !field.each.is_empty() {
            let fields = below(message, field).unwrap();
            let lists = field.each.iter().filter_map(|list| asked.get(list)?.as_array());
            let each = lists.flatten().map(|item| mirrored(message, fields, version, item, code));
            answer.insert(field.name.clone(), each.collect());
        }
    }
    answer.into()
}
