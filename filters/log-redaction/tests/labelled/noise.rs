//! Lines without anything to find, and among them what looks as if there were.

use super::random::Random;

pub fn stamp(random: &mut Random) -> String {
    format!(
        "2026-11-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + random.below(30),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000)
    )
}

fn uuid(random: &mut Random) -> String {
    format!("{}-{}-4{}-a{}-{}", random.hex(8), random.hex(4), random.hex(3), random.hex(3), random.hex(12))
}

const PATHS: &[&str] =
    &["/api/orders", "/v2/invoices/export", "/healthz", "/assets/app.3f9c2b1a.js", "/users/me/settings", "/graphql"];
const WORDS: &[&str] =
    &["order", "invoice", "shipment", "queue", "cache", "session", "partition", "replica", "lease", "batch"];
const LEVELS: &[&str] = &["INFO", "DEBUG", "WARN", "ERROR"];

/// One line; `index` says of which kind.
pub fn line(random: &mut Random, index: usize) -> String {
    let (stamp, level, word, path) = (stamp(random), random.pick(LEVELS), random.pick(WORDS), random.pick(PATHS));
    let id = random.below(1_000_000);
    match index % 36 {
        0 => format!(
            "{stamp} {level} [main] com.example.shop.{word}.Service - processed {id} entries of {word} in {} ms",
            random.below(4000)
        ),
        1 => format!(
            "- - - [29/Nov/2026:20:{:02}:{:02} +0000] \"GET {path}?page={} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\"",
            random.below(60),
            random.below(60),
            random.below(90),
            random.below(90000)
        ),
        2 => format!(
            "{{\"ts\":\"{stamp}\",\"level\":\"{level}\",\"trace_id\":\"{}\",\"span_id\":\"{}\",\"msg\":\"{word} refreshed\",\"count\":{id}}}",
            random.hex(32),
            random.hex(16)
        ),
        3 => format!(
            "level={level} ts={stamp} caller=main.go:{} msg=\"{word} compacted\" duration={}.{}ms blocks={}",
            random.below(900),
            random.below(900),
            random.below(1000),
            random.below(64)
        ),
        4 => format!(
            "Nov 29 20:{:02}:{:02} node-{} kernel: [{}.{:06}] {word}: link is up",
            random.below(60),
            random.below(60),
            random.below(40),
            id,
            random.below(1_000_000)
        ),
        5 => format!("\tat com.example.{word}.Repository.load(Repository.java:{})", random.below(2000)),
        6 => format!(
            "panicked at src/{word}.rs:{}:{}: index out of bounds: the len is {} but the index is {id}",
            random.below(900),
            random.below(80),
            random.below(100)
        ),
        7 => format!(
            "in std::vector<int>::push_back, from ns{}::abc::def::Dead::beef() in {word}.cc:{}",
            random.below(9),
            random.below(900)
        ),
        8 => format!(
            "request {} finished with status {} after {} ms",
            uuid(random),
            200 + random.below(300),
            random.below(3000)
        ),
        9 => format!(
            "commit {} by build #{id}, version 1.{}.{}-rc.{}",
            random.hex(40),
            random.below(40),
            random.below(100),
            random.below(9)
        ),
        10 => format!(
            "sha256:{} pulled in {}.{:03}s ({} bytes)",
            random.hex(64),
            random.below(60),
            random.below(1000),
            random.below(900_000_000)
        ),
        11 => format!(
            "offset={} lag={} partition={} topic={word}-events epoch_ms=17{}",
            random.below(9_000_000_000),
            random.below(5000),
            random.below(64),
            random.digits(11)
        ),
        12 => format!(
            "clock is 20:{:02}:{:02}, was 19:{:02}:{:02}; uptime 12:{:02}:{:02}:{:02}",
            random.below(60),
            random.below(60),
            random.below(60),
            random.below(60),
            random.below(60),
            random.below(60),
            random.below(60)
        ),
        13 => format!(
            "[{}] \"POST {path} HTTP/2\" 201 via=cluster_{word} x-request-id={} upstream=backend-{}",
            stamp,
            uuid(random),
            random.below(30)
        ),
        14 => format!(
            "order no. {}-{}-{} of batch {} is {}",
            random.digits(3),
            random.digits(7),
            random.digits(7),
            random.digits(6),
            random.pick(&["packed", "late", "open"])
        ),
        15 => format!(
            "gc pause {}.{:02}ms heap {}M->{}M(512M) at {}.{:03}",
            random.below(90),
            random.below(100),
            random.below(512),
            random.below(512),
            random.below(90000),
            random.below(1000)
        ),
        16 => format!("img data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ{}", random.alnum(120)),
        17 => format!(
            "upgraded {word}-operator from v1.{}.{} to 2.{}.{}.{}",
            random.below(30),
            random.below(30),
            random.below(9),
            random.below(20),
            random.below(30)
        ),
        18 => format!(
            "task {id} token count: {} of {} tokens used, password policy: {} characters",
            random.below(4000),
            random.below(9000),
            8 + random.below(20)
        ),
        19 => format!(
            "metric http_requests_total{{code=\"200\",path=\"{path}\"}} {} 17{}",
            random.below(99999),
            random.digits(11)
        ),
        20 => {
            format!("ratio 0.{} loss 1.{} lr 3.{}e-05 step {id}", random.digits(8), random.digits(10), random.digits(4))
        }
        21 => format!(
            "user-agent firmware 10.2.{}.{} build 20261129.{}",
            random.below(40),
            random.below(100),
            random.below(90)
        ),
        22 => format!(
            "etag W/\"{}-{}\" cached for {} s, @{word}/core@4.17.{} loaded icon@2x.png",
            random.hex(4),
            random.hex(16),
            random.below(3600),
            random.below(30)
        ),
        23 => format!("started getty@tty{}.service, session-{id}.scope", random.below(9)),
        24 => format!(
            "isbn 978-{}-{}-{}-{} shelf {}",
            random.below(9),
            random.digits(4),
            random.digits(4),
            random.below(9),
            random.below(400)
        ),
        25 => format!(
            "0x{} 0x{} in libcore.so.{}.{} +0x{}",
            random.hex(16),
            random.hex(12),
            random.below(9),
            random.below(9),
            random.hex(4)
        ),
        26 => format!("token: expired, password: required, secret: null, api_key=${{API_KEY}} for {word}"),
        27 => format!(
            "snowflake 1{} shard {} ver {} took {}µs",
            random.digits(18),
            random.below(64),
            random.below(300),
            random.below(9000)
        ),
        28 => format!("git@github.com:example/{word}.git at {} ({} files)", random.hex(7), random.below(900)),
        29 => format!(
            "sum {} {} {} {} {} of {word}",
            random.digits(4),
            random.digits(5),
            random.digits(3),
            random.digits(5),
            random.digits(2)
        ),
        30 => format!("range 2026-11-{:02} to 2026-12-{:02}, {} rows", 1 + random.below(30), 1 + random.below(30), id),
        31 => format!(
            "W {word}.py:{}] Retrying ({}/5) after {} s: Connection refused (os error 111)",
            random.below(800),
            random.below(5),
            random.below(60)
        ),
        32 => format!("xid {} node a::b crate::detect::{word} mod x::y12::z", random.hex(24)),
        33 => format!(
            "SELECT id, total FROM {word}s WHERE created > '2026-11-{:02} 00:00:00' LIMIT {} -- {}",
            1 + random.below(30),
            random.below(500),
            random.below(90)
        ),
        34 => format!(
            "kube-system/{word}-{}-{} Pulled image registry.example.com/shop/{word}:1.{}.{}",
            random.hex(10),
            random.from(b"bcdfghjklmnpqrstvwxz2456789", 5),
            random.below(20),
            random.below(100)
        ),
        _ => format!(
            "The {word} was moved to shelf {} at gate {} because the belt {} stood still for {} minutes.",
            random.below(90),
            random.below(20),
            random.below(9),
            random.below(90)
        ),
    }
}
