//! How fast detection is on ordinary log lines, beside sixteen patterns of the crate `regex` in turn.
//!
//!     cargo run --release --example detect_bench -p partywall-log-redaction
//!
//! A file given as argument is taken instead of made-up lines; `ONLY=email,card` and `WITHOUT=key` choose detectors.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::unwrap_used, reason = "a tool on a desk")]

#[path = "../tests/labelled/mod.rs"]
mod labelled;

use std::hint::black_box;
use std::time::{Duration, Instant};

use partywall_log_redaction::detect::{Detectors, Hint, Scratch, Selection};
use regex::bytes::Regex;

const SIXTEEN: &[&str] = &[
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"\b(?:\d[ -]?){13,16}\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
    r"(?i)\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\b",
    r"\+?\d{1,3}[ .-]?\(?\d{2,4}\)?[ .-]?\d{3,4}[ .-]?\d{3,4}",
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bghp_[A-Za-z0-9]{36}\b",
    r"\bsk_live_[A-Za-z0-9]{24,}\b",
    r"(?i)bearer\s+[A-Za-z0-9._~+/-]+=*",
    r#"(?i)(?:password|passwd|pwd|secret)["']?\s*[:=]\s*["']?[^\s"',;]+"#,
    r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b",
    r"[a-z]+://[^/\s:]+:[^@\s]+@",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
];

/// The best of as many passes as two seconds hold, in MB/s.
fn speed(bytes: usize, mut pass: impl FnMut()) -> f64 {
    let (begun, mut best) = (Instant::now(), Duration::MAX);
    while begun.elapsed() < Duration::from_secs(3) {
        let start = Instant::now();
        pass();
        best = best.min(start.elapsed());
    }
    bytes as f64 / best.as_secs_f64() / 1e6
}

fn main() {
    let lines: Vec<Vec<u8>> = match std::env::args().nth(1) {
        Some(file) => std::fs::read(file).unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect(),
        None => labelled::ordinary(4_000).into_iter().map(String::into_bytes).collect(),
    };
    let bytes: usize = lines.iter().map(Vec::len).sum();
    let begun = Instant::now();
    let list =
        |name: &str| std::env::var(name).map(|all| all.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let detectors =
        Detectors::new(&Selection { only: list("ONLY"), without: list("WITHOUT"), custom: Vec::new() }).unwrap();
    println!("built in {:?}", begun.elapsed());
    let (mut scratch, mut found) = (Scratch::new(&detectors), Vec::new());
    let mut findings = 0;
    let ours = speed(bytes, || {
        findings = 0;
        for line in &lines {
            detectors.find(&mut scratch, line, Hint::default(), &mut found);
            findings += found.len();
        }
    });
    println!("{} lines, {:.1} MB, {findings} findings", lines.len(), bytes as f64 / 1e6);
    println!("detectors          {ours:8.1} MB/s");
    println!("states and caches  {:8.2} MB", scratch.memory() as f64 / 1e6);
    let joined = lines.join(&b'\n');
    let whole = speed(bytes, || detectors.find(&mut scratch, &joined, Hint::default(), &mut found));
    println!("  in one text      {whole:8.1} MB/s");
    if std::env::var("ONLY").is_ok() || std::env::var("WITHOUT").is_ok() {
        return;
    }
    let patterns: Vec<Regex> = SIXTEEN.iter().map(|pattern| Regex::new(pattern).unwrap()).collect();
    let theirs = speed(bytes, || {
        for line in &lines {
            for pattern in &patterns {
                black_box(pattern.find_iter(line).count());
            }
        }
    });
    println!("sixteen in turn    {theirs:8.1} MB/s");
    println!("ratio              {:8.1}", ours / theirs);
}
