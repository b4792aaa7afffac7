//! Random policies, entities and requests over all of Cedar: mostly well typed, so that they say something, and
//! sometimes not, so that errors are met.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::random::Random;

/// Types of Cedar, as far as the generator tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Long,
    Text,
    Entity,
    Longs,
    Texts,
    Entities,
    Record,
    Decimal,
    Ip,
    Datetime,
    Duration,
}

const TYPES: [Type; 12] = [
    Type::Bool,
    Type::Long,
    Type::Text,
    Type::Entity,
    Type::Longs,
    Type::Texts,
    Type::Entities,
    Type::Record,
    Type::Decimal,
    Type::Ip,
    Type::Datetime,
    Type::Duration,
];

/// An attribute for each type, which some entities lack, and which one has with another type.
fn attribute(of: Type) -> &'static str {
    match of {
        Type::Bool => "flag",
        Type::Long => "level",
        Type::Text => "name",
        Type::Entity => "owner",
        Type::Longs => "levels",
        Type::Texts => "labels",
        Type::Entities => "friends",
        Type::Record => "address",
        Type::Decimal => "price",
        Type::Ip => "network",
        Type::Datetime => "since",
        Type::Duration => "lasts",
    }
}

const USERS: &[&str] = &["User::\"ann\"", "User::\"bob\"", "User::\"nobody\"", "Shop::User::\"ann\""];
const GROUPS: &[&str] = &["Group::\"staff\"", "Group::\"all\"", "Group::\"empty\"", "Group::\"missing\""];
const THINGS: &[&str] = &["Thing::\"1\"", "Thing::\"2\"", "Box::\"1\"", "Thing::\"\\\"q\\\"\""];
const ACTIONS: &[&str] = &["Action::\"read\"", "Action::\"write\"", "Action::\"list\""];
const ACTION_GROUPS: &[&str] = &["Action::\"any\"", "Action::\"look\""];
const NUMBERS: &[&str] = &["0", "1", "2", "-1", "7", "9223372036854775807", "-9223372036854775808"];
const TEXTS: &[&str] = &["\"\"", "\"a\"", "\"ab\"", "\"gold\"", "\"a*b\"", "\"é\"", "\"10.0.0.1\"", "\"1.5\""];
const PATTERNS: &[&str] =
    &["\"*\"", "\"a*\"", "\"*b\"", "\"a*b\"", "\"\"", "\"a\\*b\"", "\"*l*\"", "\"é*\"", "\"**\"", "\"*a*b*\""];
const DECIMALS: &[&str] = &["0.0", "1.5", "-0.5", "1.50", "922337203685477.5807", "1.23456", "x"];
const IPS: &[&str] =
    &["10.0.0.1", "10.0.0.0/8", "127.0.0.1", "::1", "ff02::1", "0.0.0.0/0", "::/0", "224.0.0.1/4", "10.0.0.1/33", "1"];
const DATETIMES: &[&str] = &[
    "2024-10-15",
    "1970-01-01T00:00:00Z",
    "2024-10-15T11:35:00.123+0130",
    "1969-12-31T23:59:59.999Z",
    "2024-02-30",
    "2023-02-29T00:00:00Z",
    "2024-10-15T11:35:00",
];
const DURATIONS: &[&str] = &["1d", "-1d2h3m4s5ms", "0ms", "5ms", "106751991168d", "1h1d", "-9223372036854775808ms"];

/// One set of policies with the place of its templates' links.
pub(crate) struct Policies {
    /// Each by itself.
    pub(crate) texts: Vec<String>,
    /// For each template its id and which slots it has.
    pub(crate) templates: Vec<(String, bool, bool)>,
}

/// A set of `count` policies.
pub(crate) fn policies(random: &mut Random, count: usize) -> Policies {
    let mut all = Policies { texts: Vec::new(), templates: Vec::new() };
    for at in 0..count {
        let effect = if random.chance(30) { "forbid" } else { "permit" };
        let (principal, one) = scope(random, "principal", "User", [USERS, GROUPS].concat().as_slice());
        let (resource, two) = scope(random, "resource", "Thing", THINGS);
        let action = match random.below(6) {
            0 | 1 => "action".to_owned(),
            2 => format!("action == {}", random.of(ACTIONS)),
            3 => format!("action in {}", random.of(&[ACTIONS, ACTION_GROUPS].concat())),
            _ => format!("action in [{}, {}]", random.of(ACTIONS), random.of(ACTION_GROUPS)),
        };
        let mut conditions = String::new();
        for _ in 0..random.below(3) {
            let word = if random.chance(75) { "when" } else { "unless" };
            let depth = 1 + random.below(4);
            let condition = expression(random, Type::Bool, depth);
            let _ = write!(conditions, "\n{word} {{ {condition} }}");
        }
        all.texts.push(format!(
            "@id(\"p{at}\")\n@note(\"n{at}\")\n{effect} ({principal}, {action}, {resource}){conditions};\n"
        ));
        if one || two {
            all.templates.push((format!("p{at}"), one, two));
        }
    }
    all
}

