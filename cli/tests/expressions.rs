//! Conditions one by one, each with what it must give, by the program and by Cedar: what random ones meet too rarely.
#![allow(missing_docs)]

use std::str::FromStr;

use cedar_policy::{Context, Entities, EntityUid, PolicySet, Request};
use partywall_cli::lower::any::{Compiled, oracle};
use serde_json::json;

const TRUE: &[&str] = &[
    // Sets are equal when each holds the other, and may hold each other.
    "[1, 2] == [2, 1, 1]",
    "[1, 2] != [1]",
    "[1] != [1, 2]",
    "context.ones == [1]",
    "[[1], [2, context.n]] == [[2, 7], [1]]",
    "[context.n, 1].contains(7)",
    "[1, 2, 3].containsAll([3, 1])",
    "![1, 2].containsAll([3, 1])",
    "[1, 2].containsAny([3, 1])",
    "![1, 2].containsAny([3])",
    "[].isEmpty() && ![1].isEmpty()",
    "[[context.n, 1], [context.n, 2]].contains([2, 7])",
    // Records.
    "{a: 1, b: 2} != {a: 1} && {a: 1} != {a: 1, b: 2}",
    "{a: context.n, b: {c: 1}} == {b: {c: 1}, a: 7}",
    "{a: context.n}.a == 7",
    "context has deep.er.est && !(context has deep.er.no) && !(context has shallow.er)",
    // Arithmetic and comparisons.
    "1 < 2 && !(2 < 2) && 2 <= 2 && !(3 <= 2) && 2 > 1 && 2 >= 2",
    "5 - 2 == 3 && 5 * 2 == 10 && 5 + 2 == 7 && -(5) == 0 - 5",
    "if context.n == 7 then true else false",
    // Texts.
    "\"abca\" like \"*a*b*\" && \"aXbYc\" like \"a*b*c\" && !(\"ab\" like \"*b*a*\")",
    "\"aa\" like \"a*a\" && !(\"a\" like \"a*a\") && \"abb\" like \"a*b\" && \"a*b\" like \"a\\*b\" && !(\"axb\" like \"a\\*b\")",
    "\"xbb\" like \"*bb\" && \"xbbb\" like \"*bb\" && !(\"xb\" like \"*bb\") && !(\"ab\" like \"ab*b*\")",
    // Entities.
    "principal in principal && principal in Group::\"all\" && !(Group::\"all\" in principal)",
    "principal in [Group::\"none\", Group::\"all\"] && !(principal in [Group::\"none\"])",
    "principal is User && !(principal is Group) && principal is User in Group::\"staff\"",
    "principal.hasTag(\"a\") && !principal.hasTag(\"name\") && principal.getTag(\"a\") == \"b\"",
    "principal has name && !(principal has a) && !(User::\"nobody\" has name)",
    // Addresses.
    "ip(\"10.1.2.3\").isInRange(ip(\"10.0.0.0/8\")) && !ip(\"10.0.0.0/7\").isInRange(ip(\"10.0.0.0/8\"))",
    "!ip(\"11.0.0.0\").isInRange(ip(\"10.0.0.0/8\")) && !ip(\"9.255.255.255\").isInRange(ip(\"10.0.0.0/8\"))",
    "!ip(\"::1\").isInRange(ip(\"0.0.0.0/0\")) && !ip(\"1.2.3.4\").isInRange(ip(\"::/0\"))",
    "ip(\"127.0.0.1\").isLoopback() && !ip(\"127.0.0.0/7\").isLoopback() && ip(\"ff02::1\").isMulticast()",
    "ip(\"1.2.3.4\").isIpv4() && !ip(\"::\").isIpv4() && ip(\"::\").isIpv6() && !ip(\"1.2.3.4\").isIpv6()",
    // Decimals.
    "decimal(\"-0.5\").lessThan(decimal(\"0.0\")) && decimal(\"-0.5\") != decimal(\"0.5\")",
    "decimal(\"1.5\").lessThanOrEqual(decimal(\"1.50\")) && !decimal(\"1.5\").lessThan(decimal(\"1.50\"))",
    "decimal(\"1.5\").greaterThanOrEqual(decimal(\"1.5\")) && !decimal(\"1.5\").greaterThan(decimal(\"1.5\"))",
    "decimal(context.text).greaterThan(decimal(\"1.2\"))",
    // Times.
    "datetime(\"2024-10-15T11:35:00+0100\") == datetime(\"2024-10-15T10:35:00Z\")",
    "datetime(\"2024-10-15T11:35:00-0130\") == datetime(\"2024-10-15T13:05:00Z\")",
    "datetime(\"2000-02-29\") < datetime(\"2000-03-01\") && duration(\"1h\") < duration(\"61m\")",
    "datetime(\"1969-12-31T23:59:59.999Z\").toDate() == datetime(\"1969-12-31\")",
    "datetime(\"1969-12-31T23:00:00Z\").toTime() == duration(\"23h\")",
    "datetime(\"2024-01-02\").durationSince(datetime(\"2024-01-01\")) == duration(\"1d\")",
    "datetime(\"2024-01-01\").offset(duration(\"-1d\")) == datetime(\"2023-12-31\")",
    "duration(\"1d2h3m4s5ms\").toMilliseconds() == 93784005 && duration(\"90s\").toSeconds() == 90",
    "duration(\"90s\").toMinutes() == 1 && duration(\"150m\").toHours() == 2 && duration(\"-49h\").toDays() == -2",
    // What is not reached is no error.
    "true || context.nothing && false || 1 == 1",
    "!(false && context.nothing)",
    "(if true then 1 else context.nothing) == 1",
];

