//! Broken policies: each is refused at its line and column, with what to write instead.

mod lower_support;

use lower_support::{services, tenants};
use partywall_cli::diagnostic::{Diagnostic, Severity, Source};
use partywall_cli::lower::{Lowered, Vocabulary, lower};

fn lowered(files: &[(&str, &str)]) -> Result<Lowered, Vec<Diagnostic>> {
    let sources: Vec<_> = files.iter().map(|(name, text)| Source::new(format!("policies/{name}"), *text)).collect();
    lower(&Vocabulary { tenants: &tenants(), services: &services(), networks: None, clusters: &[] }, &sources)
}

fn refused(text: &str) -> Vec<Diagnostic> {
    lowered(&[("a.cedar", text)]).expect_err(text)
}

#[track_caller]
fn is_at(found: &Diagnostic, line: usize, column: usize, message: &str, help: &str) {
    assert_eq!((found.path.as_str(), found.line, found.column), ("policies/a.cedar", line, column), "{found}");
    assert!(found.message.contains(message), "{found}");
    assert!(found.help.as_deref().is_some_and(|h| h.contains(help)), "{found}");
}

#[track_caller]
fn only(text: &str, line: usize, column: usize, message: &str, help: &str) {
    let found = refused(text);
    let [one] = found.as_slice() else { panic!("not one error but {found:#?}") };
    is_at(one, line, column, message, help);
}

/// The condition begins at 3:5.
#[track_caller]
fn when(condition: &str, column: usize, message: &str, help: &str) {
    let text = format!("permit (principal, action, resource)\nwhen {{\n    {condition}\n}};\n");
    only(&text, 3, column, message, help);
}

