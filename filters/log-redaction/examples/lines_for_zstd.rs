//! The lines that the frames in `cases/encodings` are of, to be folded by `zstd`:
//! `cargo run -p partywall-log-redaction --example lines_for_zstd 2000 | zstd -19 > 2000.nineteen.zst`.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "it takes its part of what tests have"
)]

#[path = "../tests/common/telemetry.rs"]
mod telemetry;

use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).ok_or("how many lines?")?.parse()?;
    std::io::stdout().write_all(&telemetry::lines(count, 1))?;
    Ok(())
}
