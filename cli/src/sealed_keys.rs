//! `redaction-keys.ndjson`: keys of tenants, sealed under master keys, a line for each tenant.
//!
//! ```json
//! {"tenant":"acme","epoch":"261130","pseudonym":"m1:…","data":[{"id":"5f2c09b1d3e47a86","key":"m1:…"}]}
//! ```

mod masters;
mod minting;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_log_redaction::replace::{DataKey, PseudonymKey};
use partywall_log_redaction::{Sealed, SealedKeys};
use partywall_tenancy::TenantId;
use serde::{Deserialize, Serialize};

pub(crate) use masters::{VARIABLE, masters};
pub(crate) use minting::{mint, rewrap, rotate};

/// The bytes of a sealed key: a nonce, the key, a tag.
const SEALED: usize = 24 + 32 + 16;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    tenant: String,
    epoch: String,
    pseudonym: String,
    data: Vec<DataLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataLine {
    id: String,
    key: String,
}

/// Why a line is none.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The column, from 1.
    pub(crate) column: usize,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: &'static str,
}

const WRITTEN: &str =
    "`partywall keys redaction` writes this file: put the line back as it was, or shred the tenant's keys";

/// Reads a line. Whether what is sealed opens is not asked: that takes the master key.
pub(crate) fn parse(line: &str) -> Result<SealedKeys, Wrong> {
    let read: Line = serde_json::from_str(line).map_err(|error| {
        let text = error.to_string();
        let message = format!("these are no keys of a tenant: {}", text.split(" at line ").next().unwrap_or(&text));
        Wrong { column: error.column().max(1), message, help: WRITTEN }
    })?;
    let wrong = |what: &str, message: String| {
        let before = line.find(&format!("\"{what}\"")).and_then(|at| line.get(..at));
        Wrong { column: before.map_or(0, |before| before.chars().count()) + 1, message, help: WRITTEN }
    };
    let tenant = TenantId::parse(&read.tenant)
        .map_err(|why| wrong(&read.tenant, format!("tenant id `{}` {why}", read.tenant)))?;
    let any = [0; 32];
    PseudonymKey::new(&read.epoch, &any).map_err(|why| wrong(&read.epoch, why.to_string()))?;
    let sealed = |text: &str| {
        sealed(text)
            .ok_or_else(|| wrong(text, "this is no sealed key: it is `master:base64url` of 72 bytes".to_owned()))
    };
    let pseudonym = sealed(&read.pseudonym)?;
    let data = read.data.iter().map(|one| {
        DataKey::new(&one.id, &any).map_err(|why| wrong(&one.id, why.to_string()))?;
        Ok((one.id.clone(), sealed(&one.key)?))
    });
    let data: Vec<(String, Sealed)> = data.collect::<Result<_, Wrong>>()?;
    if data.is_empty() {
        return Err(wrong("data", "a tenant has one data key at least".to_owned()));
    }
    Ok(SealedKeys { tenant, epoch: read.epoch, pseudonym, data })
}

fn sealed(text: &str) -> Option<Sealed> {
    let (master, bytes) = text.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let named = (1..=64).contains(&master.len()) && master.bytes().all(plain);
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(bytes).ok().filter(|bytes| named && bytes.len() == SEALED)?;
    Some(Sealed { master: master.to_owned(), bytes })
}

/// A line, with its end.
pub(crate) fn line(keys: &SealedKeys) -> String {
    let text = |sealed: &Sealed| format!("{}:{}", sealed.master, BASE64_URL_SAFE_NO_PAD.encode(&sealed.bytes));
    let data = keys.data.iter().map(|(id, sealed)| DataLine { id: id.clone(), key: text(sealed) });
    let line = Line {
        tenant: keys.tenant.to_string(),
        epoch: keys.epoch.clone(),
        pseudonym: text(&keys.pseudonym),
        data: data.collect(),
    };
    // A struct of texts has nothing in it that JSON cannot say.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}
