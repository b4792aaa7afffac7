//! What stands around an `@`: an address of mail, or the name and password of a URL.

use super::catalog::Built;
use super::text::{
    ALNUM, COLON, DASH, DIGIT, DOT, HEX, HIGH, LETTER, MARKER, PERCENT, PLUS, QUOTE, REST, SLASH, SPACE, TILDE, Text,
    UNDERSCORE, is,
};
use super::{Candidate, Look, Strength};

/// The longest local part and domain: RFC 5321, 4.5.3.1.
const LOCAL: usize = 64;
const DOMAIN: usize = 255;
/// The longest name and password before a host.
const USERINFO: usize = 256;

/// Bytes of a local part that logs do not use for something else. RFC 5322 allows more.
const IN_LOCAL: u32 = ALNUM | DOT | UNDERSCORE | DASH | PLUS | TILDE | HIGH;
const IN_DOMAIN: u32 = ALNUM | DOT | DASH | HIGH;

/// Schemes whose URLs lead to data or brokers.
const DATABASES: &[&str] = &[
    "postgres",
    "postgresql",
    "mysql",
    "mysqlx",
    "mariadb",
    "mongodb",
    "mongodb+srv",
    "redis",
    "rediss",
    "valkey",
    "amqp",
    "amqps",
    "mssql",
    "sqlserver",
    "oracle",
    "cockroachdb",
    "clickhouse",
    "cassandra",
    "couchbase",
    "couchbases",
    "couchdb",
    "neo4j",
    "neo4j+s",
    "bolt",
    "influxdb",
    "elasticsearch",
    "opensearch",
    "memcached",
    "nats",
    "kafka",
    "mqtt",
    "mqtts",
    "ldap",
    "ldaps",
    "jdbc",
    "db2",
    "snowflake",
    "redshift",
    "trino",
    "presto",
    "vertica",
    "firebird",
    "hdb",
    "tarantool",
    "arangodb",
    "sqlalchemy",
    "psycopg2",
    "pymysql",
    "asyncpg",
    "pg",
    "libsql",
    "duckdb",
    "tidb",
    "yugabyte",
    "timescaledb",
    "mysql2",
    "sybase",
];

/// Whether a name ends so that follows an `@` and is no domain: as files and systemd's units do.
fn is_of_file(ending: &[u8]) -> bool {
    let mut lower = [0; 7];
    let Some(place) = lower.get_mut(..ending.len()) else { return false };
    place.copy_from_slice(ending);
    place.make_ascii_lowercase();
    matches!(
        &*place,
        b"png"
            | b"jpg"
            | b"jpeg"
            | b"gif"
            | b"svg"
            | b"webp"
            | b"avif"
            | b"ico"
            | b"js"
            | b"mjs"
            | b"cjs"
            | b"jsx"
            | b"tsx"
            | b"css"
            | b"scss"
            | b"less"
            | b"json"
            | b"map"
            | b"html"
            | b"xml"
            | b"yaml"
            | b"yml"
            | b"txt"
            | b"log"
            | b"tgz"
            | b"gz"
            | b"tar"
            | b"jar"
            | b"war"
            | b"dll"
            | b"exe"
            | b"service"
            | b"socket"
            | b"timer"
            | b"target"
            | b"mount"
            | b"slice"
            | b"scope"
            | b"path"
            | b"device"
            | b"swap"
            | b"java"
            | b"class"
            | b"go"
            | b"cpp"
            | b"hpp"
            | b"woff"
            | b"woff2"
            | b"ttf"
            | b"pdf"
            | b"conf"
            | b"lock"
    )
}

/// What ends at the `@` before `end`, or goes on after it.
pub(super) fn at_sign(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let at = end.checked_sub(1)?;
    if let Some(found) = userinfo(look, at) {
        return found;
    }
    if let Some(found) = dsn(look, at) {
        return Some(found);
    }
    email(look, at)
}

fn email(look: &Look<'_>, at: usize) -> Option<Candidate> {
    if stands_alone(&look.text, at) { None } else { email_around(look, at) }
}

/// Whether something stands beside an `@` that no address has there.
fn stands_alone(text: &Text<'_>, at: usize) -> bool {
    text.is_before(at, SPACE | DOT | SLASH | COLON) || text.is(at + 1, SPACE | QUOTE | SLASH | COLON)
}

fn email_around(look: &Look<'_>, at: usize) -> Option<Candidate> {
    let text = &look.text;
    let start = local(look, at)?;
    let end = domain(look, at + 1)?;
    // `git@github.com:team/repository.git` names a machine's account.
    if text.at(end) == Some(b':') && matches!(text.slice(start, at), b"git" | b"hg" | b"svn") {
        return None;
    }
    look.found(Built::Email, start, end, Strength::Shaped)
}

