//! What is done with each API, as one would say it: a list beside that of the rules.

/// What is done with a version of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Passed,
    Denied(i16),
    /// A conversation of its own.
    Apart,
}

pub fn kind(api: i16, version: u8) -> Kind {
    match (api, version) {
        (17 | 18 | 36, _) => Kind::Apart,
        (3, 0..=3) | (24, 4..) | (66, 2..) | (71 | 72, _) => Kind::Denied(35),
        (29..=31 | 34 | 35 | 38..=41 | 43 | 45 | 46 | 48..=51 | 55 | 57 | 64 | 80 | 81 | 94, _) => Kind::Denied(31),
        _ => Kind::Passed,
    }
}
