//! `redaction.yaml` and the keys of tenants in every verb that reads them.

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Desk, Ran, folder, keys, partywall, path};

/// A desk whose directory encrypts addresses of mail, with a master key beside it.
fn desk(name: &str) -> (Desk, PathBuf) {
    let desk = Desk::new(name);
    desk.edit("redaction.yaml", "  # email: pseudonym\n", "  email: encrypt\n  phone: pseudonym\n");
    let master = desk.keys.join("redaction.keys");
    partywall(&["keys", "master", "m1", path(&master)]).succeeds().says("m1 seals from now on");
    (desk, master)
}

fn mint(desk: &Desk, master: &Path, more: &[&str]) -> Ran {
    let arguments = ["keys", "redaction", "--tenancy", path(&desk.tenancy), "--master", path(master)];
    partywall(&[&arguments[..], more].concat())
}

fn shred(desk: &Desk, tenant: &str) -> Ran {
    partywall(&["keys", "redaction", "--tenancy", path(&desk.tenancy), "--shred", tenant])
}

fn lines(desk: &Desk) -> Vec<Value> {
    let text = fs::read_to_string(desk.tenancy.join("redaction-keys.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn slice(desk: &Desk, audience: &str) -> Value {
    let file = desk.out.join(format!("tenancy.{audience}.bundle"));
    partywall(&["inspect", path(&file), "--json"]).succeeds().json()["body"].clone()
}

/// What `partywall` writes of what it reads, its status and what it says.
fn piped(args: &[&str], input: &str) -> (String, i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partywall"));
    let command = command.args(args).env_remove("PARTYWALL_REDACTION_KEYS");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), output.status.code().unwrap(), text(output.stderr))
}

const INPUT: &str = "{\"m\":\"mail ada@example.com\",\"who\":\"bob@example.com\"}\nplain ada@example.com\n";

fn redacted(desk: &Desk, tenant: &str, master: &Path) -> String {
    let (of, with) = (path(&desk.tenancy), path(master));
    let arguments = ["redact", "--tenancy", of, "--tenant", tenant, "--master", with, "--no-summary", "--quiet"];
    let (out, status, said) = piped(&arguments, INPUT);
    assert_eq!(status, 0, "{said}");
    out
}

fn revealed(desk: &Desk, master: &Path, more: &[&str], input: &str) -> (String, i32, String) {
    let arguments = ["reveal", "--tenancy", path(&desk.tenancy), "--master", path(master)];
    piped(&[&arguments[..], more].concat(), input)
}

#[test]
fn only_the_collectors_proxy_is_told_and_gets_the_sealed_keys() {
    let (desk, master) = desk("redaction-slices");
    mint(&desk, &master, &[]).succeeds().says("keys made for acme, globex, initech");
    desk.compile(&[]).succeeds();
    let redaction = slice(&desk, "redaction");
    let said = &redaction["redaction"];
    assert_eq!(said["rules"]["replace"]["by"]["email"], "encrypt");
    assert_eq!(said["detectors"]["without"], json!(["coordinates"]));
    assert_eq!(said["keys"][0]["tenant"], "acme");
    assert_eq!((&said["keys"][2]["masters"], &said["bounds"]["ratio"]), (&json!(["m1"]), &json!(200)));
    assert_eq!(redaction["services"][1]["name"], "orders");
    assert_eq!(redaction["services"][1]["operations"], json!([]));
    assert_eq!(redaction["sources"]["edge"], json!([{ "Host": { "template": "{tenant}.shop.example" } }]));
    for audience in ["edge", "workload", "events"] {
        assert_eq!(slice(&desk, audience)["redaction"], Value::Null, "{audience}");
    }
    // In words, and nothing that is sealed in them.
    let shown = partywall(&["inspect", path(&desk.out.join("tenancy.redaction.bundle"))]).succeeds();
    let shown = shown.says("looks for all but coordinates, and order_number").says("email encrypt");
    let shown = shown.says("others' is left out, nobody's masked").says("sealed keys of 3 tenants, under m1");
    let first = lines(&desk)[0]["pseudonym"].as_str().unwrap().to_owned();
    assert!(!shown.stdout().contains(first.strip_prefix("m1:").unwrap()));
    // No secret is asked for, and the same input gives the same bytes.
    let again = desk.out.join("again");
    let at = ["--revision", "9", "--issued", "1767225600", "--expires", "1869817600"];
    let compile = |out: &Path| {
        let whole = ["compile", path(&desk.tenancy), "--keys", path(&desk.keys), "--out", path(out)];
        partywall(&[&whole[..], &at].concat()).succeeds();
        fs::read(out.join("tenancy.redaction.bundle")).unwrap()
    };
    assert_eq!(compile(&again), compile(&desk.out.join("twice")));
}

