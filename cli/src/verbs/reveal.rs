//! `partywall reveal`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use partywall_log_redaction::Slice;
use partywall_log_redaction::replace::{Keys, RevealError, reveal_each};
use partywall_tenancy::TenantId;
use partywall_tenancy::statement::MAX_SIZE;
use serde_json::json;

use crate::command::note;
use crate::directory::REDACTION_KEYS;
use crate::exit::{Exit, Failure, Outcome};
use crate::unverified::Unverified;
use crate::{arguments, files, redact, redaction, sealed_keys};

/// Open encrypted values in text, for whoever holds the master key
///
/// Reads files or standard input line by line and writes them to standard output, with what `encrypt` of redaction wrote
/// as `enc:v1:…` as it was; all else stays byte for byte. In a line of JSON a value is written with the escapes that JSON
/// asks for. Keys are those of the tenancy directory or of a bundle, current and former. What does not open stays as it
/// is: its key was destroyed or is held by others, or it was changed. Pseudonyms and masks open for nobody.
///
/// Exit status: 0 everything that was encrypted opened, 1 something did not, 2 usage, 3 a file that cannot be read.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall reveal --tenancy tenancy --master keys/redaction.keys app.log
  kubectl logs deploy/shop | partywall reveal --tenancy tenancy --master keys/redaction.keys --tenant acme
  partywall reveal --bundle served/tenancy.redaction.bundle --master keys/redaction.keys < found.json"
)]
pub(crate) struct Args {
    /// The files, `-` for standard input; without any, standard input
    files: Vec<PathBuf>,
    #[command(flatten)]
    keys: From,
    /// The master keys; by default the variable PARTYWALL_REDACTION_KEYS
    #[arg(long, value_name = "FILE")]
    master: Option<PathBuf>,
    /// Open what is this tenant's alone
    #[arg(long, value_name = "TENANT", value_parser = arguments::tenant)]
    tenant: Option<TenantId>,
    /// No summary
    #[arg(long)]
    quiet: bool,
    /// Write the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct From {
    /// The tenancy directory whose keys are meant
    #[arg(long, value_name = "DIR")]
    tenancy: Option<PathBuf>,
    /// The bundle for the collector's proxy whose keys are meant; its signature is not looked at
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

/// The longest line; a value that stands in it is opened as a whole.
const LONGEST: u64 = 64 << 20;
/// No file of keys is longer.
const MOST_KEYS: u64 = 64 << 20;

pub(crate) fn run(args: &Args) -> Outcome {
    let mut slice = slice(&args.keys)?;
    if let Some(tenant) = &args.tenant {
        slice.keys.retain(|keys| keys.tenant == *tenant);
        if slice.keys.is_empty() {
            return Err(Failure::invalid(format!("`{tenant}` has no keys there: they were destroyed, or never made")));
        }
    }
    let masters = sealed_keys::masters(args.master.as_deref())?;
    let keys = Keys::sealed(None, Rc::new(slice), &masters, |_| None).map_err(Failure::invalid)?;
    let mut run = Run { keys, opened: 0, no_key: 0, changed: 0, out: Vec::new() };
    let standard = [PathBuf::from("-")];
    for path in if args.files.is_empty() { &standard[..] } else { &args.files } {
        match run.file(path) {
            Ok(true) => {}
            // Who reads has seen enough.
            Ok(false) => return Ok(Exit::Fine),
            Err(error) => return Err(Failure::file(path, error)),
        }
    }
    if !args.quiet {
        run.tell(args.json);
    }
    Ok(if run.no_key + run.changed == 0 { Exit::Fine } else { Exit::Findings })
}

fn slice(from: &From) -> Result<Slice, Failure> {
    if let Some(tenancy) = &from.tenancy {
        let path = tenancy.join(REDACTION_KEYS);
        let text = files::read_text(&path, MOST_KEYS).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Failure::file(&path, "is not there, so that nothing opens\nhelp: `partywall keys redaction` makes keys")
            }
            _ => Failure::file(&path, error),
        })?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let keys = lines.map(|(nth, line)| {
            let wrong = |wrong: sealed_keys::Wrong| {
                Failure::invalid(format!("{}:{}:{}: {}", path.display(), nth + 1, wrong.column, wrong.message))
            };
            sealed_keys::parse(line).map_err(wrong)
        });
        let mut keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        keys.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        return Ok(Slice { keys, ..Slice::default() });
    }
    let path = from.bundle.as_deref().unwrap_or_else(|| Path::new(""));
    let bytes = files::read(path, MAX_SIZE as u64).map_err(|e| Failure::file(path, e))?;
    let body = Unverified::read(&bytes)
        .and_then(|unverified| unverified.bundle().or_else(|| unverified.candidate().map(|(_, body)| body)))
        .ok_or_else(|| Failure::file(path, "is no bundle that this build reads"))?;
    let said = redaction::of(&body).flatten();
    said.ok_or_else(|| Failure::file(path, "holds no keys of tenants; name tenancy.redaction.bundle"))
}

