//! Changes the files of tenants: one at a time, keeping what people wrote around it.

use std::fs;
use std::path::{Path, PathBuf};

use partywall_tenancy::{Cell, TenantId};

use crate::diagnostic::{Diagnostic, Severity};
use crate::directory::{self, RETIRED, Reading, Record, is_label};
use crate::exit::Failure;
use crate::nearest::nearest;
use crate::{files, overlay, time};

/// The largest file that is changed, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// The largest file with a tenant per line, in bytes.
const MAX_LINES: u64 = 64 * 1024 * 1024;

/// What holds for one tenant of a directory.
pub(crate) fn record(tenancy: &Path, tenant: &TenantId) -> Result<Record, Failure> {
    let reading = directory::read_about(tenancy, None, Some(tenant));
    if let Some(record) = reading.record() {
        return Ok(record.clone());
    }
    // Its file may be there and be no good.
    let errors: Vec<Diagnostic> =
        reading.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect();
    if !errors.is_empty() {
        return Err(Failure::diagnostics(&errors));
    }
    let meant = nearest(tenant.as_str(), reading.tenants().iter().map(|known| known.id.as_str()));
    let add = || format!("\nhelp: `partywall tenant add {tenant} --tenancy {}` writes one", tenancy.display());
    let help = meant.map_or_else(add, |meant| format!("\nhelp: did you mean `{meant}`?"));
    Err(Failure::invalid(format!("`{}` has no tenant `{tenant}`{help}", tenancy.display())))
}

/// Writes `name: [items]` into the file of a tenant, in place of what stands there.
pub(crate) fn set_list(tenancy: &Path, record: &Record, name: &str, items: &[String]) -> Result<(), Failure> {
    let path = PathBuf::from(record.place.path());
    let before = files::read_text(&path, MAX_SIZE).map_err(|e| Failure::file(&path, e))?;
    let line = format!("{name}: [{}]", items.join(", "));
    replace(&path, &with_line(&before, name, &line))?;
    let after = self::record(tenancy, &record.tenant);
    let holds = |record: &Record| (if name == "consents" { &record.consents } else { &record.features }) == items;
    if after.as_ref().is_ok_and(holds) {
        return Ok(());
    }
    replace(&path, &before)?;
    let message = format!("cannot be changed by this command; nothing was changed\nhelp: write `{line}` yourself");
    Err(Failure::file(&path, message))
}

/// `text` with `line` in place of the field `name`, or at its end. A comment behind a value written in one line stays.
fn with_line(text: &str, name: &str, line: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    let mut found = false;
    while let Some(old) = lines.next() {
        let Some(value) = old.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')).filter(|_| !found) else {
            out.push_str(old);
            out.push('\n');
            continue;
        };
        found = true;
        let comment = value.find(" #").map_or("", |at| &value[at..]);
        out.push_str(&format!("{line}{comment}\n"));
        // What is written below it, one item per line or in brackets.
        while lines.next_if(|next| next.starts_with([' ', '\t', '-', ']'])).is_some() {}
    }
    if !found {
        out.push_str(&format!("{line}\n"));
    }
    out
}

/// What becomes of a tenant's cell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move<'c> {
    /// It begins to move to this one.
    To(&'c str),
    /// It has arrived.
    Done,
    /// It stays where it was.
    Back,
}

/// Writes `cell` into the file of a tenant, and gives the line.
pub(crate) fn set_cell(tenancy: &Path, tenant: &TenantId, what: Move<'_>) -> Result<String, Failure> {
    let record = record(tenancy, tenant)?;
    let reading = directory::read(tenancy, None);
    let known = reading.tenants().iter().find(|known| known.id == *tenant);
    let cell = known.and_then(|known| known.cell.clone());
    let name = match (&cell, what) {
        (Some(Cell::In(from)), Move::To(to)) if **from == *to => {
            return Err(Failure::invalid(format!("`{tenant}` is in `{to}`")));
        }
        (Some(Cell::In(from)), Move::To(to)) => format!("{{ from: {from}, to: {to} }}"),
        (None, Move::To(to)) => to.to_owned(),
        (Some(Cell::Moving { to, .. }), Move::Done) => to.to_string(),
        (Some(Cell::Moving { from, .. }), Move::Back) => from.to_string(),
        (Some(Cell::Moving { from, to }), Move::To(_)) => {
            let help = format!("`partywall tenant move {tenant} --done` ends that, `--back` takes it back");
            return Err(Failure::invalid(format!("`{tenant}` moves from `{from}` to `{to}` already\nhelp: {help}")));
        }
        (_, Move::Done | Move::Back) => {
            let help = format!("`partywall tenant move {tenant} --to CELL` begins it");
            return Err(Failure::invalid(format!("`{tenant}` does not move\nhelp: {help}")));
        }
    };
    let line = format!("cell: {name}");
    let path = PathBuf::from(record.place.path());
    let before = files::read_text(&path, MAX_SIZE).map_err(|e| Failure::file(&path, e))?;
    replace(&path, &with_line(&before, "cell", &line))?;
    let after = directory::read(tenancy, None);
    let wrong: Vec<Diagnostic> = errors_in(&after, &path);
    let now = after.tenants().iter().find(|known| known.id == *tenant).and_then(|known| known.cell.clone());
    if wrong.is_empty() && now != cell {
        return Ok(line);
    }
    replace(&path, &before)?;
    if wrong.is_empty() {
        let message = format!("cannot be changed by this command; nothing was changed\nhelp: write `{line}` yourself");
        return Err(Failure::file(&path, message));
    }
    Err(Failure::diagnostics(&wrong))
}