fn local(look: &Look<'_>, at: usize) -> Option<usize> {
    let text = &look.text;
    if text.before(at) == Some(b'"') {
        // "ada l"@example.com: RFC 5321 calls it a Quoted-string.
        let inside = text.run_back(IN_LOCAL | SPACE, at - 1, LOCAL);
        return (inside < at - 1 && text.before(inside) == Some(b'"')).then(|| inside - 1);
    }
    let mut start = text.run_back(IN_LOCAL, at, LOCAL);
    // O'Neil@…, and bounce+ada=example.com@…, which would else lose their beginning.
    if text.before(start) == Some(b'\'') && !text.opens(start - 1, LETTER) && start < at {
        start = text.run_back(IN_LOCAL, start - 1, LOCAL);
    } else if text.before(start) == Some(b'=') {
        let before = text.run_back(IN_LOCAL, start - 1, LOCAL);
        if text.slice(before, start - 1).contains(&b'+') {
            start = before;
        }
    }
    while start < at && text.is(start, DOT | DASH | PLUS | TILDE) {
        start += 1;
    }
    let whole = start < at && !text.is_before(at, DOT);
    (whole && !text.is_before(start, PERCENT)).then_some(start)
}

fn domain(look: &Look<'_>, from: usize) -> Option<usize> {
    let text = &look.text;
    if text.at(from) == Some(b'[') {
        let head = if text.starts_folded(from + 1, b"ipv6:") { from + 6 } else { from + 1 };
        let end = text.run(HEX | DOT | COLON, head, 64);
        return (text.at(end) == Some(b']') && end > from + 7).then_some(end + 1);
    }
    // Text without blanks may follow: `ada@example.com，`.
    let found = top_level(look, from, IN_DOMAIN);
    if found.is_some() || !text.slice(from, text.run(IN_DOMAIN, from, DOMAIN)).iter().any(|byte| *byte >= 128) {
        return found;
    }
    top_level(look, from, IN_DOMAIN & !HIGH)
}

/// Where the domain of bytes of `class` ends that starts at `from`.
fn top_level(look: &Look<'_>, from: usize, class: u32) -> Option<usize> {
    let text = &look.text;
    let mut end = text.run(class, from, DOMAIN);
    while end > from && text.is_before(end, DOT | DASH) {
        end -= 1;
    }
    let whole = text.slice(from, end);
    let dot = whole.iter().rposition(|byte| *byte == b'.')?;
    let top = whole.get(dot + 1..)?;
    if top.len() < 2 {
        return None;
    }
    let mut labels = whole.split(|byte| *byte == b'.');
    if !labels.all(|label| !label.is_empty() && label.len() <= 63 && !label.starts_with(b"-")) {
        return None;
    }
    let letters = top.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 128).count();
    let punycode = top.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"xn--"));
    if punycode {
        return Some(end);
    }
    // What is glued to it is not of it: `ada@example.com-7`.
    let word = top.get(..letters)?;
    ((2..=24).contains(&letters) && !is_of_file(word)).then_some(end - top.len() + letters)
}

/// The name and password before the `@` of a URL: none of one, one that may stay, or one.
#[allow(clippy::option_option, reason = "a URL's name that stays must not be taken for mail")]
fn userinfo(look: &Look<'_>, at: usize) -> Option<Option<Candidate>> {
    let text = &look.text;
    let (found, slashes) = behind_scheme(text, at)?;
    // https://host/~ada@example.com: what stands before the first `/` is a host.
    if slashes > 0 && !text.slice(found, at).contains(&b':') || found == at {
        return None;
    }
    let info = text.slice(found, at);
    if slashes > 0 {
        let mut parts = info.split(|byte| matches!(byte, b'/' | b':'));
        let colon = info.iter().position(|byte| *byte == b':');
        let host = info.iter().position(|byte| *byte == b'/') < colon;
        let port = parts.nth(1).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
        if host || port || info.contains(&b'@') {
            return None;
        }
    }
    if matches!(info, b"git" | b"hg" | b"svn")
        || info.windows(MARKER.len()).any(|window| window == MARKER)
        || placeholder(info)
    {
        return Some(None);
    }
    let scheme = text.run_back(ALNUM | PLUS | DOT | DASH, found - 3, 32);
    let scheme = text.slice(scheme, found - 3);
    let database = DATABASES.iter().any(|name| {
        let bare = scheme.split(|byte| *byte == b'+').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(name.as_bytes()) || bare.eq_ignore_ascii_case(name.as_bytes())
    });
    let built = if database { Built::Database } else { Built::Userinfo };
    Some(look.found(built, found, at, Strength::Checked))
}

