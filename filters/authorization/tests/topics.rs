//! What is done to topics of Kafka, as operations of the service that a cluster is.

use partywall_authorization::{Call, OperationProblem, Operations};
use partywall_tenancy::{Attributes, EventCluster, Operation, Scope, Service, SpiffeId};

fn service(operations: &[(&str, &str, Scope)]) -> Service {
    let operation = |&(action, rule, scope): &(&str, &str, Scope)| Operation {
        id: Some("topic".into()),
        attributes: Attributes { scope, ..Attributes::default() },
        ..Operation::new(EventCluster::METHOD, &format!("/{action}/{rule}/{{topic}}"), action, "Topic")
    };
    Service::new(
        "shop-events",
        SpiffeId::parse("spiffe://mesh.example/ns/events/sa/proxy").unwrap(),
        operations.iter().map(operation).collect(),
    )
}

#[test]
fn what_is_done_to_a_topic_is_found_by_action_and_rule() {
    let of = |action, rule| (action, rule, Scope::Tenant);
    let operations = [of("events:produce", "orders"), of("events:consume", "orders"), of("events:produce", "any")];
    let operations = Operations::compile(&service(&operations)).unwrap();
    let found = |method, path| {
        let found = operations.find(&Call::plain(method, path)).unwrap()?;
        Some((found.position(), found.id().unwrap_or_default()))
    };
    assert_eq!(found("KAFKA", "/events:produce/orders/orders"), Some((0, "orders")));
    assert_eq!(found("KAFKA", "/events:consume/orders/orders"), Some((1, "orders")));
    assert_eq!(found("KAFKA", "/events:produce/any/a.b_C-9"), Some((2, "a.b_C-9")));
    for (method, path) in [
        ("KAFKA", "/events:consume/any/a"),
        ("KAFKA", "/events:produce/orders/a/b"),
        ("KAFKA", "/events:produce/orders/"),
        ("KAFKA", "/events:produce/orders"),
        ("POST", "/events:produce/orders/orders"),
    ] {
        assert_eq!(found(method, path), None, "{method} {path}");
    }
}

#[test]
fn of_nobodys_topics_nothing_but_reading_is_for_tenants() {
    let nobodys = |action| Operations::compile(&service(&[(action, "rates", Scope::GlobalRead)])).map(|_| ());
    for action in ["events:consume", "events:describe"] {
        assert_eq!(nobodys(action), Ok(()), "{action}");
    }
    for action in ["events:produce", "events:create", "events:delete", "events:alter"] {
        let error = nobodys(action).unwrap_err();
        assert_eq!(error.problem, OperationProblem::Scope(Scope::GlobalRead), "{action}");
    }
}
