//! The judge shares no code with what it judges.

use std::process::Command;

use serde_json::Value;

#[test]
fn this_crate_links_none_of_our_libraries() {
    let cargo = std::env::var("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("cargo metadata: {e}\n{}", String::from_utf8_lossy(&output.stderr)));
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let members: Vec<&str> =
        metadata["workspace_members"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let own = members
        .iter()
        .copied()
        .find(|id| id.contains("partywall-integration") || id.contains("/integration#"))
        .unwrap();
    let (mut reached, mut left) = (vec![own], vec![own]);
    while let Some(id) = left.pop() {
        let node = nodes.iter().find(|node| node["id"] == id).unwrap();
        for next in node["dependencies"].as_array().unwrap().iter().filter_map(Value::as_str) {
            if !reached.contains(&next) {
                reached.push(next);
                left.push(next);
            }
        }
    }
    assert!(reached.len() > 50, "the walk went somewhere");
    let ours: Vec<_> = reached.iter().filter(|id| **id != own && members.contains(id)).collect();
    assert!(ours.is_empty(), "{ours:?}");
    assert!(!reached.iter().any(|id| id.contains("proxy-wasm")));
}
