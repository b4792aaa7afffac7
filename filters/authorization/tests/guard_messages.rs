//! 5,000 generated bodies of gRPC: what passes, what is left out and what is masked is what an oracle says that knows
//! the messages and not their bytes.
#![allow(clippy::disallowed_macros, reason = "it says how much was tried")]

mod guard_support;

use partywall_authorization::guard::Refused;
use partywall_tenancy::{Foreign, ResponseFormat};

use guard_support::messages::{Held, Message, encode, framed};
use guard_support::{TENANT, every_cut, response, rules, walk};

const SAMPLES: u64 = 5_000;
const CAP: u32 = 1 << 16;
const PATHS: &[&str] = &["3", "1.3", "1.*.3", "2.1.*.3", "1.*.2.*.3.4", "1.*", "1.*.3 2"];

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// What `steps` lead to, each a number and whether it is repeated; of the other fields some of any kind.
    fn message(&mut self, steps: &[(u32, bool)], foreign: u64) -> Message {
        let mut message = Message::new();
        if let Some(((number, each), rest)) = steps.split_first() {
            let times = match (each, self.below(40)) {
                (true, _) => self.below(4),
                (false, 0) => 0,
                (false, 1..4) => 2,
                _ => 1,
            };
            for _ in 0..times {
                let held = if rest.is_empty() {
                    let other = foreign > 0 && self.one_in(foreign);
                    let name = if other { ["globex", "acme-2", "", "acm"][self.below(4) as usize] } else { TENANT };
                    Held::Text(name.into())
                } else {
                    Held::Message(self.message(rest, foreign))
                };
                message.push((*number, held));
            }
        }
        for _ in 0..self.below(4) {
            let number = [7, 8, 300, 70_000][self.below(4) as usize];
            let held = match self.below(3) {
                0 => Held::Number(self.0 >> self.below(64)),
                1 => Held::Text(vec![b'x'; self.below(200) as usize]),
                _ => Held::Message(vec![(3, Held::Text("globex".into()))]),
            };
            let at = self.below(message.len() as u64 + 1) as usize;
            message.insert(at, (number, held));
        }
        message
    }
}

#[derive(Default)]
struct Said {
    own: u64,
    foreign: u64,
    no_owner: bool,
}

/// Whether an owner in it is another's.
fn is_foreign(held: &Held, steps: &[(u32, bool)], said: &mut Said) -> bool {
    match (steps.split_first(), held) {
        (None, Held::Text(name)) => name != TENANT.as_bytes(),
        (Some(((number, _), rest)), Held::Message(fields)) => {
            let on_the_way: Vec<_> = fields.iter().filter(|(n, _)| n == number).collect();
            said.no_owner |= on_the_way.is_empty();
            on_the_way.iter().fold(false, |found, (_, held)| is_foreign(held, rest, said) || found)
        }
        _ => unreachable!("what is generated has messages on the way and a text at its end"),
    }
}

/// The message without its foreign elements, or with empty ones for them; `None` where it is one itself.
fn judged(held: &Held, steps: &[(u32, bool)], mask: bool, said: &mut Said) -> Option<Held> {
    if !steps.iter().any(|(_, each)| *each) {
        return settle(held, steps, mask, said);
    }
    let (Held::Message(fields), Some(((number, each), rest))) = (held, steps.split_first()) else { unreachable!() };
    let last = *each && !rest.iter().any(|(_, each)| *each);
    let fields = fields.iter().filter_map(|(n, held)| {
        let now = match (n == number, last) {
            (false, _) => held.clone(),
            (true, true) => settle(held, rest, mask, said)?,
            (true, false) => judged(held, rest, mask, said)?,
        };
        Some((*n, now))
    });
    Some(Held::Message(fields.collect()))
}

