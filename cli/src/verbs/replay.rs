//! `partywall replay`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command::{say, say_json};
use crate::exit::{Exit, Outcome};
use crate::material::Material;
use crate::prints::{self, Prints};
use crate::recorded::{Log, Period, Record, Skipped};
use crate::replay::{Judge, Verdict};

/// Decide recorded requests again, under OLD and under NEW, and tell what flips
///
/// Reads the `explain` field of access logs. OLD and NEW are tenancy directories, bundle files or folders with bundle
/// files; their signatures are not looked at. OLD should be what decided then: where it does not give what the log
/// recorded, that is told, and the line counts for nothing else. Fingerprints become names again for every tenant of
/// the two and for every user and resource that their policies name; everybody else is somebody no policy names.
/// What cannot be decided again is counted with its reason.
///
/// Exit status: 0 nothing flips, 1 something does, or OLD is not what was recorded, or nothing could be decided again.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall replay --log access.log served tenancy --fingerprint-key keys/edge.env
  partywall replay --log access.log old/tenancy.edge.bundle tenancy --fingerprint-key keys/edge.env --json
  zcat access.log.*.gz | partywall replay --log - served tenancy --fingerprint-key keys/edge.env"
)]
pub(crate) struct Args {
    /// What decided when the log was written
    old: PathBuf,
    /// What is to decide
    new: PathBuf,
    /// The access log, one line per request; `-` reads standard input
    #[arg(long)]
    log: PathBuf,
    /// The fingerprint keys: a workload's .env file, or `id:key`; by default the variable PARTYWALL_FINGERPRINT
    #[arg(long, value_name = "FILE")]
    fingerprint_key: Option<PathBuf>,
    /// The keys folder, where a directory names key files
    #[arg(long)]
    keys: Option<PathBuf>,
    /// How many examples are shown of each kind
    #[arg(long, default_value_t = 3)]
    examples: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Records that were judged before. Lines are many and requests alike.
const REMEMBERED: usize = 1 << 16;

type Judged = Result<(Verdict, Verdict), String>;

pub(crate) fn run(args: &Args) -> Outcome {
    let keys = prints::keys(args.fingerprint_key.as_deref())?;
    let (old, new) =
        (Material::read(&args.old, args.keys.as_deref())?, Material::read(&args.new, args.keys.as_deref())?);
    let prints = Prints::of(&keys, &[&old, &new]);
    let judge = Judge::new(&old, &new, &prints);
    let mut log = Log::open(&args.log)?;
    let mut found = Found { most: args.examples, ..Found::default() };
    // Requests that differ in nothing but their time have one verdict, unless something asks for the time.
    let asks_time = old.asks_time() || new.asks_time();
    let mut judged: HashMap<Record, Judged> = HashMap::new();
    while let Some((line, read)) = log.next()? {
        found.lines += 1;
        match read {
            Err(why) => found.skipped.add(line, why),
            Ok(record) => {
                found.period.add(record.time);
                let key = Record { time: if asks_time { record.time } else { 0 }, overlay: 0, ..record };
                if judged.len() >= REMEMBERED {
                    judged.clear();
                }
                if !judged.contains_key(&key) {
                    let again = key.reached_authorization();
                    let verdicts = if again { judge.judge(&key) } else { Err(before_authorization(&key)) };
                    judged.insert(key.clone(), verdicts);
                }
                if let Some(verdicts) = judged.get(&key) {
                    found.add(line, &key, verdicts, &judge);
                }
            }
        }
    }
    if args.json {
        say_json(&found.json(&old, &new))?;
    } else {
        found.show(&args.log.display().to_string(), &old, &new);
    }
    let fine = found.flips.is_empty() && found.unlike.is_empty() && found.replayed > 0;
    Ok(if fine { Exit::Fine } else { Exit::Findings })
}

fn before_authorization(record: &Record) -> String {
    match record.reason.as_str() {
        "resource_unmapped" => "for what no operation covered: the log does not hold such paths".to_owned(),
        reason => format!("denied before authorization (`{reason}`)"),
    }
}

/// Lines of one kind.
#[derive(Default)]
struct Group {
    count: u64,
    examples: Vec<(u64, String)>,
}

impl Group {
    fn add(&mut self, line: u64, most: usize, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < most {
            self.examples.push((line, what()));
        }
    }

    fn show(&self) {
        for (line, what) in &self.examples {
            say(format_args!("      line {line}: {what}"));
        }
    }

    fn json(&self) -> Value {
        let examples = self.examples.iter().map(|(line, what)| json!({ "line": line, "request": what }));
        json!({ "count": self.count, "examples": examples.collect::<Value>() })
    }
}

/// From what to what.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    tenant: String,
    from: Verdict,
    to: Verdict,
}

