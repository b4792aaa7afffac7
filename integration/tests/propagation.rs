//! How a context is found again: by trace id alone, and for work that no request caused.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::acting::acting;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::viewer;
use partywall_integration::mesh::unique;
use partywall_integration::ports::local;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;
use partywall_integration::wait;
use serde_json::{Value, json};

const EVERYWHERE: [Hop; 4] = Hop::ALL;
/// How long the app takes over a `slow` invoice before it calls `orders`.
const SLOW: Duration = Duration::from_millis(1500);
/// So long a context outlives its request.
const LINGER: Duration = Duration::from_secs(5);

/// Apps carry `traceparent` and nothing else.
static BY_TRACE: LazyLock<Running> = LazyLock::new(|| {
    let variant = Variant::prepare("by-trace", &["edge", "invoices", "orders"]).unwrap();
    variant.append("services/invoices.yaml", "\nrecover: traceparent\n").unwrap();
    // An invoice is open to everybody here, so that there are requests that bring no root context.
    let (closed, open) =
        ("resource: Invoice, id: id, owner: none }", "resource: Invoice, id: id, owner: none, anonymous: true }");
    variant
        .replace("services/invoices.yaml", &format!("invoices:read\", {closed}"), &format!("invoices:read\", {open}"))
        .unwrap();
    let everybody = "\n@id(\"everybody\")\npermit (principal, action == Action::\"invoices:read\", resource);\n";
    variant.append("policies/readers.cedar", everybody).unwrap();
    let p = variant.site.ports;
    let (app, outbound) = (local(p.invoices_app), local(p.invoices_outbound));
    let listener = TcpListener::bind(app).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || forgetful_app(stream, outbound));
        }
    });
    let running = variant.start(&[App::Orders]).unwrap();
    running.wait_for_policy(&EVERYWHERE).unwrap();
    running
});

/// `invoices` works by itself: for globex and acme when it says so, else for initech.
static BY_ITSELF: LazyLock<Running> = LazyLock::new(|| {
    let mut variant = Variant::prepare("by-itself", &["edge", "invoices", "orders"]).unwrap();
    acting(&mut variant, &["globex", "initech"], "\nown_tenant: initech\nact_for: [globex]\n").unwrap();
    let running = variant.start(&[App::Invoices, App::Orders]).unwrap();
    running.wait_for_policy(&EVERYWHERE).unwrap();
    running
});

/// What reached the app without a call of its own to show it: path, root, traceparent.
static REACHED: Mutex<Vec<(String, String, String)>> = Mutex::new(Vec::new());

/// Answers with what `orders` answered to `/orders/<id>`, asked with `traceparent` alone.
fn forgetful_app(mut stream: TcpStream, outbound: SocketAddr) -> Option<()> {
    loop {
        let mut got = Vec::new();
        while !got.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            got.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&got).into_owned();
        let header = |name: &str| {
            let found =
                head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let path = head.split(' ').nth(1)?.to_owned();
        let traceparent = header("traceparent");
        REACHED.lock().ok()?.push((path.clone(), header("x-partywall-context"), traceparent.clone()));
        if path.contains("slow") {
            thread::sleep(SLOW);
        }
        let id = path.rsplit('/').next()?;
        let call = Request::get(&format!("/orders/{id}")).header("host", "orders").header("traceparent", traceparent);
        let (status, body) = match call.send(outbound) {
            Ok(answer) => (if answer.status == 200 { "200 OK" } else { "502 Bad Gateway" }, answer.json()),
            Err(error) => ("502 Bad Gateway", json!(error.to_string())),
        };
        let body = json!({ "orders": body }).to_string();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok()?;
    }
}

fn reached(mark: &str) -> Option<(String, String, String)> {
    REACHED.lock().unwrap().iter().find(|(path, ..)| path.contains(mark)).cloned()
}

/// A request as a client of `tenant`, at the edge.
fn client(mesh: &Running, tenant: &'static str, path: &str) -> Response {
    mesh.client(tenant, path).unwrap()
}

/// A root context of `tenant`, as the edge signed it.
fn root(mesh: &Running, tenant: &'static str) -> String {
    let mark = unique();
    assert_eq!(client(mesh, tenant, &format!("/orders/{mark}")).status, 200);
    told(mesh, &mark, "x-partywall-context").pop().unwrap()
}

/// Values of a header of the requests that reached `orders` with `mark`.
fn told(mesh: &Running, mark: &str, name: &str) -> Vec<String> {
    mesh.seen_of(App::Orders, mark).unwrap().iter().flat_map(|seen: &Value| headers(seen, name)).collect()
}

