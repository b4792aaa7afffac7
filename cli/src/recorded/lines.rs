//! A log, line by line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Record, Skip, read};
use crate::command::{note, say};
use crate::exit::Failure;
use crate::time::rfc3339;

/// The longest line that is read, in bytes; Envoy's headers are shorter by far.
const LONGEST: u64 = 1 << 20;
/// Between two words about how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// A line: its number from 1, and its decision or why there is none.
pub(crate) type Line = (u64, Result<Record, Skip>);

/// A log being read. Tells on standard error how far it is when that takes long.
pub(crate) struct Log {
    reader: Box<dyn BufRead>,
    name: String,
    line: Vec<u8>,
    number: u64,
    read: u64,
    size: Option<u64>,
    told: Instant,
}

impl Log {
    /// Opens the file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (reader, size): (Box<dyn BufRead>, _) = if path.as_os_str() == "-" {
            (Box::new(BufReader::new(io::stdin())), None)
        } else {
            let file = File::open(path).map_err(|e| Failure::file(path, e))?;
            let metadata = file.metadata().map_err(|e| Failure::file(path, e))?;
            if metadata.is_dir() {
                return Err(Failure::file(path, "is a folder; name the log, or `-` for standard input"));
            }
            (Box::new(BufReader::with_capacity(1 << 16, file)), Some(metadata.len()).filter(|size| *size > 0))
        };
        Self::of(reader, path.display().to_string(), size)
    }

    fn of(mut reader: Box<dyn BufRead>, name: String, size: Option<u64>) -> Result<Self, Failure> {
        let start = reader.fill_buf().map_err(|e| Failure::invalid(format!("`{name}`: {e}")))?;
        if start.starts_with(&[0x1f, 0x8b]) || start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err(Failure::invalid(format!("`{name}` is compressed; write `zcat {name} | partywall … --log -`")));
        }
        Ok(Self { reader, name, line: Vec::new(), number: 0, read: 0, size, told: Instant::now() })
    }

    /// The next line that is not blank.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, Failure> {
        let Some((number, whole)) = self.next_bytes()? else { return Ok(None) };
        Ok(Some((number, if whole { read(self.bytes()) } else { Err(Skip::TooLong) })))
    }

    /// The same, unread: its number, and whether it is whole. [`Self::bytes`] has it.
    pub(crate) fn next_bytes(&mut self) -> Result<Option<(u64, bool)>, Failure> {
        loop {
            self.line.clear();
            let failed = |e: io::Error, name: &str| Failure::invalid(format!("`{name}`: {e}"));
            let got = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.line);
            let got = got.map_err(|e| failed(e, &self.name))?;
            if got == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.read += got as u64;
            let whole = self.line.last() == Some(&b'\n') || (got as u64) < LONGEST;
            if !whole {
                self.read += skip_line(&mut self.reader).map_err(|e| failed(e, &self.name))?;
            }
            self.tell();
            if !whole || !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, whole)));
            }
        }
    }

    /// The line that `next` or `next_bytes` told of, as it stands there; cut where it was too long.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.line.trim_ascii()
    }

    fn tell(&mut self) {
        if self.number.is_multiple_of(4096) && self.told.elapsed() > PATIENCE {
            self.told = Instant::now();
            let part = self.size.map_or(String::new(), |size| format!(", {} %", self.read.saturating_mul(100) / size));
            note(format_args!("{}: {} lines{part}", self.name, self.number));
        }
    }
}

/// Leaves out the rest of a line without keeping it; says how much that was.
fn skip_line(reader: &mut Box<dyn BufRead>) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let held = reader.fill_buf()?;
        let (used, done) = match held.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (held.len(), held.is_empty()),
        };
        reader.consume(used);
        skipped += used as u64;
        if done {
            return Ok(skipped);
        }
    }
}

/// Lines that hold no decision, by why.
#[derive(Debug, Default)]
pub(crate) struct Skipped(BTreeMap<Skip, (u64, u64)>);

impl Skipped {
    /// Counts one.
    pub(crate) fn add(&mut self, line: u64, why: Skip) {
        self.0.entry(why).or_insert((0, line)).0 += 1;
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Prints what there is.
    pub(crate) fn show(&self) {
        for (why, (count, first)) in &self.0 {
            say(format_args!("  {count} lines {why} (first: line {first})"));
        }
    }

    /// The same as JSON.
    pub(crate) fn json(&self) -> Value {
        let one = |(why, (count, first)): (&Skip, &(u64, u64))| json!({ "why": why.to_string(), "lines": count, "first_line": first });
        self.0.iter().map(one).collect()
    }
}

/// From the first decision of a log to the last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Period {
    /// The first, in Unix seconds; 0 before any.
    pub(crate) from: u64,
    /// The last.
    pub(crate) to: u64,
}

impl Period {
    /// Makes room for one more.
    pub(crate) fn add(&mut self, time: u64) {
        self.from = if self.from == 0 { time } else { self.from.min(time) };
        self.to = self.to.max(time);
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        if self.from == 0 {
            return "no time at all".to_owned();
        }
        format!("{} to {}", rfc3339(self.from), rfc3339(self.to))
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        json!({ "from": self.from, "to": self.to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: Vec<u8>) -> Log {
        Log::of(Box::new(io::Cursor::new(text)), "a log".into(), None).ok().unwrap()
    }

    #[test]
    fn lines_are_numbered_and_a_long_one_takes_no_memory() {
        let mut text = b"{\"a\":1}\n\n".to_vec();
        text.extend(vec![b'x'; 3 << 20]);
        text.extend(b"\n{\"partywall\":1,\"time\":5,\"decision\":\"deny\"}");
        let mut log = log(text);
        assert_eq!(log.next().ok().unwrap(), Some((1, Err(Skip::NoField))));
        assert_eq!(log.next().ok().unwrap(), Some((3, Err(Skip::TooLong))));
        assert!(log.line.capacity() <= 4 << 20, "{}", log.line.capacity());
        let (number, record) = log.next().ok().unwrap().unwrap();
        assert_eq!((number, record.unwrap().time), (4, 5));
        assert_eq!(log.next().ok().unwrap(), None);
    }

    #[test]
    fn a_compressed_log_is_refused_with_what_to_write() {
        let refused = Log::of(Box::new(io::Cursor::new(vec![0x1f, 0x8b, 8])), "a.gz".into(), None);
        assert!(refused.err().unwrap().message.contains("zcat a.gz |"));
    }
}
