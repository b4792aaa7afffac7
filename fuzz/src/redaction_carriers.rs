//! What must hold of bodies of telemetry, whatever an exporter sends. `filters/log-redaction/tests/fuzz_replay.rs` includes
//! this file and replays the corpus.

use partywall_log_redaction::carriers::{
    Carrier, Change, Kind, Leaves, Limits, Part, Place, Signal, Tag, Unit, Verdict,
};
use partywall_log_redaction::encodings::{Bounds, Decoder, Encoder, Encoding};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[
    ("redaction_otlp", otlp),
    ("redaction_otlp_json", otlp_json),
    ("redaction_otlp_grpc", otlp_grpc),
    ("redaction_loki", loki),
    ("redaction_loki_json", loki_json),
    ("redaction_bulk", bulk),
    ("redaction_hec", hec),
    ("redaction_ndjson", ndjson),
    ("redaction_json_array", json_array),
    ("redaction_zipkin", zipkin),
    ("redaction_lines", lines),
    ("redaction_encodings", encodings),
];

const LIMITS: Limits = Limits { record: 1 << 12, block: 1 << 14 };
const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Traces, Signal::Metrics];

/// The first byte of each says how long pieces are, the second what is answered; then comes the body.
pub fn otlp(bytes: &[u8]) {
    body(bytes, |what| Kind::OtlpBinary(signal(what)));
}

/// The JSON form.
pub fn otlp_json(bytes: &[u8]) {
    body(bytes, |what| Kind::OtlpJson(signal(what)));
}

/// Messages of gRPC.
pub fn otlp_grpc(bytes: &[u8]) {
    const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Snappy];
    body(bytes, |what| Kind::OtlpGrpc(signal(what), ENCODINGS[usize::from(what >> 6)]));
}

/// Loki's binary form, unfolded.
pub fn loki(bytes: &[u8]) {
    body(bytes, |_| Kind::LokiBinary);
}

/// Loki's JSON.
pub fn loki_json(bytes: &[u8]) {
    body(bytes, |_| Kind::LokiJson);
}

/// Bulk requests.
pub fn bulk(bytes: &[u8]) {
    body(bytes, |_| Kind::Bulk);
}

/// Events for HEC.
pub fn hec(bytes: &[u8]) {
    body(bytes, |_| Kind::HecEvent);
}

/// JSON on lines.
pub fn ndjson(bytes: &[u8]) {
    body(bytes, |_| Kind::Ndjson);
}

/// JSON in an array.
pub fn json_array(bytes: &[u8]) {
    body(bytes, |_| Kind::JsonArray);
}

/// Spans of Zipkin.
pub fn zipkin(bytes: &[u8]) {
    body(bytes, |_| Kind::Zipkin);
}

/// Lines of text and of syslog.
pub fn lines(bytes: &[u8]) {
    body(bytes, |_| Kind::Lines);
}

fn signal(what: u8) -> Signal {
    SIGNALS[usize::from(what >> 3) % SIGNALS.len()]
}

/// What is answered: nothing is changed, or no text with a `q` stays.
#[derive(Default)]
struct Redactor {
    changes: bool,
    looks: bool,
    drops: bool,
    tags: bool,
    open: usize,
    /// How many names were changed.
    keys: usize,
    /// The last leaf with a `q`.
    found: Option<String>,
}

impl Leaves for Redactor {
    fn looks(&self) -> bool {
        self.looks
    }

    fn begin(&mut self, _: Unit) {
        self.open += 1;
    }

    fn leaf(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        assert!(place.path.len() < 16 * LIMITS.block, "a path is bounded");
        if !text.contains(&b'q') {
            return Change::Keep;
        }
        self.found = Some(format!("{:?} {}: {}", place.slot, place.path.escape_ascii(), text.escape_ascii()));
        if !self.changes {
            return Change::Keep;
        }
        if self.drops && place.part != Part::Key {
            return Change::DropField;
        }
        let mut without: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'q').collect();
        if place.part == Part::Key {
            // As masks have a fingerprint: two names must not become one, nor one that the format knows.
            self.keys += 1;
            without.extend_from_slice(format!("~{}", self.keys).as_bytes());
        }
        Change::Replace(without)
    }

    fn end(&mut self) -> Verdict {
        self.open -= 1;
        if !self.tags {
            return Verdict::Keep;
        }
        Verdict::Tag(vec![Tag { name: "tag".into(), value: "1".into() }])
    }
}

