//! Role outbound where a request passes the filter more than once: in Envoy's upstream filter chain, where each
//! retry is a pass, and after an internal redirect. Each pass asks again, with what the app brought at first.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::thread;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::viewer;
use partywall_integration::mesh::unique;
use partywall_integration::ports::local;
use partywall_integration::raw::{Request, Response};
use partywall_integration::services::{App, headers};
use partywall_integration::variant::{Running, Variant};

/// The filter in the cluster's chain: the router runs it once per try.
static UPSTREAM: LazyLock<Running> = LazyLock::new(|| start("upstream-chain", true));
/// The filter in the listener's chain, where an internal redirect is a second pass.
static LISTENER: LazyLock<Running> = LazyLock::new(|| start("listener-chain", false));

fn start(name: &str, upstream: bool) -> Running {
    let mut variant = Variant::prepare(name, &["edge", "invoices", "orders"]).unwrap();
    variant.sign_also(&["invoices-1=invoices"]).unwrap();
    let signer = "\n  - id: invoices-1\n    workload: spiffe://mesh.example/ns/shop/sa/invoices\n    \
                  tenants: [globex]\n\n# Who issues JWTs";
    variant.replace("mesh.yaml", "\n# Who issues JWTs", signer).unwrap();
    variant.append("services/invoices.yaml", "\nact_for: [globex]\n").unwrap();
    let policy = "\n@id(\"invoices-for-globex\")\npermit (\n    principal == \
                  User::\"globex/spiffe://mesh.example/ns/shop/sa/invoices\",\n    action == \
                  Action::\"orders:read\",\n    resource\n);\n";
    variant.append("policies/readers.cedar", policy).unwrap();
    let env = "PARTYWALL_FINGERPRINT, PARTYWALL_SHARED_STATE]";
    variant.envoy("invoices", env, &env.replace(']', ", PARTYWALL_CONTEXT_SIGNING]")).unwrap();
    let secrets = "{ fingerprint: PARTYWALL_FINGERPRINT, shared_state: PARTYWALL_SHARED_STATE, \
                   context_signing: PARTYWALL_CONTEXT_SIGNING }";
    variant.envoy("invoices", "secrets: *secrets", &format!("secrets: {secrets}")).unwrap();
    let again = "route: { cluster: orders, timeout: 15s, retry_policy: { retry_on: 5xx, num_retries: 3 }, \
                 internal_redirect_policy: { max_internal_redirects: 1, redirect_response_codes: [302] } }";
    variant.envoy("invoices", "route: { cluster: orders, timeout: 15s }", again).unwrap();
    if upstream {
        variant.into_upstream_chain("invoices", "outbound", "orders").unwrap();
    }
    let listener = TcpListener::bind(local(variant.site.ports.orders_app)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || moody_app(stream));
        }
    });
    let running = variant.start(&[App::Invoices]).unwrap();
    let hops = if upstream { &[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound][..] } else { &Hop::ALL };
    running.wait_for_policy(hops).unwrap();
    running
}

/// What reached `orders`: path, tenant, root, everything.
static REACHED: Mutex<Vec<(String, String, String, String)>> = Mutex::new(Vec::new());

/// Answers 503 to the first two tries for an order whose name holds `flaky`, and sends a `moved` one elsewhere.
fn moody_app(mut stream: TcpStream) -> Option<()> {
    loop {
        let mut got = Vec::new();
        while !got.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            got.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&got).into_owned();
        let header = |name: &str| {
            let found = head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name);
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let path = head.split(' ').nth(1)?.to_owned();
        let tries = {
            let mut all = REACHED.lock().ok()?;
            all.push((path.clone(), header("x-partywall-tenant"), header("x-partywall-context"), head.clone()));
            all.iter().filter(|(p, ..)| *p == path).count()
        };
        let answer = if path.contains("flaky") && tries <= 2 {
            "HTTP/1.1 503 Service Unavailable\r\n".to_owned()
        } else if path.contains("moved") {
            format!("HTTP/1.1 302 Found\r\nlocation: http://orders{}\r\n", path.replace("moved", "there"))
        } else {
            "HTTP/1.1 200 OK\r\n".to_owned()
        };
        write!(stream, "{answer}content-length: 2\r\n\r\n{{}}").ok()?;
    }
}

fn reached(path: &str) -> Vec<(String, String, String)> {
    let all = REACHED.lock().unwrap();
    let found = all.iter().filter(|(p, ..)| p == path);
    found.map(|(_, tenant, root, head)| (tenant.clone(), root.clone(), head.clone())).collect()
}

