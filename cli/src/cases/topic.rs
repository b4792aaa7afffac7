//! `when` of a case that is about a topic of Kafka.
//!
//! ```yaml
//! when: { cluster: shop-events, kafka: "events:consume orders" }
//! ```

use partywall_authorization::RouteSays;
use partywall_event_scope::kafka::session::Action;
use partywall_tenancy::EventCluster;

use crate::cases::read::{When, time};
use crate::directory::{Fields, Mistakes, Node, Value, once_read, text};
use crate::rehearsal::OfTopic;

/// Whether it is one.
pub(super) fn is_meant(node: &Node<'_>) -> bool {
    let Value::Map(entries) = &node.value else { return false };
    entries.iter().any(|(key, _)| matches!(key.value.as_str(), "cluster" | "kafka"))
}

/// Reads it.
pub(super) fn read<'s>(node: Node<'s>, mistakes: &mut Mistakes) -> Option<When<'s>> {
    let mut fields = Fields::of(node, "`when` of a topic", mistakes)?;
    let service = fields
        .required("cluster", "write `cluster: shop-events`", mistakes)
        .and_then(|node| text(node, "a cluster", mistakes));
    let asked = fields.required("kafka", "write `kafka: \"events:consume orders\"`", mistakes).and_then(|node| {
        let found = text(node, "`kafka`", mistakes)?;
        OfTopic::parse(&found.value).or_else(|| {
            let diagnostic = found.at.error(format!("`{}` is not what is done and a topic", found.value));
            let actions: Vec<_> = Action::ALL.iter().map(|action| format!("`{}`", action.name())).collect();
            mistakes.add(diagnostic.help(format!(
                "write `events:consume orders`, with one blank between; what is done is one of {}",
                actions.join(", ")
            )))
        })
    });
    let time = fields.optional("time").map(|node| time(node, mistakes));
    fields.finish(mistakes);
    let (asked, time) = (asked?, once_read(time)?);
    Some(When {
        service: service?,
        method: EventCluster::METHOD.to_owned(),
        path: asked.unmapped(),
        headers: Vec::new(),
        body: String::new(),
        route: None,
        topic: Some(asked),
        says: RouteSays::default(),
        region: String::new(),
        cell: None,
        time,
        from: None,
    })
}
