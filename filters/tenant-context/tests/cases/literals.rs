//! The details that the sources can give, found in their text.

use std::fmt;
use std::path::{Path, PathBuf};

/// A text in the sources that may be a detail.
pub(crate) struct Literal {
    pub(crate) text: String,
    file: String,
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {}", self.text, self.file)
    }
}

/// Texts that no rejection of a case's carries, by the file they are in.
const NO_DETAILS: &[(&str, &str)] = &[
    ("event_client.rs", "of clients of Kafka, which are no requests: tests/event_client.rs"),
    ("sender.rs", "of who sends telemetry, which no role establishes: tests/sender.rs"),
    ("event_context.rs", "of events, which are bound to what stands in them: tests/event_context.rs"),
    ("jwt/jwk.rs", "of a key set that is refused, on the tick: JwkError"),
    ("jwt/json.rs", "for serde"),
    ("jwt/sealed.rs", "a domain of a MAC"),
    ("slot.rs", "a domain of a MAC"),
];

/// A case is one look at a request.
const OPEN: &str = "said of requests that are open already: tests/standing.rs";
const EVENTS: &str = "a case brings no event: tests/event_context.rs";
const FETCHED: &str = "a case fetched nothing from Kafka: tests/mesh.rs";
const PLATFORM: &str =
    "cases here are of tenants; `cases/decide/scope` of `authorization` asks for what is the platform's";
/// Details that no case can reach, and why.
pub(crate) const UNREACHED: &[(&str, &str)] = &[
    ("the API key", "the name of a source, which stands in the details of conflicts"),
    ("the root context", "the name of a source, which stands in the details of conflicts"),
    ("no source proves a tenant", "edge and inbound look first whether anything is proved; this is the second lock"),
    ("the token does not name this tenant", "the tenant was picked among those of the token; this is the second lock"),
    ("the host gives no random bytes", "no request can bring that about; `root_memo.rs` does"),
    ("the bundle no longer knows the issuer", "a token counts under the bundle revision it was verified under"),
    ("the tenant of an open request may no longer act", OPEN),
    ("who made this open request is no longer listed for its tenant", OPEN),
    ("the issuer of its token no longer names this tenant", OPEN),
    ("the overlay revokes its API key", OPEN),
    ("its API key is not in the bundle any more", OPEN),
    ("its signer may no longer sign for this tenant", OPEN),
    ("its peer is not taken without a context any more", OPEN),
    ("who sent the event may not sign for this tenant any more", EVENTS),
    ("the context of the event", EVENTS),
    ("the workload fetched records of this tenant, but not lately", FETCHED),
    ("nobody saw the workload fetch records of this tenant", FETCHED),
    ("a gateway is no platform principal, nor is who is behind it", PLATFORM),
    ("what is the platform's is asked for without a root context", PLATFORM),
];

/// All texts of at least three words in the code of `sources`, but for tests and comments.
pub(crate) fn details(
    sources: &Path,
    read: &dyn Fn(&Path) -> String,
    list: &dyn Fn(&Path) -> Vec<PathBuf>,
) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut open = vec![sources.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(list(&path));
            continue;
        }
        let file = path.strip_prefix(sources).unwrap().to_string_lossy().into_owned();
        if NO_DETAILS.iter().any(|(other, _)| file == *other) {
            continue;
        }
        let code = read(&path);
        let code = code.split("#[cfg(test)]").next().unwrap();
        found.extend(
            strings(code).into_iter().filter(|s| is_sentence(s)).map(|text| Literal { text, file: file.clone() }),
        );
    }
    found
}

/// MAC domains end with NUL; the one template that stands for a whole text is no sentence.
fn is_sentence(text: &str) -> bool {
    text.split(' ').filter(|word| !word.is_empty()).count() >= 3 && !text.ends_with("\\0")
}

/// The string literals of Rust code without raw strings.
fn strings(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in joined(code).lines() {
        let mut rest = line;
        loop {
            let comment = rest.find("//");
            let Some(quote) = rest.find('"') else { break };
            if comment.is_some_and(|at| at < quote) {
                break;
            }
            // A quote that is a character or a byte is none.
            if rest[..quote].ends_with('\'') && rest[quote + 1..].starts_with('\'') {
                rest = &rest[quote + 2..];
                continue;
            }
            let after = &rest[quote + 1..];
            let mut escaped = false;
            let Some(end) = after.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            }) else {
                break;
            };
            found.push(after[..end].replace("\\\\", "\\"));
            rest = &after[end + 1..];
        }
    }
    found
}

/// Lines that end with `\` are continued without the blanks that follow.
fn joined(code: &str) -> String {
    let mut out = String::new();
    let mut continued = false;
    for line in code.lines() {
        let line = if continued { line.trim_start() } else { line };
        continued = line.ends_with('\\') && !line.trim_start().starts_with("//");
        match line.strip_suffix('\\').filter(|_| continued) {
            Some(start) => out.push_str(start),
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// Whether `detail` is what `format!` makes of `template`.
pub(crate) fn fits(template: &str, detail: &str) -> bool {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        parts.push(before);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    parts.push(rest);
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 {
        return template == detail;
    }
    let Some(mut middle) = detail.strip_prefix(first).and_then(|d| d.strip_suffix(last)) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some((_, after)) = middle.split_once(part) else { return false };
        middle = after;
    }
    true
}
