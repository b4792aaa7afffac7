//! `topics` of a cluster: which there are, what they are at the broker, and what may be done to them.

use std::collections::HashMap;

use partywall_event_scope::kafka::session::{Access, Action};
use partywall_tenancy::{Attributes, EventCluster, EventCohort, Operation, Placed, TopicPattern, TopicRule};

use crate::directory::data::Data;
use crate::directory::events::ranges::{self, Ranges};
use crate::directory::fields::{Fields, Report, flag, list, once_read, text};
use crate::directory::values::{Scope, scope, tenant_id};
use crate::directory::yaml::{At, Located, Node, Value};
use crate::directory::{attributes, operation};

/// The type of topics in policies.
pub(crate) const RESOURCE: &str = "Topic";

/// One of `topics`.
#[derive(Debug)]
pub(super) struct Topic<'s> {
    /// `topic`.
    pub(super) pattern: Located<'s, String>,
    /// `name`; without it the pattern.
    pub(super) name: Located<'s, String>,
    /// What it is at the broker.
    pub(super) place: PlaceEntry<'s>,
    /// `dataset`, `classification`, `purpose` and `feature`.
    pub(super) attributes: Attributes,
}

/// What a topic is at the broker, as written.
#[derive(Debug)]
pub(super) enum PlaceEntry<'s> {
    /// Nothing of the kind is written.
    Own,
    /// `deny: true`.
    Denied,
    /// `partitions`.
    Partitions(Ranges<'s>),
    /// `shared`.
    Shared(Shared<'s>),
}

/// `shared` as written.
#[derive(Debug)]
pub(super) struct Shared<'s> {
    /// `topic`.
    pub(super) topic: Located<'s, String>,
    /// `owner`.
    pub(super) owner: Option<Located<'s, partywall_tenancy::TenantId>>,
    /// `readers`.
    pub(super) readers: Scope<'s>,
}

impl Topic<'_> {
    /// As the bundle says it.
    pub(super) fn to_rule(&self, cohorts: &[EventCohort]) -> TopicRule {
        TopicRule {
            name: self.name.value.clone(),
            covers: self.covers(),
            placed: match &self.place {
                PlaceEntry::Own => Placed::Own,
                PlaceEntry::Denied => Placed::Denied,
                PlaceEntry::Partitions(ranges) => {
                    Placed::Partitions { topic: ranges.topic.value.clone(), ranges: ranges.to_ranges(cohorts) }
                }
                PlaceEntry::Shared(shared) => {
                    Placed::Shared { topic: shared.topic.value.clone(), readers: shared.readers.to_tenant_scope() }
                }
            },
        }
    }

    /// Which names it covers.
    pub(super) fn covers(&self) -> TopicPattern {
        match self.pattern.value.strip_suffix('*') {
            Some(begin) => TopicPattern::Begins(begin.to_owned()),
            None => TopicPattern::Named(self.pattern.value.clone()),
        }
    }
}

/// Reads the list. Those that are no good are left out.
pub(super) fn read<'s>(node: Node<'s>, data: &Data<'_>, report: &mut Report) -> Vec<Topic<'s>> {
    if let Value::List(items) = &node.value {
        if items.is_empty() {
            let diagnostic = node.at.error("these are no topics, so that nobody sees any");
            report.push(diagnostic.help("write `topics: [{ topic: \"*\" }]`, where each tenant has those of its own"));
        } else if let Some(one_more) = items.get(EventCluster::MOST_RULES) {
            let most = EventCluster::MOST_RULES;
            let message = format!("this is one rule too many: a cluster has at most {most}");
            report.push(one_more.at.error(message).help("cover several by `begin*`, or split the cluster"));
        }
    }
    let found = list(node, "`topics`", report, |item, report| topic(item, data, report));
    apart(found, report)
}

fn topic<'s>(node: Node<'s>, data: &Data<'_>, report: &mut Report) -> Option<Topic<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "a topic", report)?;
    let pattern = fields
        .required("topic", "write `topic: orders`, `topic: \"audit-*\"` or `topic: \"*\"`", report)
        .and_then(|node| pattern(node, report));
    let name = match fields.optional("name") {
        Some(node) => name(node, report),
        None => pattern.clone(),
    };
    let deny = fields.optional("deny");
    let partitions = fields.optional("partitions");
    let shared = fields.optional("shared");
    let attributes = attributes::read(&mut fields, at, data, report);
    fields.finish(report);
    let count = [&deny, &partitions, &shared].into_iter().flatten().count();
    if count > 1 {
        let diagnostic =
            at.error("a topic is `deny`, `partitions` or `shared`, or the tenant's own without any of them");
        return report.add(diagnostic.help("keep one of them"));
    }
    let one = pattern.as_ref().is_none_or(|pattern| !pattern.value.ends_with('*'));
    if let Some(node) = [&partitions, &shared].into_iter().flatten().next().filter(|_| !one) {
        let diagnostic = node.at.error("this names one topic of the broker, and the pattern covers many");
        return report.add(diagnostic.help("write the name by which tenants call it in `topic`, without `*`"));
    }
    let place = match (deny, partitions, shared) {
        (Some(node), ..) => denied(node, attributes.as_ref(), report)?,
        (_, Some(node), _) => PlaceEntry::Partitions(ranges::read(node, report)?),
        (.., Some(node)) => PlaceEntry::Shared(self::shared(node, report)?),
        _ => PlaceEntry::Own,
    };
    Some(Topic { pattern: pattern?, name: name?, place, attributes: attributes? })
}

