//! Master keys, which seal those of tenants.

use std::path::Path;

use partywall_tenancy::Secrets;

use crate::exit::Failure;
use crate::files;

/// The variable of the collector's proxy that holds them.
pub(crate) const VARIABLE: &str = "PARTYWALL_REDACTION_KEYS";
/// No file with keys is longer.
const MAX_SIZE: u64 = 64 << 10;

/// Reads master keys, the current one first: `id:key` lines, or an environment file that sets the variable. Without a
/// file, from the environment of this process.
pub(crate) fn masters(file: Option<&Path>) -> Result<Secrets, Failure> {
    let (text, place) = match file {
        Some(path) => {
            (files::read_text(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?, format!("`{}`", path.display()))
        }
        None => {
            let text = std::env::var(VARIABLE).map_err(|_| {
                let help = "`partywall keys master m1 FILE` makes one";
                Failure::usage(format!("give --master FILE, or set {VARIABLE} to `id:key`\nhelp: {help}"))
            })?;
            (text, VARIABLE.to_owned())
        }
    };
    let in_file = text.lines().find_map(|line| line.trim().strip_prefix(VARIABLE)?.strip_prefix('='));
    let list = in_file.map_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(","), str::to_owned);
    let secrets = Secrets::parse(&list).map_err(|e| Failure::invalid(format!("{place} {e}")))?;
    if let Some(long) = secrets.all().find(|secret| secret.bytes().len() != 32) {
        let message = format!("{place}: the master key `{}` has {} bytes, and not 32", long.id(), long.bytes().len());
        return Err(Failure::invalid(message));
    }
    Ok(secrets)
}
