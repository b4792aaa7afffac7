//! The bootstraps of `envoy-config/`, made to run here: addresses and paths are replaced as text,
//! and nothing else, so what is tested is what is shipped.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::artefacts;

const INSTALLED: &str = "/etc/partywall";
const BEGIN: &str = "# partywall: begin\n";
const END: &str = "# partywall: end\n";

/// A bootstrap on its way from `envoy-config/` to a file that Envoy can start here.
pub struct Bootstrap {
    text: String,
    ports: Vec<u16>,
}

impl Bootstrap {
    /// Reads `envoy-config/<path>`.
    pub fn read(path: &str) -> Result<Self> {
        let path = artefacts::root().join("envoy-config").join(path);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { text, ports: Vec::new() })
    }

    /// What `partywall render` made for this machine: it names these ports of loopback and no others.
    pub fn rendered(text: String, ports: Vec<u16>) -> Self {
        Self { text, ports }
    }

    /// Puts `port` of loopback where `address:from` stands.
    pub fn address(mut self, address: &str, from: u16, port: u16) -> Result<Self> {
        let was = written(address, from);
        ensure!(self.text.contains(&was), "the bootstrap has no `{was}`");
        self.text = self.text.replace(&was, &written("127.0.0.1", port));
        self.ports.push(port);
        Ok(self)
    }

    /// Puts `directory` where `/etc/partywall` stands.
    pub fn installed_in(mut self, directory: &Path) -> Self {
        self.text = self.text.replace(INSTALLED, &directory.display().to_string());
        self
    }

    /// Puts `to` where `from` stands once: for a test of what is not shipped.
    pub fn replace(mut self, from: &str, to: &str) -> Result<Self> {
        ensure!(self.text.matches(from).count() == 1, "the bootstrap has not once `{}`", from.trim());
        self.text = self.text.replace(from, to);
        Ok(self)
    }

    /// Takes the listeners out, for Envoy to read them from `file` and to watch it, and gives them as a YAML list.
    pub fn listeners_from(mut self, file: &Path) -> Result<(Self, String)> {
        let (before, rest) = self.text.split_once("  listeners:\n").context("the bootstrap has no listeners")?;
        let (listeners, after) = rest.split_once("  clusters:\n").context("the bootstrap has no clusters")?;
        let listeners = listeners.to_owned();
        let watched =
            format!("dynamic_resources: {{ lds_config: {{ path_config_source: {{ path: {} }} }} }}", file.display());
        self.text = format!("{before}  clusters:\n{after}\n{watched}\n");
        Ok((self, listeners))
    }

    /// Runs the named root ids, one filter each and in this order, where the one filter `sidecar` stands:
    /// the block between the marks `# partywall: begin` and `# partywall: end` is written once per root id.
    pub fn with_filters(self, root_ids: &[&str]) -> Result<Self> {
        let mut out = String::with_capacity(self.text.len() * 2);
        let mut rest = self.text.as_str();
        let mut blocks = 0;
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (block, after) = after.split_once(END).context("a block has no `# partywall: end`")?;
            ensure!(block.contains("root_id: sidecar\n"), "a block has no `root_id: sidecar`");
            let block = block.trim_end_matches(' ');
            out.push_str(before.trim_end_matches(' '));
            for root_id in root_ids {
                let named = block.replace("root_id: sidecar\n", &format!("root_id: {root_id}\n"));
                out.push_str(&named.replace("name: partywall.sidecar\n", &format!("name: partywall.{root_id}\n")));
            }
            rest = after;
            blocks += 1;
        }
        ensure!(blocks > 0, "the bootstrap has no `# partywall: begin`");
        out.push_str(rest);
        Ok(Self { text: out, ports: self.ports })
    }

    /// Writes it for Envoy. An address that nobody replaced is an error: it would leave this machine.
    pub fn write(self, path: &Path) -> Result<()> {
        let ours: Vec<String> = self.ports.iter().map(|port| written("127.0.0.1", *port)).collect();
        let left = self.text.lines().find(|l| l.contains("port_value:") && !ours.iter().any(|o| l.contains(o)));
        ensure!(left.is_none(), "an address was not replaced: {}", left.unwrap_or_default().trim());
        fs::write(path, self.text).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn written(address: &str, port: u16) -> String {
    format!("{{ address: {address}, port_value: {port} }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "
        # partywall: begin
        - name: partywall.sidecar
          root_id: sidecar
        # partywall: end
        - router
    ";

    fn bootstrap(text: &str) -> Bootstrap {
        Bootstrap { text: text.into(), ports: Vec::new() }
    }

    #[test]
    fn stages_differ_from_the_one_filter_by_the_root_id_alone() {
        let staged = bootstrap(BLOCK).with_filters(&["tenant_context", "authorization"]).unwrap().text;
        assert_eq!(
            staged,
            "
        - name: partywall.tenant_context
          root_id: tenant_context
        - name: partywall.authorization
          root_id: authorization
        - router
    "
        );
        assert!(bootstrap("- router").with_filters(&["tenant_context", "authorization"]).is_err());
    }

    #[test]
    fn an_address_is_replaced_or_refused() {
        let one = || bootstrap("socket_address: { address: orders-sidecar, port_value: 15006 }\n");
        assert!(one().address("orders-sidecar", 1, 2).is_err());
        assert!(one().write(Path::new("/nonexistent/1")).unwrap_err().to_string().contains("not replaced"));
        let replaced = one().address("orders-sidecar", 15006, 2).unwrap();
        assert_eq!(replaced.text, "socket_address: { address: 127.0.0.1, port_value: 2 }\n");
        assert!(replaced.write(Path::new("/nonexistent/2")).unwrap_err().to_string().contains("cannot write"));
    }
}