fn settle(held: &Held, steps: &[(u32, bool)], mask: bool, said: &mut Said) -> Option<Held> {
    if mask && [Held::Message(vec![]), Held::Text(vec![])].contains(held) {
        return Some(held.clone());
    }
    if !is_foreign(held, steps, said) {
        said.own += 1;
        return Some(held.clone());
    }
    said.foreign += 1;
    mask.then(|| Held::Message(vec![]))
}

fn steps(path: &str) -> Vec<(u32, bool)> {
    let mut steps: Vec<(u32, bool)> = Vec::new();
    for step in path.split('.') {
        match (step, steps.last_mut()) {
            ("*", Some(last)) => last.1 = true,
            (number, _) => steps.push((number.parse().unwrap(), false)),
        }
    }
    steps
}

#[test]
fn what_leaves_is_what_an_oracle_says() {
    let (mut clean, mut with_foreign, mut refused, mut walks) = (0, 0, 0, 0_u64);
    for sample in 0..SAMPLES {
        let mut random = Random(0x517C_C1B7_2722_0A95 ^ (sample + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let path = PATHS[random.below(PATHS.len() as u64) as usize];
        let ways: Vec<_> = path.split(' ').map(steps).collect();
        let foreign = [0, 3, 10][random.below(3) as usize];
        let bodies: Vec<Message> = (0..1 + random.below(3))
            .map(|_| ways.iter().flat_map(|steps| random.message(steps, foreign)).collect())
            .collect();
        let bytes: Vec<u8> = bodies.iter().flat_map(|message| framed(&encode(message))).collect();
        for what in [Foreign::Deny, Foreign::Drop, Foreign::Mask, Foreign::Report] {
            let mut said = Said::default();
            let mut expected = Vec::new();
            let mut left = 0;
            for message in &bodies {
                let mut now = Some(Held::Message(message.clone()));
                for steps in &ways {
                    let masked = what == Foreign::Mask && now == Some(Held::Message(vec![])) && !message.is_empty();
                    if let (false, Some(held)) = (masked, &now) {
                        let after = judged(held, steps, what == Foreign::Mask, &mut said);
                        // Only where something is taken away.
                        now = if matches!(what, Foreign::Drop | Foreign::Mask) { after } else { now };
                    }
                }
                if let Some(Held::Message(now)) = now {
                    left += 1;
                    expected.extend(framed(&encode(&now)));
                }
            }
            let nothing = left == 0;
            let rules = rules(&response(path, ResponseFormat::Grpc, what, CAP));
            let size = 1 + random.below(30) as usize;
            let cuts = match sample % 100 {
                0 => every_cut(&bytes),
                _ => vec![vec![&bytes[..]], bytes.chunks(size).collect()],
            };
            for chunks in cuts {
                walks += 1;
                let walked = walk(&rules, TENANT, chunks, CAP as usize);
                let shown = || format!("{what:?} {path} of {bodies:?}: {:?}", walked.outcome);
                if said.no_owner || nothing || (what == Foreign::Deny && said.foreign > 0) {
                    assert!(matches!(walked.outcome, Err(Refused::Foreign | Refused::NoOwner)), "{}", shown());
                    continue;
                }
                assert!(walked.outcome.is_ok(), "{}", shown());
                let expected = if said.foreign == 0 { &bytes } else { &expected };
                assert_eq!(&walked.left, expected, "{}", shown());
                assert_eq!(walked.counts.own, said.own, "{}", shown());
                let counts = walked.counts;
                assert_eq!(counts.dropped + counts.masked + counts.reported, said.foreign, "{}", shown());
            }
            if what == Foreign::Report {
                match (said.no_owner, said.foreign) {
                    (true, _) => refused += 1,
                    (_, 0) => clean += 1,
                    _ => with_foreign += 1,
                }
            }
        }
    }
    println!(
        "{SAMPLES} bodies, {walks} walks: {clean} clean, {with_foreign} with foreign elements, {refused} without an owner"
    );
    assert!(clean > 1_000 && with_foreign > 1_000 && refused > 100, "{clean} {with_foreign} {refused}");
}