fn trace() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("00-{:08x}{:024x}-b7ad6b7169203331-01", NEXT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

/// The edge's own request to `invoices`, with a trace id of the caller's choice.
fn to_invoices(root: &str, trace: &str, id: &str) -> (Response, String) {
    invoice(trace, id, &[("host", "invoices"), ("x-partywall-context", root)])
}

/// The same without a root context, for the tenant that the host selects.
fn to_invoices_as_nobody(tenant: &str, trace: &str, id: &str) -> (Response, String) {
    invoice(trace, id, &[("host", &format!("{tenant}.shop.example"))])
}

fn invoice(trace: &str, id: &str, more: &[(&str, &str)]) -> (Response, String) {
    let request_id = unique();
    let request = Request::get(&format!("/invoices/{id}"))
        .header("x-request-id", request_id.as_str())
        .header("traceparent", trace);
    let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
    let answer = BY_TRACE.send(Hop::InvoicesInbound, Workload::Edge, &request).unwrap();
    let reason = BY_TRACE.line(Hop::InvoicesInbound, &request_id).unwrap().field("reason");
    (answer, reason.trim_start_matches('-').into())
}

/// A call of the app `invoices` through its sidecar, with the exact reason.
fn call(mesh: &Running, id: &str, more: &[(&str, &str)]) -> (u16, String) {
    mesh.call(id, more).unwrap()
}

fn let_out() -> (u16, String) {
    (200, String::new())
}

#[test]
fn an_app_that_carries_traceparent_alone_calls_on_for_its_tenant() {
    for tenant in ["acme", "globex"] {
        let mark = unique();
        let answer = client(&BY_TRACE, tenant, &format!("/invoices/{mark}"));
        assert_eq!(answer.status, 200, "{}", answer.json());
        assert_eq!(told(&BY_TRACE, &mark, "x-partywall-tenant"), [tenant]);
        let (_, root, _) = reached(&mark).unwrap();
        assert_eq!(told(&BY_TRACE, &mark, "x-partywall-context"), [root], "the same root, unchanged");
    }
}

#[test]
fn tenants_in_flight_together_do_not_meet() {
    let asked: Vec<_> = (0..16)
        .map(|n| {
            let tenant = ["acme", "globex", "initech"][n % 3];
            let mark = format!("slow{}", unique());
            thread::spawn(move || (client(&BY_TRACE, tenant, &format!("/invoices/{mark}")).status, tenant, mark))
        })
        .collect();
    for (status, tenant, mark) in asked.into_iter().map(|asked| asked.join().unwrap()) {
        assert_eq!((status, told(&BY_TRACE, &mark, "x-partywall-tenant")), (200, vec![tenant.to_owned()]), "{mark}");
    }
}

#[test]
fn a_trace_id_of_an_open_request_is_refused_with_another_root_and_the_open_one_is_unharmed() {
    let (acme, globex, trace) = ([root(&BY_TRACE, "acme")], root(&BY_TRACE, "globex"), trace());
    let victim = format!("slow{}", unique());
    let open = {
        let ([acme], trace, victim) = (acme.clone(), trace.clone(), victim.clone());
        thread::spawn(move || to_invoices(&acme, &trace, &victim))
    };
    wait::until(Duration::from_secs(5), || reached(&victim)).expect("the victim's request reached the app");
    for _ in 0..4 {
        let poison = unique();
        let (answer, reason) = to_invoices(&globex, &trace, &poison);
        assert_eq!((answer.status, reason.as_str()), (400, "ambiguous_request"));
        assert!(reached(&poison).is_none(), "it reached no app");
    }
    let (answer, _) = open.join().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(told(&BY_TRACE, &victim, "x-partywall-context"), acme);
    // While it lingers as well, and not a moment of it is for the other one.
    let later = unique();
    assert_eq!(call(&BY_TRACE, &later, &[("traceparent", &trace)]), let_out());
    assert_eq!(told(&BY_TRACE, &later, "x-partywall-context"), acme);
    assert_eq!(to_invoices(&globex, &trace, &unique()).1, "ambiguous_request");
    // The same root may come twice: a request that is tried again.
    assert_eq!(to_invoices(&acme[0], &trace, &unique()).0.status, 200);
}

#[test]
fn a_request_without_a_root_gets_nobodys_context_by_its_trace_id() {
    let (acme, taken) = (root(&BY_TRACE, "acme"), trace());
    let victim = format!("slow{}", unique());
    let open = {
        let (acme, taken, victim) = (acme.clone(), taken.clone(), victim.clone());
        thread::spawn(move || to_invoices(&acme, &taken, &victim))
    };
    wait::until(Duration::from_secs(5), || reached(&victim)).expect("the victim's request reached the app");
    let mark = unique();
    assert_eq!(to_invoices_as_nobody("globex", &taken, &mark).1, "ambiguous_request");
    assert!(reached(&mark).is_none(), "it reached no app");
    assert_eq!(open.join().unwrap().0.status, 200);

    // The other way round: nobody is there first.
    let (own, mark) = (trace(), format!("slow{}", unique()));
    let open = {
        let (own, mark) = (own.clone(), mark.clone());
        thread::spawn(move || to_invoices_as_nobody("globex", &own, &mark))
    };
    wait::until(Duration::from_secs(5), || reached(&mark)).expect("it is open to everybody");
    assert_eq!(to_invoices(&acme, &own, &unique()).1, "ambiguous_request");
    open.join().unwrap();
    assert!(told(&BY_TRACE, &mark, "x-partywall-tenant").is_empty(), "its call had no context");
}

#[test]
fn a_trace_id_opens_nothing_before_its_request_and_nothing_long_after() {
    let trace = trace();
    assert_eq!(call(&BY_TRACE, &unique(), &[("traceparent", &trace)]), (403, "context_no_request".into()));
    assert_eq!(call(&BY_TRACE, &unique(), &[]), (403, "context_no_request".into()));
    let root = root(&BY_TRACE, "acme");
    assert_eq!(to_invoices(&root, &trace, &unique()).0.status, 200);
    assert_eq!(call(&BY_TRACE, &unique(), &[("traceparent", &trace)]), let_out());
    thread::sleep(LINGER + Duration::from_secs(2));
    assert_eq!(call(&BY_TRACE, &unique(), &[("traceparent", &trace)]), (403, "context_no_request".into()));
}

#[test]
fn a_denied_request_leaves_nothing_under_its_trace_id() {
    let (root, trace) = (root(&BY_TRACE, "acme"), trace());
    let request = Request::new("DELETE", "/invoices/1")
        .header("host", "invoices")
        .header("traceparent", trace.as_str())
        .header("x-partywall-context", root);
    assert_eq!(BY_TRACE.send(Hop::InvoicesInbound, Workload::Edge, &request).unwrap().status, 403, "no viewer deletes");
    assert_eq!(call(&BY_TRACE, &unique(), &[("traceparent", &trace)]), (403, "context_no_request".into()));
}

#[test]
fn a_workload_that_may_act_for_nobody_is_refused() {
    let named = &[("x-partywall-act-for", "globex")];
    assert_eq!(call(&BY_TRACE, &unique(), named), (403, "act_for_denied".into()));
}

#[test]
fn a_workload_acts_for_the_tenant_it_names_where_the_directory_lets_it() {
    let mark = unique();
    assert_eq!(call(&BY_ITSELF, &mark, &[("x-partywall-act-for", "globex")]), let_out());
    assert_eq!(told(&BY_ITSELF, &mark, "x-partywall-tenant"), ["globex"]);
    assert_eq!(told(&BY_ITSELF, &mark, "x-partywall-principal"), [Workload::Invoices.spiffe_id()]);
    assert!(told(&BY_ITSELF, &mark, "x-partywall-act-for").is_empty());
    // Its root is its own: in the hands of the edge, whom `orders` lists as well, it is one among others.
    let root = told(&BY_ITSELF, &mark, "x-partywall-context").pop().unwrap();
    let stolen = Request::get("/orders/1").header("host", "orders").header("x-partywall-context", root);
    assert_eq!(BY_ITSELF.send(Hop::OrdersInbound, Workload::Reports, &stolen).unwrap().reason(), "caller_denied");
}

#[test]
fn a_tenant_that_it_may_not_act_for_is_refused_and_so_is_what_is_no_tenant() {
    for other in ["acme", "initech", "nobody"] {
        let mark = unique();
        assert_eq!(
            call(&BY_ITSELF, &mark, &[("x-partywall-act-for", other)]),
            (403, "act_for_denied".into()),
            "{other}"
        );
        assert!(BY_ITSELF.seen_of(App::Orders, &mark).unwrap().is_empty());
    }
    assert_eq!(call(&BY_ITSELF, &unique(), &[("x-partywall-act-for", "Globex!")]), (400, "tenant_invalid".into()));
    let twice = [("x-partywall-act-for", "globex"), ("x-partywall-act-for", "globex")];
    assert_ne!(call(&BY_ITSELF, &unique(), &twice).0, 200);
}

#[test]
fn beside_the_context_of_a_request_no_tenant_can_be_named() {
    let mark = unique();
    assert_eq!(client(&BY_ITSELF, "acme", &format!("/invoices/{mark}")).status, 200);
    let seen = BY_ITSELF.seen_of(App::Invoices, &mark).unwrap().pop().unwrap();
    let of = |name| headers(&seen, name).pop().unwrap();
    let (traceparent, tracestate) = (of("traceparent"), of("tracestate"));
    let carried = [("traceparent", traceparent.as_str()), ("tracestate", tracestate.as_str())];
    let again = unique();
    assert_eq!(call(&BY_ITSELF, &again, &carried), let_out(), "it lingers");
    assert_eq!(told(&BY_ITSELF, &again, "x-partywall-tenant"), ["acme"]);
    let named = [&carried[..], &[("x-partywall-act-for", "globex")]].concat();
    assert_eq!(call(&BY_ITSELF, &unique(), &named), (403, "act_for_denied".into()));
}

#[test]
fn a_client_cannot_name_a_tenant_for_a_workload() {
    let mark = unique();
    let token = BY_ITSELF.site.issuers.token(&viewer(Acme, "acme"), &unique()).unwrap();
    let request = Request::get(&format!("/invoices/{mark}"))
        .header("host", "acme.shop.example")
        .header("authorization", format!("Bearer {token}"))
        .header("x-partywall-act-for", "globex");
    assert_eq!(BY_ITSELF.send(Hop::Edge, Workload::Edge, &request).unwrap().status, 200);
    assert_eq!(told(&BY_ITSELF, &mark, "x-partywall-tenant"), ["acme"]);
    let seen = BY_ITSELF.seen_of(App::Invoices, &mark).unwrap();
    assert!(seen.iter().all(|seen| headers(seen, "x-partywall-act-for").is_empty()));
}

#[test]
fn what_no_request_caused_is_done_for_the_workloads_own_tenant() {
    let mark = unique();
    assert_eq!(call(&BY_ITSELF, &mark, &[]), let_out());
    assert_eq!(told(&BY_ITSELF, &mark, "x-partywall-tenant"), ["initech"]);
    assert_eq!(told(&BY_ITSELF, &mark, "x-partywall-principal"), [Workload::Invoices.spiffe_id()]);
    // A trace of its own makes no difference, and two handles are as ambiguous as ever.
    assert_eq!(call(&BY_ITSELF, &unique(), &[("traceparent", &trace())]), let_out());
    let two = [("traceparent", &*trace()), ("tracestate", "pw=AAAAAAAAAAAAAAAAAAAAAA,pw=BBBBBBBBBBBBBBBBBBBBBB")];
    assert_eq!(call(&BY_ITSELF, &unique(), &two), (400, "ambiguous_request".into()));
}

#[test]
fn two_roots_that_race_for_one_trace_id_never_get_each_other() {
    let roots = ["acme", "globex"].map(|tenant| (tenant, root(&BY_TRACE, tenant)));
    for round in 0..40 {
        let trace = trace();
        let asked: Vec<_> = (0..6)
            .map(|n| {
                let ((tenant, root), trace, mark) = (roots[n % 2].clone(), trace.clone(), unique());
                thread::spawn(move || (to_invoices(&root, &trace, &mark).0.status, tenant, mark))
            })
            .collect();
        for (status, tenant, mark) in asked.into_iter().map(|asked| asked.join().unwrap()) {
            let told = told(&BY_TRACE, &mark, "x-partywall-tenant");
            assert!(
                told.iter().all(|told| told == tenant),
                "round {round}: {tenant} was answered {status} as {told:?}"
            );
        }
    }
}

#[test]
fn a_call_that_comes_too_late_for_its_request_is_not_done_for_the_workloads_own_tenant() {
    let mark = unique();
    assert_eq!(client(&BY_ITSELF, "acme", &format!("/invoices/{mark}")).status, 200);
    let seen = BY_ITSELF.seen_of(App::Invoices, &mark).unwrap().pop().unwrap();
    let of = |name| headers(&seen, name).pop().unwrap();
    let (traceparent, tracestate) = (of("traceparent"), of("tracestate"));
    thread::sleep(LINGER + Duration::from_secs(2));
    let carried = [("traceparent", traceparent.as_str()), ("tracestate", tracestate.as_str())];
    let late = unique();
    assert_eq!(call(&BY_ITSELF, &late, &carried), (403, "context_no_request".into()));
    assert!(BY_ITSELF.seen_of(App::Orders, &late).unwrap().is_empty());
    let named = [&carried[..], &[("x-partywall-act-for", "globex")]].concat();
    assert_ne!(call(&BY_ITSELF, &unique(), &named).0, 200);
}
