//! `partywall explain`.

mod logged;
mod nearby;
mod settings;
mod tell;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use partywall_authorization::RouteSays;
use partywall_tenancy::{EventCluster, NameSet, SpiffeId, TenantId, UnixSeconds, WithdrawnConsent};

use crate::compile::check;
use crate::diagnostic::{Severity, Source};
use crate::exit::{Exit, Failure, Outcome};
use crate::modes::MODES;
use crate::overlay::{MAX_SIZE, Withdrawn};
use crate::rehearsal::{Ask, OfTopic, Rehearsal};
use crate::sent::SentBody;
use crate::{arguments, files, lower};

/// Say why a request is allowed or denied, and what would change that
///
/// Decides as a sidecar would, and tells: what is known about the request, every policy that has something to say,
/// those that settle it with file and line, and the nearest changes that turn the answer, each tried by itself.
/// With --log, the request is one that an access log recorded, by its `explain` field.
/// With --settings, says instead where each value of a tenant comes from: its record, or the profile of its tier.
/// What is in shadow is let in: then it says what would be denied, and what would change that.
/// Exit status: 0 allow, 1 deny, 3 the directory cannot be read.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall explain tenancy --tenant acme --role viewer --service orders GET /tenants/acme/orders
  partywall explain tenancy --tenant acme --subject alice --service invoices DELETE /invoices/7
  partywall explain tenancy --tenant acme --role viewer --region eu --service orders GET /orders/7
  partywall explain tenancy --tenant acme --role viewer --cell eu-1 --service orders GET /orders/7
  partywall explain tenancy --tenant acme --role viewer --service orders GRPC /shop.Orders/Get
  partywall explain tenancy --tenant acme --role viewer --service shop-events KAFKA 'events:consume orders'
  partywall explain tenancy --tenant acme --service orders --header 'x-account: globex' GET '/orders?view=full'
  partywall explain tenancy --tenant acme --service orders --body '{\"tenant_id\":\"acme\"}' POST /orders
  partywall explain tenancy --tenant acme --service orders --route action=orders:report --route resource=Report GET /r/7
  partywall explain tenancy --tenant acme --role clerk --service orders --from 10.1.2.3 POST /orders
  partywall explain tenancy --tenant acme --service orders --caller spiffe://mesh.example/ns/shop/sa/invoices GET /orders/7
  partywall explain tenancy --tenant acme --role clerk --service orders --scope orders:write POST /orders
  partywall explain tenancy --tenant globex --service orders --overlay served/overlay.yaml GET /orders/7
  grep REQUEST_ID access.log | partywall explain tenancy --log - --fingerprint-key keys/edge.env
  partywall explain tenancy --settings acme"
)]
pub(crate) struct Args {
    /// The tenancy directory
    dir: PathBuf,
    /// The tenant that was proved
    #[arg(long, required_unless_present_any = ["settings", "log"], value_parser = arguments::tenant)]
    tenant: Option<TenantId>,
    /// The principal's name within it
    #[arg(long, default_value = "")]
    subject: String,
    /// A role of the principal; may be there more than once
    #[arg(long = "role")]
    roles: Vec<String>,
    /// Whose the resource is taken to be, by policies alone; a sidecar takes it for the tenant's own
    #[arg(long, value_parser = arguments::tenant)]
    owner: Option<TenantId>,
    /// The service called
    #[arg(long, required_unless_present_any = ["settings", "log"])]
    service: Option<String>,
    /// The method, as GET; GRPC for a call of gRPC, KAFKA for what is done to a topic
    #[arg(required_unless_present_any = ["settings", "log"])]
    method: Option<String>,
    /// The path, as /orders/7 or /shop.Orders/Get; of KAFKA what is done and the topic, as 'events:consume orders'
    #[arg(required_unless_present_any = ["settings", "log"])]
    path: Option<String>,
    /// A header of the request, as `x-account: acme`; may be there more than once
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, Vec<u8>)>,
    /// The body of the request
    #[arg(long, value_name = "JSON", default_value = "", hide_default_value = true)]
    body: String,
    /// What the metadata of the request's route say of the mode
    #[arg(long, value_parser = ["enforce", "shadow"])]
    route_mode: Option<String>,
    /// What else they say, as `action=orders:report`, where the service listens; may be there more than once
    #[arg(long = "route", value_name = "WORD", value_parser = route)]
    route: Vec<String>,
    /// The region of the sidecar that decides, for datasets and cells that lie in one; unknown where left out
    #[arg(long, default_value = "", hide_default_value = true)]
    region: String,
    /// The cell in which it stands; left out, it serves all of them
    #[arg(long)]
    cell: Option<String>,
    /// When it is decided, in UTC, as 2026-12-24T18:00:00Z; now where left out
    #[arg(long, value_name = "TIME", value_parser = arguments::time)]
    time: Option<UnixSeconds>,
    /// The workload that brings the request to the service, by its SPIFFE ID; nobody where left out, as at the edge
    #[arg(long, value_name = "SPIFFE_ID", value_parser = arguments::spiffe_id)]
    caller: Option<SpiffeId>,
    /// The address that the client calls from, looked up among `networks` of mesh.yaml; in none where left out
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// A network that the client calls from, in place of an address; may be there more than once
    #[arg(long = "network", value_name = "NETWORK", conflicts_with = "from")]
    networks: Vec<String>,
    /// A scope of the credential; may be there more than once
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// What is withdrawn besides: an overlay.yaml
    #[arg(long)]
    overlay: Option<PathBuf>,
    /// A line of an access log, or `-` for standard input
    #[arg(long, value_name = "LINE", conflicts_with_all = ["tenant", "subject", "service", "method", "path", "headers", "body", "roles", "owner", "region", "cell", "route", "time", "caller", "from", "networks", "scopes"])]
    log: Option<String>,
    /// With --log: the fingerprint keys, a workload's .env file or `id:key`; by default PARTYWALL_FINGERPRINT
    #[arg(long, value_name = "FILE", requires = "log")]
    fingerprint_key: Option<PathBuf>,
    /// Say where the settings of this tenant come from
    #[arg(long, value_name = "TENANT", value_parser = arguments::tenant, conflicts_with_all = ["tenant", "service", "method", "path", "headers", "body", "roles", "owner", "overlay", "log"])]
    settings: Option<TenantId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let checked = check(&args.dir, None);
    let Some((directory, program)) = checked.good() else {
        let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned();
        return Err(Failure::diagnostics(&errors.collect::<Vec<_>>()));
    };
    if let Some(tenant) = &args.settings {
        return settings::tell(&args.dir, tenant, args.json);
    }
    let mut withdrawn = args.overlay.as_deref().map_or(Ok(Withdrawn::default()), withdrawn)?;
    let (recorded, ask) = match &args.log {
        Some(line) => {
            logged::ask(line, &args.dir, args.fingerprint_key.as_deref()).map(|(r, ask)| (Some(r), Some(ask)))?
        }
        None => (None, ask(args)),
    };
    let Some(ask) = ask else { return Err(Failure::usage("name the tenant, the service, a method and a path")) };
    if let (Some(record), Ok(tenant)) = (&recorded, TenantId::parse(&ask.tenant)) {
        let consents = record.withdrawn.iter();
        let consents = consents.map(|consent| WithdrawnConsent { tenant: tenant.clone(), consent: consent.clone() });
        withdrawn.withdrawn_consents.extend(consents);
    }
    let unknown = |what: String, known: Vec<&str>| {
        let help =
            if known.is_empty() { "there is none".to_owned() } else { format!("there are {}", known.join(", ")) };
        Err(Failure::invalid(format!("{what}\nhelp: {help}")))
    };
    let services: Vec<&str> = directory.services.iter().map(|service| service.name.as_str()).collect();
    if !services.contains(&ask.service.as_str()) {
        return unknown(format!("no service is called `{}`", ask.service), services);
    }
    let cells: Vec<&str> = directory.mesh.cells.iter().map(|cell| cell.name.as_str()).collect();
    if let Some(cell) = args.cell.as_deref().filter(|cell| !cells.contains(cell)) {
        return unknown(format!("`cells` of mesh.yaml has no `{cell}`"), cells);
    }
    let networks: Vec<&str> = directory.mesh.networks.iter().map(|network| network.name.as_str()).collect();
    if let Some(network) = args.networks.iter().find(|network| !networks.contains(&network.as_str())) {
        return unknown(format!("no network of mesh.yaml is called `{network}`"), networks);
    }
    let rehearsal = Rehearsal::new(directory, program, &withdrawn)?;
    let ask = if args.from.is_some() { Ask { networks: rehearsal.networks(args.from), ..ask } } else { ask };
    let ask = of_topic(&rehearsal, ask)?;
    let (parsed, _) = lower::parse(directory.policies);
    let explained = tell::Explained::of(&rehearsal, &parsed, &ask, || {
        nearby::changes(directory, program, &withdrawn, &rehearsal, &ask)
    })?;
    explained.tell(recorded.as_ref(), args.json)?;
    Ok(if explained.allowed() { Exit::Fine } else { Exit::Findings })
}