/// `orders`, `audit-*` or `*`.
fn pattern<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, "`topic`", report)?;
    let begin = found.value.strip_suffix('*').unwrap_or(&found.value);
    // Of a beginning, what may come behind it is judged when it comes.
    let whole = if begin.len() < found.value.len() { [begin, "x"].concat() } else { begin.to_owned() };
    match EventCluster::name_problem(&whole) {
        None => Some(found),
        Some(problem) => {
            let diagnostic = found.at.error(format!("topic `{}` {problem}", found.value));
            report.add(
                diagnostic.help("write a topic's name as tenants call it, with `*` at the end for all that begin so"),
            )
        }
    }
}

fn name<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, "the name of a rule", report)?;
    if crate::directory::is_name(&found.value) {
        return Some(found);
    }
    let diagnostic = found.at.error(format!("rule `{}` is not 1 to 63 of `a-z 0-9 . _ -`", found.value));
    report.add(diagnostic.help("write it in lower case, or take it out: the pattern is the rule's name then"))
}

fn denied<'s>(node: Node<'s>, attributes: Option<&Attributes>, report: &mut Report) -> Option<PlaceEntry<'s>> {
    let at = node.at;
    if !flag(node, "`deny`", report)? {
        let diagnostic = at.error("`deny: false` says nothing");
        return report.add(diagnostic.help("take it out: what no rule denies is decided by policies"));
    }
    if attributes.is_some_and(|attributes| attributes != Attributes::none()) {
        let diagnostic = at.error("what is denied to everyone has no dataset, classification, purpose or feature");
        return report.add(diagnostic.help("take them out, or `deny`"));
    }
    Some(PlaceEntry::Denied)
}

fn shared<'s>(node: Node<'s>, report: &mut Report) -> Option<Shared<'s>> {
    let mut fields = Fields::of(node, "`shared`", report)?;
    let topic = fields
        .required("topic", "write `topic: reference.rates`, as the broker calls it", report)
        .and_then(|node| broker_name(node, report));
    let owner = fields.optional("owner").map(|node| tenant_id(node, report));
    let readers = fields.required("readers", "write `readers: all`", report).and_then(|node| scope(node, report));
    fields.finish(report);
    let owner = once_read(owner)?;
    Some(Shared { topic: topic?, owner, readers: readers? })
}

/// A topic as the broker calls it.
pub(super) fn broker_name<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, "a topic of the broker", report)?;
    match EventCluster::name_problem(&found.value) {
        None => Some(found),
        Some(problem) => {
            let diagnostic = found.at.error(format!("topic `{}` {problem}", found.value));
            report.add(diagnostic.help("write its name as the broker has it, whole"))
        }
    }
}

/// Leaves out, and reports, what is there for the second time: a pattern, a name, a topic of the broker.
fn apart<'s>(found: Vec<Topic<'s>>, report: &mut Report) -> Vec<Topic<'s>> {
    let (mut patterns, mut names, mut topics) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut kept = Vec::with_capacity(found.len());
    let mut once = |seen: &mut HashMap<String, At<'s>>, what: &str, of: &Located<'s, String>, help: &str| {
        let first = seen.insert(of.value.clone(), of.at);
        if let Some(first) = first {
            let diagnostic = of.at.error(format!("{what} `{}` is there twice", of.value));
            report.push(diagnostic.help(format!("the first one is at {first}; {help}")));
        }
        first.is_none()
    };
    for topic in found {
        let place = match &topic.place {
            PlaceEntry::Partitions(ranges) => Some(&ranges.topic),
            PlaceEntry::Shared(shared) => Some(&shared.topic),
            PlaceEntry::Own | PlaceEntry::Denied => None,
        };
        if once(&mut patterns, "the topic", &topic.pattern, "keep one of the two")
            && once(&mut names, "the rule", &topic.name, "give one of them another `name`")
            && place.is_none_or(|place| once(&mut topics, "the broker's topic", place, "one rule says whose it is"))
        {
            kept.push(topic);
        }
    }
    kept
}

/// What may be done to them, as operations of the cluster's service.
pub(super) fn operations<'s>(topics: &[Topic<'s>], report: &mut Report) -> Vec<Located<'s, Operation>> {
    let of = |topic: &Topic<'s>| {
        let access = match &topic.place {
            PlaceEntry::Own => Access::Own,
            PlaceEntry::Partitions(_) => Access::Part,
            // Its owner calls it by another name, which this rule may cover as well; of the others nobody writes.
            PlaceEntry::Shared(Shared { owner: Some(_), .. }) => Access::Own,
            PlaceEntry::Shared(_) => Access::Read,
            PlaceEntry::Denied => Access::Foreign,
        };
        let (rule, at, attributes) = (topic.name.value.clone(), topic.pattern.at, topic.attributes.clone());
        let actions = Action::ALL.into_iter().filter(move |action| action.is_within(access)).map(Action::name);
        actions.map(move |action| Located {
            at,
            value: Operation {
                id: Some("topic".to_owned()),
                attributes: attributes.clone(),
                ..Operation::new(EventCluster::METHOD, &format!("/{action}/{rule}/{{topic}}"), action, RESOURCE)
            },
        })
    };
    operation::apart(topics.iter().flat_map(of).collect(), report)
}
