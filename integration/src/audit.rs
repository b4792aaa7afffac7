//! `partywall audit verify`, and lines that somebody altered.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::access_log::Line;
use crate::cli;
use crate::site::Site;
use crate::variant::Variant;

const FLOOR: &str = "                            floor: 1\n";
const LOGGER: &str = "- name: envoy.access_loggers.stdout\n";
/// As docs/audit.md has it.
const FILTER: &str = r#"                    filter:
                      extension_filter:
                        name: envoy.access_loggers.extension_filters.cel
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter
                          expression: "filter_state['wasm.partywall.log'] != b'no' || !('wasm.partywall.log' in filter_state)"
"#;

/// Lets `workload` tell this share of its allows.
pub fn keep_allows(variant: &mut Variant, workload: &str, share: f64) -> Result<()> {
    let told = format!("{FLOOR}                            log: {{ allows: {share} }}\n");
    variant.envoy(workload, FLOOR, &told)?;
    variant.envoy(workload, LOGGER, &format!("{LOGGER}{FILTER}"))
}

/// Access log and Envoy's own log of a workload.
pub fn logs(site: &Site, workload: &str) -> [PathBuf; 2] {
    ["out", "err"].map(|end| site.directory.join("logs").join(format!("{workload}.{end}")))
}

/// Verifies these logs under the keys in the folder `keys`, with more arguments: the exit status, and what was found.
pub fn verify(keys: &Path, logs: &[&Path], more: &[&str]) -> Result<(i32, Value)> {
    let key = keys.join("audit.keys");
    let logs = logs.iter().map(|log| cli::text(log)).collect::<Result<Vec<_>>>()?;
    cli::json(&[&["audit", "verify", "--json", "--key", cli::text(&key)?], &logs[..], more].concat())
}

/// How many numbers are not there for this reason.
pub fn gaps(found: &Value, why: &str) -> u64 {
    let gaps = found["gaps"].as_array().map_or(&[][..], Vec::as_slice);
    let number =
        |gap: &Value| gap["last"].as_u64().zip(gap["first"].as_u64()).map_or(0, |(last, first)| last - first + 1);
    gaps.iter().filter(|gap| gap["why"] == why).map(number).sum()
}

/// An error unless the logs of these workloads, whose Envoys have ended, are whole; gives how many decisions they tell.
pub fn is_whole(site: &Site, workloads: &[&str]) -> Result<u64> {
    let all: Vec<PathBuf> = workloads.iter().flat_map(|workload| logs(site, workload)).collect();
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let (status, found) = verify(&site.keys(), &all, &["--ended"])?;
    ensure!(status == 0 && found["whole"] == true && found["without_link"] == 0, "{found:#}");
    found["decisions"].as_u64().context("it counts decisions")
}

/// An error unless it is found that `line` of the log of `workload`, whose Envoy has ended, is gone, or that any of these
/// fields of it says something else.
pub fn changes_are_found(site: &Site, workload: &str, line: &Line, fields: &[&str]) -> Result<()> {
    let [log, errors] = logs(site, workload);
    let text = fs::read_to_string(log)?;
    let whole: Vec<&str> = text.lines().collect();
    let at = whole.iter().position(|one| *one == line.text()).context("the line is not in this log")?;
    let changed = site.directory.join("changed.log");
    let verified = |lines: &[&str]| {
        fs::write(&changed, lines.join("\n"))?;
        verify(&site.keys(), &[&changed, &errors], &["--ended"])
    };
    let (status, found) = verified(&whole)?;
    ensure!(status == 0, "whole: {found:#}");
    for field in fields {
        let mut value: Value = serde_json::from_str(line.text())?;
        ensure!(value.get(field).is_some(), "the line has no `{field}`: {}", line.text());
        value[field] = Value::String(format!("{}x", line.field(field)));
        let altered = value.to_string();
        let mut lines = whole.clone();
        lines[at] = &altered;
        let (status, found) = verified(&lines)?;
        let told = &found["findings"][0];
        ensure!(status == 1 && told["what"] == "altered" && told["line"] == at + 1, "`{field}`: {found:#}");
    }
    let mut less = whole.clone();
    less.remove(at);
    let (status, found) = verified(&less)?;
    let gone = gaps(&found, "removed") + gaps(&found, "before");
    ensure!(status == 1 && gone > 0 && found["findings"] == Value::Array(Vec::new()), "taken out: {found:#}");
    Ok(())
}
