//! `partywall test`.

use std::path::{Path, PathBuf};

use partywall_tenancy::{TenantId, WithdrawnConsent};
use serde::Serialize;

use crate::cases::{self, Case, Given, Played, Player, Reached};
use crate::command::{say, say_json};
use crate::compile::check;
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::directory::CASES;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::lower::parse;
use crate::overlay::Withdrawn;
use crate::rehearsal::Rehearsal;

/// Play the cases of a tenancy directory through the code that sidecars run
///
/// Reads DIR/cases/*.yaml, decides each request as a sidecar would, and says which policies no case reaches.
/// Exit status: 0 all as expected, 1 a case differs, 3 the directory or a case cannot be read.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall test envoy-config/tenancy
  partywall test envoy-config/tenancy --junit target/policy.xml
  partywall test envoy-config/tenancy --json | jq '.cases[] | select(.passed | not)'

A case:
  cases:
    - name: a viewer reads an order
      given: { tenant: acme, subject: alice, roles: [viewer] }
      when: { service: orders, request: GET /orders/7 }
      then: { decision: allow, policy: viewers-read }

What a client shows, instead of what was proved; issuers and API keys sign with keys of this run:
      given: { token: { issuer: \"https://id.acme.example\", claims: { tenant: acme, roles: [viewer] } } }
      given: { token: { issuer: \"https://id.acme.example\", claims: { tenant: acme }, age: 2h } }
      given: { api_key: nightly-export, host: acme.shop.example }
      given: { certificate: { uri: \"spiffe://mesh.example/tenant/acme/sa/jobs\" } }

Who brings it to the service's sidecar; what is in shadow; what a route's metadata say:
      given: { tenant: acme, roles: [viewer], caller: \"spiffe://mesh.example/ns/shop/sa/invoices\" }
      then: { decision: allow, shadow: policy_denied }
      when: { service: orders, request: GET /orders/7, route: shadow }
      when: { service: orders, request: GET /reports/7, route: { action: \"orders:report\", resource: Report } }"
)]
pub(crate) struct Args {
    /// The tenancy directory
    dir: PathBuf,
    /// Also write a report as JUnit does
    #[arg(long)]
    junit: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'r> {
    passed: usize,
    failed: usize,
    cases: &'r [Played],
    coverage: &'r [Reached],
}

/// The largest file of cases, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

pub(crate) fn run(args: &Args) -> Outcome {
    let checked = check(&args.dir, None);
    let Some((directory, program)) = checked.good() else {
        let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned();
        return Err(Failure::diagnostics(&errors.collect::<Vec<_>>()));
    };
    let sources = sources(&args.dir.join(CASES))?;
    let rehearsal = Rehearsal::new(directory, program, &Withdrawn::default())?;
    let (parsed, _) = parse(directory.policies);
    let mut player = Player::new(&rehearsal, &parsed);
    let (mut played, mut mistakes) = (Vec::new(), Vec::new());
    for source in &sources {
        match cases::read(source) {
            Ok(cases) => {
                for case in &cases {
                    let other = withdrawn(case).map(|overlay| Rehearsal::new(directory, program, &overlay));
                    played.push(player.play(case, other.transpose()?.as_ref()));
                }
            }
            Err(found) => mistakes.extend(found),
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::diagnostics(&mistakes));
    }
    if let Some(path) = &args.junit {
        let report = cases::junit(&played);
        files::replace(path, report.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(path, e))?;
    }
    let failed = played.iter().filter(|case| !case.passed).count();
    let passed = played.len() - failed;
    if args.json {
        say_json(&Report { passed, failed, cases: &played, coverage: player.reached() })?;
    } else {
        tell(&played, player.reached());
        say(format_args!("{}: {passed} passed, {failed} failed", args.dir.display()));
    }
    Ok(if failed > 0 { Exit::Findings } else { Exit::Fine })
}

fn tell(played: &[Played], coverage: &[Reached]) {
    for case in played.iter().filter(|case| !case.passed) {
        say(format_args!("{}: {}", case.at, case.name));
        say(format_args!("  expected  {}", case.expected));
        say(format_args!("  got       {}", case.got));
        for (n, why) in case.why.iter().enumerate() {
            say(format_args!("  {:<9} {why}", if n == 0 { "why" } else { "" }));
        }
        say("");
    }
    say("policy                                   effect  satisfied  not  place");
    for policy in coverage {
        let Reached { policy, effect, at, satisfied, not_satisfied } = policy;
        let unreached = if *satisfied == 0 { "  in no case is it satisfied" } else { "" };
        say(format_args!("{policy:<40} {effect:<7} {satisfied:>9} {not_satisfied:>4}  {at}{unreached}"));
    }
    say("");
}

/// The overlay that a case asks for.
fn withdrawn(case: &Case<'_>) -> Option<Withdrawn> {
    let Given::Proved { tenant, withdrawn, .. } = &case.given else { return None };
    let tenant = TenantId::parse(tenant).ok().filter(|_| !withdrawn.is_empty())?;
    let of = |consent: &String| WithdrawnConsent { tenant: tenant.clone(), consent: consent.clone() };
    Some(Withdrawn { withdrawn_consents: withdrawn.iter().map(of).collect(), ..Withdrawn::default() })
}

/// The files of cases, sorted by name.
fn sources(folder: &Path) -> Result<Vec<Source>, Failure> {
    let none = || {
        let help = "write a case into `cases/readers.yaml`; `partywall test --help` shows one";
        Failure::diagnostics(&[Diagnostic::of_file(folder.to_string_lossy(), "there are no cases").help(help)])
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|_| none())? {
        let name = entry.map_err(|e| Failure::file(folder, e))?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "README.md" {
            continue;
        }
        if !name.ends_with(".yaml") {
            let mistake = Diagnostic::of_file(folder.join(&name).to_string_lossy(), "is not read");
            return Err(Failure::diagnostics(&[mistake.help("end its name with `.yaml`, or move it elsewhere")]));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(none());
    }
    names.sort();
    let read = |name: &String| {
        let path = folder.join(name);
        let text = files::read_text(&path, MAX_FILE).map_err(|e| Failure::file(&path, e))?;
        Ok(Source::new(path.to_string_lossy(), text))
    };
    names.iter().map(read).collect()
}
