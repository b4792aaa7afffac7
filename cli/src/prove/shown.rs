//! A report for people.

use std::fmt::{self, Write as _};

use partywall_tenancy::{NameSet, Tenant};

use super::counterexample::Counterexample;
use super::report::Change;
use super::{Claim, Finding, Pass, Report, Side, Task, Verdict};

/// So many counterexamples of one claim are shown; `--json` tells all.
const MOST: usize = 10;

impl Report {
    /// The report as lines of text.
    pub(crate) fn shown(&self, task: &Task<'_>, narrower: bool) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, task, narrower);
        text.trim_end().to_owned()
    }

    fn write(&self, out: &mut String, task: &Task<'_>, narrower: bool) -> fmt::Result {
        writeln!(out, "policies  {} of {}", self.policies, task.new.path.display())?;
        writeln!(out, "requests  of {} kinds: each action on each type of resource", self.kinds)?;
        for (action, resource) in &self.idle {
            writeln!(out, "          {action} on {resource}: nothing permits it to any tenant, so this proves little")?;
        }
        writeln!(out, "solver    {}", self.solver)?;
        match task.new.assumed.as_slice() {
            [] => writeln!(out, "assumed   nothing: the directory declares no share, cohort or grant")?,
            assumed => assumed.iter().try_for_each(|one| writeln!(out, "assumed   {one}"))?,
        }
        if !task.new.in_shadow.is_empty() {
            let what = task.new.in_shadow.join("; ");
            writeln!(out, "IN SHADOW {what}: there what policies deny is let through, whatever is proved of them")?;
        }
        for pass in [Pass::Authored, Pass::WithInvariants] {
            writeln!(
                out,
                "\n{}",
                match pass {
                    Pass::Authored => "The policies alone",
                    Pass::WithInvariants => "The policies with what sidecars hold by themselves",
                }
            )?;
            for claim in [Claim::NoForeign, Claim::NoSuspended] {
                self.claim(out, task, pass, claim)?;
            }
            if let Some(old) = task.old {
                self.comparison(out, task.new, old, pass)?;
            }
        }
        let verdict = if self.proved(narrower) { "Proved" } else { "Not proved" };
        writeln!(out, "\n{verdict}, in {:.1} s", self.took.as_secs_f64())
    }

    fn claim(&self, out: &mut String, task: &Task<'_>, pass: Pass, claim: Claim) -> fmt::Result {
        let open: Vec<&Finding> =
            self.of(pass, claim).filter(|finding| !matches!(finding.verdict, Verdict::Proved)).collect();
        let known = open.iter().any(|finding| matches!(finding.verdict, Verdict::False(_)));
        let word = if open.is_empty() {
            "proved "
        } else if known {
            "FALSE  "
        } else {
            "unknown"
        };
        let of =
            if open.is_empty() { String::new() } else { format!(": not of {} of {} kinds", open.len(), self.kinds) };
        writeln!(out, "  {word}  {}{of}", claim.words())?;
        for finding in open.iter().take(MOST) {
            writeln!(out, "    {} on {}", finding.action, finding.resource)?;
            verdict(out, &finding.verdict, task.permitting(claim), "")?;
            if let Verdict::False(found) = &finding.verdict {
                shared(out, &self.shared(task, finding), &finding.action, &found.policies)?;
            }
        }
        if open.len() > MOST {
            writeln!(out, "    and {} more; --json tells all", open.len() - MOST)?;
        }
        Ok(())
    }

    fn comparison(&self, out: &mut String, new: &Side, old: &Side, pass: Pass) -> fmt::Result {
        let changes: Vec<_> = self.changes(pass).collect();
        let equal = changes.iter().filter(|(.., change)| *change == Change::Equal).count();
        writeln!(out, "  {equal} of {} kinds permit the same as {}", changes.len(), old.path.display())?;
        for (wider, narrower, change) in changes.iter().filter(|(.., change)| *change != Change::Equal) {
            let word = match change {
                Change::Equal | Change::Unknown => "unknown",
                Change::Narrower => "narrower",
                Change::Wider => "WIDER",
                Change::Both => "WIDER and narrower",
            };
            writeln!(out, "    {} on {}: {word}", wider.action, wider.resource)?;
            verdict(out, &wider.verdict, new, "now ")?;
            verdict(out, &narrower.verdict, old, "before ")?;
        }
        Ok(())
    }
}

fn verdict(out: &mut String, verdict: &Verdict, side: &Side, when: &str) -> fmt::Result {
    match verdict {
        Verdict::Proved => Ok(()),
        Verdict::Unknown(why) => writeln!(out, "      {why}"),
        Verdict::False(found) => found.write(out, side, when),
    }
}

/// What to write where the wall has an exception for a share: the share needs no permit, so permits may be bound.
fn shared(out: &mut String, shares: &[&str], action: &str, permits: &[String]) -> fmt::Result {
    if shares.is_empty() {
        return Ok(());
    }
    let (shares, permits) = (shares.join("`, `"), permits.join("`, `"));
    writeln!(
        out,
        "      `{action}` is shared by `{shares}`: sidecars let across what that names, and no more. A share needs no"
    )?;
    writeln!(out, "      permit, so to have this proved of the policies alone, write at `{permits}`:")?;
    writeln!(out, "        when {{ principal.tenant == resource.tenant }}")
}

impl Counterexample {
    fn write(&self, out: &mut String, side: &Side, when: &str) -> fmt::Result {
        let case = &self.case;
        writeln!(out, "      {when}permitted by `{}`", self.policies.join("`, `"))?;
        writeln!(out, "      {}", self.explain(side))?;
        let mut tenants = vec![&case.tenant];
        if case.owner.id != case.tenant.id {
            tenants.push(&case.owner);
        }
        for tenant in tenants {
            let mut note = String::new();
            let known = side.tenants.iter().find(|known| known.id == tenant.id);
            match known {
                Some(known) if known == tenant => {}
                Some(known) if known.status != tenant.status => {
                    write!(note, "; now it is {}", known.status.name())?;
                }
                Some(known) => write!(
                    note,
                    "; now it is of tier `{}`, residency `{}`{}",
                    known.tier,
                    known.residency,
                    sets(known)
                )?,
                None => write!(note, "; the directory has no such tenant")?,
            }
            let Tenant { id, tier, residency, status, .. } = tenant;
            let (status, sets) = (status.name(), sets(tenant));
            writeln!(out, "        {id}: tier `{tier}`, residency `{residency}`, {status}{sets}{note}")?;
        }
        Ok(())
    }
}

/// Features and consents, as far as there are any.
fn sets(tenant: &Tenant) -> String {
    let told = |name: &str, set: &NameSet| match set.is_empty() {
        true => String::new(),
        false => format!(", {name} {}", set.iter().collect::<Vec<_>>().join(" ")),
    };
    told("features", &tenant.features) + &told("consents", &tenant.consents)
}
