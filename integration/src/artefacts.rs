//! What must have been built before: taken from `target/`, or from where a variable says.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The root of the project.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The target directory of the project.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The module, `partywall.wasm`.
pub fn module() -> Result<PathBuf> {
    find("PARTYWALL_MODULE", &["wasm32-wasip1/module/partywall_module.wasm"], "`cargo xtask build`")
}

/// The module that asks the host for no signature, `partywall-pure.wasm`.
pub fn pure_module() -> Result<PathBuf> {
    find("PARTYWALL_MODULE_PURE", &["partywall-pure.wasm"], "`cargo xtask test`, which builds it,")
}

/// The module that redacts telemetry.
pub fn redaction_module() -> Result<PathBuf> {
    find("PARTYWALL_MODULE_REDACTION", &["partywall-redaction.wasm"], "`cargo xtask build`")
}

/// The `partywall` command; the newer one of the two builds.
pub fn command() -> Result<PathBuf> {
    find("PARTYWALL", &["release/partywall", "debug/partywall"], "`cargo xtask build`")
}

/// Envoy.
pub fn envoy() -> Result<PathBuf> {
    find("ENVOY", &["tools/envoy-1.40.0/envoy"], "`cargo xtask setup`")
}

/// The description of the Docker Engine's API (Swagger 2).
pub fn docker_api() -> Result<PathBuf> {
    find("DOCKER_API", &["tools/docker-api-v1.57.0/swagger.yaml"], "`cargo xtask setup`")
}

/// The folder of Apache Kafka's jars.
pub fn kafka() -> Result<PathBuf> {
    folder("KAFKA_JARS", "kafka-4.4.0")
}

/// The folder of Kroxylicious's jars.
pub fn kroxylicious() -> Result<PathBuf> {
    folder("KROXYLICIOUS_JARS", "kroxylicious-0.12.0")
}

/// The folder of Kafka's clients for Python, as `PYTHONPATH` takes it.
pub fn kafka_clients() -> Result<PathBuf> {
    folder("KAFKA_CLIENTS", "kafka-clients-4.4.0-cpython-")
}

/// The folder of the SDK of CloudEvents for Python, likewise.
pub fn cloud_events() -> Result<PathBuf> {
    folder("CLOUD_EVENTS", "cloudevents-")
}

/// The folder of exporters of telemetry for Python, likewise.
pub fn exporters() -> Result<PathBuf> {
    folder("EXPORTERS", "exporters-1.45.2-cpython-")
}

/// The command `kcat`.
pub fn kcat() -> Result<PathBuf> {
    find("KCAT", &["tools/kcat/kcat"], "`cargo xtask setup`")
}

/// What a bench needs: it is where this variable says, and nowhere else.
pub fn from_variable(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    path.with_context(|| format!("{variable} names nothing that is there: `cargo xtask bench` builds it and sets it"))
}

/// The folder that a variable names, or the one of the tools whose name begins so.
fn folder(variable: &str, begins: &str) -> Result<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let tools = || Some(target().join("tools").read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path())));
    let fits = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begins));
    let found = named.or_else(|| tools()?.find(fits)).filter(|path| path.is_dir());
    found.with_context(|| format!("{variable} names no folder: run `cargo xtask setup`, or set it"))
}

/// Absent is an error, never a reason to skip: a test that does not run proves nothing.
fn find(variable: &str, places: &[&str], made_by: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        if path.is_file() {
            return Ok(path);
        }
        bail!("{variable} names `{}`, which is not there", path.display());
    }
    let there = places.iter().map(|place| target().join(place)).filter(|path| path.is_file());
    let newest = there.max_by_key(|path| path.metadata().and_then(|m| m.modified()).ok());
    let Some(path) = newest else {
        let looked: Vec<_> = places.iter().map(|place| target().join(place).display().to_string()).collect();
        bail!("not built yet: {}; run {made_by}, or set {variable}", looked.join(", "));
    };
    Ok(path)
}
