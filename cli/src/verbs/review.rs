//! `partywall review`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use partywall_authorization::Effect;
use partywall_tenancy::UnixSeconds;
use serde_json::{Value, json};

use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::grants::in_force;
use crate::material::Material;
use crate::overlay::now_millis;
use crate::recorded::{Log, Period, Skipped};
use crate::replay::{GRANT, SHARE};
use crate::time::{parse_rfc3339, rfc3339};

/// Tell which policies, shares, grants, roles, features and consents nobody used for N days, by an access log
///
/// A policy, a share, or a grant of a served folder, is used when it settles a decision; a role, feature or consent
/// that policies name, when somebody who has it, or whose tenant does, is decided on. What is unused in the log may
/// still be needed, as a report that runs once a year. A `forbid` that did not have to forbid is told by itself: a wall
/// that nobody ran into is no finding; how often a share was used is told too. The log says no more than it covers, and
/// that is told; it covers what sidecars wrote with `explain: all`.
///
/// Exit status: 0 everything was used, 1 something was not, or the log does not cover the days.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall review tenancy --log access.log --days 90
  zcat access.log.*.gz | partywall review served --log - --days 30 --json | jq .unused"
)]
pub(crate) struct Args {
    /// The tenancy directory, bundle file or folder with bundle files
    dir: PathBuf,
    /// The access log, one line per request; `-` reads standard input
    #[arg(long)]
    log: PathBuf,
    /// How long nobody must have used it
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
    /// The end of these days, as `2026-11-24T00:00:00Z`; by default now
    #[arg(long, value_parser = time)]
    until: Option<UnixSeconds>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const DAY: u64 = 86_400;
/// The kind of policies that forbid.
const FORBID: &str = "forbid";

fn time(text: &str) -> Result<UnixSeconds, String> {
    parse_rfc3339(text).ok_or_else(|| "write a time as `2026-11-24T00:00:00Z`".to_owned())
}

/// How often, and when last.
#[derive(Clone, Copy, Default)]
struct Used {
    times: u64,
    last: UnixSeconds,
}

/// By kind (`policy`, `share`, `grant`, `role`) and name; [`FORBID`] stands for the policies that forbid.
type Uses = BTreeMap<(&'static str, String), Used>;

pub(crate) fn run(args: &Args) -> Outcome {
    let material = Material::read(&args.dir, None)?;
    let until = args.until.unwrap_or(now_millis() / 1000);
    let since = until.saturating_sub(args.days * DAY);
    let mut uses = named(&material);
    if args.dir.is_dir() {
        let grants = in_force(&args.dir)?;
        uses.extend(grants.iter().map(|grant| (("grant", format!("{GRANT}{}", grant.body.id)), Used::default())));
    }
    let (mut period, mut within, mut skipped, mut lines) =
        (Period::default(), Period::default(), Skipped::default(), 0u64);
    let mut used = |kind, name: &str, time: UnixSeconds| {
        // Of the log's names only those of today's policies are kept, so that a log costs no memory.
        if let Some(one) = uses.get_mut(&(kind, name.to_owned())) {
            one.times += u64::from(time >= since && time <= until);
            one.last = one.last.max(time);
        }
    };
    let mut log = Log::open(&args.log)?;
    while let Some((line, read)) = log.next()? {
        lines += 1;
        match read {
            Err(why) => skipped.add(line, why),
            Ok(record) => {
                period.add(record.time);
                if record.time >= since && record.time <= until {
                    within.add(record.time);
                }
                if record.policy.starts_with(GRANT) {
                    used("grant", &record.policy, record.time);
                } else if record.policy.starts_with(SHARE) {
                    used("share", &record.policy, record.time);
                } else {
                    // Its name is one policy's, so it counts for one of the two.
                    used("policy", &record.policy, record.time);
                    used(FORBID, &record.policy, record.time);
                }
                for (kind, names) in
                    [("role", &record.roles), ("feature", &record.features), ("consent", &record.consents)]
                {
                    names.iter().for_each(|name| used(kind, name, record.time));
                }
            }
        }
    }
    if period.from == 0 {
        return Err(Failure::file(&args.log, "holds no decision; the access log needs the `explain` field"));
    }
    // A log that starts a while after the first day says nothing about the days before.
    let covered = period.from <= since.saturating_add(DAY) && period.to >= until.saturating_sub(DAY);
    let unused = uses.iter().filter(|(_, used)| used.times == 0);
    let (quiet, unused): (Vec<_>, Vec<_>) = unused.partition(|((kind, _), _)| *kind == FORBID);
    if args.json {
        let json_of = |(kind, name): &(&str, String), used: &Used| {
            let last = (used.last > 0).then_some(used.last);
            let kind = if *kind == FORBID { "policy" } else { kind };
            json!({ "kind": kind, "name": name, "times": used.times, "last": last })
        };
        say_json(&json!({
            "since": since,
            "until": until,
            "log": period.json(),
            "within": within.json(),
            "covered": covered,
            "lines": lines,
            "unused": unused.iter().map(|(key, used)| json_of(key, used)).collect::<Value>(),
            "did_not_forbid": quiet.iter().map(|((_, name), _)| name).collect::<Vec<_>>(),
            "used": uses.iter().filter(|(_, u)| u.times > 0).map(|(key, used)| json_of(key, used)).collect::<Value>(),
            "skipped": skipped.json(),
        }))?;
    } else {
        say(format_args!("{}: {lines} lines, decisions from {}", args.log.display(), period.words()));
        say(format_args!("asked about {} days, {} to {}", args.days, rfc3339(since), rfc3339(until)));
        if !covered {
            say(format_args!("NOT COVERED: of these days the log holds only {}", within.words()));
        }
        if unused.is_empty() {
            say("every policy that permits and every name that policies ask for was used");
        }
        let last = |used: &Used| {
            if used.last == 0 { "not once in the log".to_owned() } else { format!("last {}", rfc3339(used.last)) }
        };
        for ((kind, name), used) in &unused {
            say(format_args!("  unused {kind} {name}: {}", last(used)));
        }
        for ((kind, name), used) in uses.iter().filter(|((kind, _), used)| *kind == "share" && used.times > 0) {
            say(format_args!("  used {kind} {name}: {} times, {}", used.times, last(used)));
        }
        for ((_, name), used) in &quiet {
            say(format_args!("  did not have to forbid: {name}, {}", last(used)));
        }
        if !skipped.is_empty() {
            say("hold no decision:");
            skipped.show();
        }
    }
    Ok(if unused.is_empty() && covered { Exit::Fine } else { Exit::Findings })
}

/// Everything that can be used.
fn named(material: &Material) -> Uses {
    let kind = |effect| if effect == Effect::Forbid { FORBID } else { "policy" };
    let all = &material.authorization.program().body().policies;
    let policies = all.iter().map(|policy| (kind(policy.effect), policy.id.clone()));
    let roles = material.named("Role").map(|role| ("role", role.to_owned()));
    let authorization = &material.authorization;
    let features = material.tenants.iter().flat_map(|tenant| tenant.features.iter());
    let features = features.filter(|name| authorization.names_feature(name)).map(|name| ("feature", name.to_owned()));
    let consents = material.tenants.iter().flat_map(|tenant| tenant.consents.iter());
    let consents = consents.filter(|name| authorization.names_consent(name)).map(|name| ("consent", name.to_owned()));
    let shares = material.body.shares.iter().map(|share| ("share", format!("{SHARE}{}", share.name)));
    policies.chain(shares).chain(roles).chain(features).chain(consents).map(|key| (key, Used::default())).collect()
}
