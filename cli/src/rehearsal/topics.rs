//! What is done to a topic, as the operation of its cluster's service.

use std::rc::Rc;

use partywall_event_scope::kafka::session::{Access, Action, Kind, Mapped, World};
use partywall_event_scope::scope::Cluster;
use partywall_tenancy::{EventCluster, Reason, Tenant, TenantId};

use crate::rehearsal::{Ask, Rehearsal, Settled};

/// What is to be done to what tenants call so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfTopic {
    /// What is done.
    pub(crate) action: Action,
    /// The topic, by the tenant's name of it.
    pub(crate) topic: String,
}

impl OfTopic {
    /// Reads `events:consume orders`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (action, topic) = text.split_once(' ')?;
        let action = Action::ALL.into_iter().find(|one| one.name() == action)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let good = !topic.is_empty() && topic.bytes().all(plain);
        good.then(|| Self { action, topic: topic.to_owned() })
    }

    /// The path of an operation that no cluster has.
    pub(crate) fn unmapped(&self) -> String {
        format!("/{}", self.action.name())
    }
}

impl Rehearsal {
    /// The request that the broker's proxy makes of it: by the names that the tenant sees, asked of the very code that
    /// the proxy runs. Or why it denies it before any policy is asked.
    pub(crate) fn of_topic(&self, ask: &Ask, asked: &OfTopic) -> Result<Ask, Settled> {
        let denied = |detail: String| Settled::denied(Reason::ResourceUnmapped, None, detail);
        let Some(events) = self.body().events.iter().find(|cluster| cluster.name == ask.service) else {
            return Err(denied("the bundle knows no such cluster".to_owned()));
        };
        // Whoever is no tenant is told so where tenants are.
        let Ok(tenant) = TenantId::parse(&ask.tenant) else { return Ok(ask.clone()) };
        let cluster = Cluster::new(events, Rc::default()).map_err(denied)?;
        let unseen = || denied(format!("the tenant has no topic `{}` of its own or of others", asked.topic));
        let scope = cluster.scope(&tenant).ok_or_else(unseen)?;
        let mut at_broker = Vec::new();
        if scope.inward(Kind::Topic, asked.topic.as_bytes(), &mut at_broker) != Mapped::Yes {
            return Err(unseen());
        }
        let rule = scope.rule(&at_broker).ok_or_else(unseen)?;
        if !asked.action.is_within(scope.access(&at_broker)) {
            return Err(denied(format!("of `{}` the tenant has no more than its part, or reading", asked.topic)));
        }
        let path = format!("/{}/{rule}/{}", asked.action.name(), asked.topic);
        // A proxy stands before the brokers of a region, and in no cell.
        let (region, method) = (events.region.clone(), EventCluster::METHOD.to_owned());
        Ok(Ask { method, path, region, cell: None, ..ask.clone() })
    }

    /// The other tenant that shares the topic which is asked for, found by its name at the broker as the proxy finds it; `None`
    /// where nobody does, or nothing is asked of a topic. Or the denial, where that tenant gives nothing.
    pub(crate) fn sharer(&self, ask: &Ask, reader: &TenantId) -> Result<Option<Tenant>, Settled> {
        let mut parts = ask.path.split('/').skip(1);
        let (Some(_action), Some(_rule), Some(topic), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        let events = self.body().events.iter().find(|cluster| cluster.name == ask.service);
        let Some(events) = events.filter(|_| ask.method == EventCluster::METHOD) else { return Ok(None) };
        let cluster = Cluster::new(events, Rc::default());
        let cluster = cluster.map_err(|problem| Settled::denied(Reason::ResourceUnmapped, None, problem))?;
        let mut at_broker = Vec::new();
        let is_read = |scope: &dyn World, name: &mut Vec<u8>| {
            scope.inward(Kind::Topic, topic.as_bytes(), name) == Mapped::Yes && scope.access(name) == Access::Read
        };
        if !cluster.scope(reader).is_some_and(|scope| is_read(&scope, &mut at_broker)) {
            return Ok(None);
        }
        let Ok(name) = str::from_utf8(&at_broker) else { return Ok(None) };
        self.view.owner_of_topic(events, name).map_err(|reason| {
            Settled::denied(reason, None, format!("whoever shares `{name}` may not act, or is not served there"))
        })
    }
}
