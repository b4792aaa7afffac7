//! What must hold for whatever somebody writes into a tenancy directory. As in `targets.rs`, one function per target;
//! `cli/tests/fuzz_replay.rs` includes this file and replays the corpus.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use partywall_cli::diagnostic::{Diagnostic, Severity, Source};
use partywall_cli::{directory, mistakes};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("directory", directory)];

/// The files that are written, by the first byte of an input.
const FILES: [&str; 12] = [
    "mesh.yaml",
    "tenants/acme.yaml",
    "tenants/more.ndjson",
    "tenants/retired.yaml",
    "profiles/gold.yaml",
    "services/orders.yaml",
    "policies/readers.cedar",
    "policies/links.yaml",
    "api-keys.yaml",
    "cases/readers.yaml",
    "overlay.yaml",
    "events.yaml",
];
/// Far more than any file of this size takes.
const LONGEST: Duration = Duration::from_secs(10);

/// One file of the sample directory in other words: a byte that says which, then what stands in it. It is read, or every
/// mistake is told with its place and what to write instead.
pub fn directory(bytes: &[u8]) {
    let Some((which, text)) = bytes.split_first() else { return };
    let name = FILES[usize::from(*which) % FILES.len()];
    let began = Instant::now();
    let alone = |read: fn(&Source) -> Vec<Diagnostic>| {
        // Whoever reads these has looked for UTF-8 before.
        str::from_utf8(text).map(|text| read(&Source::new(name, text))).unwrap_or_default()
    };
    let (root, found) = match name {
        "overlay.yaml" => (Path::new(name), alone(mistakes::in_overlay)),
        _ if name.starts_with("cases/") => (Path::new(name), alone(mistakes::in_cases)),
        _ => laid(name, text),
    };
    for diagnostic in found.iter().filter(|found| found.severity == Severity::Error) {
        let shown = diagnostic.to_string();
        assert!(Path::new(&diagnostic.path).starts_with(root), "no file of the directory: {shown}");
        // Of so many mistakes the rest is only counted.
        let counted = diagnostic.message.contains("more were found");
        assert!(diagnostic.line > 0 && diagnostic.column > 0 || counted, "no place: {shown}");
        assert!(diagnostic.help.as_ref().is_some_and(|help| !help.trim().is_empty()), "no remedy: {shown}");
        assert!(shown.len() < 4_000 && !shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{shown:?}");
    }
    assert!(began.elapsed() < LONGEST, "{name} takes {:?}", began.elapsed());
}

/// Lays the file over the sample, reads all of it, and takes it away again. Policies are compared with Cedar only where
/// it is they that are changed: else a run would be about nothing but that.
fn laid(name: &str, text: &[u8]) -> (&'static Path, Vec<Diagnostic>) {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(sample);
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let path = ROOT.join(name);
    let before = fs::read(&path).ok();
    fs::write(&path, text).expect("the folder is ours");
    let found = match name.starts_with("policies/") {
        true => mistakes::in_directory(&ROOT, None),
        false => directory::read(&ROOT, None).diagnostics,
    };
    match before {
        Some(before) => fs::write(&path, before).expect("the folder is ours"),
        None => fs::remove_file(&path).expect("it is there"),
    }
    (&ROOT, found)
}

/// A copy of the sample directory that belongs to this process.
fn sample() -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy-config/tenancy");
    let copy = std::env::temp_dir().join(format!("partywall-fuzz-{}", std::process::id()));
    copied(&shipped, &copy);
    copy
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for temporary files");
    for entry in fs::read_dir(from).expect("the sample is there").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a folder for temporary files");
        }
    }
}
