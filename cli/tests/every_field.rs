//! Every field of every kind of file, wrong in every way: each is taken, or told with its place and what to write instead.

mod support;

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use partywall_cli::diagnostic::{Diagnostic, Severity, Source};
use partywall_cli::{directory, mistakes};
use serde_json::Value;
use support::{copy, fixture, folder, sample};

/// What is put where a good value stands; `{}` is the good one.
const WRONG: [(&str, &str); 22] = [
    ("nothing", "null"),
    ("an empty text", r#""""#),
    ("blanks", r#""   ""#),
    ("a word", "nobody-knows-it"),
    ("yes", "true"),
    ("a negative number", "-1"),
    ("zero", "0"),
    ("a huge number", "99999999999999999999999999"),
    ("a fraction", "1.5"),
    ("no number", ".nan"),
    ("an empty list", "[]"),
    ("an empty mapping", "{ }"),
    ("a list in a list", "[[x]]"),
    ("a mapping of something", "{ x: 1 }"),
    ("NUL", r#""a\u0000b""#),
    ("a line break", r#""a\nb""#),
    ("letters of elsewhere", "\"\u{430}cm\u{435}\u{202e}\u{1f98a}\""),
    ("an alias of nothing", "*nowhere"),
    ("a tag", "!secret x"),
    ("the same twice", "[{}, {}]"),
    ("a deep nest", ""),
    ("a long text", ""),
];
/// What is done to a field itself.
const FIELDS: [&str; 3] = ["left out", "there twice", "mistyped"];

const LONGEST: Duration = Duration::from_secs(30);

/// A step from the root of a document down.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
}

/// A part of a document.
struct Part {
    place: Vec<Step>,
    leaf: bool,
    /// What fields stand beside it and beside what it is in, and what kind of value it is: parts of which this is the same differ
    /// in nothing but their good value.
    shape: String,
}

/// Every part of a document, the whole first.
fn parts(value: &Value, (here, shape): (&[Step], &str), found: &mut Vec<Part>) {
    let (leaf, kind) = match value {
        Value::Array(_) => (false, "list"),
        Value::Object(_) => (false, "mapping"),
        Value::String(_) => (true, "text"),
        Value::Number(_) => (true, "number"),
        Value::Bool(_) | Value::Null => (true, "word"),
    };
    found.push(Part { place: here.to_vec(), leaf, shape: format!("{shape}: {kind}") });
    let down = |step| [here, &[step]].concat();
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| {
            parts(item, (&down(Step::Item(n)), &format!("{shape}[]")), found);
        }),
        Value::Object(fields) => {
            let mut beside: Vec<&str> = fields.keys().map(String::as_str).collect();
            beside.sort_unstable();
            let beside = beside.join(",");
            fields.iter().for_each(|(name, value)| {
                parts(value, (&down(Step::Field(name.clone())), &format!("{shape}{{{beside}}}.{name}")), found);
            });
        }
        _ => {}
    }
}

/// Writes a document, one field or item a line, with a change at one place.
struct Writer<'w> {
    target: &'w [Step],
    value: Option<&'w str>,
    field: Option<&'w str>,
}

impl Writer<'_> {
    fn write(&self, value: &Value, here: &[Step]) -> String {
        let good = || match value {
            Value::Array(items) => {
                let item = |(n, item)| self.write(item, &[here, &[Step::Item(n)]].concat());
                format!("[\n{}\n]", items.iter().enumerate().map(item).collect::<Vec<_>>().join(",\n"))
            }
            Value::Object(fields) => {
                let lines: Vec<String> = fields
                    .iter()
                    .flat_map(|(name, value)| {
                        let here = [here, &[Step::Field(name.clone())]].concat();
                        let line = |name: &str| format!("{}: {}", Value::from(name), self.write(value, &here));
                        match self.field.filter(|_| here == self.target) {
                            Some("left out") => vec![],
                            Some("there twice") => vec![line(name), line(name)],
                            Some(_) => vec![line(&format!("{name}x"))],
                            None => vec![line(name)],
                        }
                    })
                    .collect();
                format!("{{\n{}\n}}", lines.join(",\n"))
            }
            plain => plain.to_string(),
        };
        match self.value.filter(|_| here == self.target) {
            Some(wrong) => wrong.replace("{}", &good()),
            None => good(),
        }
    }
}

/// What reads a file of this name, with the directory it lies in.
fn read(directory: &Path, name: &str) -> Vec<Diagnostic> {
    let path = directory.join(name);
    let source = || Source::new(path.to_string_lossy(), fs::read_to_string(&path).unwrap());
    match name {
        name if name.starts_with("cases/") => mistakes::in_cases(&source()),
        "overlay.yaml" => mistakes::in_overlay(&source()),
        // The policies are compared with Cedar where a file of links is good: their programs are not what is asked here.
        "policies/links.yaml" => mistakes::in_directory(directory, None),
        _ => directory::read(directory, None).diagnostics,
    }
}