#[test]
fn what_the_page_shows_is_good() {
    let desk = Desk::new("redaction-page");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/redaction.md")).unwrap();
    let part = page.split_once("\n## redaction.yaml\n").unwrap().1;
    let block = part.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    fs::write(desk.tenancy.join("redaction.yaml"), block).unwrap();
    let ran = partywall(&["check", path(&desk.tenancy), "--json"]).succeeds().json();
    let found = ran["diagnostics"].as_array().unwrap().iter();
    let told: Vec<&str> = found
        .filter(|one| one["path"].as_str().unwrap().ends_with("redaction.yaml"))
        .map(|one| one["message"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["`acme`, `globex`, `initech` have no keys, so that what asks for one here is masked"]);
    // A mapping of nothing says as much as the defaults that the page tells.
    let desk_of_nothing = Desk::new("redaction-nothing");
    fs::write(desk_of_nothing.tenancy.join("redaction.yaml"), "{}").unwrap();
    desk_of_nothing.compile(&[]).succeeds();
    let said = slice(&desk_of_nothing, "redaction")["redaction"].clone();
    assert_eq!((&said["rules"]["replace"]["default"], &said["rules"]["summary"]), (&json!("mask"), &json!(true)));
    assert_eq!(said["rules"]["tenants"]["foreign"], "drop", "tenants are kept apart where nothing is said");
    assert_eq!(said["bounds"], json!({ "record": 1 << 20, "block": 4 << 20, "unfolded": 64 << 20, "ratio": 200 }));
}

#[test]
fn without_the_file_nobody_is_told_anything() {
    let desk = Desk::new("redaction-none");
    fs::remove_file(desk.tenancy.join("redaction.yaml")).unwrap();
    desk.compile(&[]).succeeds();
    let redaction = slice(&desk, "redaction");
    assert_eq!((&redaction["redaction"], &redaction["services"]), (&Value::Null, &json!([])));
    let (_, status, said) = piped(&["redact", "--tenancy", path(&desk.tenancy)], INPUT);
    assert_eq!(status, 3);
    assert!(said.contains("has no `redaction.yaml`"), "{said}");
    let ran = partywall(&["check", path(&desk.tenancy)]).succeeds();
    assert!(!ran.stdout().contains("redaction.yaml"), "{}", ran.stdout());
}

#[test]
fn what_was_encrypted_opens_for_who_has_the_master_key_and_goes_with_the_tenants_keys() {
    let (desk, master) = desk("redaction-reveal");
    mint(&desk, &master, &[]).succeeds();
    let out = redacted(&desk, "acme", &master);
    assert!(!out.contains("@") && out.matches("enc:v1:").count() == 3, "{out}");
    assert_ne!(out, redacted(&desk, "globex", &master));
    let (text, status, said) = revealed(&desk, &master, &[], &out);
    assert_eq!((text.as_str(), status), (INPUT, 0));
    assert!(said.contains("opened 3 values"), "{said}");
    // By the bundle as well.
    desk.compile(&[]).succeeds();
    let bundle = desk.out.join("tenancy.redaction.bundle");
    let by_bundle = ["reveal", "--bundle", path(&bundle), "--master", path(&master), "--tenant", "acme", "--quiet"];
    assert_eq!(piped(&by_bundle, &out), (INPUT.to_owned(), 0, String::new()));
    // Another tenant's keys, another master key, a changed value.
    let kept = |(text, status, said): (String, i32, String), words: &str| {
        assert_eq!((text.as_str(), status), (out.as_str(), 1), "{said}");
        assert!(said.contains(words), "{said}");
    };
    kept(revealed(&desk, &master, &["--tenant", "globex"], &out), "3 stay as they are: their key is not here");
    let other = desk.keys.join("other.keys");
    partywall(&["keys", "master", "m1", path(&other)]).succeeds();
    kept(revealed(&desk, &other, &[], &out), "a key of acme does not open");
    let at = out.find("enc:v1:").unwrap() + 60;
    let changed = format!("{}{}{}", &out[..at], if &out[at..=at] == "A" { "B" } else { "A" }, &out[at + 1..]);
    let (text, status, said) = revealed(&desk, &master, &["--json"], &changed);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &said["opened"], &said["changed"]), (1, &json!(2), &json!(1)), "{text}");
    // Rotated, both open; shredded, none.
    mint(&desk, &master, &["--rotate", "acme"]).succeeds().says("keys rotated for acme");
    let later = redacted(&desk, "acme", &master);
    assert_ne!(later, out);
    assert_eq!(revealed(&desk, &master, &[], &format!("{out}{later}")).0, format!("{INPUT}{INPUT}"));
    // The bundle holds the former key, too.
    desk.compile(&[]).succeeds();
    assert_eq!(piped(&by_bundle, &format!("{out}{later}")), (format!("{INPUT}{INPUT}"), 0, String::new()));
    shred(&desk, "acme").succeeds().says("keys DESTROYED of acme").says("in version control").says("`history`");
    kept(revealed(&desk, &master, &[], &out), "destroyed or is held by others");
    let (_, status, said) = revealed(&desk, &master, &["--tenant", "acme"], &out);
    assert_eq!(status, 3, "{said}");
    // What is redacted now is masked, and tells nothing.
    assert!(!redacted(&desk, "acme", &master).contains("enc:"));
}

