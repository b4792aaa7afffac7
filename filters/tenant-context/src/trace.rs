//! `traceparent` and `tracestate` (W3C Trace Context, sections 3.2 and 3.3): the two headers that
//! tracing libraries carry from an incoming request to the outgoing ones it causes.

use std::fmt;

use crate::{Handle, Headers, Single};

/// The most members a `tracestate` may have (section 3.3.1.1).
const MAX_MEMBERS: usize = 32;
/// The longest `tracestate` that is carried on, in bytes.
const MAX_STATE: usize = 4096;
const OURS: &str = "pw";

/// A valid `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// Which trace the request belongs to.
    pub trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// The request's `traceparent`, if it has exactly one and that is valid.
    pub fn of(headers: Headers<'_>) -> Option<Self> {
        match headers.single("traceparent") {
            Single::Once(value) => Self::parse(value),
            Single::Absent | Single::Repeated => None,
        }
    }

    /// Reads version 00, and of later versions the part that version 00 defines.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = str::from_utf8(value).ok()?;
        let mut parts = text.split('-');
        let [version] = hex::<1>(parts.next()?)?;
        let trace_id = hex::<16>(parts.next()?)?;
        let parent_id = hex::<8>(parts.next()?)?;
        let [flags] = hex::<1>(parts.next()?)?;
        let rest = parts.next();
        let valid = version != 0xff && trace_id != [0; 16] && parent_id != [0; 8] && (version != 0 || rest.is_none());
        valid.then_some(Self { trace_id, parent_id, flags })
    }

    /// The id that all hops of a request share.
    pub fn trace_id(&self) -> &[u8; 16] {
        &self.trace_id
    }

    /// A fresh one, for requests that come without. `random` must not be all zeros in either part.
    pub fn mint(random: [u8; 24]) -> Self {
        let mut trace_id = [0; 16];
        let mut parent_id = [0; 8];
        let (a, b) = random.split_at(16);
        trace_id.copy_from_slice(a);
        parent_id.copy_from_slice(b);
        Self { trace_id, parent_id, flags: 0 }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace_id.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str("-")?;
        self.parent_id.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

/// A `tracestate` split into our members and everybody else's.
#[derive(Debug, PartialEq, Eq)]
pub struct TraceState {
    /// The values of all `pw=` members.
    pub ours: Vec<String>,
    /// Whether something was there that cannot be carried on: too long, or not text.
    pub unreadable: bool,
    others: Vec<String>,
}

impl TraceState {
    /// Reads all `tracestate` headers together, in order (section 3.3.1). What is not text, or too
    /// long, is dropped whole: vendors' members are a convenience, never worth a failed request.
    pub fn of(headers: Headers<'_>) -> Self {
        let mut state = Self { ours: Vec::new(), unreadable: false, others: Vec::new() };
        let total: usize = headers.all("tracestate").map(<[u8]>::len).sum();
        state.unreadable = total > MAX_STATE || headers.all("tracestate").any(|v| str::from_utf8(v).is_err());
        if total > MAX_STATE {
            return state;
        }
        let values = headers.all("tracestate").filter_map(|v| str::from_utf8(v).ok());
        for member in values.flat_map(|v| v.split(',')).map(str::trim).filter(|m| !m.is_empty()) {
            match member.split_once('=') {
                Some((OURS, value)) => state.ours.push(value.to_owned()),
                _ => state.others.push(member.to_owned()),
            }
        }
        state
    }

    /// The members of others, with `handle` in front of them; `None` when nothing is left to send.
    pub fn with(&self, handle: Option<&Handle>) -> Option<String> {
        let own = handle.map(|h| format!("{OURS}={h}"));
        let room = MAX_MEMBERS - usize::from(own.is_some());
        let mut sent = own.unwrap_or_default();
        for member in self.others.iter().take(room) {
            // A whole member or none (section 3.3.1.5), and never more than we would read ourselves.
            if sent.len() + 1 + member.len() > MAX_STATE {
                break;
            }
            if !sent.is_empty() {
                sent.push(',');
            }
            sent.push_str(member);
        }
        (!sent.is_empty()).then_some(sent)
    }
}

/// Exactly `2 * N` lower-case hex digits.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut out = [0; N];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_comes_back_as_it_was() {
        assert_eq!(TraceParent::parse(GOOD.as_bytes()).unwrap().to_string(), GOOD);
    }

    #[test]
    fn invalid_traceparents_are_none() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(TraceParent::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn tracestate_keeps_others_and_splits_ours() {
        let headers = vec![
            ("tracestate".to_string(), b"a=1, pw=x,b=2".to_vec()),
            ("tracestate".to_string(), b"pw=y, ,c=3".to_vec()),
            ("tracestate".to_string(), b"d=\xff".to_vec()),
        ];
        let state = TraceState::of(Headers(&headers));
        assert_eq!(state.ours, ["x", "y"]);
        assert_eq!(state.with(None).unwrap(), "a=1,b=2,c=3");
        assert!(state.unreadable, "one of them was not text");
    }

    #[test]
    fn what_is_sent_could_be_read_again() {
        let long = (0..31).map(|n| format!("v{n}={}", "x".repeat(126))).collect::<Vec<_>>().join(",");
        let headers = vec![("tracestate".to_string(), long.into_bytes())];
        let sent = TraceState::of(Headers(&headers)).with(Some(&Handle::new(1, [7; 16]))).unwrap();
        assert!(sent.len() <= MAX_STATE && sent.starts_with("pw="), "{}", sent.len());
        let headers = vec![("tracestate".to_string(), vec![b'a'; MAX_STATE + 1])];
        assert!(TraceState::of(Headers(&headers)).unreadable);
    }

    #[test]
    fn at_most_32_members_leave() {
        let many = (0..40).map(|n| format!("v{n}=1")).collect::<Vec<_>>().join(",");
        let headers = vec![("tracestate".to_string(), many.into_bytes())];
        let handle = Handle::new(1, [7; 16]);
        let sent = TraceState::of(Headers(&headers)).with(Some(&handle)).unwrap();
        assert_eq!(sent.split(',').count(), 32);
        assert!(sent.starts_with(&format!("pw={handle},v0=1,")));
    }
}
