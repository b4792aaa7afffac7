//! What a program names of the world of requests, found once per bundle.

use partywall_tenancy::order;

use crate::facts::FIELD_NAMES;
use crate::table::Table;
use crate::{Entity, Id, Node, Program, Scope, Text};

/// The numbers that a program gave to what requests are made of.
#[derive(Debug)]
pub struct Names {
    /// How many texts and entities the program names: what a request adds is numbered from there.
    pub(crate) texts: u32,
    pub(crate) entities: u32,
    /// Attributes of the schema.
    pub(crate) tenant: Option<Text>,
    pub(crate) tier: Option<Text>,
    pub(crate) residency: Option<Text>,
    pub(crate) status: Option<Text>,
    pub(crate) features: Option<Text>,
    pub(crate) consents: Option<Text>,
    pub(crate) dataset: Option<Text>,
    pub(crate) classification: Option<Text>,
    pub(crate) networks: Option<Text>,
    pub(crate) scopes: Option<Text>,
    pub(crate) caller: Option<Text>,
    /// The fields of the context, sorted by the numbers of their names.
    pub(crate) context: [(Text, Field); FIELDS.len()],
    /// Types that every request has.
    pub(crate) users: Kind,
    pub(crate) roles: Kind,
    pub(crate) tenants: Kind,
    pub(crate) workloads: Kind,
    pub(crate) actions: Kind,
    /// Every text that is compared with, by itself.
    text: Table<Text>,
    /// The types that policies name, or an entity of.
    kinds: Table<Kind>,
}

/// A field of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Service,
    Caller,
    Purpose,
    Scope,
    Time,
    Networks,
    Scopes,
}

/// The fields of the context. Those that no policy names are numbered as texts of the request, by their places here.
pub(crate) const FIELDS: [(&str, Field); 7] = [
    ("service", Field::Service),
    ("caller", Field::Caller),
    ("purpose", Field::Purpose),
    ("scope", Field::Scope),
    ("time", Field::Time),
    ("networks", Field::Networks),
    ("scopes", Field::Scopes),
];

/// A type, and the entities of it that policies name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kind {
    pub(crate) name: Option<Text>,
    ids: Table<Entity>,
}

impl Kind {
    /// The number of an entity, if policies name it.
    pub(crate) fn entity(&self, id: Id<'_>) -> Option<Entity> {
        match id.as_text() {
            Some(text) => self.ids.get(text).copied(),
            None => self.ids.get_bytes(|| id.bytes()).copied(),
        }
    }
}

impl Names {
    /// Looks through a program.
    pub fn of(program: &Program) -> Self {
        let body = program.body();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let text =
            |text: Text| usize::try_from(text.0).ok().and_then(|at| body.texts.get(at)).map_or("", String::as_str);
        let mut ids: std::collections::BTreeMap<Text, Vec<(&str, Entity)>> = std::collections::BTreeMap::new();
        for (number, (kind, id)) in (0u32..).zip(&body.entities) {
            ids.entry(*kind).or_default().push((text(*id), Entity(number)));
        }
        let scopes = body.policies.iter().flat_map(|policy| [policy.principal, policy.resource]);
        let in_scopes = scopes.filter_map(|scope| match scope {
            Scope::Is(kind) | Scope::IsIn(kind, _) => Some(kind),
            Scope::Any | Scope::Equal(_) | Scope::In(_) => None,
        });
        let in_nodes =
            body.nodes.iter().filter_map(|node| if let Node::Is(_, kind) = node { Some(*kind) } else { None });
        for kind in in_scopes.chain(in_nodes) {
            ids.entry(kind).or_default();
        }
        let kinds = ids.into_iter().map(|(kind, ids)| (text(kind), Kind { name: Some(kind), ids: Table::of(ids) }));
        let kinds = Table::of(kinds);
        let text = Table::of((0u32..).zip(&body.texts).map(|(at, text)| (text.as_str(), Text(at))));
        let texts = count(body.texts.len());
        let field = |place: usize, name: &str| {
            let unnamed = Text(texts.saturating_add(FIELD_NAMES).saturating_add(count(place)));
            program.find_text(name).unwrap_or(unnamed)
        };
        let mut place = 0;
        let mut context = FIELDS.map(|(name, of)| {
            place += 1;
            (field(place - 1, name), of)
        });
        order::sort_by(&mut context, |(one, _), (other, _)| one.cmp(other));
        let kind = |name: &str| kinds.get(name).cloned().unwrap_or_default();
        Self {
            texts,
            entities: count(body.entities.len()),
            tenant: program.find_text("tenant"),
            tier: program.find_text("tier"),
            residency: program.find_text("residency"),
            status: program.find_text("status"),
            features: program.find_text("features"),
            consents: program.find_text("consents"),
            dataset: program.find_text("dataset"),
            classification: program.find_text("classification"),
            networks: program.find_text("networks"),
            scopes: program.find_text("scopes"),
            caller: program.find_text("caller"),
            context,
            users: kind("User"),
            roles: kind("Role"),
            tenants: kind("Tenant"),
            workloads: kind("Workload"),
            actions: kind("Action"),
            text,
            kinds,
        }
    }

    /// The number of a text, if policies name it.
    pub(crate) fn text(&self, text: &str) -> Option<Text> {
        self.text.get(text).copied()
    }

    /// A type, if policies name it or an entity of it.
    pub(crate) fn kind(&self, kind: &str) -> Option<&Kind> {
        self.kinds.get(kind)
    }

    /// The number of the nth text that a request adds.
    pub(crate) fn more_text(&self, nth: u32) -> Text {
        Text(self.texts.saturating_add(nth))
    }
}