fn ask(args: &Args) -> Option<Ask> {
    Some(Ask {
        tenant: args.tenant.as_ref()?.to_string(),
        subject: args.subject.clone(),
        roles: args.roles.clone(),
        owner: args.owner.clone().filter(|owner| Some(owner) != args.tenant.as_ref()),
        service: args.service.clone()?,
        method: args.method.clone()?,
        path: args.path.clone()?,
        headers: args.headers.clone(),
        body: SentBody::Whole(args.body.clone()),
        route: args
            .route_mode
            .as_deref()
            .and_then(|word| MODES.iter().find(|(w, _)| *w == word))
            .map(|(_, mode)| *mode),
        says: RouteSays::of_words(args.route.iter().map(String::as_str))?,
        region: args.region.clone(),
        cell: args.cell.clone(),
        time: args.time,
        caller: args.caller.clone(),
        networks: NameSet::new(&args.networks)?,
        scopes: args.scopes.clone(),
    })
}

/// What is done to a topic is asked as its cluster's proxy asks it; what the tenant does not see has no operation.
fn of_topic(rehearsal: &Rehearsal, ask: Ask) -> Result<Ask, Failure> {
    if ask.method != EventCluster::METHOD || ask.path.starts_with('/') {
        return Ok(ask);
    }
    let Some(asked) = OfTopic::parse(&ask.path) else {
        let help = "write what is done and the topic with one blank between, as 'events:consume orders'";
        return Err(Failure::usage(format!("`{}` is not what is done to a topic\nhelp: {help}", ask.path)));
    };
    Ok(rehearsal.of_topic(&ask, &asked).unwrap_or_else(|_| Ask { path: asked.unmapped(), ..ask }))
}

/// `name=value`.
fn route(text: &str) -> Result<String, String> {
    let help = || format!("write one of {} and what it says, as `action=orders:report`", RouteSays::NAMES.join(", "));
    RouteSays::of_words([text]).map(|_| text.to_owned()).ok_or_else(help)
}

/// `name: value`.
fn header(text: &str) -> Result<(String, Vec<u8>), String> {
    let (name, value) = text.split_once(':').ok_or("write name and value, as `x-account: acme`")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().as_bytes().to_vec()))
}

fn withdrawn(path: &Path) -> Result<Withdrawn, Failure> {
    let text = files::read_text(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?;
    Withdrawn::read(&Source::new(path.to_string_lossy(), text)).map_err(|mistakes| Failure::diagnostics(&mistakes))
}