/// What is wrong with how mistakes are told.
fn untold(directory: &Path, found: &[Diagnostic]) -> Option<String> {
    found.iter().find_map(|diagnostic| {
        let shown = diagnostic.to_string();
        let problem = if !Path::new(&diagnostic.path).starts_with(directory) {
            "names no file of the directory"
        } else if diagnostic.line == 0 || diagnostic.column == 0 {
            "has no place"
        } else if diagnostic.help.as_ref().is_none_or(|help| help.trim().is_empty()) {
            "says not what to write"
        } else if diagnostic.message.trim().is_empty() || shown.len() > 2_000 {
            "is empty or endless"
        } else if shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            "writes control characters"
        } else {
            return None;
        };
        Some(format!("{problem}: {shown}"))
    })
}

/// All files of a directory, as paths within it.
fn files(directory: &Path, within: &str, found: &mut Vec<String>) {
    let mut names: Vec<PathBuf> = fs::read_dir(directory.join(within)).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names {
        let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() { files(directory, &name, found) } else { found.push(name) }
    }
}

/// The good document in a file, and the parts of it that are like none in `seen` yet.
fn document(directory: &Path, name: &str, seen: &mut HashSet<String>) -> (Value, Vec<Part>) {
    let document: Value = serde_saphyr::from_str(&fs::read_to_string(directory.join(name)).unwrap()).unwrap();
    let mut found = Vec::new();
    // All files of a folder are of one kind.
    parts(&document, (&[], name.split('/').next().unwrap()), &mut found);
    found.retain(|part| seen.insert(part.shape.clone()));
    (document, found)
}

/// A file, the good document in it, and what is changed of it.
type Work = (String, Value, Vec<Part>);

