//! `partywall redact`: what is found goes, all else stays byte for byte, and nothing passes unread.

#[path = "../../filters/log-redaction/tests/labelled/mod.rs"]
mod labelled;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use support::{folder, partywall, path};

/// Runs it on standard input, given in pieces of so many bytes.
fn run(args: &[&str], input: &[u8], step: usize) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partywall"));
    let command = command.arg("redact").args(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        for piece in input.chunks(step) {
            // It may have refused what came before.
            if stdin.write_all(piece).and_then(|()| stdin.flush()).is_err() {
                return;
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// What it writes; it ends with 0.
fn redact(args: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(args, input, 1 << 20);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(args: &[&str], input: &str) -> String {
    String::from_utf8(redact(args, input.as_bytes())).unwrap()
}

/// Lines of the labelled set that are one line each.
fn set() -> Vec<labelled::Line> {
    labelled::set().into_iter().filter(|line| !line.text.contains(['\n', '\r'])).collect()
}

fn of_json(line: &labelled::Line, escaped: bool) -> String {
    let key = if line.key.is_empty() { "message" } else { &line.key };
    if !escaped {
        return json!({ "n": 7, key: line.text }).to_string();
    }
    let units: String = line.text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("{{\"n\":7,{}:\"{units}\"}}", Value::from(key))
}

fn joined(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

#[test]
fn no_labelled_value_is_left_and_redacting_again_changes_nothing() {
    let set = set();
    assert!(set.len() > 2000);
    // Numbers of phones are found as the score says, not all.
    let sure = |detector: &str| detector != "phone";
    for form in ["text", "json", "escaped"] {
        let input = joined(set.iter().map(|line| match form {
            "text" => line.text.clone(),
            form => of_json(line, form == "escaped"),
        }));
        let output = text(&["--quiet"], &input);
        assert_eq!(output.lines().count(), set.len(), "{form}");
        for (line, after) in set.iter().zip(output.lines()) {
            let after = match form {
                "text" => after.to_owned(),
                _ => {
                    let value: Value = serde_json::from_str(after).unwrap_or_else(|e| panic!("{e}: {after}"));
                    value[if line.key.is_empty() { "message" } else { &line.key }].as_str().unwrap().to_owned()
                }
            };
            // A value of a few bytes may stand elsewhere too; a text does not say its field's name.
            for (start, end, detector) in &line.spans {
                let value = &line.text[*start..*end];
                let told = form != "text" || line.key.is_empty();
                if told && sure(detector) && value.len() > 6 {
                    assert!(!after.contains(value), "{form}: {detector} {value:?} is left in {after:?}");
                }
            }
        }
        let again = text(&["--quiet"], &output);
        for (once, twice) in output.lines().zip(again.lines()) {
            assert_eq!(once, twice, "{form}: redacted again");
        }
    }
}

#[test]
fn escapes_do_not_matter_and_stay_where_nothing_was_found() {
    let set = set();
    let plain = text(&["--quiet"], &joined(set.iter().map(|line| of_json(line, false))));
    let escaped = text(&["--quiet"], &joined(set.iter().map(|line| of_json(line, true))));
    for (plain, escaped) in plain.lines().zip(escaped.lines()) {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(read(plain), read(escaped));
    }
    let line = r#" {"a" : "\u0041\/ ada\u0040example.com\n\ud83d\ude00", "b":1e5,  "ada@example.com":[null,"x"]} "#;
    let want = r#" {"a" : "\u0041\/ [REDACTED:email]\n\ud83d\ude00", "b":1e5,  "[REDACTED:email]":[null,"x"]} "#;
    assert_eq!(text(&["--quiet"], line), want);
}

#[test]
fn lines_that_nobody_explained_stay_byte_for_byte() {
    let mut input: Vec<u8> = Vec::new();
    for (index, line) in set().iter().enumerate() {
        let json = of_json(line, index % 2 == 0);
        input.extend_from_slice(if index % 3 == 0 { line.text.as_bytes() } else { json.as_bytes() });
        input.extend_from_slice([&b"\n"[..], b"\r\n", b" \xff\xfe\x00\n"][index % 3]);
    }
    input.extend_from_slice(b"\n\r\n{\"a\":}\n\xc3\x28 the last one \xff");
    let output = run(&["--explain", "--quiet"], &input, 4096);
    let before: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let after: Vec<&[u8]> = output.stdout.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(before.len(), after.len());
    let changed: BTreeSet<usize> = (0..before.len()).filter(|at| before[*at] != after[*at]).map(|at| at + 1).collect();
    let told = String::from_utf8(output.stderr).unwrap();
    let number = |line: &str| line.strip_prefix("(standard input):")?.split(':').next()?.parse::<usize>().ok();
    let explained: BTreeSet<usize> =
        told.lines().map(|line| number(line).unwrap_or_else(|| panic!("{line}"))).collect();
    assert_eq!(changed, explained);
    assert!(changed.len() > 500 && before.len() - changed.len() > 500, "{} of {}", changed.len(), before.len());
    // The line of `at` counts its ends too.
    for at in 0..before.len() {
        let end = |line: &[u8]| line.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        assert_eq!(end(before[at]), end(after[at]), "line {}", at + 1);
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let input = joined(set().iter().take(300).map(|line| of_json(line, false)));
    let whole = run(&["--quiet"], input.as_bytes(), usize::MAX).stdout;
    for step in [1, 7, 64, 1021, 4096] {
        // One byte at a time takes a while.
        let part = if step == 1 { &input.as_bytes()[..5000] } else { input.as_bytes() };
        let got = run(&["--quiet"], part, step).stdout;
        let want = if step == 1 { run(&["--quiet"], part, usize::MAX).stdout } else { whole.clone() };
        assert!(got == want, "pieces of {step} bytes");
    }
}

#[test]
fn a_line_beyond_a_mebibyte_goes_whole_and_the_next_is_read() {
    let long = "x ".repeat(1 << 19);
    let input = format!("{long} ada@example.com\r\nbob@example.com\n");
    let output = run(&["--explain"], input.as_bytes(), 1 << 16);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "[REDACTED:unscanned]\r\n[REDACTED:email]\n");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("(standard input):1: unscanned") && told.contains("1  of the lines are longer"), "{told}");
    assert_eq!(run(&["--check"], format!("{long}x").as_bytes(), 1 << 16).status.code(), Some(1));
    let fits = format!("{}@example.com\n", &long[..(1 << 20) - 12]);
    assert!(text(&["--quiet"], &fits).ends_with("x @example.com\n"), "a line of a mebibyte is read");
}

#[test]
fn each_line_of_a_private_key_goes() {
    let (open, close) =
        (["-----BEGIN RSA ", "PRIVATE KEY-----"].concat(), ["-----END RSA ", "PRIVATE KEY-----"].concat());
    let body = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2";
    for (before, after) in [("", ""), ("  \"", "\\n\" +"), ("2026-11-29T10:00:00Z stdout F ", ""), ("", "\r")] {
        let line = |text: &str| format!("{before}{text}{after}\n");
        let key = [line(&open), line(body), line(body), line("QUJD=="), line(&close)].concat();
        let output = text(&["--quiet"], &format!("start\n{key}worker started\n"));
        assert!(!output.contains("QUJD"), "{output}");
        assert_eq!(output.lines().count(), 7);
        assert!(output.starts_with("start\n") && output.ends_with("\nworker started\n"), "{output}");
        assert_eq!(text(&["--quiet"], &output), output);
        let off = text(&["--quiet", "--without", "private_key"], &key);
        assert!(off.contains("QUJD=="), "{off}");
    }
}

#[test]
fn a_key_gives_equal_values_equal_marks() {
    let here = folder("redact-key");
    let file = here.join("print.key");
    fs::write(&file, "0123456789abcdef\n").unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"0123456789abcdef").unwrap();
    mac.update(b"ada@example.com");
    let hex: String = mac.finalize().into_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mark = format!("[REDACTED:email:{hex}]");
    let with = ["--quiet", "--key-file", path(&file)];
    let output = text(&with, "ada@example.com\n{\"a\":\"\\u0061da@example.com\"}\n");
    assert_eq!(output, format!("{mark}\n{{\"a\":\"{mark}\"}}\n"));
    assert_eq!(text(&with, &output), output);
    assert!(!text(&with, "bob@example.com").contains(&hex));
    fs::write(&file, "short\n").unwrap();
    partywall(&["redact", "--key-file", path(&file), path(&file)]).ends_with(3).says("16 at least");
}

#[test]
fn detectors_are_chosen_by_name_and_group() {
    let line = "ada@example.com 10.1.2.3 ORD-12345678\n";
    assert_eq!(text(&["--quiet", "--only", "ipv4"], line), "ada@example.com [REDACTED:ipv4] ORD-12345678\n");
    assert_eq!(text(&["--quiet", "--without", "ipv4,card"], line), "[REDACTED:email] 10.1.2.3 ORD-12345678\n");
    let order = ["--quiet", "--only", "card", "--pattern", "order=ORD-[0-9]{8}"];
    assert_eq!(text(&order, line), "ada@example.com 10.1.2.3 [REDACTED:order]\n");
    for (args, words) in [
        (&["--only", "emial"][..], "did you mean `email`?"),
        (&["--without", "ipv4,aws_access_key"], "`key/aws_access_key`"),
        (&["--only", "zzzzzz"], "--list"),
        (&["--pattern", "ORD-[0-9]{8}"], "NAME=REGEX"),
        (&["--pattern", "order=ORD-[0-9]+"], "write `{1,64}`"),
        (&["--pattern", "email=a{8}"], "another detector is called so"),
        (&["--pattern", "a=a{8}", "--pattern", "a=b{8}"], "two patterns are called `a`"),
    ] {
        partywall(&[&["redact"], args].concat()).ends_with(2).says(words);
    }
    let all = partywall(&["redact", "--list", "--format", "json"]).succeeds().json();
    assert!(all.as_array().unwrap().len() > 250);
    partywall(&["redact", "--list"]).succeeds().says("RFC 5321").says("national_id/us_ssn");
    let few = partywall(&["redact", "--list", "--only", "crypto", "--format", "json"]).succeeds().json();
    let names: Vec<&str> = few.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["crypto/bitcoin", "crypto/ethereum", "unscanned"]);
}

#[test]
fn check_writes_nothing_and_explain_tells_no_value() {
    let here = folder("redact-check");
    let (good, bad) = (here.join("good.log"), here.join("bad.log"));
    fs::write(&good, "nothing here\n").unwrap();
    fs::write(
        &bad,
        "x\nmail ada@example.com\n{\"user\":{\"password\":\"hunter2\"},\"bob@example.com\":\"eve@example.com\"}",
    )
    .unwrap();
    let ran = partywall(&["redact", "--check", path(&good)]).succeeds();
    assert!(ran.stdout().is_empty() && ran.stderr().contains("found 0 values in 1 line"), "{}", ran.stderr());
    let ran = partywall(&["redact", "--check", "--explain", path(&good), path(&bad)]).ends_with(1);
    assert!(ran.stdout().is_empty());
    let told = ran.stderr();
    assert!(told.contains(&format!("{}:2:6-20: email", bad.display())), "{told}");
    assert!(told.contains(&format!("{}:3:22-28: password, in the field `user.password`", bad.display())), "{told}");
    for value in ["ada@", "hunter2", "bob@", "eve@"] {
        assert!(!told.contains(value), "{value} is told: {told}");
    }
    let json = partywall(&["redact", "--check", "--format", "json", path(&bad)]).ends_with(1);
    let json: Value = serde_json::from_str(json.stderr()).unwrap();
    assert_eq!((&json["found"], &json["lines"]), (&json!({ "email": 3, "password": 1 }), &json!(3)));
    let quiet = partywall(&["redact", "--check", "--quiet", path(&bad)]).ends_with(1);
    assert!(quiet.stderr().is_empty());
}

#[test]
fn files_are_joined_and_what_would_pass_unread_is_refused() {
    let here = folder("redact-files");
    let file = |name: &str, bytes: &[u8]| {
        fs::write(here.join(name), bytes).unwrap();
        here.join(name)
    };
    // Together they would be a card.
    let (one, two) = (file("one", b"n 4111 1111"), file("two", b" 1111 1111\n"));
    let ran = partywall(&["redact", "--quiet", path(&one), path(&two)]).succeeds();
    assert_eq!(ran.stdout(), "n 4111 1111\n 1111 1111\n");
    let missing = here.join("missing");
    for (bad, words) in [
        (missing, "missing"),
        (here.clone(), "is a folder"),
        (file("a.gz", b"\x1f\x8b\x08\0\0\0\0\0"), "zcat"),
        (file("a.txt", b"\xff\xfea\0d\0a\0@\0"), "iconv"),
        (file("a.zst", b"\x28\xb5\x2f\xfd\0\0\0"), "zstdcat"),
    ] {
        let ran = partywall(&["redact", path(&bad)]).ends_with(3).says(words);
        assert!(ran.stdout().is_empty(), "{}", bad.display());
    }
    let ran = partywall(&["redact", path(&one), path(&here.join("missing"))]).ends_with(3);
    assert!(ran.stdout().is_empty(), "half an output: {}", ran.stdout());
}

#[test]
fn the_labelled_set_is_scored() {
    let here = folder("redact-score");
    let file = here.join("set.jsonl");
    fs::write(&file, joined(labelled::set().iter().map(|line| line.json().to_string()))).unwrap();
    let score = partywall(&["redact", "--score", path(&file), "--format", "json"]).succeeds().json();
    assert_eq!((score["texts"].as_u64(), score["all"]["false_positives"].as_u64()), (Some(2320), Some(0)));
    assert_eq!(score["detectors"]["email"]["leak_free_recall"].as_f64(), Some(1.0));
    assert!(score["detectors"]["phone"]["leak_free_recall"].as_f64().unwrap() >= 0.98);
    partywall(&["redact", "--score", path(&file)]).succeeds().says("false positives").says("2320 texts");
    // Without a detector its labels are not covered.
    let without = ["redact", "--score", path(&file), "--format", "json", "--without", "email"];
    let worse = partywall(&without).succeeds().json();
    assert!(worse["detectors"]["email"]["leak_free_recall"].as_f64().unwrap() < 0.5);

    for (line, words) in [
        ("{\"text\":\"a\"", "line 2: "),
        ("{\"txt\":\"a\"}", "line 2: unknown field `txt`"),
        ("{\"text\":\"abc\",\"spans\":[{\"start\":1,\"end\":4,\"detector\":\"email\"}]}", "not in a text of 3 bytes"),
        ("{\"text\":\"abc\",\"spans\":[{\"start\":2,\"end\":2,\"detector\":\"email\"}]}", "line 2: a span from 2 to 2"),
        ("{\"text\":\"\u{fc}b\",\"spans\":[{\"start\":1,\"end\":3,\"detector\":\"email\"}]}", "cuts a character"),
        ("{\"text\":\"abc\",\"spans\":[{\"start\":0,\"end\":2,\"detector\":\"emial\"}]}", "did you mean `email`?"),
    ] {
        fs::write(&file, format!("{{\"text\":\"fine\"}}\n{line}\n")).unwrap();
        partywall(&["redact", "--score", path(&file)]).ends_with(3).says(words).says("line 2");
    }
}

#[test]
fn samples_give_a_proposal_and_no_values() {
    let samples = "{\"level\":\"info\",\"user\":{\"email\":\"ada@example.com\"},\"ids\":[7,8],\"ok\":true}\n\
        {\"level\":\"warn\",\"note\":\"asked by bob@example.com today\",\"user\":{\"email\":null}}\n\
        {\"eve@example.com\":1,\"level\":3}\n\
        level=info mail=joe@example.com\n{\"broken\":\n";
    let output = text(&["--discover"], samples);
    for value in ["ada@", "bob@", "eve@", "joe@", "asked"] {
        assert!(!output.contains(value), "{value}: {output}");
    }
    let yaml: Value = serde_saphyr::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}"));
    let rules = yaml["fields"][0]["rules"].as_array().unwrap();
    let rule = |path: &str| {
        let found = rules.iter().find(|rule| rule["path"] == path);
        found.unwrap_or_else(|| panic!("no {path}: {output}"))["action"].as_str().unwrap().to_owned()
    };
    assert_eq!(rules.len(), 5, "{output}");
    assert_eq!(
        (rule("level"), rule("user.email"), rule("note"), rule("ids.[]"), rule("ok")),
        ("keep".into(), "mask".into(), "scan".into(), "keep".into(), "keep".into())
    );
    assert!(output.contains("3 values, text 2, number 1; nothing found"), "{output}");
    assert!(output.contains("from 3 lines") && output.contains("2 other lines: found email 1"), "{output}");
}