/// Where the name before an `@` starts that stands in a URL, and how many slashes are in it.
fn behind_scheme(text: &Text<'_>, at: usize) -> Option<(usize, usize)> {
    let before = text.all().get(at.saturating_sub(USERINFO + 1)..at)?;
    let (mut slashes, mut signs, mut start) = (0, 0, at);
    let found = before.iter().rev().find_map(|byte| {
        let here = start;
        start -= 1;
        // Nearly all bytes are no sign of anything.
        if !is(*byte, SLASH | SPACE | QUOTE | REST) && *byte > b' ' {
            return None;
        }
        match byte {
            0..=b' ' | b'"' | b'<' | b'>' | b'`' | b'?' => return Some(None),
            b'/' if text.all().get(..here).is_some_and(|all| all.ends_with(b"://")) => return Some(Some(here)),
            b'/' => slashes += 1,
            // A password may have one; with more of them a text of nothing else would be walked again and again.
            b'@' if signs > 0 => return Some(None),
            b'@' => signs += 1,
            _ => {}
        }
        None
    });
    text.spend(at - start);
    Some((found??, slashes))
}

fn placeholder(info: &[u8]) -> bool {
    matches!(info, b"REDACTED:REDACTED" | b"REDACTED" | b"***:***" | b"user:***")
}

/// `user:password@tcp(host:3306)/name` of Go, `user/password@//host` of Oracle.
fn dsn(look: &Look<'_>, at: usize) -> Option<Candidate> {
    let text = &look.text;
    if !matches!(text.at(at + 1)?, b't' | b'T' | b'u' | b'U' | b'c' | b'C' | b'/') {
        return None;
    }
    let go = [&b"tcp("[..], b"unix(", b"udp(", b"cloudsql("].iter().any(|after| text.starts_folded(at + 1, after));
    let thin = text.starts(at + 1, b"//");
    if !go && !thin {
        return None;
    }
    let mut start = at;
    while at - start < 128 && text.before(start).is_some_and(|byte| byte > b' ' && !super::text::is(byte, QUOTE)) {
        if matches!(text.before(start), Some(b'=' | b',' | b'(')) {
            break;
        }
        start -= 1;
    }
    if thin {
        // jdbc:oracle:thin:scott/tiger@//host
        let slash = text.run_back(ALNUM | UNDERSCORE | DASH | SLASH | HIGH | DIGIT, at, 128);
        start = start.max(slash);
    }
    let info = text.slice(start, at);
    let split = if go { b':' } else { b'/' };
    let split = info.iter().position(|byte| *byte == split)?;
    (split > 0 && split + 1 < info.len()).then_some(())?;
    look.found(Built::Database, start, at, Strength::Checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detectors, Selection};
    use crate::random::random;

    /// As `behind_scheme`, sign by sign.
    fn plain(text: &[u8], at: usize) -> Option<(usize, usize)> {
        let (mut slashes, mut signs) = (0, 0);
        for (nth, byte) in text[at.saturating_sub(USERINFO + 1)..at].iter().rev().enumerate() {
            if *byte <= b' ' || b"\"<>`?".contains(byte) {
                return None;
            }
            if *byte == b'/' && text[..at - nth].ends_with(b"://") {
                return Some((at - nth, slashes));
            }
            slashes += usize::from(*byte == b'/');
            signs += usize::from(*byte == b'@');
            if signs > 1 {
                return None;
            }
        }
        None
    }

    #[test]
    fn a_name_in_a_url_starts_where_it_does_sign_by_sign() {
        let mut below = random(37);
        let (mut some, mut none) = (0, 0);
        for _ in 0..100_000 {
            let length = if below(50) == 0 { 300 } else { below(20) };
            let mut text = if below(2) == 0 { b"x://".to_vec() } else { Vec::new() };
            for _ in 0..length {
                text.push(if below(12) == 0 { below(256) as u8 } else { b"ab:/@c1.-_%"[below(11)] });
            }
            let found = behind_scheme(&Text::new(&text), text.len());
            assert_eq!(found, plain(&text, text.len()), "{}", String::from_utf8_lossy(&text));
            some += usize::from(found.is_some());
            none += usize::from(found.is_none());
        }
        assert!(some > 10_000 && none > 10_000, "{some}, {none}");
    }

    #[test]
    fn an_at_sign_that_stands_alone_is_of_no_address() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let (mut alone, mut addresses) = (0, 0);
        for before in 0..=255 {
            for after in 0..=255 {
                for around in [&b" a.aaa"[..], b" \"baa[", b"\"a a.d"] {
                    let [a, b, c, d, e, f] = around.try_into().unwrap();
                    let text = [a, b, before, b'@', after, c, d, e, f, b'o', b'm'];
                    let look = Look::new(&text, &detectors.rules, b"", (0, 0));
                    let found = email_around(&look, 3);
                    assert!(found.is_none() || !stands_alone(&look.text, 3), "{}", String::from_utf8_lossy(&text));
                    alone += usize::from(stands_alone(&look.text, 3));
                    addresses += usize::from(found.is_some());
                }
            }
        }
        assert!(alone > 1_000 && addresses > 1_000, "{alone} alone, {addresses} addresses");
    }
}
