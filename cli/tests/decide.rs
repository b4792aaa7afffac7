//! `partywall decide` with files of the `cedar` command line.
#![allow(missing_docs)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const POLICIES: &str = r#"
@id("staff")
permit (principal in Group::"staff", action == Action::"view", resource) unless { resource.secret };
@id("guest")
permit (principal == ?principal, action, resource == ?resource);
@id("broken")
forbid (principal, action, resource) when { resource.nothing };
"#;

const SCHEMA: &str = "entity Group; entity User in [Group]; entity Doc { secret: Bool, nothing?: Bool };\n\
                      action view appliesTo { principal: [User], resource: [Doc], context: { hour: Long } };";

const ENTITIES: &str = r#"[
    { "uid": { "type": "User", "id": "ann" }, "attrs": {}, "parents": [{ "type": "Group", "id": "staff" }] },
    { "uid": { "type": "User", "id": "eve" }, "attrs": {}, "parents": [] },
    { "uid": { "type": "Doc", "id": "1" }, "attrs": { "secret": false }, "parents": [] },
    { "uid": { "type": "Doc", "id": "2" }, "attrs": { "secret": true }, "parents": [] }
]"#;

const LINKS: &str = r#"[{ "template_id": "guest", "link_id": "eve-reads-2",
    "args": { "?principal": "User::\"eve\"", "?resource": "Doc::\"2\"" } }]"#;

struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let files = Self(folder);
        files.write("p.cedar", POLICIES);
        files.write("s.cedarschema", SCHEMA);
        files.write("e.json", ENTITIES);
        files.write("l.json", LINKS);
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn request(&self, who: &str, what: &str) {
        let request = format!(
            r#"{{ "principal": "User::\"{who}\"", "action": "Action::\"view\"",
                "resource": {{ "type": "Doc", "id": "{what}" }}, "context": {{ "hour": 9 }} }}"#
        );
        self.write("r.json", &request);
    }

    fn decide(&self, more: &[&str]) -> (i32, String, String) {
        let base = ["decide", "--policies", "p.cedar", "--entities", "e.json", "--request", "r.json"];
        let Output { status, stdout, stderr } =
            Command::new(env!("CARGO_BIN_EXE_partywall")).args(base).args(more).current_dir(&self.0).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }
}

#[test]
fn the_program_and_cedar_answer_alike() {
    let files = Files::new("decide-alike");
    let all = ["--links", "l.json", "--schema", "s.cedarschema", "-v", "--with"];
    for (who, what, exit, said) in [
        ("ann", "1", 0, "ALLOW\nnote: this decision was due to the following policies:\n  staff\n"),
        ("ann", "2", 1, "DENY\nnote: no policies applied to this request\n"),
        ("eve", "2", 0, "ALLOW\nnote: this decision was due to the following policies:\n  eve-reads-2\n"),
        ("eve", "1", 1, "DENY\nnote: no policies applied to this request\n"),
    ] {
        files.request(who, what);
        for with in ["program", "oracle", "both"] {
            let (code, out, errors) = files.decide(&[&all[..], &[with]].concat());
            assert_eq!((code, out.as_str()), (exit, said), "{who} {what} {with}: {errors}");
            assert_eq!(errors, "policy `broken` could not be evaluated, so it counts as not there\n");
        }
    }
    files.request("ann", "1");
    let (_, out, _) = files.decide(&["--json"]);
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out, serde_json::json!({ "decision": "allow", "policies": ["staff"], "errors": ["broken"] }));
}

#[test]
fn what_is_wrong_is_told_with_its_file() {
    let files = Files::new("decide-wrong");
    files.request("ann", "1");
    let refused = |more: &[&str], told: &str| {
        let (code, out, errors) = files.decide(more);
        assert_eq!((code, out.as_str()), (3, ""), "{errors}");
        assert!(errors.contains(told), "{errors}");
    };
    files.write("bad.cedar", "permit (principal, action, resource)\nwhen { principle };");
    refused(&["--policies", "bad.cedar"], "`bad.cedar`: 2:8: invalid variable: principle");
    files.write("links.json", r#"[{ "template_id": "guest", "link_id": "x", "args": { "?who": "User::\"a\"" } }]"#);
    refused(&["--links", "links.json"], "links.json:1:54: error: `?who` is no slot");
    files.write("s.json", "{");
    refused(&["--schema", "s.json"], "`s.json`: ");
    files.write("r.json", r#"{ "principal": "User::\"ann\"", "resource": "Doc::\"1\"" }"#);
    refused(&[], "has no `action`: write `\"action\": \"Action::");
    files
        .write("r.json", r#"{ "principal": "User::\"ann\"", "action": "Action::\"view\"", "resource": "Doc::\"1\"" }"#);
    refused(&["--schema", "s.cedarschema"], "hour");
    assert_eq!(files.decide(&["--no-request-validation"]).0, 2, "it says nothing without a schema");
}