#[test]
fn syntax_errors() {
    only("permit (principal, action, resource)", 1, 37, "unexpected end of input", "expected `;`");
    only("\n  allow (principal, action, resource);", 2, 3, "invalid policy effect: allow", "`permit` or `forbid`");
    when(r#"principal.tenant.tier = "gold""#, 5, "'=' is not a valid operator", "'=='");
    when(r#"principal.tenant.tier == "gold"#, 30, "invalid token", "strings are closed");
    when(r#"principle in Role::"viewer""#, 5, "invalid variable: principle", "`principal`");
    only(
        "permit (principal, action, resource)\nwhen { };",
        2,
        1,
        "`when` condition clause cannot be empty",
        "write it as",
    );
}

#[test]
fn type_errors() {
    when("principal.tenant.tier == 1", 5, "the types Long and String are not compatible", "one type");
    when(r#"principal.tenant == "acme""#, 5, "the types String and Tenant are not compatible", "one type");
    when("principal.tenant", 5, "expected Bool but saw Tenant", "a comparison");
    when(r#"principal in "viewer""#, 18, "expected", "");
}

#[test]
fn unknown_names() {
    when(r#"principal.tenant.teir == "gold""#, 5, "attribute `teir`", "did you mean `tier`?");
    when(r#"principal.age == "gold""#, 5, "attribute `age`", "");
    when(r#"principal in Rolle::"viewer""#, 18, "unrecognized entity type `Rolle`", "did you mean `Role`?");
    when(r#"action == Action::"orders:raed""#, 15, r#"unrecognized action `Action::"orders:raed"`"#, "orders:read");
    when(r#"principal.tenant in Tenant::"acm""#, 25, "no tenant is called `acm`", "did you mean `acme`?");
    when(r#"principal == User::"ann""#, 18, "by tenant and subject", r#"User::"<tenant>/<subject>""#);
    when(r#"principal == User::"acne/ann""#, 18, "no tenant is called `acne`", "did you mean `acme`?");
    let order = r#"context.service == Workload::"spiffe://mesh.example/ns/shop/sa/order""#;
    when(order, 24, "no service or caller has the SPIFFE ID", "sa/orders`?");
}

/// What passes Cedar's strict validation is lowered.
#[test]
fn all_of_cedar_is_lowered() {
    for condition in [
        "principal has tenant && principal has tenant.tier",
        r#"principal.tenant.tier like "g*""#,
        r#"!(principal in Role::"viewer")"#,
        r#"principal.tenant.tier != "gold""#,
        r#"["gold", "silver"].contains(principal.tenant.tier)"#,
        r#"["gold"].containsAll([principal.tenant.tier, resource.tenant.tier])"#,
        r#"[principal.tenant].containsAny([resource.tenant]) && ![principal].isEmpty()"#,
        r#"if principal in Role::"a" then principal.tenant == resource.tenant else context.service in [context.service]"#,
        "principal is User",
        r#"principal is User in Role::"viewer""#,
        r#"(principal in Role::"a") == true"#,
        "principal.tenant in [resource.tenant]",
        "{tier: principal.tenant.tier} == {tier: resource.tenant.tier}",
        "context == context",
        "(if principal.tenant == resource.tenant then 1 else 2) * 3 - 1 >= -2 + 4",
        r#"ip("10.0.0.1").isInRange(ip("10.0.0.0/8")) && decimal("1.5").lessThan(decimal("2.0"))"#,
        r#"datetime("2024-10-15").offset(duration("1d")) > datetime("2024-10-15T23:00:00Z")"#,
    ] {
        let text =
            format!("permit (principal is User, action, resource)\nwhen {{ {condition} }}\nunless {{ {condition} }};");
        let lowered = lowered(&[("a.cedar", &text)]).unwrap_or_else(|e| panic!("{}\n{text}", e[0]));
        assert_eq!(lowered.program.policies.len(), 1);
    }
}

#[test]
fn a_policy_of_one_tenant() {
    let text = "@tenant(\"acme\")\npermit (principal, action, resource) when { principal.tenant.tier == \"gold\" };";
    let lowered = lowered(&[("a.cedar", text)]).unwrap();
    assert!(lowered.program.policies[0].tenant.is_some());
    // Both scopes are open, so the two comparisons are all that is asked, and their conjunction.
    assert_eq!((lowered.coverage.branches, lowered.coverage.taken), (6, 6));
    only("@tenant(\"acm\")\npermit (principal, action, resource);", 1, 1, "no tenant is called `acm`", "`acme`");
}

const TEMPLATE: &str =
    "@id(\"guests\") @owner(\"sales\")\npermit (principal in ?principal, action, resource == ?resource);\n";

fn linked(links: &str) -> Result<Lowered, Vec<Diagnostic>> {
    lowered(&[("a.cedar", TEMPLATE), ("links.yaml", links)])
}

#[test]
fn a_link_makes_a_policy_of_a_template() {
    let args = "{\"?principal\": 'Role::\"guest\"', \"?resource\": 'Order::\"1\"'}";
    let yaml = format!("- template_id: guests\n  link_id: guests-of-1\n  args: {args}\n");
    let json = r#"[{ "template_id": "guests", "link_id": "guests-of-1",
        "args": { "?principal": "Role::\"guest\"", "?resource": "Order::\"1\"" } }]"#;
    for links in [yaml.as_str(), json] {
        let made = linked(links).unwrap();
        let [policy] = made.program.policies.as_slice() else { panic!("{:?}", made.program.policies) };
        assert_eq!((policy.id.as_str(), &policy.annotations), ("guests-of-1", &vec![("owner".into(), "sales".into())]));
        let written = "@id(\"guests-of-1\") @owner(\"sales\")\n\
                       permit (principal in Role::\"guest\", action, resource == Order::\"1\");";
        assert_eq!(made.program, lowered(&[("a.cedar", written)]).unwrap().program);
        assert!(made.warnings.is_empty() && made.coverage.requests > 0);
    }
}

#[test]
fn what_nobody_links_is_a_warning() {
    for files in [&[("a.cedar", TEMPLATE)][..], &[("a.cedar", TEMPLATE), ("links.yaml", "[]")]] {
        let warnings = lowered(files).unwrap().warnings;
        let [one] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert_eq!(one.severity, Severity::Warning);
        is_at(one, 1, 1, "no link names the template `guests`", "policies/links.yaml");
    }
    only("permit (principal in ?principal, action, resource);", 1, 1, "a template needs an id", "@id(\"guest\")");
    only(&[TEMPLATE, TEMPLATE].concat(), 3, 1, "template id `guests` is taken by policies/a.cedar:1", "its own");
}

#[test]
fn links_that_fit_no_template() {
    let refused = |link: &str, line: usize, column: usize, message: &str, help: &str| {
        let found = linked(link).expect_err(link);
        let [one] = found.as_slice() else { panic!("not one error but {found:#?}") };
        assert_eq!((one.path.as_str(), one.line, one.column), ("policies/links.yaml", line, column), "{one}");
        assert!(one.message.contains(message) && one.help.as_deref().is_none_or(|h| h.contains(help)), "{one}");
    };
    let args = |text: &str| format!("- template_id: guests\n  link_id: x\n  args: {text}\n");
    let good = "{\"?principal\": 'Role::\"a\"', \"?resource\": 'Order::\"1\"'}";
    refused(&args(good).replace("guests", "gests"), 1, 16, "no template has the id `gests`", "did you mean `guests`?");
    refused(&args("{\"?principal\": 'Role::\"a\"'}"), 1, 3, "are not those that this link fills", "`?resource`");
    refused(&args("{\"?who\": 'Role::\"a\"'}"), 3, 10, "`?who` is no slot", "write `?principal` or `?resource`");
    refused(&args("{\"?principal\": nobody}"), 3, 24, "`nobody` is no entity", "Role::");
    refused(&args("1"), 3, 9, "`args` is a mapping", "args");
    refused("- link_id: x\n  args: {}\n", 1, 3, "a link needs `template_id`", "@id");
    refused("links: []", 1, 1, "the file of links is a list", "- item");
    refused(&args(&good.replace("Role::\"a\"", "User::\"acne/ann\"")), 1, 3, "no tenant is called `acne`", "`acme`?");
    refused(&args(&good.replace("Order::", "Ordr::")), 1, 3, "unrecognized entity type `Ordr`", "`Order`?");
    let twice = args(good).repeat(2);
    refused(&twice, 4, 3, "policy id `x` is taken by policies/links.yaml:1", "its own");
}

#[test]
fn bad_policy_ids() {
    let twice = "@id(\"x\")\npermit (principal, action, resource);\n@id(\"x\")\nforbid (principal, action, resource);";
    only(twice, 3, 1, "policy id `x` is taken by policies/a.cedar:1", "its own `@id");
    only("@id(\"x y\")\npermit (principal, action, resource);", 1, 1, "cannot stand in a log line", "@id(\"readers\")");
}

#[test]
fn every_mistake_is_told_at_once_in_the_order_of_the_files() {
    let found = lowered(&[
        ("b.cedar", "permit (principal, action, resource) when { principal.y == 1 };"),
        (
            "a.cedar",
            "permit (principal, action, resource) when { principal.x == 1 };\n\
             forbid (principal, action, resource) when { principal.z == 1 || principal.tenant == 1 };",
        ),
        ("c.cedar", "permit"),
    ]);
    let places: Vec<_> = found.unwrap_err().into_iter().map(|d| (d.path, d.line, d.column)).collect();
    let expected = [("a", 1, 45), ("a", 2, 45), ("a", 2, 65), ("b", 1, 45), ("c", 1, 7)];
    assert_eq!(places, expected.map(|(file, line, column)| (format!("policies/{file}.cedar"), line, column)));
}

#[test]
fn columns_count_characters() {
    let text = "permit (principal, action, resource) when { principal.tenant.tier == \"größe\" && principal.x == 1 };";
    only(text, 1, 81, "attribute `x`", "");
}

#[test]
fn too_much_for_one_policy() {
    let joined = |n| (0..n).map(|n| format!("principal in Role::\"r{n}\"")).collect::<Vec<_>>().join(" || ");
    let lowered = lowered(&[("a.cedar", &format!("permit (principal, action, resource) when {{ {} }};", joined(512)))]);
    let coverage = lowered.unwrap_or_else(|e| panic!("{:.300}", e[0].message)).coverage;
    assert_eq!((coverage.branches, coverage.taken), (1026, 1026));
    only(
        &format!("permit (principal, action, resource) when {{ {} }};", joined(600)),
        1,
        45,
        "joins 600 conditions",
        "split it",
    );
    // What would overflow the stack of Cedar's parser.
    let deep = format!("permit (principal, action, resource) when {{ {} }};", "(".repeat(100_000));
    only(&deep, 1, 76, "nested too deeply", "fewer parentheses");
    let deep = format!("permit (principal, action, resource) when {{ {} }};", "if a then b else ".repeat(30_000));
    only(&deep, 1, 572, "nested too deeply", "fewer parentheses");
    let chain = format!("permit (principal, action, resource) when {{ {} }};", vec!["1 == 1"; 100_000].join(" && "));
    only(&chain, 1, 41_012, "too long", "split it");
}

#[test]
fn too_much_for_a_program() {
    let many = "permit (principal, action, resource);\n".repeat(16_385);
    let found = lowered(&[("a.cedar", &many)]).unwrap_err();
    assert_eq!((found.len(), found[0].path.as_str()), (1, "policies"), "{}", found[0]);
    assert!(found[0].message.contains("too many policies"), "{}", found[0]);
}

#[test]
fn what_is_never_true_is_a_warning_at_its_place() {
    let text = "permit (principal, action, resource) when {\n  principal.tenant == Tenant::\"acme\" &&\n  principal.tenant == Tenant::\"globex\"\n};";
    let warnings = lowered(&[("a.cedar", text)]).unwrap().warnings;
    let [one] = warnings.as_slice() else { panic!("not one warning but {warnings:#?}") };
    assert_eq!(one.severity, Severity::Warning);
    is_at(one, 3, 3, "this is never true", "take one of them out");
}

#[test]
fn a_name_that_cannot_stand_in_a_schema_is_refused() {
    for (action, resource, message) in [
        ("orders:read", "order", "resource `order` must be"),
        ("orders:read", "Role", "resource `Role` is taken"),
        ("orders read", "Order", "action `orders read` must be"),
        ("", "Order", "action `` must be"),
    ] {
        let mut services = services();
        services[1].operations[0].action = action.into();
        services[1].operations[0].resource = resource.into();
        let found = lower(&Vocabulary { tenants: &tenants(), services: &services, networks: None, clusters: &[] }, &[])
            .unwrap_err();
        assert_eq!(found[0].path, "services/orders.yaml");
        assert!(found[0].message.starts_with(message), "{}", found[0]);
    }
}