/// Under one master key two directories have keys of their own.
#[test]
fn keys_of_another_directory_open_nothing() {
    let ((desk, master), (other, _)) = (desk("redaction-reveal-ours"), self::desk("redaction-reveal-theirs"));
    mint(&desk, &master, &[]).succeeds();
    mint(&other, &master, &[]).succeeds();
    let out = redacted(&desk, "acme", &master);
    let (text, status, said) = revealed(&other, &master, &[], &out);
    assert_eq!((text.as_str(), status), (out.as_str(), 1), "{said}");
    assert!(said.contains("3 stay as they are: their key is not here"), "{said}");
    // Theirs under the id of ours: it was sealed for another id.
    let file = other.tenancy.join("redaction-keys.ndjson");
    let text = fs::read_to_string(&file).unwrap();
    let id = |desk: &Desk| lines(desk)[0]["data"][0]["id"].as_str().unwrap().to_owned();
    fs::write(&file, text.replace(&id(&other), &id(&desk))).unwrap();
    let (text, status, said) = revealed(&other, &master, &[], &out);
    assert_eq!((text.as_str(), status), (out.as_str(), 1), "{said}");
    assert!(said.contains("a key of acme does not open"), "{said}");
    assert_eq!(revealed(&desk, &master, &[], &out).0, INPUT);
}

