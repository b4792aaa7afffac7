//! Instances of a service, one for each cell: which cluster leads to which, and what routes lead there.
//!
//! Our filter writes `x-partywall-cell` from what it verified, and Envoy looks for the route again. Before that it is
//! there for nobody: the route without it tells the filter which service is called.

use std::fmt::Write;

use partywall_tenancy::{CellPlace, Service};

use crate::deployment::Place;
use crate::exit::Failure;
use crate::render::template::scalar;

/// One service as another workload calls it.
pub(super) struct Called<'a> {
    /// The service.
    pub(super) service: &'a Service,
    /// Its instances: at most one without a cell, and it comes first.
    pub(super) instances: Vec<Instance<'a>>,
    /// Whether the caller is in a cell, and so is every tenant that it calls for.
    narrowed: bool,
}

/// One instance.
pub(super) struct Instance<'a> {
    /// Where it is.
    pub(super) place: &'a Place,
    /// The cluster that leads to it.
    pub(super) cluster: String,
    /// The region of its cell.
    pub(super) region: Option<&'a str>,
}

impl<'a> Called<'a> {
    /// The instances of `service` among `places` that a workload in the cell `from` may call; one in no cell may call
    /// all.
    ///
    /// # Errors
    ///
    /// A service without an instance there, a cell that the mesh does not have, and one to which no cluster leads.
    pub(super) fn of(
        service: &'a Service,
        places: &'a [Place],
        cells: &'a [CellPlace],
        from: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut of_it: Vec<&Place> = places.iter().filter(|place| place.service == service.name).collect();
        of_it.sort_by(|a, b| a.cell.cmp(&b.cell));
        if let Some(from) = from {
            let own = of_it.iter().find(|place| place.cell.as_deref() == Some(from));
            let shared = of_it.iter().find(|place| place.cell.is_none());
            of_it = own.or(shared).into_iter().copied().collect();
        }
        if of_it.is_empty() {
            let name = &service.name;
            let (cell, write) = from
                .map_or_else(Default::default, |cell| (format!(" in the cell `{cell}`"), format!("cell: {cell}, ")));
            return Err(Failure::invalid(format!(
                "the deployment does not say where `{name}` is{cell}\nhelp: write `- {{ service: {name}, {write}address: \
                 {name}-sidecar, port: 15006, app: {{ address: 127.0.0.1, port: 8080 }} }}` under `services`"
            )));
        }
        let instance = |place: &'a Place| {
            let first = service.clusters.first().unwrap_or(&service.name);
            let Some(cell) = &place.cell else { return Ok(Instance { place, cluster: first.clone(), region: None }) };
            let region = region_of(cells, cell)?;
            let cluster = format!("{first}.{cell}");
            if !service.clusters.contains(&cluster) {
                return Err(Failure::invalid(format!(
                    "`{0}` has an instance in the cell `{cell}`, and no cluster of it is called `{cluster}`\nhelp: write \
                     `clusters: [{first}, {cluster}]` in services/{0}.yaml, by which filters know that it leads there",
                    service.name
                )));
            }
            Ok(Instance { place, cluster, region: Some(region) })
        };
        let instances = of_it.into_iter().map(instance).collect::<Result<_, _>>()?;
        Ok(Self { service, instances, narrowed: from.is_some() })
    }

    /// Where its routes lead: for each cell, and last for whoever is in none.
    pub(super) fn targets(&self) -> Vec<Target> {
        if let (true, [only]) = (self.narrowed, self.instances.as_slice()) {
            return vec![Target { cell: None, cluster: scalar(&only.cluster) }];
        }
        let cells = self.instances.iter().filter(|instance| instance.place.cell.is_some());
        let cells = cells.map(|at| Target { cell: at.place.cell.clone(), cluster: scalar(&at.cluster) });
        cells.chain([Target { cell: None, cluster: scalar(self.first()) }]).collect()
    }

    /// The cluster for tenants in no cell, where no instance serves those: it leads nowhere, and its name tells our
    /// filter which service is called.
    pub(super) fn nowhere(&self) -> Option<String> {
        let shared = self.instances.iter().any(|instance| instance.place.cell.is_none());
        if self.narrowed || shared {
            return None;
        }
        let name = scalar(self.first());
        Some(format!(
            "# Nobody serves tenants that are in no cell: this leads nowhere.\n- name: {name}\n  type: STATIC\n  \
             connect_timeout: 2s\n  load_assignment: {{ cluster_name: {name} }}\n"
        ))
    }

    fn first(&self) -> &str {
        self.service.clusters.first().unwrap_or(&self.service.name)
    }
}

impl Instance<'_> {
    /// Its addresses, as Envoy's endpoints: of one region, and each used while all before it are down.
    pub(super) fn endpoints(&self) -> String {
        let mut out = String::new();
        let locality = self.region.map_or_else(String::new, |region| format!("  locality: {{ region: {region} }}\n"));
        for (priority, address) in self.place.outside().enumerate() {
            let priority = if priority == 0 { String::new() } else { format!("  priority: {priority}\n") };
            let _ = write!(
                out,
                "- lb_endpoints:\n    - endpoint: {{ address: {{ socket_address: {address} }} }}\n{locality}{priority}"
            );
        }
        out
    }

    /// How it is noticed that one is down: only where there is another one.
    pub(super) fn health(&self) -> String {
        if self.place.failover.is_empty() { String::new() } else { HEALTH.to_owned() }
    }
}

/// A connection over mutual TLS, and no request: a filter would deny one that nobody made.
const HEALTH: &str = "\
# Another address is used only while this one takes no connection; all of them are of one instance.
health_checks:
  - timeout: 1s
    interval: 2s
    no_traffic_interval: 2s # else a minute passes until one is used that was down before
    unhealthy_threshold: 2
    healthy_threshold: 1
    tcp_health_check: {}
";

/// Where a route leads.
#[derive(Clone)]
pub(super) struct Target {
    /// For tenants of this cell; for whoever has no more exact route where it is `None`.
    pub(super) cell: Option<String>,
    /// The cluster, as YAML.
    pub(super) cluster: String,
}

impl Target {
    /// What a route asks besides, to be written behind the rest of its `match`.
    pub(super) fn condition(&self) -> String {
        self.cell.as_ref().map_or_else(String::new, |cell| {
            format!(", headers: [{{ name: x-partywall-cell, string_match: {{ exact: {} }} }}]", scalar(cell))
        })
    }
}

/// The region of a cell of the mesh.
///
/// # Errors
///
/// The mesh has no such cell.
pub(super) fn region_of<'c>(cells: &'c [CellPlace], cell: &str) -> Result<&'c str, Failure> {
    let found = cells.iter().find(|known| known.name == cell).map(|known| known.region.as_str());
    found.ok_or_else(|| {
        let all: Vec<&str> = cells.iter().map(|known| known.name.as_str()).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        Failure::invalid(format!("the deployment names the cell `{cell}`, and `cells` of mesh.yaml has {all}"))
    })
}
