//! `partywall redact --tenancy`: by the rules of a directory, as the collector's proxy does it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use partywall_log_redaction::Slice;
use partywall_log_redaction::carriers::{Carrier, Cause, Kind};
use partywall_log_redaction::detect::Detectors;
use partywall_log_redaction::redactor::{Engine, Facts, Own, Redactor, Rules};
use partywall_log_redaction::replace::Keys;
use partywall_log_redaction::tenants::{Listed, Tenant};
use partywall_tenancy::{Source, TenantId};
use serde_json::json;

use super::{Args, Format, source};
use crate::command::note;
use crate::compile::check;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::{prints, sealed_keys};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

pub(super) fn run(args: &Args, tenancy: &Path) -> Outcome {
    let checked = check(tenancy, None);
    let Some((directory, _)) = checked.good() else { return Err(Failure::diagnostics(&checked.diagnostics)) };
    let Some(slice) = directory.redaction else {
        let message = "has no `redaction.yaml`; leave --tenancy out to look for everything that is built in";
        return Err(Failure::file(tenancy, message));
    };
    let ids: Vec<TenantId> = directory.tenants.iter().map(|tenant| tenant.id.clone()).collect();
    let own = match &args.tenant {
        None => Own::Record,
        Some(wanted) => {
            let at = ids.binary_search(wanted).ok().and_then(|at| u32::try_from(at).ok());
            Own::Tenant(Tenant(at.ok_or_else(|| {
                let meant = nearest(wanted.as_str(), ids.iter().map(TenantId::as_str));
                let help = meant.map_or_else(String::new, |meant| format!("\nhelp: did you mean `{meant}`?"));
                Failure::invalid(format!("there is no tenant `{wanted}` in `{}`{help}", tenancy.display()))
            })?))
        }
    };
    let prints = args.fingerprint_key.as_deref().map(|file| prints::keys(Some(file))).transpose()?;
    let prints = prints.unwrap_or_default();
    let hosts = directory.mesh.sources.edge.iter().filter_map(|source| match source {
        Source::Host { template } => Some(template.as_str()),
        _ => None,
    });
    let hosts: Vec<&str> = hosts.collect();
    let mut listed = Listed::default();
    for id in &ids {
        let prints: Vec<String> = prints.iter().map(|key| key.of(id)).collect();
        let prints: Vec<&str> = prints.iter().map(String::as_str).collect();
        let hosts: Vec<String> = hosts.iter().map(|template| template.replace("{tenant}", id.as_str())).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        // In the order of ids, so that each has the number of its place.
        listed.add(id.as_str(), &prints, &hosts);
    }
    let keys = keys(args, slice, ids)?;
    let rules = Rules { summary: slice.rules.summary && !args.no_summary, ..slice.rules.clone() };
    let detectors = Rc::new(Detectors::new(&slice.detectors).map_err(Failure::invalid)?);
    let engine = Engine::new(&rules, detectors, Rc::new(listed), keys.clone()).map_err(Failure::invalid)?;
    let facts = Facts { service: args.service.as_deref(), ..Facts::new("lines", own) };
    let mut run = Run { redactor: Redactor::new(Rc::new(engine), &facts), slice, done: BTreeMap::new(), told: [0; 4] };
    let standard = [PathBuf::from("-")];
    for path in if args.files.is_empty() { &standard[..] } else { &args.files } {
        run.redactor.next(&facts);
        if !run.file(path).map_err(|error| Failure::file(path, error))? {
            return Ok(Exit::Fine);
        }
    }
    if !args.quiet {
        run.tell(args.format);
        if let Some(one) = keys.take_unopened() {
            note(format_args!("a key of {} does not open: {}; what asks for it is masked", one.tenant, one.why));
        }
    }
    Ok(Exit::Fine)
}

/// Without master keys none opens, and what asks for one is masked without a fingerprint.
fn keys(args: &Args, slice: &Slice, ids: Vec<TenantId>) -> Result<Rc<Keys>, Failure> {
    let Some(file) = &args.master else { return Ok(Rc::new(Keys::default())) };
    let masters = sealed_keys::masters(Some(file))?;
    let id = move |tenant: Tenant| ids.get(usize::try_from(tenant.0).ok()?).cloned();
    let only_keys = Slice { keys: slice.keys.clone(), ..Slice::default() };
    Keys::sealed(None, Rc::new(only_keys), &masters, id).map(Rc::new).map_err(Failure::invalid)
}

struct Run<'s> {
    redactor: Redactor,
    slice: &'s Slice,
    /// What was done, by detector and action.
    done: BTreeMap<(String, &'static str), u64>,
    /// Lines: all, left out by a rule, changed, and such that could not be read.
    told: [u64; 4],
}

impl Run<'_> {
    /// Whether anybody still reads what is written.
    fn file(&mut self, path: &Path) -> io::Result<bool> {
        let mut source = source(path)?;
        let mut carrier = Carrier::new(Kind::Lines, self.slice.bounds.limits());
        let (mut chunk, mut out) = (vec![0; CHUNK], Vec::new());
        loop {
            let size = match source.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                size => size?,
            };
            let refused = carrier.push(&chunk[..size], size == 0, &mut self.redactor, &mut out);
            refused.map_err(|refusal| io::Error::other(refusal.to_string()))?;
            for count in self.redactor.take_counts() {
                *self.done.entry((count.detector, count.action)).or_default() += count.count;
            }
            let mut stdout = io::stdout().lock();
            match stdout.write_all(&out).and_then(|()| stdout.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
                wrote => wrote?,
            }
            out.clear();
            if size == 0 {
                break;
            }
        }
        let counts = carrier.counts();
        let unread: u64 = counts.bad.iter().take(Cause::ALL.len()).sum();
        for (sum, one) in self.told.iter_mut().zip([counts.records, counts.dropped, counts.changed, unread]) {
            *sum += one;
        }
        Ok(true)
    }

    fn tell(&self, format: Format) {
        let [lines, dropped, changed, unread] = self.told;
        if format == Format::Json {
            let done = self
                .done
                .iter()
                .map(|((detector, action), count)| json!({ "detector": detector, "action": action, "count": count }));
            let done: Vec<_> = done.collect();
            return note(json!({
                "lines": lines, "left_out": dropped, "changed": changed, "unread": unread, "done": done,
            }));
        }
        note(format_args!(
            "{lines} lines, {changed} values changed, {dropped} lines left out, {unread} could not be read"
        ));
        for ((detector, action), count) in &self.done {
            note(format_args!("  {count:>8}  {detector}: {action}"));
        }
    }
}