#[test]
fn a_value_is_written_with_the_escapes_that_json_asks_for() {
    let (desk, master) = desk("redaction-escapes");
    desk.edit(
        "redaction.yaml",
        "      - { path: attributes.http.route",
        "      - { path: x, action: encrypt }\n      - { path: attributes.http.route",
    );
    mint(&desk, &master, &[]).succeeds();
    let input = "{\"x\":\"a \\\"quoted\\\" \\\\ line\\nand \u{1f98a} more\"}\n";
    let of = ["redact", "--tenancy", path(&desk.tenancy), "--tenant", "acme", "--master", path(&master)];
    let (out, _, said) = piped(&[&of[..], &["--no-summary"]].concat(), input);
    assert!(out.starts_with("{\"x\":\"enc:v1:") && said.contains("field: encrypt"), "{out}{said}");
    let (text, status, _) = revealed(&desk, &master, &[], &out);
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!((value(&text), status), (value(input), 0), "{text}");
    // On a line that is no JSON it is as it was.
    let bare = out.trim_start_matches("{\"x\":\"").trim_end_matches("\"}\n");
    assert_eq!(revealed(&desk, &master, &[], bare).0, "a \"quoted\" \\ line\nand \u{1f98a} more");
}

#[test]
fn a_directory_says_whose_a_line_is_as_the_proxy_does() {
    let (desk, master) = desk("redaction-lines");
    mint(&desk, &master, &[]).succeeds();
    let input = "{\"tenant\":\"globex\",\"m\":\"x\"}\n{\"m\":\"to www\",\"h\":\"globex.shop.example\"}\n{\"m\":\"ORD-12345678\"}\nsid=1 cookie\n";
    let run =
        |more: &[&str]| piped(&[&["redact", "--tenancy", path(&desk.tenancy), "--no-summary"], more].concat(), input);
    let (out, status, said) = run(&["--tenant", "acme", "--format", "json"]);
    assert_eq!(status, 0);
    assert_eq!(out, "{\"m\":\"[REDACTED:order_number:no_key]\"}\nsid=1 cookie\n");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["lines"], &said["left_out"]), (&json!(4), &json!(2)));
    assert!(
        said["done"]
            .as_array()
            .unwrap()
            .contains(&json!({ "detector": "tenant", "action": "drop_foreign", "count": 2 }))
    );
    // Where each says it itself, the first is globex's own.
    let (out, ..) = run(&[]);
    assert!(
        out.starts_with("{\"tenant\":\"globex\",\"m\":\"x\"}\n") && out.contains("[REDACTED:tenant:no_key]"),
        "{out}"
    );
    let (_, status, said) = run(&["--tenant", "acne"]);
    assert_eq!((status, said.contains("did you mean `acme`?")), (3, true), "{said}");
    assert_eq!(run(&["--tenant", "acme", "--only", "email"]).1, 2);
    assert_eq!(piped(&["redact", "--tenant", "acme"], input).1, 2);
}

