//! What must hold for whatever bytes a client or a broker of Kafka sends. `filters/event-scope/tests/fuzz_replay.rs`
//! includes this file and replays the corpus.

use partywall_event_scope::kafka::codec::{
    Api, Editor, Frames, Mark, Place, Reach, RequestHeader, Scratch, Splice, Value, Verdict, WalkError, answer, merge,
    merge_within, request, response,
};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("kafka", kafka)];

/// The longest frame that is taken.
const LARGEST: usize = 1024;
/// What is put before names.
const PREFIX: &[u8] = b"acme.";

/// The first three bytes say which way the rest goes, and of which API and version it is as a response; the rest is a
/// frame, and a stream of frames. What is walked is understood again and then kept, whatever was edited; names that got
/// a prefix are what they were when it is taken off; an answer is one that a client understands.
pub fn kafka(bytes: &[u8]) {
    let [choice, api, version, frame @ ..] = bytes else { return };
    let api = &Api::all()[usize::from(*api) % Api::all().len()];
    let versions = api.versions();
    let version = versions.start() + i16::from(*version) % (versions.end() - versions.start() + 1);
    let way = if choice & 1 == 0 { None } else { Some((api.key(), version)) };
    stream(frame);
    let kept = after(way, frame, &mut ());
    let renamed = after(way, frame, &mut Prefix::On);
    assert_eq!(kept.is_ok(), renamed.is_ok(), "names make no frame wrong");
    if let (Ok(kept), Ok(renamed)) = (kept, renamed) {
        // Not byte by byte: a length may be written longer than it has to be, and is not where it was changed.
        let back = after(way, &renamed, &mut Prefix::Off).expect("it was walked");
        assert_eq!(seen(way, &back), seen(way, &kept), "on and off again");
        assert!(back.len() <= kept.len());
        assert!(kept.len() <= frame.len());
        let _ = after(way, frame, &mut Choose(*choice));
    }
    let reach = if choice & 2 == 0 { Reach::Each } else { Reach::Whole };
    let mut told = Vec::new();
    if answer(frame, 29, reach, 32 * LARGEST, &mut told).is_ok() {
        let header = RequestHeader::read(frame).expect("it was answered");
        // ApiVersions of a version that nobody knows is answered in version 0.
        let (api, version) = (header.api, if header.known().is_ok() { header.version } else { 0 });
        let mut scratch = Scratch::default();
        let understood = response(api, version, &told[4..], &mut (), &mut scratch);
        assert!(understood.expect("a client reads it").is_unchanged());
        let mut scratch = Scratch::default();
        for merge in [merge, merge_within] {
            let Ok(both) = merge(api, version, &told[4..], &told[4..], &mut scratch) else { continue };
            let (both, mut scratch) = (both.to_vec(), Scratch::default());
            assert!(response(api, version, &both[4..], &mut (), &mut scratch).is_ok(), "twice as much");
        }
        assert!(told.len() <= (64 + 32 * frame.len()).min(32 * LARGEST), "{} for {}", told.len(), frame.len());
    }
}

/// However a stream is cut, the same frames come out, and no more is held than one of them.
fn stream(bytes: &[u8]) {
    let cut = |size: usize| {
        let mut frames = Frames::new(LARGEST);
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            frames.push(piece);
            loop {
                match frames.next() {
                    Ok(Some(frame)) => found.push(frame.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
            assert!(frames.held() < LARGEST + 4);
        }
        (found, None)
    };
    let whole = cut(bytes.len().max(1));
    for size in [1, 7] {
        assert_eq!(cut(size), whole, "cut by {size}");
    }
}

/// The frame after a walk, which must be understood again.
fn after(way: Option<(i16, i16)>, frame: &[u8], editor: &mut dyn Editor) -> Result<Vec<u8>, WalkError> {
    let mut scratch = Scratch::default();
    let splice = walk(way, frame, editor, &mut scratch)?;
    let sent = splice.to_vec();
    assert_eq!(sent.len(), splice.size() + 4);
    assert!(scratch.held() <= 64 * frame.len() + 4096, "{} held", scratch.held());
    let after = sent[4..].to_vec();
    let mut scratch = Scratch::default();
    assert!(walk(way, &after, &mut (), &mut scratch).expect("it was walked").is_unchanged());
    Ok(after)
}

/// What stands in the marked places.
fn seen(way: Option<(i16, i16)>, frame: &[u8]) -> Vec<(Mark, &'static str, String)> {
    let mut seen = See(Vec::new());
    let mut scratch = Scratch::default();
    walk(way, frame, &mut seen, &mut scratch).expect("it was walked");
    seen.0
}

struct See(Vec<(Mark, &'static str, String)>);

impl Editor for See {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        self.0.push((place.mark, place.within, format!("{:?} {:?} {:?}", place.value, place.kind, place.indexes)));
        Verdict::Keep
    }
}

fn walk<'f, 's>(
    way: Option<(i16, i16)>,
    frame: &'f [u8],
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
) -> Result<Splice<'f, 's>, WalkError> {
    match way {
        None => request(frame, editor, scratch),
        Some((api, version)) => response(api, version, frame, editor, scratch),
    }
}

/// Puts a prefix before names that are not too long for it, and takes it off.
enum Prefix {
    On,
    Off,
}

impl Editor for Prefix {
    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        let named = matches!(place.mark, Mark::Topic | Mark::Group | Mark::Transaction | Mark::Host | Mark::ClientId);
        let Some(name) = place.bytes().filter(|_| named) else { return Verdict::Keep };
        match self {
            Prefix::On if name.len() > 30_000 => return Verdict::Keep,
            Prefix::On => new.extend([PREFIX, name].concat()),
            Prefix::Off => new.extend(name.strip_prefix(PREFIX).unwrap_or(name)),
        }
        Verdict::Replace
    }
}

/// Does now this and now that, by the place and a byte.
struct Choose(u8);

impl Editor for Choose {
    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        self.0 = self.0.wrapping_mul(167).wrapping_add(13);
        let lists = u8::try_from(place.indexes.len()).expect("few");
        match (self.0 >> 5, place.value) {
            (0, _) if lists > 0 => Verdict::Drop(1),
            (1, _) if lists > 1 => Verdict::Drop(2),
            (2, Value::Number(_)) => Verdict::Number(1),
            (3, Value::Bytes(bytes)) => {
                new.extend(bytes.iter().rev());
                Verdict::Replace
            }
            _ => Verdict::Keep,
        }
    }
}
