//! Metrics. The ABI has no labels, so they stand in the name as `label=.=value;.;`, from where
//! Envoy's `stats_tags` take them. A defined metric is never released: every label value comes
//! from a bounded set.

use std::cell::RefCell;
use std::collections::HashMap;

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