fn scope(random: &mut Random, variable: &str, kind: &str, entities: &[&str]) -> (String, bool) {
    match random.below(12) {
        0..4 => (variable.to_owned(), false),
        4 => (format!("{variable} == {}", random.of(entities)), false),
        5 | 6 => (format!("{variable} in {}", random.of(&[entities, GROUPS].concat())), false),
        7 => (format!("{variable} is {kind}"), false),
        8 => (format!("{variable} is {kind} in {}", random.of(&[entities, GROUPS].concat())), false),
        9 => (format!("{variable} is Shop::{kind}"), false),
        10 => (format!("{variable} == ?{variable}"), true),
        _ => (format!("{variable} in ?{variable}"), true),
    }
}

/// An entity for a slot.
pub(crate) fn link(random: &mut Random) -> String {
    random.of(&[USERS, GROUPS, THINGS].concat()).to_owned()
}

fn expression(random: &mut Random, of: Type, depth: usize) -> String {
    // Now and then a value of any type, where it is an error if it is reached.
    let of = if random.chance(2) { TYPES[random.below(TYPES.len())] } else { of };
    if depth == 0 {
        return leaf(random, of);
    }
    let depth = depth - 1;
    match of {
        Type::Bool => truth(random, depth),
        _ if random.chance(15) => {
            let (test, yes, no) =
                (expression(random, Type::Bool, depth), expression(random, of, depth), expression(random, of, depth));
            format!("(if {test} then {yes} else {no})")
        }
        Type::Long => {
            let (a, b) = (expression(random, Type::Long, depth), expression(random, Type::Long, depth));
            match random.below(6) {
                0 => format!("({a} + {b})"),
                1 => format!("({a} - {b})"),
                2 => format!("({a} * {b})"),
                3 => format!("(-({a}))"),
                4 => {
                    let duration = expression(random, Type::Duration, depth);
                    let unit = random.of(&["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"]);
                    format!("{duration}.{unit}()")
                }
                _ => leaf(random, of),
            }
        }
        Type::Longs => {
            format!("[{}, {}]", expression(random, Type::Long, depth), expression(random, Type::Long, depth))
        }
        Type::Texts => {
            format!("[{}, {}]", expression(random, Type::Text, depth), expression(random, Type::Text, depth))
        }
        Type::Entities => {
            format!("[{}, {}]", expression(random, Type::Entity, depth), expression(random, Type::Entity, depth))
        }
        Type::Record => {
            let (a, b) = (expression(random, Type::Text, depth), expression(random, Type::Long, depth));
            format!("{{\"city\": {a}, zip: {b}}}")
        }
        Type::Text if random.chance(40) => format!("({}).city", expression(random, Type::Record, depth)),
        Type::Text if random.chance(30) => {
            format!("{}.getTag({})", expression(random, Type::Entity, depth), expression(random, Type::Text, depth))
        }
        Type::Datetime if random.chance(50) => {
            let (at, by) = (expression(random, Type::Datetime, depth), expression(random, Type::Duration, depth));
            if random.chance(50) { format!("{at}.offset({by})") } else { format!("{at}.toDate()") }
        }
        Type::Duration if random.chance(50) => {
            let (a, b) = (expression(random, Type::Datetime, depth), expression(random, Type::Datetime, depth));
            if random.chance(50) { format!("{a}.durationSince({b})") } else { format!("{a}.toTime()") }
        }
        Type::Ip if random.chance(20) => format!("ip({})", expression(random, Type::Text, depth)),
        Type::Decimal if random.chance(20) => format!("decimal({})", expression(random, Type::Text, depth)),
        of => leaf(random, of),
    }
}