/// Makes the file of a tenant. It inherits what the profile of its tier says.
pub(crate) fn add(tenancy: &Path, tenant: &TenantId, tier: &str, residency: Option<&str>) -> Result<PathBuf, Failure> {
    for word in [Some(tier), residency].into_iter().flatten() {
        if !is_label(word) {
            return Err(Failure::usage(format!("`{word}` is not 1 to 63 of `a-z 0-9 -`")));
        }
    }
    let reading = directory::read(tenancy, None);
    if reading.tenant_place(tenant).is_some() {
        return Err(Failure::invalid(format!("`{tenant}` is a tenant already")));
    }
    if reading.retired().contains(tenant) {
        let help = "give this one an id of its own: logs and tokens of the former one still name it";
        return Err(Failure::invalid(format!("`{tenant}` was a tenant once, and no id is given again\nhelp: {help}")));
    }
    let path = tenancy.join("tenants").join(format!("{tenant}.yaml"));
    let inherits = tenancy.join("profiles").join(format!("{tier}.yaml")).exists();
    let mut text = hint(tenancy, "tenant");
    if inherits {
        text.push_str(&format!("# Inherits what profiles/{tier}.yaml says; a line here replaces it.\n"));
    }
    text.push_str(&format!("tenant: {}\ntier: {}\nstatus: active\n", scalar(tenant.as_str()), scalar(tier)));
    if let Some(residency) = residency {
        text.push_str(&format!("residency: {}\n", scalar(residency)));
    }
    files::create(&path, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    let wrong = errors_in(&directory::read(tenancy, None), &path);
    if !wrong.is_empty() {
        fs::remove_file(&path).map_err(|e| Failure::file(&path, e))?;
        return Err(Failure::diagnostics(&wrong));
    }
    Ok(path)
}

/// Takes a tenant out of a directory and keeps its id from being given again. The list comes first: whatever happens
/// in between, the id is not free.
pub(crate) fn offboard(tenancy: &Path, tenant: &TenantId) -> Result<(), Failure> {
    let record = record(tenancy, tenant)?;
    let list = tenancy.join("tenants").join(RETIRED);
    let entry = format!(
        "  - {{ tenant: {}, since: {} }}\n",
        scalar(tenant.as_str()),
        time::rfc3339(overlay::now_millis() / 1000)
    );
    let text = match files::read_text(&list, MAX_SIZE) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("{}# Former tenants. Their ids are never given again.\nretired: []\n", hint(tenancy, "retired"))
        }
        Err(error) => return Err(Failure::file(&list, error)),
    };
    let before = text.clone();
    let text = text.replace("retired: []", "retired:");
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    replace(&list, &format!("{text}{newline}{entry}"))?;
    let reading = directory::read(tenancy, None);
    if !reading.retired().contains(tenant) || !errors_in(&reading, &list).is_empty() {
        replace(&list, &before)?;
        let help = format!("add `{}` yourself, and remove its file", entry.trim());
        return Err(Failure::file(&list, format!("cannot be changed by this command\nhelp: {help}")));
    }
    let file = Path::new(record.place.path());
    if file.extension().is_some_and(|ending| ending == "ndjson") {
        let text = files::read_text(file, MAX_LINES).map_err(|e| Failure::file(file, e))?;
        let others = text.lines().enumerate().filter(|(nth, _)| nth + 1 != record.place.line());
        return replace(file, &others.map(|(_, line)| format!("{line}\n")).collect::<String>());
    }
    fs::remove_file(file).map_err(|e| Failure::file(file, e))
}

/// The first line by which editors find a schema, where `init` left them.
fn hint(tenancy: &Path, kind: &str) -> String {
    let there = tenancy.join(".schemas").is_dir();
    if there { format!("# yaml-language-server: $schema=../.schemas/{kind}.schema.json\n") } else { String::new() }
}

/// A word as YAML reads it back as a text: `123` and `null` are none by themselves.
fn scalar(word: &str) -> String {
    let plain = word.starts_with(|c: char| c.is_ascii_lowercase())
        && !matches!(word, "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n");
    if plain { word.to_owned() } else { overlay::quoted(word) }
}

fn errors_in(reading: &Reading, path: &Path) -> Vec<Diagnostic> {
    let here = |d: &&Diagnostic| d.severity == Severity::Error && Path::new(&d.path) == path;
    reading.diagnostics.iter().filter(here).cloned().collect()
}

fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    files::replace(path, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_replaced_however_it_was_written() {
        let line = "consents: [a]";
        for (before, after) in [
            ("x: 1\n", "x: 1\nconsents: [a]\n"),
            ("x: 1", "x: 1\nconsents: [a]\n"),
            ("consents: [b] # why\nx: 1\n", "consents: [a] # why\nx: 1\n"),
            ("consents:\n  - b\n  - c\n# said\nx: 1\n", "consents: [a]\n# said\nx: 1\n"),
            ("consents: [b,\n  c\n]\nx: 1\n", "consents: [a]\nx: 1\n"),
            ("consents:\n- b\nx: 1\n", "consents: [a]\nx: 1\n"),
            ("# consents: [b]\nx: 1\n", "# consents: [b]\nx: 1\nconsents: [a]\n"),
        ] {
            assert_eq!(with_line(before, "consents", line), after, "{before}");
        }
    }
}