/// Plays every change of these; gives how many there were, how many of them were told, and what went wrong.
fn play(directory: &Path, work: impl Iterator<Item = Work>) -> (usize, usize, Vec<String>) {
    let deep = format!("{}x{}", "[".repeat(40), "]".repeat(40));
    let long = format!("\"{}\"", "x".repeat(100_000));
    let (mut played, mut told, mut wrong) = (0, 0, Vec::new());
    for (name, document, parts) in work {
        let name = name.as_str();
        let path = directory.join(name);
        let good = fs::read_to_string(&path).unwrap();
        let errors: Vec<_> = read(directory, name).into_iter().filter(|d| d.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{name} is not good: {errors:?}");
        for Part { place: target, leaf, .. } in &parts {
            let values = WRONG.iter().map(|(what, text)| {
                let text = match *what {
                    "a deep nest" => deep.as_str(),
                    "a long text" => long.as_str(),
                    _ => text,
                };
                (*what, Writer { target, value: Some(text), field: None })
            });
            let is_field = matches!(target.last(), Some(Step::Field(_)));
            let fields = FIELDS
                .iter()
                .filter(|_| is_field)
                .map(|what| (*what, Writer { target, value: None, field: Some(what) }));
            for (what, writer) in values.chain(fields) {
                fs::write(&path, writer.write(&document, &[])).unwrap();
                let began = Instant::now();
                let said = catch_unwind(AssertUnwindSafe(|| read(directory, name)));
                played += 1;
                let place = || format!("{name}: {target:?} as {what}");
                let Ok(said) = said else {
                    wrong.push(format!("{}: panics", place()));
                    continue;
                };
                let errors: Vec<_> = said.into_iter().filter(|d| d.severity == Severity::Error).collect();
                told += usize::from(!errors.is_empty());
                wrong.extend(untold(directory, &errors).map(|problem| format!("{}: {problem}", place())));
                // No value is ever a mapping with `x`, nor a list of lists, nor under a tag.
                let anything = ["a tag", "an alias of nothing", "a deep nest"];
                let one_value = ["a mapping of something", "a list in a list"];
                // Of a token's claims any may be any.
                let free = target.contains(&Step::Field("claims".into()));
                let never = anything.contains(&what) || one_value.contains(&what) && !free;
                if errors.is_empty() && (*leaf && never || what == "there twice") {
                    wrong.push(format!("{}: nobody minds", place()));
                }
                if began.elapsed() > LONGEST {
                    wrong.push(format!("{}: takes {:?}", place(), began.elapsed()));
                }
            }
        }
        fs::write(&path, good).unwrap();
    }
    (played, told, wrong)
}

#[test]
fn every_wrong_value_of_every_field_is_told_with_its_place_and_a_remedy() {
    let root = folder("every-field");
    let laid = |name: &str| {
        let directory = root.join(name);
        copy(&sample(), &directory);
        copy(&fixture("every-field"), &directory);
        directory
    };
    let first = laid("first");
    let mut all = Vec::new();
    files(&first, "", &mut all);
    all.retain(|name| name.ends_with(".yaml"));
    let mut seen = HashSet::new();
    let documents = all.into_iter().map(|name| {
        let (document, parts) = document(&first, &name, &mut seen);
        (name, document, parts)
    });
    let mut work: Vec<Work> = documents.collect();
    // The longest come first, so that nobody waits for one at the end.
    work.sort_by_key(|(_, _, parts)| parts.len());
    let work = Mutex::new(work);
    let next = || work.lock().unwrap().pop();
    // Each thread has a directory of its own, of which it changes one file at a time.
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let mut played: Vec<_> = std::thread::scope(|scope| {
        let run = |nth: usize| {
            let directory = laid(&format!("part-{nth}"));
            scope.spawn(move || play(&directory, std::iter::from_fn(next)))
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|part| part.join().unwrap()).collect()
    });
    // It lies beside a directory, and not in it.
    let beside = folder("every-field-overlay");
    fs::copy(fixture("every-field-overlay.yaml"), beside.join("overlay.yaml")).unwrap();
    let (overlay, parts) = document(&beside, "overlay.yaml", &mut HashSet::new());
    played.push(play(&beside, [("overlay.yaml".to_owned(), overlay, parts)].into_iter()));
    let (mut wrong, mut told, mut changes) = (Vec::new(), 0, 0);
    for part in played {
        changes += part.0;
        told += part.1;
        wrong.extend(part.2);
    }
    println!("{changes} changes, of which {told} were told");
    assert!(wrong.is_empty(), "{} of {changes}:\n\n{}", wrong.len(), one_of_each(&wrong).join("\n\n"));
    assert!(told * 2 > changes, "only {told} of {changes} were told");
}

/// The first of each kind: those that differ in names alone are one.
fn one_of_each(wrong: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    let kind = |text: &str| {
        let message = text.split(": error: ").nth(1).unwrap_or(text);
        message.lines().next().unwrap_or_default().split('`').step_by(2).collect::<String>()
    };
    wrong.iter().filter(|text| seen.insert(kind(text))).map(String::as_str).collect()
}

/// What no field is about: the file as a whole.
#[test]
fn every_file_that_is_none_is_told() {
    let root = folder("every-file");
    copy(&sample(), &root);
    copy(&fixture("every-field"), &root);
    let mut all = Vec::new();
    files(&root, "", &mut all);
    let bomb = |depth: usize| {
        let level = |n: usize| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
        format!("a0: &a0 [x, x]\n{}", (1..depth).map(level).collect::<String>())
    };
    let long_line = "x: ".to_owned() + &"y".repeat(1_048_000);
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("NUL", vec![0; 4096]),
        ("no UTF-8", b"a: \xff\xfe\n".to_vec()),
        ("aliases of aliases", bomb(12).into_bytes()),
        ("an alias of itself", b"a: &a [*a]\n".to_vec()),
        ("two documents", b"a: 1\n---\nb: 2\n".to_vec()),
        ("a deep nest of mappings", "{a: ".repeat(50_000).into_bytes()),
        ("a deep nest of lists", "- ".repeat(50_000).into_bytes()),
        ("one long line", long_line.into_bytes()),
        ("many fields", (0..50_000).map(|n| format!("f{n}: 1\n")).collect::<String>().into_bytes()),
        ("one field again and again", "mesh: x\n".repeat(50_000).into_bytes()),
        ("a mebibyte and a byte", vec![b'#'; 1024 * 1024 + 1]),
    ];
    for name in &all {
        let path = root.join(name);
        let good = fs::read(&path).unwrap();
        for (what, text) in &texts {
            fs::write(&path, text).unwrap();
            let began = Instant::now();
            let said = match name {
                name if name.starts_with("cases/") => match String::from_utf8(text.clone()) {
                    Ok(text) => mistakes::in_cases(&Source::new(path.to_string_lossy(), text)),
                    Err(_) => continue,
                },
                name if name.starts_with("policies/") => mistakes::in_directory(&root, None),
                _ => directory::read(&root, None).diagnostics,
            };
            let errors: Vec<_> = said.iter().filter(|d| d.severity == Severity::Error).collect();
            let helped = errors.iter().all(|d| d.help.as_ref().is_some_and(|help| !help.is_empty()));
            assert!(helped, "{name} as {what}: {errors:#?}");
            let split = errors.iter().any(|d| d.help.as_ref().is_some_and(|help| help.contains("several files")));
            let too_large = what.starts_with("a mebibyte") && !name.starts_with("cases/");
            assert_eq!(split, too_large && !name.ends_with(".ndjson"), "{name} as {what}: {errors:#?}");
            let may_be_so = name.ends_with(".cedar") && matches!(*what, "nothing") || name.ends_with("links.yaml");
            assert!(!errors.is_empty() || may_be_so, "{name} as {what}: nobody minds");
            assert!(began.elapsed() < LONGEST, "{name} as {what} takes {:?}", began.elapsed());
        }
        fs::write(&path, good).unwrap();
    }
}