fn truth(random: &mut Random, depth: usize) -> String {
    let any = |random: &mut Random| TYPES[random.below(TYPES.len())];
    match random.below(24) {
        0 | 1 => format!("({} && {})", expression(random, Type::Bool, depth), expression(random, Type::Bool, depth)),
        2 | 3 => format!("({} || {})", expression(random, Type::Bool, depth), expression(random, Type::Bool, depth)),
        4 => format!("(!{})", expression(random, Type::Bool, depth)),
        5 | 6 => {
            let of = any(random);
            let operator = random.of(&["==", "!="]);
            format!("({} {operator} {})", expression(random, of, depth), expression(random, of, depth))
        }
        7 | 8 => {
            let operator = random.of(&["<", "<=", ">", ">="]);
            let of = [Type::Long, Type::Long, Type::Datetime, Type::Duration][random.below(4)];
            format!("({} {operator} {})", expression(random, of, depth), expression(random, of, depth))
        }
        9 => format!("({} in {})", expression(random, Type::Entity, depth), expression(random, Type::Entity, depth)),
        10 => format!("({} in {})", expression(random, Type::Entity, depth), expression(random, Type::Entities, depth)),
        11 | 12 => {
            let (sets, one) =
                [(Type::Longs, Type::Long), (Type::Texts, Type::Text), (Type::Entities, Type::Entity)][random.below(3)];
            match random.below(4) {
                0 => format!("{}.contains({})", expression(random, sets, depth), expression(random, one, depth)),
                1 => format!("{}.containsAll({})", expression(random, sets, depth), expression(random, sets, depth)),
                2 => format!("{}.containsAny({})", expression(random, sets, depth), expression(random, sets, depth)),
                _ => format!("{}.isEmpty()", expression(random, sets, depth)),
            }
        }
        13 => format!("({} like {})", expression(random, Type::Text, depth), random.of(PATTERNS)),
        14 => format!(
            "({} is {})",
            expression(random, Type::Entity, depth),
            random.of(&["User", "Group", "Thing", "Shop::User"])
        ),
        15 => format!(
            "({} is User in {})",
            expression(random, Type::Entity, depth),
            expression(random, Type::Entity, depth)
        ),
        16 | 17 => {
            let name = attribute(any(random));
            let of = if random.chance(80) { Type::Entity } else { Type::Record };
            format!("({} has {name})", expression(random, of, depth))
        }
        18 => format!("({} has address.city)", expression(random, Type::Entity, depth)),
        19 => format!("{}.hasTag({})", expression(random, Type::Entity, depth), expression(random, Type::Text, depth)),
        20 => {
            let ip = expression(random, Type::Ip, depth);
            match random.below(5) {
                // Now and then one too many, which is an error.
                0 if random.chance(10) => {
                    format!("{ip}.isInRange({}, {})", leaf(random, Type::Ip), expression(random, Type::Ip, depth))
                }
                0 => format!("{ip}.isInRange({})", expression(random, Type::Ip, depth)),
                n => format!("{ip}.{}()", ["", "isIpv4", "isIpv6", "isLoopback", "isMulticast"][n]),
            }
        }
        21 => {
            let operator = random.of(&["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]);
            format!(
                "{}.{operator}({})",
                expression(random, Type::Decimal, depth),
                expression(random, Type::Decimal, depth)
            )
        }
        22 => {
            let (test, yes, no) = (
                expression(random, Type::Bool, depth),
                expression(random, Type::Bool, depth),
                expression(random, Type::Bool, depth),
            );
            format!("(if {test} then {yes} else {no})")
        }
        _ => leaf(random, Type::Bool),
    }
}

fn leaf(random: &mut Random, of: Type) -> String {
    if random.chance(55) {
        let from =
            random.of(&["principal", "resource", "context", "principal", "resource", "context", "principal.owner"]);
        return format!("{from}.{}", attribute(of));
    }
    match of {
        Type::Bool => random.of(&["true", "false"]).to_owned(),
        Type::Long => format!("({})", random.of(NUMBERS)),
        Type::Text => random.of(TEXTS).to_owned(),
        Type::Entity => random
            .of(&[USERS, GROUPS, THINGS, ACTIONS, &["principal", "resource", "action", "principal"]].concat())
            .to_owned(),
        Type::Longs => random.of(&["[1, 2]", "[]", "[2, 1, 1]", "[7]", "[1]"]).to_owned(),
        Type::Texts => random.of(&["[\"a\", \"gold\"]", "[\"\"]", "[\"b\"]"]).to_owned(),
        Type::Entities => random
            .of(&["[User::\"ann\", Group::\"all\"]", "[Thing::\"1\"]", "[Group::\"staff\", principal]", "[1]"])
            .to_owned(),
        Type::Record => random.of(&["{city: \"a\", zip: 1}", "{}", "{zip: 1, city: \"gold\"}", "context"]).to_owned(),
        Type::Decimal => format!("decimal(\"{}\")", random.of(DECIMALS)),
        Type::Ip => format!("ip(\"{}\")", random.of(IPS)),
        Type::Datetime => format!("datetime(\"{}\")", random.of(DATETIMES)),
        Type::Duration => format!("duration(\"{}\")", random.of(DURATIONS)),
    }
}

/// Entities in Cedar's JSON: some have every attribute, some few, one has them with wrong types.
pub(crate) fn entities(random: &mut Random) -> Value {
    let parents = |list: &[&str]| -> Value { list.iter().map(|uid| reference(uid)).collect() };
    let mut all = vec![
        json!({ "uid": reference("Group::\"staff\""), "attrs": {}, "parents": parents(&["Group::\"all\""]) }),
        json!({ "uid": reference("Group::\"all\""), "attrs": {}, "parents": [] }),
        json!({ "uid": reference("Group::\"empty\""), "attrs": {}, "parents": [] }),
        json!({ "uid": reference("Action::\"any\""), "attrs": {}, "parents": [] }),
        json!({ "uid": reference("Action::\"look\""), "attrs": {}, "parents": parents(&["Action::\"any\""]) }),
        json!({ "uid": reference("Action::\"read\""), "attrs": {}, "parents": parents(&["Action::\"look\""]) }),
        json!({ "uid": reference("Action::\"write\""), "attrs": {}, "parents": parents(&["Action::\"any\""]) }),
    ];
    for uid in ["User::\"ann\"", "User::\"bob\"", "Shop::User::\"ann\"", "Thing::\"1\"", "Thing::\"2\"", "Box::\"1\""] {
        if random.chance(10) {
            continue;
        }
        let groups: Vec<&str> = GROUPS.iter().copied().filter(|_| random.chance(30)).collect();
        let tags = if random.chance(60) { json!({ "a": "gold", "gold": "a" }) } else { json!({}) };
        all.push(
            json!({ "uid": reference(uid), "attrs": attributes(random), "parents": parents(&groups), "tags": tags }),
        );
    }
    Value::Array(all)
}

/// The attributes of an entity or of a context.
pub(crate) fn attributes(random: &mut Random) -> Value {
    let most = if random.chance(70) { 90 } else { 30 };
    let mut named = serde_json::Map::new();
    for of in TYPES {
        if random.chance(most) {
            let with = if random.chance(4) { TYPES[random.below(TYPES.len())] } else { of };
            named.insert(attribute(of).to_owned(), value(random, with));
        }
    }
    Value::Object(named)
}

fn value(random: &mut Random, of: Type) -> Value {
    let text = |random: &mut Random| json!(random.of(&["", "a", "ab", "gold", "é", "10.0.0.1"]));
    let call = |name: &str, argument: &str| json!({ "__extn": { "fn": name, "arg": argument } });
    match of {
        Type::Bool => json!(random.chance(50)),
        Type::Long => json!([0, 1, 2, -1, 7, i64::MAX, i64::MIN][random.below(7)]),
        Type::Text => text(random),
        Type::Entity => reference(random.of(&[USERS, GROUPS, &THINGS[..3]].concat())),
        Type::Longs => [json!([1, 2]), json!([]), json!([2, 1]), json!([7, 7]), json!([2])][random.below(5)].clone(),
        Type::Texts => json!([text(random), text(random)]),
        Type::Entities => json!([reference(random.of(USERS)), reference(random.of(GROUPS))]),
        Type::Record => json!({ "city": text(random), "zip": random.below(3) }),
        Type::Decimal => call("decimal", DECIMALS[random.below(5)]),
        Type::Ip => call("ip", IPS[random.below(8)]),
        Type::Datetime => call("datetime", DATETIMES[random.below(4)]),
        Type::Duration => call("duration", DURATIONS[random.below(4)]),
    }
}

/// Principal, action and resource of a request.
pub(crate) fn request(random: &mut Random) -> (String, String, String) {
    let principal = random.of(&[USERS, USERS, GROUPS].concat()).to_owned();
    (principal, random.of(ACTIONS).to_owned(), random.of(THINGS).to_owned())
}

/// Every action that requests have.
pub(crate) fn actions() -> &'static [&'static str] {
    ACTIONS
}

fn reference(uid: &str) -> Value {
    let (kind, id) = uid.rsplit_once("::").expect("an entity has a type");
    let id: String = serde_json::from_str(id).expect("an id is a string");
    json!({ "__entity": { "type": kind, "id": id } })
}