fn client(mesh: &Running, path: &str) -> Response {
    let token = mesh.site.issuers.token(&viewer(Acme, "acme"), &unique()).unwrap();
    let request =
        Request::get(path).header("host", "acme.shop.example").header("authorization", format!("Bearer {token}"));
    mesh.send(Hop::Edge, Workload::Edge, &request).unwrap()
}

/// A call of the app `invoices` through its sidecar, with the exact reason.
fn call(mesh: &Running, id: &str, more: &[(&str, &str)]) -> (u16, String) {
    mesh.call(id, more).unwrap()
}

/// Every pass was for `tenant`, with the root of the first one, and no handle went along.
fn same_each_time(path: &str, tenant: &str, tries: usize) {
    let reached = reached(path);
    assert_eq!(reached.len(), tries, "{path}: {reached:?}");
    for (told, root, head) in &reached {
        assert_eq!((told.as_str(), root), (tenant, &reached[0].1), "{path}");
        assert!(!root.is_empty());
        let state = head.lines().find(|line| line.starts_with("tracestate:")).unwrap_or_default();
        // `orders` has a handle of its own, put there by its own sidecar.
        assert!(state.matches("pw=").count() <= 1, "{state}");
        assert_eq!(head.matches("x-partywall-context:").count(), 1, "set and not appended");
    }
}

#[test]
fn each_try_in_the_upstream_chain_has_the_same_root() {
    let mark = format!("flaky{}", unique());
    assert_eq!(client(&UPSTREAM, &format!("/invoices/{mark}")).status, 200);
    same_each_time(&format!("/orders/{mark}"), "acme", 3);
}

#[test]
fn each_try_of_work_for_a_named_tenant_is_for_that_tenant() {
    for mesh in [&*UPSTREAM, &*LISTENER] {
        let mark = format!("flaky{}", unique());
        assert_eq!(call(mesh, &mark, &[("x-partywall-act-for", "globex")]).0, 200);
        same_each_time(&format!("/orders/{mark}"), "globex", 3);
    }
}

#[test]
fn a_redirect_inside_envoy_is_for_the_same_tenant() {
    for mesh in [&*UPSTREAM, &*LISTENER] {
        let mark = format!("moved{}", unique());
        assert_eq!(client(mesh, &format!("/invoices/{mark}")).status, 200);
        let first = reached(&format!("/orders/{mark}"));
        let path = format!("/orders/{}", mark.replace("moved", "there"));
        same_each_time(&path, "acme", 1);
        assert_eq!(first[0].1, reached(&path)[0].1);
        let mark = format!("moved{}", unique());
        assert_eq!(call(mesh, &mark, &[("x-partywall-act-for", "globex")]).0, 200);
        same_each_time(&format!("/orders/{}", mark.replace("moved", "there")), "globex", 1);
    }
}

#[test]
fn the_upstream_chain_denies_as_the_listeners_does() {
    for mesh in [&*UPSTREAM, &*LISTENER] {
        let mark = unique();
        assert_eq!(call(mesh, &mark, &[]), (403, "context_no_request".into()));
        assert_eq!(call(mesh, &mark, &[("x-partywall-act-for", "acme")]), (403, "act_for_denied".into()));
        assert_eq!(call(mesh, &mark, &[("x-partywall-act-for", "No!")]), (400, "tenant_invalid".into()));
        // The context of a request is not carried over to another request of the same connection.
        assert!(reached(&format!("/orders/{mark}")).is_empty());
    }
}

#[test]
fn a_root_that_the_app_sends_counts_for_nothing_on_any_pass() {
    for mesh in [&*UPSTREAM, &*LISTENER] {
        let mark = unique();
        assert_eq!(client(mesh, &format!("/invoices/{mark}")).status, 200);
        let seen = mesh.seen_of(App::Invoices, &mark).unwrap().pop().unwrap();
        let root = headers(&seen, "x-partywall-context").pop().unwrap();
        let traceparent = headers(&seen, "traceparent").pop().unwrap();
        let again = format!("flaky{}", unique());
        let stolen = [("x-partywall-context", root.as_str()), ("traceparent", traceparent.as_str())];
        assert_eq!(call(mesh, &again, &stolen), (403, "context_no_request".into()));
        assert!(reached(&format!("/orders/{again}")).is_empty());
    }
}
