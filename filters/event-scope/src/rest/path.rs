//! Paths: found in the table, with the names in them mapped. Also those in links, on their way back.

use super::table::{self, Route};
use super::{Peers, Refused, Version};
use crate::kafka::session::{Kind, Mapped, World};

/// How a client calls a server, so that links lead it there again and not past the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// From the scheme and authority of a request; `None` where one of them is none.
    pub fn new(scheme: &str, authority: &str) -> Option<Self> {
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let good =
            matches!(scheme, "http" | "https") && (1..=300).contains(&authority.len()) && authority.bytes().all(host);
        good.then(|| Self([scheme, "://", authority].concat()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A path that the table has.
pub(super) struct Found {
    pub(super) route: &'static Route,
    /// As the server gets it.
    pub(super) path: String,
    /// The broker's name of the topic in it.
    pub(super) topic: Option<Vec<u8>>,
}

/// Finds the route of a request and maps what its path names.
pub(super) fn find(version: Version, method: &str, target: &str, peers: &Peers<'_>) -> Result<Found, Refused> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let segments = segments(path).ok_or(Refused::Unclear("a path that could be read in two ways"))?;
    let route = table::routes(version).iter().find(|route| route.method == method && matches(route.path, &segments));
    let route = route.ok_or(Refused::Unmapped)?;
    let mut out = String::new();
    let mut topic = None;
    map(route.path, &segments, &mut out, &mut topic, |kind, name, broker| {
        let mut mapped = Vec::new();
        match kind {
            Segment::Name(kind) => match peers.world.inward(kind, name, &mut mapped) {
                Mapped::Yes => Ok(mapped),
                Mapped::Denied | Mapped::Invalid => Err(Refused::Name(kind)),
            },
            Segment::Partition => {
                let number = number(name).ok_or(Refused::Partition)?;
                let broker = broker.ok_or(Refused::Partition)?;
                let number = peers.world.partition_inward(broker, number).ok_or(Refused::Partition)?;
                Ok(number.to_string().into_bytes())
            }
        }
    })?;
    if let Some(query) = query {
        check_query(query, route.query)?;
        out.push('?');
        out.push_str(query);
    }
    Ok(Found { route, path: out, topic })
}

/// Appends the tenant's form of a path in a link; `None` where it is none that is known, or of what is not the tenant's.
pub(super) fn outward(version: Version, path: &str, world: &dyn World, out: &mut String) -> Option<()> {
    let segments = segments(path)?;
    let templates = table::routes(version).iter().map(|route| route.path);
    let linked = table::LINKED.iter().copied();
    let template = linked.chain(templates).find(|template| matches(template, &segments))?;
    let mut topic = None;
    // The name that came is the broker's: partitions are counted by it.
    let mapped = map(template, &segments, out, &mut topic, |kind, name, broker| {
        let mut mapped = Vec::new();
        match kind {
            Segment::Name(kind) => world.outward(kind, name, &mut mapped).then_some(mapped).ok_or(Refused::Foreign),
            Segment::Partition => {
                let number =
                    number(name).zip(broker).and_then(|(number, topic)| world.partition_outward(topic, number));
                number.map(|number| number.to_string().into_bytes()).ok_or(Refused::Foreign)
            }
        }
    });
    mapped.ok()
}

/// What a segment is.
enum Segment {
    Name(Kind),
    Partition,
}

/// Appends the path with its names mapped. `topic` is the broker's name of the topic in it: the mapped one of a request,
/// and of a link the one that came.
fn map(
    template: &str,
    segments: &[Vec<u8>],
    out: &mut String,
    topic: &mut Option<Vec<u8>>,
    mut mapped: impl FnMut(Segment, &[u8], Option<&[u8]>) -> Result<Vec<u8>, Refused>,
) -> Result<(), Refused> {
    for (place, segment) in template.split('/').skip(1).zip(segments) {
        out.push('/');
        let kind = match place {
            "{topic}" => Segment::Name(Kind::Topic),
            "{group}" => Segment::Name(Kind::Group),
            "{partition}" => Segment::Partition,
            _ => {
                encode(segment, out);
                continue;
            }
        };
        let is_topic = matches!(kind, Segment::Name(Kind::Topic));
        let new = mapped(kind, segment, topic.as_deref())?;
        if is_topic {
            *topic = Some(new.clone());
        }
        encode(&new, out);
    }
    Ok(())
}

fn matches(template: &str, segments: &[Vec<u8>]) -> bool {
    let mut places = template.split('/').skip(1);
    let same = segments.iter().all(|segment| match places.next() {
        Some("{topic}" | "{group}" | "{partition}") => true,
        Some(place) if place.starts_with('{') => is_word(segment),
        Some(place) => place.as_bytes() == segment,
        None => false,
    });
    same && places.next().is_none()
}

/// What may stand where no name does. A hyphen alone stands for all of them in v3.
fn is_word(segment: &[u8]) -> bool {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    segment.len() <= 255 && segment != b"-" && segment.iter().all(legal)
}

/// What stands between slashes, decoded; `None` where a server could read it in another way.
pub(super) fn segments(path: &str) -> Option<Vec<Vec<u8>>> {
    path.strip_prefix('/')?.split('/').map(segment).collect()
}

fn segment(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            // In a path it is itself, and some servers take it for a space.
            b'+' | b'#' | b'?' => return None,
            _ if byte.is_ascii_graphic() => byte,
            _ => return None,
        });
    }
    let odd = |byte: &u8| matches!(byte, b'/' | b'\\' | b';' | b'%' | b'?' | b'#' | 0..=0x1f | 0x7f);
    let good = !matches!(out.as_slice(), b"" | b"." | b"..") && !out.iter().any(odd) && str::from_utf8(&out).is_ok();
    good.then_some(out)
}

/// Appends a segment, with everything encoded that need not stand for itself.
pub(super) fn encode(segment: &[u8], out: &mut String) {
    use std::fmt::Write as _;
    for byte in segment {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A partition, as it is written and in no other way.
pub(super) fn number(text: &[u8]) -> Option<i32> {
    let text = str::from_utf8(text).ok()?;
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    plain.then(|| text.parse().ok()).flatten()
}

fn check_query(query: &str, known: &[&str]) -> Result<(), Refused> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    let mut seen: Vec<&str> = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !known.contains(&key) {
            return Err(Refused::Unmapped);
        }
        if seen.contains(&key) || !value.bytes().all(legal) {
            return Err(Refused::Unclear("a query that could be read in two ways"));
        }
        seen.push(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_in_one_way_or_not_at_all() {
        let read = |path: &str| segments(path).map(|all| all.concat());
        assert_eq!(read("/topics/a%2Eb").as_deref(), Some(b"topicsa.b".as_slice()));
        for odd in [
            "topics",
            "/topics/",
            "//topics",
            "/topics/a%2fb",
            "/topics/..",
            "/topics/%2e%2e",
            "/topics/a;b",
            "/topics/%zz",
            "/topics/%",
            "/topics/a b",
            "/topics/a%00",
            "/topics/a%25b",
            "/topics/a\\b",
            "/topics/%ff",
            "/topics/a+b",
        ] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_partition_is_written_in_one_way() {
        assert_eq!((number(b"0"), number(b"12"), number(b"2147483647")), (Some(0), Some(12), Some(i32::MAX)));
        for odd in ["", "-1", "+1", "01", "1.0", "2147483648", " 1"] {
            assert_eq!(number(odd.as_bytes()), None, "{odd}");
        }
    }
}
