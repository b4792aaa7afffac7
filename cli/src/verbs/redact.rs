//! `partywall redact`.

mod rules;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use partywall_log_redaction::detect::{Detectors, catalog};
use partywall_tenancy::TenantId;
use serde_json::{Value, json};

use crate::command::{note, say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::redact::discover::Discovery;
use crate::redact::{Choice, Marks, Piece, Progress, Redactor, Tally, detectors, explain, read, score};
use crate::{arguments, files};

/// Take what is personal or secret out of text, as the filter does
///
/// Reads files or standard input line by line and writes them to standard output with
/// `[REDACTED:<detector>]` where something stood; all else stays byte for byte. All detectors are
/// on; no tenancy directory is needed. In a line of JSON each name and value is looked at by
/// itself, without its escapes. A line beyond 1 MiB is taken out whole.
///
/// With --tenancy it goes by redaction.yaml of that directory, as the collector's proxy does: which fields
/// may stay, what stands for a value, whose a line is. --tenant says whose all of them are; without it
/// each line says so itself. Exit status: 0 fine, 1 found something (with --check), 2 usage, 3 a file that
/// cannot be read.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall redact app.log > app.redacted.log
  kubectl logs deploy/shop | partywall redact --quiet --without ipv4,ipv6
  partywall redact --only key,password,private_key --check --explain build.log
  partywall redact --pattern 'order=ORD-[0-9]{8}' --key-file print.key app.log
  partywall redact --discover samples.jsonl > fields.yaml
  partywall redact --tenancy tenancy --tenant acme --service orders app.jsonl
  partywall redact --tenancy tenancy --master keys/redaction.keys mixed.jsonl
  partywall redact --score labelled.jsonl --format json | jq .all
  partywall redact --list"
)]
pub(crate) struct Args {
    /// The files, `-` for standard input; without any, standard input
    files: Vec<PathBuf>,
    /// Detectors and groups that are on, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Detectors and groups that are off, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    without: Vec<String>,
    /// A detector of your own, again for each; what is repeated says how often at most
    #[arg(long = "pattern", value_name = "NAME=REGEX")]
    patterns: Vec<String>,
    /// A secret of 16 bytes or more: equal values get equal marks, with 8 hex digits behind the detector
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// No progress and no summary
    #[arg(long)]
    quiet: bool,
    /// Tell each finding on standard error: where, which detector, why; not what it was
    #[arg(long)]
    explain: bool,
    /// Write nothing, end with 1 where something was found
    #[arg(long)]
    check: bool,
    /// Propose rules for fields from samples, as YAML
    #[arg(long, conflicts_with_all = ["check", "explain", "key_file"])]
    discover: bool,
    /// Measure the detectors on labelled texts (docs/redaction.md has the form)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "check", "explain", "discover", "key_file"])]
    score: Option<PathBuf>,
    /// List the detectors that are on, with what they find and by which source
    #[arg(long, conflicts_with_all = ["files", "check", "explain", "discover", "score", "key_file"])]
    list: bool,
    /// Go by redaction.yaml of this tenancy directory
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["only", "without", "patterns", "key_file", "explain", "check", "discover", "score", "list"]
    )]
    tenancy: Option<PathBuf>,
    /// With --tenancy: the tenant whose all lines are
    #[arg(long, value_name = "TENANT", value_parser = arguments::tenant, requires = "tenancy")]
    tenant: Option<TenantId>,
    /// With --tenancy: the service that wrote them; without it, what `service.name` says
    #[arg(long, value_name = "SERVICE", requires = "tenancy")]
    service: Option<String>,
    /// With --tenancy: the master keys of tenants' keys; without it, what asks for a key is masked
    #[arg(long, value_name = "FILE", requires = "tenancy")]
    master: Option<PathBuf>,
    /// With --tenancy: the keys of fingerprints, so that tenants are known by these as well
    #[arg(long, value_name = "FILE", requires = "tenancy")]
    fingerprint_key: Option<PathBuf>,
    /// With --tenancy: add no fields that tell where something was masked, whatever redaction.yaml says
    #[arg(long, requires = "tenancy")]
    no_summary: bool,
    /// How the score, the list and the summary are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// The shortest secret for fingerprints, and the longest.
