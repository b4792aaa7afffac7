//! Every claim about one kind of request.

use cedar_policy::Schema;

use super::claim::{Asked, asked};
use super::counterexample::Counterexample;
use super::kind::of_directory;
use super::report::{Finding, OfKind, Verdict};
use super::solver::{Answer, Session};
use super::{Claim, Kind, Pass, Task};
use crate::exit::Failure;

/// What came of each claim, about the policies alone and with what sidecars hold by themselves.
pub(super) async fn of_kind(
    task: &Task<'_>,
    session: &mut Session<'_>,
    schema: &Schema,
    kind: &Kind,
) -> Result<OfKind, Failure> {
    let mut findings = Vec::new();
    for pass in [Pass::Authored, Pass::WithInvariants] {
        for claim in Claim::of(task) {
            let verdict = verdict(task, session, schema, kind, pass, *claim).await?;
            let (action, resource) = (kind.action.clone(), kind.resource.clone());
            findings.push(Finding { pass, claim: *claim, action, resource, verdict });
        }
    }
    let own = asked(task, kind, Pass::WithInvariants, Claim::Nothing, None)?;
    let idle = match own {
        None => true,
        Some(own) => matches!(session.ask(schema, &kind.env, &own.permits, None).await?, Answer::No),
    };
    Ok(OfKind { idle, findings })
}

async fn verdict(
    task: &Task<'_>,
    session: &mut Session<'_>,
    schema: &Schema,
    kind: &Kind,
    pass: Pass,
    claim: Claim,
) -> Result<Verdict, Failure> {
    let mut ask = async |further: Option<&str>| -> Result<Option<(Asked<'_>, Answer)>, Failure> {
        let Some(asked) = asked(task, kind, pass, claim, further)? else { return Ok(None) };
        let answer = session.ask(schema, &kind.env, &asked.permits, asked.covers.as_ref()).await?;
        Ok(Some((asked, answer)))
    };
    let (asked, model) = match ask(None).await? {
        None | Some((_, Answer::No)) => return Ok(Verdict::Proved),
        Some((_, Answer::Unknown(why))) => return Ok(Verdict::Unknown(why)),
        Some((asked, Answer::Yes(model))) => (asked, model),
    };
    // A request between tenants that exist tells more than one between any.
    for any_status in [false, true] {
        let Some(existing) = of_directory(&asked.side.tenants, any_status) else { continue };
        if let Some((asked, Answer::Yes(model))) = ask(Some(&existing)).await? {
            return Counterexample::new(kind, &asked, &model).map(Box::new).map(Verdict::False);
        }
    }
    Counterexample::new(kind, &asked, &model).map(Box::new).map(Verdict::False)
}
