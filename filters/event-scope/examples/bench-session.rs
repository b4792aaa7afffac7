//! What a request and its response cost a session, without a host:
//! `cargo run --release -p partywall-event-scope --example bench-session`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it measures and tells")]

#[path = "../tests/common/world.rs"]
mod world;

use std::time::Instant;

use partywall_event_scope::kafka::session::{Options, Session, Step};
use world::{All, Prefix};

/// How many bytes a proxy reads at a time.
const READ: usize = 16 << 10;

fn main() {
    println!(
        "{:<18} {:>9} {:>15} {:>15} {:>12} {:>14}",
        "records", "bytes", "one piece, ns", "16 KiB reads, ns", "copy, ns", "held, bytes"
    );
    for size in [200, 1 << 10, 64 << 10, 1 << 20] {
        for (name, api) in [("Produce", 0), ("Fetch", 1)] {
            let (request, response) = if api == 0 { produce(size) } else { fetch(size) };
            let bytes = request.len() + response.len();
            let (whole, _) = time(&request, &response, usize::MAX);
            let (reads, held) = time(&request, &response, READ);
            let mut out = Vec::new();
            let copy = best(bytes, || {
                out.clear();
                out.extend_from_slice(&request);
                out.extend_from_slice(&response);
                out.len()
            });
            println!(
                "{:<18} {bytes:>9} {whole:>15.0} {reads:>16.0} {copy:>12.0} {held:>14}",
                format!("{name}, {size}")
            );
        }
    }
    println!("\nA request, decided, and its response. Best of five rounds each; copy: the same bytes once.");
}

fn time(request: &[u8], response: &[u8], read: usize) -> (f64, usize) {
    let all = All::of([Prefix::of("acme")]);
    let mut session = Session::new(Options::default());
    session.identify("acme".into());
    let mut step = Step::default();
    let time = best(request.len() + response.len(), || {
        for piece in request.chunks(read) {
            step.out.clear();
            step.decisions.clear();
            session.from_client(piece, &all.peers(), &mut step);
        }
        for piece in response.chunks(read) {
            step.out.clear();
            session.from_broker(piece, &all.peers(), &mut step);
        }
        assert!(step.trouble.is_none() && session.outstanding() == 0);
        step.out.len()
    });
    (time, session.held())
}

/// Nanoseconds of one call, the best of five rounds.
fn best(size: usize, mut call: impl FnMut() -> usize) -> f64 {
    let calls = (20_000_000 / (size + 2000)).max(20);
    let round = |call: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        for _ in 0..calls {
            std::hint::black_box(call());
        }
        start.elapsed().as_secs_f64() * 1e9 / calls as f64
    };
    (0..5).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let frame = parts.concat();
    [i32::try_from(frame.len()).expect("few").to_be_bytes().as_slice(), &frame].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [i32::try_from(bytes.len()).expect("few").to_be_bytes().as_slice(), bytes].concat()
}

/// Produce in version 3.
fn produce(size: usize) -> (Vec<u8>, Vec<u8>) {
    let head = b"\0\0\0\x03\0\0\0\x07\0\x03app\xff\xff\0\x01\0\0\0\x09\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\x05";
    let request = framed(&[head, &sized(&vec![7; size])]);
    let response = b"\0\0\0\x07\0\0\0\x01\0\x0bacme.orders\0\0\0\x01\0\0\0\x05\0\0";
    (request, framed(&[response, &[0; 8 + 8 + 4]]))
}

/// Fetch in version 7, without a session.
fn fetch(size: usize) -> (Vec<u8>, Vec<u8>) {
    let head =
        b"\0\x01\0\x07\0\0\0\x07\0\x03app\xff\xff\xff\xff\0\0\x01\0\0\0\0\x01\0\x01\0\0\0\0\0\0\0\xff\xff\xff\xff";
    let topic = b"\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\x05";
    let request = framed(&[head, topic, &[0; 20], &[0; 4]]);
    let head = b"\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x0bacme.orders\0\0\0\x01\0\0\0\x05\0\0";
    let response = framed(&[head, &[0; 24], &[0xff; 4], &sized(&vec![7; size])]);
    (request, response)
}
