//! `mode` of the mesh, of services and of tenants, and `allow_shadow_routes`.

use partywall_tenancy::{Mode, Modes};

use crate::directory::fields::{Fields, Report, choice, flag};
use crate::directory::mesh::MeshEntry;
use crate::directory::service::ServiceEntry;
use crate::directory::tenant::TenantFile;
use crate::directory::yaml::{At, Located};
use crate::modes::MODES;

/// So many tenants in shadow are told one by one.
const MOST: usize = 20;

const ROUTES: &str = "take `allow_shadow_routes` out once no route needs it";
const HELP: &str =
    "take `mode: shadow` out, or write `mode: enforce`, once the log of what would be denied is as it should be";

/// `mode`.
pub(crate) fn mode<'s>(fields: &mut Fields<'s>, report: &mut Report) -> Option<Located<'s, Mode>> {
    let node = fields.optional("mode")?;
    let at = node.at;
    choice(node, "`mode`", MODES, report).map(|value| Located { value, at })
}

/// `allow_shadow_routes`, and where it stands if it does.
pub(crate) fn shadow_routes<'s>(fields: &mut Fields<'s>, report: &mut Report) -> Option<At<'s>> {
    let node = fields.optional("allow_shadow_routes")?;
    let at = node.at;
    flag(node, "`allow_shadow_routes`", report).filter(|allowed| *allowed).map(|_| at)
}

/// All of them together.
pub(crate) fn all(mesh: &MeshEntry<'_>, services: &[ServiceEntry<'_>], tenants: &[TenantFile<'_>]) -> Modes {
    let named = |service: &ServiceEntry<'_>| service.name.as_ref().map(|name| name.value.clone());
    let mut modes = Modes {
        bundle: mesh.mode.as_ref().map(|mode| mode.value),
        services: services.iter().filter_map(|s| Some((named(s)?, s.mode.as_ref()?.value))).collect(),
        routes: services.iter().filter(|s| s.shadow_routes.is_some()).filter_map(named).collect(),
        tenants: tenants.iter().filter_map(|t| Some((t.id.as_ref()?.value.clone(), t.mode.as_ref()?.value))).collect(),
    };
    modes.services.sort_by(|(a, _), (b, _)| a.cmp(b));
    modes.routes.sort();
    modes.tenants.sort_by(|(a, _), (b, _)| a.cmp(b));
    modes
}

/// Tells everything that is in shadow, and what says so in vain.
pub(crate) fn tell(
    mesh: &MeshEntry<'_>,
    services: &[ServiceEntry<'_>],
    tenants: &[TenantFile<'_>],
    report: &mut Report,
) {
    let enforced = mesh.mode.as_ref().filter(|mode| mode.value == Mode::Enforce).map(|mode| mode.at);
    let mut say = |at: At<'_>, what: String, help: &str| match enforced {
        Some(first) => {
            let message = format!("{what} is not in shadow: `mode: enforce` at {first} has the last word");
            report.push(at.warning(message).help("take one of the two out"));
        }
        None => report.push(at.warning(format!("{what} is in shadow: what policies deny is let through")).help(help)),
    };
    if let Some(at) = shadow(&mesh.mode) {
        say(at, "the whole mesh".into(), HELP);
    }
    for service in services {
        let name = service.name.as_ref().map_or("", |name| name.value.as_str());
        if let Some(at) = shadow(&service.mode) {
            say(at, format!("service `{name}`"), HELP);
        }
        if let Some(at) = service.shadow_routes {
            say(at, format!("a route of service `{name}` that asks for it"), ROUTES);
        }
    }
    let mut more = 0;
    let mut last = None;
    for tenant in tenants {
        let (Some(at), Some(id)) = (shadow(&tenant.mode), &tenant.id) else { continue };
        more += 1;
        if more <= MOST {
            say(at, format!("tenant `{}`", id.value), HELP);
        }
        last = Some(at);
    }
    if let (Some(at), true) = (last, more > MOST) {
        report.push(at.warning(format!("{} more tenants are in shadow", more - MOST)).help(HELP));
    }
}

fn shadow<'s>(mode: &Option<Located<'s, Mode>>) -> Option<At<'s>> {
    mode.as_ref().filter(|mode| mode.value == Mode::Shadow).map(|mode| mode.at)
}
