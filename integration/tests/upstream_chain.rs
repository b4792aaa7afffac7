//! Role outbound where a request passes the filter more than once: in Envoy's upstream filter chain, where each
//! retry is a pass, and after an internal redirect. Each pass asks again, with what the app brought at first.

use std::path::Path;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use partywall_integration::access_log::Hop;
use partywall_integration::acting::acting;
use partywall_integration::audit::{self, gaps};
use partywall_integration::mesh::unique;
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::stand_in::{Says, Seen, StandIn};
use partywall_integration::variant::Variant;

struct Shop {
    mesh: Running,
    /// The app behind the called sidecar.
    orders: StandIn,
}

/// The filter in the cluster's chain: the router runs it once per try.
static UPSTREAM: LazyLock<Shop> = LazyLock::new(|| start("upstream-chain", true));
/// The filter in the listener's chain, where an internal redirect is a second pass.
static LISTENER: LazyLock<Shop> = LazyLock::new(|| start("listener-chain", false));

/// Longer than it takes to tell of what is open.
const SLOW: Duration = Duration::from_secs(9);

fn start(name: &str, upstream: bool) -> Shop {
    let mut variant = Variant::prepare(name, &["edge", "invoices", "orders"]).unwrap();
    acting(&mut variant, &["globex"], "\nact_for: [globex]\n").unwrap();
    let again = "route: { cluster: orders, timeout: 15s, retry_policy: { retry_on: 5xx, num_retries: 3 }, \
                 internal_redirect_policy: { max_internal_redirects: 1, redirect_response_codes: [302] } }";
    variant.envoy("invoices", "route: { cluster: orders, timeout: 15s }", again).unwrap();
    if upstream {
        variant.into_upstream_chain("invoices", "outbound", "orders").unwrap();
    }
    let orders = StandIn::start(variant.site.ports.orders_app, moody).unwrap();
    let mesh = variant.start(&[App::Invoices]).unwrap();
    let hops = if upstream { &[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound][..] } else { &Hop::ALL };
    mesh.wait_for_policy(hops).unwrap();
    Shop { mesh, orders }
}

/// Answers 503 to the first two tries for an order whose name holds `flaky`, the third one late where it holds `slow` as well,
/// and sends a `moved` one elsewhere.
fn moody(seen: &Seen, before: usize) -> Says {
    if seen.path.contains("slow") && before == 2 {
        thread::sleep(SLOW);
    }
    if seen.path.contains("flaky") && before < 2 {
        return Says(503, Vec::new());
    }
    if seen.path.contains("moved") {
        let there = format!("http://orders{}", seen.path.replace("moved", "there"));
        return Says(302, vec![("location", there)]);
    }
    Says(200, Vec::new())
}

impl Shop {
    fn client(&self, path: &str) -> u16 {
        self.mesh.client("acme", path).unwrap().status
    }

    /// A call of the app `invoices` through its sidecar, with the exact reason.
    fn call(&self, id: &str, more: &[(&str, &str)]) -> (u16, String) {
        self.mesh.call(id, more).unwrap()
    }

    /// Every try for this order was for `tenant`, with one root, and no handle went along.
    fn same_each_time(&self, id: &str, tenant: &str, tries: usize) -> String {
        let seen = self.orders.seen(id);
        assert_eq!(seen.len(), tries, "{id}: {seen:?}");
        let root = seen[0].all("x-partywall-context");
        for one in &seen {
            assert_eq!(one.all("x-partywall-tenant"), [tenant], "{id}");
            assert_eq!(one.all("x-partywall-context"), root, "set once, and not appended");
            // `orders` has a handle of its own, put there by its own sidecar.
            assert!(one.all("tracestate").join(",").matches("pw=").count() <= 1, "{one:?}");
        }
        assert_eq!(root.len(), 1);
        root.concat()
    }
}

#[test]
fn each_try_in_the_upstream_chain_has_the_same_root() {
    let mark = format!("flaky{}", unique());
    assert_eq!(UPSTREAM.client(&format!("/invoices/{mark}")), 200);
    UPSTREAM.same_each_time(&mark, "acme", 3);
}

#[test]
fn each_try_of_work_for_a_named_tenant_is_for_that_tenant() {
    for shop in [&*UPSTREAM, &*LISTENER] {
        let mark = format!("flaky{}", unique());
        assert_eq!(shop.call(&mark, &[("x-partywall-act-for", "globex")]).0, 200);
        shop.same_each_time(&mark, "globex", 3);
    }
}

