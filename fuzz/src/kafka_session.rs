//! What must hold of a session of Kafka, whatever a client and a broker send it and in what pieces.
//! `filters/event-scope/tests/fuzz_replay.rs` includes this file and replays the corpus.

#[path = "../../filters/event-scope/tests/common/world.rs"]
pub mod world;

use partywall_event_scope::kafka::codec::{Editor, Mark, Place, Scratch, Verdict, request};
use partywall_event_scope::kafka::session::{Close, Options, Session, Step};
use world::{All, Prefix};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("kafka_session", session)];

/// The largest of everything.
const LARGEST: usize = 4096;
const OUTSTANDING: usize = 16;

/// The first byte says who it is and in what world. Then come pieces: a byte that says what happens, one that says how
/// long the piece is, and the piece, which the client (0) or the broker (1) sends; or the broker answers all that it was
/// asked so that nothing goes wrong (2), or a bundle changes (3), and a tenant is suspended (4).
///
/// Whatever goes to the broker is whole frames that are understood and name nothing but the tenant's; what goes to the
/// client is whole frames; a connection that ended stays so; and what is held is bounded.
pub fn session(bytes: &[u8]) {
    let Some((who, mut rest)) = bytes.split_first() else { return };
    let mut acme = Prefix::of("acme");
    acme.range = (who & 1 != 0).then_some((4, 3));
    acme.classic_only = who & 8 != 0;
    acme.port = (who & 2 != 0).then_some(9100);
    let mut all = All::of([acme, Prefix::of("rival")]);
    all.policy.odd = who & 4 != 0;
    all.directory.classic_only = who & 8 != 0;
    all.ids.names.borrow_mut().extend([([5; 16], b"acme.orders".to_vec()), ([6; 16], b"rival.orders".to_vec())]);
    let options = Options {
        largest_request: LARGEST,
        largest_response: LARGEST,
        largest_edits: 64 * LARGEST,
        largest_answers: 64 * LARGEST,
        outstanding: OUTSTANDING,
        topics: 100,
        traces: who & 64 != 0,
        large: if who & 32 != 0 { 1 } else { usize::MAX },
    };
    let mut session = Session::new(options);
    if who & 16 == 0 {
        session.identify("acme".into());
    }
    let (mut sent, mut told, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    let mut ended = false;
    while let [what, size, behind @ ..] = rest {
        let (piece, behind) = behind.split_at(usize::from(*size).min(behind.len()));
        rest = behind;
        let mut step = Step::default();
        match what % 5 {
            0 => {
                session.from_client(piece, &all.peers(), &mut step);
                sent.extend(&step.out);
                for frame in frames(&mut sent, who & 32 != 0) {
                    let frame = &*frame;
                    understood(frame, session.tenant().is_some() || who & 16 == 0);
                    asked.push([frame[4], frame[5], frame[6], frame[7]]);
                }
            }
            1 => {
                asked.clear();
                session.from_broker(piece, &all.peers(), &mut step);
                told.extend(&step.out);
                frames(&mut told, who & 32 != 0);
            }
            2 => {
                for correlation in asked.drain(..) {
                    let answer = [&[0, 0, 0, 10][..], &correlation, &[0; 6]].concat();
                    session.from_broker(&answer, &all.peers(), &mut step);
                }
                told.extend(&step.out);
                frames(&mut told, who & 32 != 0);
            }
            3 => session.stale(),
            _ => all.directory.suspended.borrow_mut().push("acme".to_owned()),
        }
        assert!(!ended || (step.out.is_empty() && step.close != Close::No || what % 5 > 1), "it goes on after its end");
        ended |= step.close == Close::Now;
        assert!(session.outstanding() <= OUTSTANDING);
        assert!(session.held() <= 1024 * LARGEST, "{} held", session.held());
        assert!(matches!(session.tenant(), None | Some("acme" | "rival")));
        assert!(who & 16 != 0 || session.tenant() == Some("acme"), "the certificate said so");
    }
}

/// Takes the whole frames out, without their lengths; a piece of one is left only where such go on.
fn frames(bytes: &mut Vec<u8>, pieces: bool) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = &**bytes;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let size = usize::try_from(i32::from_be_bytes(*length)).expect("a length");
        let Some((frame, behind)) = behind.split_at_checked(size) else { break };
        frames.push(frame.to_vec());
        rest = behind;
    }
    assert!(rest.is_empty() || pieces, "a piece of a frame");
    *bytes = rest.to_vec();
    frames
}

fn understood(frame: &[u8], known: bool) {
    let mut scratch = Scratch::default();
    let api = i16::from_be_bytes([frame[0], frame[1]]);
    let splice = request(frame, &mut Own { api }, &mut scratch).expect("nothing goes on that is not understood");
    assert!(splice.is_unchanged());
    assert!(known || [17, 18, 36].contains(&api), "nobody asks for {api}");
}

/// Holds every name to the tenant's.
struct Own {
    api: i16,
}

impl Editor for Own {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if matches!(place.mark, Mark::Topic | Mark::Group | Mark::Transaction | Mark::Key) {
            let name = place.bytes().unwrap_or(b"acme.");
            let own = [b"acme.".as_slice(), b"rival."].iter().any(|prefix| name.starts_with(prefix));
            // Metadata names a topic by its id alone, and has an empty name beside it.
            let none = self.api == 3 && name.is_empty();
            assert!(own || none || name == b"shared" || name == b"pool", "{}", name.escape_ascii());
        }
        Verdict::Keep
    }
}
