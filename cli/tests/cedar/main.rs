//! Any policies, entities and requests of Cedar: the program and Cedar's own authorizer must agree on every one.
//!
//! `cargo xtask differential` makes it a long run: `PARTYWALL_COMPARISONS` says how many, `PARTYWALL_SEED` where to
//! begin. A part of a thousand comparisons has a seed of its own, so that one can be run again by itself.
#![allow(missing_docs)]

mod compare;
mod generate;
#[path = "../random/mod.rs"]
mod random;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compare::Tally;
use random::Random;

const COMPARISONS: u64 = 20_000;
const PART: u64 = 1_000;
const TELL_EACH: Duration = Duration::from_secs(5);

fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

#[test]
fn the_program_is_cedar_whatever_the_policies() {
    let seed = number("PARTYWALL_SEED", 0x0ced_a5ee_d5ee_d001);
    let parts = number("PARTYWALL_COMPARISONS", COMPARISONS).div_ceil(PART);
    println!("PARTYWALL_SEED={seed}: {parts} parts of {PART} comparisons, each with the next seed");
    let (next, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let (done, wrong) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    let work = || {
        while !ended.load(Ordering::Relaxed) {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            match one_part(seed.wrapping_add(part)) {
                Ok(tally) => done.lock().unwrap().add(tally),
                Err(what) => {
                    ended.store(true, Ordering::Relaxed);
                    wrong.lock().unwrap().push(what);
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..thread::available_parallelism().map_or(1, Into::into)).map(|_| scope.spawn(work)).collect();
        let mut told = Instant::now();
        while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(20));
            if told.elapsed() >= TELL_EACH {
                told = Instant::now();
                eprintln!("   {} of {}", done.lock().unwrap().compared, parts * PART);
            }
        }
    });
    let (wrong, tally) = (wrong.into_inner().unwrap(), done.into_inner().unwrap());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let Tally { compared, allowed, forbidden, with_errors } = tally;
    println!("{compared} compared, 0 differ: {allowed} allowed, {forbidden} forbidden, {with_errors} with errors");
    // A generator that only ever denies would prove nothing.
    assert!(allowed > compared / 10 && forbidden > compared / 20 && with_errors > compared / 20);
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.allowed += other.allowed;
        self.forbidden += other.forbidden;
        self.with_errors += other.with_errors;
    }
}

fn one_part(seed: u64) -> Result<Tally, String> {
    let mut random = Random(seed);
    let mut part = Tally::default();
    while part.compared < usize::try_from(PART).unwrap() {
        let tally = compare::one_set(&mut random);
        part.add(tally.map_err(|e| format!("PARTYWALL_SEED={seed} PARTYWALL_COMPARISONS={PART}\n{e}"))?);
    }
    Ok(part)
}
