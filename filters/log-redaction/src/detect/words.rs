//! The words beside a value and in its field's name: what they say that it is.

use super::ids;
use super::text::{MARKER, Text};

/// What a word speaks of, one bit each.
pub(super) type Bit = u128;

pub(super) const PHONE: Bit = 1;
pub(super) const CARD: Bit = 2;
pub(super) const PLACE: Bit = 4;
/// A field that is called so holds a secret, whatever it looks like.
pub(super) const SECRET: Bit = 8;
/// A field that is called so holds a secret, if it looks like one.
pub(super) const TOKEN: Bit = 16;
/// Said last in a field's name, it holds something about a secret.
pub(super) const ABOUT: Bit = 32;

const KNOWN: &[(Bit, &[&str])] = &[
    (
        PHONE,
        &[
            "phone",
            "phones",
            "phonenumber",
            "telephone",
            "tel",
            "telno",
            "telefon",
            "telefono",
            "teléfono",
            "telefone",
            "téléphone",
            "telefonnummer",
            "telefoon",
            "telefoonnummer",
            "mobile",
            "mobil",
            "mobilenumber",
            "mobiltelefon",
            "cell",
            "cellphone",
            "celular",
            "cellulare",
            "portable",
            "handy",
            "handynummer",
            "rufnummer",
            "rückruf",
            "anruf",
            "fax",
            "sms",
            "msisdn",
            "whatsapp",
            "call",
            "called",
            "caller",
            "callback",
            "dial",
            "dialed",
            "dialled",
            "contact",
            "hotline",
            "puhelin",
            "puhelinnumero",
            "numer",
            "komórka",
            "tlf",
            "tlfnr",
            "gsm",
            "móvil",
            "movil",
            "cep",
            "电话",
            "手机",
            "電話",
            "携帯",
            "전화",
            "телефон",
            "тел",
            "reach",
            "text",
            "voicemail",
            "ring",
            "imessage",
            "signal",
            "hp",
            "nomor",
        ],
    ),
    (
        CARD,
        &[
            "card",
            "cards",
            "cardnumber",
            "cardno",
            "pan",
            "creditcard",
            "debitcard",
            "credit",
            "debit",
            "cc",
            "ccn",
            "ccnum",
            "visa",
            "mastercard",
            "maestro",
            "amex",
        ],
    ),
    (
        PLACE,
        &[
            "lat",
            "latitude",
            "lon",
            "lng",
            "long",
            "longitude",
            "latlng",
            "latlon",
            "coord",
            "coords",
            "coordinate",
            "coordinates",
            "gps",
            "geo",
            "geolocation",
            "geopoint",
            "geoip",
            "location",
            "loc",
            "position",
            "point",
            "waypoint",
            "near",
            "latlong",
        ],
    ),
    (
        SECRET,
        &[
            "password",
            "passwords",
            "passwd",
            "passwort",
            "passphrase",
            "pwd",
            "pass",
            "userpass",
            "secret",
            "secrets",
            "clientsecret",
            "kennwort",
            "contraseña",
            "contrasena",
            "motdepasse",
            "senha",
            "wachtwoord",
            "hasło",
            "haslo",
            "lösenord",
            "losenord",
            "salasana",
            "adgangskode",
            "пароль",
            "密码",
            "パスワード",
            "privatekey",
            "secretkey",
            "credential",
            "credentials",
            "passcode",
            "userpassword",
            "dbpassword",
            "newpassword",
            "oldpassword",
            "otp",
            "pincode",
            "cvv",
            "cvc",
            "cvv2",
            "encryptionkey",
            "mnemonic",
            "seedphrase",
        ],
    ),
    (
        TOKEN,
        &[
            "token",
            "tokens",
            "apikey",
            "apitoken",
            "accesskey",
            "accesstoken",
            "refreshtoken",
            "authtoken",
            "idtoken",
            "authorization",
            "auth",
            "bearer",
            "jwt",
            "cookie",
            "setcookie",
            "session",
            "sessionid",
            "sessionkey",
            "sid",
            "csrf",
            "xsrf",
            "csrftoken",
            "signature",
            "sharedkey",
            "accountkey",
            "signingkey",
            "webhooksecret",
            "accesskeyid",
            "authkey",
            "servicekey",
            "masterkey",
            "connectionstring",
            "sas",
            "sastoken",
            "pat",
        ],
    ),
    (
        ABOUT,
        &[
            "count",
            "type",
            "types",
            "expires",
            "expiry",
            "expiration",
            "expired",
            "at",
            "in",
            "ttl",
            "age",
            "name",
            "names",
            "length",
            "len",
            "size",
            "limit",
            "policy",
            "url",
            "uri",
            "endpoint",
            "enabled",
            "disabled",
            "required",
            "valid",
            "status",
            "reset",
            "strength",
            "min",
            "max",
            "used",
            "usage",
            "rotation",
            "file",
            "path",
            "version",
            "issuer",
            "scope",
            "method",
            "provider",
            "field",
            "hint",
            "changed",
            "created",
            "updated",
            "error",
            "errors",
            "attempts",
            "failed",
            "time",
            "date",
            "kind",
            "mode",
            "state",
            "ref",
            "store",
            "manager",
            "arn",
            "algorithm",
            "alg",
            "duration",
            "timeout",
            "source",
            "prefix",
            "format",
            "index",
            "total",
            "per",
            "seconds",
            "ms",
            "budget",
            "window",
            "bucket",
            "rate",
            "fingerprint",
            "hash",
            "engine",
        ],
    ),
];