#[derive(Default)]
struct Found {
    most: usize,
    lines: u64,
    period: Period,
    skipped: Skipped,
    /// Decided again under both, and OLD gave what was recorded.
    replayed: u64,
    flips: BTreeMap<Change, Group>,
    /// The same answer, by another policy or for another reason.
    others: BTreeMap<Change, Group>,
    /// OLD does not give what was recorded: what it gives, and what was expected.
    unlike: BTreeMap<(String, String), Group>,
    /// By why.
    not_replayed: BTreeMap<String, Group>,
}

impl Found {
    fn add(&mut self, line: u64, record: &Record, verdicts: &Judged, judge: &Judge<'_>) {
        let most = self.most;
        let request = || {
            let shown =
                if record.reached_authorization() { record.request() } else { format!("at {}", record.service) };
            format!("{shown}, under revision {}", record.revision)
        };
        let mut not = |why: &str| self.not_replayed.entry(why.to_owned()).or_default().add(line, most, request);
        let (old, new) = match verdicts {
            Err(why) => return not(why),
            Ok(verdicts) => verdicts,
        };
        if !old.is(record) {
            let key = (record.outcome(), old.words());
            return self.unlike.entry(key).or_default().add(line, most, request);
        }
        let (Verdict::Decided { allowed: was, .. }, Verdict::Decided { allowed: is, .. }) = (old, new) else {
            return not(&new.words());
        };
        self.replayed += 1;
        if old == new {
            return;
        }
        let tenant = judge.tenant(&record.tenant).map_or_else(String::new, |t| t.as_str().to_owned());
        let change = Change { tenant, from: old.clone(), to: new.clone() };
        let list = if was == is { &mut self.others } else { &mut self.flips };
        list.entry(change).or_default().add(line, most, request);
    }

    fn show(&self, log: &str, old: &Material, new: &Material) {
        let decisions: u64 = self.replayed
            + self.not_replayed.values().chain(self.unlike.values()).map(|group| group.count).sum::<u64>();
        say(format_args!("{log}: {} lines, {decisions} decisions, {}", self.lines, self.period.words()));
        say(format_args!("OLD {}, NEW {}", old.title(), new.title()));
        say(format_args!("{} decided again", self.replayed));
        let flipped: u64 = self.flips.values().map(|group| group.count).sum();
        say(format_args!("{flipped} flip"));
        for (change, group) in &self.flips {
            let Change { tenant, from, to } = change;
            say(format_args!("  {tenant}: {} times {} -> {}", group.count, from.words(), to.words()));
            group.show();
        }
        if !self.others.is_empty() {
            say("the same answer in another way:");
        }
        for (Change { tenant, from, to }, group) in &self.others {
            say(format_args!("  {tenant}: {} times {} -> {}", group.count, from.words(), to.words()));
            group.show();
        }
        if !self.unlike.is_empty() {
            say("OLD is not what decided these, so nothing is said about them:");
        }
        for ((expected, got), group) in &self.unlike {
            say(format_args!("  {} times recorded {expected}, OLD gives {got}", group.count));
            group.show();
        }
        if !self.not_replayed.is_empty() {
            say("cannot be decided again:");
        }
        for (why, group) in &self.not_replayed {
            say(format_args!("  {} {why}", group.count));
            group.show();
        }
        if !self.skipped.is_empty() {
            say("hold no decision:");
            self.skipped.show();
        }
    }

    fn json(&self, old: &Material, new: &Material) -> Value {
        let changes = |list: &BTreeMap<Change, Group>| -> Value {
            let one = |(change, group): (&Change, &Group)| {
                let mut value = group.json();
                value["tenant"] = json!(change.tenant);
                value["from"] = verdict(&change.from);
                value["to"] = verdict(&change.to);
                value
            };
            list.iter().map(one).collect()
        };
        let unlike = |((expected, got), group): (&(String, String), &Group)| {
            let mut value = group.json();
            value["expected"] = json!(expected);
            value["got"] = json!(got);
            value
        };
        let not = |(why, group): (&String, &Group)| {
            let mut value = group.json();
            value["why"] = json!(why);
            value
        };
        json!({
            "old": old.title(),
            "new": new.title(),
            "lines": self.lines,
            "period": self.period.json(),
            "replayed": self.replayed,
            "flips": changes(&self.flips),
            "same_answer": changes(&self.others),
            "not_reproduced": self.unlike.iter().map(unlike).collect::<Value>(),
            "not_replayed": self.not_replayed.iter().map(not).collect::<Value>(),
            "skipped": self.skipped.json(),
        })
    }
}

fn verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Decided { allowed, reason, policy } => {
            json!({ "decision": if *allowed { "allow" } else { "deny" }, "reason": reason, "policy": policy })
        }
        Verdict::CannotTell(why) => json!({ "cannot_tell": why }),
    }
}
