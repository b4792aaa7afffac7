//! Runs the `partywall` binary on folders made for one test.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for the test called `name`, empty at first.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

/// The sample tenancy directory.
pub(crate) fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy-config/tenancy")
}

/// A file of `cli/tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Every case file under `cli/cases/<what>`, in order.
pub(crate) fn cases(what: &str) -> Vec<PathBuf> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(what)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Makes `<folder>/keys`: new keys for the sample, and the fixtures' JWK sets.
pub(crate) fn keys(folder: &Path) -> PathBuf {
    let keys = folder.join("keys");
    partywall(&["keys", "new", path(&keys), "--signer", "edge-1=edge", "--sidecar", "orders"]).succeeds();
    for name in ["id.acme.example.jwks.json", "id.shared.example.jwks.json"] {
        fs::copy(fixture(name), keys.join(name)).unwrap();
    }
    keys
}

/// A copy of the sample with keys, and where its bundles go.
pub(crate) struct Desk {
    pub(crate) tenancy: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) out: PathBuf,
}

impl Desk {
    /// Nothing is compiled yet.
    pub(crate) fn new(name: &str) -> Self {
        let here = folder(name);
        let desk = Self { tenancy: here.join("tenancy"), keys: keys(&here), out: here.join("out") };
        copy(&sample(), &desk.tenancy);
        desk
    }

    /// Replaces the first `from` in a file of the directory.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.tenancy.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn compile(&self, more: &[&str]) -> Ran {
        let arguments = ["compile", path(&self.tenancy), "--keys", path(&self.keys), "--out", path(&self.out)];
        partywall(&[&arguments[..], more].concat())
    }
}

/// A path as an argument.
pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `partywall` and waits for it.
pub(crate) fn partywall(args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_partywall")).args(args).output().unwrap();
    Ran { args: args.join(" "), output }
}

/// How a run ended.
pub(crate) struct Ran {
    args: String,
    output: Output,
}

impl Ran {
    /// What it printed.
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.output.stdout).unwrap()
    }

    /// What it complained about.
    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.output.stderr).unwrap()
    }

    /// Its exit status.
    pub(crate) fn status(&self) -> i32 {
        self.output.status.code().unwrap()
    }

    /// It ended with 0.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.ends_with(0)
    }

    /// It ended with `status`.
    #[track_caller]
    pub(crate) fn ends_with(self, status: i32) -> Self {
        assert_eq!(self.status(), status, "partywall {}\n{}{}", self.args, self.stdout(), self.stderr());
        self
    }

    /// It complained with these words.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        let all = format!("{}{}", self.stdout(), self.stderr());
        assert!(all.contains(words), "`{words}` is not in what partywall {} printed:\n{all}", self.args);
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout()))
    }
}

/// What `explain --json` says would turn the answer.
pub(crate) fn changes(ran: &Ran) -> Vec<String> {
    ran.json()["changes"].as_array().unwrap().iter().map(|c| c["change"].as_str().unwrap().to_owned()).collect()
}