/// How far from a value words speak of it, in bytes before and after.
const BEFORE: usize = 48;
const AFTER: usize = 20;

/// Words by their hash alone: that of another word in a text may be the same once in millions, and then something is taken
/// for what it is not, which masks it.
pub(super) struct Words {
    /// A bit for each hash that is known: nearly all words of a text speak of nothing.
    some: [u64; SOME / 64],
    /// INVARIANT: half of them are empty at least, so that a search ends.
    slots: Vec<(u32, Bit)>,
}

const SLOTS: usize = 2048;
const SOME: usize = 16384;
/// What hashes are a polynomial of: an odd number without any order in its bits.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a word with one more byte: modulo 2^64, so that what two words make together is known from theirs.
fn with(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(u64::from(byte))
}

/// The bits of a hash that depend on all of its word.
fn mixed(hash: u64) -> u32 {
    (hash.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 32) as u32
}

fn slot(hash: u32) -> usize {
    (hash >> 16) as usize % SLOTS
}

/// The word of `Words::some`, and the bit in it.
fn mark(hash: u32) -> (usize, u32) {
    let at = hash as usize % SOME;
    (at / 64, at as u32 % 64)
}

/// Letters in lower case, and bytes of UTF-8 beyond ASCII; 0 for all else.
const LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut byte = 0;
    #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
    while byte < 256 {
        let one = byte as u8;
        letters[byte] = if one.is_ascii_alphabetic() || one >= 128 { one.to_ascii_lowercase() } else { 0 };
        byte += 1;
    }
    letters
};

impl Words {
    pub(super) fn new() -> Self {
        let mut words = Self { some: [0; SOME / 64], slots: vec![(0, 0); SLOTS] };
        for (bit, list) in KNOWN {
            list.iter().for_each(|word| words.add(word, *bit));
        }
        for (index, id) in ids::all().enumerate() {
            id.words.iter().for_each(|word| words.add(word, ids::bit(index)));
        }
        words
    }

    fn add(&mut self, word: &str, bit: Bit) {
        let hash = mixed(word.bytes().fold(0, with));
        let (place, nth) = mark(hash);
        if let Some(place) = self.some.get_mut(place) {
            *place |= 1 << nth;
        }
        let mut at = slot(hash);
        while let Some(place) = self.slots.get_mut(at) {
            if place.1 == 0 || place.0 == hash {
                *place = (hash, place.1 | bit);
                return;
            }
            at = (at + 1) % SLOTS;
        }
    }

    #[inline]
    fn of(&self, hash: u64) -> Bit {
        let hash = mixed(hash);
        let (place, nth) = mark(hash);
        if self.some.get(place).is_none_or(|place| place >> nth & 1 == 0) {
            return 0;
        }
        self.known(hash)
    }

    /// What the word of that hash speaks of, if it is known at all.
    #[cold]
    fn known(&self, hash: u32) -> Bit {
        let mut at = slot(hash);
        while let Some((known, bit)) = self.slots.get(at) {
            if *bit == 0 || *known == hash {
                return *bit;
            }
            at = (at + 1) % SLOTS;
        }
        0
    }

    /// What the words of `text` speak of: runs of letters, parted where a lower-case letter is followed by an upper-case
    /// one, and any two neighbours of them together.
    pub(super) fn speak_of(&self, text: &[u8]) -> Bit {
        self.name(text).0
    }

