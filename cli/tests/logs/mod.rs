//! Access logs as sidecars write them, made for one test.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};

use partywall_tenancy::{FingerprintKeys, Secrets, TenantId};
use serde_json::{Value, json};

use crate::support::{folder, partywall, path};

/// The fingerprint keys of these logs: the current one and a former one.
pub(crate) const KEYS: &str =
    "2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE,1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The current one.
pub(crate) fn prints() -> FingerprintKeys {
    FingerprintKeys::new(&Secrets::parse(KEYS).unwrap())
}

/// The fingerprint of a tenant.
pub(crate) fn tenant(id: &str) -> String {
    prints().of(&TenantId::parse(id).unwrap())
}

/// Writes the keys into `folder`.
pub(crate) fn key_file(folder: &Path) -> PathBuf {
    let path = folder.join("fingerprint.key");
    fs::write(&path, format!("{KEYS}\n")).unwrap();
    path
}

/// A recorded request, as a sidecar of `orders` or `invoices` records it.
pub(crate) struct Request<'a> {
    pub(crate) time: u64,
    pub(crate) tenant: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) roles: &'a [&'a str],
    pub(crate) service: &'a str,
    /// Method and path template.
    pub(crate) http: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) id: &'a str,
    pub(crate) owner: &'a str,
}

/// What most requests of these tests are.
pub(crate) const READ: Request<'static> = Request {
    time: 1_795_000_000,
    tenant: "acme",
    subject: "bob",
    roles: &["viewer"],
    service: "orders",
    http: "GET /orders/{id}",
    resource: "Order",
    id: "17",
    owner: "",
};

impl Request<'_> {
    /// As it is recorded with this outcome; `why` is the policy of what was let in, and else the reason.
    pub(crate) fn record(&self, decision: &str, why: &str) -> Value {
        let (method, path) = self.http.split_once(' ').unwrap();
        let mut record = json!({
            "partywall": 1, "time": self.time, "revision": 7, "overlay": 1_795_000_000_000_u64, "decision": decision,
            "service": self.service, "tenant": tenant(self.tenant),
            "principal": prints().of_principal(&TenantId::parse(self.tenant).unwrap(), self.subject),
            "method": method, "path": path, "action": "orders:read", "resource": self.resource, "roles": self.roles,
        });
        record[if decision == "allow" { "policy" } else { "reason" }] = json!(why);
        if !self.id.is_empty() {
            record["id"] = json!(prints().of_resource(self.resource, self.id.as_bytes()));
        }
        if !self.owner.is_empty() {
            record["owner"] = json!(tenant(self.owner));
        }
        record
    }

    /// Its line, as Envoy's JSON format writes it.
    pub(crate) fn line(&self, decision: &str, why: &str) -> String {
        line(&self.record(decision, why))
    }
}

/// A line with this record.
pub(crate) fn line(record: &Value) -> String {
    json!({ "hop": "orders", "status": 200, "explain": record.to_string() }).to_string()
}

/// A line of a viewer that reads an order, with these names in a field; `policy` is the one that denies.
pub(crate) fn with((field, names): (&str, &[&str]), policy: &str, decision: &str, why: &str) -> String {
    let mut record = Request { id: "", ..READ }.record(decision, why);
    if decision == "deny" {
        record["policy"] = json!(policy);
    }
    record["id"] = json!("r1_0");
    if !names.is_empty() {
        record[field] = json!(names);
    }
    line(&record)
}

/// Writes a log.
pub(crate) fn write(folder: &Path, lines: &[String]) -> PathBuf {
    let path = folder.join("access.log");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

/// Replays `lines`, written into a folder of this name, from `old` to `new`; gives what it told as it ended with `status`.
pub(crate) fn replay(name: &str, lines: &[String], old: &Path, new: &Path, status: i32) -> Value {
    let here = folder(name);
    let (log, key) = (write(&here, lines), key_file(&here));
    let arguments = ["replay", "--log", path(&log), path(old), path(new), "--fingerprint-key", path(&key), "--json"];
    partywall(&arguments).ends_with(status).json()
}
