//! Bodies of many JSON texts: lines (NDJSON) and server-sent events. Each is one element, read as a whole when it ended.

use std::sync::Arc;

use partywall_tenancy::Foreign;

use super::asked::Asked;
use super::hold::MASK;
use super::rules::Pointer;
use super::walker::Walker;
use super::{Counts, Refused};

/// Tells whether a text is the tenant's own, or young enough.
#[derive(Debug)]
struct Judge {
    /// As declared, but that foreign elements inside of the text are only counted.
    rules: Arc<Pointer>,
    foreign: Foreign,
    asked: Asked,
    /// Where the walker puts what it read.
    aside: Vec<u8>,
    counts: Counts,
}

/// What is to become of a text.
enum Fate {
    Pass,
    Drop,
    Mask,
}

impl Judge {
    fn new(rules: Arc<Pointer>, asked: Asked) -> Self {
        let foreign = rules.foreign;
        let rules = Arc::new(rules.reporting());
        Self { rules, foreign, asked, aside: Vec::new(), counts: Counts::default() }
    }

    fn judge(&mut self, text: &[u8]) -> Result<Fate, Refused> {
        let mut walker = Walker::new(self.rules.clone(), self.asked.clone());
        self.aside.clear();
        walker.read(text, &mut self.aside)?;
        walker.finish(&mut self.aside)?;
        let is_foreign = walker.counts.reported > 0;
        let (count, fate) = match self.foreign {
            _ if !is_foreign => (&mut self.counts.own, Fate::Pass),
            Foreign::Deny => return Err(self.asked.other()),
            Foreign::Report => (&mut self.counts.reported, Fate::Pass),
            Foreign::Drop => (&mut self.counts.dropped, Fate::Drop),
            Foreign::Mask => (&mut self.counts.masked, Fate::Mask),
        };
        *count += 1;
        Ok(fate)
    }
}

/// NDJSON.
#[derive(Debug)]
pub(super) struct Lines {
    judge: Judge,
    /// What earlier chunks had of the line.
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn new(rules: Arc<Pointer>, asked: Asked) -> Self {
        Self { judge: Judge::new(rules, asked), line: Vec::new() }
    }

    pub(super) fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        for piece in chunk.split_inclusive(|b| *b == b'\n') {
            if self.line.len() + piece.len() > self.judge.rules.cap {
                return Err(Refused::TooLarge);
            }
            match (piece.ends_with(b"\n"), self.line.is_empty()) {
                (true, true) => self.settle(piece, out)?,
                (true, false) => {
                    self.line.extend_from_slice(piece);
                    self.line_ends(out)?;
                }
                (false, _) => self.line.extend_from_slice(piece),
            }
        }
        Ok(())
    }

    /// The last line may have no line feed.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        self.line_ends(out)
    }

    fn line_ends(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        let mut line = std::mem::take(&mut self.line);
        self.settle(&line, out)?;
        line.clear();
        self.line = line;
        Ok(())
    }

    fn settle(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let is_blank = line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        match if is_blank { Fate::Pass } else { self.judge.judge(line)? } {
            Fate::Pass => out.extend_from_slice(line),
            Fate::Drop => {}
            Fate::Mask => {
                out.extend_from_slice(MASK);
                if line.ends_with(b"\n") {
                    out.push(b'\n');
                }
            }
        }
        Ok(())
    }

    pub(super) fn counts(&self) -> Counts {
        self.judge.counts
    }

    pub(super) fn kept_back(&self) -> usize {
        self.line.len()
    }
}

/// Server-sent events (HTML Standard, 9.2.6), without the byte order mark that may begin them.
#[derive(Debug)]
pub(super) struct Events {
    judge: Judge,
    /// The event as it came so far.
    event: Vec<u8>,
    /// Where in it the line begins that is being read.
    line: usize,
    /// Its `data` so far, line by line.
    data: Vec<u8>,
    has_data: bool,
    /// Whether the byte before was a carriage return: a line feed belongs to the same line end then.
    after_return: bool,
    /// Whether the event before left as it came, and with it what is left of its last line end.
    passed: bool,
}

impl Events {
    pub(super) fn new(rules: Arc<Pointer>, asked: Asked) -> Self {
        let judge = Judge::new(rules, asked);
        Self { judge, event: Vec::new(), line: 0, data: Vec::new(), has_data: false, after_return: false, passed: true }
    }

    pub(super) fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        for piece in chunk.split_inclusive(|b| matches!(b, b'\n' | b'\r')) {
            let after_return = std::mem::take(&mut self.after_return);
            if after_return && piece == b"\n" {
                if !self.event.is_empty() {
                    self.add(piece)?;
                    self.line = self.event.len();
                } else if self.passed {
                    out.extend_from_slice(piece);
                }
                continue;
            }
            self.add(piece)?;
            if piece.ends_with(b"\n") || piece.ends_with(b"\r") {
                self.after_return = piece.ends_with(b"\r");
                self.line_ends(1, out)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Refused> {
        if self.event.len() + piece.len() > self.judge.rules.cap {
            return Err(Refused::TooLarge);
        }
        self.event.extend_from_slice(piece);
        Ok(())
    }

    /// A client throws an event away that no empty line ended; whoever reads the bytes does not.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        if self.line < self.event.len() {
            self.line_ends(0, out)?;
        }
        if self.event.is_empty() { Ok(()) } else { self.event_ends(out) }
    }

    /// A line ended, `end` bytes of which are its end.
    fn line_ends(&mut self, end: usize, out: &mut Vec<u8>) -> Result<(), Refused> {
        let line = self.event.get(self.line..self.event.len() - end).unwrap_or_default();
        if line.is_empty() {
            return self.event_ends(out);
        }
        let colon = line.iter().position(|b| *b == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default();
        match name {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
                self.has_data = true;
            }
            // A comment, or what tells nothing of its own.
            b"" | b"event" | b"id" | b"retry" => {}
            _ => return Err(Refused::Invalid("a field that server-sent events do not have")),
        }
        self.line = self.event.len();
        Ok(())
    }

    fn event_ends(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        let fate = if self.data.is_empty() { Fate::Pass } else { self.judge.judge(&self.data)? };
        self.passed = matches!(fate, Fate::Pass);
        match fate {
            Fate::Pass => out.extend_from_slice(&self.event),
            Fate::Drop => {}
            // Its type and id would tell of it.
            Fate::Mask => out.extend([b"data: ", MASK, b"\n\n"].iter().copied().flatten()),
        }
        self.event.clear();
        self.data.clear();
        (self.line, self.has_data) = (0, false);
        Ok(())
    }

    pub(super) fn counts(&self) -> Counts {
        self.judge.counts
    }

    pub(super) fn kept_back(&self) -> usize {
        self.event.len()
    }
}
