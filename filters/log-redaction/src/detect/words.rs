//! The words beside a value and in its field's name: what they say that it is.

mod beside;
mod marks;

pub(super) use self::beside::{Quiet, after, before};
use self::marks::Marks;
use super::ids;

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
/// What is asked of words beside a value, rather than of the name of a field.
const BESIDE: Bit = !(SECRET | TOKEN | ABOUT);

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

/// Words by their hash alone: that of another word in a text may be the same once in millions, and then something is taken
/// for what it is not, which masks it.
pub(super) struct Words {
    /// Of what stands beside values, and of all, as names of fields.
    beside: Ends,
    all: Ends,
    /// INVARIANT: half of them are empty at least, so that a search ends.
    slots: Vec<(u32, Bit)>,
}

/// By the first letter and the length of a word of ASCII, a bit for each letter that one ends with: nearly all words of a text
/// speak of nothing, and are not read for that.
type Ends = [u32; 32 * LONGER];

const SLOTS: usize = 2048;
/// More bytes than any word of ASCII has.
const LONGER: usize = 32;
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

/// Which letter of the alphabet it is, whatever the case.
fn nth(letter: u8) -> usize {
    usize::from(letter & 31)
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

/// The letter that a byte is, in lower case; 0 where it is none.
#[inline]
fn letter(byte: u8) -> u8 {
    LETTERS.get(usize::from(byte)).copied().unwrap_or_default()
}

impl Words {
    pub(super) fn new() -> Self {
        let mut words = Self { beside: [0; 32 * LONGER], all: [0; 32 * LONGER], slots: vec![(0, 0); SLOTS] };
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
        if let (Some(first), Some(last)) = (word.bytes().next(), word.bytes().last()) {
            let at = nth(first) * LONGER + word.len() % LONGER;
            let ends = [(BESIDE, &mut self.beside), (Bit::MAX, &mut self.all)];
            for (_, ends) in ends.into_iter().filter(|(of, _)| of & bit != 0) {
                ends.get_mut(at).into_iter().for_each(|lasts| *lasts |= 1 << nth(last));
            }
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

    /// What the word of that hash speaks of, if it is known at all.
    fn of(&self, hash: u64) -> Bit {
        let hash = mixed(hash);
        let mut at = slot(hash);
        while let Some((known, bit)) = self.slots.get(at) {
            if *bit == 0 || *known == hash {
                return *bit;
            }
            at = (at + 1) % SLOTS;
        }
        0
    }

    /// What the words of the name of a field speak of, and what its last word does: runs of letters, parted where a lower-case
    /// letter is followed by an upper-case one, and any two neighbours of them together.
    pub(super) fn name(&self, name: &[u8]) -> (Bit, Bit) {
        match Marks::of(name, 0, name.len()) {
            Some(marks) => {
                let read = self.read(name, &marks, &self.all, &[]);
                (read.bits, read.last)
            }
            None => self.name_by_bytes(name),
        }
    }

    /// As `name`, of words in at most 64 bytes of ASCII which may be among `ends`, and the last word of what stands before.
    fn read<'t>(&self, text: &'t [u8], marks: &Marks, ends: &Ends, before: &'t [u8]) -> Read<'t> {
        let may_be = |first: u8, last: u8, length: usize| {
            length < LONGER && ends.get(nth(first) * LONGER + length).is_some_and(|lasts| lasts >> nth(last) & 1 == 1)
        };
        let of = |word: &[u8], hash| word.iter().fold(hash, |hash, byte| with(hash, byte | 0x20));
        let mut read = Read { bits: 0, last: 0, word: before };
        let mut starts = marks.starts();
        while starts != 0 {
            let at = starts.trailing_zeros() as usize;
            starts &= starts - 1;
            let length = ((!marks.letters | starts) >> at).trailing_zeros() as usize;
            let before = read.word;
            read.word = text.get(at..text.len().min(at + length)).unwrap_or_default();
            let (Some(first), Some(end)) = (read.word.first(), read.word.last()) else { break };
            read.last = if may_be(*first, *end, read.word.len()) { self.of(of(read.word, 0)) } else { 0 };
            read.bits |= read.last;
            if let Some(first) = before.first()
                && may_be(*first, *end, before.len() + read.word.len())
            {
                read.bits |= self.of(of(read.word, of(before, 0)));
            }
        }
        read
    }

    /// As `name`, whatever the bytes are and however many.
    fn name_by_bytes(&self, name: &[u8]) -> (Bit, Bit) {
        let (mut bits, mut last) = (0, 0);
        // The word before; and of this one its hash, and what a hash is multiplied with to have this one after it.
        let (mut before, mut single, mut power) = (None, 0_u64, 1_u64);
        let mut after_lower = false;
        for byte in name {
            let letter = letter(*byte);
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

/// What was read of words.
struct Read<'t> {
    bits: Bit,
    /// What the last one speaks of, and the last one.
    last: Bit,
    word: &'t [u8],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

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
        let mut below = random(3);
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
            assert_eq!(words.name_by_bytes(text.as_bytes()), plain, "{text}");
            speaking += usize::from(plain.0 != 0);
        }
        assert!(speaking > 5_000, "{speaking} speak of something");
    }
}