const KEY: std::ops::RangeInclusive<usize> = 16..=4096;

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(tenancy) = &args.tenancy {
        return rules::run(args, tenancy);
    }
    let choice = Choice { only: &args.only, without: &args.without, patterns: &args.patterns };
    let detectors = detectors(&choice).map_err(Failure::usage)?;
    if args.list {
        return list(&detectors, args.format);
    }
    if let Some(path) = &args.score {
        let score = score::score(&detectors, &mut open(path)?).map_err(|bad| Failure::file(path, bad.0))?;
        if args.format == Format::Json {
            return say_json(&score::as_json(&score));
        }
        say(score::table(&score));
        return Ok(Exit::Fine);
    }
    let marks = Marks::new(args.key_file.as_deref().map(key).transpose()?.as_deref());
    let standard = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &standard[..] } else { &args.files };
    // Before anything is written: half of an output is taken for all of it.
    for path in files.iter().filter(|path| *path != Path::new("-")) {
        if fs::metadata(path).map_err(|error| Failure::file(path, error))?.is_dir() {
            return Err(Failure::file(path, "is a folder, write the files in it"));
        }
    }
    let mut run = Run {
        redactor: Redactor::new(&detectors, marks, args.explain),
        discovery: args.discover.then(|| Discovery::new(&detectors)),
        args,
        tally: Tally::default(),
        progress: Progress::new(args.quiet),
        out: Vec::new(),
    };
    let mut ended = true;
    for path in files {
        match run.file(path, &mut ended) {
            Ok(()) => {}
            // Who reads has seen enough.
            Err(Stop::Closed) => return Ok(Exit::Fine),
            Err(Stop::Source(error)) => {
                run.progress.end();
                return Err(Failure::file(path, error));
            }
            Err(Stop::Out(error)) => {
                run.progress.end();
                return Err(Failure::invalid(format!("standard output: {error}")));
            }
        }
    }
    run.end()
}

/// Why no more is read.
enum Stop {
    /// Nobody reads the output any more.
    Closed,
    /// The file cannot be read.
    Source(io::Error),
    /// Standard output cannot be written.
    Out(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Source(error)
    }
}

struct Run<'a> {
    args: &'a Args,
    redactor: Redactor<'a>,
    discovery: Option<Discovery<'a>>,
    tally: Tally,
    progress: Progress,
    out: Vec<u8>,
}

impl Run<'_> {
    /// `ended` says whether the last line of the file before had an end.
    fn file(&mut self, path: &Path, ended: &mut bool) -> Result<(), Stop> {
        let mut source = Checked { source: source(path)?, head: Vec::new(), at: 0, seen: false };
        let writes = !self.args.check && !self.args.discover;
        let name = if path == Path::new("-") { "(standard input)".to_owned() } else { path.display().to_string() };
        let (before, mut number) = (self.tally.bytes, 0);
        self.redactor.next();
        read(&mut source, &mut |piece, total| {
            self.tally.bytes = before + total;
            if !matches!(piece, Piece::Pause) && !std::mem::replace(ended, true) {
                // Lines of two files are two lines.
                self.out.push(b'\n');
            }
            number += u64::from(!matches!(piece, Piece::Pause));
            let end = match piece {
                Piece::Line(line, end) => {
                    if let Some(discovery) = &mut self.discovery {
                        self.tally.lines += 1;
                        discovery.line(line, &mut self.redactor);
                        return Ok(());
                    }
                    let detectors = self.redactor.detectors;
                    let hits = self.redactor.line(line, &mut self.out);
                    self.tally.add(detectors, hits);
                    if self.args.explain {
                        hits.iter().for_each(|hit| note(explain(detectors, &name, number, hit)));
                    }
                    end
                }
                Piece::TooLong(end) => {
                    self.redactor.marks.write("unscanned", None, &mut self.out);
                    self.tally.lines += 1;
                    self.tally.too_long += 1;
                    if self.args.explain {
                        note(format_args!("{name}:{number}: unscanned: the line is longer than 1 MiB"));
                    }
                    end
                }
                Piece::Pause => {
                    self.progress.at(&self.tally);
                    return put(&mut self.out, writes);
                }
            };
            self.out.extend_from_slice(end);
            *ended = !end.is_empty();
            if self.out.len() > FULL { put(&mut self.out, writes) } else { Ok(()) }
        })
    }

    fn end(mut self) -> Outcome {
        self.progress.end();
        if let Some(discovery) = &mut self.discovery {
            say(discovery.yaml());
            return Ok(Exit::Fine);
        }
        let took = self.progress.took();
        if !self.args.quiet {
            match self.args.format {
                Format::Text => note(self.tally.text(if self.args.check { "found" } else { "redacted" }, took)),
                Format::Json => note(self.tally.json(took)),
            }
        }
        Ok(if self.args.check && self.tally.found() > 0 { Exit::Findings } else { Exit::Fine })
    }
}

