//! `events.yaml` in every verb that tells of it, by what docs/events.md shows.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Desk, folder, partywall, path};

/// The blocks of this language in docs/events.md, in order.
fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let page = fs::read_to_string(page).unwrap();
    let mark = format!("```{language}\n");
    page.split(&mark).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// The sample with what the page shows.
fn desk(name: &str) -> Desk {
    let desk = Desk::new(name);
    let [events, cases] = blocks("yaml").try_into().unwrap();
    fs::write(desk.tenancy.join("events.yaml"), events).unwrap();
    fs::write(desk.tenancy.join("cases/kafka.yaml"), cases).unwrap();
    fs::write(desk.tenancy.join("policies/events.cedar"), blocks("cedar").concat()).unwrap();
    desk
}

fn slice(desk: &Desk, audience: &str) -> Value {
    let file = desk.out.join(format!("tenancy.{audience}.bundle"));
    partywall(&["inspect", path(&file), "--json"]).succeeds().json()["body"].clone()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn the_brokers_proxy_has_the_clusters_and_nobody_else() {
    let desk = desk("events-slices");
    desk.compile(&[]).succeeds();
    let events = slice(&desk, "events");
    assert_eq!(names(&events["events"]), ["shop-events"]);
    assert_eq!(names(&events["services"]), ["shop-events"]);
    // A token shows a tenant there.
    assert_eq!(events["issuers"].as_array().unwrap().len(), 2);
    assert!(events["program"]["policies"].to_string().contains("warehouse-sees-orders"));
    for audience in ["edge", "workload"] {
        let other = slice(&desk, audience);
        assert_eq!(names(&other["services"]), ["invoices", "orders"], "{audience}");
        assert_eq!(names(&other["events"]), [] as [&str; 0], "{audience}");
    }
    let redaction = slice(&desk, "redaction");
    assert_eq!(names(&redaction["events"]), [] as [&str; 0]);
    assert_eq!(redaction["program"]["bytes"], 0);
    // Whoever reads no token needs no issuer.
    desk.edit("events.yaml", "      - token\n", "");
    desk.compile(&[]).succeeds();
    assert_eq!(slice(&desk, "events")["issuers"].as_array().unwrap().len(), 0);
}

#[test]
fn an_action_on_topics_is_an_operation_of_the_cluster() {
    let desk = desk("events-operations");
    desk.compile(&[]).succeeds();
    let events = slice(&desk, "events");
    let operations = events["services"][0]["operations"].as_array().unwrap();
    let of = |rule: &str| -> Vec<&str> {
        let of_rule = |path: &&str| path.split('/').nth(2) == Some(rule);
        operations.iter().map(|one| one["path"].as_str().unwrap()).filter(of_rule).collect()
    };
    let all = ["produce", "consume", "describe", "create", "delete", "alter"];
    assert_eq!(of("*"), all.map(|action| format!("/events:{action}/*/{{topic}}")));
    assert_eq!(
        of("telemetry"),
        all[..3].iter().map(|one| format!("/events:{one}/telemetry/{{topic}}")).collect::<Vec<_>>()
    );
    assert_eq!(of("rates"), ["/events:consume/rates/{topic}", "/events:describe/rates/{topic}"]);
    assert_eq!(of("audit-*"), [] as [&str; 0]);
    let orders = operations.iter().find(|one| one["path"] == "/events:consume/orders/{topic}").unwrap();
    assert_eq!(orders["method"], "KAFKA");
    assert_eq!(
        (&orders["resource"], &orders["id"], &orders["owner"]),
        (&"Topic".into(), &"topic".into(), &"Unseen".into())
    );
    assert_eq!(orders["attributes"]["dataset"], "order-figures");
    assert_eq!(orders["attributes"]["purpose"], "analytics");
}

#[test]
fn cases_ask_about_topics_as_tenants_call_them() {
    let desk = desk("events-cases");
    partywall(&["test", path(&desk.tenancy)]).succeeds().says("0 failed");
    let when = |given: &str, kafka: &str, then: &str| {
        let case =
            format!("{{ name: x, given: {given}, when: {{ cluster: shop-events, kafka: '{kafka}' }}, then: {then} }}");
        fs::write(desk.tenancy.join("cases/kafka.yaml"), format!("cases: [{case}]")).unwrap();
        partywall(&["test", path(&desk.tenancy)])
    };
    let of = |tenant: &str| format!("{{ tenant: {tenant}, roles: [warehouse] }}");
    let allow = "{ decision: allow, policy: warehouse-sees-orders }";
    let unmapped = "{ decision: deny, reason: resource_unmapped }";
    for (tenant, kafka, then) in [
        ("acme", "events:consume telemetry", allow),
        // It has no range, and nobody has what is denied.
        ("initech", "events:consume telemetry", unmapped),
        ("acme", "events:consume audit-1", unmapped),
        ("acme", "events:delete telemetry", unmapped),
        ("acme", "events:consume rates", allow),
        ("initech", "events:consume anything", allow),
        ("acme", "events:create anything", "{ decision: deny, reason: policy_denied }"),
        ("nobody", "events:consume orders", "{ decision: deny, reason: tenant_unknown }"),
    ] {
        when(&of(tenant), kafka, then).succeeds();
    }
    // A topic that its owner shares by the very name that it has for it: the owner goes on to the policies.
    let text = fs::read_to_string(desk.tenancy.join("events.yaml")).unwrap();
    let more = "      - { topic: prices, shared: { topic: acme.prices, owner: acme, readers: [globex] } }\n";
    fs::write(desk.tenancy.join("events.yaml"), text + more).unwrap();
    when(&of("globex"), "events:consume prices", allow).succeeds();
    when(&of("globex"), "events:produce prices", unmapped).succeeds();
    when(&of("acme"), "events:produce prices", "{ decision: deny, reason: policy_denied }").succeeds();
    // A cluster lists no callers, and policies are told who it is.
    let policy = "@id(\"no-gateway\") forbid (principal, action == Action::\"events:consume\", resource)\n\
                  when { context.caller == Workload::\"spiffe://mesh.example/ns/edge/sa/gateway\" };\n";
    fs::write(desk.tenancy.join("policies/gateway.cedar"), policy).unwrap();
    let by = |who: &str| format!("{{ tenant: acme, roles: [warehouse], caller: \"spiffe://mesh.example/ns/{who}\" }}");
    when(&by("acme/sa/robot"), "events:consume orders", allow).succeeds();
    let forbidden = "{ decision: deny, reason: policy_denied, policy: no-gateway }";
    when(&by("edge/sa/gateway"), "events:consume orders", forbidden).succeeds();
    // What is denied is no pass of any test.
    when(&of("initech"), "events:consume telemetry", allow).ends_with(1).says("deny, reason resource_unmapped");
    when(&of("acme"), "events:eat orders", allow).ends_with(3).says("`events:consume`");
    when("{ host: acme.shop.example }", "events:consume orders", allow).ends_with(3).says("`given` names no tenant");
}

/// As the proxy asks: decisions/0022.
#[test]
fn whoever_shares_a_topic_is_asked_too() {
    let desk = desk("events-sharer");
    let prices = "      - { topic: prices, dataset: order-figures, purpose: analytics, \
                  shared: { topic: acme.prices, owner: acme, readers: [globex] } }\n";
    let text = fs::read_to_string(desk.tenancy.join("events.yaml")).unwrap();
    fs::write(desk.tenancy.join("events.yaml"), text + prices).unwrap();
    desk.edit("datasets.yaml", "    purposes: [analytics]\n", "    consent: [analytics]\n");
    desk.edit("tenants/globex.yaml", "tier: silver\n", "tier: silver\nconsents: [analytics]\n");
    // Those of the sample take it that nobody has to consent.
    fs::remove_dir_all(desk.tenancy.join("cases")).unwrap();
    fs::create_dir(desk.tenancy.join("cases")).unwrap();
    let asked = |role: &str, topic: &str| {
        let ask = ["--role", role, "--service", "shop-events", "--json", "KAFKA"];
        let ask = [&["explain", path(&desk.tenancy), "--tenant", "globex"][..], &ask, &[topic]].concat();
        partywall(&ask).json()
    };
    let played = |then: &str| {
        let case = format!(
            "{{ name: x, given: {{ tenant: globex, roles: [warehouse] }}, \
             when: {{ cluster: shop-events, kafka: 'events:consume prices' }}, then: {then} }}"
        );
        fs::write(desk.tenancy.join("cases/kafka.yaml"), format!("cases: [{case}]")).unwrap();
        partywall(&["test", path(&desk.tenancy)]).succeeds();
    };
    let read = asked("warehouse", "events:consume prices");
    assert_eq!(read["decision"], "allow", "{read:#}");
    assert!(read["facts"]["shared by"].as_str().unwrap().starts_with("acme;"), "{read:#}");
    played("{ decision: allow, policy: warehouse-sees-orders }");
    // Of the tenant's own nobody else is asked.
    let own = asked("warehouse", "events:consume orders");
    assert_eq!((&own["decision"], &own["facts"]["shared by"]), (&"allow".into(), &Value::Null), "{own:#}");

    desk.edit("tenants/acme.yaml", "consents: [analytics]", "consents: []");
    assert_eq!(asked("warehouse", "events:consume prices")["reason"], "consent");
    assert_eq!(asked("warehouse", "events:consume orders")["decision"], "allow");
    played("{ decision: deny, reason: consent }");

    desk.edit("tenants/acme.yaml", "status: active", "status: suspended");
    let suspended = asked("warehouse", "events:consume prices");
    assert_eq!(suspended["reason"], "resource_foreign", "{suspended:#}");
    assert!(suspended["detail"].as_str().unwrap().contains("`acme.prices`"), "{suspended:#}");
    played("{ decision: deny, reason: resource_foreign }");

    // A mode lets through what the tenant may not do with its own, and never that.
    desk.edit("tenants/acme.yaml", "status: suspended", "status: active");
    desk.edit("tenants/acme.yaml", "consents: []", "consents: [analytics]");
    desk.edit("mesh.yaml", "\nmesh: ", "\nmode: shadow\nmesh: ");
    let (own, shared) = (asked("guest", "events:consume orders"), asked("guest", "events:consume prices"));
    assert_eq!((&own["decision"], &own["shadow"]), (&"allow".into(), &"policy_denied".into()), "{own:#}");
    assert_eq!((&shared["decision"], &shared["reason"]), (&"deny".into(), &"policy_denied".into()), "{shared:#}");
}

#[test]
fn what_is_done_to_topics_is_compared_where_both_know_the_clusters() {
    let desk = desk("events-diff");
    desk.compile(&[]).succeeds();
    let diff = |old: &Path, new: &Path| partywall(&["diff", path(old), path(new)]);
    // The slice of workloads knows of no cluster: no topic was gained.
    let workload = desk.out.join("tenancy.workload.bundle");
    let ran = diff(&workload, &desk.tenancy).ends_with(0).says("nobody gains or loses anything");
    ran.says("sampled: topics of shop-events were not asked about: not both have the slice for events");
    diff(&desk.out, &desk.tenancy).ends_with(0);
    desk.edit("policies/events.cedar", "Role::\"warehouse\"", "Role::\"archive\"");
    desk.compile(&[]).succeeds();
    let (first, second) = (desk.out.join("history/1"), desk.out.join("history/2"));
    let ran = diff(&first, &second).ends_with(1).says("loses events:consume on Topic at shop-events");
    assert!(!ran.stdout().contains("not both have"), "{}", ran.stdout());
}

#[test]
fn a_difference_that_a_client_of_kafka_makes_is_told() {
    let desk = desk("events-diff-client");
    let before = folder("events-diff-client-before");
    support::copy(&desk.tenancy, &before);
    // No service lists it among its callers.
    let client = "spiffe://mesh.example/ns/shop/sa/orders-acme";
    let policy = format!(
        "@id(\"no-client\") forbid (principal, action == Action::\"events:consume\", resource)\n\
         when {{ context.caller == Workload::\"{client}\" }};\n"
    );
    fs::write(desk.tenancy.join("policies/client.cedar"), policy).unwrap();
    partywall(&["diff", path(&before), path(&desk.tenancy)])
        .ends_with(1)
        .says(&format!("loses events:consume on Topic at shop-events called by {client} "))
        .says("sampled: clients of Kafka that neither policies nor services name were not asked about");
}

#[test]
fn policies_lose_the_word_where_the_data_may_not_be() {
    let desk = desk("events-residency");
    desk.edit("datasets.yaml", "    purposes: [analytics]\n", "    purposes: [analytics]\n    residency: tenant\n");
    let asked = |tenant: &str| {
        let ask = ["--role", "warehouse", "--service", "shop-events", "--json", "KAFKA", "events:consume orders"];
        partywall(&[&["explain", path(&desk.tenancy), "--tenant", tenant][..], &ask].concat()).json()
    };
    // The cluster keeps data in eu, and globex is of us.
    assert_eq!(asked("acme")["decision"], "allow");
    assert_eq!(asked("globex")["reason"], "residency");
}

#[test]
fn the_brokers_proxy_is_in_no_cell() {
    let desk = desk("events-cell");
    desk.edit("profiles/gold.yaml", "# cell: eu-1", "cell: eu-1");
    desk.edit("mesh.yaml", "cells: [{", "cells: [{ cell: eu-2, region: eu }, {");
    let in_other_cell = |rest: &[&str]| {
        let ask =
            ["explain", path(&desk.tenancy), "--tenant", "acme", "--role", "warehouse", "--cell", "eu-2", "--json"];
        partywall(&[&ask[..], rest].concat()).json()
    };
    let order = in_other_cell(&["--service", "orders", "GET", "/orders/7"]);
    assert_eq!(order["reason"], "cell_foreign", "{order:#}");
    let topic = in_other_cell(&["--service", "shop-events", "KAFKA", "events:consume orders"]);
    assert_eq!(topic["decision"], "allow", "{topic:#}");
}

#[test]
fn clusters_are_told_in_words() {
    let desk = desk("events-words");
    desk.compile(&[]).succeeds();
    let file = desk.out.join("tenancy.events.bundle");
    let told = partywall(&["inspect", path(&file)]).succeeds();
    for words in [
        "the proxy is spiffe://mesh.example/ns/events/sa/kafka-proxy",
        "names of initech behind legacy.",
        "brokers each at b{id}.kafka.example:9093",
        "tenants make topics: up to 12 partitions, 1 to 3 replicas, retention up to 604800 s, up to 100 of them, cleanup.policy",
        "topic * is the tenant's own",
        "topic orders is the tenant's own, dataset order-figures, confidential, for analytics",
        "topic audit-* is DENIED to everyone",
        "topic telemetry is partitions of telemetry-all of the broker: acme 0-3, globex 4-11",
        "topic rates is reference.rates of the broker, read by all tenants",
        "WHO HAS PARTITIONS OF A TOPIC is offered groups of the classic protocol alone",
    ] {
        assert!(told.stdout().contains(words), "{words}\n{}", told.stdout());
    }
    let before = folder("events-before");
    support::copy(&desk.out, &before);
    desk.edit("events.yaml", "globex: 4-11", "globex: 4-12");
    desk.edit("events.yaml", "region: eu ", "region: us ");
    desk.compile(&[]).succeeds();
    let differ = partywall(&["diff", path(&before), path(&desk.out)]).ends_with(1);
    for words in [
        "added topic shop-events: topic telemetry is partitions of telemetry-all of the broker: acme 0-3, globex 4-12",
        "removed topic shop-events: topic telemetry is partitions of telemetry-all of the broker: acme 0-3, globex 4-11",
        "changed cluster shop-events\n    region: eu -> us",
    ] {
        assert!(differ.stdout().contains(words), "{words}\n{}", differ.stdout());
    }
}

#[test]
fn a_way_back_says_what_counts_again() {
    let desk = desk("events-rollback");
    desk.compile(&[]).succeeds();
    desk.edit("events.yaml", "globex: 4-11", "globex: 5-11");
    desk.edit("events.yaml", "      - token\n", "");
    desk.compile(&[]).succeeds();
    let back = ["rollback", "1", "--dir", path(&desk.out), "--keys", path(&desk.keys), "--json", "--dry-run"];
    let again = partywall(&back).succeeds().json()["events_again"].clone();
    let said: Vec<&str> = again.as_array().unwrap().iter().map(|one| one["says"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        [
            "a tenant by token of an issuer (SASL OAUTHBEARER)",
            "topic telemetry is partitions of telemetry-all of the broker: globex 4-11",
        ]
    );
    partywall(&back[..6]).succeeds().says("this counts again at clusters of Kafka:\n  shop-events: a tenant by token");
}

#[test]
fn what_comes_back_is_told_wherever_it_stands_in_a_list() {
    let desk = desk("events-rollback-many");
    let more: Vec<String> = (10..40).map(|n| format!("t-{n}: {}-{}", 2 * n, 2 * n + 1)).collect();
    for n in 10..40 {
        let record = format!("tenant: t-{n}\ntier: gold\nresidency: eu\nstatus: active\n");
        fs::write(desk.tenancy.join(format!("tenants/t-{n}.yaml")), record).unwrap();
    }
    desk.edit("events.yaml", "globex: 4-11", &format!("globex: 4-11, {}", more.join(", ")));
    desk.compile(&[]).succeeds();
    let words = "topic telemetry is partitions of telemetry-all of the broker:";
    let file = desk.out.join("tenancy.events.bundle");
    let told = partywall(&["inspect", path(&file)]).succeeds();
    told.says(&format!("{words} acme 0-3, globex 4-11, t-10 20-21")).says("t-27 54-55 and 12 more\n");

    let again = || {
        let back = ["rollback", "1", "--dir", path(&desk.out), "--keys", path(&desk.keys), "--json", "--dry-run"];
        let again = partywall(&back).succeeds().json()["events_again"].clone();
        again.as_array().unwrap().iter().map(|one| one["says"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    desk.edit("events.yaml", "t-39: 78-79", "t-39: 79-79");
    desk.compile(&[]).succeeds();
    assert_eq!(again(), [format!("{words} t-39 78-79")]);
    // Of many, JSON has all.
    desk.edit("events.yaml", &more[..29].join(", "), "t-10: 20-20");
    desk.compile(&[]).succeeds();
    assert_eq!(again(), [format!("{words} {}", more.join(", ").replace(": ", " "))]);
    let back = ["rollback", "1", "--dir", path(&desk.out), "--keys", path(&desk.keys)];
    partywall(&back).succeeds().says("t-29 58-59 and 10 more\n");
}

#[test]
fn a_tenant_whose_id_is_a_prefix_is_refused() {
    let desk = desk("events-new-tenant");
    let record = "tenant: legacy\ntier: gold\nresidency: eu\nstatus: active\n";
    fs::write(desk.tenancy.join("tenants/legacy.yaml"), record).unwrap();
    partywall(&["check", path(&desk.tenancy)])
        .ends_with(3)
        .says("prefix `legacy.` of tenant `initech` begins as the one of tenant `legacy`");
}

#[test]
fn a_prefix_that_changes_takes_a_tenants_topics_away() {
    let desk = desk("events-against");
    let before = folder("events-against-before");
    support::copy(&desk.tenancy, &before);
    desk.edit("events.yaml", "prefixes: {", "prefixes: { globex: \"g.\",");
    let check =
        |more: &[&str]| partywall(&[&["check", path(&desk.tenancy), "--against", path(&before)][..], more].concat());
    check(&[])
        .ends_with(1)
        .says("names of `globex` at `shop-events` stood behind `globex.`, and stand behind `g.` now");
    check(&["--allow-breaking"]).succeeds();
    desk.edit("events.yaml", "globex: \"g.\",", "");
    check(&[]).succeeds();
}

/// What the tools of Kafka were called with, by a tool that only says so.
fn ran(desk: &Desk, rendered: &Path, script: &str, principals: &str) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let tools = desk.out.join("tools");
    fs::create_dir_all(&tools).unwrap();
    for tool in ["kafka-acls.sh", "kafka-configs.sh"] {
        fs::write(tools.join(tool), "#!/bin/sh\ncat > /dev/null\necho \"$@\"\n").unwrap();
        fs::set_permissions(tools.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let list = desk.out.join("principals.txt");
    fs::write(&list, principals).unwrap();
    let output = std::process::Command::new(rendered.join(script))
        .env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()))
        .envs([("BOOTSTRAP", "b:9092"), ("COMMAND_CONFIG", "a.properties"), ("PRODUCE", "10"), ("CONSUME", "20")])
        .stdin(fs::File::open(list).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn rendered(desk: &Desk) -> PathBuf {
    let out = desk.out.join("kafka");
    partywall(&["render", "kafka", path(&desk.tenancy), "--cluster", "shop-events", "--out", path(&out)]).succeeds();
    out
}

#[test]
fn the_way_around_the_proxy_is_closed() {
    let desk = desk("events-render");
    let out = rendered(&desk);
    let principals = fs::read_to_string(out.join("kafka-principals.txt")).unwrap();
    assert!(principals.contains("# acme User:acme.orders"), "{principals}");
    let ran_acls = ran(&desk, &out, "kafka-acls.sh", "# x\n\nacme User:acme.orders\ninitech User:initech.a b\n");
    let acl = |principal: &str, rest: &str| {
        format!("--bootstrap-server b:9092 --command-config a.properties --add --allow-principal {principal} {rest}")
    };
    let own = "--operation Read --operation Write --operation Describe --operation DescribeConfigs --operation Create --operation Delete --operation Alter --operation AlterConfigs";
    let part = "--operation Read --operation Write --operation Describe --topic telemetry-all";
    let group = "--operation Read --operation Describe --operation Delete --group";
    let shared = "--operation Read --operation Describe --topic reference.rates";
    let prefixed = "--resource-pattern-type prefixed";
    let (acme, initech) = ("User:acme.orders", "User:initech.a b");
    assert_eq!(
        ran_acls,
        [
            acl(acme, &format!("{own} --topic acme. {prefixed}")),
            acl(acme, &format!("{group} acme. {prefixed}")),
            acl(acme, &format!("--operation Write --operation Describe --transactional-id acme. {prefixed}")),
            acl(acme, shared),
            acl(acme, part),
            acl(initech, &format!("{own} --topic legacy. {prefixed}")),
            acl(initech, &format!("{group} legacy. {prefixed}")),
            acl(initech, &format!("--operation Write --operation Describe --transactional-id legacy. {prefixed}")),
            acl(initech, shared),
        ]
    );
    let quotas = ran(&desk, &out, "kafka-quotas.sh", "acme User:acme.orders\n");
    let rates = "--bootstrap-server b:9092 --command-config a.properties --alter --add-config producer_byte_rate=10,consumer_byte_rate=20";
    assert_eq!(
        quotas,
        [
            format!("{rates} --entity-type clients --entity-default"),
            format!("{rates} --entity-type users --entity-name acme.orders"),
        ]
    );
    let policy: Value = serde_saphyr::from_str(&fs::read_to_string(out.join("network-policy.yaml")).unwrap()).unwrap();
    let from = &policy["spec"]["ingress"][0]["from"][0];
    assert_eq!(from["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "events");
    assert_eq!(from["podSelector"]["matchLabels"]["app"], "kafka-proxy");
    assert_eq!(policy["metadata"]["namespace"], "kafka");
    // Where each tenant has one user, all of them are known.
    desk.edit("events.yaml", "{tenant}.{user}", "{tenant}");
    let principals = fs::read_to_string(rendered(&desk).join("kafka-principals.txt")).unwrap();
    assert!(principals.ends_with("acme User:acme\nglobex User:globex\ninitech User:initech\n"), "{principals}");
    partywall(&["render", "kafka", path(&desk.tenancy), "--cluster", "shop"])
        .ends_with(3)
        .says("there are shop-events");
}

#[test]
fn a_mesh_is_rendered_without_its_clusters_of_kafka() {
    let desk = desk("events-istio");
    desk.edit("events.yaml", "ns/events/sa/kafka-proxy", "ns/shop/sa/kafka-proxy");
    let deployment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy-config/deployment.yaml");
    let asked =
        ["--namespace", "shop", "--module", "oci://registry.example/partywall:1", "--deployment", path(&deployment)];
    let told = partywall(&[&["render", "istio", path(&desk.tenancy)][..], &asked].concat()).succeeds();
    assert!(told.stdout().contains("orders") && !told.stdout().contains("kafka"), "{}", told.stdout());
}
