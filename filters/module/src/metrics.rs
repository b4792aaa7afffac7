//! Metrics. The ABI has no labels, so they stand in the name as `label=.=value;.;`, from where
//! Envoy's `stats_tags` take them. A defined metric is never released: every label value comes
//! from a bounded set.

use std::cell::RefCell;
use std::collections::HashMap;

use partywall_tenancy::{Bundle, TenantId};

use crate::host;

/// Ids of the metrics defined so far.
#[derive(Default)]
pub(crate) struct Metrics(RefCell<HashMap<String, u32>>);

impl Metrics {
    /// Counts one `partywall_<name>` with these labels.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) {
        self.add(name, labels, 1);
    }

    /// Counts `number` of them.
    pub(crate) fn add(&self, name: &str, labels: &[(&str, &str)], number: u64) {
        if number > 0
            && let Some(id) = self.id(name, labels, host::define_counter)
        {
            host::count(id, number);
        }
    }

    /// Sets the gauge `partywall_<name>`.
    pub(crate) fn gauge(&self, name: &str, value: u64) {
        if let Some(id) = self.id(name, &[], host::define_gauge) {
            host::gauge(id, value);
        }
    }

    fn id(&self, name: &str, labels: &[(&str, &str)], define: impl Fn(&str) -> Option<u32>) -> Option<u32> {
        let mut full = String::with_capacity(96);
        for (label, value) in labels {
            full.extend([label, "=.=", value, ";.;"]);
        }
        full.extend(["partywall_", name]);
        let mut ids = self.0.borrow_mut();
        if let Some(id) = ids.get(&full) {
            return Some(*id);
        }
        let id = define(&full)?;
        ids.insert(full, id);
        Some(id)
    }
}

/// How many tenants have a metric label of their own; the rest share `other`.
const ADMITTED: usize = 100;

/// A label from a bounded set: the first tenants of the bundle have their own.
pub(crate) fn tenant_label<'a>(bundle: Option<&Bundle>, tenant: Option<&TenantId>, fingerprint: &'a str) -> &'a str {
    let (Some(bundle), Some(tenant)) = (bundle, tenant) else { return "none" };
    let admitted = bundle.body().tenants.position(tenant.as_str()).is_some_and(|at| at < ADMITTED);
    if admitted { fingerprint } else { "other" }
}