struct Run {
    keys: Keys,
    opened: u64,
    no_key: u64,
    changed: u64,
    out: Vec<u8>,
}

impl Run {
    /// Whether anybody still reads what is written.
    fn file(&mut self, path: &Path) -> io::Result<bool> {
        let source: Box<dyn Read> =
            if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
        let (mut source, mut line) = (BufReader::new(source), Vec::new());
        loop {
            line.clear();
            if source.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                return put(&mut self.out);
            }
            if line.len() as u64 == LONGEST && line.last() != Some(&b'\n') {
                return Err(io::Error::other("has a line of more than 64 MiB"));
            }
            self.line(&line);
            // Who reads along wants to see what there was.
            if source.buffer().is_empty() && !put(&mut self.out)? {
                return Ok(false);
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let escapes = redact::is_json(line.trim_ascii_end());
        let Self { keys, opened, no_key, changed, out } = self;
        reveal_each(
            line,
            |kid| keys.data(kid),
            out,
            |value, out| match value {
                Ok(value) => {
                    *opened += 1;
                    if escapes {
                        escaped(&value, out)
                    } else {
                        out.extend_from_slice(&value)
                    }
                    true
                }
                Err(why) => {
                    *if why == RevealError::Key { &mut *no_key } else { &mut *changed } += 1;
                    false
                }
            },
        );
    }

    fn tell(&self, as_json: bool) {
        let unopened = self.keys.take_unopened();
        let Self { opened, no_key, changed, .. } = self;
        if as_json {
            let unopened = unopened.map(|one| json!({ "tenant": one.tenant, "why": one.why.to_string() }));
            let summary = json!({ "opened": opened, "no_key": no_key, "changed": changed, "unopened": unopened });
            return note(summary);
        }
        note(format_args!("opened {opened} value{}", if *opened == 1 { "" } else { "s" }));
        if *no_key > 0 {
            note(format_args!(
                "{no_key} stay as they are: their key is not here, it was destroyed or is held by others"
            ));
        }
        if *changed > 0 {
            note(format_args!("{changed} stay as they are: they were changed since they were encrypted"));
        }
        if let Some(one) = unopened {
            note(format_args!("a key of {} does not open: {}", one.tenant, one.why));
        }
    }
}

/// As it stands in a text of JSON.
fn escaped(value: &[u8], out: &mut Vec<u8>) {
    let quoted = json!(String::from_utf8_lossy(value)).to_string();
    out.extend_from_slice(quoted.get(1..quoted.len() - 1).unwrap_or_default().as_bytes());
}

/// Whether somebody took it.
fn put(out: &mut Vec<u8>) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    let wrote = stdout.write_all(out).and_then(|()| stdout.flush());
    out.clear();
    match wrote {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true),
    }
}
