//! Envoy's own `jwt_authn` in front of the same app: what the example is compared with.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bootstrap::Bootstrap;
use crate::envoy::{Envoy, Start};
use crate::examples::{self, Example};
use crate::ports;
use crate::site::Site;
use crate::variant::turn;

/// In the frame, the line in whose place the example's `jwt_authn.yaml` is put.
const PLACE: &str = "# jwt_authn.yaml\n";

/// One Envoy without our module.
pub struct Native {
    /// The Envoy.
    pub envoy: Envoy,
    /// Its admin listener.
    pub admin: u16,
    port: u16,
}

impl Native {
    /// Starts one as the example configures it, if it does; `count` is of generated issuers.
    pub fn start(example: &Example, site: &Site, count: Option<usize>) -> Result<Option<Self>> {
        let Some(filter) = configuration(example, count)? else { return Ok(None) };
        let frame = examples::directory().join("native.yaml");
        let frame = fs::read_to_string(&frame).with_context(|| format!("cannot read {}", frame.display()))?;
        let name = count.map_or("native".to_owned(), |count| format!("native-{count}"));
        let written = site.directory.join(format!("{name}.changed.yaml"));
        let runtime = serde_json::to_string(&example.script.native.runtime)?;
        let runtime = format!("layered_runtime: {{ layers: [{{ name: example, static_layer: {runtime} }}] }}\n");
        fs::write(&written, put_in(&frame, &filter)? + &runtime)?;
        let _turn = turn();
        let [port, admin] = ports::free()?;
        let bootstrap = Bootstrap::read(crate::cli::text(&written)?)?
            .address("0.0.0.0", 8080, port)?
            .address("127.0.0.1", 9901, admin)?
            .address("app", 8080, site.ports.orders_app)?
            .installed_in(&site.directory.join("etc"));
        let how =
            Start { name: &name, bootstrap, admin: Some(admin), environment: Vec::new(), directory: &site.directory };
        let mut envoy = Envoy::start(how)?;
        envoy.wait_until_ready()?;
        Ok(Some(Self { envoy, admin, port }))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ports::local(self.port)
    }
}

fn configuration(example: &Example, count: Option<usize>) -> Result<Option<String>> {
    let (Some(generated), Some(count)) = (&example.script.generated, count) else {
        return example.file("jwt_authn.yaml");
    };
    let script = example.directory.join(&generated.native);
    let output = Command::new("sh").arg(&script).arg(count.to_string()).output();
    let output = output.with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(output.status.success(), "{} ended with {}", script.display(), output.status);
    Ok(Some(String::from_utf8(output.stdout)?))
}

/// The frame with the filter's configuration, indented as the line that it replaces.
fn put_in(frame: &str, filter: &str) -> Result<String> {
    let (before, after) = frame.split_once(PLACE).context("native.yaml has no place for jwt_authn.yaml")?;
    let indent = before.len() - before.trim_end_matches(' ').len();
    let (before, indent) = before.split_at(before.len() - indent);
    let lines: String = filter.lines().map(|line| format!("{indent}{line}\n")).collect();
    Ok(format!("{before}{lines}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_put_where_its_place_is() {
        assert_eq!(put_in("a:\n  # jwt_authn.yaml\nb:\n", "x:\n  y\n").unwrap(), "a:\n  x:\n    y\nb:\n");
        assert!(put_in("a:\n", "x").is_err());
    }
}
