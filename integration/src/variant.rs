//! A mesh that differs from the sample in what a test is about: another tenancy directory, other keys,
//! another Envoy configuration. What is not changed is what is shipped.
//!
//! Changes are text put in the place of text. What a change does not find is an error, so that a test
//! cannot go on testing the sample.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context, Result, ensure};
use jwt_simple::prelude::{Claims, Duration as Span, Ed25519KeyPair, EdDSAKeyPairLike};
use jwt_simple::reexports::ct_codecs::{Base64, Encoder};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::bootstrap::Bootstrap;
use crate::envoy::{Envoy, Start};
use crate::mesh::unique;
use crate::ports::local;
use crate::process::Process;
use crate::raw::{self, Request, Response};
use crate::running::Running;
use crate::services::{App, Place, serve};
use crate::site::{FIRST_REVISION, Site, compile, tenancy};
use crate::{artefacts, certificates, cli};

/// Ports are free until somebody listens there, so one mesh of a process starts after the other.
static STARTING: Mutex<()> = Mutex::new(());

/// The right to pick ports and to listen there, until it is dropped.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A mesh about to be started.
pub struct Variant {
    /// Its directory.
    pub site: Site,
    /// Text of the bootstrap of each workload.
    bootstraps: Vec<(&'static str, String)>,
    /// More addresses of bootstraps, and the ports they stand for.
    addresses: Vec<(&'static str, String, u16, u16)>,
    secrets: Vec<(&'static str, String, String)>,
    _turn: MutexGuard<'static, ()>,
}

impl Variant {
    /// Prepares `target/mesh/<name>` with a copy of the sample tenancy directory, for these workloads.
    pub fn prepare(name: &str, workloads: &[&'static str]) -> Result<Self> {
        let turn = turn();
        let site = Site::prepare(name, |_| ())?;
        copy(&tenancy(), &site.directory.join("tenancy"))?;
        let folder = artefacts::root().join("envoy-config/bootstraps");
        let read = |workload: &&'static str| -> Result<_> {
            Ok((*workload, fs::read_to_string(folder.join(format!("{workload}.yaml")))?))
        };
        let bootstraps = workloads.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { site, bootstraps, addresses: Vec::new(), secrets: Vec::new(), _turn: turn })
    }

    /// Runs another module than the shipped one.
    pub fn module(&self, path: &Path) -> Result<()> {
        let installed = self.site.directory.join("etc/partywall.wasm");
        fs::remove_file(&installed)?;
        Ok(symlink(path, installed)?)
    }

    /// A file of the tenancy directory.
    pub fn tenancy(&self, file: &str) -> PathBuf {
        self.site.directory.join("tenancy").join(file)
    }

    /// Puts `to` where `from` stands in a file of the tenancy directory.
    pub fn replace(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let path = self.tenancy(file);
        fs::write(&path, replaced(&fs::read_to_string(&path)?, file, from, to)?)?;
        Ok(())
    }

    /// Writes at the end of a file of the tenancy directory.
    pub fn append(&self, file: &str, text: &str) -> Result<()> {
        let path = self.tenancy(file);
        fs::write(&path, fs::read_to_string(&path).unwrap_or_default() + text)?;
        Ok(())
    }

    /// The bootstrap of `workload`, as it is by now.
    pub fn text(&self, workload: &str) -> Result<String> {
        let found = self.bootstraps.iter().find(|(of, _)| *of == workload);
        Ok(found.with_context(|| format!("{workload} is not part of this mesh"))?.1.clone())
    }

    /// Puts a copy of `folder` in the place of the tenancy directory.
    pub fn tenancy_from(&self, folder: &Path) -> Result<()> {
        let tenancy = self.tenancy("");
        fs::remove_dir_all(&tenancy)?;
        copy(folder, &tenancy)
    }

    /// Changes the bootstrap of `workload` by any rule.
    pub fn change(&mut self, workload: &str, rule: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let found = self.bootstraps.iter_mut().find(|(of, _)| *of == workload);
        let (_, text) = found.with_context(|| format!("{workload} is not part of this mesh"))?;
        *text = rule(text).with_context(|| format!("the bootstrap of {workload}"))?;
        Ok(())
    }

    /// Puts `to` where `from` stands in the bootstrap of `workload`.
    pub fn envoy(&mut self, workload: &str, from: &str, to: &str) -> Result<()> {
        self.change(workload, |text| replaced(text, workload, from, to))
    }

    /// The same, where it stands first.
    pub fn envoy_once(&mut self, workload: &str, from: &str, to: &str) -> Result<()> {
        self.change(workload, |text| {
            replaced(text, workload, from, to)?;
            Ok(text.replacen(from, to, 1))
        })
    }

    /// Lets a sidecar keep the head of a response back until its body is judged.
    pub fn holds_responses(&mut self, workload: &str) -> Result<()> {
        let plugin = "                        failure_policy: FAIL_RELOAD\n                        # One VM";
        let lets = "FAIL_RELOAD\n                        allow_on_headers_stop_iteration: true\n";
        self.envoy(workload, plugin, &plugin.replace("FAIL_RELOAD\n", lets))?;
        let configured = "role: inbound\n                            service";
        let holds = configured.replace("service", "hold_responses: true\n                            service");
        self.envoy(workload, configured, &holds)
    }

    /// Takes our filter of one role out of its listener in the bootstrap of `workload`, and puts it into the
    /// upstream filter chain of `cluster`.
    pub fn into_upstream_chain(&mut self, workload: &str, role: &str, cluster: &str) -> Result<()> {
        const BEGINS: &str = "                  # partywall: begin\n";
        const ENDS: &str = "                  # partywall: end\n";
        const OPTIONS: &str = "      typed_extension_protocol_options:\n        \
            envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n          \
            \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n";
        const HTTP1: &str = "          explicit_http_config: { http_protocol_options: {} }\n";
        const HTTP2: &str = "          explicit_http_config: { http2_protocol_options: {} }\n";
        const CODEC: &str = "            - name: envoy.filters.http.upstream_codec\n              typed_config:\n                \
            \"@type\": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec\n";
        let text = self.text(workload)?;
        let filters = text.split(BEGINS).skip(1).filter_map(|rest| rest.split(ENDS).next());
        let filter = filters.into_iter().find(|filter| filter.contains(&format!("role: {role}\n")));
        let filter = filter.with_context(|| format!("{workload} has no filter of role {role}"))?;
        let moved: String =
            filter.lines().map(|line| format!("{}\n", line.strip_prefix("      ").unwrap_or(line))).collect();
        let text = replaced(&text, workload, &format!("{BEGINS}{filter}{ENDS}"), "")?;
        let head = format!("\n    - name: {cluster}\n");
        let (before, found) = text.split_once(&head).with_context(|| format!("{workload} has no cluster {cluster}"))?;
        let (cluster, after) = found.split_once("\n    - name: ").unwrap_or((found, ""));
        let http = if cluster.contains(HTTP2) { HTTP2 } else { HTTP1 };
        let bare = cluster.replace(&format!("{OPTIONS}{HTTP2}"), "");
        let chain = format!("{OPTIONS}{http}          http_filters:\n{moved}{CODEC}");
        let changed = format!("{before}{head}{chain}{bare}\n    - name: {after}");
        self.envoy(workload, &self.text(workload)?, &changed)
    }

    /// Puts what `partywall render envoy` makes of the directory, as it is by now, in the place of the bootstraps.
    pub fn render(&mut self) -> Result<()> {
        self.render_with("")
    }

    /// The same with more lines in `deployment.yaml`.
    pub fn render_with(&mut self, more: &str) -> Result<()> {
        let directory = self.tenancy("");
        let shipped = fs::read_to_string(artefacts::root().join("envoy-config/deployment.yaml"))?;
        let deployment = self.site.directory.join("deployment.yaml");
        fs::write(&deployment, shipped + more)?;
        for (workload, text) in &mut self.bootstraps {
            let mut arguments =
                vec!["render", "envoy", cli::text(&directory)?, "--deployment", cli::text(&deployment)?];
            match *workload {
                "edge" => arguments.extend(["--role", "edge"]),
                service => arguments.extend(["--role", "sidecar", "--service", service]),
            }
            *text = cli::run(&arguments)?;
        }
        Ok(())
    }

    /// Lets an address of the bootstrap of `workload` stand for `port` of this machine.
    pub fn stands_for(&mut self, workload: &'static str, address: &str, from: u16, port: u16) {
        self.addresses.push((workload, address.into(), from, port));
    }

    /// Adds a plain HTTP cluster to the bootstrap of `workload` that leads to `port` of this machine.
    pub fn cluster(&mut self, workload: &'static str, name: &str, port: u16) -> Result<()> {
        const BEFORE: &str = "    # `partywall serve`.";
        let cluster = format!(
            "    - name: {name}\n      type: STATIC\n      connect_timeout: 1s\n      load_assignment:\n        \
             cluster_name: {name}\n        endpoints:\n          - lb_endpoints:\n              - endpoint: \
             {{ address: {{ socket_address: {{ address: {name}, port_value: 443 }} }} }}\n{BEFORE}"
        );
        self.addresses.push((workload, name.into(), 443, port));
        self.envoy(workload, BEFORE, &cluster)
    }

    /// Gives `workload` one more secret: an environment variable, let into the VM under `purpose`.
    pub fn secret(&mut self, workload: &'static str, purpose: &str, variable: &str, value: String) -> Result<()> {
        self.envoy(workload, "PARTYWALL_SHARED_STATE", &format!("PARTYWALL_SHARED_STATE, {variable}"))?;
        let wrong = format!("shared_state: PARTYWALL_SHARED_STATE, {variable}");
        let right = format!("shared_state: PARTYWALL_SHARED_STATE, {purpose}: {variable}");
        self.envoy(workload, &wrong, &right)?;
        self.secrets.push((workload, variable.into(), value));
        Ok(())
    }

    /// Makes the keys of the mesh again, with more signers of root contexts (`KEY=WORKLOAD`).
    pub fn sign_also(&self, signers: &[&str]) -> Result<()> {
        let keys = self.site.keys();
        fs::remove_dir_all(&keys)?;
        let mut arguments = vec!["keys", "new", cli::text(&keys)?, "--signer", "edge-1=edge"];
        arguments.extend(signers.iter().flat_map(|signer| ["--signer", *signer]));
        arguments.extend(["--sidecar", "invoices", "--sidecar", "orders"]);
        cli::run(&arguments)?;
        self.site.issuers.write_key_sets(&keys)
    }

    /// `partywall keys api-key --append` for a viewer of `tenant`; gives the key.
    pub fn api_key(&self, tenant: &str) -> Result<String> {
        let (env, folder) = (self.site.keys().join("edge.env"), self.tenancy(""));
        let output = cli::run(&[
            "keys",
            "api-key",
            "--tenant",
            tenant,
            "--principal",
            "nightly-export",
            "--role",
            "viewer",
            "--expires",
            "90d",
            "--env",
            cli::text(&env)?,
            "--append",
            cli::text(&folder)?,
            "--json",
        ])?;
        let made: Value = serde_json::from_str(&output)?;
        Ok(made["key"].as_str().context("no key in the answer")?.into())
    }

    /// Compiles, and starts the Envoys, the bundle server and these apps; waits until every worker decides.
    pub fn start(self, apps: &[App]) -> Result<Running> {
        let site = &self.site;
        compile(&self.tenancy(""), &site.keys(), &site.bundles(), Some(FIRST_REVISION + 1))?;
        let mut serving = cli::serve(&site.bundles(), &site.keys(), site.ports.bundles)?;
        let bundles = Process::start("bundles", &mut serving, &site.directory.join("logs"))?;
        let runtime = Runtime::new()?;
        let p = site.ports;
        for app in apps {
            let (listen, control, outbound) = match app {
                App::Invoices => (p.invoices_app, p.invoices_control, Some(local(p.invoices_outbound))),
                App::Orders => (p.orders_app, p.orders_control, None),
            };
            let place = Place { app: *app, listen: local(listen), control: Some(local(control)), outbound };
            runtime.spawn(async move {
                if let Err(error) = serve(place).await {
                    eprintln!("{error:#}");
                }
            });
        }
        let mut envoys = Vec::new();
        for (workload, text) in &self.bootstraps {
            envoys.push((*workload, self.start_one(workload, text)?));
        }
        for (_, envoy) in &mut envoys {
            envoy.wait_until_ready()?;
        }
        Ok(Running { site: self.site, envoys, _bundles: bundles, _apps: runtime })
    }

    fn start_one(&self, workload: &'static str, text: &str) -> Result<Envoy> {
        let (site, p) = (&self.site, self.site.ports);
        let changed = site.directory.join(format!("{workload}.changed.yaml"));
        fs::write(&changed, text)?;
        let read = Bootstrap::read(cli::text(&changed)?)?.address("bundles", 8400, p.bundles)?;
        let (mut placed, admin) =
            match workload {
                "edge" => (
                    read.address("0.0.0.0", 8080, p.edge)?
                        .address("127.0.0.1", 9901, p.edge_admin)?
                        .address("invoices-sidecar", 15006, p.invoices_inbound)?
                        .address("orders-sidecar", 15006, p.orders_inbound)?,
                    p.edge_admin,
                ),
                "invoices" => (
                    read.address("0.0.0.0", 15006, p.invoices_inbound)?
                        .address("127.0.0.1", 15001, p.invoices_outbound)?
                        .address("127.0.0.1", 9901, p.invoices_admin)?
                        .address("127.0.0.1", 8080, p.invoices_app)?
                        .address("orders-sidecar", 15006, p.orders_inbound)?,
                    p.invoices_admin,
                ),
                _ => (
                    read.address("0.0.0.0", 15006, p.orders_inbound)?
                        .address("127.0.0.1", 9901, p.orders_admin)?
                        .address("127.0.0.1", 8080, p.orders_app)?,
                    p.orders_admin,
                ),
            };
        for (_, address, from, port) in self.addresses.iter().filter(|(of, ..)| *of == workload) {
            placed = placed.address(address, *from, *port)?;
        }
        let mut environment = site.environment(workload)?;
        let secrets = self.secrets.iter().filter(|(of, ..)| *of == workload);
        environment.extend(secrets.map(|(_, name, value)| (name.clone(), value.clone())));
        Envoy::start(Start {
            name: workload,
            bootstrap: placed.installed_in(&site.directory.join("etc")),
            admin: Some(admin),
            environment,
            directory: &site.directory,
        })
    }
}

/// An OpenID provider of a test's own (EdDSA).
pub struct OwnIssuer {
    key: Ed25519KeyPair,
    id: String,
    name: String,
}

impl OwnIssuer {
    /// `name` is its `iss`, `id` that of its key.
    pub fn make(name: &str, id: &str) -> Self {
        Self { key: Ed25519KeyPair::generate().with_key_id(id), id: id.into(), name: name.into() }
    }

    /// Its JWK set.
    pub fn key_set(&self) -> Result<String> {
        let mut key: Value = serde_json::from_str(&self.key.public_key().with_key_id(&self.id).to_jwk())?;
        key["alg"] = json!("EdDSA");
        Ok(json!({ "keys": [key] }).to_string())
    }

    /// Its entry of `issuers`, with keys in a file of the keys folder, which is written.
    pub fn entry(&self, keys: &Path) -> Result<String> {
        let file = format!("{}.jwks.json", self.id);
        fs::write(keys.join(&file), self.key_set()?)?;
        Ok(self.entry_with(&file))
    }

    /// Its entry of `issuers`, with this `jwks`.
    pub fn entry_with(&self, jwks: &str) -> String {
        entry(&self.name, &format!("jwks: {jwks}"))
    }

    /// A viewer's token; `tenant` is a name or an array of names.
    pub fn token(&self, tenant: &Value) -> Result<String> {
        self.key.sign(claims(&self.name, tenant))
    }

    /// The same, issued `age` seconds ago for so many seconds from then.
    pub fn aged(&self, tenant: &Value, age: u64, lasts: u64) -> Result<String> {
        let mut claims = claims(&self.name, tenant);
        let issued = claims.issued_at.context("a time of issue")? - Span::from_secs(age);
        (claims.issued_at, claims.invalid_before) = (Some(issued), Some(issued));
        claims.expires_at = Some(issued + Span::from_secs(lasts));
        self.key.sign(claims)
    }

    /// The same as the value of `Authorization`.
    pub fn bearer(&self, tenant: &Value) -> Result<String> {
        Ok(format!("Bearer {}", self.token(tenant)?))
    }
}

/// An entry of `issuers` for every tenant.
pub fn entry(issuer: &str, keys: &str) -> String {
    format!(
        "  - issuer: {issuer}\n    audiences: [shop]\n    tenant_claim: /tenant\n    roles_claim: /roles\n    {keys}\n    \
         tenants: all\n"
    )
}

/// Claims of a viewer, for ten minutes from now.
pub fn claims(issuer: &str, tenant: &Value) -> jwt_simple::claims::JWTClaims<Value> {
    Claims::with_custom_claims(json!({ "tenant": tenant, "roles": ["viewer"] }), Span::from_mins(10))
        .with_issuer(issuer)
        .with_subject("carol")
        .with_audience("shop")
        .with_jwt_id(unique())
}

impl Client {
    /// Certificate and key, for other programs.
    pub fn to_pem(&self) -> (String, String) {
        (pem("CERTIFICATE", &self.certificate), pem("PRIVATE KEY", &self.key))
    }
}

/// DER as PEM (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = Base64::encode_to_string(der).unwrap_or_default();
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// An authority for certificates of clients, with what it issued.
pub struct Clients {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

/// A client's certificate with its key.
#[derive(Clone)]
pub struct Client {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Clients {
    /// Makes the authority.
    pub fn make() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { params, key, pem })
    }

    /// Its own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate with this URI and no other name.
    pub fn issue(&self, uri: &str) -> Result<Client> {
        self.sign(certificates::leaf(vec![SanType::URI(uri.try_into()?)]))
    }

    /// A certificate that says this.
    pub fn sign(&self, params: CertificateParams) -> Result<Client> {
        let key = KeyPair::generate()?;
        let issuer = Issuer::from_params(&self.params, &self.key);
        Ok(Client { certificate: params.signed_by(&key, &issuer)?.der().clone(), key: key.serialize_der() })
    }
}

impl Client {
    /// As rustls takes it.
    pub fn for_rustls(&self) -> raw::Chain {
        let key = PrivatePkcs8KeyDer::from(self.key.clone());
        (vec![self.certificate.clone()], PrivateKeyDer::from(key))
    }
}

/// Sends a request over TLS, with this SNI if any and as this client if any.
pub fn over_tls(to: SocketAddr, sni: Option<&str>, client: Option<&Client>, request: &Request) -> Result<Response> {
    raw::tls(to, sni, client.map(Client::for_rustls), &request.bytes())
}

fn replaced(text: &str, name: &str, from: &str, to: &str) -> Result<String> {
    ensure!(text.contains(from), "{name} has no `{from}`");
    Ok(text.replace(from, to))
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}