const ERRORS: &[&str] = &[
    "context.nothing",
    "context.n + 9223372036854775807 > 0",
    "-9223372036854775807 - context.n < 0",
    "-(context.least) > 0",
    "context.n * 9223372036854775807 > 0",
    "principal.getTag(\"name\") == \"ann\"",
    "User::\"nobody\".name == \"ann\"",
    "context.n && true",
    "false || context.n",
    "principal in [Group::\"all\", context.n]",
    "context.n < \"a\"",
    "context.n like \"a\"",
    "decimal(\"1.23456\") == decimal(\"1.2\")",
    "ip(\"10.0.0.1/08\").isIpv4()",
    "ip(context.text).isIpv4()",
    // The number of arguments is right, or it is an error. More ranges than one need a feature of cedar-policy.
    "ip(\"10.1.2.3\").isInRange(ip(\"10.0.0.0/8\"), ip(\"11.0.0.0/8\"))",
    "ip(\"10.1.2.3\").isInRange()",
    "decimal(\"1.0\").lessThan(decimal(\"2.0\"), decimal(\"3.0\"))",
    "duration(\"1h\").toDays(1) == 0",
    "datetime(\"1900-02-29\") < datetime(\"2024-01-01\")",
    "datetime(\"2024-10-15T11:35:00+2400\").toDate() == datetime(\"2024-10-15\")",
    "context.n is User",
    "context.n has name",
    "context.deep.isEmpty()",
];

/// What program and Cedar give for `condition`, which must be the same: `None` is an error.
fn given(condition: &str) -> Option<bool> {
    let set = PolicySet::from_str(&format!("permit (principal, action, resource) when {{ {condition} }};"));
    let set = set.unwrap_or_else(|e| panic!("{condition}: {e:?}"));
    let uid = |text: &str| EntityUid::from_str(text).unwrap();
    let group = |id: &str| json!({ "type": "Group", "id": id });
    let entities = json!([
        { "uid": { "type": "User", "id": "ann" }, "attrs": { "name": "ann" }, "tags": { "a": "b" }, "parents": [group("staff")] },
        { "uid": group("staff"), "attrs": {}, "parents": [group("all")] },
        { "uid": group("all"), "attrs": {}, "parents": [] },
    ]);
    let entities = Entities::from_json_value(entities, None).unwrap();
    let context = json!({
        "n": 7, "least": i64::MIN, "ones": [1, 1], "text": "1.25", "deep": { "er": { "est": true } }, "shallow": {},
    });
    let context = Context::from_json_value(context, None).unwrap();
    let request = Request::new(uid("User::\"ann\""), uid("Action::\"do\""), uid("Doc::\"1\""), context, None).unwrap();
    let compiled = Compiled::new(&set, &[uid("Action::\"do\"")], &entities).unwrap();
    let (ours, theirs) = (compiled.ask(&request, &entities).unwrap(), oracle(&set, &request, &entities));
    assert_eq!(ours, theirs, "{condition}");
    theirs.errors.is_empty().then_some(theirs.allowed)
}

#[test]
fn what_is_true() {
    for condition in TRUE {
        assert_eq!(given(condition), Some(true), "{condition}");
        assert_eq!(given(&format!("!({condition})")), Some(false), "{condition}");
    }
}

#[test]
fn what_has_no_value() {
    for condition in ERRORS {
        assert_eq!(given(condition), None, "{condition}");
    }
}
