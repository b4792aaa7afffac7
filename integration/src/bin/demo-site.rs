//! Fills the volumes of docker-compose.yml: for each workload what it may know, and no more.
//!
//! ```text
//! OUT/<workload>/   partywall.wasm, tls/ (its own certificate and the authority's), secrets.env
//! OUT/bundles/      tenancy.*.bundle, keys/overlay-1.key
//! ```
//!
//! The bundle's private key is used and then forgotten, as it would be on a desk far from the mesh.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use partywall_integration::certificates::Certificates;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Issuers, accountant, viewer};

const USAGE: &str = "usage: demo-site --tenancy DIR --module FILE [--owner UID] OUT

  --tenancy  the tenancy directory to compile
  --module   partywall.wasm
  --owner    the user that Envoy runs as

The `partywall` command must be on the path.";

const WORKLOADS: [&str; 3] = ["edge", "invoices", "orders"];

fn main() -> ExitCode {
    match Arguments::read().and_then(|arguments| fill(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo-site: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    tenancy: PathBuf,
    module: PathBuf,
    owner: Option<u32>,
    out: PathBuf,
}

impl Arguments {
    fn read() -> Result<Self> {
        let (mut tenancy, mut module, mut owner, mut out) = (None, None, None, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n\n{USAGE}"));
            match argument.as_str() {
                "--tenancy" => tenancy = Some(value()?.into()),
                "--module" => module = Some(value()?.into()),
                "--owner" => owner = Some(value()?.parse().context("--owner takes a user id")?),
                other if other.starts_with('-') => bail!("unknown option `{other}`\n\n{USAGE}"),
                folder => out = Some(folder.into()),
            }
        }
        let (Some(tenancy), Some(module), Some(out)) = (tenancy, module, out) else { bail!("{USAGE}") };
        Ok(Self { tenancy, module, owner, out })
    }
}

fn fill(arguments: &Arguments) -> Result<()> {
    let Arguments { tenancy, module, owner, out } = arguments;
    let bundles = out.join("bundles");
    if bundles.join("tenancy.edge.bundle").exists() {
        println!("{} is filled already; remove the volumes to start over", out.display());
        return Ok(());
    }
    let work = std::env::temp_dir().join("partywall-site");
    let (keys, tls) = (work.join("keys"), work.join("tls"));
    partywall(&[
        "keys",
        "new",
        text(&keys)?,
        "--signer",
        "edge-1=edge",
        "--sidecar",
        "invoices",
        "--sidecar",
        "orders",
    ])?;
    let issuers = Issuers::make()?;
    issuers.write_key_sets(&keys)?;
    Certificates::make()?.write(&tls)?;

    for workload in WORKLOADS {
        let home = out.join(workload);
        fs::create_dir_all(home.join("tls"))?;
        fs::copy(module, home.join("partywall.wasm")).context("cannot copy the module")?;
        fs::copy(keys.join(format!("{workload}.env")), home.join("secrets.env"))?;
        for file in ["ca.pem".to_owned(), format!("{workload}.pem"), format!("{workload}.key")] {
            fs::copy(tls.join(&file), home.join("tls").join(&file))?;
        }
        if let Some(owner) = owner {
            give(&home, *owner)?;
        }
    }
    fs::create_dir_all(bundles.join("keys"))?;
    fs::copy(keys.join("overlay-1.key"), bundles.join("keys/overlay-1.key"))?;
    partywall(&["compile", text(tenancy)?, "--keys", text(&keys)?, "--out", text(&bundles)?])?;
    fs::remove_dir_all(&work)?;

    println!("Tokens are good for ten minutes. Paste:");
    for (about, method, tenant, token) in [
        ("acme's accountant reads an invoice", "GET", "acme", accountant(Acme, "acme")),
        ("globex' viewer may not delete one", "DELETE", "globex", viewer(Shared, "globex")),
        ("acme's token at globex' host", "GET", "globex", accountant(Acme, "acme")),
    ] {
        let token = issuers.token(&token, "compose")?;
        println!(
            "\n# {about}\ncurl -i -X {method} -H 'host: {tenant}.shop.example' -H 'authorization: Bearer {token}' http://127.0.0.1:8080/invoices/17"
        );
    }
    Ok(())
}

fn partywall(arguments: &[&str]) -> Result<()> {
    let command = std::env::var_os("PARTYWALL").unwrap_or_else(|| "partywall".into());
    let status = Command::new(&command).args(arguments).status().context("cannot run `partywall`")?;
    if !status.success() {
        bail!("partywall {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// Makes `owner` the only one who may read what lies in `folder`.
fn give(folder: &Path, owner: u32) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            give(&path, owner)?;
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o400))?;
            chown(&path, Some(owner), None)?;
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o500))?;
    chown(folder, Some(owner), None).with_context(|| format!("cannot give {} to user {owner}", folder.display()))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not text", path.display()))
}
