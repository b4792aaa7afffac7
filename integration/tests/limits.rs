//! Limits of tenants in a real Envoy, rendered from the tenancy directory: who is noisy meets a limit of its own, and
//! nobody else does.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::services::App;
use partywall_integration::stand_in::{Says, Seen, StandIn};
use partywall_integration::variant::Variant;
use partywall_integration::wait;

/// Requests of `globex` in a second: few, so that also a busy machine asks more often.
const LIMIT: usize = 4;

/// How many of `n` requests are refused, where eight clients ask at a time.
fn burst(n: usize, ask: impl Fn() -> u16 + Sync) -> usize {
    let left = AtomicUsize::new(n);
    let take = || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
    let client = || std::iter::from_fn(|| take().then(&ask)).filter(|status| *status == 429).count();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}

/// The edge and orders' sidecar of a mesh in which `globex` has a limit of its own, and the tier of `initech` and `hooli`
/// one.
fn prepared(name: &str) -> Result<Variant> {
    let mut variant = Variant::prepare(name, &["edge", "orders"])?;
    variant.append("tenants/globex.yaml", &format!("limits: {{ requests_per_second: {LIMIT} }}\n"))?;
    variant.append("profiles/bronze.yaml", "profile: bronze\nlimits: { requests_per_second: 30 }\n")?;
    variant.append("tenants/hooli.yaml", "tenant: hooli\ntier: bronze\nresidency: eu\nstatus: active\n")?;
    variant.render()?;
    Ok(variant)
}

#[test]
fn a_noisy_tenant_meets_its_own_limit_and_nobody_elses() {
    let running = prepared("limits").unwrap().start(&[App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    let ask = |tenant| running.client(tenant, "/orders/7").unwrap();
    let burst = |tenant, n| burst(n, || ask(tenant).status);

    // Its bucket holds one second's worth; whatever is filled up meanwhile, ten times as much does not pass.
    let started = std::time::Instant::now();
    let refused = burst("globex", 10 * LIMIT);
    let filled = LIMIT * (started.elapsed().as_secs() as usize + 2);
    assert!(refused >= (10 * LIMIT).saturating_sub(filled).max(1), "{refused} of {} were refused", 10 * LIMIT);
    // Others have buckets of their own: in the tier's, and without a limit.
    assert_eq!(burst("initech", 20), 0);
    assert_eq!(burst("acme", 20), 0);
    assert!(burst("initech", 200) > 0, "the tier's limit holds for a tenant without one of its own");
    assert_eq!(burst("hooli", 20), 0, "another tenant of the tier has a bucket of its own");
    assert_eq!(burst("acme", 20), 0);

    // What is over the limit is told as our denials are, and was let in by the filter: a limit is no decision.
    let refused = || Some(ask("globex")).filter(|answer| answer.status == 429);
    burst("globex", 10 * LIMIT);
    let answer = wait::until(std::time::Duration::from_secs(10), refused).expect("one is over the limit");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["reason"], "rate_limited");
    let line = running.line(Hop::Edge, answer.header("x-request-id").unwrap()).unwrap();
    assert_eq!((line.field("decision"), line.field("status")), ("allow".into(), "429".into()));
}

/// A client that names another tenant in our headers spends its own tokens.
#[test]
fn nobody_spends_the_tokens_of_another_tenant() {
    let running = prepared("limits-stolen").unwrap().start(&[App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    let more = [("x-partywall-tenant", "globex"), ("x-partywall-tier", "silver"), ("x_partywall_tenant", "globex")];
    for (name, value) in more {
        for _ in 0..3 * LIMIT {
            let answer = running.client_with("acme", "/orders/7", &[(name, value)]).unwrap();
            assert!([200, 400].contains(&answer.status), "{}", answer.status);
        }
        assert_eq!(running.client("globex", "/orders/7").unwrap().status, 200, "{name}");
        // And the other way round: it cannot pass for somebody without a limit.
    }
    let as_acme = || running.client_with("globex", "/orders/7", &[("x-partywall-tenant", "acme")]).unwrap().status;
    assert!(burst(10 * LIMIT, as_acme) > 0);
}

/// Requests at one time: the third of `globex` is turned away while two are open, and others go on.
#[test]
fn a_tenant_with_too_many_open_requests_is_turned_away_alone() {
    let mut variant = Variant::prepare("limits-concurrent", &["edge", "orders"]).unwrap();
    variant.append("tenants/globex.yaml", "limits: { concurrent_requests: 2 }\n").unwrap();
    variant.render().unwrap();
    let slow = |seen: &Seen, _: usize| {
        if seen.path.ends_with("slow") {
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        Says(200, Vec::new())
    };
    let app = StandIn::start(variant.site.ports.orders_app, slow).unwrap();
    let running = variant.start(&[]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    let ask = |tenant, path: &str| running.client(tenant, path).unwrap();
    std::thread::scope(|scope| {
        let open: Vec<_> = (0..2).map(|_| scope.spawn(|| ask("globex", "/orders/slow").status)).collect();
        let both = wait::until(std::time::Duration::from_secs(5), || (app.seen("slow").len() == 2).then_some(()));
        both.expect("two requests reach the app");
        let third = ask("globex", "/orders/7");
        assert_eq!((third.status, third.header("content-type")), (429, Some("application/problem+json")));
        assert_eq!(third.json()["reason"], "rate_limited");
        // Nor by another tenant's name, which comes from the client and not from a token.
        assert_eq!(running.client_with("globex", "/orders/7", &[("x-partywall-tenant", "acme")]).unwrap().status, 429);
        assert_eq!(ask("acme", "/orders/7").status, 200);
        assert_eq!(open.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>(), [200, 200]);
    });
    assert_eq!(ask("globex", "/orders/7").status, 200);
}