#[test]
fn a_redirect_inside_envoy_is_for_the_same_tenant() {
    for shop in [&*UPSTREAM, &*LISTENER] {
        let mark = format!("moved{}", unique());
        assert_eq!(shop.client(&format!("/invoices/{mark}")), 200);
        let before = shop.same_each_time(&mark, "acme", 1);
        assert_eq!(shop.same_each_time(&mark.replace("moved", "there"), "acme", 1), before);
        let mark = format!("moved{}", unique());
        assert_eq!(shop.call(&mark, &[("x-partywall-act-for", "globex")]).0, 200);
        shop.same_each_time(&mark.replace("moved", "there"), "globex", 1);
    }
}

#[test]
fn the_upstream_chain_denies_as_the_listeners_does() {
    for shop in [&*UPSTREAM, &*LISTENER] {
        let mark = unique();
        assert_eq!(shop.call(&mark, &[]), (403, "context_no_request".into()));
        assert_eq!(shop.call(&mark, &[("x-partywall-act-for", "acme")]), (403, "act_for_denied".into()));
        assert_eq!(shop.call(&mark, &[("x-partywall-act-for", "No!")]), (400, "tenant_invalid".into()));
        // The context of a request is not carried over to another request of the same connection.
        assert!(shop.orders.seen(&mark).is_empty());
    }
}

#[test]
fn a_root_that_the_app_sends_counts_for_nothing_on_any_pass() {
    for shop in [&*UPSTREAM, &*LISTENER] {
        let mark = unique();
        assert_eq!(shop.client(&format!("/invoices/{mark}")), 200);
        let seen = shop.mesh.seen_of(App::Invoices, &mark).unwrap().pop().unwrap();
        let root = headers(&seen, "x-partywall-context").pop().unwrap();
        let traceparent = headers(&seen, "traceparent").pop().unwrap();
        let again = format!("flaky{}", unique());
        let stolen = [("x-partywall-context", root.as_str()), ("traceparent", traceparent.as_str())];
        assert_eq!(shop.call(&again, &stolen), (403, "context_no_request".into()));
        assert!(shop.orders.seen(&again).is_empty());
    }
}

/// Each try has a number, and the request one line: its link names all of them, and while the last try runs none is told as
/// removed.
#[test]
fn a_request_that_is_tried_again_has_one_line_of_one_link() {
    let mut shop = start("upstream-chain-log", true);
    let mark = format!("flakyslow{}", unique());
    let logs = |shop: &Shop| audit::logs(&shop.mesh.site, "invoices");
    thread::scope(|scope| {
        let slow = scope.spawn(|| shop.client(&format!("/invoices/{mark}")));
        thread::sleep(Duration::from_millis(300));
        // Others tell meanwhile what is open, at every worker.
        let until = Instant::now() + SLOW / 3;
        while Instant::now() < until {
            assert_eq!(shop.client("/invoices/7"), 200);
            thread::sleep(Duration::from_millis(50));
        }
        assert!(!slow.is_finished(), "the third try runs");
        let logs = logs(&shop);
        let logs: Vec<&Path> = logs.iter().map(|path| path.as_path()).collect();
        let (status, found) = audit::verify(&shop.mesh.site.keys(), &logs, &[]).unwrap();
        assert_eq!((status, gaps(&found, "removed")), (0, 0), "{found:#}");
        // Inbound one, and three tries outbound.
        assert!(gaps(&found, "open") >= 4, "{found:#}");
        assert_eq!(slow.join().unwrap(), 200);
    });
    // After a redirect inside Envoy, it is another one, with a line of its own.
    assert_eq!(shop.client(&format!("/invoices/moved{}", unique())), 200);
    let trace = shop.orders.seen(&mark)[0].all("traceparent").concat();
    let trace = trace.split('-').nth(1).unwrap().to_owned();
    thread::sleep(Duration::from_millis(500));
    shop.mesh.stop();
    let of_it = |hop| {
        let lines = shop.mesh.envoy("invoices").unwrap().log().lines();
        lines.into_iter().filter(|line| line.hop == hop && line.trace_id().as_ref() == Some(&trace)).collect::<Vec<_>>()
    };
    let lines = of_it(Hop::InvoicesOutbound);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let link = lines[0].field("chain");
    let replaced = link.split(' ').find_map(|part| part.strip_prefix("was=")).unwrap_or_default().split(',').count();
    assert_eq!(replaced, 2, "{link}");
    println!("{} decisions", audit::is_whole(&shop.mesh.site, &["edge", "invoices", "orders"]).unwrap());
    let fields = ["decision", "tenant", "path", "policy", "explain"];
    audit::changes_are_found(&shop.mesh.site, "invoices", &lines[0], &fields).unwrap();
}
