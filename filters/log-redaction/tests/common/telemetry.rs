//! Telemetry, made up from a seed.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

/// Knuth's MMIX.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    pub fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// So many lines of a log.
pub fn lines(count: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut out = String::new();
    for nth in 0..count {
        let level = random.of(&["INFO", "WARN", "ERROR", "DEBUG"]);
        let what = random.of(&["order paid", "user signed in", "cache miss", "retrying upstream", "Zahlung über 5 €"]);
        let (user, took) = (random.below(100_000), random.below(2000));
        let host = random.of(&["shop", "billing", "mail"]);
        out.push_str(&format!("2026-01-01T00:00:{:02}Z {level} {host} {what} user={user} took={took}ms\n", nth % 60));
    }
    out.into_bytes()
}
