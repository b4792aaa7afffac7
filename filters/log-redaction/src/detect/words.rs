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
/// The longest word that is known, in bytes.
const LONGEST: usize = 40;

/// Words by their hash: a table twice as large as there are, at least, so that one look tells most words from them.
pub(super) struct Words {
    all: Vec<(&'static [u8], Bit)>,
    slots: Vec<u16>,
}

const SLOTS: usize = 4096;
const EMPTY: u16 = u16::MAX;

fn hash(word: &[u8]) -> usize {
    let hash = word.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 15) as usize % SLOTS
}

impl Words {
    pub(super) fn new() -> Self {
        let mut all: Vec<(&[u8], Bit)> = Vec::new();
        let own = KNOWN.iter().flat_map(|(bit, words)| words.iter().map(move |word| (word.as_bytes(), *bit)));
        all.extend(own);
        for (index, id) in ids::all().enumerate() {
            all.extend(id.words.iter().map(|word| (word.as_bytes(), ids::bit(index))));
        }
        all.sort_unstable();
        let mut words: Vec<(&[u8], Bit)> = Vec::with_capacity(all.len());
        for (word, bit) in all {
            match words.last_mut() {
                Some(last) if last.0 == word => last.1 |= bit,
                _ => words.push((word, bit)),
            }
        }
        let mut slots = vec![EMPTY; SLOTS];
        for (index, (word, _)) in words.iter().enumerate() {
            let mut at = hash(word);
            while slots.get(at).is_some_and(|slot| *slot != EMPTY) {
                at = (at + 1) % SLOTS;
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = index as u16;
            }
        }
        Self { all: words, slots }
    }

    fn of(&self, word: &[u8]) -> Bit {
        let mut at = hash(word);
        // INVARIANT: fewer words than slots, so an empty one comes.
        while let Some(index) = self.slots.get(at).filter(|slot| **slot != EMPTY) {
            match self.all.get(usize::from(*index)) {
                Some(known) if known.0 == word => return known.1,
                _ => at = (at + 1) % SLOTS,
            }
        }
        0
    }

    /// What the words of `text` speak of: runs of letters, parted where a lower-case letter is followed by an upper-case
    /// one, and any two neighbours of them together.
    pub(super) fn speak_of(&self, text: &[u8]) -> Bit {
        let mut bits = 0;
        self.each(text, |_, bit| bits |= bit);
        bits
    }

    /// As `speak_of`, for the name of a field, and what its last word speaks of.
    pub(super) fn name(&self, name: &[u8]) -> (Bit, Bit) {
        let (mut bits, mut last) = (0, 0);
        self.each(name, |single, bit| {
            bits |= bit;
            if single {
                last = bit;
            }
        });
        (bits, last)
    }

    fn each(&self, text: &[u8], mut say: impl FnMut(bool, Bit)) {
        // The word before and this one, in lower case, one after the other.
        let mut both = [0_u8; 2 * LONGEST];
        let (mut split, mut length) = (0, 0);
        let mut flush = |both: &mut [u8; 2 * LONGEST], split: &mut usize, length: &mut usize| {
            if *length > *split {
                let pair = both.get(..*length).unwrap_or_default();
                if *split > 0 {
                    say(false, self.of(pair));
                }
                say(true, self.of(pair.get(*split..).unwrap_or_default()));
                // What came last is the first of the next pair.
                both.copy_within(*split..*length, 0);
                *length -= *split;
                *split = *length;
                if *length > LONGEST {
                    (*split, *length) = (0, 0);
                }
            }
        };
        let mut before = b' ';
        for byte in text {
            let letter = byte.is_ascii_alphabetic() || *byte >= 128;
            if !letter || before.is_ascii_lowercase() && byte.is_ascii_uppercase() {
                flush(&mut both, &mut split, &mut length);
            }
            if letter {
                match both.get_mut(length) {
                    Some(place) => {
                        *place = byte.to_ascii_lowercase();
                        length += 1;
                    }
                    None => (split, length) = (0, 0),
                }
            }
            before = *byte;
        }
        flush(&mut both, &mut split, &mut length);
    }
}

/// The words before `start`. Markers end them: what was masked says nothing of what was not.
pub(super) fn before<'t>(text: &Text<'t>, start: usize) -> &'t [u8] {
    let window = text.slice(start.saturating_sub(BEFORE), start);
    let stop = window.iter().rposition(|byte| matches!(byte, b']' | b'\n'));
    let before = window.get(stop.map_or(0, |stop| stop + 1)..).unwrap_or_default();
    // The window may start in the middle of a word, or of a marker.
    let cut = stop.is_none() && start > BEFORE;
    let from = if cut { before.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(before.len()) } else { 0 };
    let before = before.get(from..).unwrap_or_default();
    match before.iter().rposition(|byte| *byte == b'[') {
        Some(at) if before.get(at..).unwrap_or_default().starts_with(MARKER) => before.get(..at).unwrap_or_default(),
        _ => before,
    }
}

/// The words after `end`, as far as nothing else begins.
pub(super) fn after<'t>(text: &Text<'t>, end: usize) -> &'t [u8] {
    let after = text.slice(end, end.saturating_add(AFTER));
    let stop = after.iter().position(|byte| matches!(byte, b'[' | b'\n' | b',' | b';' | b'=' | b':' | b'"'));
    after.get(..stop.unwrap_or(after.len())).unwrap_or_default()
}
