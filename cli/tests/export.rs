//! `partywall export`: one tenant's own, and nothing of anybody else's.

mod support;

use std::fs;

use partywall_tenancy::{FingerprintKeys, Secrets, TenantId};
use serde_json::{Value, json};
use support::{Desk, partywall, path};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

struct Names {
    keys: FingerprintKeys,
}

impl Names {
    fn tenant(&self, name: &str) -> String {
        self.keys.of(&TenantId::parse(name).unwrap())
    }

    fn principal(&self, tenant: &str) -> String {
        self.keys.of_principal(&TenantId::parse(tenant).unwrap(), "alice")
    }

    /// A decision about a request of `tenant` for what is `owner`'s.
    fn line(&self, tenant: &str, owner: &str, hop: &str, decision: (&str, &str, &str)) -> String {
        let (of, owner) = (self.tenant(tenant), self.tenant(owner));
        let (decision, reason, policy) = decision;
        let explain = json!({ "partywall": 1, "time": 1_795_507_200, "decision": decision, "tenant": of, "policy": policy,
            "principal": self.principal(tenant), "owner": owner, "roles": [format!("clerk-of-{tenant}")],
            "owner_withdrawn": ["secret-consent"], "action": "orders:read" });
        json!({ "time": "2026-11-24T12:00:00.001Z", "hop": hop, "role": "inbound", "method": "GET", "status": 200,
            "path": format!("/tenants/{owner}/orders"), "tenant": of, "decision": decision, "reason": reason,
            "policy": policy, "traceparent": format!("00-{TRACE}-00f067aa0ba902b7-01"), "explain": explain.to_string(),
            "peer": "spiffe://mesh.example/ns/shop/sa/edge", "chain": "v=1 x", "user_agent": format!("{tenant}/1") })
        .to_string()
    }
}

#[test]
fn what_is_exported_is_its_own_and_names_nobody_else() {
    let desk = Desk::new("export");
    let env = desk.keys.join("edge.env");
    let text = fs::read_to_string(&env).unwrap();
    let key = text.lines().find_map(|line| line.strip_prefix("PARTYWALL_FINGERPRINT=")).unwrap();
    let names = Names { keys: FingerprintKeys::new(&Secrets::parse(key).unwrap()) };
    let allow = ("allow", "", "viewers-read");
    let log = desk.keys.join("log");
    let lines = [
        names.line("globex", "globex", "edge", allow),
        names.line("globex", "globex", "orders", ("allow", "", "not-for-acme")),
        names.line("globex", "acme", "edge", ("deny", "resource_foreign", "")),
        names.line("acme", "acme", "edge", allow),
        names.line("acme", "globex", "edge", ("deny", "resource_foreign", "")),
        names.line("acme", "globex", "orders", ("allow", "", "grant:g-7")),
        names.line("initech", "acme", "orders", ("allow", "", "grant:g-8")),
        "not JSON".to_owned(),
    ];
    fs::write(&log, lines.join("\n")).unwrap();
    let out = desk.keys.join("globex");
    let export = |out: &std::path::Path| {
        partywall(&[
            "export",
            "globex",
            "--tenancy",
            path(&desk.tenancy),
            "--fingerprint-key",
            path(&env),
            "--log",
            path(&log),
            "--out",
            path(out),
            "--json",
        ])
    };
    let ran = export(&out).succeeds();
    assert_eq!((&ran.json()["decisions"], &ran.json()["traces"]), (&json!(4), &json!(1)));

    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let record: Value = serde_json::from_str(&read("record.json")).unwrap();
    assert_eq!((&record["tenant"], &record["written"]["tenant"]), (&json!("globex"), &json!("globex")));
    let decisions: Vec<Value> =
        read("decisions.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(decisions[0]["explain"]["principal"], names.principal("globex"));
    assert_eq!(decisions[1]["policy"], "t_other");
    assert_eq!(
        (&decisions[2]["explain"]["owner"], &decisions[2]["path"]),
        (&json!("t_other"), &json!("/tenants/t_other/orders"))
    );
    let crossed = ["tenant", "policy", "decision"].map(|name| decisions[3][name].as_str().unwrap());
    assert_eq!(crossed, ["t_other", "grant:g-7", "allow"]);
    assert_eq!(decisions[3]["explain"]["principal"], "s_other");
    assert!(read("lineage.txt").starts_with(&format!("trace {TRACE}: 4 lines\n")), "{}", read("lineage.txt"));

    let all = ["record.json", "decisions.ndjson", "lineage.txt"].map(read).concat();
    for other in ["acme", "initech"] {
        for foreign in [other.to_owned(), names.tenant(other), names.principal(other)] {
            assert!(!all.contains(&foreign), "{foreign} in {all}");
        }
    }
    assert!(!all.contains("secret-consent") && all.contains(&names.tenant("globex")), "{all}");

    export(&out).ends_with(3).says("globex");
    let nobody = desk.keys.join("nobody");
    partywall(&[
        "export",
        "globexx",
        "--tenancy",
        path(&desk.tenancy),
        "--fingerprint-key",
        path(&env),
        "--out",
        path(&nobody),
    ])
    .ends_with(3)
    .says("did you mean `globex`?");
    assert!(!nobody.exists());
}
