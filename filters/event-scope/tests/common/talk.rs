//! A connection through a session, and frames of a few bytes that are said on it.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use partywall_event_scope::kafka::session::{Close, Options, Session, Step};

use super::world::{All, Prefix};

pub const STAND_IN: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
pub const STAND_IN_ANSWER: [u8; 14] = [0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0];

pub fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let frame = parts.concat();
    [i32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), &frame].concat()
}

/// A request with the correlation id 7 and the client id `app`.
pub fn request(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    framed(&[&api.to_be_bytes(), &version.to_be_bytes(), &[0, 0, 0, 7, 0, 3], b"app", body])
}

/// The same as the broker gets it, with the client id of `acme`.
pub fn as_acme(request: &[u8]) -> Vec<u8> {
    framed(&[&request[4..12], &[0, 8], b"acme.app", &request[17..]])
}

pub fn response(body: &[u8]) -> Vec<u8> {
    framed(&[&[0, 0, 0, 7], body])
}

pub fn text(text: &str) -> Vec<u8> {
    [i16::try_from(text.len()).unwrap().to_be_bytes().as_slice(), text.as_bytes()].concat()
}

pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    [i32::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), bytes].concat()
}

pub fn compact(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes()].concat()
}

pub struct Talk {
    pub all: All,
    pub session: Session,
}

impl Talk {
    pub fn nobody() -> Self {
        let all = All::of([Prefix::of("acme"), Prefix::of("rival")]);
        Self { all, session: Session::new(Options::default()) }
    }

    pub fn acme() -> Self {
        let mut talk = Self::nobody();
        talk.session.identify("acme".into());
        talk
    }

    pub fn ask(&mut self, bytes: &[u8]) -> Step {
        let mut step = Step::default();
        self.session.from_client(bytes, &self.all.peers(), &mut step);
        step
    }

    pub fn tell(&mut self, bytes: &[u8]) -> Step {
        let mut step = Step::default();
        self.session.from_broker(bytes, &self.all.peers(), &mut step);
        step
    }

    /// A request that is passed on, and what the broker says to it.
    pub fn exchange(&mut self, bytes: &[u8], answer: &[u8]) -> Step {
        let step = self.ask(bytes);
        assert_eq!((step.close, step.trouble), (Close::No, None));
        assert!(!step.out.is_empty());
        self.tell(answer)
    }

    pub fn handshake(&mut self, mechanism: &str) {
        let step = self.exchange(&request(17, 1, &text(mechanism)), &response(&[0, 0, 0, 0, 0, 0]));
        assert_eq!(step.out, response(&[0, 0, 0, 0, 0, 0]));
    }

    /// Shows something; the broker answers with an error and bytes.
    pub fn show(&mut self, message: &[u8], error: i16, answer: &[u8]) -> Step {
        let step = self.ask(&request(36, 0, &bytes(message)));
        assert_eq!(step.close, Close::No, "{:?}", step.trouble);
        let answer = response(&[&error.to_be_bytes()[..], &[0xff, 0xff], &bytes(answer)].concat());
        self.tell(&answer)
    }
}

/// Heartbeat of a group: passed for whoever is somebody.
pub fn heartbeat() -> Vec<u8> {
    request(12, 0, &[text("g"), vec![0, 0, 0, 1], text("m")].concat())
}
