//! What `partywall serve` gives a sidecar, for those who bring it there themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::ports::{free, local};
use crate::process::Process;
use crate::raw::Request;
use crate::{cli, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// Bundles, candidates and overlay, by the path under which they are served.
pub type Served = BTreeMap<String, Vec<u8>>;

/// Lets `partywall serve` serve `bundles` just long enough to get them.
pub fn served(bundles: &Path, keys: &Path, logs: &Path) -> Result<Served> {
    let [port] = free()?;
    let _process = Process::start("bundles", &mut cli::serve(bundles, keys, port)?, logs)?;
    let get = |path: &str| {
        let got = wait::until(PATIENCE, || {
            Request::get(path).header("host", "bundles").send(local(port)).ok().filter(|answer| answer.status == 200)
        });
        Ok((path.to_owned(), got.with_context(|| format!("`partywall serve` does not serve {path}"))?.body))
    };
    let candidates = ["/tenancy.edge.candidate", "/tenancy.workload.candidate", "/tenancy.events.candidate"];
    let tried = ["/tenancy.events.bundle"].into_iter().chain(candidates);
    let tried = tried.filter(|path| bundles.join(&path[1..]).exists());
    ["/tenancy.edge.bundle", "/tenancy.workload.bundle", "/tenancy.overlay"].into_iter().chain(tried).map(get).collect()
}