/// How much is held before it is written.
const FULL: usize = 1 << 20;

fn put(out: &mut Vec<u8>, writes: bool) -> Result<(), Stop> {
    if writes {
        let mut stdout = io::stdout().lock();
        stdout.write_all(out).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::Closed,
            _ => Stop::Out(error),
        })?;
    }
    out.clear();
    Ok(())
}

fn source(path: &Path) -> io::Result<Box<dyn Read>> {
    Ok(if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) })
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    source(path).map_err(|error| Failure::file(path, error))
}

/// Refuses what is no text that can be looked through: it would pass unread.
struct Checked {
    source: Box<dyn Read>,
    head: Vec<u8>,
    at: usize,
    seen: bool,
}

/// How files begin that are no text, and what to do.
const NO_TEXT: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "is compressed with gzip, write `zcat FILE | partywall redact`"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd, write `zstdcat FILE | partywall redact`"),
    (b"BZh", "is compressed with bzip2, write `bzcat FILE | partywall redact`"),
    (b"\xfd7zXZ\0", "is compressed with xz, write `xzcat FILE | partywall redact`"),
    (b"PK\x03\x04", "is a ZIP archive, write `unzip -p FILE | partywall redact`"),
    (b"\xff\xfe", "is UTF-16, write `iconv -f utf-16 -t utf-8 FILE | partywall redact`"),
    (b"\xfe\xff", "is UTF-16, write `iconv -f utf-16 -t utf-8 FILE | partywall redact`"),
];

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.seen {
            self.seen = true;
            (&mut self.source).take(6).read_to_end(&mut self.head)?;
            if let Some((_, why)) = NO_TEXT.iter().find(|(head, _)| self.head.starts_with(head)) {
                return Err(io::Error::other(*why));
            }
        }
        if self.at < self.head.len() {
            let size = buffer.len().min(self.head.len() - self.at);
            buffer[..size].copy_from_slice(&self.head[self.at..self.at + size]);
            self.at += size;
            return Ok(size);
        }
        self.source.read(buffer)
    }
}

fn key(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = files::read(path, *KEY.end() as u64).map_err(|error| Failure::file(path, error))?;
    let key = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    if key.len() < *KEY.start() {
        let few = format!("has {} bytes; a secret for fingerprints has {} at least", key.len(), KEY.start());
        return Err(Failure::file(path, few));
    }
    Ok(key.to_vec())
}

fn list(detectors: &Detectors, format: Format) -> Outcome {
    let all = catalog();
    let about = |name: &str| all.iter().find(|about| about.name == name).map(|about| (about.what, about.source));
    let rows: Vec<(&str, &str, &str)> = detectors
        .names()
        .map(|(_, name)| {
            let (what, source) = about(name).unwrap_or(("a pattern of yours", "--pattern"));
            (name, what, source)
        })
        .collect();
    if format == Format::Json {
        let one = |(name, what, source): &(&str, &str, &str)| json!({ "name": name, "what": what, "source": source });
        return say_json(&rows.iter().map(one).collect::<Vec<Value>>());
    }
    let width = rows.iter().map(|row| row.0.len()).max().unwrap_or_default();
    let lines: Vec<String> =
        rows.iter().map(|(name, what, source)| format!("{name:width$}  {what} ({source})")).collect();
    say(lines.join("\n"));
    Ok(Exit::Fine)
}
