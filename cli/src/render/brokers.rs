//! What an operator runs once for a cluster of Kafka: ACLs, quotas, and who may reach the brokers.
//!
//! Names are letters, digits, `.`, `_` and `-`, so that they stand in a shell as they are.

use partywall_tenancy::{EventCluster, EventIdentity, Placed, Tenant, TenantId, TenantScope, UserForm};

use crate::clusters::Prefixes;

/// Where brokers run, in Kubernetes.
pub(crate) struct Brokers<'o> {
    /// Their namespace.
    pub(crate) namespace: &'o str,
    /// Their label `app`.
    pub(crate) app: &'o str,
    /// The port that the proxy connects to.
    pub(crate) port: u16,
}

/// Where the proxy runs: its namespace and its service account, which is its label `app`.
pub(crate) struct Proxy<'o> {
    /// Its namespace.
    pub(crate) namespace: &'o str,
    /// Its service account.
    pub(crate) account: &'o str,
}

/// The files, with their names.
pub(crate) fn files(
    cluster: &EventCluster,
    tenants: &[Tenant],
    proxy: &Proxy<'_>,
    brokers: &Brokers<'_>,
) -> [(&'static str, String); 4] {
    [
        ("kafka-principals.txt", principals(cluster, tenants)),
        ("kafka-acls.sh", acls(cluster, tenants)),
        ("kafka-quotas.sh", quotas(cluster)),
        ("network-policy.yaml", network_policy(cluster, proxy, brokers)),
    ]
}

/// The form of users' names, if users show tenants.
fn user(cluster: &EventCluster) -> Option<&str> {
    cluster.identity.iter().find_map(|way| match way {
        EventIdentity::User { template } => Some(template.as_str()),
        _ => None,
    })
}

/// The principals that brokers know, each with its tenant.
fn principals(cluster: &EventCluster, tenants: &[Tenant]) -> String {
    let mut text = format!(
        "# Principals of the brokers of `{}`, one a line: the tenant, a blank, and the principal. Both scripts read it:\n\
         #   ./kafka-acls.sh < kafka-principals.txt\n",
        cluster.name
    );
    match user(cluster) {
        Some(template) if UserForm::parse(template) == Some(UserForm::Whole) => {
            text += "# Written by `partywall render kafka`: each tenant's user of SASL is called as the tenant.\n";
            tenants.iter().for_each(|tenant| text += &format!("{0} User:{0}\n", tenant.id));
        }
        Some(template) => {
            let example = template.replace("{tenant}", "acme").replace("{user}", "orders");
            text += &format!(
                "# Users of SASL are called `{template}`, and only the brokers know them all: list them here, as\n# acme User:{example}\n"
            );
        }
        None => {
            text += "# No user of SASL shows a tenant here, so that brokers know the proxy alone: list nobody, and let the proxy do all.\n";
        }
    }
    text
}

const HEAD: &str = "#!/bin/sh\n# Written by `partywall render kafka` from events.yaml: change that, not this.\n";
const ASKED: &str = "set -eu\n: \"${BOOTSTRAP:?the host and port of a broker}\"\n: \"${COMMAND_CONFIG:?the file of properties of an administrator}\"\n";

fn acls(cluster: &EventCluster, tenants: &[Tenant]) -> String {
    let mut text = format!(
        "{HEAD}# ACLs of `{}`: the names behind a tenant's prefix are for its principals alone, and what is shared or parted for\n\
         # those who have it. Without the proxy they reach no other tenant's names; what rules deny, `new_topics` bounds and\n\
         # policies decide is the proxy's alone. Brokers need `allow.everyone.if.no.acl.found=false`.\n\
         # Of a topic that tenants have in parts, ACLs cannot tell the partitions: only the proxy does.\n\
         # PROXY, if set, is the principal of the proxy, for connections that it makes by its own name: it may do all of it.\n{ASKED}",
        cluster.name
    );
    text += "allow() { kafka-acls.sh --bootstrap-server \"$BOOTSTRAP\" --command-config \"$COMMAND_CONFIG\" --add \"$@\" < /dev/null; }\n\n";
    text += "# What stands before the names of a tenant.\nprefix() {\n  case \"$1\" in\n";
    let prefixes = Prefixes::of_cluster(cluster);
    for tenant in tenants {
        text += &format!("    {}) echo {} ;;\n", tenant.id, prefixes.of(&tenant.id));
    }
    text += "    *) echo \"there is no tenant $1\" >&2; return 1 ;;\n  esac\n}\n\n";
    text += "# Topics that are not behind the prefix: of the tenant $1, for the principal $2.\nothers() {\n";
    let mut some = false;
    for rule in &cluster.topics {
        let (topic, operations, whose) = match &rule.placed {
            Placed::Shared { topic, readers } => (topic, READ, cases(readers)),
            Placed::Partitions { topic, ranges } => {
                let tenants = ranges.iter().map(|range| range.tenant.clone()).collect();
                (topic, PART, cases(&TenantScope::Only(tenants)))
            }
            Placed::Own | Placed::Denied => continue,
        };
        some = true;
        text +=
            &format!("  case \"$1\" in {whose}) allow --allow-principal \"$2\" {operations} --topic {topic} ;; esac\n");
    }
    text += if some { "}\n\n" } else { "  :\n}\n\n" };
    let topics = if cluster.new_topics.allowed { MAKE } else { USE };
    text += &format!(
        "principal() {{\n  its=$(prefix \"$1\")\n  allow --allow-principal \"$2\" {topics} --topic \"$its\" --resource-pattern-type prefixed\n  \
         allow --allow-principal \"$2\" {GROUP} --group \"$its\" --resource-pattern-type prefixed\n  \
         allow --allow-principal \"$2\" {TRANSACTION} --transactional-id \"$its\" --resource-pattern-type prefixed\n  \
         others \"$1\" \"$2\"\n}}\n\n"
    );
    text += "if [ -n \"${PROXY:-}\" ]; then\n  allow --allow-principal \"$PROXY\" --operation All --topic '*' --group '*' --transactional-id '*'\n  \
             allow --allow-principal \"$PROXY\" --operation Describe --cluster\nfi\n\n";
    text + &each_principal("principal \"$tenant\" \"$principal\"")
}

const READ: &str = "--operation Read --operation Describe";
const PART: &str = "--operation Read --operation Write --operation Describe";
const USE: &str = "--operation Read --operation Write --operation Describe --operation DescribeConfigs";
const MAKE: &str = "--operation Read --operation Write --operation Describe --operation DescribeConfigs --operation Create --operation Delete --operation Alter --operation AlterConfigs";
const GROUP: &str = "--operation Read --operation Describe --operation Delete";
const TRANSACTION: &str = "--operation Write --operation Describe";

/// A loop over the lines of standard input, of which the tools read nothing.
fn each_principal(command: &str) -> String {
    format!("while read -r tenant principal; do\n  case \"$tenant\" in ''|'#'*) continue ;; esac\n  {command}\ndone\n")
}

/// A pattern of `case`.
fn cases(scope: &TenantScope) -> String {
    match scope {
        TenantScope::All => "*".to_owned(),
        TenantScope::Only(list) => list.iter().map(TenantId::as_str).collect::<Vec<_>>().join("|"),
    }
}

fn quotas(cluster: &EventCluster) -> String {
    let mut text = format!(
        "{HEAD}# Quotas of `{}`. Kafka has them for a user, a client id or the default of either, and none for a beginning: so each\n\
         # client id gets one, in which the proxy wrote its tenant's prefix, and each user that shows a tenant gets one that all of\n\
         # its client ids share. Bytes are those of a second, at each broker.\n{ASKED}",
        cluster.name
    );
    text += ": \"${PRODUCE:?bytes that a client may write in a second}\"\n: \"${CONSUME:?bytes that it may read}\"\n";
    text += "rates=\"producer_byte_rate=$PRODUCE,consumer_byte_rate=$CONSUME\"\n";
    text += "quota() { kafka-configs.sh --bootstrap-server \"$BOOTSTRAP\" --command-config \"$COMMAND_CONFIG\" --alter --add-config \"$rates\" \"$@\" < /dev/null; }\n\n";
    text += "quota --entity-type clients --entity-default\n\n";
    text + &each_principal("quota --entity-type users --entity-name \"${principal#User:}\"")
}

fn network_policy(cluster: &EventCluster, proxy: &Proxy<'_>, brokers: &Brokers<'_>) -> String {
    let (name, Brokers { namespace, app, port }) = (&cluster.name, brokers);
    let Proxy { namespace: of_proxy, account } = proxy;
    format!(
        "# Written by `partywall render kafka` from events.yaml: change that, not this.\n\
         # Nobody but the proxy of `{name}` reaches its brokers, but for brokers and controllers themselves.\n\
         apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}-brokers\n  namespace: {namespace}\nspec:\n  \
         podSelector: {{ matchLabels: {{ app: {app} }} }}\n  policyTypes: [Ingress]\n  ingress:\n    - from:\n        - \
         namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {of_proxy} }} }}\n          \
         podSelector: {{ matchLabels: {{ app: {account} }} }}\n      ports: [{{ protocol: TCP, port: {port} }}]\n    - from:\n        - \
         podSelector: {{ matchLabels: {{ app: {app} }} }}\n"
    )
}