#[test]
fn keys_are_made_once_rotated_sealed_anew_and_never_printed() {
    let (desk, master) = desk("redaction-keys");
    let check = || partywall(&["check", path(&desk.tenancy)]);
    check().succeeds().says("`acme`, `globex`, `initech` have no keys, so that what asks for one here is masked");
    mint(&desk, &master, &[]).succeeds();
    assert!(!check().succeeds().stdout().contains("no keys"));
    let before = lines(&desk);
    mint(&desk, &master, &[]).succeeds().says("nothing to do, 3 tenants have keys");
    assert_eq!(lines(&desk), before);
    let ids = |all: &[Value], nth: usize| -> Vec<String> {
        all[nth]["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let ran = mint(&desk, &master, &["--rotate", "acme", "--json"]).succeeds().json();
    assert_eq!((&ran["rotated"], &ran["made"]), (&json!(["acme"]), &json!([])));
    let rotated = lines(&desk);
    assert_eq!(rotated[1..], before[1..], "nobody else's");
    assert_ne!(rotated[0]["epoch"], before[0]["epoch"]);
    assert_eq!((ids(&rotated, 0).len(), &ids(&rotated, 0)[1..]), (2, &ids(&before, 0)[..]), "the former one stays");
    mint(&desk, &master, &["--rotate", "acne"]).ends_with(3).says("did you mean `acme`?");
    mint(&desk, &master, &["--rotate-all"]).succeeds();
    assert_eq!(
        lines(&desk).iter().enumerate().map(|(nth, _)| ids(&lines(&desk), nth).len()).collect::<Vec<_>>(),
        [3, 2, 2]
    );

    let out = redacted(&desk, "globex", &master);
    partywall(&["keys", "master", "m2", path(&master)]).succeeds();
    partywall(&["keys", "master", "m2", path(&master)]).ends_with(3).says("names one key id twice");
    assert_eq!(fs::metadata(&master).unwrap().permissions().mode() & 0o777, 0o600);
    let old = lines(&desk);
    mint(&desk, &master, &["--rewrap"]).succeeds().says("keys of 3 tenants are sealed under the new master key");
    assert!(lines(&desk).iter().all(|line| line["pseudonym"].as_str().unwrap().starts_with("m2:")));
    assert_eq!(ids(&lines(&desk), 0), ids(&old, 0), "the same keys");
    mint(&desk, &master, &["--rewrap"]).succeeds().says("nothing to do");
    // The former master key may go now, and what was written before opens and is written the same.
    let text = fs::read_to_string(&master).unwrap();
    fs::write(&master, text.lines().next().unwrap()).unwrap();
    assert_eq!(redacted(&desk, "globex", &master), out);
    assert_eq!(revealed(&desk, &master, &["--quiet"], &out), (INPUT.to_owned(), 0, String::new()));
    // Without it, nothing of the old file is sealed anew.
    let text: String = old.iter().map(|line| format!("{line}\n")).collect();
    fs::write(desk.tenancy.join("redaction-keys.ndjson"), &text).unwrap();
    mint(&desk, &master, &["--rewrap"]).ends_with(3).says("the master key that it is wrapped by is not here");
    assert_eq!(fs::read_to_string(desk.tenancy.join("redaction-keys.ndjson")).unwrap(), text);

    shred(&desk, "globex").succeeds();
    shred(&desk, "globex").ends_with(3).says("`globex` has no keys; nothing was changed");
    check().succeeds().says("`globex` has no keys");
}

#[test]
fn keys_of_who_left_are_no_keys_of_the_directory() {
    let (desk, master) = desk("redaction-offboard");
    mint(&desk, &master, &[]).succeeds();
    partywall(&["tenant", "offboard", "initech", "--tenancy", path(&desk.tenancy)]);
    let ran = partywall(&["check", path(&desk.tenancy)]).ends_with(3);
    ran.says("there is no tenant `initech` whose keys these could be").says("--shred initech");
    shred(&desk, "initech").succeeds();
    let ran = partywall(&["check", path(&desk.tenancy)]);
    assert!(!ran.stdout().contains("whose keys these could be"), "{}", ran.stdout());
}

#[test]
fn a_diff_names_the_part_of_the_file_and_the_tenant_of_the_key() {
    let (desk, master) = desk("redaction-diff");
    mint(&desk, &master, &[]).succeeds();
    let old = folder("redaction-diff-old").join("tenancy");
    support::copy(&desk.tenancy, &old);
    let diff = || partywall(&["diff", path(&old), path(&desk.tenancy), "--json"]);
    diff().succeeds();
    desk.edit("redaction.yaml", "  foreign: drop\n", "  foreign: mask\n");
    desk.edit("redaction.yaml", "  email: encrypt\n", "  email: mask\n");
    mint(&desk, &master, &["--rotate", "acme"]).succeeds();
    shred(&desk, "globex").succeeds();
    let parts = diff().ends_with(1).json()["parts"].clone();
    let told: Vec<String> = parts
        .as_array()
        .unwrap()
        .iter()
        .map(|part| format!("{} {} {}", part["change"], part["kind"], part["name"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "changed redaction replace",
            "changed redaction tenants",
            "changed redaction keys acme",
            "removed redaction keys globex",
        ]
    );
    let tenants = parts.as_array().unwrap().iter().find(|part| part["name"] == "tenants").unwrap();
    assert_eq!(tenants["fields"], json!([{ "field": "foreign", "old": "drop", "new": "mask" }]));
    fs::remove_file(desk.tenancy.join("redaction.yaml")).unwrap();
    let ran = partywall(&["diff", path(&old), path(&desk.tenancy)]).ends_with(1);
    ran.says("removed redaction detectors").says("removed redaction keys initech");
}

#[test]
fn a_way_back_tells_which_keys_and_rules_come_back() {
    let (desk, master) = desk("redaction-rollback");
    mint(&desk, &master, &[]).succeeds();
    desk.compile(&[]).succeeds();
    shred(&desk, "acme").succeeds();
    desk.edit("redaction.yaml", "  foreign: drop\n", "  foreign: mask\n");
    desk.compile(&[]).succeeds();
    let ran = partywall(&["rollback", "1", "--dir", path(&desk.out), "--keys", path(&desk.keys)]).succeeds();
    let ran = ran.says("keys for redaction come back that were destroyed or rotated since, of: acme");
    ran.says("redaction.yaml says again what it said then: `tenants`");
}

#[test]
fn what_is_no_key_file_is_told_with_its_place() {
    let here = folder("redaction-key-file");
    let keys = keys(&here);
    let (desk, master) = desk("redaction-key-file-desk");
    mint(&desk, &master, &[]).succeeds();
    let file = desk.tenancy.join("redaction-keys.ndjson");
    let good = fs::read_to_string(&file).unwrap();
    let first = good.lines().next().unwrap();
    let sealed = lines(&desk)[0]["pseudonym"].as_str().unwrap().to_owned();
    let short = first.replacen(&sealed, &sealed[..sealed.len() - 4], 1);
    let id = |nth: usize| lines(&desk)[nth]["data"][0]["id"].as_str().unwrap().to_owned();
    let (twice, words) =
        (good.replace(&id(1), &id(0)), format!(":2:1: error: the data key `{}` is there twice", id(0)));
    let cases = [
        (twice, words.as_str()),
        (format!("{good}{{\"tenant\":\"acme\"}}\n"), ":4:17: error: these are no keys of a tenant: missing field"),
        (format!("{good}{first}\n"), ":4:1: error: the tenant `acme` is there twice"),
        (format!("{short}\n"), ":1:47: error: this is no sealed key"),
        (first.replace("\"acme\"", "\"hooli\""), ":1:1: error: there is no tenant `hooli` whose keys"),
        (first.replace("\"acme\"", "\"Acme\""), ":1:11: error: tenant id `Acme`"),
        (first.replacen("\"epoch\":\"", "\"epoch\":\"A", 1), "the epoch of a pseudonym key is 1 to 8"),
        (first.replacen("\"data\":[", "\"data\":[],\"date\":[", 1), "unknown field `date`"),
        ("{\n".to_owned(), ":1:"),
    ];
    for (text, words) in cases {
        fs::write(&file, &text).unwrap();
        partywall(&["check", path(&desk.tenancy), "--keys", path(&keys)]).ends_with(3).says(words);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(&file, "{}\n").unwrap();
    mint(&desk, &master, &[]).ends_with(3).says("these are no keys of a tenant");
    // Keys, and nothing that they are for.
    fs::write(&file, &good).unwrap();
    fs::remove_file(desk.tenancy.join("redaction.yaml")).unwrap();
    partywall(&["check", path(&desk.tenancy)]).succeeds().says("there is no `redaction.yaml`");
    // No master key, a short one, one of another length.
    let (_, status, said) = piped(&["keys", "redaction", "--tenancy", path(&desk.tenancy)], "");
    assert_eq!((status, said.contains("give --master FILE, or set PARTYWALL_REDACTION_KEYS")), (2, true), "{said}");
    fs::write(&master, format!("m1:{}", "A".repeat(64))).unwrap();
    mint(&desk, &master, &[]).ends_with(3).says("has 48 bytes, and not 32");
}
