//! Whether anything of one tenant reaches another: tenants that call their topics, groups and transactional ids alike write,
//! read and ask at random, and each byte that any of them gets is searched for what is another's.
//!
//! What is another's is easy to tell: records, names and ids of each tenant have marks that no other has. What a tenant
//! reads back has to be what it wrote, at the offsets that it was told.

mod asks;
mod books;
mod hostile;
mod names;
mod player;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::raw::Stream;
pub use names::{Ranged, Tenant};
pub use watch::{Found, Watch};

/// Opens a connection for a tenant, as it proves itself; reading from it ends after this time in vain.
pub type Dial = Arc<dyn Fn(Duration) -> Result<Box<dyn Stream>> + Send + Sync>;

/// What is run.
pub struct Run {
    /// The tenants, and how each comes in.
    pub tenants: Vec<(Tenant, Dial)>,
    /// How many records are written by all of them.
    pub records: usize,
    /// The largest batch that is written.
    pub batch: usize,
    /// What the random choices begin with.
    pub seed: u64,
    /// Called every few seconds with what was written so far.
    pub progress: Option<fn(u64, usize)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Records that a broker took.
    pub written: u64,
    /// Records that were read, each time.
    pub read: u64,
    /// Requests, by the name of their message.
    pub asked: std::collections::BTreeMap<&'static str, u64>,
    /// Messages that the reader knows no such version of: they were searched all the same.
    pub unread: u64,
    /// Frames that were damaged on purpose.
    pub hostile: u64,
    /// Bytes that were searched.
    pub searched: u64,
    /// What was found that is another's.
    pub found: Vec<Found>,
    /// What was not as it had been written, in words.
    pub wrong: Vec<String>,
}

impl Report {
    /// Adds another one's.
    pub fn add(&mut self, other: Self) {
        self.written += other.written;
        self.read += other.read;
        other.asked.into_iter().for_each(|(name, count)| *self.asked.entry(name).or_default() += count);
        self.unread += other.unread;
        self.hostile += other.hostile;
        self.searched += other.searched;
        self.found.extend(other.found);
        self.wrong.extend(other.wrong);
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { written, read, asked, unread, hostile, searched, found, wrong } = self;
        let requests: u64 = asked.values().sum();
        writeln!(
            f,
            "{written} records written, {read} read; {requests} requests of {} kinds, {unread} answers of versions that \
             only the search reads; {hostile} hostile frames; {searched} bytes searched: {} marks of others, {} records \
             wrong",
            asked.len(),
            found.len(),
            wrong.len()
        )?;
        found.iter().take(20).try_for_each(|found| writeln!(f, "  {found}"))?;
        wrong.iter().take(20).try_for_each(|wrong| writeln!(f, "  {wrong}"))
    }
}

impl Run {
    /// Runs all tenants at once until each wrote its part, and reads all of it again.
    pub fn run(self) -> Result<Report> {
        let names = Arc::new(names::Names::of(self.tenants.iter().map(|(tenant, _)| tenant.clone()).collect())?);
        let each = self.records.div_ceil(self.tenants.len().max(1));
        let written = Arc::new(AtomicU64::new(0));
        let mut threads = Vec::new();
        // First all of them make what they have, so that there is something of each to be found.
        let made = Arc::new(std::sync::Barrier::new(self.tenants.len()));
        for (at, (_, dial)) in self.tenants.into_iter().enumerate() {
            let player = player::Player::new(at, dial, names.clone(), self.seed.wrapping_add(at as u64), self.batch);
            let (written, made) = (written.clone(), made.clone());
            threads.push(std::thread::spawn(move || player.play(each, &written, &made)));
        }
        let begun = Instant::now();
        let mut told = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(50));
            if begun.elapsed().as_secs() / 5 > told {
                told = begun.elapsed().as_secs() / 5;
                self.progress.iter().for_each(|tell| tell(written.load(Ordering::Relaxed), self.records));
            }
        }
        let mut report = Report::default();
        for thread in threads {
            let played = thread.join().map_err(|_| anyhow!("a tenant's thread panicked"))?;
            report.add(played.context("a tenant could not go on")?);
        }
        Ok(report)
    }
}