/// In pieces or whole, the same goes on, and the same is refused; each unit that began ends; what is held is bounded; where
/// nothing is changed nothing changes; and of what goes on nothing is left that was to go.
fn body(bytes: &[u8], kind: impl Fn(u8) -> Kind) {
    let [size, what, body @ ..] = bytes else { return };
    let kind = kind(*what);
    let redactor = || Redactor {
        changes: what & 1 != 0,
        looks: what & 2 != 0,
        drops: what & 4 != 0,
        tags: what & 0x20 != 0,
        ..Redactor::default()
    };
    let whole = run(kind, body, usize::MAX, &mut redactor());
    let cut = run(kind, body, usize::from(*size).max(1), &mut redactor());
    assert_eq!(whole, cut, "in pieces of {size}");
    let Some((out, untouched)) = whole else { return };
    if untouched {
        assert_eq!(out, body);
    }
    // A line of text may be JSON when something of it is gone.
    if what & 1 != 0 && kind != Kind::Lines {
        let mut again = Redactor::default();
        // What was added may have made it longer than what is held.
        let limits = Limits { record: 8 * LIMITS.record, block: 8 * LIMITS.block };
        let read = within(limits, kind, &out, usize::MAX, &mut again);
        assert!(read.is_some(), "{kind:?}: {}", out.escape_ascii());
        assert_eq!(again.found, None, "{kind:?}: {} of {}", out.escape_ascii(), body.escape_ascii());
    }
}

/// What goes on, and whether that is what came; `None` where it is refused.
fn run(kind: Kind, body: &[u8], size: usize, redactor: &mut Redactor) -> Option<(Vec<u8>, bool)> {
    within(LIMITS, kind, body, size, redactor)
}

fn within(limits: Limits, kind: Kind, body: &[u8], size: usize, redactor: &mut Redactor) -> Option<(Vec<u8>, bool)> {
    let (mut carrier, mut out) = (Carrier::new(kind, limits), Vec::new());
    let mut read = body.chunks(size).try_for_each(|piece| {
        let read = carrier.push(piece, false, redactor, &mut out);
        assert!(carrier.held() <= 2 * limits.block + piece.len() + (64 << 10));
        read
    });
    read = read.and_then(|()| carrier.push(b"", true, redactor, &mut out));
    assert_eq!(redactor.open, 0);
    if let Err(refusal) = read {
        assert!(kind.refused(&refusal).status >= 200);
        return None;
    }
    let counts = carrier.counts();
    let untouched = counts.changed + counts.dropped + counts.units_dropped + counts.tagged + counts.unread() == 0;
    Some((out, untouched))
}

/// The second byte says how it is encoded. In pieces or whole, it unfolds to the same, no further than it may; and what
/// is written again unfolds to that.
pub fn encodings(bytes: &[u8]) {
    const ENCODINGS: [Encoding; 5] =
        [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd, Encoding::Snappy, Encoding::SnappyFramed];
    let [size, what, body @ ..] = bytes else { return };
    let encoding = ENCODINGS[usize::from(*what) % ENCODINGS.len()];
    let whole = unfold(encoding, body, usize::MAX);
    assert_eq!(whole, unfold(encoding, body, usize::from(*size).max(1)));
    let Some(text) = whole else { return };
    let (mut encoder, mut out) = (Encoder::new(encoding), Vec::new());
    encoder.push(&text, true, &mut out).expect("it fits");
    assert_eq!(unfold(encoding.written(), &out, usize::MAX), Some(text));
}

fn unfold(encoding: Encoding, body: &[u8], size: usize) -> Option<Vec<u8>> {
    let bounds = Bounds { most: 1 << 20, ratio: 2000, free: 1 << 16, block: 1 << 20 };
    let (mut decoder, mut out) = (Decoder::new(encoding, bounds), Vec::new());
    let mut take = |text: &[u8]| {
        out.extend_from_slice(text);
        Ok(())
    };
    let read = body.chunks(size).try_for_each(|piece| decoder.push(piece, false, &mut take));
    read.and_then(|()| decoder.push(b"", true, &mut take)).ok()?;
    assert!(out.len() <= bounds.most);
    Some(out)
}
