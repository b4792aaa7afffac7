//! The labelled set: log lines of many kinds made from fixed seeds, with the bytes that must not leave and by which
//! detector. No line is anybody's: names, numbers and keys are made up here.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by tests and examples, each of which uses a part"
)]

pub mod noise;
pub mod random;
pub mod values;

use random::Random;

/// A line, the name of the field it stands in, and what is labelled in it.
pub struct Line {
    pub text: String,
    pub key: String,
    pub spans: Vec<(usize, usize, String)>,
}

impl Line {
    /// As a line of JSONL.
    pub fn json(&self) -> String {
        let spans: Vec<_> = self
            .spans
            .iter()
            .map(|(start, end, detector)| serde_json::json!({"start": start, "end": end, "detector": detector}))
            .collect();
        let mut line = serde_json::json!({"text": self.text, "spans": spans});
        if !self.key.is_empty() {
            line["key"] = self.key.clone().into();
        }
        line.to_string()
    }
}

/// Lines of logs in which nothing is to be found.
pub fn ordinary(count: usize) -> Vec<String> {
    let mut random = Random::new(0x0d1_ba5e);
    (0..count).map(|index| noise::line(&mut random, index)).collect()
}

/// The set: at least 2,000 lines, the same in every run.
pub fn set() -> Vec<Line> {
    let mut random = Random::new(0x5eed_0007);
    let mut lines = Vec::new();
    for round in 0..40 {
        for kind in values::KINDS {
            let value = (kind.make)(&mut random);
            lines.push(wrap(&mut random, kind, &value, round));
        }
    }
    for index in 0..1080 {
        lines.push(Line { text: noise::line(&mut random, index), key: String::new(), spans: Vec::new() });
    }
    lines
}

/// Puts a value into a line as somebody might have logged it.
fn wrap(random: &mut Random, kind: &values::Kind, value: &str, round: usize) -> Line {
    let field = random.pick(kind.fields);
    let (before, after) = match round % 10 {
        0 => (
            format!("{} INFO [http-nio-8080-exec-3] c.e.shop.Handler - {field}: ", noise::stamp(random)),
            " accepted".to_owned(),
        ),
        1 => (
            format!("time={} level=info msg=\"record stored\" {field}=", noise::stamp(random)),
            format!(" took={}ms", random.below(900)),
        ),
        2 => (
            format!(
                "Nov {:2} 20:{:02}:{:02} web-{} app[{}]: {field} ",
                1 + random.below(28),
                random.below(60),
                random.below(60),
                random.below(9),
                random.below(30000)
            ),
            String::new(),
        ),
        3 => (
            format!("{{\"ts\":\"{}\",\"level\":\"warn\",\"{field}\":\"", noise::stamp(random)),
            format!("\",\"trace_id\":\"{}\"}}", random.hex(32)),
        ),
        4 => (
            format!("Caused by: java.lang.IllegalStateException: cannot store {field} '"),
            "'\n\tat com.example.Orders.store(Orders.java:118)".to_owned(),
        ),
        5 => (format!("The customer gave the {field} "), " on the form, please check it.".to_owned()),
        6 => (
            format!("[{}] DEBUG worker#{} payload={{{field}: ", noise::stamp(random), random.below(64)),
            "}".to_owned(),
        ),
        7 => (
            format!(
                "I1129 20:{:02}:11.{:06}       1 server.go:{}] \"updated\" {field}=\"",
                random.below(60),
                random.below(1_000_000),
                random.below(900)
            ),
            "\"".to_owned(),
        ),
        8 => {
            (format!("{} | {} | {field} | ", noise::stamp(random), random.hex(16)), format!(" | {}", random.below(100)))
        }
        _ => (String::new(), String::new()),
    };
    // Some kinds stand in a text of their own, with the field's name beside it.
    let key = if before.is_empty() { field.to_owned() } else { String::new() };
    let (inner_before, inner, inner_after) = values::parts(value);
    let start = before.len() + inner_before.len();
    let text = format!("{before}{inner_before}{inner}{inner_after}{after}");
    Line { spans: vec![(start, start + inner.len(), kind.detector.to_owned())], text, key }
}