    /// As `speak_of`, for the name of a field, and what its last word speaks of.
    pub(super) fn name(&self, name: &[u8]) -> (Bit, Bit) {
        let (mut bits, mut last) = (0, 0);
        // The word before; and of this one its hash, and what a hash is multiplied with to have this one after it.
        let (mut before, mut single, mut power) = (None, 0_u64, 1_u64);
        let mut after_lower = false;
        for byte in name {
            let letter = LETTERS.get(usize::from(*byte)).copied().unwrap_or_default();
            // A letter that is another in lower case is a capital.
            if power != 1 && (letter == 0 || after_lower && letter != *byte) {
                last = self.of(single);
                bits |= last | before.map_or(0, |before: u64| self.of(before.wrapping_mul(power).wrapping_add(single)));
                (before, single, power) = (Some(single), 0, 1);
            }
            if letter != 0 {
                (single, power) = (with(single, letter), power.wrapping_mul(BASE));
            }
            after_lower = byte.is_ascii_lowercase();
        }
        if power != 1 {
            last = self.of(single);
            bits |= last | before.map_or(0, |before| self.of(before.wrapping_mul(power).wrapping_add(single)));
        }
        (bits, last)
    }
}

/// The words before `start`. Markers end them: what was masked says nothing of what was not.
pub(super) fn before<'t>(text: &Text<'t>, start: usize) -> &'t [u8] {
    let window = text.slice(start.saturating_sub(BEFORE), start);
    let (mut from, mut open) = (0, None);
    for (at, byte) in window.iter().enumerate().rev() {
        match byte {
            b']' | b'\n' => {
                from = at + 1;
                break;
            }
            b'[' if open.is_none() => open = Some(at),
            _ => {}
        }
    }
    // The window may start in the middle of a word, or of a marker.
    if from == 0 && start > BEFORE {
        from = window.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(window.len());
    }
    let marker = open.filter(|open| window.get(*open..).unwrap_or_default().starts_with(MARKER));
    window.get(from..marker.unwrap_or(window.len())).unwrap_or_default()
}

/// The words after `end`, as far as nothing else begins.
pub(super) fn after<'t>(text: &Text<'t>, end: usize) -> &'t [u8] {
    let after = text.slice(end, end.saturating_add(AFTER));
    let stop = after.iter().position(|byte| matches!(byte, b'[' | b'\n' | b',' | b';' | b'=' | b':' | b'"'));
    after.get(..stop.unwrap_or(after.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What words of `text` speak of, each looked up as it is written.
    fn plain(text: &[u8]) -> (Bit, Bit) {
        let mut all: Vec<Vec<u8>> = Vec::new();
        let mut before = None;
        for byte in text {
            let letter = byte.is_ascii_alphabetic() || *byte >= 128;
            let capital = byte.is_ascii_uppercase() && before.is_some_and(|byte: u8| byte.is_ascii_lowercase());
            if before.is_none_or(|before| !before.is_ascii_alphabetic() && before < 128) || capital {
                all.push(Vec::new());
            }
            if letter && let Some(last) = all.last_mut() {
                last.push(byte.to_ascii_lowercase());
            }
            before = Some(*byte);
        }
        all.retain(|word| !word.is_empty());
        let of = |word: &[u8]| {
            let in_list = |list: &&[&str]| list.iter().any(|known| known.as_bytes() == word);
            let known = KNOWN.iter().filter(|(_, list)| in_list(list)).fold(0, |bits, (bit, _)| bits | bit);
            let ids = ids::all().enumerate().filter(|(_, id)| in_list(&id.words));
            ids.fold(known, |bits, (index, _)| bits | ids::bit(index))
        };
        let pairs = all.windows(2).fold(0, |bits, two| bits | of(&two.concat()));
        (all.iter().fold(pairs, |bits, word| bits | of(word)), all.last().map_or(0, |word| of(word)))
    }

    #[test]
    fn hashes_say_of_words_and_pairs_what_their_letters_do() {
        let words = Words::new();
        let lists = KNOWN.iter().map(|(_, list)| *list).chain(ids::all().map(|id| id.words));
        let all: Vec<&str> = lists.flatten().copied().collect();
        let mut state = 3_u64;
        let mut below = |end: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % end
        };
        let mut speaking = 0;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..1 + below(4) {
                let word = all[below(all.len())];
                let ends: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
                let (from, to) = (ends[below(2)], ends[ends.len() - 1 - below(2) % ends.len()]);
                let part = word.get(from..to).unwrap_or_default();
                text.push_str(&if below(3) == 0 { part.to_uppercase() } else { part.to_owned() });
                text.push_str(["", " ", "_", ": ", "1", "P"][below(6)]);
            }
            let plain = plain(text.as_bytes());
            assert_eq!(words.name(text.as_bytes()), plain, "{text}");
            speaking += usize::from(plain.0 != 0);
        }
        assert!(speaking > 5_000, "{speaking} speak of something");
    }
}
