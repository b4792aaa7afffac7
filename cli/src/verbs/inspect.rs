//! `partywall inspect`.

use std::path::PathBuf;

use partywall_tenancy::statement::{Kind, MAX_SIZE, Statement};
use partywall_tenancy::{BundleBody, OverlayBody, Rollout, UnixSeconds};
use serde_json::{Value, json};

use crate::candidates::Shown;
use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::show;
use crate::unverified::Unverified;
use crate::{files, keys, overlay};

/// Show what a bundle, an overlay or a candidate says
///
/// With --keys the signature is verified against the public keys there; without it nothing is
/// proved, and the output says so. Exit status: 0 shown, 1 shown but past its expiry or issued in
/// the future, 3 no statement or a signature that does not verify.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall inspect served/tenancy.edge.bundle --keys keys
  partywall inspect served/tenancy.workload.candidate --keys keys
  partywall inspect served/tenancy.overlay --keys keys --json | jq .body.suspended
  curl -s http://127.0.0.1:9090/tenancy.edge.bundle -o b && partywall inspect b"
)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    /// The folder with the public keys
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let bytes = files::read(&args.file, MAX_SIZE as u64).map_err(|e| Failure::file(&args.file, e))?;
    let statement = Statement::read(&bytes).map_err(|refusal| Failure::file(&args.file, refusal))?;
    let unverified = Unverified::read(&bytes).ok_or_else(|| Failure::file(&args.file, "is cut short"))?;
    let body =
        Body::of(&unverified).ok_or_else(|| Failure::file(&args.file, "has a body that this build does not read"))?;
    let signature = match &args.keys {
        None => Signature::NotLookedAt,
        Some(folder) => {
            let trusted = keys::public_halves(&unverified.signed_by, folder).map_err(Failure::invalid)?;
            let verified = statement.verify(unverified.kind, &trusted, &[]).map_err(|refusal| {
                Failure::file(&args.file, format!("{refusal}, of those in `{}`", folder.display()))
            })?;
            let by = trusted.into_iter().filter(|key| verified.by.keys().contains(&key.key));
            Signature::Verified(by.map(|key| key.id.into()).collect())
        }
    };
    let now = overlay::now_millis() / 1000;
    let (issued, expires) = body.times();
    let timely = if expires < now {
        "past its expiry"
    } else if issued > now {
        "issued in the future"
    } else {
        "in time"
    };
    if args.json {
        say_json(&json!({
            "kind": body.kind(),
            "bytes": bytes.len(),
            "signed_by": unverified.signed_by,
            "verified": matches!(signature, Signature::Verified(_)),
            "timely": timely,
            "body": body.json(),
        }))?;
    } else {
        say(format_args!("{}: {}, {} bytes, {timely}", args.file.display(), body.kind(), bytes.len()));
        show::line("signed by", unverified.signed_by.join(", "));
        show::line("signature", signature.words());
        body.show();
    }
    Ok(if timely == "in time" { Exit::Fine } else { Exit::Findings })
}

enum Signature {
    NotLookedAt,
    Verified(Vec<String>),
}

impl Signature {
    fn words(&self) -> String {
        match self {
            Self::NotLookedAt => "NOT VERIFIED, nothing below is proved; give --keys".to_owned(),
            Self::Verified(by) => format!("verified, with the public key of {}", by.join(" and ")),
        }
    }
}

enum Body {
    Bundle(Box<BundleBody>),
    Overlay(Box<OverlayBody>),
    Candidate(Rollout, Box<BundleBody>),
}

impl Body {
    fn of(unverified: &Unverified<'_>) -> Option<Self> {
        Some(match unverified.kind {
            Kind::Bundle => Self::Bundle(Box::new(unverified.bundle()?)),
            Kind::Overlay => Self::Overlay(Box::new(unverified.overlay()?)),
            Kind::Candidate => {
                let (rollout, body) = unverified.candidate()?;
                Self::Candidate(rollout, Box::new(body))
            }
            Kind::Grant => return None,
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Bundle(_) => "bundle",
            Self::Overlay(_) => "overlay",
            Self::Candidate(..) => "candidate",
        }
    }

    fn times(&self) -> (UnixSeconds, UnixSeconds) {
        match self {
            Self::Bundle(body) | Self::Candidate(_, body) => (body.issued, body.expires),
            Self::Overlay(body) => (body.issued, body.expires),
        }
    }

    fn show(&self) {
        match self {
            Self::Bundle(body) => show::bundle(body),
            Self::Overlay(body) => show::overlay(body),
            Self::Candidate(rollout, body) => {
                show::line("rollout", Shown::from(rollout).words());
                show::bundle(body);
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Bundle(body) => show::bundle_json(body),
            Self::Overlay(body) => json!(body),
            Self::Candidate(rollout, body) => {
                let mut value = show::bundle_json(body);
                value["rollout"] = json!(Shown::from(rollout));
                value
            }
        }
    }
}
